"""History: every run and model is a line, in a moment however many there are, and what is asked is said in full."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest

from core.runs import files, store, trash
from core.runs.rename import rename
from core.runs.workspace import Workspace
from damgui import deletions
from damgui.snapshot import take_snapshot
from damgui.tabs.history import view
from tests.inspector import finished, inspected, trained


def lines(workspace: Workspace, kind: str = "") -> list[view.HistoryEntry]:
    return view.of_kind(view.entries(take_snapshot(workspace)), kind)


def test_every_run_is_a_line_newest_first_and_a_model_stands_with_its_training(workspace: Workspace) -> None:
    runs = inspected(workspace)
    found = lines(workspace)
    assert [entry.id for entry in found] == [runs[kind].id for kind in ("batch", "evaluate", "train", "baseline")]
    assert [entry.model for entry in found] == ["", "", "small", ""]
    assert {entry.status for entry in found} == {"finished"}


def test_a_model_whose_training_is_gone_is_a_line_of_its_own(workspace: Workspace) -> None:
    run = trained(workspace, "lonely")
    shutil.rmtree(run.folder)
    (entry,) = lines(workspace)
    assert (entry.id, entry.kind, entry.word, entry.name, entry.run) == ("lonely", "model", "Model", "lonely", None)
    assert view.about(entry, take_snapshot(workspace))


def test_of_two_trainings_under_one_name_the_later_has_the_model(workspace: Workspace) -> None:
    first = finished(workspace, "train", "small", how="failed")
    later = trained(workspace, "small")
    assert {entry.id: entry.model for entry in lines(workspace)} == {first.id: "", later.id: "small"}


def test_the_filter_offers_what_there_is_with_how_many(workspace: Workspace) -> None:
    inspected(workspace)
    assert view.kinds(lines(workspace)) == [
        ("Everything (4)", ""),
        ("Models (1)", "model"),
        ("Zero-shot baseline (1)", "baseline"),
        ("Fine-tuning (1)", "train"),
        ("Judging a model (1)", "evaluate"),
        ("Judging many photos (1)", "batch"),
    ]
    assert [entry.name for entry in lines(workspace, "model")] == ["small"]
    assert lines(workspace, "ablate") == []


def test_scores_have_the_interval_that_every_tab_shows(workspace: Workspace) -> None:
    runs = inspected(workspace)
    now = take_snapshot(workspace)
    scores = {entry.id: view.score(entry, now) for entry in view.entries(now)}
    judged = view.Score("80.0 %", "95 % interval 70.0 – 90.0 %", "small", "validation")
    assert scores[runs["evaluate"].id] == judged
    assert scores[runs["train"].id] == view.Score("90.0 %", "best on validation photos", "")
    runs["baseline"].results.write_text("{")
    now = take_snapshot(workspace)
    assert view.score(next(one for one in view.entries(now) if one.id == runs["baseline"].id), now) is None


def test_a_new_name_is_seen_without_a_restart(workspace: Workspace) -> None:
    runs = inspected(workspace)
    assert lines(workspace)[2].name == "small"
    rename(workspace, "small", "big")
    assert [entry.name for entry in lines(workspace)] == ["", "big", "big", ""]
    assert [tuned.name for tuned in take_snapshot(workspace).tuned_models] == ["big"]
    rename(workspace, runs["baseline"].id, "first")
    assert lines(workspace)[3].name == "first"


@pytest.mark.parametrize("damaged", ["[]", '{"overall_accuracy": "good"}', '{"model": ["x"]}', '"x"'])
def test_a_damaged_result_is_a_line_without_a_score(workspace: Workspace, damaged: str) -> None:
    runs = inspected(workspace)
    runs["baseline"].results.write_text(damaged)
    workspace.training_info("small").write_text(damaged.replace("overall_accuracy", "best"))
    now = take_snapshot(workspace)
    found = view.entries(now)
    scores = {entry.kind: view.score(entry, now) for entry in found}
    assert scores["evaluate"] is not None
    assert all(score is None or score == view.Score("", "", "") for score in (scores["baseline"], scores["train"]))
    assert view.table(found, now, "")


def test_sizes_are_measured_once_and_a_few_at_a_time(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = inspected(workspace)
    walked: list[Path] = []

    def counting(path: Path) -> tuple[int, int]:
        walked.append(path)
        return files.disk_usage(path)

    monkeypatch.setattr(view, "disk_usage", counting)
    found = lines(workspace)
    known = [view.measure_few(found, workspace) for _ in range(4)]
    assert known == [2, 4, 4, 4]
    assert len(walked) == 4 + 2  # a training's model has two folders
    runs["batch"].events.write_text("grown")
    view.measure_few(found, workspace)
    assert len(walked) == 4 + 2 + 1


def test_the_size_of_what_still_grows_is_not_taken(workspace: Workspace) -> None:
    run = store.create(workspace, store.Settings(), "baseline")
    (entry,) = lines(workspace)
    assert entry.status == "starting"
    assert view.disk(entry, workspace, measure=True) is None
    assert run.id in view.table([entry], take_snapshot(workspace), "")


def test_four_hundred_runs_cost_a_pulse_little_more_than_forty(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a pulse does for History reads no run's files but those of two sizes."""
    run = finished(workspace, "baseline")
    for number in range(400):
        shutil.copytree(run.folder, workspace.runs / f"20200101-{number:06d}-baseline")
    now = take_snapshot(workspace)
    view.measure_few(view.entries(now)[: view.PAGE], workspace, view.PAGE)
    began = time.perf_counter()
    found = view.entries(now)
    view.measure_few(found[: view.PAGE], workspace)
    assert time.perf_counter() - began < 0.25  # 5 ms alone
    opened: list[str] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (opened.append(str(path)), real(path))[1])
    view.measure_few(found, workspace)
    assert len(opened) <= view.MEASURED_AT_ONCE


