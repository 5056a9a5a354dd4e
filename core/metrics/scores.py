"""All scores of one set of prediction rows, with intervals that take a flight's objects as dependent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from core.errors import UserError
from core.metrics.alarms import AlarmCurves, alarms
from core.metrics.counts import balanced, by_label, class_names, confusion, macro_f1, ordered, portion, with_choice
from core.metrics.flights import ends, flight_counts, flights_of
from core.metrics.intervals import score_intervals, share_interval
from core.metrics.probabilities import probabilistic
from core.records import LabelKey, PredictionRow
from core.results import FlightScore, Interval, MainIntervals, Results, SubsetScores


def score(
    rows: Sequence[PredictionRow],
    labels: Sequence[str] = (),
    *,
    intervals: bool = True,
    false_alarm_rate: float = 0.1,
    alarming: Sequence[str] = (),
    curves_of: Callable[[PredictionRow], AlarmCurves | None] = lambda row: None,
) -> Results:
    """All scores of a set of prediction rows, as plain values for JSON.

    An answer is right when the whole class is right. macro_f1 is the mean F1, balanced_accuracy the mean recall over
    the classes that occur in the truth. Objects whose type allows a single answer are always right; they are scored
    apart as `single_answer`, all others as `with_choice`. Intervals are 95 %, over whole flights, and None of too few.

    Args:
        rows: Each with image, flight, object_type, truth, predicted (conditions), truth_class, predicted_class, choices
            (how many answers the type allows) and, for scores of probabilities, question, probabilities and
            perhaps calibrated.
        labels: Class names in the order of the confusion matrix; other classes that occur come after them.
        intervals: False leaves out intervals and everything else that is slow.
        false_alarm_rate: See `core.metrics.alarms.alarms`.
        alarming: The conditions that raise an alarm; without any there are no `alarms`.
        curves_of: See `core.metrics.alarms.alarms`.

    Returns:
        The scores. With `intervals` also the number of `flights`, the `lowest_flight` and the `highest_flight`.

    Raises:
        UserError: There is no row.
    """
    if not rows:
        raise UserError("no object was judged, so there is nothing to score", fix="Choose a split with objects.")
    names = ordered(class_names(rows), labels)
    counts = _class_counts(rows, names)
    conditions = ([str(row["truth"]) for row in rows], [str(row["predicted"]) for row in rows])
    condition_names = ordered((*conditions[0], *conditions[1]))
    types = ordered(str(row["object_type"]) for row in rows)
    of_type = {kind: [row for row in rows if str(row["object_type"]) == kind] for kind in types}
    open_rows = with_choice(rows)
    only = [row for row in rows if int(row["choices"]) <= 1]
    per_class = by_label(counts, names)
    per_condition = by_label(confusion(*conditions, condition_names), condition_names)
    if intervals:
        for name, interval in _recall_intervals(rows, "truth_class", "predicted_class").items():
            per_class[name]["recall_interval"] = interval
        for name, interval in _recall_intervals(rows, "truth", "predicted").items():
            per_condition[name]["recall_interval"] = interval
    balanced_accuracy, mean_f1 = _main_scores(rows)
    found: Results = {
        "overall_accuracy": _right(rows) / len(rows),
        "correct": _right(rows),
        "total": len(rows),
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": mean_f1,
    }
    if intervals:
        _add_main_intervals(found, rows)
    found["per_class"], found["per_condition"] = per_class, per_condition
    found["per_object_type"] = {
        kind: {**portion(_right(mine), len(mine)), "macro_f1": macro_f1(_class_counts(mine, class_names(mine)))}
        for kind, mine in of_type.items()
    }
    found["confusion"] = {"labels": list(names), "counts": counts.astype(int).tolist()}
    found["with_choice"] = _subset_scores(open_rows, intervals)
    found["single_answer"] = {
        **portion(_right(only), len(only)),
        "types": list(ordered(str(row["object_type"]) for row in only)),
    }
    if not intervals:
        return found
    found["flights"], found["lowest_flight"], found["highest_flight"] = _by_flight(rows)
    if (raw := probabilistic(rows)) is not None:
        found["probabilistic"] = raw
    if (calibrated := probabilistic(rows, "calibrated")) is not None:
        found["probabilistic_calibrated"] = calibrated
    if alarming:
        found["alarms"] = alarms(rows, alarming, false_alarm_rate, curves_of)
    return found


def _subset_scores(rows: Sequence[PredictionRow], intervals: bool) -> SubsetScores:
    """Accuracy, balanced accuracy and macro-F1, each with its interval; the scores are None when there is no row."""
    if not rows:
        return {"correct": 0, "total": 0, "accuracy": None, "balanced_accuracy": None, "macro_f1": None}
    balanced_accuracy, mean_f1 = _main_scores(rows)
    right = _right(rows)
    found: SubsetScores = {
        "correct": right,
        "total": len(rows),
        "accuracy": right / len(rows),
        "balanced_accuracy": balanced_accuracy,
        "macro_f1": mean_f1,
    }
    if intervals:
        _add_main_intervals(found, rows)
    return found


def _main_scores(rows: Sequence[PredictionRow]) -> tuple[float, float]:
    """(balanced accuracy, macro-F1)."""
    counts = _class_counts(rows, class_names(rows))
    return float(balanced(counts[None])[0]), macro_f1(counts)


def _add_main_intervals(found: MainIntervals, rows: Sequence[PredictionRow]) -> None:
    """Write the intervals of the main scores into their record."""
    interval_of = score_intervals(flight_counts(rows, class_names(rows), flights_of(rows)[0]))
    found["accuracy_interval"] = interval_of["accuracy"]
    found["macro_f1_interval"] = interval_of["macro_f1"]
    found["balanced_accuracy_interval"] = interval_of["balanced_accuracy"]


def _by_flight(rows: Sequence[PredictionRow]) -> tuple[int, FlightScore, FlightScore]:
    """The number of flights, and the one with the lowest and the one with the highest accuracy."""
    numbers, names = flights_of(rows)
    right = np.array([row["truth_class"] == row["predicted_class"] for row in rows])
    correct, total = np.bincount(numbers, weights=right), np.bincount(numbers)
    each: dict[str, FlightScore] = {
        name: {"flight": name, **portion(int(correct[at]), int(total[at]))} for at, name in enumerate(names)
    }
    low, high = ends(dict(zip(names, (correct / total).tolist(), strict=True)))
    return len(names), each[low], each[high]


def _recall_intervals(rows: Sequence[PredictionRow], truth: LabelKey, answer: LabelKey) -> dict[str, Interval | None]:
    """The interval of the recall of every label that is true or answered; None when no object has this label."""
    numbers, _ = flights_of(rows)
    truths, answers = (np.array([str(row[key]) for row in rows]) for key in (truth, answer))
    found: dict[str, Interval | None] = {}
    for name in {*truths.tolist(), *answers.tolist()}:
        mine = truths == name
        found[name] = share_interval(answers[mine] == name, numbers[mine])
    return found


def _class_counts(rows: Sequence[PredictionRow], names: Sequence[str]) -> np.ndarray:
    return confusion([str(row["truth_class"]) for row in rows], [str(row["predicted_class"]) for row in rows], names)


def _right(rows: Sequence[PredictionRow]) -> int:
    return sum(str(row["truth_class"]) == str(row["predicted_class"]) for row in rows)
