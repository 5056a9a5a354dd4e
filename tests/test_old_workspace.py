"""A workspace of an earlier version opens, compares, reports, predicts and goes on, with the numbers it had then."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.report import document
from core.runs import store
from core.runs.files import read_lines
from core.runs.workspace import Workspace
from damgui.cli import commands
from damgui.scores import evaluations
from damgui.snapshot import take_snapshot
from damgui.tabs.compare import view
from tests.shared import OLD_WORKSPACE, old_workspace

ROOT = Path(__file__).resolve().parents[1]
EXPECTED: Mapping[str, Any] = json.loads(OLD_WORKSPACE.with_name("workspace-2c807ba.json").read_text(encoding="utf-8"))

Command = Callable[..., Any]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace, its placeholders filled in. The tests below go on with it in their order."""
    return old_workspace(tmp_path_factory.mktemp("old"))


@pytest.fixture
def workspace(root: Path) -> Workspace:
    return store.open_workspace(root)


@pytest.fixture
def command(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """command(words): what `damgui WORDS --json` prints in the workspace."""
    monkeypatch.chdir(root)

    def ask(*words: str) -> Any:
        code = commands.main([*words, "--json"])
        out, errors = capsys.readouterr()
        assert code == 0, errors
        return json.loads(out)

    return ask


def same_answers(rows: Sequence[Mapping[str, Any]], expected: Sequence[Mapping[str, Any]]) -> None:
    assert [(row["image"], row["object"]) for row in rows] == [(row["image"], row["object"]) for row in expected]
    for row, old in zip(rows, expected, strict=True):
        assert row["probabilities"] == pytest.approx(old["probabilities"], abs=1e-4)
        assert row["predicted"] == old["predicted"]


def test_its_runs_are_listed_with_kind_and_status(command: Command) -> None:
    found = [{key: run[key] for key in ("id", "kind", "name", "status")} for run in command("runs")]
    assert found == EXPECTED["runs"]


def test_the_settings_of_every_run_are_read(workspace: Workspace) -> None:
    for run in store.list_runs(workspace):
        old, settings = yaml.safe_load(run.config.read_text(encoding="utf-8")), run.settings()
        for part, name in (("model", "path"), ("data", "path"), ("lora", "rank"), ("training", "max_steps")):
            assert getattr(getattr(settings, part), name) == old[part][name], run.id


def test_its_judged_runs_are_shown_and_compared(workspace: Workspace) -> None:
    runs = evaluations.evaluated_runs(take_snapshot(workspace))
    for run, old in zip(runs, EXPECTED["judged"], strict=True):
        found = {key: run.found[key] for key in ("macro_f1", "total", "correct")}
        found |= {"accuracy": run.found["overall_accuracy"], "answers": len(run.shown.rows)}
        found |= {key: getattr(run, key) for key in ("id", "name", "tuned", "split", "objects")}
        assert found == old
    pairs = {(a.id, b.id): (a, b) for a, b in itertools.permutations(runs, 2) if not view.why_not(a, b)}
    assert list(pairs) == [(old["before"], old["after"]) for old in EXPECTED["compared"]]
    for old, (before, after) in zip(EXPECTED["compared"], pairs.values(), strict=True):
        found = view.compared(before, after)
        for key in ("better", "worse", "total", "accuracy_change", "macro_f1_change"):
            assert found[key] == old[key]
        assert view.headline(before, after)


def test_a_report_is_written_of_every_run_that_judged(workspace: Workspace) -> None:
    for name, old in EXPECTED["reports"].items():
        made = document.write(store.find_run(workspace, name))
        outcome = document.outcome(made)
        assert {key: outcome[key] for key in old} == old and outcome["left_out"] == 0
        assert Path(outcome["path"]).stat().st_size > 20_000


def test_its_adapter_and_its_checkpoint_answer_as_they_did(command: Command) -> None:
    for old in EXPECTED["predict"]:
        chosen = () if "--box" in old["words"] else ("--whole-photo",)  # then the default, now a choice
        (answer,) = command(*old["words"], *chosen)["answers"]
        for key in ("probabilities", "class_probabilities", "calibrated"):
            assert (answer.get(key) is None) == (old[key] is None)
            assert old[key] is None or answer[key] == pytest.approx(old[key], abs=1e-4)
        for key in ("predicted_type", "predicted", "unsure"):
            assert answer[key] == old[key]


def test_its_stopped_training_goes_on_to_the_end_that_it_would_have_had(command: Command, workspace: Workspace) -> None:
    info, old = command("train", "--resume", "--name", "halfway"), EXPECTED["train"]
    assert (info["status"], info["steps"]) == ("finished", old["steps"])
    assert [step for step, _ in info["history"]["train"]] == [step for step, _ in old["history"]["train"]]
    losses = [loss for _, loss in info["history"]["train"]]
    assert losses == pytest.approx([loss for _, loss in old["history"]["train"]], rel=1e-3)
    for name in ("final", "best"):
        assert {key: info[name][key] for key in old[name]} == pytest.approx(old[name], rel=1e-3)
    assert (workspace.final("halfway") / "adapter_model.safetensors").is_file()


def test_its_stopped_study_goes_on(command: Command, workspace: Workspace) -> None:
    found, old = command("ablate", "--resume"), EXPECTED["ablate"]
    assert (found["run"], found["status"], found["complete"]) == (old["run"], "finished", True)
    for cell, before in zip(found["cells"], old["cells"], strict=True):
        assert {key: cell[key] for key in before} == pytest.approx(before)
    for cell, rows in old["answers"].items():
        same_answers(read_lines(workspace.runs / old["run"] / "cells" / cell / "predictions.jsonl"), rows)


def test_its_killed_batch_goes_on(command: Command, workspace: Workspace) -> None:
    found, old = command("batch", "--resume"), EXPECTED["batch"]
    assert (found["run"], found["status"]) == (old["run"], "finished")
    for key in ("objects", "conditions", "classes"):
        assert found[key] == old[key]
    same_answers(read_lines(workspace.runs / old["run"] / "predictions.jsonl"), old["answers"])
