"""Whoever starts a run hears what it lacks before a process starts, and nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from core.errors import UserError
from core.runs import launcher, preflight, store
from core.runs.store import STUDIES
from core.runs.workspace import Workspace
from core.settings import Settings, load, merge

KINDS = ("baseline", "train", "rehearse", "evaluate", "batch", *STUDIES)


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "ENTRY", [sys.executable, "-c", "raise SystemExit('a process was started')"])


def settings(**changes: object) -> Settings:
    return merge(load("demo"), {key.replace("__", "."): value for key, value in changes.items()})


def photos(folder: Path, label: str = "0 0.5 0.5 0.2 0.2") -> Path:
    """Two photos in each split, one box in each."""
    for split in ("train", "valid"):
        (folder / split / "images").mkdir(parents=True)
        (folder / split / "labels").mkdir()
        for number in (1, 2):
            colour = (80 * number, 90 if split == "train" else 180, 0)
            Image.new("RGB", (64, 64), colour).save(folder / split / "images" / f"{split}_{number}.jpg")
            (folder / split / "labels" / f"{split}_{number}.txt").write_text(label)
    (folder / "data.yaml").write_text("names: [toe_drain_normal]\n")
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_does_not_exist_starts_no_process(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    nowhere = str(tmp_path / "nowhere")
    with pytest.raises(UserError, match="nowhere"):
        launcher.begin(workspace, settings(data__path=nowhere), kind, "x" if kind == "train" else "")
    assert store.list_runs(workspace) == []


@pytest.mark.parametrize("kind", [*KINDS, "predict"])
def test_a_model_that_is_none_starts_no_process(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError, match="not a model folder"):
        launcher.begin(workspace, settings(model__path=str(tmp_path)), kind, "x" if kind == "train" else "")
    assert store.list_runs(workspace) == []


def test_all_that_is_wrong_is_named_at_once(workspace: Workspace, tmp_path: Path) -> None:
    bad = settings(model__path=str(tmp_path), data__path=str(photos(tmp_path / "set", "0 0.5 0.5 7 7")))
    with pytest.raises(UserError) as caught:
        preflight.require_ready(workspace, bad, "baseline")
    assert len(caught.value.problems) > 4


@pytest.mark.parametrize("kind", KINDS)
def test_sound_photos_and_a_sound_model_pass(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    preflight.require_ready(workspace, settings(data__path=str(photos(tmp_path / "set"))), kind)


def test_the_good_rest_may_be_used(workspace: Workspace, tmp_path: Path) -> None:
    folder = photos(tmp_path / "set")
    (folder / "train" / "labels" / "train_1.txt").write_text("0 0.5 0.5 7 7")
    with pytest.raises(UserError, match="train_1"):
        preflight.require_ready(workspace, settings(data__path=str(folder)), "train")
    preflight.require_ready(workspace, settings(data__path=str(folder), data__use_good=True), "train")


def test_a_batch_goes_on_past_a_bad_photo_and_needs_one_at_all(workspace: Workspace, tmp_path: Path) -> None:
    folder = photos(tmp_path / "set")
    (folder / "train" / "images" / "train_1.jpg").write_bytes(b"")
    preflight.require_ready(workspace, settings(data__path=str(folder)), "batch")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no photos"):
        preflight.require_ready(workspace, settings(data__path=str(tmp_path / "empty")), "batch")


def test_more_photos_than_can_be_read_at_once_are_left_to_the_run(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "set", "0 0.5 0.5 7 7")
    monkeypatch.setattr(preflight, "MOST_PHOTOS", 1)
    preflight.require_ready(workspace, settings(data__path=str(folder)), "baseline")


def test_very_many_files_are_left_to_the_run_which_counts_them(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = photos(tmp_path / "set", "0 0.5 0.5 7 7")
    monkeypatch.setattr(preflight, "ASKED_ABOVE", 3)
    preflight.require_ready(workspace, settings(data__path=str(folder)), "baseline")


def test_a_taken_name_is_refused_before_anything_is_read(workspace: Workspace, tmp_path: Path) -> None:
    workspace.final("taken").mkdir(parents=True)
    with pytest.raises(UserError, match="taken"):
        launcher.begin(workspace, settings(data__path=str(tmp_path / "nowhere")), "train", "taken")
