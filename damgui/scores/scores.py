"""One set of scores in words and tables: pure functions of a results file. What an older file lacks is not shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from core import units
from core.metrics import verdict
from core.metrics.reference_points import PRIOR, label_of, references_of
from core.report.sentences import missing_references, split_note, taken_over
from core.results import LabelScore, Probabilistic, Results
from core.taxonomy import Taxonomy
from damgui import text
from damgui.charts.base import to_json
from damgui.charts.scores import ForestRow, forest, reliability
from damgui.components import html
from damgui.markup import TEMPLATES
from damgui.scores import sentences
from damgui.scores.results import ShownResults

_SCORES = TEMPLATES.macros("scores.html")


def headline(shown: ShownResults) -> Markup:
    """The big number with its interval, the few that put it into place, and what flatters it."""
    found = shown.results
    known = taken_over(found)
    took = f"took {units.duration(found['seconds'])}" if found.get("seconds") is not None and not known else ""
    model_line = " · ".join(filter(None, [str((found.get("model") or {}).get("path", "")), took]))
    interval = html.interval(found, "accuracy_interval")
    caveats = [known, sentences.by_flight(found), sentences.single_answers(found)]
    return _SCORES.headline(
        found,
        verdict.of_score(found),
        interval,
        model_line,
        _small_figures(found),
        filter(None, caveats),
        warnings(found),
    )


def _small_figures(found: Results) -> list[Markup]:
    small = []
    if found.get("balanced_accuracy") is not None:
        ends = html.interval(found, "balanced_accuracy_interval") or sentences.BALANCED_HINT
        small.append(html.figure(units.percent(found["balanced_accuracy"]), sentences.BALANCED, ends))
    ends = html.score_interval(found, "macro_f1_interval") or sentences.MACRO_F1_HINT
    small.append(html.figure(units.decimal(found["macro_f1"]), text.MACRO_F1, ends))
    choice, guessing = found.get("with_choice"), references_of(found).get(PRIOR)
    if choice and choice.get("total"):
        below = html.interval(choice, "accuracy_interval") or f"{choice['correct']} of {choice['total']} objects"
        small.append(html.figure(units.share(choice["accuracy"]), sentences.CHOICE, below))
    if guessing and guessing["accuracy"] is not None:
        small.append(html.figure(units.percent(guessing["accuracy"]), sentences.GUESSING, sentences.GUESSING_HINT))
    return small


def warnings(found: Results) -> Markup:
    """What makes these numbers doubtful."""
    warned = found.get("reference_warnings", [verdict.simpler_warning(found)]) or ()
    stated = [*split_note(found), *missing_references(found), *(warning for warning in warned if warning)]
    return html.joined(html.note(str(warning), "warn") for warning in stated)


# -- What it must beat -----------------------------------------------------------------------------------------------
def reference_chart(found: Results) -> str | None:
    """The model and each reference on one axis for accuracy and one for macro-F1; None when there is no reference."""
    known = references_of(found)
    if not known:
        return None
    own = {
        "label": sentences.THIS_MODEL,
        "accuracy": found["overall_accuracy"],
        "macro_f1": found["macro_f1"],
        "accuracy_interval": found.get("accuracy_interval"),
        "macro_f1_interval": found.get("macro_f1_interval"),
    }
    panels = []
    for title, key in ((f"{text.ACCURACY} (%)", "accuracy"), (f"{text.MACRO_F1} (%)", "macro_f1")):
        measured = [(name, about) for name, about in {"": own, **known}.items() if about.get(key) is not None]
        panels.append((title, [_dot(about, name, key) for name, about in measured]))
    return to_json(forest(panels))


def _dot(about: Mapping[str, Any], name: str, key: str) -> ForestRow:
    ends = about.get(f"{key}_interval")
    span = (100 * ends[0], 100 * ends[1]) if ends else None
    return ForestRow(str(about.get("label") or label_of(name)), 100 * about[key], span, own=not name)


def reference_words(found: Results) -> str:
    """A sentence for every reference point: the result's own, which also tells what was left out."""
    known = references_of(found)
    named = [(str(about.get("label") or label_of(name)), str(about.get("note") or "")) for name, about in known.items()]
    return _SCORES.references(sentences.MUST_BEAT_HINT, named) if named else ""


