"""What pages say of a run is derived from its events, and read only once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.runs import store
from core.runs.store import Run
from core.settings import Settings
from damgui import run_state
from damgui.snapshot import take_snapshot
from tests.damgui.conftest import state_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return store.create(store.open_workspace(tmp_path), Settings(), "train", "mine")


def say(run: Run, *events: dict[str, Any]) -> None:
    with run.events.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def step(number: int, t: float, total: int = 10) -> dict[str, Any]:
    return {"t": t, "kind": "step", "step": number, "total_steps": total, "elapsed_s": t}


def test_a_stamp_changes_with_every_event_and_with_nothing_else(run: Run) -> None:
    first = state_of(run).stamp
    assert state_of(run).stamp == first
    say(run, {"t": 1, "kind": "started"})
    assert state_of(run).stamp != first


def test_a_half_written_line_waits_until_it_is_whole(run: Run) -> None:
    say(run, {"t": 1, "kind": "started"})
    with run.events.open("a", encoding="utf-8") as file:
        file.write('{"t": 2, "kind": "st')
    assert state_of(run).log.mark[0] == 1
    with run.events.open("a", encoding="utf-8") as file:
        file.write('age", "text": "Reading"}\n')
    assert run_state.stage(state_of(run)) == "Reading"


def test_time_left_comes_from_the_steps_since_the_last_start(run: Run) -> None:
    say(run, {"t": 0, "kind": "started"}, step(1, 1), step(2, 2))
    say(run, {"t": 5000, "kind": "started"}, step(3, 5002), step(4, 5004))
    pace = run_state.training_progress(state_of(run))
    assert pace is not None
    assert (pace.done, pace.total, pace.per_s, pace.left_s) == (4, 10, 0.5, 12.0)


def test_nothing_is_guessed_before_the_first_step(run: Run) -> None:
    say(run, {"t": 0, "kind": "started"})
    assert run_state.training_progress(state_of(run)) is None


TRIED = {"t": 0.5, "kind": "rehearsal", "total_s": 40.0, "steps": 10}


def test_one_step_has_no_speed_so_the_time_left_comes_from_the_dry_run(run: Run) -> None:
    say(run, {"t": 0, "kind": "started"}, TRIED)
    assert run_state.training_progress(state_of(run)) is None
    assert run_state.dry_run(state_of(run)) == TRIED
    say(run, step(1, 1))
    pace = run_state.training_progress(state_of(run))
    assert pace is not None
    assert pace.left_s == 36
    say(run, step(2, 3))
    pace = run_state.training_progress(state_of(run))
    assert pace is not None
    assert pace.left_s == 16, "measured steps are nearer to the truth"


def test_the_dry_run_of_an_earlier_start_does_not_count(run: Run) -> None:
    say(run, {"t": 0, "kind": "started"}, TRIED, {"t": 9, "kind": "started"})
    assert run_state.dry_run(state_of(run)) is None


def test_progress_of_a_baseline_has_speed_and_time_left(run: Run) -> None:
    say(run, {"t": 0, "kind": "progress", "done": 10, "total": 40, "unit": "photos", "elapsed_s": 5.0})
    pace = run_state.baseline_progress(state_of(run))
    assert pace is not None
    assert (pace.share, pace.per_s, pace.left_s) == (0.25, 2.0, 15.0)


def test_log_tail_shows_what_a_bar_says_last(run: Run) -> None:
    run.process_log.write_text("first\nbar 1\rbar 2\rbar 3\nlast\n", encoding="utf-8")
    assert run_state.log_tail(run).splitlines() == ["first", "bar 3", "last"]


def test_a_model_counts_as_tuned_when_its_adapter_is_there(run: Run) -> None:
    workspace = run.workspace
    workspace.training_info("mine").write_text('{"final": {}}', encoding="utf-8")
    assert take_snapshot(workspace).tuned_models == []
    workspace.final("mine").mkdir(parents=True)
    assert [tuned.name for tuned in take_snapshot(workspace).tuned_models] == ["mine"]


def test_after_the_last_photo_the_reference_points_are_told_and_not_that_nothing_is_left(run: Run) -> None:
    say(run, {"t": 0, "kind": "progress", "done": 40, "total": 40, "unit": "photos", "elapsed_s": 5.0})
    assert run_state.baseline_progress(state_of(run)) is not None
    say(run, {"t": 1, "kind": "stage", "text": "Reference points: blank photos"})
    found = state_of(run)
    assert run_state.baseline_progress(found) is None
    assert run_state.stage(found) == "Reference points: blank photos"
