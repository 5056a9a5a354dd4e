"""Before a training: two steps are tried by a click, the page tells what it would take, and suggests a name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clicks import App, ended, field_of, limit_photos, newest, tab, until, visit, write
from playwright.sync_api import Page, expect

from core.runs.events import read_events
from damgui import text
from damgui.forms import elem_id

pytestmark = pytest.mark.slow  # two steps tried for real


def test_two_steps_are_tried_by_a_click_and_nothing_is_trained(app: App, page: Page, workspace: Path) -> None:
    visit(page, app.url)
    limit_photos(page, 12)
    tab(page, text.TAB_TRAINING)
    models = sorted((workspace / "models").rglob("*"))
    page.locator("#training-try").click()
    expect(page.locator("#training-try")).to_be_disabled(timeout=3_000)
    trial = page.locator("#training-trial")
    expect(trial.locator("[role=progressbar]")).to_be_visible(timeout=3_000)
    run = until(lambda: newest(workspace, "rehearse"), 60, "the run")
    ended(run, "finished")
    measured = next(event for event in read_events(run.events) if event["kind"] == "rehearsal")
    expect(trial).to_contain_text(text.TRIED_FITS)
    for label, value, _ in text.tried(measured):
        expect(trial.locator(".dg-figure", has_text=label).locator(".dg-value")).to_have_text(value)
    expect(page.locator("#training-start")).to_be_enabled()
    assert sorted((workspace / "models").rglob("*")) == models


def test_a_name_follows_the_model_until_somebody_types_one(app: App, page: Page) -> None:
    visit(page, app.url)
    tab(page, text.TAB_TRAINING)
    name = field_of(page, "training-name")

    def choose(preset: str) -> None:
        page.locator("#training-preset input").click()
        page.get_by_role("option", name=preset, exact=True).click()

    choose("demo-photos")
    expect(name).to_have_value(re.compile(r"demo-photos-tuned(-\d+)?"))
    choose("demo")
    expect(name).to_have_value(re.compile(r"demo-tuned(-\d+)?"))
    write(page, "training-name", "mine")
    choose("demo-photos")
    expect(field_of(page, elem_id("model.path"))).to_have_value("demo-photos")
    expect(name).to_have_value("mine")
