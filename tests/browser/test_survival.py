"""Runs belong to nobody's window: they outlive the browser and the app, and what was stopped goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from clicks import App, ended, newest, points, serve, start_training, steps, tab, until, visit, window
from playwright.sync_api import Browser, Page, expect

from core.runs import store
from core.runs.events import read_events
from damgui import text

FEW = 12


def test_a_run_outlives_browser_and_app_and_a_new_app_shows_it(browser: Browser, page: Page, workspace: Path) -> None:
    doomed = serve(workspace)
    context = window(browser)
    first = context.new_page()
    visit(first, doomed.url)
    run = start_training(first, workspace, "survivor", 20, FEW)
    context.close()
    doomed.kill()
    before = len(steps(run))
    assert before < 20, "the app was killed while the run was at work"
    until(lambda: len(steps(run)) > before, 30, "a step after browser and app were gone")
    fresh = serve(workspace)
    try:
        visit(page, fresh.url)
        tab(page, text.TAB_TRAINING)
        expect(page.locator("#training-state")).to_contain_text("survivor", timeout=10_000)
        ended(run, "finished")
        expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["finished"], timeout=10_000)
        assert steps(run) == list(range(1, 21))
        until(lambda: points(page) == 20, 10, "the whole chart")
        assert len([event for event in read_events(run.events) if event["kind"] == "started"]) == 1
        assert (workspace / "models" / "survivor_final" / "adapter_model.safetensors").is_file()
    finally:
        fresh.process.terminate()
        fresh.process.wait(20)


def test_what_was_stopped_is_saved_and_resume_finishes_without_a_step_lost_or_repeated(
    app: App, page: Page, workspace: Path
) -> None:
    visit(page, app.url)
    run = start_training(page, workspace, "paused", 14, FEW)
    until(lambda: len(steps(run)) >= 3, 60, "three steps")
    page.locator("#training-stop").click()
    ended(run, "stopped", 60)
    taken = steps(run)
    assert 3 <= len(taken) < 14
    assert (workspace / "models" / "paused_checkpoints" / f"checkpoint-{taken[-1]}").is_dir()
    assert not (workspace / "models" / "paused_final").exists()
    expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["stopped"], timeout=10_000)
    page.locator("#training-resume").click()
    until(lambda: store.status(run) == "running" or len(steps(run)) == 14, 30, "the run's second start")
    ended(run, "finished")
    assert steps(run) == list(range(1, 15))
    expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["finished"], timeout=10_000)
    until(lambda: points(page) == 14, 10, "the whole chart")
    assert (newest(workspace, "train") or pytest.fail("no run")).id == run.id
