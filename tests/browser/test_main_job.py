"""What a newcomer does, clicked in a real browser, training for real; and what happens when things are killed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from conftest import ROOT, App, serve
from core.runs import store
from core.runs.events import read_events
from core.runs.store import Run
from damgui import text
from damgui.forms import elem_id
from playwright.sync_api import Browser, Page, expect

RUN_S = 300_000  # ms: a run on a busy machine


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inspector")


@pytest.fixture(scope="module")
def app(workspace: Path) -> Iterator[App]:
    served = serve(workspace)
    yield served
    served.close()


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def set_number(page: Page, path: str, value: float) -> None:
    """Write into a setting's number box as a user would."""
    box = page.locator(f"#{elem_id(path)} input").first
    box.fill(str(value))
    box.press("Tab")


def until(check: Callable[[], Any], seconds: float = 120, what: str = "it") -> Any:
    """The first true value of `check`, asked four times a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.25)
    raise AssertionError(f"{what} did not come about within {seconds:.0f} s")


def newest(workspace: Path, kind: str) -> Run | None:
    return store.latest(store.open_workspace(workspace), kind)


def steps(run: Run) -> list[int]:
    return [event["step"] for event in read_events(run.events) if event["kind"] == "step"]


def percent(share: float) -> str:
    return text.percent(share)


def points(page: Page) -> int:
    """Points in the live chart's first trace, read from the drawing itself."""
    script = "() => { const d = document.querySelector('#training-chart .js-plotly-plot'); return d ? d.data[0].x.length : 0 }"
    return int(page.evaluate(script))


def train(page: Page, workspace: Path, steps_wanted: int, name: str) -> Run:
    """Fill in the form and press the button; returns the run once it steps."""
    tab(page, text.TAB_TRAINING)
    page.locator("#training-name input, #training-name textarea").first.fill(name)
    more = page.locator("#training-more")
    if not page.locator(f"#{elem_id('training.max_steps')}").is_visible():
        more.get_by_role("button").first.click()
    set_number(page, "training.max_steps", steps_wanted)
    page.locator("#training-start").click()
    run = until(lambda: (found := newest(workspace, "train")) and found.name == name and found, 60, "the run")
    until(lambda: steps(run), 180, "the first step")
    return run


def test_a_newcomer_does_the_whole_job_by_clicking(app: App, page: Page, workspace: Path) -> None:
    elsewhere: list[str] = []
    errors: list[str] = []
    page.on(
        "request",
        lambda sent: None if urlparse(sent.url).hostname in ("127.0.0.1", None) else elsewhere.append(sent.url),
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app.url)

    tab(page, text.TAB_BASELINE)
    page.locator("#baseline-start").click()
    results = workspace / "experiments" / "zeroshot_results.json"
    until(results.exists, 240, "the baseline")
    zero = json.loads(results.read_text())
    expect(page.locator("#baseline-score")).to_contain_text(percent(zero["overall_accuracy"]), timeout=30_000)
    expect(page.locator("#baseline-score")).to_contain_text(f"{zero['correct']} of {zero['total']}")

    run = train(page, workspace, 60, "clicked")
    first = until(lambda: points(page), 60, "the chart")
    until(lambda: points(page) > first, 60, "the chart's movement")
    until(lambda: store.status(run) == "finished", 280, "the end of training")
    info = json.loads((workspace / "experiments" / "training_info_clicked.json").read_text())
    expect(page.locator("#training-state")).to_contain_text(percent(info["best"]["accuracy"]), timeout=30_000)
    assert points(page) == len(steps(run)) == 60
    assert (workspace / "models" / "clicked_final" / "adapter_model.safetensors").is_file()

    tab(page, text.TAB_COMPARE)
    page.locator("#compare-judge").click()
    tuned_file = until(
        lambda: next((workspace / "experiments").glob("evaluation_*clicked*_valid.json"), None), 240, "the evaluation"
    )
    tuned = json.loads(tuned_file.read_text())
    expect(page.locator("#compare-headline")).to_contain_text(percent(tuned["overall_accuracy"]), timeout=30_000)
    expect(page.locator("#compare-headline")).to_contain_text(percent(zero["overall_accuracy"]))
    assert tuned["overall_accuracy"] == pytest.approx(info["best"]["accuracy"], abs=1e-6)

    tab(page, text.TAB_PREDICT)
    photo = next((workspace / "sample-data" / "test" / "images").glob("*.jpg"))
    page.locator("#predict-drop input[type=file]").set_input_files(str(photo))
    page.locator("#predict-picker").wait_for(state="visible")
    page.locator("#predict-ask").click()
    verdicts = page.locator("#predict-answer .dg-verdict")
    expect(verdicts).to_have_count(2, timeout=120_000)
    answers = sorted((workspace / "experiments" / "runs").glob("*-predict*/answers/*.json"))
    said = json.loads(answers[-1].read_text())
    for index, answer in enumerate(said["answers"]):
        expect(verdicts.nth(index)).to_contain_text(answer["predicted"])
        expect(verdicts.nth(index)).to_contain_text(text.percent(answer["probability"], 0))
    assert not elsewhere
    assert not errors


