"""The widgets of the Compare tab, from top to bottom."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr
from gradio.components import Component

from damgui import text
from damgui.charts.base import plot_component
from damgui.charts.scores import MOST_CURVES
from damgui.components import html
from damgui.frame import CHANGING
from damgui.scores import details, sentences
from damgui.scores.details import Details


@dataclass(frozen=True)
class CompareWidgets:
    """All that handlers of this tab read or redraw."""

    chooser: gr.Row
    model: gr.Dropdown
    split: gr.Radio
    judge: gr.Button
    stop: gr.Button
    state: gr.HTML
    to_baseline: gr.Button
    to_training: gr.Button
    judge_base: gr.Button
    pair: gr.Row
    before: gr.Dropdown
    after: gr.Dropdown
    headline: gr.HTML
    box: gr.Column
    change: gr.HTML
    turned: gr.HTML
    chart: gr.HTML
    gallery: gr.HTML
    table_box: gr.Column
    table: gr.HTML
    curves_box: gr.Column
    curves: gr.Dropdown
    curves_chart: gr.HTML

    @property
    def outputs(self) -> list[Component]:
        return [getattr(self, field.name) for field in fields(self)]


def draw() -> tuple[CompareWidgets, gr.HTML, Details]:
    """(widgets, message panel, details of the run “After”), drawn here."""
    with gr.Row(elem_classes="dg-actions dg-panel dg-chooser", visible=False) as chooser:
        model = gr.Dropdown([], label=text.TUNED_MODEL, elem_id="compare-model", interactive=True, scale=3, **CHANGING)
        split = gr.Radio([], label=sentences.JUDGE_SPLIT, elem_id="compare-split", interactive=True, scale=2)
        judge = gr.Button(text.COMPARE_JUDGE, variant="primary", elem_id="compare-judge", scale=0, min_width=220)
        stop = gr.Button(text.COMPARE_STOP, variant="stop", visible=False, elem_id="compare-stop", scale=0)
    message, state = html.place("", elem_id="compare-message"), html.place("", elem_id="compare-state")
    with gr.Row(elem_classes="dg-actions"):
        to_baseline = gr.Button("Go to the baseline", visible=False, elem_id="compare-go-baseline", scale=0)
        to_training = gr.Button("Go to fine-tuning", visible=False, elem_id="compare-go-training", scale=0)
        judge_base = gr.Button(sentences.JUDGE_BASE, visible=False, elem_id="compare-judge-base", scale=0)
    with gr.Row(elem_classes="dg-panel dg-chooser", visible=False) as pair:
        about: dict[str, Any] = {"interactive": True, "min_width": 320, **CHANGING}
        before = gr.Dropdown([], label=sentences.BEFORE_RUN, elem_id="compare-run-before", **about)
        after = gr.Dropdown([], label=sentences.AFTER_RUN, elem_id="compare-run-after", **about)
    headline = html.place("", elem_id="compare-headline")
    with gr.Column(visible=False, elem_id="compare-results") as box:
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="dg-panel dg-packed", min_width=420):
                html.place(html.section(sentences.CHANGE_TITLE))
                change = plot_component("compare-change", sentences.CHANGE_TITLE)
                turned = html.place("", elem_id="compare-turned")
                html.place(html.small(sentences.CHANGE_HINT))
            with gr.Column(elem_classes="dg-panel", min_width=420):
                html.place(html.section(text.DIFFERENCE_CHART))
                chart = plot_component("compare-chart", text.DIFFERENCE_CHART)
        with gr.Column(elem_classes="dg-panel"):
            gallery = html.place("", elem_id="compare-changes")
    with gr.Column(elem_classes="dg-panel", visible=False) as table_box:
        html.place(html.section(sentences.RUNS_TITLE, sentences.PICK_HINT))
        table = html.place("", elem_id="compare-runs")
    with (
        gr.Column(elem_classes="dg-panel", visible=False) as curves_box,
        gr.Accordion(sentences.CURVES_TITLE, open=False, elem_classes="dg-fold", elem_id="compare-curves"),
    ):
        curves = gr.Dropdown(
            [],
            label=sentences.CURVES_PICK,
            multiselect=True,
            interactive=True,
            **CHANGING,
            max_choices=MOST_CURVES,
            elem_id="compare-curves-runs",
        )
        curves_chart = plot_component("compare-curves-chart", sentences.CURVES_TITLE, sentences.CURVES_EMPTY, zoom=True)
    with gr.Accordion(sentences.AFTER_DETAIL, open=False, elem_classes="dg-fold dg-bare", elem_id="compare-detail"):
        panels = details.build("compare-after")
    w = CompareWidgets(
        chooser,
        model,
        split,
        judge,
        stop,
        state,
        to_baseline,
        to_training,
        judge_base,
        pair,
        before,
        after,
        headline,
        box,
        change,
        turned,
        chart,
        gallery,
        table_box,
        table,
        curves_box,
        curves,
        curves_chart,
    )
    return w, message, panels
