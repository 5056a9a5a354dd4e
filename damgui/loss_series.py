"""The loss of a training as a chart needs it: smoothed, as few points as a chart is wide, and what is new of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

SMOOTHING = 0.9  # share of the old value in the running mean of the training loss
MAX_POINTS = 1500  # more than the pixels of a wide chart; with more steps, the lowest and the highest of each few stay
INITIAL_CAPACITY = 1024


@dataclass(frozen=True)
class LossCurve:
    """Steps in ascending order with the loss as measured and smoothed; NaN where it was not finite. All (steps,)."""

    steps: Indices
    raw: Numbers
    smoothed: Numbers

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def top(self) -> float:
        """The highest loss; 0 when there is none."""
        finite = self.raw[np.isfinite(self.raw)]
        return float(finite.max()) if len(finite) else 0.0


class LossSeries:
    """The loss of a log that grows. A step that comes again, after a resume, takes back those from it on."""

    def __init__(self) -> None:
        self._count = 0
        self._steps: Indices = np.empty(INITIAL_CAPACITY, dtype=np.int64)
        self._raw: Numbers = np.empty(INITIAL_CAPACITY)
        self._smoothed: Numbers = np.empty(INITIAL_CAPACITY)

    def curve(self) -> LossCurve:
        """What is known now; it stays as it is while the series grows."""
        return LossCurve(self._steps[: self._count], self._raw[: self._count], self._smoothed[: self._count])

    def extend(self, steps: Sequence[int], losses: Sequence[float]) -> None:
        """Append steps with their losses, in the order of the log."""
        begin = 0
        for at in range(1, len(steps) + 1):
            if at == len(steps) or steps[at] <= steps[at - 1]:
                self._append(steps[begin:at], losses[begin:at])
                begin = at

    def _append(self, steps: Sequence[int], losses: Sequence[float]) -> None:
        """Append steps that ascend."""
        if not steps:
            return
        if self._count and steps[0] <= self._steps[self._count - 1]:
            self._count = int(np.searchsorted(self._steps[: self._count], steps[0]))
            self._reallocate(len(self._steps))
        end = self._count + len(steps)
        if end > len(self._steps):
            self._reallocate(2 * end)
        self._steps[self._count : end] = steps
        self._raw[self._count : end] = losses
        self._smoothed[self._count : end] = self._smooth(losses)
        self._count = end

    def _reallocate(self, capacity: int) -> None:
        """Copy into new memory of `capacity` steps: curves that were handed out keep the old."""
        for name in ("_steps", "_raw", "_smoothed"):
            old = getattr(self, name)
            new = np.empty(capacity, dtype=old.dtype)
            new[: self._count] = old[: self._count]
            setattr(self, name, new)

    def _smooth(self, losses: Sequence[float]) -> list[float]:
        """The running mean, from where it was: exponentially weighted.

        Its start does not pull it: it is divided by the weights so far, which follow from the number of values alone.
        """
        weight = 1 - SMOOTHING**self._count
        smoothed = float(self._smoothed[self._count - 1]) if self._count else math.nan
        result = []
        for value in losses:
            before, weight = weight, SMOOTHING * weight + (1 - SMOOTHING)
            if math.isnan(smoothed):
                smoothed = value
            elif not math.isnan(value):  # a loss that is not finite changes nothing
                smoothed = (SMOOTHING * smoothed * before + (1 - SMOOTHING) * value) / weight
            result.append(smoothed)
        return result


def bucket_width(count: int, most: int = MAX_POINTS) -> int:
    """How many steps share two drawn points: 1 while all are drawn, then a power of two that changes rarely."""
    if count <= most:
        return 1
    width = 4  # two of two would be all of them
    while 2 * count > most * width:
        width *= 2
    return width


def drawn(values: Numbers, most: int = MAX_POINTS) -> Indices:
    """Which of `values` (N,) are drawn, ascending (at most `most` + 4): the lowest and the highest of every bucket.

    No spike is lost, and the first and the last are among them.
    """
    count, width = len(values), bucket_width(len(values), most)
    if width == 1:
        return np.arange(count, dtype=np.int64)
    whole = count // width * width
    missing = np.isnan(values)
    low, high = np.where(missing, np.inf, values), np.where(missing, -np.inf, values)
    begins = np.arange(0, whole, width)
    ends = [
        begins + low[:whole].reshape(-1, width).argmin(axis=1),
        begins + high[:whole].reshape(-1, width).argmax(axis=1),
        np.array([0, count - 1]),
    ]
    if whole < count:
        ends.append(whole + np.array([low[whole:].argmin(), high[whole:].argmax()]))
    return np.unique(np.concatenate(ends)).astype(np.int64)


def drawn_since(curve: LossCurve, base: int) -> Indices | None:
    """Which points are new or other than when there were `base` steps; None when all are, or would be many."""
    width = bucket_width(len(curve))
    if not 0 < base <= len(curve) or bucket_width(base) != width:
        return None
    found = drawn(curve.raw)
    return found[found >= first_redrawn(base)]


def first_redrawn(base: int) -> int:
    """The place from which on other points may be drawn once there are more than `base` steps: that of an open bucket.

    With `base` in whole buckets it is the last step, which was drawn for being the last.
    """
    width = bucket_width(base)
    return min(base // width * width, base - 1)
