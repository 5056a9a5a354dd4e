"""`damgui --window` in a real browser without a display, by the real flags; what browsers want to install the page."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from clicks import QUIET, App, chromium, until, window
from playwright.sync_api import Browser, expect

from damgui import text
from damgui import window as own_window


def test_the_page_opens_in_a_window_of_its_own_that_is_followed_until_it_is_closed(
    app: App, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = chromium()
    if real is None:
        pytest.skip("there is no Chromium on PATH")
    headless = " ".join([*QUIET, "--headless=new", "--remote-debugging-port=0"])
    (tmp_path / "chromium").write_text(f'#!/bin/sh\nexec {real} {headless} "$@"\n')
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    became: list[str] = []
    profile = tmp_path / "cache" / "window"
    showing = threading.Thread(target=lambda: became.append(own_window.show(app.url, profile)), daemon=True)
    showing.start()

    told = profile / "DevToolsActivePort"
    until(lambda: told.is_file() and told.read_text(), what="the window")
    port = told.read_text().split()[0]
    over = browser.browser_type.connect_over_cdp(f"http://127.0.0.1:{port}")
    until(lambda: over.contexts[0].pages, what="the page in the window")
    (shown,) = over.contexts[0].pages
    expect(shown.locator("#go-baseline")).to_be_visible()
    assert shown.url.rstrip("/") == app.url
    assert became == []
    over.new_browser_cdp_session().send("Browser.close")  # as the window's cross does
    showing.join(30)
    assert became == [own_window.CLOSED]


def test_a_browser_finds_all_it_needs_to_install_the_page(app: App, browser: Browser) -> None:
    context = window(browser)
    page = context.new_page()
    page.goto(app.url)
    tools = context.new_cdp_session(page)
    manifest = tools.send("Page.getAppManifest")
    known = json.loads(manifest["data"])
    assert manifest["errors"] == []
    assert (known["name"], known["display"]) == (text.TITLE, "standalone")
    (icon,) = known["icons"]
    drawn = page.request.get(f"{app.url}{icon['src']}")
    assert (drawn.headers["content-type"], "<svg" in drawn.text()) == ("image/svg+xml", True)
    reasons = [one["errorId"] for one in tools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    assert [reason for reason in reasons if reason != "in-incognito"] == []  # this window keeps nothing
    context.close()
