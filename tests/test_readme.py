"""The README is true: its commands run as written, its scores are reached, its map names what is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The whole job, with --full in its full length, on cores that other tests share.
pytestmark = pytest.mark.timeout(1500)
# Without --full training stops here: enough to see that it teaches, a seventh of the time.
SHORT = ["--set", "training.max_steps=42", "--set", "training.eval_steps=42"]
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines()]


def run(command: str, folder: Path, also: Sequence[str] = ()) -> tuple[int, Any, str]:
    """A `damgui …` line as written, with --json, in `folder`: (exit code, document, stderr)."""
    words = shlex.split(command)
    assert words[0] == "damgui"
    line = [sys.executable, "-m", "damgui", *words[1:], *also, *(["--json"] if words[1] != "app" else [])]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


@pytest.fixture(scope="module")
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, full: bool) -> dict[str, tuple[Any, float]]:
    """Every command of the README, run in its order in one fresh folder: verb -> (document, seconds)."""
    folder = tmp_path_factory.mktemp("newcomer")
    found = {}
    for command in COMMANDS:
        began = time.monotonic()
        short = [] if full or " train " not in command else SHORT
        code, document, errors = run(command, folder, short)
        assert code == 0, f"{command}\n{errors}"
        found[command.split()[1]] = (document, time.monotonic() - began)
    return found


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


def test_the_sample_data_has_the_numbers_of_the_system_it_stands_for(said: dict[str, tuple[Any, float]]) -> None:
    report, _ = said["check"]
    assert report["photos"] == {"train": 218, "valid": 47, "test": 25}
    assert report["objects"] == {"train": 1129, "valid": 208, "test": 128}
    assert report["problems"] == []


def test_zero_shot_is_better_than_chance_and_short_of_tuned(said: dict[str, tuple[Any, float]]) -> None:
    results, seconds = said["baseline"]
    assert results["total"] == 208
    assert 0.55 <= results["overall_accuracy"] <= 0.75
    assert results["seconds"] < 30
    assert seconds < 240  # with the reference points, on cores that other tests share


def test_the_reference_points_stand_beside_the_score_and_blind_answers_fall_to_guessing(
    said: dict[str, tuple[Any, float]],
) -> None:
    results, _ = said["baseline"]
    found = results["references"]
    assert list(found) == ["prior", "prompt_only", "texture_forest", "linear_probe", "blank", "shuffled"]
    assert found["blank"]["accuracy"] <= found["prior"]["accuracy"] + 0.05
    assert found["texture_forest"]["accuracy"] > results["overall_accuracy"]


def test_the_tuned_model_is_calibrated_on_photos_it_did_not_learn_from(said: dict[str, tuple[Any, float]]) -> None:
    info, tested = said["train"][0], said["evaluate"][0]
    assert info["data"]["calibration_photos"] > 5
    assert info["data"]["train_photos"] + info["data"]["calibration_photos"] == 218
    assert tested["calibration"]["photos"] == info["data"]["calibration_photos"]
    assert 0 < tested["calibration"]["temperature"]["condition"] < 20


def test_the_report_and_the_batch_are_written(said: dict[str, tuple[Any, float]]) -> None:
    assert Path(said["report"][0]["path"]).stat().st_size > 50_000
    assert said["batch"][0]["status"] == "finished"


def test_less_than_an_epoch_of_training_already_teaches(said: dict[str, tuple[Any, float]]) -> None:
    zero, info = said["baseline"][0], said["train"][0]
    assert info["data"]["fingerprint"] == zero["data"]["fingerprint"]
    assert info["best"]["accuracy"] > zero["overall_accuracy"] + 0.05
    assert info["best"]["macro_f1"] > zero["macro_f1"] + 0.1


def test_six_epochs_of_training_teach_the_sample_set(said: dict[str, tuple[Any, float]], full: bool) -> None:
    if not full:
        pytest.skip("trains for minutes; --full does")
    info, _ = said["train"]
    assert info["best"]["accuracy"] > 0.90
    assert info["best"]["macro_f1"] > 0.85
    tested, _ = said["evaluate"]
    assert tested["data"]["split"] == "test" and tested["total"] == 128
    assert tested["overall_accuracy"] > 0.85


def test_a_prediction_gives_every_condition_a_probability(said: dict[str, tuple[Any, float]]) -> None:
    answer = said["predict"][0]["answers"][0]
    assert set(answer["probabilities"]) == {"normal", "blocked", "damaged"}
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_the_runs_are_listed(said: dict[str, tuple[Any, float]]) -> None:
    runs = said["runs"][0]
    listed = runs["runs"] if isinstance(runs, dict) else runs
    assert {one["kind"] for one in listed} == {"baseline", "train", "evaluate", "batch"}
    assert {one["status"] for one in listed} == {"finished"}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"!\[[^]]*\]\(([^)]+)\)", README))))
def test_every_picture_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 10_000


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`((?:core|damgui|configs|tests|models)/[\w./-]*\w)`", README)))
)
def test_every_file_it_names_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make (\w+)", README, re.M))
    assert named >= {"run", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in named)
