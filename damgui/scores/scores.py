"""One set of scores in words and tables: pure functions of a results file. What an older file lacks is not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core import units
from core.metrics.reference_points import BY_KEY, PRIOR, label_of
from damgui import text
from damgui.charts import scores as score_charts
from damgui.charts import training as charts
from damgui.charts.scores import Dot
from damgui.components import html as parts
from damgui.scores import text as score_text
from damgui.scores.results import ShownResults
from damgui.text import escape

Found = Mapping[str, Any]


def headline(shown: ShownResults) -> str:
    """The big number with its interval, the few that put it into place, and what flatters it."""
    found = shown.results
    about, model = found.get("data") or {}, found.get("model") or {}
    took = f"took {units.duration(found['seconds'])}" if found.get("seconds") is not None else ""
    asked = " · ".join(filter(None, [str(model.get("path", "")), took]))
    score = (
        f'<div class="dg-score"><span class="dg-big" data-accuracy="{found["overall_accuracy"]:.6f}">'
        f"{100 * found['overall_accuracy']:.1f}<small>%</small></span><div><strong>of the objects judged right</strong>"
        f"<p>{found['correct']:,} of {found['total']:,} objects on {about.get('photos', '–')} photos</p>"
        f"<p>{escape(parts.interval(found, 'accuracy_interval'))}</p><p>{escape(asked)}</p></div></div>"
    )
    apart = [said for said in (score_text.by_flight(found), score_text.single_answers(found)) if said]
    below = "".join(f'<p class="dg-small dg-apart">{escape(said)}</p>' for said in apart)
    return f'<div class="dg-headline">{score}{parts.figures(_small_figures(found))}</div>{below}{warnings(found)}'


def _small_figures(found: Found) -> list[str]:
    small = []
    if found.get("balanced_accuracy") is not None:
        ends = parts.interval(found, "balanced_accuracy_interval") or score_text.BALANCED_SAYS
        small.append(parts.figure(units.percent(found["balanced_accuracy"]), score_text.BALANCED, ends))
    ends = parts.interval_plain(found, "macro_f1_interval") or score_text.MACRO_F1_SAYS
    small.append(parts.figure(f"{found['macro_f1']:.2f}", text.MACRO_F1, ends))
    choice, prior = found.get("with_choice") or {}, found.get("prior") or {}
    if choice.get("total"):
        below = parts.interval(choice, "accuracy_interval") or f"{choice['correct']} of {choice['total']} objects"
        small.append(parts.figure(units.percent(choice["accuracy"]), score_text.CHOICE, below))
    if prior.get("accuracy") is not None:
        small.append(parts.figure(units.percent(prior["accuracy"]), score_text.GUESSING, score_text.GUESSING_SAYS))
    return small


def warnings(found: Found) -> str:
    """What makes these numbers doubtful."""
    return "".join(parts.note(str(one), "warn") for one in found.get("reference_warnings") or [])


# -- What it must beat -----------------------------------------------------------------------------------------------
def references(found: Found) -> dict[str, Found]:
    """The reference points by name; of files from before there were any, guessing alone."""
    known = {name: about for name, about in (found.get("references") or {}).items() if about}
    prior = found.get("prior") or {}
    guessing = {"label": score_text.GUESSING, "note": BY_KEY[PRIOR].note, **prior}
    return known or ({PRIOR: guessing} if prior.get("accuracy") is not None else {})


def reference_chart(found: Found) -> str | None:
    """The model and each reference on one axis for accuracy and one for macro-F1; None when there is no reference."""
    known = references(found)
    if not known:
        return None
    own = {
        "label": score_text.THIS_MODEL,
        "accuracy": found["overall_accuracy"],
        "macro_f1": found["macro_f1"],
        "accuracy_interval": found.get("accuracy_interval"),
        "macro_f1_interval": found.get("macro_f1_interval"),
    }
    panels = []
    for title, key in ((f"{text.ACCURACY} (%)", "accuracy"), (f"{text.MACRO_F1} (%)", "macro_f1")):
        measured = [(name, about) for name, about in {"": own, **known}.items() if about.get(key) is not None]
        panels.append((title, [_dot(about, name, key) for name, about in measured]))
    return charts.to_json(score_charts.forest(panels))


def _dot(about: Found, name: str, key: str) -> Dot:
    ends = about.get(f"{key}_interval")
    span = (100 * ends[0], 100 * ends[1]) if ends else None
    return Dot(str(about.get("label") or label_of(name)), 100 * about[key], span, own=not name)


def reference_words(found: Found) -> str:
    """A sentence for every reference point: the result's own, which also tells what was left out."""
    rows = []
    for name, about in references(found).items():
        said = str(about.get("note") or "")
        rows.append(f"<div><dt>{escape(str(about.get('label') or label_of(name)))}</dt><dd>{escape(said)}</dd></div>")
    lead = f'<p class="dg-small">{escape(score_text.MUST_BEAT_SAYS)}</p>'
    return f'{lead}<dl class="dg-words">{"".join(rows)}</dl>' if rows else ""


