"""The Baseline tab shows a score as soon as there is one, and keeps it whatever ends its run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from core.runs import files, locks, store
from core.runs.events import event
from core.runs.store import Run
from core.runs.workspace import Workspace
from damgui.components import html
from damgui.snapshot import take_snapshot
from damgui.tabs.baseline import newest_results
from tests.damgui.conftest import Judge, state_of

SUMMARY = {"overall_accuracy": 0.5, "correct": 1, "total": 2, "macro_f1": 0.4}
FIRST = event("result", path="results.json", summary=SUMMARY, follows="reference points")


@pytest.fixture
def at_work(workspace: Workspace, judge: Judge) -> Iterator[Run]:
    """A baseline that has just judged its last photo; before it another one was published, all of it right."""
    published = judge([("normal", "normal")]) / "results.json"
    workspace.zeroshot_results.write_bytes(published.read_bytes())
    run = store.open_run(judge([("normal", "normal"), ("blocked", "normal")]))
    run.events.write_text("")
    say(run, event("started", run=run.id, pid=1, job="baseline", parent=1), FIRST)
    with locks.hold(run.lock):
        yield run


def say(run: Run, *events: Any) -> None:
    with run.events.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in events)


def shown_total(workspace: Workspace) -> int:
    shown = newest_results(take_snapshot(workspace))
    assert shown is not None
    return shown.results["total"]


def test_a_score_is_shown_while_its_reference_points_are_measured(at_work: Run) -> None:
    assert shown_total(at_work.workspace) == 2
    words = html.judging(state_of(at_work))
    assert "50.0 % of the objects judged right (1 of 2), macro-F1 0.40. Its reference points follow." in words


def test_until_all_photos_are_judged_the_published_score_stays(at_work: Run) -> None:
    found = json.loads(at_work.results.read_text())
    at_work.results.write_text(json.dumps({**found, "complete": False}))
    assert shown_total(at_work.workspace) == 1
    at_work.results.unlink()
    assert shown_total(at_work.workspace) == 1


def test_a_score_outlives_its_run_which_is_not_called_complete(workspace: Workspace, judge: Judge) -> None:
    run = store.open_run(judge([("normal", "normal"), ("blocked", "normal")]))
    run.events.write_text(json.dumps(FIRST) + "\n")  # killed: no last word, no lock
    (run.folder / "run.json").write_text(json.dumps({"kind": "baseline", "created": 1.0}))
    assert state_of(run).status == "crashed"
    assert shown_total(workspace) == 2
    assert "follow" not in html.judging(state_of(run))


def test_without_its_folder_the_published_score_is_shown(workspace: Workspace, judge: Judge) -> None:
    assert newest_results(take_snapshot(workspace)) is None
    folder = judge([("normal", "normal")])
    workspace.zeroshot_results.write_bytes((folder / "results.json").read_bytes())
    files.remove(folder)
    assert shown_total(workspace) == 1
