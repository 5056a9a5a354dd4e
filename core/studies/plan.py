"""What a study is: many small trainings, one after the other, that differ in one thing. Which ones, and in which order.

An ablation trains with none, each and all of the enhancements, several times each; cross-validation trains once for
every part of the photos. The trainings themselves are core.engine.studies's.
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
MOST_SEEDS = 20


@dataclass(frozen=True)
class StudyPlan:
    """What was asked for. `folds` is the number of parts that data without a test split is dealt into; `keep` keeps
    the trained models."""

    kind: str
    variants: tuple[str, ...]
    seeds: int
    folds: int
    keep: bool = False


@dataclass(frozen=True)
class StudyCell:
    """One training: its name (also that of its folder), what it is one of, and how its settings differ.

    `fold` is the part of the photos that it is judged on; None where the data's own test split does that.
    """

    variant: str
    seed: int
    fold: int | None
    changes: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        return f"{self.variant}-{self.seed}"

    @property
    def label(self) -> str:
        return f"{label(self.variant)}, seed {self.seed}"


def enhancements_of(variant: str) -> tuple[str, ...]:
    """The enhancements that a variant switches on: of `none`, `all`, a name, or names joined by +."""
    if variant in (NONE, ALL):
        return ENHANCEMENTS if variant == ALL else ()
    return tuple(variant.split("+"))


def switches(variant: str) -> dict[str, bool]:
    """The five settings of a variant, {"enhance.oversampling": True, …}."""
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
    """The ablation over these variants (all of them when there are none). `none` is always among them: without it
    there is nothing to differ from. Raises UserError for names that are no variant."""
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
    """Cross-validation in `folds` parts (0: those of `data.folds`, else five)."""
    parts = _folds(folds or settings.data.folds or FOLDS)
    return StudyPlan("crossval", tuple(f"fold{fold}" for fold in range(parts)), _seeds(seeds), parts, keep)


def _seeds(seeds: int) -> int:
    if not 1 <= seeds <= MOST_SEEDS:
        raise UserError(f"{seeds} seeds", "--seeds", f"Give 1 to {MOST_SEEDS}.", "study")
    return seeds


def _folds(folds: int) -> int:
    if not 2 <= folds <= 50:
        raise UserError(f"{folds} parts to deal the photos into", "--folds", "Give 2 to 50.", "study")
    return folds


def study_cells(plan: StudyPlan, first_seed: int, has_test: bool) -> tuple[StudyCell, ...]:
    """All trainings of a study, seed by seed: one that is stopped half-way is a fair table already.

    An ablation is judged on the test split where the data has one (and no folds were asked for), else every seed holds
    back another part, the same for all variants. Cross-validation holds back every part once for each seed.
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
    return asdict(plan)


def from_dict(tree: Any, file: Path) -> StudyPlan:
    """The plan that `to_dict` made a tree of, read from this file. Raises UserError when it is none."""
    if not isinstance(tree, dict) or set(tree) != {field.name for field in fields(StudyPlan)}:
        raise UserError("this study's plan is gone", str(file), "Start the study again.", "study")
    return StudyPlan(**{**tree, "variants": tuple(tree["variants"])})
