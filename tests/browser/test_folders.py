"""Folders are chosen from a list, by keyboard alone, and a path that is typed goes on working."""

from __future__ import annotations

from pathlib import Path

from clicks import App, field_of, tab, visit
from playwright.sync_api import Page, expect

from damgui import text
from damgui.forms import elem_id


def test_a_folder_is_chosen_by_keyboard_and_read(app: App, page: Page, workspace: Path) -> None:
    visit(page, app.url)
    tab(page, text.TAB_DATA)
    page.locator("#data-source input[type=radio]").last.check()
    path, rows = field_of(page, elem_id("data.path")), page.locator("#data-folder-list .dg-folder-list button")
    page.locator("#data-folders > button").focus()
    page.keyboard.press("Enter")
    expect(rows.filter(has_text="sample-data")).to_be_visible()
    expect(page.locator("#data-folder-list")).not_to_contain_text("..")
    rows.filter(has_text="sample-data").focus()
    page.keyboard.press("Enter")
    expect(rows.first).to_be_focused()
    expect(page.locator("#data-folder-list .dg-crumbs")).to_contain_text("sample-data")
    for _ in range(20):
        page.keyboard.press("ArrowDown")
    expect(page.locator("#data-folder-list [data-use]")).to_be_focused()
    page.keyboard.press("Enter")
    expect(path).to_have_value(str(workspace / "sample-data"))
    expect(rows.first).to_be_hidden()
    page.locator("#data-read").click()
    expect(page.locator("#data-summary")).to_contain_text("Photos")
