"""All figures of one set of prediction rows, with intervals that respect that a flight's objects go together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.errors import UserError
from core.metrics.alarms import AlarmCurves, alarms
from core.metrics.counts import balanced, by_label, class_names, confusion, macro_f1, ordered, portion, with_choice
from core.metrics.flights import ends, flight_counts, flights_of
from core.metrics.intervals import Interval, figure_intervals, share_interval
from core.metrics.probabilities import probabilistic
from core.records import Label, PredictionRow


def score(
    rows: Sequence[PredictionRow],
    labels: Sequence[str] = (),
    *,
    intervals: bool = True,
    false_alarm_rate: float = 0.1,
    alarming: Sequence[str] = (),
    curves_of: Callable[[PredictionRow], AlarmCurves | None] = lambda row: None,
) -> dict[str, Any]:
    """All figures of a set of prediction rows, as plain values for JSON.

    Right means that the whole class is right. macro_f1 is the mean F1, balanced_accuracy the mean recall over the
    classes that occur in the truth. Objects whose type allows one answer are told apart (`single_answer`; all others:
    `with_choice`), for they are right by themselves. Intervals are 95 %, over whole flights, and None of too few; the
    number of `flights`, the `lowest_flight` and the `highest_flight` ({flight, correct, total, accuracy}) stand beside.

    Args:
        rows: Each with image, flight, object_type, truth, predicted (conditions), truth_class, predicted_class, choices
            (how many answers the type allows) and, for what is said of probabilities, question, probabilities and
            perhaps calibrated.
        labels: The order of the confusion matrix; classes it lacks come after.
        intervals: False leaves intervals and all that is slow out.
        false_alarm_rate: See `alarms`.
        alarming: The conditions whose alarms are scored; without any there are no `alarms`.
        curves_of: See `alarms`.

    Raises:
        UserError: There is no row.
    """
    if not rows:
        raise UserError("no object was judged, so there is nothing to score", fix="Choose a split with objects.")
    names = ordered(class_names(rows), labels)
    counts = _class_counts(rows, names)
    conditions = ([str(row["truth"]) for row in rows], [str(row["predicted"]) for row in rows])
    asked = ordered((*conditions[0], *conditions[1]))
    types = ordered(str(row["object_type"]) for row in rows)
    of_type = {kind: [row for row in rows if str(row["object_type"]) == kind] for kind in types}
    open_rows = with_choice(rows)
    only = [row for row in rows if int(row["choices"]) <= 1]
    whole = _figures(rows, intervals)
    found = {
        "overall_accuracy": whole["accuracy"],
        "correct": whole["correct"],
        "total": whole["total"],
        **{key: value for key, value in whole.items() if key not in ("accuracy", "correct", "total")},
        "per_class": by_label(counts, names),
        "per_condition": by_label(confusion(*conditions, asked), asked),
        "per_object_type": {
            kind: {**portion(_right(mine), len(mine)), "macro_f1": macro_f1(_class_counts(mine, class_names(mine)))}
            for kind, mine in of_type.items()
        },
        "confusion": {"labels": list(names), "counts": counts.astype(int).tolist()},
        "with_choice": _figures(open_rows, intervals),
        "single_answer": {
            **portion(_right(only), len(only)),
            "types": list(ordered(str(row["object_type"]) for row in only)),
        },
    }
    if not intervals:
        return found
    groups: tuple[tuple[str, Label, Label], ...] = (
        ("per_class", "truth_class", "predicted_class"),
        ("per_condition", "truth", "predicted"),
    )
    for group, truth, answer in groups:
        for name, interval in _recall_intervals(rows, truth, answer).items():
            found[group][name]["recall_interval"] = interval
    more = {
        "probabilistic": probabilistic(rows),
        "probabilistic_calibrated": probabilistic(rows, "calibrated"),
        "alarms": alarms(rows, alarming, false_alarm_rate, curves_of) if alarming else None,
    }
    return {**found, **_by_flight(rows), **{key: value for key, value in more.items() if value is not None}}


def _figures(rows: Sequence[PredictionRow], intervals: bool) -> dict[str, Any]:
    """Accuracy, balanced accuracy and macro-F1, each with its interval; the figures are None where there is no row."""
    found: dict[str, Any] = portion(_right(rows), len(rows))
    if not rows:
        return found | {"balanced_accuracy": None, "macro_f1": None}
    names = class_names(rows)
    counts = _class_counts(rows, names)
    found |= {"balanced_accuracy": float(balanced(counts[None])[0]), "macro_f1": macro_f1(counts)}
    if intervals:
        reach = figure_intervals(flight_counts(rows, names, flights_of(rows)[0]))
        found |= {f"{name}_interval": interval for name, interval in reach.items()}
    return found


def _by_flight(rows: Sequence[PredictionRow]) -> dict[str, Any]:
    numbers, names = flights_of(rows)
    right = np.array([row["truth_class"] == row["predicted_class"] for row in rows])
    correct, total = np.bincount(numbers, weights=right), np.bincount(numbers)
    each = {name: portion(int(correct[at]), int(total[at])) for at, name in enumerate(names)}
    low, high = (
        {"flight": name, **each[name]} for name in ends({name: scores["accuracy"] for name, scores in each.items()})
    )
    return {"flights": len(names), "lowest_flight": low, "highest_flight": high}


def _recall_intervals(rows: Sequence[PredictionRow], truth: Label, answer: Label) -> dict[str, Interval | None]:
    """The interval of the recall of every label that is true or answered; None where no object is of it."""
    numbers, _ = flights_of(rows)
    truths, answers = (np.array([str(row[key]) for row in rows]) for key in (truth, answer))
    found: dict[str, Interval | None] = {}
    for name in {*truths.tolist(), *answers.tolist()}:
        mine = truths == name
        found[name] = share_interval(answers[mine] == name, numbers[mine])
    return found


def _class_counts(rows: Sequence[PredictionRow], names: Sequence[str]) -> Any:
    return confusion([str(row["truth_class"]) for row in rows], [str(row["predicted_class"]) for row in rows], names)


def _right(rows: Sequence[PredictionRow]) -> int:
    return sum(str(row["truth_class"]) == str(row["predicted_class"]) for row in rows)
