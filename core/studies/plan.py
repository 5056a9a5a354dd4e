"""Studies: many small trainings that differ in one thing. Here is which ones they are, and in which order.

An ablation trains with none, each and all of the enhancements, several times each; cross-validation trains once for
every part (fold) of the photos. `core.engine.studies` runs the trainings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.settings import EnhanceSettings, Settings

NONE, ALL = "none", "all"
ENHANCEMENTS: tuple[str, ...] = tuple(
    field.name for field in fields(EnhanceSettings) if isinstance(field.default, bool)
)
VARIANTS = (NONE, *ENHANCEMENTS, ALL)
SEEDS = {"ablate": 3, "crossval": 1}
FOLDS = 5
MOST_FOLDS = 50
MOST_SEEDS = 20


@dataclass(frozen=True)
class StudyPlan:
    """The study that was requested.

    Attributes:
        kind: ablate or crossval.
        variants: Names of the variants, in the order in which they are trained.
        seeds: How many times each variant is trained.
        folds: Number of parts into which the photos are divided; an ablation ignores it when the data has a test split.
        keep: Whether the trained models are kept.
    """

    kind: str
    variants: tuple[str, ...]
    seeds: int
    folds: int
    keep: bool = False


@dataclass(frozen=True)
class StudyCell:
    """One training of a study.

    Attributes:
        variant: Which variant it trains.
        seed: The seed of the training.
        fold: The part of the photos that it is judged on; None when the data's own test split is used.
        changes: How its settings differ from the study's, {"training.seed": 1, …}.
    """

    variant: str
    seed: int
    fold: int | None
    changes: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """Its name within the study, also that of its folder."""
        return f"{self.variant}-{self.seed}"

    @property
    def label(self) -> str:
        """Its variant and seed in words."""
        return f"{label(self.variant)}, seed {self.seed}"


def enhancements_of(variant: str) -> tuple[str, ...]:
    """The enhancements that a variant switches on; a variant is `none`, `all`, a name, or names joined by +."""
    if variant in (NONE, ALL):
        return ENHANCEMENTS if variant == ALL else ()
    return tuple(variant.split("+"))


def switches(variant: str) -> dict[str, bool]:
    """The settings of all five enhancements in a variant, {"enhance.oversampling": True, …}."""
    on = enhancements_of(variant)
    return {f"enhance.{name}": name in on for name in ENHANCEMENTS}


def label(variant: str) -> str:
    """A variant in words."""
    if variant == NONE:
        return "no enhancement"
    if variant == ALL:
        return "all together"
    if variant.startswith("fold"):
        return f"part {variant.removeprefix('fold')} held back"
    parts = [name.replace("_", " ") for name in enhancements_of(variant)]
    return " + ".join(parts) if len(parts) > 1 else f"{parts[0]} alone"


def plan_ablation(only: Sequence[str], seeds: int, settings: Settings, keep: bool = False) -> StudyPlan:
    """Plan an ablation.

    Args:
        only: The variants to train, to which `none` is always added for comparison; all of VARIANTS when empty.
        seeds: How many times each variant is trained.
        settings: The study's settings; `data.folds` decides the number of folds, five when it is 0.
        keep: Whether the trained models are kept.

    Raises:
        UserError: A name is no variant, only `none` is left, or the number of seeds or folds is not allowed.
    """
    wanted = [name.strip() for name in only if name.strip()] or list(VARIANTS)
    unknown = [name for name in wanted if set(enhancements_of(name)) - set(ENHANCEMENTS)]
    if unknown:
        fix = f"Choose among {', '.join(VARIANTS)}, or join names by +."
        raise UserError(f"{unknown[0]!r} is no variant of an ablation", "--only", fix, "study")
    found: dict[tuple[str, ...], str] = {(): NONE}  # one name for one set of switches, whatever their order
    for variant in wanted:
        on = enhancements_of(variant)
        tidy = tuple(name for name in ENHANCEMENTS if name in on)
        found.setdefault(tidy, ALL if tidy == ENHANCEMENTS else "+".join(tidy))
    if len(found) == 1:
        raise UserError("an ablation of nothing", "--only", "Name at least one enhancement, or all.", "study")
    return StudyPlan("ablate", tuple(found.values()), _seeds(seeds), _folds(settings.data.folds or FOLDS), keep)


def plan_crossval(folds: int, seeds: int, settings: Settings, keep: bool = False) -> StudyPlan:
    """Plan a cross-validation.

    Args:
        folds: Number of folds; 0 takes that of `data.folds`, or five.
        seeds: How many times each fold's model is trained.
        settings: The study's settings.
        keep: Whether the trained models are kept.

    Raises:
        UserError: The number of seeds or folds is not allowed.
    """
    parts = _folds(folds or settings.data.folds or FOLDS)
    return StudyPlan("crossval", tuple(f"fold{fold}" for fold in range(parts)), _seeds(seeds), parts, keep)


def _seeds(seeds: int) -> int:
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"{seeds} seeds", "--seeds", f"Give 1 to {MOST_SEEDS}.", "study")
    return seeds


def _folds(folds: int) -> int:
    if not 2 <= folds <= MOST_FOLDS:
        raise UserError(f"{folds} parts to deal the photos into", "--folds", f"Give 2 to {MOST_FOLDS}.", "study")
    return folds


def study_cells(plan: StudyPlan, first_seed: int, has_test: bool) -> tuple[StudyCell, ...]:
    """All trainings of a study, seed by seed, so that a study stopped half-way still compares its variants fairly.

    An ablation is judged on the test split where the data has one; else each seed holds out another fold, the same for
    all variants. Cross-validation holds out every fold once for each seed.

    Args:
        plan: The study.
        first_seed: The seed of the first training of each variant; the others count up from it.
        has_test: Whether an ablation is judged on the data's own test split: it has one and no folds were requested.
    """
    found = []
    for index in range(plan.seeds):
        for place, variant in enumerate(plan.variants):
            seed = first_seed + index
            changes: dict[str, Any] = {"training.seed": seed, "data.split": "test"}
            if plan.kind == "crossval":
                fold: int | None = place
            else:
                fold = None if has_test else index % plan.folds
                changes |= {**switches(variant), "data.calibration_share": 0.0, "judging.references": False}
            changes |= {"data.folds": plan.folds, "data.fold": fold} if fold is not None else {}
            found.append(StudyCell(variant, seed, fold, changes))
    return tuple(found)


def to_dict(plan: StudyPlan) -> dict[str, Any]:
    """The plan as plain values for JSON."""
    return asdict(plan)


def from_dict(tree: Any, file: Path) -> StudyPlan:
    """The plan that `to_dict` made `tree` of.

    Args:
        tree: What the file holds; None when it does not exist.
        file: The file, for the error's text.

    Raises:
        UserError: `tree` is no plan.
    """
    if not isinstance(tree, dict) or set(tree) != {field.name for field in fields(StudyPlan)}:
        raise UserError("this study's plan is gone", str(file), "Start the study again.", "study")
    return StudyPlan(**{**tree, "variants": tuple(tree["variants"])})
