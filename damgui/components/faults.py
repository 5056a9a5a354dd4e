"""What is wrong with a field, said under it: the sentences of core, put where the value stands."""

from __future__ import annotations

import json
from collections.abc import Mapping

import gradio as gr

from damgui import theme
from damgui.components import html


def place(elem_id: str) -> gr.HTML:
    """Shows nothing itself: assets/faults.js puts each sentence of its value under the field that it is about."""
    return html.place("", html_template="", js_on_load=theme.script("faults"), elem_id=elem_id)


def shown(faults: Mapping[str, str]) -> str:
    """The value for such a place, from {element id of a field: what is wrong with it}; all other fields are good."""
    return json.dumps(faults)