def test_the_page_and_the_command_line_agree(app: App, workspace: Path) -> None:
    words = "baseline --model demo --data demo --json --workspace"
    line = [sys.executable, "-m", "core.cli", *words.split(), str(workspace)]
    shown = json.loads((workspace / "experiments" / "zeroshot_results.json").read_text())
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)
    told = json.loads(done.stdout)
    for key in ("overall_accuracy", "correct", "total", "macro_f1", "per_class", "confusion", "accuracy_interval"):
        assert told[key] == shown[key]


def test_a_killed_browser_and_a_killed_app_leave_the_run_alive_and_the_page_finds_it(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, workspace: Path
) -> None:
    second = serve(workspace)
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(second.url)
    run = train(page, workspace, 24, "survivor")
    context.close()
    before = len(steps(run))
    until(lambda: len(steps(run)) > before, 60, "a step after the browser was gone")
    second.kill()
    before = len(steps(run))
    until(lambda: len(steps(run)) > before or store.status(run) == "finished", 60, "a step after the app was gone")
    third = serve(workspace)
    try:
        back = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        back.goto(third.url)
        tab(back, text.TAB_TRAINING)
        expect(back.locator("#training-state")).to_contain_text("survivor", timeout=30_000)
        until(lambda: store.status(run) == "finished", 240, "the end of the run")
        expect(back.locator("#training-state")).to_contain_text(text.STATUS_WORDS["finished"], timeout=30_000)
        assert steps(run) == list(range(1, 25))
        assert points(back) == 24
    finally:
        third.close()


def test_stop_saves_and_resume_finishes(app: App, page: Page, workspace: Path) -> None:
    page.goto(app.url)
    run = train(page, workspace, 30, "paused")
    until(lambda: len(steps(run)) >= 3, 60, "three steps")
    page.locator("#training-stop").click()
    until(lambda: store.status(run) == "stopped", 60, "the stop")
    taken = steps(run)
    assert taken[-1] < 30
    assert (workspace / "models" / "paused_checkpoints" / f"checkpoint-{taken[-1]}").is_dir()
    assert not (workspace / "models" / "paused_final").exists()
    page.locator("#training-resume").click()
    until(lambda: store.status(run) == "finished", 240, "the end")
    assert steps(run) == list(range(1, 31))
    expect(page.locator("#training-state")).to_contain_text(text.STATUS_WORDS["finished"], timeout=30_000)


def test_a_second_start_is_refused_at_once_and_says_who_is_at_work(app: App, page: Page, workspace: Path) -> None:
    page.goto(app.url)
    run = train(page, workspace, 40, "first-one")
    expect(page.locator("#training-start")).to_be_disabled(timeout=10_000)
    tab(page, text.TAB_BASELINE)
    expect(page.locator("#baseline-start")).to_be_disabled(timeout=10_000)
    expect(page.locator("#baseline-progress")).to_contain_text(re.compile("fine-tuning|training", re.I))
    store.request_stop(run)
    until(lambda: store.status(run) in ("stopped", "finished"), 60, "the stop")


@pytest.mark.parametrize(
    ("folder", "said"),
    [("/nowhere/at/all", "no such"), ("", "folder")],
)
def test_a_wrong_folder_is_told_in_one_sentence(app: App, page: Page, folder: str, said: str) -> None:
    page.goto(app.url)
    tab(page, text.TAB_DATA)
    page.locator("#data-source input[type=radio]").last.check()
    page.locator(f"#{elem_id('data.path')}").locator("input, textarea").first.fill(folder)
    page.locator("#data-read").click()
    expect(page.locator("#data-message")).to_contain_text(re.compile(said, re.I), timeout=30_000)