# -- Alarms ----------------------------------------------------------------------------------------------------------
def alarms(found: Found) -> str:
    """What share of the blocked and of the damaged objects is found at the tolerated false alarms; "" when unknown."""
    judging = (found.get("settings") or {}).get("judging") or {}
    tolerated = float(judging.get("false_alarm_rate") or 0.1)
    cells = []
    for condition, about in ((name, about or {}) for name, about in (found.get("alarms") or {}).items()):
        recall, ends = about.get("recall"), parts.interval(about, "recall_interval")
        value = units.percent(recall, 0) if recall is not None else "–"
        span = f"<p>{escape(ends)}</p>" if ends and recall is not None else ""
        cells.append(
            f'<div class="dg-alarm">{parts.badge(condition)}<span class="dg-value">{value}</span>'
            f"<div><p>{escape(score_text.alarm(condition, about, tolerated))}</p>{span}</div></div>"
        )
    return "".join(cells)


# -- Tables ----------------------------------------------------------------------------------------------------------
def class_table(scores: Mapping[str, Found], order: Sequence[str] = (), title: str = "Class") -> str:
    """Support, recall with interval, precision and F1, a row for every class that occurs or was answered."""
    rows = []
    for name in [one for one in (order or scores) if one in scores]:
        about = scores[name]
        ends = score_text.interval(about, "recall_interval") if about.get("total") else ""
        recall = _share(about.get("recall", about.get("accuracy"))) + (f"<small>{escape(ends)}</small>" if ends else "")
        f1 = f"{about['f1']:.2f}" if about.get("f1") is not None else "–"
        rows.append([escape(name), f"{about.get('total', 0):,}", recall, _share(about.get("precision")), f1])
    return table([title, "Support", "Recall", "Precision", "F1"], rows)


def type_table(found: Found) -> str:
    """Right answers and macro-F1 for every object type; "" when the file does not tell them."""
    rows = []
    for name, about in (found.get("per_object_type") or {}).items():
        f1 = f"{about['macro_f1']:.2f}" if about.get("macro_f1") is not None else "–"
        rows.append([escape(name), f"{about['total']:,}", f"{about['correct']:,}", _share(about["accuracy"]), f1])
    return table(["Object type", "Objects", "Right", text.ACCURACY, text.MACRO_F1], rows) if rows else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], elem_class: str = "") -> str:
    """A table of HTML cells; the first of each row names it."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>' for first, *rest in rows
    )
    return (
        f'<div class="dg-scroll"><table class="dg-table {elem_class}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _share(value: float | None) -> str:
    return units.percent(value, 0) if value is not None else "–"


# -- How sure may one be ---------------------------------------------------------------------------------------------
def sides(found: Found) -> list[tuple[str, Found]]:
    """The measured probabilities: raw, and calibrated where the model has a calibration."""
    told = {score_text.RAW: "probabilistic", score_text.CALIBRATED: "probabilistic_calibrated"}
    return [(label, found[key]) for label, key in told.items() if (found.get(key) or {}).get("total")]


def reliability_chart(found: Found) -> str | None:
    known = sides(found)
    return charts.to_json(score_charts.reliability(known)) if known else None


def sureness(found: Found) -> str:
    """Log-loss, Brier and calibration error explained, raw beside calibrated, and how many answers are unsure."""
    known = sides(found)
    if not known:
        return ""
    rows = []
    for key, name, says in score_text.SURENESS:
        values = [f"{about[key]:.3f}" if about.get(key) is not None else "–" for _, about in known]
        rows.append([f"{escape(name)}<small>{escape(says)}</small>", *values])
    said = f'<p class="dg-small">{escape(score_text.RELIABILITY_SAYS)}</p>'
    if len(known) > 1:
        said += f'<p class="dg-small">{escape(score_text.CALIBRATED_SAYS)}</p>'
    return table(["", *(label for label, _ in known)], rows, "dg-sure") + _unsure(found) + said


def _unsure(found: Found) -> str:
    about = found.get("unsure") or {}
    if not about.get("total"):
        return ""
    tone, said = score_text.unsure(about)
    return parts.note(said, tone)
