"""The main job on real photos: every command reads them, judges them, learns from them. They stay where they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real")


def damgui(workspace: Path, *words: str) -> Any:
    line = [sys.executable, "-m", "damgui", *words, "--workspace", str(workspace), "--json"]
    done = subprocess.run(line, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_check_counts_every_object_and_finds_nothing_wrong(real_photos: Path, workspace: Path) -> None:
    report = damgui(workspace, "check", "--data", str(real_photos))
    assert sum(report["photos"].values()) == 217
    assert sum(report["objects"].values()) == 1129
    assert report["problems"] == []
    assert set(report["photos"]) >= {"train", "valid"}


@pytest.fixture(scope="module")
def trained(real_photos: Path, workspace: Path) -> dict[str, Any]:
    """Twelve steps on all the photos."""
    short = ("--set", "training.max_steps=12", "--set", "training.eval_steps=12", "--set", "training.save_steps=12")
    return damgui(workspace, "train", "--model", "demo", "--name", "real", "--data", str(real_photos), *short)


@pytest.mark.slow
@pytest.mark.timeout(1500)  # a whole training on all the photos, on cores that other tests share
def test_baseline_train_and_evaluate_agree_on_the_same_validation_objects(
    real_photos: Path, workspace: Path, trained: dict[str, Any]
) -> None:
    data, info = ("--data", str(real_photos)), trained
    zero = damgui(workspace, "baseline", "--model", "demo", *data)
    tuned = damgui(
        workspace,
        "evaluate",
        "--model",
        str(workspace / "models" / "real_final"),
        *data,
        "--split",
        "valid",
        "--set",
        "judging.references=false",
    )
    assert info["steps"] == 12
    # What the model sees decides: blank photos make it no better, and colour and texture alone beat the base model.
    found = zero["references"]
    assert found["blank"]["accuracy"] < found["texture_forest"]["accuracy"]
    assert found["texture_forest"]["macro_f1"] > zero["macro_f1"]
    assert zero["data"]["fingerprint"] == tuned["data"]["fingerprint"] == info["data"]["fingerprint"]
    assert zero["total"] == tuned["total"] > 150
    assert tuned["overall_accuracy"] == pytest.approx(info["best"]["accuracy"], abs=1e-6)
    # Twelve steps teach little, but the demo model has never seen a real photo: its zero-shot answers are poor.
    losses = [loss for _step, loss in info["history"]["train"]]
    assert sum(losses[-3:]) < sum(losses[:3])


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("trained")
def test_training_and_validation_never_share_a_flight(workspace: Path) -> None:
    split = json.loads(next((workspace / "experiments" / "runs").glob("*-train-real/split.json")).read_text())
    names = split.get("splits", split)
    flights = {
        part: {Path(name).name.rsplit("_V_", 1)[0].rsplit("_", 1)[0] for name in names[part]}
        for part in ("train", "valid")
    }
    assert flights["train"] and flights["valid"]
    assert not flights["train"] & flights["valid"]
