"""A real app on a free port and a real Chromium that clicks on it. One app and one workspace serve most tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clicks import QUIET, WAIT_MS, App, Watch, chromium, serve, window
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

# Five seconds, Playwright's own, are short for a model that is loaded first; what must happen at once says so itself.
expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium(), args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, few_photos: Path) -> Path:
    """An inspector's folder, with sample photos only at first; it fills as the tests work in it."""
    folder = tmp_path_factory.mktemp("inspector")
    shutil.copytree(few_photos, folder / "sample-data")
    return folder


@pytest.fixture(scope="session")
def app(workspace: Path) -> Iterator[App]:
    served = serve(workspace)
    yield served
    served.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = window(browser)
    yield opened
    opened.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Iterator[Page]:
    """A fresh page. Whatever a test does with it: it asks nobody but the app, and its scripts do not fail."""
    opened = context.new_page()
    watch.over(opened)
    yield opened
    assert watch.elsewhere == []
    assert watch.errors == []
