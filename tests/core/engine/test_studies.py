"""Real studies of a tiny model: whatever interrupts one, it ends as if nothing had, and it leaves only its answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.engine import studies
from core.engine.training.run import earlier_seconds
from core.errors import UserError
from core.runs.events import event, read_events
from core.runs.files import read_json, read_lines
from core.settings import Settings
from core.studies.plan import StudyPlan, plan_ablation

pytestmark = pytest.mark.slow  # many trainings

Trainings = Any  # of conftest.py
SHORT = {"training.max_steps": 3, "training.batch_size": 1, "training.save_steps": 2, "training.eval_steps": 2}


@dataclass
class Recorder:
    """A reporter that remembers; asks to stop once `stop` holds, and breaks off once `quit` holds."""

    stop: Callable[[], bool] = lambda: False
    quit: Callable[[], bool] = lambda: False
    events: list[dict[str, Any]] = field(default_factory=list)

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append(event(kind, **fields))

    def stop_requested(self) -> bool:
        if self.quit():
            raise KeyboardInterrupt
        return self.stop()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


@dataclass(frozen=True)
class Study:
    """A study's run folder, to do it in one go or in several."""

    trainings: Trainings
    settings: Settings
    plan: StudyPlan
    name: str

    @property
    def folder(self) -> Path:
        found: Path = self.trainings.folder(self.name)
        return found

    def do(self, reported: Recorder | None = None) -> dict[str, Any]:
        return studies.run(self.settings, self.plan, self.folder, self.trainings.workspace, reported or Recorder())

    def steps(self, cell: str) -> list[int]:
        """Every step of a cell that was ever taken."""
        log = self.folder / "cells" / cell / "train" / "events.jsonl"
        return [event["step"] for event in read_events(log) if event["kind"] == "step"]

    def answers(self) -> dict[str, list[dict[str, Any]]]:
        return {path.parent.name: read_lines(path) for path in self.folder.glob("cells/*/predictions.jsonl")}


@pytest.fixture
def study(trainings: Trainings, tested_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Study]:
    """study(name, plan, **settings). Two steps tried before each of these trainings would cost more than they do."""
    monkeypatch.setattr("core.engine.training.run.dry_run_first", lambda *_: None)

    def made(name: str = "study", plan: StudyPlan | None = None, **changes: Any) -> Study:
        settings = trainings.settings({**SHORT, "data.path": str(tested_folder), **changes})
        return Study(trainings, settings, plan or plan_ablation(["none", "all"], 1, settings), name)

    return made


def timeless(found: dict[str, Any]) -> dict[str, Any]:
    """Results without how long anything took."""
    cells = [{key: value for key, value in cell.items() if key != "seconds"} for cell in found["cells"]]
    return {**{key: value for key, value in found.items() if key != "seconds"}, "cells": cells}


