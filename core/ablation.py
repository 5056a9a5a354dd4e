"""What a study's predictions say: scores averaged over seeds, differences with intervals, and what to switch on.

Pure functions from prediction rows to plain values for JSON; numpy only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from core.studies import ENHANCEMENTS, NONE, enhancements_of, label, switches

Row = Mapping[str, Any]
# The rows of each seed.
Judged = Mapping[int, Sequence[Row]]

METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
MACRO = METRICS.index("macro_f1")
SAMPLES = 2000
CHUNK = 250
LOW, HIGH = 2.5, 97.5
HELPS, HARMS, UNCLEAR, FEW = "recommended", "harmful", "no clear effect", "too few seeds"
# Fewer trainings tell too little about luck: of useless enhancements one in ten looks useful with one training of each
# where luck is as large as sampling, one in twelve with two, one in forty with three (tests/core/test_ablation.py).
LEAST_SEEDS = 3


class Draws:
    """Bootstrap samples of every variant and seed, all of them over the same draws of photos: differences are paired.

    `points[variant, seed]` is (3,), the scores in the order of METRICS; `samples[variant, seed]` is (SAMPLES, 3).
    Photos are drawn with replacement, because a photo's objects are judged alike. Seeds that judged the same photos
    share the draw; those that judged other parts have draws of their own. An average over seeds draws the seeds with
    replacement too (two-way bootstrap, Owen 2007, "The pigeonhole bootstrap"): a training's luck shifts all photos at
    once, so that photos alone would make a lucky training look like an effect. Raises ValueError when the variants of
    a seed are not about the same objects.
    """

    def __init__(self, judged: Mapping[str, Judged], seed: int = 0) -> None:
        names = sorted({str(row[key]) for rows in _all(judged) for row in rows
                        for key in ("truth_class", "predicted_class")})  # fmt: skip
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
                counts = _by_photo(rows, photos, names)
                self.points[variant, number] = _scores(np.ones((1, len(photos))), counts)[0]
                self.samples[variant, number] = _scores(weights[photos], counts)

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
        return {name: {**_interval(point[at], samples[:, at]), "spread": _plain(spread[at])}
                for at, name in enumerate(METRICS)}  # fmt: skip

    def difference(self, before: str, after: str) -> dict[str, Any] | None:
        """{seeds, metric: {mean, interval, spread}} of after minus before over the seeds both have; None without any."""
        seeds = self.seeds(before, after)
        if not seeds:
            return None
        (old, old_samples), (new, new_samples) = self.mean(before, seeds), self.mean(after, seeds)
        each = np.array([self.points[after, one] - self.points[before, one] for one in seeds])
        spread = each.std(axis=0, ddof=1) if len(seeds) > 1 else [None] * len(METRICS)
        found = {name: {**_interval((new - old)[at], (new_samples - old_samples)[:, at]), "spread": _plain(spread[at])}
                 for at, name in enumerate(METRICS)}  # fmt: skip
        return {"seeds": list(seeds), **found}


def _all(judged: Mapping[str, Judged]) -> Iterator[Sequence[Row]]:
    for found in judged.values():
        yield from found.values()


def _require_same_objects(seed: int, sides: Mapping[str, Sequence[Row]]) -> None:
    keys = {variant: sorted((str(row["image"]), int(row["object"])) for row in rows) for variant, rows in sides.items()}
    if len({tuple(one) for one in keys.values()}) != 1 or not all(keys.values()):
        raise ValueError(f"the variants of seed {seed} were not judged on the same objects: {', '.join(keys)}")


def _weights(count: int, seed: Sequence[int]) -> np.ndarray:
    """(SAMPLES, count): how often each of so many photos or seeds is drawn."""
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=SAMPLES).astype(float)


def _by_photo(rows: Sequence[Row], photos: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """(P, K, K) confusion counts of each photo: rows the truth, columns the answer."""
    photo = {name: index for index, name in enumerate(photos)}
    place = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(photos), len(names), len(names)))
    for row in rows:
        counts[photo[str(row["image"])], place[str(row["truth_class"])], place[str(row["predicted_class"])]] += 1
    return counts


def _scores(weights: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, 3) accuracy, balanced accuracy and macro-F1 for each weighting (B, P) of photos (P, K, K).

    The means over classes are over those that occur in the truth of the sample.
    """
    kinds = counts.shape[1]
    flat, found = counts.reshape(len(counts), -1), []
    for start in range(0, len(weights), CHUNK):
        summed = (weights[start : start + CHUNK] @ flat).reshape(-1, kinds, kinds)
        hits = np.diagonal(summed, axis1=1, axis2=2)
        true, said = summed.sum(axis=2), summed.sum(axis=1)
        occurring = np.maximum((true > 0).sum(axis=1), 1)
        found.append(np.stack([
            hits.sum(axis=1) / np.maximum(true.sum(axis=1), 1),
            (hits / np.maximum(true, 1)).sum(axis=1) / occurring,
            (2 * hits / np.maximum(true + said, 1) * (true > 0)).sum(axis=1) / occurring,
        ], axis=1))  # fmt: skip
    return np.concatenate(found)


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


