"""Alarms: how many objects of a condition are found at a false alarm rate that was agreed beforehand.

A threshold is chosen on other photos than those it is scored on: on the calibration photos, or, where a model has none,
for each flight on the other flights. Chosen on the scored rows themselves it would overstate the recall on new photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from core.metrics.flights import flights_of
from core.metrics.intervals import share_interval
from core.metrics.probabilities import with_probabilities
from core.records import PredictionRow
from core.results import AlarmScore

# [[threshold, false alarm rate], …] of a condition, highest threshold first: the share of the other objects that reach
# it is at most the rate.
AlarmCurve = list[list[float]]
AlarmCurves = Mapping[str, AlarmCurve]
CURVE_POINTS = 200
ROUNDING = 1e-12
FROM_CALIBRATION, FROM_OTHER_FLIGHTS = "calibration", "other flights"


def alarms(
    rows: Sequence[PredictionRow],
    conditions: Sequence[str],
    false_alarm_rate: float,
    curves_of: Callable[[PredictionRow], AlarmCurves | None] = lambda row: None,
) -> dict[str, AlarmScore]:
    """Recall of each condition when at most `false_alarm_rate` of the other objects raise a false alarm.

    An object raises an alarm when the condition's probability reaches a threshold. Only objects count whose type allows
    the condition.

    Args:
        rows: Prediction rows with probabilities.
        conditions: The conditions that raise an alarm.
        false_alarm_rate: From 0 to 1: the share of the other objects that may raise a false alarm on the photos on
            which the threshold is chosen.
        curves_of: Called with a row, returns the alarm curves of the calibration of the model that gave it; None when
            that model has none.

    Returns:
        {condition: {threshold (the middle one where each flight has its own), threshold_from (`calibration` or
        `other flights`), false_alarm_rate and recall (reached with it), recall_interval (95 %, over flights, the
        threshold taken as given), positives, negatives, auc}}. The figures are None without positives or negatives,
        and where a threshold would have to be chosen on the rows that it scores: one flight has all negatives.
    """
    found: dict[str, AlarmScore] = {}
    for condition in conditions:
        pairs = [(row, _probability(row, condition, conditions)) for row in with_probabilities(rows)]
        scored = [(row, probability) for row, probability in pairs if probability is not None]
        chosen, values = [row for row, _ in scored], np.array([probability for _, probability in scored])
        found[condition] = _alarm(chosen, values, condition, false_alarm_rate, curves_of)
    return found


def alarm_curves(rows: Sequence[PredictionRow]) -> dict[str, AlarmCurve]:
    """The alarm curve of every condition that the objects of these rows, from calibration photos, may have."""
    conditions, found = _conditions(rows), {}
    for condition in conditions:
        others = [_probability(row, condition, conditions) for row in rows if row["truth"] != condition]
        found[condition] = alarm_curve(np.array([value for value in others if value is not None]), CURVE_POINTS)
    return found


def alarm_curve(others: np.ndarray, most: int = 0) -> AlarmCurve:
    """The false alarm rate of every threshold that makes a difference.

    Args:
        others: (N,) probabilities of the condition that objects of other conditions were given.
        most: Keep at most this many points, evenly spaced over the objects; 0 keeps all. Their rates stay exact.

    Returns:
        [[threshold, false alarm rate], …], highest threshold first, each threshold just above an object's probability;
        [] when there are no objects.
    """
    if not len(others):
        return []
    falling = np.sort(others)[::-1]
    places = np.arange(len(falling))
    if most and len(places) > most:
        places = np.unique(np.linspace(0, len(places) - 1, most).astype(int))
    return [[float(np.nextafter(falling[at], np.inf)), float((falling > falling[at]).mean())] for at in places]


def threshold_on(curve: AlarmCurve, false_alarm_rate: float) -> float:
    """The lowest threshold of a curve whose rate is at most `false_alarm_rate`; the curve must not be empty."""
    return min(threshold for threshold, rate in curve if rate <= false_alarm_rate + ROUNDING)


def lowest_threshold(others: np.ndarray, false_alarm_rate: float) -> float:
    """What `threshold_on` finds on the whole curve, without building it.

    It is much faster, which counts where each of thousands of flights needs a threshold of its own.

    Args:
        others: (N,) probabilities that objects of other conditions were given; at least one.
        false_alarm_rate: From 0 to below 1.
    """
    place = len(others) - 1 - int(false_alarm_rate * len(others) + ROUNDING)
    return float(np.nextafter(np.partition(others, place)[place], np.inf))


def _conditions(rows: Sequence[PredictionRow]) -> list[str]:
    """The conditions that the objects of these rows may have, in alphabetical order."""
    found: set[str] = set()
    for row in rows:
        kind = f"{row['object_type']} " if row.get("question") == "class" else ""
        found |= {answer.removeprefix(kind) for answer in row["probabilities"] if answer.startswith(kind)}
    return sorted(found)


def _probability(row: PredictionRow, condition: str, conditions: Sequence[str]) -> float | None:
    """The probability that an object is in a condition; None when its type does not allow it.

    For a class question it is summed over all classes of the condition. A class is of the longest condition that its
    name ends with (`badly damaged`, not `damaged`), among `conditions` and those of the object's own type.
    """
    shares: Mapping[str, float] = row["probabilities"]
    if row.get("question") != "class":
        return shares.get(condition)
    kind = f"{row['object_type']} "
    if f"{kind}{condition}" not in shares:
        return None
    known = (*conditions, *(answer.removeprefix(kind) for answer in shares if answer.startswith(kind)))
    longer = tuple(f" {other}" for other in known if other.endswith(f" {condition}"))
    return sum(
        value for answer, value in shares.items() if answer.endswith(f" {condition}") and not answer.endswith(longer)
    )


def _alarm(
    rows: Sequence[PredictionRow],
    probabilities: np.ndarray,
    condition: str,
    rate: float,
    curves_of: Callable[[PredictionRow], AlarmCurves | None],
) -> AlarmScore:
    truths = np.array([row["truth"] == condition for row in rows], dtype=bool)
    positives, negatives = int(truths.sum()), int((~truths).sum())
    found: AlarmScore = {
        "threshold": None,
        "threshold_from": None,
        "false_alarm_rate": None,
        "recall": None,
        "recall_interval": None,
        "auc": None,
        "positives": positives,
        "negatives": negatives,
    }
    if not positives or not negatives:
        return found
    from sklearn.metrics import roc_auc_score

    found["auc"] = float(roc_auc_score(truths, probabilities))
    numbers, flights = flights_of(rows)
    curves = [(curves_of(row) or {}).get(condition) for row in rows]
    if all(curves):
        of = {id(curve): threshold_on(curve, rate) for curve in curves if curve}
        thresholds = np.array([of[id(curve)] for curve in curves])
    else:
        others = [probabilities[~truths & (numbers != flight)] for flight in range(len(flights))]
        if not all(map(len, others)):
            return found
        thresholds = np.array([lowest_threshold(other, rate) for other in others])[numbers]
    raised = probabilities >= thresholds
    return found | {
        "threshold": float(np.median(np.unique(thresholds))),
        "threshold_from": FROM_CALIBRATION if all(curves) else FROM_OTHER_FLIGHTS,
        "false_alarm_rate": float(raised[~truths].mean()),
        "recall": float(raised[truths].mean()),
        "recall_interval": share_interval(raised[truths], numbers[truths]),
    }
