"""The evaluation of a cross-validation: each fold is judged by a model that was not trained on the fold's flights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.metrics import compare, score
from core.metrics.alarms import AlarmCurves
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.metrics.reference_points import BY_KEY, label_of
from core.records import PredictionRow
from core.results import ReferenceScore, Results, SeedScore
from core.units import percent


@dataclass(frozen=True)
class FoldPredictions:
    """The answers about one fold of the photos, by one model.

    Attributes:
        fold: The fold's number, from 0.
        seed: The seed of the model's training.
        rows: The model's prediction rows.
        references: The prediction rows of each reference point about the same objects, by its key.
        curves: The alarm curves of the model's calibration; None when it has none.
    """

    fold: int
    seed: int
    rows: Sequence[PredictionRow]
    references: Mapping[str, Sequence[PredictionRow]] = field(default_factory=dict)
    curves: AlarmCurves | None = None


def pooled_rows(parts: Sequence[FoldPredictions]) -> list[PredictionRow]:
    """Every object once: the rows of the lowest seed, each with its fold and seed added."""
    first = min(part.seed for part in parts)
    return [{**row, "fold": part.fold, "seed": part.seed} for part in parts if part.seed == first for row in part.rows]


def pooled_references(parts: Sequence[FoldPredictions]) -> dict[str, list[PredictionRow]]:
    """The rows of each reference point that all parts of the lowest seed have, by its key."""
    first = [part for part in parts if part.seed == min(part.seed for part in parts)]
    known = [name for name in first[0].references if all(part.references.get(name) for part in first)]
    return {name: [row for part in first for row in part.references[name]] for name in known}


def cross_validation(
    parts: Sequence[FoldPredictions],
    notes: Mapping[str, str] | None = None,
    false_alarm_rate: float = 0.1,
    alarming: Sequence[str] = (),
) -> Results:
    """The scores of a cross-validation over its pooled answers.

    Args:
        parts: All folds under all seeds; at least one.
        notes: The note of each reference point from the parts' results, by its key; None takes ours.
        false_alarm_rate: See `score`.
        alarming: See `score`. An alarm's threshold comes from the calibration of the part's own model.

    Returns:
        The fields of `score` for the pooled rows, and: `folds` and `seeds` (lists of {fold, seed, accuracy, macro_f1,
        correct, total}), `spread` (standard deviation of macro-F1 between seeds, None for one), and `references`: for
        each {label, accuracy, accuracy_interval, macro_f1, macro_f1_interval, with_choice, note, model_against_it
        (`compare` of the model with it on the same objects)}. A reference point that some part lacks is left out.

    Raises:
        UserError: There is no row.
    """
    pooled = pooled_rows(parts)
    curves = {(part.fold, part.seed): part.curves for part in parts}
    by_seed = {
        seed: [row for part in parts if part.seed == seed for row in part.rows]
        for seed in sorted({part.seed for part in parts})
    }
    references = {
        name: _reference(name, rows, pooled, (notes or {}).get(name)) for name, rows in pooled_references(parts).items()
    }
    found = score(
        pooled,
        false_alarm_rate=false_alarm_rate,
        alarming=alarming,
        curves_of=lambda row: curves[row["fold"], row["seed"]],
    )
    found["folds"] = [{"fold": part.fold, **_seed_score(part.seed, part.rows)} for part in parts]
    found["seeds"] = [_seed_score(seed, rows) for seed, rows in by_seed.items()]
    each = [scores["macro_f1"] for scores in found["seeds"]]
    found["spread"] = float(np.std(each, ddof=1)) if len(each) > 1 else None
    found["references"] = references
    return found


def _seed_score(seed: int, rows: Sequence[PredictionRow]) -> SeedScore:
    found = score(rows, intervals=False)
    return {
        "seed": seed,
        "accuracy": found["overall_accuracy"],
        "macro_f1": found["macro_f1"],
        "correct": found["correct"],
        "total": found["total"],
    }


def _reference(
    name: str, rows: Sequence[PredictionRow], pooled: Sequence[PredictionRow], note: str | None
) -> ReferenceScore:
    found = score(rows)
    # A slow reference point judges only some of the photos where there are very many.
    there = {(row["image"], row["object"]) for row in rows}
    same = [row for row in pooled if (row["image"], row["object"]) in there]
    return {
        "label": label_of(name),
        "accuracy": found["overall_accuracy"],
        "accuracy_interval": found["accuracy_interval"],
        "macro_f1": found["macro_f1"],
        "macro_f1_interval": found["macro_f1_interval"],
        "with_choice": found["with_choice"],
        "note": BY_KEY[name].note if note is None and name in BY_KEY else note or "",
        "model_against_it": compare(rows, same),
    }


def lines(found: Results) -> list[str]:
    """The scores of parts, seeds and reference points for a terminal, a line each."""
    texts = [
        f"Part {part['fold']}, seed {part['seed']}: {percent(part['accuracy'])} ({part['correct']}/{part['total']}), "
        f"macro-F1 {part['macro_f1']:.3f}"
        for part in found["folds"]
    ]
    if len(found["seeds"]) > 1:
        each = ", ".join(f"{scores['macro_f1']:.3f}" for scores in found["seeds"])
        texts.append(f"Macro-F1 of each seed: {each}; spread {found['spread']:.3f}")
    for reference in found["references"].values():
        against = reference["model_against_it"]
        ends = against["macro_f1_change_interval"]
        reach = f"95 % interval {ends[0]:+.3f} to {ends[1]:+.3f}" if ends else TOO_FEW_FLIGHTS
        texts.append(
            f"{reference['label']}: {percent(reference['accuracy'])}, macro-F1 {reference['macro_f1']:.3f}; "
            f"the model's is {against['macro_f1_change']:+.3f} from it ({reach})"
        )
    return texts
