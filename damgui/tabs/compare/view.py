"""Two runs about the same objects: what changed, what that proves, and the objects behind it; and all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from core import metrics, units
from core.metrics.flights import NO_INTERVAL, TOO_FEW_FLIGHTS
from core.settings import FIELDS
from damgui import text
from damgui.charts import scores as score_charts
from damgui.charts import training as charts
from damgui.charts.scores import Dot
from damgui.components import html as parts
from damgui.components import photos as pictures
from damgui.scores import judged, results, scores
from damgui.scores import text as score_text
from damgui.scores.judged import JudgedRun
from damgui.scores.results import Row, ShownResults
from damgui.text import escape

Found = Mapping[str, Any]


def why_not(before: JudgedRun | None, after: JudgedRun | None) -> str:
    """Why these two cannot be compared; "" when they can."""
    if before is None or after is None:
        return score_text.PICK_HINT
    if before.id == after.id:
        return score_text.SAME_RUN
    return "" if before.objects == after.objects else score_text.NOT_COMPARABLE


@lru_cache(maxsize=16)
def compared(before: JudgedRun, after: JudgedRun) -> Found:
    """`core.metrics.compare` of two runs. Raises UserError when they did not judge the same objects."""
    return metrics.compare(before.shown.rows, after.shown.rows)


# -- The pair --------------------------------------------------------------------------------------------------------
def headline(before: JudgedRun, after: JudgedRun) -> str:
    """Both numbers, and their difference with what it proves."""
    old, new, found = before.found, after.found, compared(before, after)
    said = score_text.conclusion(found)
    gain = new["overall_accuracy"] - old["overall_accuracy"]
    ends = found["accuracy_change_interval"]
    span = f"95 % interval {units.points(ends[0])} to {units.points(ends[1])}" if ends else NO_INTERVAL
    cells = [
        _number(old, before, text.BEFORE if not before.tuned else score_text.BEFORE_RUN, "compare-before"),
        '<div class="dg-arrow" aria-hidden="true">→</div>',
        _number(new, after, text.AFTER if after.tuned else score_text.AFTER_RUN, "compare-after"),
        f'<div class="dg-gain dg-{said.tone or "even"}" id="compare-gain"><span class="dg-label">Accuracy</span>'
        f'<span class="dg-big">{units.points(gain)}<small>points</small></span>'
        f"<p>{escape(span)}</p></div>",
    ]
    words = (
        f'<div class="dg-verdictline dg-{said.tone or "even"}" id="compare-verdict">'
        f"<strong>{escape(said.title)}</strong>"
        f"<div><p>{escape(said.says)}</p><p>{escape(score_text.chance(found))}</p></div></div>"
    )
    return f'{words}<div class="dg-headline dg-versus">{"".join(cells)}</div>{_notes(before, after)}'


def _notes(before: JudgedRun, after: JudgedRun) -> str:
    flattered = after.tuned and after.split == "valid"
    said = parts.note(score_text.VALID_CHOSE) if flattered else ""
    if before.fingerprint != after.fingerprint:
        said += parts.note(score_text.OTHER_SURROUNDINGS, "warn")
    return said


def _number(found: Found, run: JudgedRun, label: str, elem_id: str) -> str:
    return (
        f'<div class="dg-score" id="{elem_id}"><div><span class="dg-label">{escape(label)}: {escape(run.name)}</span>'
        f'<span class="dg-big" data-accuracy="{found["overall_accuracy"]:.6f}">{100 * found["overall_accuracy"]:.1f}'
        f"<small>%</small></span><p>{found['correct']} of {found['total']} right · macro-F1 {found['macro_f1']:.2f}</p>"
        f"<p>{escape(parts.interval(found, 'accuracy_interval'))}</p></div></div>"
    )


def changes(found: Found) -> list[Dot]:
    """The differences in points with their intervals, as far as they were measured."""
    dots = []
    for key, label in score_text.CHANGES:
        ends = found.get(f"{key}_interval")
        if found.get(key) is not None:
            dots.append(Dot(label, 100 * found[key], (100 * ends[0], 100 * ends[1]) if ends else None))
    return dots


def change_chart(found: Found) -> str:
    return charts.to_json(score_charts.differences(changes(found)))


def turned(found: Found) -> str:
    """How many objects changed between right and wrong."""
    same = found["total"] - found["better"] - found["worse"]
    items = [
        parts.figure(f"{found[key]:,}", label, below)
        for key, label, below in (("better", *score_text.TURNED_RIGHT), ("worse", *score_text.TURNED_WRONG))
    ]
    counts = [*items, parts.figure(f"{same:,}", *score_text.TURNED_NOT)]
    return f'<div class="dg-turned">{parts.figures(counts)}</div>'


def gallery(before: ShownResults, after: ShownResults) -> str:
    """Objects that only one of the two judged right, with what both said and how sure they were."""
    known = {(row["image"], row["object"]): row for row in before.rows}
    pairs = [(known[key], row) for row in after.rows if (key := (row["image"], row["object"])) in known]
    fixed = [pair for pair in pairs if not results.right(pair[0]) and results.right(pair[1])]
    broken = [pair for pair in pairs if results.right(pair[0]) and not results.right(pair[1])]
    return _group(text.FIXED, fixed, text.NONE_FIXED, after) + _group(text.BROKEN, broken, text.NONE_BROKEN, after)


def _group(title: str, pairs: Sequence[tuple[Row, Row]], none: str, shown: ShownResults) -> str:
    cards = [
        results.card(
            shown.root,
            new,
            [
                ("Truth", new["truth"], ""),
                ("Before", old["predicted"], _sure(old)),
                ("After", new["predicted"], _sure(new)),
            ],
        )
        for old, new in sorted(pairs, key=lambda pair: -results.probability(pair[1]))[: results.PAGE]
    ]
    more = f"the surest {results.PAGE} of {len(pairs)}" if len(pairs) > results.PAGE else f"{len(pairs)}"
    body = pictures.gallery(cards) if cards else f'<p class="dg-small">{escape(none)}</p>'
    return parts.section(title, more) + body


def _sure(row: Row) -> str:
    """How probable the answer was, and how probable the truth when it was another one."""
    said = f"{100 * results.probability(row):.0f} %"
    return said if results.right(row) else f"{said}, truth {100 * results.probability(row, 'truth'):.0f} %"


# -- All runs --------------------------------------------------------------------------------------------------------
def runs_table(runs: Sequence[JudgedRun], before: JudgedRun | None, after: JudgedRun | None) -> str:
    """Every run with its scores and the settings that differ; runs about other objects than `before` are marked."""
    if not runs:
        return parts.empty(score_text.RUNS_NONE)
    paths = judged.differing([run.settings for run in runs])
    heads = [
        "Run",
        "Photos",
        text.ACCURACY,
        score_text.BALANCED,
        text.MACRO_F1,
        *(FIELDS[path].label for path in paths),
    ]
    rows = [_row(run, paths, before, after) for run in runs]
    told = f'<p class="dg-small">{escape(score_text.RUNS_SAYS)}</p>' if paths else ""
    return scores.table(heads, rows, "dg-runs") + told


def _row(run: JudgedRun, paths: Sequence[str], before: JudgedRun | None, after: JudgedRun | None) -> list[str]:
    found, tags = run.found, ""
    for one, word in ((before, score_text.BEFORE_RUN), (after, score_text.AFTER_RUN)):
        tags += f'<span class="dg-yours">{word}</span>' if one is not None and one.id == run.id else ""
    about = found.get("data") or {}
    other = before is not None and before.objects != run.objects
    mark = f'<small class="dg-apart">≠ {escape(score_text.OTHER_OBJECTS)}</small>' if other else ""
    data = f"{escape(text.SPLIT_WORDS.get(run.split, run.split))}<small>{about.get('photos', '–')} photos, "
    data += f"{found['total']} objects · {escape(run.fingerprint[:6] or '–')}</small>{mark}"
    taught = score_text.TUNED if run.tuned else score_text.UNTAUGHT
    name = f"{escape(run.name)} {tags}<small>{taught} · {run.when}</small>"
    f1 = f"{found['macro_f1']:.2f}<small>{escape(_plain(found))}</small>"
    shares = [_share(found, key) for key in ("overall_accuracy", "balanced_accuracy")]
    return [name, data, *shares, f1, *(_value(run.settings.get(path)) for path in paths)]


def _share(found: Found, key: str) -> str:
    if found.get(key) is None:
        return "–"
    ends = score_text.interval(found, f"{key.removeprefix('overall_')}_interval")
    return f"{units.percent(found[key])}<small>{escape(ends)}</small>"


def _plain(found: Found) -> str:
    ends = found.get("macro_f1_interval")
    return f"{ends[0]:.2f} – {ends[1]:.2f}" if ends else TOO_FEW_FLIGHTS if "macro_f1_interval" in found else ""


def _value(value: Any) -> str:
    """A setting as a reader knows it; a dash where it has no say."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    return escape(f"{value:g}" if isinstance(value, float) else str(value) or "–")
