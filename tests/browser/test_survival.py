"""Runs belong to nobody's window: what was stopped goes on where it was, and outlives the browser and the app."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicks import STEP_S, ended, points, serve, start_training, steps, tab, until, visit, window
from playwright.sync_api import Browser, Page, expect

from core.runs import store
from core.runs.events import read_events
from core.runs.store import Run
from damgui import text

pytestmark = pytest.mark.slow  # a training that is stopped, resumed and outlives browser and app

FEW, STEPS = 12, 20


def stop(page: Page, run: Run, workspace: Path) -> None:
    """By its button: the run ends with a checkpoint of its last step and no finished model."""
    until(lambda: len(steps(run)) >= 3, STEP_S, "three steps")
    page.locator("#training-stop").click()
    ended(run, "stopped", 60)
    taken = steps(run)
    assert 3 <= len(taken) < STEPS
    assert (workspace / "models" / "survivor_checkpoints" / f"checkpoint-{taken[-1]}").is_dir()
    assert not (workspace / "models" / "survivor_final").exists()
    expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["stopped"], timeout=10_000)


def test_a_stopped_run_is_resumed_and_outlives_browser_and_app_without_a_step_lost_or_repeated(
    browser: Browser, page: Page, workspace: Path
) -> None:
    doomed = serve(workspace)
    context = window(browser)
    first = context.new_page()
    visit(first, doomed.url)
    run = start_training(first, workspace, "survivor", STEPS, FEW)
    stop(first, run, workspace)
    before = len(steps(run))
    first.locator("#training-resume").click()
    until(lambda: store.status(run) == "running", STEP_S, "the run's second start")
    context.close()
    doomed.kill()
    until(lambda: len(steps(run)) > before, STEP_S, "a step after browser and app were gone")
    fresh = serve(workspace)
    try:
        visit(page, fresh.url)
        tab(page, text.TAB_TRAINING)
        expect(page.locator("#training-state")).to_contain_text("survivor", timeout=10_000)
        ended(run, "finished")
        expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["finished"], timeout=10_000)
        assert steps(run) == list(range(1, STEPS + 1))
        until(lambda: points(page) == STEPS, 10, "the whole chart")
        runs = store.list_runs(store.open_workspace(workspace), "train")
        assert [found.id for found in runs if found.name == "survivor"] == [run.id]
        assert len([event for event in read_events(run.events) if event["kind"] == "started"]) == 2
        assert (workspace / "models" / "survivor_final" / "adapter_model.safetensors").is_file()
    finally:
        fresh.process.terminate()
        fresh.process.wait(20)
