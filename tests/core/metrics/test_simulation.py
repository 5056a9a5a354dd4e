"""Intervals and tests do what they promise, shown by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.metrics import compare, mcnemar
from core.metrics.resampling import HIGH, LOW, resampled

PHOTOS, OBJECTS = 60, 5


def photos_of(rng: np.random.Generator, chance: float) -> np.ndarray:
    """(P, 2, 2) counts of photos whose objects go together: some photos are hard, some easy."""
    ease = rng.beta(4 * chance, 4 * (1 - chance), PHOTOS)
    truths = rng.integers(0, 2, (PHOTOS, OBJECTS))
    right = rng.random((PHOTOS, OBJECTS)) < ease[:, None]
    counts = np.zeros((PHOTOS, 2, 2))
    np.add.at(counts, (np.arange(PHOTOS)[:, None], truths, np.where(right, truths, 1 - truths)), 1)
    return counts


def covered(chance: float, trials: int, by_photo: bool) -> float:
    """How often the interval of accuracy holds the true chance."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(trials):
        counts = photos_of(rng, chance)
        if not by_photo:
            places = np.repeat(np.arange(4), counts.reshape(PHOTOS, 4).sum(0).astype(int))
            counts = np.eye(4)[places].reshape(-1, 2, 2)
        n = len(counts)
        draws = resampled(counts, rng.multinomial(n, np.full(n, 1 / n), size=250).astype(float))[:, 0]
        low, high = np.percentile(draws, [LOW, HIGH])
        hits += low <= chance <= high
    return hits / trials


def test_the_interval_over_photos_holds_the_truth_nineteen_times_in_twenty() -> None:
    assert 0.92 <= covered(0.75, 400, by_photo=True) <= 0.975


def test_an_interval_over_objects_would_be_too_narrow() -> None:
    assert covered(0.75, 80, by_photo=False) < 0.90


def row(index: int, right: bool) -> dict[str, Any]:
    said = "normal" if right else "blocked"
    return {"image": f"{index // 4}", "object": index % 4, "truth_class": "a normal", "predicted_class": f"a {said}"}


def test_between_equals_a_difference_is_rarely_seen() -> None:
    rng = np.random.default_rng(2)
    small = claimed = 0
    trials = 80
    for _ in range(trials):
        ease = np.repeat(rng.beta(3, 1, 40), 4)
        before, after = ([row(i, bool(ok)) for i, ok in enumerate(rng.random(160) < ease)] for _ in range(2))
        found = compare(before, after)
        small += found["p_value"] < 0.05
        claimed += found["verdict"] != "no clear difference"
    # 5 % is the promise; 80 trials leave about 2.5 % of noise either way, and the exact test is cautious.
    assert small / trials <= 0.08
    assert claimed / trials <= 0.10


def test_mcnemar_keeps_its_size_for_every_number_of_changes() -> None:
    from scipy.stats import binom

    for changed in (1, 5, 12, 40):
        size = sum(binom.pmf(k, changed, 0.5) for k in range(changed + 1) if mcnemar(k, changed - k) < 0.05)
        assert size <= 0.05
