"""The bootstrap over photos (Efron 1979): objects of one photo are judged alike, so photos are what is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from core.metrics.counts import Row, accuracy, balanced, by_photo, macro

SAMPLES = 2000  # the interval's ends then move by less than a point between seeds
CHUNK = 250
LOW, HIGH = 2.5, 97.5

Interval = list[float]


def weights(photos: int, seed: int) -> Iterator[np.ndarray]:
    """How often each photo is drawn, (CHUNK, P) at a time, SAMPLES in all."""
    rng = np.random.default_rng([seed, 0xB007])
    for _ in range(SAMPLES // CHUNK):
        yield rng.multinomial(photos, np.full(photos, 1 / photos), size=CHUNK).astype(float)


def resampled(photos: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """(B, 3): accuracy, macro-F1 and balanced accuracy of each weighting (B, P) of the photos (P, K, K)."""
    kinds = photos.shape[1]
    counts = (drawn @ photos.reshape(len(photos), -1)).reshape(-1, kinds, kinds)
    return np.stack([accuracy(counts), macro(counts), balanced(counts)], axis=1)


def bootstrap(rows: Sequence[Row], names: Sequence[str], seed: int = 0) -> tuple[Interval, Interval, Interval]:
    """95 % intervals [low, high] of accuracy, macro-F1 and balanced accuracy, photos drawn with replacement.

    Drawing objects one by one would make the intervals too narrow.
    """
    photos = by_photo(rows, names)
    draws = np.concatenate([resampled(photos, drawn) for drawn in weights(len(photos), seed)])
    low, high = np.percentile(draws, [LOW, HIGH], axis=0)
    first, second, third = ([float(a), float(b)] for a, b in zip(low, high, strict=True))
    return first, second, third
