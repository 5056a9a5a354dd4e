"""All that one results file tells, as widgets: what matters first, the rest folded. Two tabs show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import gradio as gr
from gradio.components import Component

from damgui import text
from damgui.charts.base import plot_component, to_json
from damgui.charts.classes import confusion, per_class
from damgui.components import html
from damgui.frame import QUIET, UNCHANGED, Updates
from damgui.scores import results, scores, sentences
from damgui.scores.results import PAGE, ShownResults


@dataclass(frozen=True)
class Details:
    """Charts, tables and the gallery that show one results file."""

    box: gr.Column
    beat: gr.Column
    references: gr.HTML
    reference_words: gr.HTML
    alarm_box: gr.Column
    alarms: gr.HTML
    bars: gr.HTML
    class_table: gr.HTML
    matrix: gr.HTML
    tables: gr.HTML
    sure_box: gr.Column
    reliability: gr.HTML
    sureness: gr.HTML
    title: gr.HTML
    gallery: gr.HTML
    more: gr.Button
    count: gr.State

    @property
    def outputs(self) -> tuple[Component, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))

    def fill(self, shown: ShownResults | None, most: int = PAGE) -> Updates:
        if shown is None:
            return {self.box: gr.Column(visible=False)}
        found = shown.results
        counted = found.get("confusion") or {"labels": [], "counts": []}
        chart, reliability = scores.reference_chart(found), scores.reliability_chart(found)
        alarms = scores.alarms(found, shown.taxonomy)
        return {
            self.box: gr.Column(visible=True),
            self.beat: gr.Column(visible=chart is not None),
            self.references: chart,
            self.reference_words: scores.reference_words(found),
            self.alarm_box: gr.Column(visible=bool(alarms)),
            self.alarms: alarms,
            self.bars: to_json(per_class(found["per_class"], shown.taxonomy, shown.order)),
            self.class_table: scores.class_table(found["per_class"], shown.taxonomy, shown.order),
            self.matrix: to_json(confusion(counted["labels"], counted["counts"], shown.taxonomy, shown.order)),
            self.tables: scores.group_tables(found, shown.taxonomy),
            self.sure_box: gr.Column(visible=reliability is not None),
            self.reliability: reliability,
            self.sureness: scores.sureness(found),
            **self.pages(shown, most),
        }

    def pages(self, shown: ShownResults, most: int) -> Updates:
        wrong = shown.mistakes
        note = f"{len(wrong)} of {len(shown.rows)} objects, the surest first"
        cards = results.mistake_cards(shown, wrong[:most]) if wrong else html.note(text.NO_MISTAKES, "good")
        return {
            self.title: html.section(text.MISTAKES, note),
            self.gallery: cards,
            self.count: most,
            self.more: gr.Button(visible=len(wrong) > most),
        }

    def wire(self, current: Callable[..., ShownResults | None], reads: list[Component] | None = None) -> None:
        """`current` gets the values of `reads` and tells what is shown."""

        def further(most: int, *given: object) -> Updates:
            shown = current(*given)
            return UNCHANGED if shown is None else self.pages(shown, most + PAGE)

        self.more.click(
            further, [self.count, *(reads or [])], [self.title, self.gallery, self.more, self.count], **QUIET
        )


def build(prefix: str) -> Details:
    """Draw the panels here, hidden until there is something to show."""
    with gr.Column(visible=False, elem_id=f"{prefix}-results") as box:
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="dg-panel dg-packed", min_width=420, scale=3) as beat:
                html.place(html.section(sentences.MUST_BEAT))
                references = plot_component(f"{prefix}-references", sentences.MUST_BEAT)
                words = html.place("", elem_id=f"{prefix}-reference-words")
            with gr.Column(elem_classes="dg-panel dg-packed", min_width=320, scale=2) as alarm_box:
                html.place(html.section(sentences.ALARMS))
                alarms = html.place("", elem_id=f"{prefix}-alarms")
        with (
            gr.Column(elem_classes="dg-panel"),
            gr.Accordion(sentences.BY_CLASS, elem_classes="dg-fold", elem_id=f"{prefix}-by-class"),
        ):
            with gr.Row(equal_height=True):
                with gr.Column(min_width=420):
                    html.place(html.section(text.PER_CLASS))
                    bars = plot_component(f"{prefix}-per-class", text.PER_CLASS)
                with gr.Column(min_width=420):
                    html.place(html.section(text.CONFUSION))
                    matrix = plot_component(f"{prefix}-confusion", text.CONFUSION)
            class_table = html.place("", elem_id=f"{prefix}-class-table")
            html.place(html.small(sentences.CLASS_TABLE_HINT))
        with (
            gr.Column(elem_classes="dg-panel"),
            gr.Accordion(sentences.BY_KIND, open=False, elem_classes="dg-fold", elem_id=f"{prefix}-by-kind"),
        ):
            tables = html.place("", elem_id=f"{prefix}-tables")
        with (
            gr.Column(elem_classes="dg-panel") as sure_box,
            gr.Accordion(sentences.SURE, open=False, elem_classes="dg-fold", elem_id=f"{prefix}-sure"),
            gr.Row(),
        ):
            with gr.Column(min_width=420):
                reliability = plot_component(f"{prefix}-reliability", sentences.SURE)
            with gr.Column(min_width=420):
                sureness = html.place("", elem_id=f"{prefix}-sureness")
        with gr.Column(elem_classes="dg-panel"):
            title = html.place(html.section(text.MISTAKES), elem_id=f"{prefix}-mistakes-title")
            gallery = html.place("", elem_id=f"{prefix}-mistakes")
            more = gr.Button(text.MORE_MISTAKES, size="sm", visible=False, elem_id=f"{prefix}-more-mistakes")
    return Details(
        box,
        beat,
        references,
        words,
        alarm_box,
        alarms,
        bars,
        class_table,
        matrix,
        tables,
        sure_box,
        reliability,
        sureness,
        title,
        gallery,
        more,
        gr.State(PAGE),
    )
