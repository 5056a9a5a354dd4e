"""A tuned model is judged on what its training held out; the files are written by hand, nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from core.data.checks import TRAINING_SPLIT, faults_of
from core.data.types import Dataset, Photo
from core.engine.training_split import as_trained
from core.runs import store
from core.runs.workspace import Workspace
from core.settings import Settings

# By the rules of now a and b are learned from; by those of the training b and c were.
NOW = {"a": "train", "b": "train", "c": "valid", "d": "valid"}
THEN = {"train": ["b", "c"], "valid": ["a", "d"]}


def read(split: dict[str, str]) -> Dataset:
    photos = tuple(Photo(Path(name), name, (9, 9), side, "g", digest=f"of {name}") for name, side in split.items())
    return Dataset(Path("/set"), "yolo", photos)


def adapter(workspace: Workspace, learned: Sequence[str]) -> Path:
    folder = workspace.final("mine")
    folder.mkdir(parents=True)
    about = {"base_model": "demo", "settings": {}, "taxonomy": {}, "train_digests": [f"of {name}" for name in learned]}
    (folder / "damgui.json").write_text(json.dumps(about))
    return folder


def trained(workspace: Workspace, content: str) -> None:
    run = store.create(workspace, Settings(), "train", "mine")
    (run.folder / "split.json").write_text(content)


def sides(dataset: Dataset) -> dict[str, list[str]]:
    return {name: [photo.name for photo in dataset.split(name)] for name in ("train", "valid")}


def notes(dataset: Dataset) -> list[str]:
    assert faults_of(dataset.problems) == ()
    return [problem.what for problem in dataset.problems if problem.kind == TRAINING_SPLIT]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_the_split_of_the_training_decides_whatever_the_rules_are_now(workspace: Workspace) -> None:
    trained(workspace, json.dumps(THEN))
    folder = adapter(workspace, ["b", "c"])
    found = as_trained(read(NOW), folder, workspace, "valid")
    assert sides(found) == THEN
    assert notes(found) == []
    elsewhere = as_trained(read(NOW), folder, Workspace(workspace.root / "other"), "valid")
    assert sides(elsewhere) == THEN  # it is found where the adapter lies as well


def test_the_split_beside_the_adapter_is_known_where_its_run_is_gone(workspace: Workspace, tmp_path: Path) -> None:
    trained(workspace, json.dumps({"train": ["b", "c", "a"], "valid": ["d"]}))  # another run of that name
    folder = adapter(workspace, ["b", "c"])
    (folder / "split.json").write_text(json.dumps(THEN))
    moved = folder.rename(tmp_path / "moved")
    for place in (workspace, Workspace(tmp_path / "other")):
        assert sides(as_trained(read(NOW), moved, place, "valid")) == THEN


def test_photos_that_came_or_went_since_the_training_are_counted_once(workspace: Workspace) -> None:
    trained(workspace, json.dumps(THEN | {"valid": ["a", "d", "gone"]}))
    folder = adapter(workspace, ["b", "c"])
    found = as_trained(read({**NOW, "new": "valid"}), folder, workspace, "valid")
    assert sides(found) == THEN
    (note,) = notes(found)
    assert "1 photo that came later is left out and 1 photo of it is no longer in the data" in note


@pytest.mark.parametrize(
    "content",
    [None, "{half", '["a"]', json.dumps({"train": ["x"], "valid": ["d"]}), json.dumps({"train": ["b", "c"]})],
    ids=["missing", "damaged", "a list", "of other data", "without the split to judge"],
)
def test_without_that_split_the_photos_learned_from_are_left_out_and_counted(
    workspace: Workspace, content: str | None
) -> None:
    if content is not None:
        trained(workspace, content)
    found = as_trained(read(NOW), adapter(workspace, ["b", "c"]), workspace, "valid")
    assert sides(found) == {"train": ["a", "b", "c"], "valid": ["d"]}
    assert found.fingerprint
    assert notes(found) == ["the split of this model's training is gone: 1 photo that it learned from is left out"]


@pytest.mark.parametrize(
    ("learned", "wanted"), [([], "valid"), (["other"], "valid"), (["b"], "valid"), (["b"], "train")]
)
def test_nothing_changes_where_nothing_learned_would_be_judged(
    workspace: Workspace, learned: list[str], wanted: str
) -> None:
    dataset = read(NOW)
    assert as_trained(dataset, adapter(workspace, learned), workspace, wanted) is dataset
