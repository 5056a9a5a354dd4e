"""The widgets of the Predict tab, from top to bottom: choose a photo, mark the object and ask, read the answer."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from damgui import text as page_text
from damgui import theme
from damgui.charts.base import plot_component
from damgui.components import datasets, html
from damgui.components.downloads import hand_out
from damgui.frame import CHANGING, Updates
from damgui.tabs.predict import text, view

ASK_EVERY_S = 0.3


@dataclass(frozen=True)
class PredictWidgets:
    """All that handlers of this tab read or redraw."""

    offered: gr.State  # Examples or None
    photo: gr.State  # ChosenPhoto or None
    pending: gr.State  # Pending or None
    answered: gr.State  # a tuple of Answered: those that are shown
    drop: gr.File
    set_title: gr.HTML
    examples: gr.HTML
    go_data: gr.Button
    none: gr.HTML
    chosen: gr.Column
    picker: gr.HTML
    kind: gr.Dropdown
    model: gr.Dropdown
    ask: gr.Button
    ask_all: gr.Button
    stop: gr.Button
    message: gr.HTML
    cards: gr.HTML
    exports: gr.Row
    picture: gr.Button
    table: gr.Button
    files: gr.HTML
    charts: gr.Column
    chart: gr.HTML
    classes: gr.HTML
    clock: gr.Timer

    @property
    def answer(self) -> list[Component]:
        """What `forget` redraws."""
        return [
            self.pending,
            self.answered,
            self.clock,
            self.ask,
            self.ask_all,
            self.stop,
            self.picker,
            self.cards,
            self.exports,
            self.charts,
            self.chart,
            self.classes,
        ]

    @property
    def shown(self) -> list[Component]:
        """What `_show` redraws."""
        return [self.drop, self.none, self.chosen, self.photo, self.kind, *self.answer]

    def forget(self) -> Updates:
        """Another photo, box or type: the last answer holds no more, and a waiting one is not waited for."""
        return {
            self.pending: None,
            self.answered: (),
            self.clock: gr.Timer(active=False),
            self.ask: gr.Button(interactive=True),
            self.ask_all: gr.Button(interactive=True),
            self.stop: gr.Button(visible=False),
            self.picker: gr.HTML(tags=None),
            self.cards: html.empty(text.EMPTY),
            self.exports: gr.Row(visible=False),
            self.charts: gr.Column(visible=False),
            self.chart: None,
            self.classes: None,
        }


def draw() -> PredictWidgets:
    with gr.Row(elem_classes="dg-panel dg-choose"):
        # Any file may come: Gradio would refuse a wrong one in a window of its own, in words of its own.
        with gr.Column(scale=1, min_width=230):
            html.place(html.section(text.DROP))
            drop = gr.File(label=text.DROP, show_label=False, height=78, elem_id="predict-drop")
        with gr.Column(scale=4, min_width=320):
            set_title = html.place(html.section(text.EXAMPLES))
            examples = html.place("", js_on_load=theme.script("examples"), elem_id="predict-examples")
            go_data = gr.Button(page_text.GO_DATA, size="sm", visible=False, elem_id="predict-go-data")
    with gr.Column(elem_classes="dg-panel"):
        message = html.place("", elem_id="predict-message")
        none = html.place(html.working(text.READING), elem_id="predict-none")
        with gr.Column(visible=False) as chosen:
            picker = html.place(
                None,
                photo=None,
                full=None,
                tags=None,
                html_template=view.picker(),
                js_on_load=theme.script("picker"),
                elem_id="predict-picker",
            )
        with gr.Row(elem_classes="dg-ask"):
            kind = gr.Dropdown(kinds(""), value="", label=text.TYPE, info=text.TYPE_HINT, elem_id="predict-type")
            model = gr.Dropdown(
                [],
                label=page_text.TUNED_MODEL,
                info=text.MODEL_HINT,
                visible=False,
                **CHANGING,
                interactive=True,
                elem_id="predict-model",
            )
            ask = gr.Button(text.ASK, variant="primary", scale=0, elem_id="predict-ask")
            ask_all = gr.Button("", visible=False, scale=0, elem_id="predict-ask-all")
            stop = gr.Button(text.STOP, variant="stop", visible=False, scale=0, elem_id="predict-stop")
    with gr.Row(elem_classes="dg-panel"):
        with gr.Column(scale=5, min_width=400):
            cards = html.place(html.empty(text.EMPTY), elem_id="predict-answer")
            with gr.Row(visible=False, elem_classes="dg-actions", elem_id="predict-exports") as export_row:
                picture = gr.Button(text.PICTURE, scale=0, elem_id="predict-picture")
                table = gr.Button(text.TABLE, scale=0, elem_id="predict-table")
            files = hand_out()
        with gr.Column(scale=5, min_width=400, visible=False) as charts:
            chart = plot_component("predict-chart", text.BY_CONDITION)
            classes = plot_component("predict-classes", text.BY_CLASS)
    return PredictWidgets(
        offered=gr.State(None),
        photo=gr.State(None),
        pending=gr.State(None),
        answered=gr.State(()),
        drop=drop,
        set_title=set_title,
        examples=examples,
        go_data=go_data,
        none=none,
        chosen=chosen,
        picker=picker,
        kind=kind,
        model=model,
        ask=ask,
        ask_all=ask_all,
        stop=stop,
        message=message,
        cards=cards,
        exports=export_row,
        picture=picture,
        table=table,
        files=files,
        charts=charts,
        chart=chart,
        classes=classes,
        clock=gr.Timer(ASK_EVERY_S, active=False),
    )


def kinds(taxonomy: str) -> list[tuple[str, str]]:
    """The object types to choose from. Raises UserError when the taxonomy's file is wrong."""
    return [(text.NOT_SURE, ""), *((name, name) for name in datasets.taxonomy(taxonomy).object_types)]
