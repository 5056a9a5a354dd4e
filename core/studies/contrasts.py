"""Scores averaged over repeated trainings, and differences between variants.

Their intervals take in both the variance between flights and the variance between trainings.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics.compare import BETTER, WORSE, outcome
from core.metrics.compare import UNCLEAR as NO_DIFFERENCE
from core.metrics.counts import class_names
from core.metrics.flights import TOO_FEW_FLIGHTS, ends, flight_counts, flights_of
from core.metrics.intervals import METRICS, Estimate, jackknife, main_scores, without_each
from core.records import PredictionRow
from core.results import Interval, Mean, StudyDifference

# The rows of each seed.
RunRows = Mapping[int, Sequence[PredictionRow]]

HELPS, HARMS, UNCLEAR, FEW = "recommended", "harmful", "no clear effect", "too few seeds"
# Fewer trainings say too little about chance: their spread has one degree of freedom, or none.
LEAST_SEEDS = 3
EFFECTS = {BETTER: HELPS, WORSE: HARMS, NO_DIFFERENCE: UNCLEAR, TOO_FEW_FLIGHTS: TOO_FEW_FLIGHTS}


class SeedAverages:
    """Scores of every variant averaged over seeds, and differences between variants, paired by object.

    Both the flights and the trainings of an average are samples, and each adds a variance (two-way: chance in a
    training shifts all photos at once, so that with the variance of flights alone a lucky training would look like an
    effect):

        variance = jackknife over the flights of all seeds + (standard deviation between seeds)^2 / seeds

    with the degrees of freedom of Satterthwaite (1946). An interaction of training and flight is counted in both
    variances, so that intervals are rather too wide than too narrow. Seeds may be judged on the same or on different
    flights. The constructor raises ValueError when the variants of a seed were judged on different objects.
    """

    def __init__(self, runs: Mapping[str, RunRows]) -> None:
        everything = [row for rows in _all(runs) for row in rows]
        classes, (_, self.flights) = class_names(everything), flights_of(everything)
        self.trainings: dict[tuple[str, int], TrainingScores] = {}
        for number in sorted({number for found in runs.values() for number in found}):
            sides = {variant: found[number] for variant, found in runs.items() if number in found}
            _require_same_objects(number, sides)
            for variant, rows in sides.items():
                numbers, names = flights_of(rows)
                counts = np.zeros((len(self.flights), len(classes), len(classes)))
                counts[np.searchsorted(self.flights, names)] = flight_counts(rows, classes, numbers)
                self.trainings[variant, number] = TrainingScores.of(counts)

    def seeds(self, *variants: str) -> tuple[int, ...]:
        """The seeds that all these variants have, in ascending order."""
        each = [{number for name, number in self.trainings if name == variant} for variant in variants]
        return tuple(sorted(set.intersection(*each)))

    def scores(self, variant: str) -> dict[str, Mean]:
        """The average of each metric in METRICS over the variant's seeds, with interval and spread."""
        mine = [self.trainings[variant, seed] for seed in self.seeds(variant)]
        estimates = _averages(
            [training.scores for training in mine], [training.left for training in mine], _objects(mine)
        )
        return {
            name: _plain(estimate, spread, estimate.share_interval()) for name, (estimate, spread) in estimates.items()
        }

    def difference(self, before: str, after: str) -> StudyDifference | None:
        """The difference of two variants, `after` minus `before`, averaged over the seeds that both have.

        Returns:
            {seeds, each metric: {mean, interval, spread}, flights (their number), lowest_flight and highest_flight
            ({flight, accuracy_change})}; None when they have no seed in common.
        """
        seeds = self.seeds(before, after)
        if not seeds:
            return None
        pairs = [(self.trainings[before, seed], self.trainings[after, seed]) for seed in seeds]
        total = _objects([now for _, now in pairs])
        change = [now.scores - was.scores for was, now in pairs]
        estimates = _averages(change, [now.left - was.left for was, now in pairs], total)
        turned = np.sum([now.right - was.right for was, now in pairs], axis=0)
        each = {name: float(turned[at] / total[at]) for at, name in enumerate(self.flights) if total[at]}
        low, high = ends(each)
        means = {
            name: _plain(estimate, spread, estimate.difference_interval())
            for name, (estimate, spread) in estimates.items()
        }
        return {
            "seeds": list(seeds),
            "accuracy": means["accuracy"],
            "macro_f1": means["macro_f1"],
            "balanced_accuracy": means["balanced_accuracy"],
            "flights": len(each),
            "lowest_flight": {"flight": low, "accuracy_change": each[low]},
            "highest_flight": {"flight": high, "accuracy_change": each[high]},
        }


