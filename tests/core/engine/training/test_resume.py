"""A training ends early, is stopped or killed: what it leaves behind, and that a resume goes on as if nothing was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from core.engine import models
from core.runs import store, worker
from core.runs.files import read_json

Trainings = Any  # of conftest.py


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


STEADY = {
    "training.epochs": 3,
    "training.save_steps": 2,
    "training.eval_steps": 2,
    "training.flip": True,
    "lora.dropout": 0.1,
}


def without_path(scores: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in scores.items() if key != "path"}


def test_a_resumed_training_equals_an_unbroken_one(trainings: Trainings) -> None:
    """Stopped within an epoch, at its end, and where a checkpoint and a test are due; dropout and mirroring on."""
    unbroken = trainings.train(STEADY, "unbroken")
    for stop_after in (3, 4):
        name = f"broken{stop_after}"
        first = trainings.train(STEADY, name, stop_after=stop_after)
        second = trainings.train(STEADY, name, resume=True)
        assert [event["step"] for event in first.reported.of("step")] == list(range(1, stop_after + 1))
        assert [event["step"] for event in second.reported.of("step")] == list(range(stop_after + 1, 10))
        fields = ("step", "epoch", "loss", "learning_rate", "grad_norm", "total_steps")
        reported = [[event[field] for field in fields] for run in (first, second) for event in run.reported.of("step")]
        assert reported == [[event[field] for field in fields] for event in unbroken.reported.of("step")]
        for folder in ("checkpoint-9", "best"):
            mine, its = second.weights(second.checkpoints / folder), unbroken.weights(unbroken.checkpoints / folder)
            assert all(torch.equal(mine[key], its[key]) for key in its)
        assert second.info["history"] == unbroken.info["history"]
        assert [entry["step"] for entry in second.info["history"]["evaluation"]] == [2, 4, 6, 8, 9]
        assert without_path(second.info["best"]) == without_path(unbroken.info["best"])
        assert second.info["final"] == unbroken.info["final"]


def test_a_stop_saves_a_checkpoint_and_publishes_nothing(trainings: Trainings) -> None:
    found = trainings.train(STEADY, stop_after=3)
    assert found.info["stopped"] is True
    assert found.info["adapter"] is None
    assert found.info["steps"] == 3
    assert not found.final.exists()
    assert found.reported.events[-1]["kind"] == "checkpoint"
    assert found.weights(found.checkpoints / "checkpoint-3")


def test_a_stop_at_the_last_step_is_a_finished_training(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 2}, stop_after=2)
    assert found.info["stopped"] is False
    assert found.final.is_dir()


def test_as_many_checkpoints_stay_as_asked_and_the_best_apart(trainings: Trainings) -> None:
    found = trainings.train(
        {"training.epochs": 3, "training.save_steps": 1, "training.eval_steps": 1, "training.keep_checkpoints": 2}
    )
    assert {path.name for path in found.checkpoints.iterdir()} == {"checkpoint-8", "checkpoint-9", "best"}
    tests = found.reported.of("evaluation")
    assert len(tests) == 9
    top = max(event["macro_f1"] for event in tests)
    first = next(event for event in tests if event["macro_f1"] == top)
    assert found.info["best"]["step"] == first["step"]
    assert found.info["best"]["macro_f1"] == top
    about = json.loads((found.checkpoints / "best" / "damgui.json").read_text())
    assert about["scores"]["step"] == first["step"]
    assert about["base_fingerprint"] == found.info["base_fingerprint"]
    best, final = found.weights(found.checkpoints / "best"), found.weights()
    assert all(torch.equal(best[key], final[key]) for key in best)
    assert not (found.final / "training_args.bin").exists()
    assert "LoRA adapter" in (found.final / "README.md").read_text()
    assert set(json.loads((found.final / "split.json").read_text())) == {"train", "valid"}


def validation_finds(monkeypatch: pytest.MonkeyPatch, marks: list[float]) -> None:
    """Validation finds these macro-F1 one after the other, whatever the model does."""
    left = iter(marks)

    def scored(rows: list[Any], intervals: bool) -> dict[str, float]:
        assert not intervals  # two thousand bootstrap samples have no place between two steps
        mark = next(left)
        return {"overall_accuracy": mark, "macro_f1": mark}

    monkeypatch.setattr("core.engine.training.trainer.score", scored)


EVERY_STEP = {"training.epochs": 3, "training.save_steps": 1, "training.eval_steps": 1, "training.early_stopping": 2}


def test_early_stopping_ends_after_so_many_tests_without_a_better_one(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    validation_finds(monkeypatch, [0.5, 0.3, 0.6, 0.6, 0.5, 0.9])
    found = trainings.train(EVERY_STEP)
    assert found.info["steps"] == 5
    assert found.info["best"]["step"] == 3
    assert found.info["stopped"] is False
    assert found.reported.of("warning")[-1]["text"].startswith("Stopped early")
    kept, third = found.weights(), found.weights(found.checkpoints / "checkpoint-3")
    assert all(torch.equal(kept[key], third[key]) for key in kept)


def test_early_stopping_remembers_over_a_resume(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that was due at the stop is made up for, and those before it count."""
    validation_finds(monkeypatch, [0.5, 0.3, 0.4, 0.2, 0.9])
    patient = {**EVERY_STEP, "training.early_stopping": 3}
    assert trainings.train(patient, stop_after=3).info["steps"] == 3
    found = trainings.train(patient, resume=True)
    assert found.info["steps"] == 4
    assert found.info["best"]["step"] == 1


def test_without_early_stopping_worse_tests_end_nothing(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    validation_finds(monkeypatch, [0.9] + [0.1] * 8)
    assert trainings.train({**EVERY_STEP, "training.early_stopping": 0}).info["steps"] == 9


@pytest.mark.parametrize("published", [True, False])
def test_a_run_that_was_killed_before_its_end_was_written_down_is_finished_without_learning_again(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    run = store.create(trainings.workspace, trainings.settings({"training.max_steps": 1}), "train", "pilot")
    write = worker.files.write_json

    def killed(*_: Any) -> None:
        raise Killed

    def killed_at_the_end(path: Path, value: Any) -> None:
        killed() if path == trainings.workspace.training_info("pilot") else write(path, value)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.files, "write_json", killed_at_the_end)
        if not published:
            patch.setattr("core.engine.training.run.publish", killed)
        with pytest.raises(Killed):
            worker.work(run.folder)
    assert trainings.workspace.final("pilot").exists() == published
    assert store.status(run) == "crashed"
    monkeypatch.setattr(models, "load", lambda wanted: pytest.fail("it learns again"))
    assert worker.work(run.folder) == 0
    assert store.status(run) == "finished"
    info = read_json(trainings.workspace.training_info("pilot"))
    assert info["adapter"] == str(trainings.workspace.final("pilot"))
    assert (info["steps"], info["stopped"]) == (1, False)
    best = trainings.workspace.checkpoints("pilot") / "best"
    assert contents(trainings.workspace.final("pilot")) == contents(best)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_half_written_checkpoint_is_not_resumed_from(trainings: Trainings) -> None:
    found = trainings.train({"training.save_steps": 1, "training.max_steps": 3}, stop_after=2)
    (found.checkpoints / "checkpoint-2" / "trainer_state.json").unlink()
    again = trainings.train({"training.save_steps": 1, "training.max_steps": 3}, resume=True)
    assert [event["step"] for event in again.reported.of("step")] == [2, 3]


def test_resuming_without_a_checkpoint_begins_at_the_first_step(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 2}, resume=True)
    assert [event["step"] for event in found.reported.of("step")] == [1, 2]