# -- Alarms ----------------------------------------------------------------------------------------------------------
def alarms(found: Results, taxonomy: Taxonomy) -> str:
    """What share of the objects in each alarming condition is found at the tolerated false alarms; "" when unknown."""
    judging = (found.get("settings") or {}).get("judging") or {}
    tolerated = float(judging.get("false_alarm_rate") or 0.1)
    rows = []
    for condition, about in ((name, about or {}) for name, about in (found.get("alarms") or {}).items()):
        recall = about.get("recall")
        span = html.interval(about, "recall_interval") if recall is not None else ""
        rows.append(
            (taxonomy.condition(condition), units.share(recall, 0), sentences.alarm(condition, about, tolerated), span)
        )
    return _SCORES.alarms(rows) if rows else ""


# -- Tables ----------------------------------------------------------------------------------------------------------
def class_table(
    scores: Mapping[str, LabelScore], taxonomy: Taxonomy, order: Sequence[str] = (), title: str = "Class"
) -> Markup:
    """Support, recall with interval, precision and F1, a row for every class that occurs or was answered."""
    rows = []
    for name in [key for key in (order or scores) if key in scores]:
        about = scores[name]
        recall = units.share(about.get("recall", about.get("accuracy")), 0)
        rows.append(
            [
                taxonomy.shown_class(name),
                units.count(about.get("total", 0)),
                html.cell(recall, sentences.interval(about, "recall_interval") if about.get("total") else ""),
                units.share(about.get("precision"), 0),
                units.decimal(about.get("f1")),
            ]
        )
    return html.table([title, "Support", "Recall", "Precision", "F1"], rows)


def type_table(found: Results) -> str:
    """Right answers and macro-F1 for every object type; "" when the file does not tell them."""
    rows = [
        [
            name,
            units.count(about["total"]),
            units.count(about["correct"]),
            units.share(about["accuracy"], 0),
            units.decimal(about.get("macro_f1")),
        ]
        for name, about in (found.get("per_object_type") or {}).items()
    ]
    return html.table(["Object type", "Objects", "Right", text.ACCURACY, text.MACRO_F1], rows) if rows else ""


def group_tables(found: Results, taxonomy: Taxonomy) -> Markup:
    """By object type beside by condition."""
    per_condition = found.get("per_condition") or {}
    order = [name for name in taxonomy.conditions if name in per_condition] or list(per_condition)
    conditions = class_table(per_condition, taxonomy, order, title="Condition")
    return _SCORES.side_by_side(type_table(found), conditions)


# -- How sure may one be ---------------------------------------------------------------------------------------------
def sides(found: Results) -> list[tuple[str, Probabilistic]]:
    """The measured probabilities: raw, and calibrated where the model has a calibration."""
    both = (
        (sentences.RAW, found.get("probabilistic")),
        (sentences.CALIBRATED, found.get("probabilistic_calibrated")),
    )
    return [(label, about) for label, about in both if about and about.get("total")]


def reliability_chart(found: Results) -> str | None:
    known = sides(found)
    return to_json(reliability(known)) if known else None


def sureness(found: Results) -> str:
    """Log-loss, Brier and calibration error explained, raw beside calibrated, and how many answers are unsure."""
    known = sides(found)
    if not known:
        return ""
    rows = [
        [html.cell(name, hint), *(units.decimal(about.get(key), 3) for _, about in known)]
        for key, name, hint in sentences.SURENESS
    ]
    pieces = [html.table(["", *(label for label, _ in known)], rows, "dg-sure"), _unsure(found)]
    pieces.append(html.small(sentences.RELIABILITY_HINT))
    if len(known) > 1:
        pieces.append(html.small(sentences.CALIBRATED_HINT))
    return html.joined(pieces)


def _unsure(found: Results) -> str:
    about = found.get("unsure") or {}
    if not about.get("total"):
        return ""
    tone, sentence = sentences.unsure(about)
    return html.note(sentence, tone)
