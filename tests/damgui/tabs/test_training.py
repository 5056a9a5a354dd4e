"""The Fine-tuning tab says what the events say: of trials, of runs under way, and of logs from before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core import units
from core.runs import locks, store
from core.runs.events import append, event
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings
from damgui import text
from damgui.tabs import training
from tests.damgui.conftest import state_of

TRIED = {
    "t": 1.0,
    "kind": "rehearsal",
    "peak_memory_mb": 1400.0,
    "memory_free_mb": 20000.0,
    "step_s": 1.2,
    "usual_step_s": 0.5,
    "total_s": 230.0,
    "steps": 330,
    "checkpoint_mb": 49.0,
    "cache_mb": 30.0,
    "disk_free_mb": 82000.0,
    "gradient_checkpointing": False,
    "flops_per_s": 42e9,
    "peak_share": 0.27,
}
STEP = {
    "t": 2.0,
    "kind": "step",
    "step": 1,
    "total_steps": 330,
    "epoch": 0.02,
    "loss": 0.7,
    "photos_per_s": 6.0,
    "memory_mb": 900,
    "elapsed_s": 1.0,
}
MACHINE = {
    "questions_per_s": 30.12,
    "tokens_per_s": 3100.4,
    "padding": 0.08,
    "flops_per_s": 42.4e9,
    "peak_share": 0.271,
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return store.open_workspace(tmp_path)


def made(workspace: Workspace, kind: str, *events: dict[str, Any]) -> Run:
    run = store.create(workspace, Settings(), kind, "mine" if kind == "train" else "")
    run.events.write_text("".join(json.dumps(event) + "\n" for event in ({"t": 0, "kind": "started"}, *events)))
    return run


def ended(how: str, error: str = "") -> dict[str, Any]:
    return {"t": 3.0, "kind": "ended", "how": how, "error": error, "problems": [], "seconds": 3.0}


def test_a_trial_shows_its_four_figures_each_with_its_explanation(workspace: Workspace) -> None:
    drawn = training._trial(state_of(made(workspace, "rehearse", TRIED, ended("finished")))).replace("\u00a0", " ")
    for words in (
        text.KIND_WORDS["rehearse"],
        "1.4 GB",
        "of 20.0 GB there",
        "0.50 s",
        "the largest takes 1.2 s",
        "≈ 4 min",
        "330 steps",
        "79 MB",
        "of 82.0 GB free: 49 MB of saved states, 30 MB to remember",
        text.TRIED_FITS,
    ):
        assert words in drawn


def test_a_refusal_is_shown_as_its_sentence(workspace: Workspace) -> None:
    sentence = "cpu: this training needs more memory than there is. Lower training.tokens_per_pass."
    drawn = training._trial(state_of(made(workspace, "rehearse", ended("failed", sentence))))
    assert sentence in drawn
    assert text.TRIED_FITS not in drawn


def test_a_trial_that_needs_gradient_checkpointing_says_so(workspace: Workspace) -> None:
    warning = {"t": 1.0, "kind": "warning", "text": "Memory is short"}
    assert "Memory is short" in training._trial(
        state_of(made(workspace, "rehearse", warning, TRIED, ended("finished")))
    )


def test_a_trial_that_was_stopped_says_so(workspace: Workspace) -> None:
    assert text.TRIED_STOPPED in training._trial(state_of(made(workspace, "rehearse", ended("stopped"))))


def test_no_trial_shows_nothing() -> None:
    assert training._trial(None) == ""


def test_a_trial_is_shown_until_training_begins_after_it(workspace: Workspace) -> None:
    tried = state_of(made(workspace, "rehearse", TRIED))
    assert training._newer(tried, None) is tried
    later = state_of(made(workspace, "train"))
    assert training._newer(tried, later) is None
    assert training._newer(None, later) is None


def test_a_run_shows_its_dry_run_until_steps_arrive_and_then_what_they_measured(workspace: Workspace) -> None:
    run = made(workspace, "train", TRIED)
    with locks.hold(run.lock):
        before = training._state(state_of(run), None)
        run.events.open("a").write(json.dumps({**STEP, **MACHINE}) + "\n")
        after = training._state(state_of(run), None)
    for words in (text.TIME_LEFT, "≈ 4 min", text.MEMORY_NEEDED, "1.4 GB", text.DISK_NEEDED, "79 MB"):
        assert words in before
    assert text.MEMORY_NEEDED not in after
    for words in (
        "6.0 photos/s",
        "30.1 questions/s",
        "3,100 tokens/s and 8 % filler",
        "42 GFLOP/s",
        "27 % of what this processor can do",
        "3 min 49 s",
    ):
        assert words in after


def test_logs_from_before_are_still_shown(workspace: Workspace) -> None:
    run = made(workspace, "train", STEP)
    with locks.hold(run.lock):
        drawn = training._state(state_of(run), None)
    assert "6.0 photos/s" in drawn
    assert "FLOP" not in drawn
    assert "tokens/s" not in drawn
    assert text.machine_speed({}) == ""


@pytest.mark.parametrize(("per_s", "line"), [(4.24e8, "0.4 GFLOP/s"), (4.2e10, "42 GFLOP/s"), (3.12e14, "312 TFLOP/s")])
def test_calculations_a_second_have_a_unit_that_suits_them(per_s: float, line: str) -> None:
    assert units.operations(per_s) == line


@pytest.mark.parametrize(
    ("seconds", "line"),
    [(45, "≈ 45 s"), (230, "≈ 4 min"), (5399, "≈ 90 min"), (23000, "≈ 6.4 h"), (3e5, "≈ 3.5 days")],
)
def test_an_estimate_is_no_more_exact_than_it_is(seconds: float, line: str) -> None:
    assert units.about(seconds) == line


def test_the_stop_button_stops_what_is_at_work(workspace: Workspace) -> None:
    run = made(workspace, "rehearse")
    with locks.hold(run.lock):
        button = training._stop_button(state_of(run))
    assert button.visible
    assert button.value == text.TRAINING_STOP_TRYING


def test_a_run_that_goes_on_can_be_stopped_whatever_was_tried_before(workspace: Workspace) -> None:
    """A resumed run keeps the hour it was made at, before the trial."""
    run = made(workspace, "train", STEP)
    tried = state_of(made(workspace, "rehearse", TRIED, ended("finished")))
    assert training._newer(tried, state_of(run)) is tried
    with locks.hold(run.lock):
        append(run.events, event("started", run=run.id, pid=1, job="train", parent=1))
        found = state_of(run)
        assert found.active
        assert training._newer(tried, found) is None
        button = training._stop_button(training._newer(tried, found) or found)
    assert button.visible and button.interactive


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("", True),
        ("demo-tuned", True),
        ("demo-tuned-2", True),
        ("demo-photos-tuned-11", True),
        ("Qwen2-VL-2B-Instruct-tuned", True),
        ("mine", False),
        ("mine-tuned", False),
        ("demo-tuned-again", False),
        ("demo", False),
        ("north dam demo-tuned", False),
    ],
)
def test_only_a_name_that_the_page_suggested_follows_the_model(name: str, suggested: bool) -> None:
    assert training._is_suggestion(name) is suggested
