"""The page's address: which tab is open and which run is chosen there, so that a reload and Back land where one was."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
from gradio.events import Dependency
from markupsafe import escape

from damgui import theme
from damgui.components import html
from damgui.frame import QUIET, UNCHANGED, Frame, Handler, Updates

# The first input is the address's query.
QUERY = "(_, ...given) => [location.search, ...given]"


def place(names: Mapping[str, str]) -> gr.HTML:
    """Shows nothing itself: assets/address.js keeps the address, and says where it leads. `names` are those of tabs."""
    known = escape(json.dumps(names))
    return html.place(
        "",
        html_template=f'<i hidden data-tabs="{known}"></i>',
        js_on_load=theme.script("address"),
        elem_id="dg-address",
    )


def wire(frame: Frame, shown: Dependency) -> None:
    """Choose the run that the address names: once the page is shown, and as Back and Forward change it."""
    for name, opened in frame.by_address.items():
        shown.then(_at_first(name, opened), [frame.address, *opened.inputs], opened.outputs, js=QUERY, **QUIET)
        frame.address.select(_again(name, opened), list(opened.inputs), opened.outputs, **QUIET)


def _at_first(name: str, opened: Handler) -> Callable[..., Updates]:
    def open_run(query: str | None, *given: Any) -> Updates:
        asked = dict(parse_qsl((query or "").removeprefix("?")))
        run = asked.get("run")
        return opened.call(run, *given) if run and asked.get("tab") == name else UNCHANGED

    return open_run


def _again(name: str, opened: Handler) -> Callable[..., Updates]:
    def open_run(event: gr.EventData, *given: Any) -> Updates:
        return opened.call(event.run, *given) if event.tab == name else UNCHANGED

    return open_run
