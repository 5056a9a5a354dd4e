"""Two runs about the same objects: what changed, what that proves, and the objects behind it; and all runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from core import metrics, units
from core.metrics import verdict
from core.metrics.flights import NO_INTERVAL
from core.records import PredictionRow
from core.report.answers import shown_condition
from core.report.sentences import taken_over
from core.results import Comparison
from core.settings import FIELDS, words_of
from damgui import text
from damgui.charts.base import to_json
from damgui.charts.scores import ForestRow, differences
from damgui.components import html
from damgui.components.photos import gallery as photo_gallery
from damgui.markup import TEMPLATES
from damgui.scores import evaluations, results, sentences
from damgui.scores.evaluations import EvaluatedRun
from damgui.scores.results import ShownResults

_COMPARE = TEMPLATES.macros("compare.html")


def why_not(before: EvaluatedRun | None, after: EvaluatedRun | None) -> str:
    """Why these two cannot be compared; "" when they can."""
    if before is None or after is None:
        return sentences.PICK_HINT
    if before.id == after.id:
        return sentences.SAME_RUN
    return "" if before.objects == after.objects else sentences.NOT_COMPARABLE


@lru_cache(maxsize=16)
def compared(before: EvaluatedRun, after: EvaluatedRun) -> Comparison:
    """`core.metrics.compare` of two runs. Raises UserError when they did not judge the same objects."""
    return metrics.compare(before.shown.rows, after.shown.rows)


# -- The pair --------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Gain:
    """The difference of accuracy with its interval, in points, as it is written."""

    points: str
    interval: str


def headline(before: EvaluatedRun, after: EvaluatedRun) -> Markup:
    """Both numbers, and their difference with what it proves."""
    found = compared(before, after)
    ends = found["accuracy_change_interval"]
    span = f"95 % interval {units.points(ends[0])} to {units.points(ends[1])}" if ends else NO_INTERVAL
    gain = after.found["overall_accuracy"] - before.found["overall_accuracy"]
    return _COMPARE.headline(
        verdict.of_difference(found, after.found),
        sentences.chance(found),
        _number(before, text.BEFORE if not before.tuned else sentences.BEFORE_RUN, "compare-before"),
        _number(after, text.AFTER if after.tuned else sentences.AFTER_RUN, "compare-after"),
        Gain(units.points(gain), span),
    ) + _notes(before, after)


def _notes(before: EvaluatedRun, after: EvaluatedRun) -> Markup:
    notes = []
    if after.tuned and after.split == "valid":
        notes.append(html.note(sentences.VALID_CHOSE))
    known = [(run.name, taken_over(run.found)) for run in (before, after)]
    notes += [html.note(f"{name}: {sentence}") for name, sentence in known if sentence]
    if before.fingerprint != after.fingerprint:
        notes.append(html.note(sentences.OTHER_SURROUNDINGS, "warn"))
    return html.joined(notes)


def _number(run: EvaluatedRun, label: str, elem_id: str) -> Markup:
    return _COMPARE.number(run, html.interval(run.found, "accuracy_interval"), label, elem_id)


def changes(found: Mapping[str, Any]) -> list[ForestRow]:
    """The differences in points with their intervals, as far as they were measured."""
    dots = []
    for key, label in sentences.CHANGES:
        ends = found.get(f"{key}_interval")
        if found.get(key) is not None:
            dots.append(ForestRow(label, 100 * found[key], (100 * ends[0], 100 * ends[1]) if ends else None))
    return dots


def change_chart(found: Comparison) -> str:
    return to_json(differences(changes(found)))


def turned(found: Comparison) -> Markup:
    """How many objects changed between right and wrong."""
    same = found["total"] - found["better"] - found["worse"]
    counts = (
        (found["better"], *sentences.TURNED_RIGHT),
        (found["worse"], *sentences.TURNED_WRONG),
        (same, *sentences.TURNED_NOT),
    )
    return _COMPARE.turned([html.figure(units.count(number), label, below) for number, label, below in counts])


def gallery(before: ShownResults, after: ShownResults) -> Markup:
    """Objects that only one of the two judged right, with what both said and how sure they were."""
    known = {(row["image"], row["object"]): row for row in before.rows}
    pairs = [(known[key], row) for row in after.rows if (key := (row["image"], row["object"])) in known]
    fixed = [pair for pair in pairs if not results.right(pair[0]) and results.right(pair[1])]
    broken = [pair for pair in pairs if results.right(pair[0]) and not results.right(pair[1])]
    return _group(text.FIXED, fixed, text.NONE_FIXED, after) + _group(text.BROKEN, broken, text.NONE_BROKEN, after)


def _group(title: str, pairs: Sequence[tuple[PredictionRow, PredictionRow]], none: str, shown: ShownResults) -> Markup:
    cards = [
        results.card(
            shown.root,
            new,
            [
                ("Truth", shown_condition(new, shown.taxonomy, "truth"), ""),
                ("Before", shown_condition(old, shown.taxonomy), _sure(old)),
                ("After", shown_condition(new, shown.taxonomy), _sure(new)),
            ],
        )
        for old, new in sorted(pairs, key=lambda pair: -results.probability(pair[1]))[: results.PAGE]
    ]
    more = f"the surest {results.PAGE} of {len(pairs)}" if len(pairs) > results.PAGE else f"{len(pairs)}"
    body = photo_gallery(cards) if cards else html.small(none)
    return html.section(title, more) + body


def _sure(row: PredictionRow) -> str:
    """How probable the answer was, and how probable the truth when it was another one."""
    sure = units.percent(results.probability(row), 0)
    return sure if results.right(row) else f"{sure}, truth {units.percent(results.probability(row, 'truth'), 0)}"


# -- All runs --------------------------------------------------------------------------------------------------------
def runs_table(runs: Sequence[EvaluatedRun], before: EvaluatedRun | None, after: EvaluatedRun | None) -> Markup:
    """Every run with its scores and the settings that differ; runs about other objects than `before` are marked."""
    if not runs:
        return html.empty(sentences.RUNS_NONE)
    paths = evaluations.differing([run.settings for run in runs])
    heads = [
        "Run",
        "Photos",
        text.ACCURACY,
        sentences.BALANCED,
        text.MACRO_F1,
        *(FIELDS[path].label for path in paths),
    ]
    rows = [_row(run, paths, before, after) for run in runs]
    hint = html.small(sentences.RUNS_HINT) if paths else Markup("")
    return html.table(heads, rows, "dg-runs") + hint


def _row(run: EvaluatedRun, paths: Sequence[str], before: EvaluatedRun | None, after: EvaluatedRun | None) -> list[str]:
    found = run.found
    chosen = ((before, sentences.BEFORE_RUN), (after, sentences.AFTER_RUN))
    places = [word for chosen_run, word in chosen if chosen_run is not None and chosen_run.id == run.id]
    data = _COMPARE.run_data(
        text.split_name(run.split),
        (found.get("data") or {}).get("photos", "–"),
        found["total"],
        run.fingerprint[:6] or "–",
        sentences.OTHER_OBJECTS if before is not None and before.objects != run.objects else "",
    )
    return [
        _COMPARE.run_name(run, places, sentences.TUNED if run.tuned else sentences.BASE),
        data,
        *(_share(found, key) for key in ("overall_accuracy", "balanced_accuracy")),
        html.cell(units.decimal(found["macro_f1"]), sentences.score_interval(found, "macro_f1_interval")),
        *(_value(run.settings.get(path)) for path in paths),
    ]


def _share(found: Mapping[str, Any], key: str) -> Markup:
    ends = sentences.interval(found, f"{key.removeprefix('overall_')}_interval")
    return html.cell(units.share(found.get(key)), ends if found.get(key) is not None else "")


def _value(value: Any) -> str:
    """A setting as a reader knows it; a dash where it has no say."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, dict):
        return words_of(value) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"
