"""Whether one set of answers is better than another about the same objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.errors import UserError
from core.metrics.counts import class_names
from core.metrics.flights import FEW_FLIGHTS, TOO_FEW_FLIGHTS, ends, flight_counts, flights_of
from core.metrics.intervals import METRICS, difference_intervals, main_scores, sign_flip
from core.records import PredictionRow
from core.results import Comparison, FlightChange, Interval

BETTER, WORSE, UNCLEAR = "better", "worse", "no clear difference"


def compare(before: Sequence[PredictionRow], after: Sequence[PredictionRow]) -> Comparison:
    """Compare two sets of answers about the same objects.

    Args:
        before: Prediction rows of one set, in any order.
        after: Prediction rows of the other set, in any order.

    Returns:
        {better, worse (objects that turned right, wrong), total; accuracy_change, macro_f1_change and
        balanced_accuracy_change (after minus before), each with …_interval (95 %, over whole flights; None of too few);
        flights (their number), lowest_flight and highest_flight ({flight, accuracy_change, total}); p_value (exact,
        signs flipped by flight: the chance of so uneven a change if both were equally good; None under FEW_FLIGHTS
        flights); verdict}.
        The verdict is by the interval of the macro-F1 change: `better` or `worse` where it leaves 0 out, else
        `no clear difference`; without an interval `too few flights`.

    Raises:
        UserError: The two are not about the same objects.
    """
    keys = [[(str(row["image"]), int(row["object"])) for row in rows] for rows in (before, after)]
    if not before or sorted(keys[0]) != sorted(keys[1]) or len(set(keys[0])) != len(keys[0]):
        raise UserError("the two results are not about the same objects", fix="Evaluate both on the same split.")
    found = dict(zip(keys[1], after, strict=True))
    paired = [found[key] for key in keys[0]]
    # Rows of older versions lack a flight and take that of the other side, which knows what was joined to one flight.
    numbers, names = flights_of(
        [
            {**old, "flight": old.get("flight") or new.get("flight") or ""}
            for old, new in zip(before, paired, strict=True)
        ]
    )
    classes = class_names((*before, *paired))
    sides = flight_counts(before, classes, numbers), flight_counts(paired, classes, numbers)
    was, now = (np.array([row["truth_class"] == row["predicted_class"] for row in rows]) for rows in (before, paired))
    turned = np.bincount(numbers, weights=now.astype(int) - was.astype(int))
    change = dict(
        zip(METRICS, (main_scores(sides[1].sum(axis=0)) - main_scores(sides[0].sum(axis=0))).tolist(), strict=True)
    )
    intervals = difference_intervals(*sides)
    low, high = _ends(names, turned, np.bincount(numbers))
    return {
        "better": int((~was & now).sum()),
        "worse": int((was & ~now).sum()),
        "total": len(before),
        "accuracy_change": change["accuracy"],
        "accuracy_change_interval": intervals["accuracy"],
        "macro_f1_change": change["macro_f1"],
        "macro_f1_change_interval": intervals["macro_f1"],
        "balanced_accuracy_change": change["balanced_accuracy"],
        "balanced_accuracy_change_interval": intervals["balanced_accuracy"],
        "flights": len(names),
        "lowest_flight": low,
        "highest_flight": high,
        "p_value": sign_flip(turned) if len(names) >= FEW_FLIGHTS else None,
        "verdict": outcome(intervals["macro_f1"]),
    }


def _ends(names: Sequence[str], turned: np.ndarray, totals: np.ndarray) -> tuple[FlightChange, FlightChange]:
    """The flights whose accuracy fell most and rose most."""
    change = dict(zip(names, (turned / totals).tolist(), strict=True))
    total = dict(zip(names, totals.tolist(), strict=True))
    each: dict[str, FlightChange] = {
        name: {"flight": name, "accuracy_change": change[name], "total": int(total[name])} for name in ends(change)
    }
    low, high = ends(change)
    return each[low], each[high]


def outcome(interval: Interval | None) -> str:
    """BETTER, WORSE or UNCLEAR by whether the interval of a difference excludes 0; TOO_FEW_FLIGHTS without one."""
    if interval is None:
        return TOO_FEW_FLIGHTS
    return BETTER if interval[0] > 0 else WORSE if interval[1] < 0 else UNCLEAR
