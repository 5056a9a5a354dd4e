"""Which trainings a study consists of, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs.files import read_json, write_json
from core.settings import FIELDS, Settings, merge
from core.studies import plan as studies
from core.studies.plan import ALL, ENHANCEMENTS, NONE, VARIANTS, StudyPlan, plan_ablation, plan_crossval, study_cells


def test_the_five_enhancements_are_the_switches_of_the_settings() -> None:
    assert len(ENHANCEMENTS) == 5
    assert [FIELDS[f"enhance.{enhancement}"].type for enhancement in ENHANCEMENTS] == [bool] * 5
    assert (NONE, *ENHANCEMENTS, ALL) == VARIANTS


def test_a_whole_ablation_is_every_variant_for_every_seed_seed_by_seed() -> None:
    found = study_cells(plan_ablation([], 3, Settings()), 0, has_test=True)
    assert [(cell.seed, cell.variant) for cell in found] == [(seed, name) for seed in range(3) for name in VARIANTS]
    assert len({cell.name for cell in found}) == 21
    assert {cell.fold for cell in found} == {None}
    assert not any("data.fold" in cell.changes for cell in found)


@pytest.mark.parametrize(
    ("variant", "on"),
    [
        ("none", set()),
        ("oversampling", {"oversampling"}),
        ("class_weighting+oversampling", {"class_weighting", "oversampling"}),
        ("all", set(ENHANCEMENTS)),
    ],
)
def test_a_cell_switches_its_enhancements_on_and_all_others_off(variant: str, on: set[str]) -> None:
    all_on = merge(Settings(), {f"enhance.{enhancement}": True for enhancement in ENHANCEMENTS})
    found = next(
        cell for cell in study_cells(plan_ablation([variant, "all"], 1, all_on), 0, True) if cell.variant == variant
    )
    settings = merge(all_on, found.changes)
    assert {enhancement for enhancement in ENHANCEMENTS if getattr(settings.enhance, enhancement)} == on
    assert settings.data.calibration_share == 0
    assert settings.judging.references is False
    assert settings.data.split == "test"


def test_without_a_test_split_every_seed_is_judged_on_another_part_the_same_for_all_variants() -> None:
    found = study_cells(plan_ablation(["all"], 7, Settings()), 10, has_test=False)
    assert [(cell.variant, cell.seed, cell.fold) for cell in found[:4]] == [
        ("none", 10, 0),
        ("all", 10, 0),
        ("none", 11, 1),
        ("all", 11, 1),
    ]
    assert [cell.fold for cell in found if cell.variant == "none"] == [0, 1, 2, 3, 4, 0, 1]
    assert all((cell.changes["data.folds"], cell.changes["data.fold"]) == (5, cell.fold) for cell in found)


def test_cross_validation_holds_back_every_part_once_for_each_seed_and_leaves_the_settings_alone() -> None:
    found = study_cells(plan_crossval(3, 2, Settings()), 0, has_test=True)
    assert [(cell.seed, cell.fold) for cell in found] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert set(found[0].changes) == {"training.seed", "data.split", "data.folds", "data.fold"}
    assert len({cell.name for cell in found}) == 6


@pytest.mark.parametrize(
    ("only", "variants"),
    [
        (["all"], ("none", "all")),
        (["none", " oversampling "], ("none", "oversampling")),
        (["oversampling", "none", "oversampling"], ("none", "oversampling")),
        (["oversampling+class_weighting", "class_weighting+oversampling"], ("none", "class_weighting+oversampling")),
        (["+".join(reversed(ENHANCEMENTS))], ("none", "all")),
        ([""], VARIANTS),
    ],
)
def test_variants_are_named_once_and_none_is_always_among_them(only: Sequence[str], variants: Sequence[str]) -> None:
    assert plan_ablation(only, 1, Settings()).variants == tuple(variants)


@pytest.mark.parametrize(
    ("only", "seeds", "message"),
    [
        (["oversamplin"], 3, "'oversamplin' is no variant"),
        (["none"], 3, "an ablation of nothing"),
        (["all"], 0, "0 seeds"),
        (["all"], 21, "Give 1 to 20"),
    ],
)
def test_what_is_no_study_is_refused_with_a_cure(only: list[str], seeds: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_ablation(only, seeds, Settings())


@pytest.mark.parametrize(("requested", "setting", "folds"), [(0, 0, 5), (4, 0, 4), (0, 7, 7), (3, 7, 3)])
def test_the_parts_are_those_asked_for_then_those_of_the_settings_then_five(
    requested: int, setting: int, folds: int
) -> None:
    assert plan_crossval(requested, 1, merge(Settings(), {"data.folds": setting})).folds == folds


@pytest.mark.parametrize("folds", [1, -1, 51])
def test_a_number_of_parts_that_makes_no_sense_is_refused(folds: int) -> None:
    with pytest.raises(UserError, match="Give 2 to 50"):
        plan_crossval(folds, 1, Settings())


def test_a_plan_survives_the_way_through_its_file(tmp_path: Path) -> None:
    plan, file = StudyPlan("ablate", ("none", "all"), 2, 5, True), tmp_path / "study.json"
    write_json(file, studies.to_dict(plan))
    assert studies.from_dict(read_json(file), file) == plan


@pytest.mark.parametrize("tree", [None, [], {"kind": "ablate"}])
def test_a_missing_or_foreign_plan_is_said_clearly(tree: object) -> None:
    with pytest.raises(UserError, match="plan is gone"):
        studies.from_dict(tree, Path("study.json"))