def ablation(judged: Mapping[str, Judged], seed: int = 0) -> dict[str, Any]:
    """{table, recommendation} of an ablation's rows, {variant: {seed: rows}}; variants in the order of the table.

    A row of the table is {variant, label, enhancements, seeds, accuracy, balanced_accuracy, macro_f1 (each {mean,
    interval, spread}), difference (the same, from `none`; null for `none` itself), verdict}. For the recommendation see
    `recommend`. A study that is not finished has fewer seeds in some rows; each difference is over the seeds that both
    sides have.
    """
    draws = Draws({variant: found for variant, found in judged.items() if found}, seed)
    table = []
    for variant, found in judged.items():
        if not found:
            continue
        change = draws.difference(NONE, variant) if variant != NONE and judged.get(NONE) else None
        table.append({
            "variant": variant, "label": label(variant), "enhancements": list(enhancements_of(variant)),
            "seeds": list(draws.seeds(variant)), **draws.scores(variant), "difference": change,
            "verdict": _judged(change) if change else None,
        })  # fmt: skip
    return {"table": table, "recommendation": recommend(table, draws)}


def recommend(table: Sequence[Mapping[str, Any]], draws: Draws) -> dict[str, Any] | None:
    """What to switch on. None while nothing can be compared with `none`.

    {use (a variant), settings (the five switches), enhancements ({name: verdict} of each alone), stacking (of the
    variant with most enhancements against its best part: {variant, best_part, difference, verdict}, or null), said (the
    sentences for a reader)}.

    An enhancement is recommended only where the interval of its macro-F1 difference from none lies above 0. Among the
    variants for which it does, more switches are preferred to fewer only where they are clearly better than those: the
    simplest that does the job wins.
    """
    rows = {str(row["variant"]): row for row in table if row["difference"]}
    if not rows:
        return None
    use = NONE
    helping = [name for name, row in rows.items() if row["verdict"] == HELPS]
    for size in sorted({len(enhancements_of(name)) for name in helping}):
        best = max((one for one in helping if len(enhancements_of(one)) == size), key=lambda one: _gain(rows[one]))
        if use == NONE or _clearly_better(draws, use, best):
            use = best
    alone = {name: row["verdict"] for name, row in rows.items() if name in ENHANCEMENTS}
    stacking = _stacking(rows, draws)
    found = {"use": use, "settings": switches(use), "enhancements": alone, "stacking": stacking}
    return {**found, "said": _sentences(found, rows)}


def _judged(change: Mapping[str, Any]) -> str:
    """The verdict on a difference, by its macro-F1."""
    return verdict(change["macro_f1"]["interval"], len(change["seeds"]))