def test_an_ablation_trains_and_judges_every_cell_on_test_photos_that_none_of_them_saw(
    study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, reported = study(), Recorder()
    monkeypatch.undo()  # this one study tries its steps
    found = mine.do(reported)
    assert (found["complete"], found["stopped"], found["cells_done"], found["cells_total"]) == (True, False, 2, 2)
    assert [(row["variant"], row["steps"]) for row in found["table"]] == [("none", 3), ("all", 3)]
    assert found["recommendation"]["use"] == "none"
    assert found["recommendation"]["worth"] is not None  # guessing was measured in every cell
    for cell in found["cells"]:
        results = read_json(mine.folder / "cells" / f"{cell['variant']}-0" / "results.json")
        assert results["data"]["split"] == "test"
        assert results["data"]["photos_trained_on"] == 0
        assert results["settings"]["enhance"]["oversampling"] is (cell["variant"] == "all")
        assert (cell["photos"], cell["steps"], cell["total"]) == (2, 3, results["total"])
        assert cell["seconds"] > 0
    assert read_json(mine.folder / "results.json") == json.loads(json.dumps(found))
    assert [event["text"].split(" (")[0] for event in reported.of("stage")][1:] == [
        "1 of 2: no enhancement, seed 0",
        "2 of 2: all together, seed 0",
    ]
    progress = reported.of("progress")
    assert [event["done"] for event in progress] == sorted(event["done"] for event in progress)
    assert (progress[-1]["done"], progress[-1]["total"], progress[-1]["left_s"]) == (2, 2, 0.0)
    assert all(event["left_s"] is not None for event in progress if event["done"])


def test_only_answers_stay_and_the_workspaces_models_are_untouched(study: Callable[..., Study]) -> None:
    mine = study()
    theirs = mine.trainings.workspace.final("mine")
    theirs.mkdir(parents=True)
    (theirs / "adapter_config.json").write_text("{}")
    before = sorted(mine.trainings.workspace.root.rglob("*"))
    mine.do()
    assert [path for path in mine.folder.rglob("*") if path.suffix in (".safetensors", ".bin", ".pt")] == []
    assert not list(mine.folder.glob("cells/*/models"))
    outside = [
        path for path in mine.trainings.workspace.root.rglob("*") if mine.trainings.workspace.runs not in path.parents
    ]
    assert sorted({*before, mine.trainings.workspace.runs, mine.trainings.workspace.experiments}) == sorted(outside)


def test_models_are_kept_when_asked_for(study: Callable[..., Study], trainings: Trainings) -> None:
    plan = plan_ablation(["none", "all"], 1, trainings.base, keep=True)
    mine = study(plan=plan)
    mine.do()
    assert len(list(mine.folder.glob("cells/*/models/cell_final/adapter_model.safetensors"))) == 2


def interruptions(mine: Study) -> dict[str, Recorder]:
    """Every way and every place to break off; how the next attempt is reported to."""
    first, second = mine.folder / "cells" / "none-0", mine.folder / "cells" / "all-0"
    return {
        "stopped after a step": Recorder(stop=lambda: len(mine.steps("none-0")) >= 1),
        "killed before a checkpoint": Recorder(quit=lambda: len(mine.steps("none-0")) >= 1),
        "killed after a checkpoint": Recorder(quit=lambda: len(mine.steps("none-0")) >= 3),
        "killed while judging": Recorder(quit=lambda: (first / "predictions.jsonl").exists()),
        "stopped in the second": Recorder(stop=lambda: len(mine.steps("all-0")) >= 2),
        "stopped judging the second": Recorder(stop=lambda: (second / "training.json").exists()),
    }


def test_a_study_that_was_interrupted_anywhere_ends_as_an_unbroken_one(study: Callable[..., Study]) -> None:
    whole = study("whole")
    expected = whole.do()
    for place in interruptions(whole):
        mine = study(place.replace(" ", "-"))
        reported = interruptions(mine)[place]
        if place.startswith("stopped"):
            broken = mine.do(reported)
            assert (broken["stopped"], broken["complete"]) == (True, False), place
        else:
            with pytest.raises(KeyboardInterrupt):
                mine.do(reported)
        done = {path.parent.name: path.stat().st_mtime_ns for path in mine.folder.glob("cells/*/cell.json")}
        found = mine.do()
        assert timeless(found) == timeless(expected), place
        assert mine.answers() == whole.answers(), place
        for cell, at in done.items():  # what was done is not done again
            assert (mine.folder / "cells" / cell / "cell.json").stat().st_mtime_ns == at, place


def test_a_resumed_cell_goes_on_from_its_checkpoint_and_its_seconds_add_up(study: Callable[..., Study]) -> None:
    mine = study()
    mine.do(Recorder(stop=lambda: len(mine.steps("none-0")) >= 2))
    spent = earlier_seconds(mine.folder / "cells" / "none-0" / "train")
    assert spent > 0
    found = mine.do()
    assert mine.steps("none-0") == [1, 2, 3]
    assert found["cells"][0]["seconds"] > spent


def test_photos_that_changed_meanwhile_end_a_study(study: Callable[..., Study], tmp_path: Path) -> None:
    mine = study()
    copied = tmp_path / "photos"
    shutil.copytree(mine.settings.data.path, copied)
    mine = study(**{"data.path": str(copied)})
    mine.do(Recorder(stop=lambda: (mine.folder / "cells" / "none-0" / "cell.json").exists()))
    label = next(copied.rglob("train/labels/*.txt"))
    label.write_text("".join(label.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UserError, match="changed since this run began"):
        mine.do()


def test_without_a_test_split_seeds_judge_parts_that_share_no_photo(
    trainings: Trainings, study: Callable[..., Study]
) -> None:
    changes = {"data.path": trainings.base.data.path, "data.group_rule": "", "data.folds": 0, "training.max_steps": 1}
    plan = StudyPlan("ablate", ("none", "all"), 2, 3)
    mine = study(plan=plan, **changes)
    found = mine.do()
    photos_of = {name: {row["image"] for row in rows} for name, rows in mine.answers().items()}
    assert photos_of["none-0"] == photos_of["all-0"]
    assert photos_of["none-1"] == photos_of["all-1"]
    assert photos_of["none-0"].isdisjoint(photos_of["none-1"])
    assert [(cell["seed"], cell["fold"]) for cell in found["cells"]] == [(0, 0), (0, 0), (1, 1), (1, 1)]


def test_cross_validation_judges_every_object_once_by_a_model_that_never_saw_its_photo(
    trainings: Trainings, study: Callable[..., Study]
) -> None:
    changes = {
        "data.path": trainings.base.data.path,
        "data.group_rule": "",
        "training.max_steps": 1,
        "judging.references": True,
    }
    mine = study(plan=StudyPlan("crossval", ("fold0", "fold1"), 1, 2), **changes)
    found = mine.do()
    pooled = read_lines(mine.folder / "predictions.jsonl")
    assert len({(row["image"], row["object"]) for row in pooled}) == len(pooled) == found["total"]
    labels = "".join(path.read_text() for path in Path(trainings.base.data.path).rglob("labels/*.txt"))
    assert found["total"] == len(labels.splitlines())
    assert {row["fold"] for row in pooled} == {0, 1}
    for cell in found["cells"]:
        folder = mine.folder / "cells" / f"fold{cell['fold']}-0"
        assert read_json(folder / "results.json")["data"]["photos_trained_on"] == 0
        split = read_json(folder / "split.json")
        assert {row["image"] for row in pooled if row["fold"] == cell["fold"]} <= set(split["test"])
    assert found["correct"] == sum(cell["correct"] for cell in found["cells"])
    prior = found["references"]["prior"]
    by_hand = [read_json(mine.folder / "cells" / f"fold{fold}-0" / "results.json")["prior"] for fold in range(2)]
    totals = [cell["total"] for cell in found["cells"]]
    assert prior["accuracy"] == pytest.approx(
        sum(accuracy["accuracy"] * total for accuracy, total in zip(by_hand, totals, strict=True)) / sum(totals)
    )
    assert prior["model_against_it"]["total"] == found["total"]
    assert list(found["references"])[:2] == ["prior", "prompt_only"]
    assert {"texture_forest", "blank", "shuffled"} <= set(found["references"])
    for reference in found["references"].values():
        assert reference["model_against_it"]["total"] == found["total"]
        assert reference["label"] and reference["note"]


def test_without_reference_points_cross_validation_still_tells_what_guessing_reaches(
    trainings: Trainings, study: Callable[..., Study]
) -> None:
    changes = {
        "data.path": trainings.base.data.path,
        "data.group_rule": "",
        "training.max_steps": 1,
        "judging.references": False,
        "data.calibration_share": 0.0,
    }
    found = study(plan=StudyPlan("crossval", ("fold0", "fold1"), 1, 2), **changes).do()
    assert list(found["references"]) == ["prior"]
    assert found["references"]["prior"]["model_against_it"]["total"] == found["total"]
