"""axe-core, which checks pages against WCAG, finds no violation on any tab, light or dark, with runs of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from clicks import App, one_page, serve, tab
from playwright.sync_api import Browser, Page

from damgui.page import TABS
from tests.shared import old_workspace

pytestmark = pytest.mark.slow  # eight tabs, two themes, every element

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# What colours are on their way to is not what is read.
AT_REST = "* { transition: none !important; animation: none !important; }"
UNFOLD = """() => document.querySelectorAll('button.label-wrap:not(.open)')
    .forEach(one => one.checkVisibility() && one.click())"""
VIOLATIONS = "() => axe.run({ resultTypes: ['violations'] }).then(found => found.violations)"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Page]:
    served: App = serve(old_workspace(tmp_path_factory.mktemp("old")))
    with one_page(browser, served.url) as page:
        page.evaluate(AXE)
        page.add_style_tag(content=AT_REST)
        yield page
    served.close()


def violations(page: Page) -> list[str]:
    """What axe finds, a line for each element."""
    found: list[dict[str, Any]] = page.evaluate(VIOLATIONS)
    return [f"{one['id']}: {node['target']} {node['html'][:120]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("name", [name for name, _, _ in TABS])
def test_axe_finds_no_violation_light_or_dark(opened: Page, name: str) -> None:
    tab(opened, name)
    opened.evaluate(UNFOLD)
    opened.wait_for_timeout(500)
    for is_dark in (False, True):
        opened.evaluate("dark => document.body.classList.toggle('dark', dark)", is_dark)
        assert violations(opened) == [], "dark" if is_dark else "light"
