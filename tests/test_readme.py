"""The README is true: its commands run as written, its scores are reached, its map names what is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.demo.sample_set import plan_photos
from damgui.cli import commands

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines()]


@dataclass(frozen=True)
class Newcomer:
    """A folder in which the README's commands were run, in its order: their documents and seconds, by command."""

    outputs: dict[str, Any]
    seconds: dict[str, float]


def run(command: str, folder: Path) -> Any:
    """What a `damgui …` line, run in `folder` in a process of its own, prints with --json."""
    program, *words = shlex.split(command)
    assert program == "damgui"
    line = [sys.executable, "-m", "damgui", *words, "--json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=2700, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    """Every command of the README, run as written in an empty folder."""
    folder = tmp_path_factory.mktemp("newcomer")
    made = Newcomer({}, {})
    for command in COMMANDS:
        verb = command.split()[1]
        began = time.monotonic()
        made.outputs[verb] = run(command, folder)
        made.seconds[verb] = time.monotonic() - began
    return made


@pytest.fixture(scope="module")
def outputs(newcomer: Newcomer) -> dict[str, Any]:
    """What every command of the README printed, by its verb."""
    return newcomer.outputs


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


def test_its_commands_and_their_settings_are_understood() -> None:
    """As far as words go; --full runs them."""
    for command in COMMANDS:
        args = commands._parser().parse_args(shlex.split(command)[1:])
        if hasattr(args, "set"):
            assert commands.settings_of(args), command


def test_its_photo_is_one_of_the_sample_set() -> None:
    (command,) = (line for line in COMMANDS if line.startswith("damgui predict"))
    photo = re.search(r"--image sample-data/(\w+)/images/(\w+)\.jpg", command)
    assert photo and photo.groups() in {(planned.split, planned.name) for planned in plan_photos()}


@pytest.mark.slow
@pytest.mark.timeout(5400)  # the whole job, on cores that other tests share
class TestItsCommands:
    """Run as written, in an empty folder."""

    def test_the_sample_data_has_the_numbers_of_the_system_it_stands_for(self, outputs: dict[str, Any]) -> None:
        report = outputs["check"]
        assert report["photos"] == {"train": 218, "valid": 47, "test": 25}
        assert report["objects"] == {"train": 1129, "valid": 208, "test": 128}
        assert report["problems"] == []

    def test_zero_shot_is_better_than_chance_and_short_of_tuned(self, newcomer: Newcomer) -> None:
        results = newcomer.outputs["baseline"]
        assert results["total"] == 208
        assert 0.55 <= results["overall_accuracy"] <= 0.75
        assert results["seconds"] < 30
        assert newcomer.seconds["baseline"] < 240  # with the reference points, on cores that other tests share

    def test_the_reference_points_stand_beside_the_score_and_blind_answers_fall_to_guessing(
        self, outputs: dict[str, Any]
    ) -> None:
        results = outputs["baseline"]
        found = results["references"]
        assert list(found) == ["prior", "prompt_only", "texture_forest", "linear_probe", "blank", "shuffled"]
        assert found["blank"]["accuracy"] <= found["prior"]["accuracy"] + 0.05
        assert found["texture_forest"]["accuracy"] > results["overall_accuracy"]

    def test_training_teaches(self, outputs: dict[str, Any]) -> None:
        zero, info, tested = outputs["baseline"], outputs["train"], outputs["evaluate"]
        assert info["data"]["fingerprint"] == zero["data"]["fingerprint"]
        assert info["best"]["accuracy"] > 0.90 > zero["overall_accuracy"]
        assert info["best"]["macro_f1"] > 0.85 > zero["macro_f1"]
        assert tested["data"]["split"] == "test" and tested["total"] == 128
        assert tested["overall_accuracy"] > 0.85

    def test_the_tuned_model_is_calibrated_on_photos_it_did_not_learn_from(self, outputs: dict[str, Any]) -> None:
        info, tested = outputs["train"], outputs["evaluate"]
        assert info["data"]["calibration_photos"] > 5
        assert info["data"]["train_photos"] + info["data"]["calibration_photos"] == 218
        assert tested["calibration"]["photos"] == info["data"]["calibration_photos"]
        assert 0 < tested["calibration"]["temperature"]["condition"] < 20

    def test_the_report_and_the_batch_are_written(self, outputs: dict[str, Any]) -> None:
        assert Path(outputs["report"]["path"]).stat().st_size > 50_000
        assert outputs["batch"]["status"] == "finished"

    def test_a_prediction_gives_every_condition_a_probability(self, outputs: dict[str, Any]) -> None:
        answer = outputs["predict"]["answers"][0]
        assert set(answer["probabilities"]) == {"normal", "blocked", "damaged"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1)

    def test_the_runs_are_listed(self, outputs: dict[str, Any]) -> None:
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
