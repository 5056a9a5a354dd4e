"""Scores averaged over repeated trainings, and their differences, with intervals that count the luck of photos and of
trainings. From prediction rows to plain values for JSON; numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics.counts import Row, by_photo, class_names
from core.metrics.resampling import HIGH, LOW, SAMPLES, resampled

# The rows of each seed.
RunRows = Mapping[int, Sequence[Row]]

METRICS = ("accuracy", "macro_f1", "balanced_accuracy")  # as `resampled` orders them
HELPS, HARMS, UNCLEAR, FEW = "recommended", "harmful", "no clear effect", "too few seeds"
# Fewer trainings tell too little about luck: of useless enhancements one in ten looks useful with one training of each
# where luck is as large as sampling, one in twelve with two, one in forty with three (tests/core/test_ablation.py).
LEAST_SEEDS = 3


class PairedBootstrap:
    """Bootstrap samples of every variant and seed, all of them over the same draws of photos: differences are paired.

    `points[variant, seed]` is (3,), the scores in the order of METRICS; `samples[variant, seed]` is (SAMPLES, 3).
    Photos are drawn with replacement, because a photo's objects are judged alike. Seeds that judged the same photos
    share the draw; those that judged other parts have draws of their own. An average over seeds draws the seeds with
    replacement too (two-way bootstrap, Owen 2007, "The pigeonhole bootstrap"): a training's luck shifts all photos at
    once, so that photos alone would make a lucky training look like an effect. Raises ValueError when the variants of
    a seed are not about the same objects.
    """

    def __init__(self, judged: Mapping[str, RunRows], seed: int = 0) -> None:
        names = class_names(row for rows in _all(judged) for row in rows)
        self.seed = seed
        self.points: dict[tuple[str, int], np.ndarray] = {}
        self.samples: dict[tuple[str, int], np.ndarray] = {}
        weights: dict[tuple[str, ...], np.ndarray] = {}
        for number in sorted({number for found in judged.values() for number in found}):
            sides = {variant: found[number] for variant, found in judged.items() if number in found}
            _require_same_objects(number, sides)
            photos = tuple(sorted({str(row["image"]) for row in next(iter(sides.values()))}))
            if photos not in weights:
                weights[photos] = _weights(len(photos), [seed, len(weights), 0xAB1A])
            for variant, rows in sides.items():
                counts = _counts(rows, names)
                self.points[variant, number] = resampled(counts, np.ones((1, len(photos))))[0]
                self.samples[variant, number] = resampled(counts, weights[photos])

    def seeds(self, *variants: str) -> tuple[int, ...]:
        """The seeds that all these variants have."""
        each = [{number for one, number in self.points if one == variant} for variant in variants]
        return tuple(sorted(set.intersection(*each)))

    def mean(self, variant: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """(points (3,), samples (SAMPLES, 3)) averaged over seeds; the same draws of seeds for every variant."""
        shares = _weights(len(seeds), [self.seed, 0x5EED]) / len(seeds)
        samples = np.stack([self.samples[variant, one] for one in seeds], axis=1)
        return np.mean([self.points[variant, one] for one in seeds], axis=0), np.einsum("bs,bsm->bm", shares, samples)

    def scores(self, variant: str) -> dict[str, Any]:
        """{metric: {mean, interval, spread}}; spread is the standard deviation between seeds, None for one seed."""
        seeds = self.seeds(variant)
        point, samples = self.mean(variant, seeds)
        each = np.array([self.points[variant, one] for one in seeds])
        spread = each.std(axis=0, ddof=1) if len(seeds) > 1 else [None] * len(METRICS)
        return {
            name: {**_interval(point[at], samples[:, at]), "spread": _plain(spread[at])}
            for at, name in enumerate(METRICS)
        }

    def difference(self, before: str, after: str) -> dict[str, Any] | None:
        """{seeds, metric: {mean, interval, spread}}: after minus before over the seeds both have; None without any."""
        seeds = self.seeds(before, after)
        if not seeds:
            return None
        (old, old_samples), (new, new_samples) = self.mean(before, seeds), self.mean(after, seeds)
        each = np.array([self.points[after, one] - self.points[before, one] for one in seeds])
        spread = each.std(axis=0, ddof=1) if len(seeds) > 1 else [None] * len(METRICS)
        found = {
            name: {**_interval((new - old)[at], (new_samples - old_samples)[:, at]), "spread": _plain(spread[at])}
            for at, name in enumerate(METRICS)
        }
        return {"seeds": list(seeds), **found}


def _all(judged: Mapping[str, RunRows]) -> Iterator[Sequence[Row]]:
    for found in judged.values():
        yield from found.values()


def _require_same_objects(seed: int, sides: Mapping[str, Sequence[Row]]) -> None:
    keys = {variant: sorted((str(row["image"]), int(row["object"])) for row in rows) for variant, rows in sides.items()}
    if len({tuple(one) for one in keys.values()}) != 1 or not all(keys.values()):
        raise ValueError(f"the variants of seed {seed} were not judged on the same objects: {', '.join(keys)}")


def _weights(count: int, seed: Sequence[int]) -> np.ndarray:
    """(SAMPLES, count): how often each of so many photos or seeds is drawn."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=SAMPLES).astype(float)


def _counts(rows: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    """(P, K, K) confusion counts of each photo, photos in alphabetical order whatever that of the rows."""
    return by_photo(sorted(rows, key=lambda row: str(row["image"])), names)


def _interval(point: float, samples: np.ndarray) -> dict[str, Any]:
    low, high = np.percentile(samples, [LOW, HIGH])
    return {"mean": float(point), "interval": [float(low), float(high)]}


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def verdict(interval: Sequence[float], seeds: int) -> str:
    """What the interval of a difference over so many seeds allows to say."""
    if seeds < LEAST_SEEDS:
        return FEW
    return HELPS if interval[0] > 0 else HARMS if interval[1] < 0 else UNCLEAR


def verdict_on(change: Mapping[str, Any]) -> str:
    """The verdict on a difference, by its macro-F1."""
    return verdict(change["macro_f1"]["interval"], len(change["seeds"]))