def test_a_table_escapes_what_it_shows(workspace: Workspace) -> None:
    entry = view.HistoryEntry("<i>", None, "<b>", 0.0, "")
    assert "<i>" not in view.table([entry], take_snapshot(workspace), "") and "&lt;b&gt;" in view.table(
        [entry], take_snapshot(workspace), ""
    )


def test_what_goes_is_said_before_it_goes(workspace: Workspace) -> None:
    runs = inspected(workspace)
    said = deletions.what_goes(trash.plan(workspace, "small"))
    assert re.fullmatch(r"19 files, \d+ kB, (.*)", said)[1] == (  # type: ignore[index]
        "go to the trash, and with them the model small, the evaluation that Compare shows of it and "
        "its report. 1 batch that it judged stays. All of it can be brought back for 30 days."
    )
    said = deletions.what_goes(trash.plan(workspace, runs["baseline"].id))
    assert "and with them every comparison that uses it." in said
    said = deletions.what_goes(trash.plan(workspace, runs["batch"].id))
    assert said.startswith("5 files, ") and "with them" not in said


def test_a_training_whose_division_of_the_photos_goes_says_what_that_means(workspace: Workspace) -> None:
    runs = inspected(workspace)
    assert "keep elsewhere" not in deletions.what_goes(trash.plan(workspace, "small"))
    (runs["train"].folder / "split.json").write_text("{}")
    said = deletions.what_goes(trash.plan(workspace, "small"))
    assert "a copy of the model that you keep elsewhere is then judged without the photos that it learned from" in said
    assert "keep elsewhere" not in deletions.what_goes(trash.plan(workspace, runs["evaluate"].id))
    (workspace.final("small") / "split.json").write_text("{}")  # as every model of today has it
    assert "keep elsewhere" not in deletions.what_goes(trash.plan(workspace, "small"))


def test_the_trash_says_what_it_keeps_and_how_long(workspace: Workspace) -> None:
    inspected(workspace)
    assert "The trash is empty" in view.in_trash(workspace)
    gone = trash.delete(workspace, "small")
    shown = view.in_trash(workspace)
    assert "Fine-tuning small" in shown and f'data-run="{gone.id}"' in shown and "30 more days" in shown
