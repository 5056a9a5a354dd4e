"""The flights of prediction rows, and how many of them a statement needs.

Frames of a flight are neighbours and tend to be judged alike, so the uncertainty of a score depends on the number of
flights, not on the number of photos or objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from re import Pattern

import numpy as np

from core.data.flights import compile_rule, group_of
from core.records import PredictionRow
from core.settings import DataSettings

# With three, Student's t reaches 4.3 standard errors to either side: an interval of nearly everything.
LEAST_FLIGHTS = 4
# Fewer than ten leave a test that flips their signs too few steps for a p-value (of five the smallest is 1/16), and a
# reader can check each: the lowest and the highest flight are reported.
FEW_FLIGHTS = 10
TOO_FEW_FLIGHTS = "too few flights"
NO_INTERVAL = f"no interval: {TOO_FEW_FLIGHTS}"


@cache
def _rule(group_rule: str | None) -> Pattern[str] | None:
    return compile_rule(DataSettings().group_rule if group_rule is None else group_rule)


def flight_of(row: PredictionRow, group_rule: str | None = None) -> str:
    """The flight of a prediction row, from the photo's name in rows of older versions, which lack it.

    `group_rule` is the run's `data.group_rule`; None means the default.
    """
    return str(row.get("flight") or group_of(str(row["image"]), _rule(group_rule)))


def with_flights(rows: Iterable[PredictionRow], group_rule: str | None = None) -> list[PredictionRow]:
    """Copies of the rows with `flight` filled in; `group_rule` as for `flight_of`."""
    return [{**row, "flight": flight_of(row, group_rule)} for row in rows]


def flights_of(rows: Sequence[PredictionRow]) -> tuple[np.ndarray, tuple[str, ...]]:
    """((N,) int number of each row's flight, names of the flights by these numbers: in alphabetical order)."""
    each = [flight_of(row) for row in rows]
    names = tuple(sorted(set(each)))
    place = {name: number for number, name in enumerate(names)}
    return np.array([place[name] for name in each], dtype=int), names


def flight_counts(rows: Sequence[PredictionRow], names: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    """Confusion counts of each flight.

    Args:
        rows: N prediction rows; at least one.
        names: The K class names.
        numbers: (N,) int number of each row's flight, as from `flights_of`.

    Returns:
        (F, K, K) float64 counts, rows the truth, columns the answer.
    """
    place = {name: index for index, name in enumerate(names)}
    truths, answers = (np.array([place[str(row[key])] for row in rows]) for key in ("truth_class", "predicted_class"))
    counts = np.zeros((int(numbers.max()) + 1, len(names), len(names)))
    np.add.at(counts, (numbers, truths, answers), 1)
    return counts


def ends(values: Mapping[str, float]) -> tuple[str, str]:
    """The names of the flights with the lowest and the highest value."""
    return min(values, key=lambda name: values[name]), max(values, key=lambda name: values[name])
