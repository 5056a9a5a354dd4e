"""Scores averaged over repeated trainings, and their differences, with intervals that count the luck of flights and of
trainings. From prediction rows to plain values for JSON; numpy only.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics.compare import BETTER, WORSE, verdict
from core.metrics.compare import UNCLEAR as NO_DIFFERENCE
from core.metrics.counts import class_names
from core.metrics.flights import TOO_FEW_FLIGHTS, ends, flight_counts, flights_of
from core.metrics.intervals import FIGURES, Estimate, figures, jackknife, without_each
from core.records import PredictionRow
from core.results import Interval, Mean, StudyDifference

# The rows of each seed.
RunRows = Mapping[int, Sequence[PredictionRow]]

HELPS, HARMS, UNCLEAR, FEW = "recommended", "harmful", "no clear effect", "too few seeds"
# Fewer trainings tell too little about luck: their spread has one degree of freedom, or none.
LEAST_SEEDS = 3
EFFECTS = {BETTER: HELPS, WORSE: HARMS, NO_DIFFERENCE: UNCLEAR, TOO_FEW_FLIGHTS: TOO_FEW_FLIGHTS}


class SeedAverages:
    """Scores of every variant averaged over seeds, and differences between variants, paired by object.

    An average g rests on flights and on trainings, and each brings a variance of its own (two-way: a training's luck
    shifts all photos at once, so that flights alone would make a lucky training look like an effect):

        variance = jackknife over the flights of all seeds + (standard deviation between seeds)^2 / seeds

    with the degrees of freedom of Satterthwaite (1946). Where the luck of a training and of a flight go together it is
    counted twice: the interval is then rather too wide. Seeds may have judged the same flights or each other ones.
    Raises ValueError when the variants of a seed are not about the same objects.
    """

    def __init__(self, judged: Mapping[str, RunRows]) -> None:
        everything = [row for rows in _all(judged) for row in rows]
        classes, (_, self.flights) = class_names(everything), flights_of(everything)
        self.judged: dict[tuple[str, int], Judgement] = {}
        for number in sorted({number for found in judged.values() for number in found}):
            sides = {variant: found[number] for variant, found in judged.items() if number in found}
            _require_same_objects(number, sides)
            for variant, rows in sides.items():
                numbers, names = flights_of(rows)
                counts = np.zeros((len(self.flights), len(classes), len(classes)))
                counts[np.searchsorted(self.flights, names)] = flight_counts(rows, classes, numbers)
                self.judged[variant, number] = Judgement.of(counts)

    def seeds(self, *variants: str) -> tuple[int, ...]:
        """The seeds that all these variants have."""
        each = [{number for name, number in self.judged if name == variant} for variant in variants]
        return tuple(sorted(set.intersection(*each)))

    def scores(self, variant: str) -> dict[str, Mean]:
        """{metric: {mean, interval, spread}}; spread is the standard deviation between seeds, None for one seed."""
        mine = [self.judged[variant, seed] for seed in self.seeds(variant)]
        estimates = _averages(
            [judgement.figures for judgement in mine], [judgement.left for judgement in mine], _objects(mine)
        )
        return {
            name: _plain(estimate, spread, estimate.share_interval()) for name, (estimate, spread) in estimates.items()
        }

    def difference(self, before: str, after: str) -> StudyDifference | None:
        """After minus before over the seeds both have; None without any.

        {seeds, metric: {mean, interval, spread}, flights (their number), lowest_flight and highest_flight ({flight,
        accuracy_change})}.
        """
        seeds = self.seeds(before, after)
        if not seeds:
            return None
        pairs = [(self.judged[before, seed], self.judged[after, seed]) for seed in seeds]
        total = _objects([now for _, now in pairs])
        change = [now.figures - was.figures for was, now in pairs]
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
class Judgement:
    """What one training's answers come to, by the F flights of the whole study (those it did not judge hold nothing).

    `figures` (3,) are its scores in the order of FIGURES, `left` (F, 3) those without each flight (NaN where nothing
    remains), `right` (F,) and `total` (F,) count objects.
    """

    figures: np.ndarray
    left: np.ndarray
    right: np.ndarray
    total: np.ndarray

    @classmethod
    def of(cls, counts: np.ndarray) -> Judgement:
        """Of confusion counts (F, K, K)."""
        without = without_each(counts)
        remains = without.sum(axis=(1, 2)) > 0
        left = np.where(remains[:, None], figures(without), np.nan)
        return cls(figures(counts.sum(axis=0)), left, np.trace(counts, axis1=1, axis2=2), counts.sum(axis=(1, 2)))


def _objects(judged: Sequence[Judgement]) -> np.ndarray:
    """(F,) how often objects of each flight were judged."""
    total: np.ndarray = np.sum([judgement.total for judgement in judged], axis=0)
    return total


def _averages(
    each: Sequence[np.ndarray], left: Sequence[np.ndarray], total: np.ndarray
) -> dict[str, tuple[Estimate, float | None]]:
    """{metric: (average over seeds, spread between them)} from what each seed comes to (3,) and without each flight
    (F, 3)."""
    seeds, flights = len(each), int((total > 0).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a mean of nothing: where all seeds judged one flight only
        without = np.nanmean(left, axis=0)[total > 0]
    of_flights = jackknife(without)
    spread = np.std(each, axis=0, ddof=1) if seeds > 1 else None
    of_seeds = spread**2 / seeds if spread is not None else np.zeros(len(FIGURES))
    found = {}
    for at, name in enumerate(FIGURES):
        degrees = _satterthwaite((of_flights[at], flights - 1), (of_seeds[at], seeds - 1))
        variance = float(of_flights[at] + of_seeds[at])
        # A repeated training judges the same objects again: they count once.
        estimate = Estimate(float(np.mean(each, axis=0)[at]), variance, degrees, flights, round(total.sum() / seeds))
        found[name] = (estimate, None if spread is None else float(spread[at]))
    return found


def _satterthwaite(*parts: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of variances, each with its own."""
    known = [(variance, degrees) for variance, degrees in parts if variance > 0 and degrees > 0]
    if not known:
        return float(max(degrees for _, degrees in parts))
    whole = sum(variance for variance, _ in known)
    return float(whole**2 / sum(variance**2 / degrees for variance, degrees in known))


def _plain(estimate: Estimate, spread: float | None, interval: Interval | None) -> Mean:
    return {"mean": estimate.value, "interval": interval, "spread": spread}


def _all(judged: Mapping[str, RunRows]) -> Iterator[Sequence[PredictionRow]]:
    for found in judged.values():
        yield from found.values()


def _require_same_objects(seed: int, sides: Mapping[str, Sequence[PredictionRow]]) -> None:
    keys = {variant: sorted((str(row["image"]), int(row["object"])) for row in rows) for variant, rows in sides.items()}
    if len({tuple(value) for value in keys.values()}) != 1 or not all(keys.values()):
        raise ValueError(f"the variants of seed {seed} were not judged on the same objects: {', '.join(keys)}")


def effect(change: StudyDifference) -> str:
    """What a difference allows to say of what made it, by the interval of its macro-F1."""
    if len(change["seeds"]) < LEAST_SEEDS:
        return FEW
    return EFFECTS[verdict(change["macro_f1"]["interval"])]
