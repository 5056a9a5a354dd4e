"""The README is true: its commands run as written, its scores are reached, its map names what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.shared import COMMANDS, README, ROOT, Newcomer

# The whole job, with --full in its full length, on cores that other tests share.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def outputs(trained_workspace: Newcomer) -> dict[str, Any]:
    """What every command of the README printed, by its verb."""
    return trained_workspace.outputs


def test_the_readme_shows_the_whole_job() -> None:
    assert [command.split()[1] for command in COMMANDS] == [
        "check",
        "baseline",
        "train",
        "evaluate",
        "report",
        "predict",
        "batch",
        "cache",
        "runs",
    ]


@pytest.mark.slow
def test_the_sample_data_has_the_numbers_of_the_system_it_stands_for(outputs: dict[str, Any]) -> None:
    report = outputs["check"]
    assert report["photos"] == {"train": 218, "valid": 47, "test": 25}
    assert report["objects"] == {"train": 1129, "valid": 208, "test": 128}
    assert report["problems"] == []


def test_zero_shot_is_better_than_chance_and_short_of_tuned(outputs: dict[str, Any], full: bool) -> None:
    results = outputs["baseline"]
    assert results["total"] == (208 if full else 43)
    assert 0.5 <= results["overall_accuracy"] <= 0.85
    assert results["seconds"] < 30


@pytest.mark.slow
def test_the_whole_validation_split_is_judged_in_minutes(trained_workspace: Newcomer) -> None:
    assert 0.55 <= trained_workspace.outputs["baseline"]["overall_accuracy"] <= 0.75
    assert trained_workspace.seconds["baseline"] < 240  # with the reference points, on cores that other tests share


def test_the_reference_points_stand_beside_the_score_and_blind_answers_fall_to_guessing(
    outputs: dict[str, Any],
) -> None:
    results = outputs["baseline"]
    found = results["references"]
    assert list(found) == ["prior", "prompt_only", "texture_forest", "linear_probe", "blank", "shuffled"]
    assert found["blank"]["accuracy"] <= found["prior"]["accuracy"] + 0.05
    assert found["texture_forest"]["accuracy"] > results["overall_accuracy"]


def test_the_tuned_model_is_calibrated_on_photos_it_did_not_learn_from(outputs: dict[str, Any], full: bool) -> None:
    info, tested = outputs["train"], outputs["evaluate"]
    assert info["data"]["calibration_photos"] > 5
    assert info["data"]["train_photos"] + info["data"]["calibration_photos"] == (218 if full else 54)
    assert tested["calibration"]["photos"] == info["data"]["calibration_photos"]
    assert 0 < tested["calibration"]["temperature"]["condition"] < 20


def test_the_report_and_the_batch_are_written(outputs: dict[str, Any]) -> None:
    assert Path(outputs["report"]["path"]).stat().st_size > 50_000
    assert outputs["batch"]["status"] == "finished"


def test_less_than_an_epoch_of_training_already_teaches(outputs: dict[str, Any]) -> None:
    zero, info = outputs["baseline"], outputs["train"]
    assert info["data"]["fingerprint"] == zero["data"]["fingerprint"]
    assert info["best"]["accuracy"] > zero["overall_accuracy"] + 0.05
    assert info["best"]["macro_f1"] > zero["macro_f1"] + 0.1


@pytest.mark.slow
def test_six_epochs_of_training_teach_the_sample_set(outputs: dict[str, Any]) -> None:
    info, tested = outputs["train"], outputs["evaluate"]
    assert info["best"]["accuracy"] > 0.90
    assert info["best"]["macro_f1"] > 0.85
    assert tested["data"]["split"] == "test" and tested["total"] == 128
    assert tested["overall_accuracy"] > 0.85


def test_a_prediction_gives_every_condition_a_probability(outputs: dict[str, Any]) -> None:
    answer = outputs["predict"]["answers"][0]
    assert set(answer["probabilities"]) == {"normal", "blocked", "damaged"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_the_runs_are_listed(outputs: dict[str, Any]) -> None:
    runs = outputs["runs"]
    listed = runs["runs"] if isinstance(runs, dict) else runs
    assert {run["kind"] for run in listed} == {"baseline", "train", "evaluate", "batch"}
    assert {run["status"] for run in listed} == {"finished"}


def test_every_picture_is_there() -> None:
    for name in sorted(set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))):
        assert (ROOT / name).stat().st_size > 10_000, name


def test_every_file_it_names_is_there() -> None:
    named = sorted(set(re.findall(r"`((?:core|damgui|configs|tests|models)/[\w./-]*\w)`", README)))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w+)", README, re.M))
    assert named >= {"run", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in named)
