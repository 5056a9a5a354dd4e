"""History is clicked as a user would: choose, rename, delete, undo; and the address leads back to where one was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clicks import App, Watch, serve, tab, until, visit, window, write
from playwright.sync_api import Browser, Page, expect

from core.runs import store, trash
from core.runs.store import Run
from core.runs.workspace import Workspace
from damgui import text
from damgui.tabs.history import text as history_text
from tests.inspector import finished, inspected


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return store.open_workspace(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def runs(workspace: Workspace) -> dict[str, Run]:
    return inspected(workspace)


@pytest.fixture(scope="module")
def served(workspace: Workspace, runs: dict[str, Run]) -> Iterator[App]:
    app = serve(workspace.root)
    yield app
    app.close()


@pytest.fixture(scope="module")
def page(browser: Browser, served: App) -> Iterator[Page]:
    """One page for all of these tests, on the History tab."""
    context, watch = window(browser), Watch()
    opened = context.new_page()
    watch.over(opened)
    visit(opened, served.url)
    tab(opened, history_text.TAB)
    yield opened
    assert watch.errors == [] and watch.elsewhere == []
    context.close()


def choose(page: Page, identity: str) -> None:
    page.locator(f"#history-table [data-run='{identity}']").click()
    expect(page.locator(f"#history-table tr[data-id='{identity}']")).to_have_class("dg-chosen")


def test_every_run_has_its_size_once_the_tab_is_opened(page: Page, runs: dict[str, Run]) -> None:
    rows = page.locator("#history-table tbody tr")
    expect(rows).to_have_count(4)
    for row in rows.all():
        expect(row.locator("td").last).to_contain_text("kB")


def test_the_filter_shows_one_kind(page: Page) -> None:
    page.locator("#history-kind input").click()
    page.get_by_role("option", name=f"{history_text.MODELS} (1)").click()
    expect(page.locator("#history-table tbody tr")).to_have_count(1)
    page.locator("#history-kind input").click()
    page.get_by_role("option", name=f"{history_text.ALL} (4)").click()
    expect(page.locator("#history-table tbody tr")).to_have_count(4)


def test_a_taken_name_is_refused_and_what_was_typed_stays(page: Page, runs: dict[str, Run]) -> None:
    choose(page, runs["batch"].id)
    write(page, "history-name", "small")
    page.locator("#history-rename").click()
    expect(page.locator("#history-refused")).to_contain_text("the name small is taken")
    expect(page.locator("#history-name :is(input, textarea)")).to_have_value("small")


def test_a_model_gets_another_name_and_back(page: Page, runs: dict[str, Run], workspace: Workspace) -> None:
    choose(page, runs["train"].id)
    for name in ("big", "small"):
        write(page, "history-name", name)
        page.locator("#history-rename").click()
        expect(page.locator(f"#history-table tr[data-id='{runs['train'].id}'] td").first).to_contain_text(name)
        assert workspace.final(name).is_dir()


def test_deleting_says_first_what_goes_and_is_undone_by_a_click(
    page: Page, runs: dict[str, Run], workspace: Workspace
) -> None:
    choose(page, runs["train"].id)
    page.locator("#history-delete").click()
    expect(page.locator("#history-goes")).to_contain_text("the model small, the evaluation that Compare shows of it")
    page.locator("#history-no").click()
    expect(page.locator("#history-goes")).to_be_hidden()
    page.locator("#history-delete").click()
    page.locator("#history-yes").click()
    expect(page.locator("#history-table tbody tr")).to_have_count(2)
    assert not workspace.final("small").exists()
    page.locator("#history-undo").click()
    expect(page.locator("#history-table tbody tr")).to_have_count(4)
    assert workspace.final("small").is_dir()


def test_what_somebody_else_deleted_is_said_in_a_sentence(page: Page, workspace: Workspace) -> None:
    run = finished(workspace, "baseline")
    choose(page, run.id)
    page.locator("#history-delete").click()
    trash.delete(workspace, run.id)
    expect(page.locator("#history-about")).to_contain_text("no longer here")
    page.evaluate("() => document.querySelector('#history-yes')?.click()")  # before the page has noticed
    expect(page.locator("#history-table tbody tr")).to_have_count(4)


def test_a_reload_and_back_land_where_one_was(page: Page, runs: dict[str, Run]) -> None:
    choose(page, runs["baseline"].id)
    choose(page, runs["train"].id)
    until(lambda: page.url.endswith(f"?tab=history&run={runs['train'].id}"), 10, "the address")
    tab(page, text.TAB_COMPARE)
    page.go_back()
    expect(page.locator("#history-about")).to_contain_text("small")
    page.go_back()
    expect(page.locator("#history-about")).to_contain_text(text.KIND_WORDS["baseline"])
    page.reload()
    expect(page.locator(f"#history-table tr[data-id='{runs['baseline'].id}']")).to_have_class("dg-chosen")


def test_what_runs_is_said_before_the_page_is_ready_and_stopped_on_a_phone(
    page: Page, browser: Browser, served: App, workspace: Workspace
) -> None:
    """Fine-tuning on a phone: its state and Stop are in the first screen."""
    run = finished(workspace, "train", "slow")
    run.events.write_text("", encoding="utf-8")
    context = browser.new_context(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    phone = context.new_page()
    with phone.expect_response(lambda answer: answer.url.endswith("/damgui/header")) as answered:
        phone.goto(f"{served.url}/?tab=training")
    assert "Fine-tuning slow" in answered.value.text()
    stop = phone.locator("#dg-busy [data-stop]")
    expect(stop).to_be_in_viewport()
    assert phone.evaluate("() => document.documentElement.scrollWidth") <= 390
    context.close()