@dataclass(frozen=True)
class TrainingScores:
    """The scores of one training's answers over the F flights of the whole study.

    Attributes:
        scores: (3,) its scores in the order of METRICS.
        left: (F, 3) the same without each flight in turn; NaN where no object remains.
        right: (F,) number of right answers in each flight.
        total: (F,) number of objects in each flight; 0 where this training was not judged on a flight.
    """

    scores: np.ndarray
    left: np.ndarray
    right: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray) -> TrainingScores:
        """Make one from confusion counts (F, K, K): F flights, K classes, rows the truth, columns the answer."""
        without = without_each(counts)
        remains = without.sum(axis=(1, 2)) > 0
        left = np.where(remains[:, None], main_scores(without), np.nan)
        return cls(main_scores(counts.sum(axis=0)), left, np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))


def _objects(trainings: Sequence[TrainingScores]) -> np.ndarray:
    """(F,) number of judged objects of each flight, summed over trainings."""
    total: np.ndarray = np.sum([training.total for training in trainings], axis=0)
    return total


def _averages(
    each: Sequence[np.ndarray], left: Sequence[np.ndarray], total: np.ndarray
) -> dict[str, tuple[Estimate, float | None]]:
    """{metric: (average over seeds, standard deviation between them)}.

    `each` holds the scores (3,) of each seed, `left` the same without each flight (F, 3), `total` (F,) the number of
    objects of each flight over all seeds.
    """
    seeds, flights = len(each), int((total > 0).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mean of nothing: where all seeds judged one flight only
        without = np.nanmean(left, axis=0)[total > 0]
    of_flights = jackknife(without)
    spread = np.std(each, axis=0, ddof=1) if seeds > 1 else None
    of_seeds = spread**2 / seeds if spread is not None else np.zeros(len(METRICS))
    found = {}
    for at, name in enumerate(METRICS):
        degrees = _satterthwaite((of_flights[at], flights - 1), (of_seeds[at], seeds - 1))
        variance = float(of_flights[at] + of_seeds[at])
        # A repeated training judges the same objects again: they count once.
        estimate = Estimate(float(np.mean(each, axis=0)[at]), variance, degrees, flights, round(total.sum() / seeds))
        found[name] = (estimate, None if spread is None else float(spread[at]))
    return found


def _satterthwaite(*parts: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of variances, given as (variance, its degrees of freedom)."""
    known = [(variance, degrees) for variance, degrees in parts if variance > 0 and degrees > 0]
    if not known:
        return float(max(degrees for _, degrees in parts))
    whole = sum(variance for variance, _ in known)
    return float(whole**2 / sum(variance**2 / degrees for variance, degrees in known))


def _plain(estimate: Estimate, spread: float | None, interval: Interval | None) -> Mean:
    return {"mean": estimate.value, "interval": interval, "spread": spread}


def _all(runs: Mapping[str, RunRows]) -> Iterator[Sequence[PredictionRow]]:
    for found in runs.values():
        yield from found.values()


def _require_same_objects(seed: int, sides: Mapping[str, Sequence[PredictionRow]]) -> None:
    keys = {variant: sorted((str(row["image"]), int(row["object"])) for row in rows) for variant, rows in sides.items()}
    if len({tuple(value) for value in keys.values()}) != 1 or not all(keys.values()):
        raise ValueError(f"the variants of seed {seed} were not judged on the same objects: {', '.join(keys)}")


def effect(change: StudyDifference) -> str:
    """HELPS, HARMS, UNCLEAR, FEW or TOO_FEW_FLIGHTS, by the interval of the macro-F1 difference."""
    if len(change["seeds"]) < LEAST_SEEDS:
        return FEW
    return EFFECTS[outcome(change["macro_f1"]["interval"])]
