"""Whether one set of answers is better than another about the same objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import UserError
from core.metrics.counts import Row, by_photo, class_names
from core.metrics.resampling import HIGH, LOW, resampled, weights

BETTER, WORSE, UNCLEAR = "better", "worse", "no clear difference"
FEW_PHOTOS = 10  # an interval drawn from fewer photos is narrower than the truth: of one photo it has no width at all


def compare(before: Sequence[Row], after: Sequence[Row], seed: int = 0) -> dict[str, Any]:
    """What changed from one set of answers to another about the same objects.

    {better, worse (objects that turned right, wrong), total; accuracy_change, macro_f1_change and
    balanced_accuracy_change, each with …_interval (95 %, paired bootstrap over photos); p_value (exact McNemar: chance
    of so uneven a change if both were equally good); verdict}. The verdict is `better` or `worse` only where the
    interval of the macro-F1 change leaves 0 out and FEW_PHOTOS were judged, else `no clear difference`. Raises
    UserError when the two are not about the same objects.
    """
    keys = [[(str(row["image"]), int(row["object"])) for row in rows] for rows in (before, after)]
    if not before or sorted(keys[0]) != sorted(keys[1]) or len(set(keys[0])) != len(keys[0]):
        raise UserError("the two results are not about the same objects", fix="Evaluate both on the same split.")
    found = dict(zip(keys[1], after, strict=True))
    paired = [found[key] for key in keys[0]]
    right = np.array([[row["truth_class"] == row["predicted_class"] for row in rows] for rows in (before, paired)])
    better, worse = int((~right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum())
    names = class_names((*before, *paired))
    sides = (by_photo(before, names), by_photo(paired, names))
    change = np.diff([resampled(side, np.ones((1, len(side))))[0] for side in sides], axis=0)[0]
    draws = [resampled(sides[1], w) - resampled(sides[0], w) for w in weights(len(sides[0]), seed)]
    low, high = np.percentile(np.concatenate(draws), [LOW, HIGH], axis=0)
    figures: dict[str, Any] = {}
    for place, name in enumerate(("accuracy", "macro_f1", "balanced_accuracy")):
        figures[f"{name}_change"] = float(change[place])
        figures[f"{name}_change_interval"] = [float(low[place]), float(high[place])]
    return {
        "better": better,
        "worse": worse,
        "total": len(before),
        **figures,
        "p_value": mcnemar(better, worse),
        "verdict": verdict(figures["macro_f1_change_interval"], len(sides[0])),
    }


def verdict(interval: Sequence[float], photos: int = FEW_PHOTOS) -> str:
    """What the interval of a difference, drawn from so many photos, allows to say."""
    low, high = interval
    if photos < FEW_PHOTOS:
        return UNCLEAR
    return BETTER if low > 0 else WORSE if high < 0 else UNCLEAR


def mcnemar(better: int, worse: int) -> float:
    """Two-sided exact McNemar test (McNemar 1947): the binomial chance of a split at least this uneven between
    equals."""
    if better + worse == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(better, better + worse, 0.5).pvalue)
