"""Whoever starts a run hears what it lacks before a process starts, and nothing is left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from core.data.dataset import read_dataset
from core.data.splits import SPLIT_FILE, write_split
from core.errors import UserError
from core.runs import launcher, preflight, store
from core.runs.events import append, event
from core.runs.store import STUDIES, Run
from core.runs.workspace import OUTCOME, Workspace
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


def stopped(workspace: Workspace, kind: str, **changes: object) -> Run:
    """A run that began and was stopped, as its folder shows it."""
    run = store.create(workspace, settings(**changes), kind, "x" if kind == "train" else "")
    append(run.events, event("started", run=run.id, pid=1, job=kind, parent=1))
    append(run.events, event("ended", how="stopped", error="", problems=[], seconds=1.0))
    return run


@pytest.mark.parametrize("kind", ["train", "batch", *STUDIES])
def test_a_run_goes_on_only_with_what_it_needs(workspace: Workspace, tmp_path: Path, kind: str) -> None:
    folder = photos(tmp_path / "set")
    run = stopped(workspace, kind, data__path=str(folder))
    preflight.require_resumable(run)
    (folder / "train" / "labels" / "train_1.txt").write_text("0 0.5 0.5 7 7")
    with pytest.raises(UserError, match="train_1"):
        launcher.resume(run)
    folder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="no such folder"):
        launcher.resume(run)


def test_a_training_goes_on_only_with_the_labels_with_which_it_began(workspace: Workspace, tmp_path: Path) -> None:
    folder = photos(tmp_path / "set")
    run = stopped(workspace, "train", data__path=str(folder))
    dataset = read_dataset(run.settings().data, workspace.sample_data)
    write_split(dataset, run.folder / SPLIT_FILE)
    preflight.require_same_photos(dataset, run.folder)
    preflight.require_resumable(run)
    label = folder / "train" / "labels" / "train_1.txt"
    before = label.read_text()
    label.write_text("0 0.5 0.5 0.2 0.3")
    with pytest.raises(UserError, match="photos or labels have changed since this run began"):
        launcher.resume(run)
    label.write_text(before)
    preflight.require_resumable(run)


def test_a_training_that_learned_all_needs_nothing_to_be_published(workspace: Workspace, tmp_path: Path) -> None:
    run = stopped(workspace, "train", data__path=str(tmp_path / "gone"))
    with pytest.raises(UserError, match="gone"):
        preflight.require_resumable(run)
    (run.folder / OUTCOME).write_text("{}")
    preflight.require_resumable(run)


def test_a_batch_of_whole_photos_that_began_before_there_was_a_setting_goes_on(
    workspace: Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "bare"
    folder.mkdir()
    Image.new("RGB", (64, 64), "green").save(folder / "a.jpg")
    run = stopped(workspace, "batch", data__path=str(folder))
    with pytest.raises(UserError, match="no boxes"):
        preflight.require_ready(workspace, run.settings(), "batch")
    preflight.require_resumable(run)
