"""The page keeps what was entered: choices say what they change, faults stand where they are, and nothing starts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import App, field_of, one_page, serve, tab, unfold, write
from playwright.sync_api import Browser, Page, expect

from core.runs import store
from damgui import text
from damgui.forms import REQUIRED, elem_id

EPOCHS, SHARE = elem_id("training.epochs"), elem_id("data.valid_share")


@pytest.fixture(scope="module")
def own_app(tmp_path_factory: pytest.TempPathFactory, few_photos: Path) -> Iterator[App]:
    workspace = tmp_path_factory.mktemp("forms")
    shutil.copytree(few_photos, workspace / "sample-data")
    (workspace / "models" / "taken_final").mkdir(parents=True)
    served = serve(workspace)
    yield served
    assert store.list_runs(store.open_workspace(workspace)) == [], "nothing that was wrong has started"
    served.close()


@pytest.fixture(scope="module")
def visited(own_app: App, browser: Browser) -> Iterator[Page]:
    with one_page(browser, own_app.url) as opened:
        yield opened


def choose(page: Page, preset: str) -> None:
    page.locator("#training-preset input").click()
    page.get_by_role("option", name=preset, exact=True).click()


def test_choosing_a_model_says_what_it_changed_keeps_what_was_typed_and_can_be_undone(visited: Page) -> None:
    tab(visited, text.TAB_DATA)
    unfold(visited, "data-more", SHARE)
    expect(field_of(visited, SHARE)).to_have_value("0.2")
    tab(visited, text.TAB_TRAINING)
    write(visited, EPOCHS, 9)
    choose(visited, "demo-photos")
    line = visited.locator("#training-choice-line")
    expect(line).to_contain_text("Validation share 0.2 → 0.1")
    expect(line).to_contain_text("Epochs 9 (6 in the preset)")
    expect(field_of(visited, EPOCHS)).to_have_value("9")
    tab(visited, text.TAB_DATA)
    expect(field_of(visited, SHARE)).to_have_value("0.1")
    tab(visited, text.TAB_BASELINE)
    expect(visited.locator("#baseline-choice-line")).to_contain_text("Validation share 0.2 → 0.1")
    expect(field_of(visited, "baseline-model")).to_have_value("demo-photos")
    visited.locator("#baseline-choice-undo").click()
    expect(visited.locator("#baseline-choice")).to_be_hidden()
    expect(field_of(visited, "baseline-model")).to_have_value("demo")
    tab(visited, text.TAB_TRAINING)
    expect(field_of(visited, EPOCHS)).to_have_value("9")
    expect(field_of(visited, "training-name")).to_have_value("demo-tuned")
    tab(visited, text.TAB_DATA)
    expect(field_of(visited, SHARE)).to_have_value("0.2")


def test_what_was_kept_can_follow_the_preset_too(visited: Page) -> None:
    tab(visited, text.TAB_TRAINING)
    write(visited, EPOCHS, 9)
    choose(visited, "demo-photos")
    visited.locator("#training-choice-take").click()
    expect(field_of(visited, EPOCHS)).to_have_value("6")
    expect(visited.locator("#training-choice-line")).to_contain_text("Epochs 9 → 6")
    visited.locator("#training-choice-undo").click()
    expect(field_of(visited, EPOCHS)).to_have_value("9")
    expect(field_of(visited, elem_id("model.path"))).to_have_value("demo")
    write(visited, EPOCHS, 6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", "No number is given. Give a number"), ("-1", "-1 is outside"), ("1e99", "1e+99 is outside 0.01 to 1000")],
)
def test_a_number_shows_its_fault_where_it_stands_and_nothing_starts(visited: Page, value: str, expected: str) -> None:
    tab(visited, text.TAB_TRAINING)
    write(visited, EPOCHS, value)
    expect(visited.locator(f"#{EPOCHS}-fault")).to_contain_text(expected)
    expect(field_of(visited, EPOCHS)).to_have_attribute("aria-invalid", "true")
    for name, button in ((text.TAB_BASELINE, "baseline"), (text.TAB_TRAINING, "training")):
        tab(visited, name)
        visited.locator(f"#{button}-start").click()
        expect(visited.locator(f"#{button}-message [role=alert]")).to_contain_text("Epochs (training.epochs)")
        expect(visited.locator(f"#{button}-start")).to_be_enabled()
    expect(field_of(visited, EPOCHS)).to_have_value(value)
    write(visited, EPOCHS, 6)
    expect(visited.locator(f"#{EPOCHS}-fault")).to_have_count(0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("taken", "taken is already there"), ("a b", "cannot be a name"), ("", text.RUN_NAME_MISSING)],
)
def test_a_name_stays_as_it_was_typed_with_what_is_wrong_with_it(visited: Page, name: str, expected: str) -> None:
    tab(visited, text.TAB_TRAINING)
    write(visited, "training-name", name)
    expect(visited.locator("#training-name-fault")).to_contain_text(expected)
    visited.locator("#training-start").click()
    expect(visited.locator("#training-message [role=alert]")).to_contain_text(expected)
    expect(visited.locator("#training-start")).to_be_enabled()
    expect(field_of(visited, "training-name")).to_have_value(name)
    write(visited, "training-name", "mine")
    expect(visited.locator("#training-name-fault")).to_have_count(0)


def test_a_folder_that_is_not_there_is_named_under_its_field_and_no_batch_starts(visited: Page) -> None:
    tab(visited, text.TAB_BATCH)
    write(visited, "batch-folder", "/no/such/folder")
    expect(visited.locator("#batch-folder-fault")).to_contain_text("There is no folder /no/such/folder")
    visited.locator("#batch-start").click()
    expect(visited.locator("#batch-message [role=alert]")).to_contain_text("There is no folder /no/such/folder")
    expect(field_of(visited, "batch-folder")).to_have_value("/no/such/folder")


def test_a_run_without_photos_says_that_they_are_missing(visited: Page) -> None:
    tab(visited, text.TAB_DATA)
    visited.locator("#data-source input[type=radio]").last.check()
    field_of(visited, elem_id("data.path")).wait_for(state="visible")
    tab(visited, text.TAB_BASELINE)
    visited.locator("#baseline-start").click()
    expect(visited.locator("#baseline-message [role=alert]")).to_contain_text(REQUIRED["data.path"])
    tab(visited, text.TAB_DATA)
    visited.locator("#data-source input[type=radio]").first.check()


def test_a_finding_whose_cure_has_to_be_written_leads_to_its_field(visited: Page) -> None:
    tab(visited, text.TAB_DATA)
    visited.locator("#data-read").click()
    visited.locator("#data-findings [data-field]").first.click()
    field = visited.locator("#data-findings [data-field]").first.get_attribute("data-field") or ""
    expect(field_of(visited, field)).to_be_focused()