def _gain(row: Mapping[str, Any]) -> float:
    return float(row["difference"]["macro_f1"]["mean"])


def _clearly_better(draws: Draws, simple: str, more: str) -> bool:
    change = draws.difference(simple, more)
    return change is not None and _judged(change) == HELPS


def _stacking(rows: Mapping[str, Mapping[str, Any]], draws: Draws) -> dict[str, Any] | None:
    """The variant with most enhancements against the best single one of its own."""
    most = max(rows, key=lambda name: len(enhancements_of(name)))
    parts = [name for name in enhancements_of(most) if name in rows and name != most]
    if not parts:
        return None
    best = max(parts, key=lambda name: _gain(rows[name]))
    change = draws.difference(best, most)
    if change is None:
        return None
    return {"variant": most, "best_part": best, "difference": change["macro_f1"], "verdict": _judged(change)}


def _sentences(found: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    said = []
    for name, judged in found["enhancements"].items():
        macro = rows[name]["difference"]["macro_f1"]
        tail = {
            HELPS: "it helps", HARMS: "it harms: leave it off", UNCLEAR: "no clear effect: leave it off",
            FEW: "too few trainings of each to tell",
        }[judged]  # fmt: skip
        said.append(f"{name.replace('_', ' ').capitalize()}: macro-F1 {_signed(macro)}; {tail}.")
    stacking = found["stacking"]
    if stacking:
        if stacking["verdict"] == FEW:
            stacking = None
    if stacking:
        against = f"its best part ({label(stacking['best_part'])})"
        tail = {
            HELPS: "is clearly better than", HARMS: "is clearly worse than",
            UNCLEAR: "shows no clear difference from",
        }[stacking["verdict"]]  # fmt: skip
        name = label(stacking["variant"]).capitalize()
        said.append(f"{name} {tail} {against}: macro-F1 {_signed(stacking['difference'])}.")
    helping = [name for name, judged in found["enhancements"].items() if judged == HELPS]
    if found["use"] == NONE and FEW in [row["verdict"] for row in rows.values()]:
        said.append(f"Train each at least {LEAST_SEEDS} times before anything is switched on.")
    elif found["use"] == NONE:
        said.append("Switch all enhancements off: none was shown to help, and the simplest wins.")
    else:
        said.append(f"Use {label(found['use'])}.")
    if len(helping) > 1 and len(enhancements_of(found["use"])) == 1 and "+".join(helping) not in rows:
        names = " and ".join(one.replace("_", " ") for one in helping)
        said.append(f"{names.capitalize()} help each by itself; whether they help together was not measured.")
    return said


def _signed(change: Mapping[str, Any]) -> str:
    """+0.031 (95 % interval −0.004 to +0.066)."""
    low, high = change["interval"]
    return f"{signed(change['mean'])} (95 % interval {signed(low)} to {signed(high)})"


def signed(value: float) -> str:
    """A difference of scores with its sign: +0.031, −0.004, ±0.000."""
    rounded = round(value, 3)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
    return f"{sign}{abs(rounded):.3f}"


def markdown(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table for a terminal or a text, a line each."""
    lines = ["| variant | seeds | accuracy | balanced accuracy | macro-F1 | macro-F1 from none | verdict |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for row in table:
        change = row["difference"]
        macro = "" if not change else _signed(change["macro_f1"]).replace("95 % interval ", "")
        cells = [row["label"], str(len(row["seeds"])), _share(row["accuracy"]), _share(row["balanced_accuracy"]),
                 _score(row["macro_f1"]), macro, row["verdict"] or ""]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _share(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    spread = "" if found["spread"] is None else f", ±{100 * found['spread']:.1f} between seeds"
    return f"{100 * found['mean']:.1f} % ({100 * low:.1f} to {100 * high:.1f}{spread})"


def _score(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    spread = "" if found["spread"] is None else f", ±{found['spread']:.3f} between seeds"
    return f"{found['mean']:.3f} ({low:.3f} to {high:.3f}{spread})"
