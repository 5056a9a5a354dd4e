"""Data: choose the photos, see what is in them and what is wrong with them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, cast

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core.data.checks import SAME_FILE
from core.data.files import MANY_FILES
from core.data.formats.registry import FORMATS
from core.data.notes import IGNORED, INFERRED
from core.data.quality.findings import Review
from core.data.reader_client import Reading
from core.data.statistics import class_counts
from core.data.types import Dataset
from core.errors import Problem, UserError
from core.settings import Settings
from core.taxonomy import Taxonomy
from damgui import text, theme
from damgui.charts.base import plot_component, to_json
from damgui.charts.data import counts_by_split, heights
from damgui.components import datasets, folders, html
from damgui.components.photos import boxed, gallery
from damgui.forms import DATA_OPTIONS, FOR_DATA, FOR_REVIEW
from damgui.frame import LONG, QUIET, Frame, Updates
from damgui.tabs.data import view

THUMBS = 12
SAMPLE, FOLDER = "sample", "folder"


@dataclass(frozen=True)
class DataWidgets:
    """What a reading fills: the message, the light, numbers, problems, findings, charts and photos."""

    message: gr.HTML
    cancel: gr.Button
    anyway: gr.Button
    readings: gr.State  # the one at work on this page, in a list of its own
    light: gr.HTML
    summary: gr.HTML
    wrong: gr.Column
    problems: gr.HTML
    rest: gr.Button
    found: gr.Column
    findings_box: gr.Column
    findings: gr.HTML
    cures: gr.State  # the settings that cure each finding shown
    chart: gr.HTML
    heights: gr.HTML
    where: gr.HTML
    marks: gr.HTML
    split: gr.Dropdown
    more: gr.Button
    thumbs: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self) if field.name not in ("more", "readings")]


def build(frame: Frame) -> None:
    html.place(html.heading(text.TAB_DATA, text.DATA_LEAD))
    source, path, chooser, read, use_good = _controls(frame)
    w = _places()

    def choose(chosen: str) -> Updates:
        own = chosen == FOLDER
        return {path: gr.Textbox(value="" if own else "demo", visible=own), chooser.fold: gr.Accordion(visible=own)}

    def follow(now: str) -> Updates:
        """The form was filled from elsewhere (a run's settings): the radio shows what the path says."""
        own = now != "demo"
        return {
            source: FOLDER if own else SAMPLE,
            path: gr.Textbox(visible=own),
            chooser.fold: gr.Accordion(visible=own),
        }

    source.input(choose, source, [path, chooser.fold], **QUIET)
    path.change(follow, path, [source, path, chooser.fold], **QUIET)
    # The form is not complete while tabs are being built: handlers that read it are wired when it is.
    frame.later(lambda: _wire(frame, w, (read, path), use_good))


def _controls(frame: Frame) -> tuple[gr.Radio, gr.Textbox, folders.Chooser, gr.Button, Component]:
    """Which photos, and how they are read."""
    with gr.Column(elem_classes="dg-panel"):
        with gr.Row(elem_classes="dg-controls"):
            choices = [(text.DATA_SAMPLE, SAMPLE), (text.DATA_FOLDER, FOLDER)]
            source = gr.Radio(choices, value=SAMPLE, label=text.DATA_SOURCE, elem_id="data-source", scale=2)
            path = cast(
                gr.Textbox,
                frame.form.add("data.path", label=text.DATA_PATH, info=text.DATA_PATH_HINT, visible=False, scale=3),
            )
            read = gr.Button(text.DATA_READ, variant="primary", elem_id="data-read", scale=0, min_width=220)
        chooser = folders.chooser(frame, path, "data", visible=False)
        with gr.Accordion(text.OPTIONS, open=False, elem_id="data-more"), gr.Row(elem_classes="dg-grid3"):
            use_good = frame.form.add("data.use_good", min_width=200)
            for one in DATA_OPTIONS:
                frame.form.add(one, min_width=200)
    return source, path, chooser, read, use_good


def _places() -> DataWidgets:
    """Where a reading is shown, from the light down to the photos."""
    message = html.place("", elem_id="data-message")
    with gr.Row():
        cancel = gr.Button(text.DATA_CANCEL, scale=0, min_width=120, elem_id="data-cancel", visible=False)
        anyway = gr.Button(text.DATA_ANYWAY, scale=0, min_width=270, elem_id="data-anyway", visible=False)
    light = html.place("", elem_id="data-light")
    summary = html.place(html.empty(text.DATA_EMPTY), elem_id="data-summary")
    with gr.Column(visible=False, elem_classes="dg-panel") as wrong:
        problems = html.place("", elem_id="data-problems")
        rest = gr.Button(text.DATA_USE_GOOD, elem_id="data-use-good", visible=False)
    with gr.Column(visible=False, elem_id="data-found") as found:
        with gr.Column(visible=False) as findings_box:
            html.place(html.section(text.FINDINGS))
            cards = html.place("", js_on_load=theme.script("examples"), elem_id="data-findings")
        with gr.Column(elem_classes="dg-panel"):
            html.place(html.section(text.DATA_CHART))
            chart = plot_component("data-chart", text.DATA_CHART)
            with gr.Accordion(text.WHERE, open=False, elem_id="data-where"):
                html.place(html.small(text.WHERE_HINT))
                height_chart = plot_component("data-heights", text.WHERE)
                where = html.place("", elem_id="data-order")
        with gr.Column(elem_classes="dg-panel"):
            with gr.Row(elem_classes="dg-sectionrow"):
                marks = html.place(html.section(text.DATA_THUMBS))
                split = gr.Dropdown(
                    [],
                    label="Split",
                    show_label=False,
                    container=False,
                    scale=0,
                    min_width=150,
                    elem_id="data-split",
                    interactive=True,
                )
                more = gr.Button(text.DATA_MORE, size="sm", scale=0, min_width=150, elem_id="data-more-photos")
            thumbs = html.place("", elem_id="data-thumbs")
    return DataWidgets(
        message,
        cancel,
        anyway,
        gr.State([]),
        light,
        summary,
        wrong,
        problems,
        rest,
        found,
        findings_box,
        cards,
        gr.State([]),
        chart,
        height_chart,
        where,
        marks,
        split,
        more,
        thumbs,
    )


def _wire(frame: Frame, w: DataWidgets, starts: tuple[gr.Button, gr.Textbox], use_good: Component) -> None:
    """Read; use the good rest; cure a finding, which sets the form and reads again; look at other photos."""
    inputs = frame.form.inputs | {w.readings}
    busy = html.waiting(text.DATA_READING) + html.small(text.DATA_READING)

    def show(values: Mapping[Component, Any]) -> Iterator[Updates]:
        yield from _read(frame, values, w, many_files=False)

    def show_anyway(values: Mapping[Component, Any]) -> Iterator[Updates]:
        yield from _read(frame, values, w, many_files=True)

    def cancel(readings: list[Reading]) -> Updates:
        for reading in readings:
            reading.cancel()
        return {w.cancel: gr.Button(visible=False)}

    def cure(values: Mapping[Component, Any], event: gr.EventData) -> Updates:
        chosen = values[w.cures][event._data["index"]]
        return {w.message: busy, **{frame.form.widgets[path]: value for path, value in chosen.items()}}

    def other(values: Mapping[Component, Any]) -> Any:
        settings = frame.form.read(values, FOR_DATA)
        data, taxonomy = datasets.already_read(frame.workspace, settings), datasets.taxonomy(settings.data.taxonomy)
        return gr.skip() if data is None else _thumbs(data, taxonomy, values[w.split], random.randrange(1, 1_000_000))

    read, path = starts
    for begun in (
        gr.on([read.click, path.submit], lambda: busy, outputs=w.message, **QUIET),
        w.rest.click(lambda: (True, busy), outputs=[use_good, w.message], **QUIET),
        w.findings.select(cure, {w.cures}, [w.message, *frame.form.widgets.values()], **QUIET),
    ):
        begun.then(show, inputs, w.outputs, **LONG)
    w.anyway.click(lambda: busy, outputs=w.message, **QUIET).then(show_anyway, inputs, w.outputs, **LONG)
    w.cancel.click(cancel, w.readings, w.cancel, **QUIET)
    gr.on([w.split.input, w.more.click], other, inputs | {w.split}, w.thumbs, **QUIET)


def _read(frame: Frame, values: Mapping[Component, Any], w: DataWidgets, many_files: bool) -> Iterator[Updates]:
    """Read the photos in a process of their own and say how far that is; at last fill everything, or say what is wrong.

    The reading that this page began before ends; closing the page ends this one.
    """
    over = {w.cancel: gr.Button(visible=False), w.anyway: gr.Button(visible=False)}
    readings: list[Reading] = values[w.readings]
    reading = None
    try:
        settings = _settings(frame, values)
        reading = datasets.begin(frame.workspace, settings, with_review=True, many_files=many_files)
        while readings:
            readings.pop().cancel()
        readings.append(reading)
        yield {**over, w.cancel: gr.Button(visible=True)}
        for step in reading.steps():
            yield {w.message: html.working(str(step))}
        data, review = datasets.finish(frame.workspace, settings, reading)
        assert review is not None
        yield {w.message: "", **over, **_show(data, review, settings, w)}
    except UserError as error:
        if reading is None or reading in readings:  # not one that a newer one has replaced
            asks = any(problem.kind == MANY_FILES for problem in error.problems)
            yield {**over, w.message: html.problem(error), w.anyway: gr.Button(visible=asks)}


def _show(data: Dataset, found: Review, settings: Settings, w: DataWidgets) -> Updates:
    """Fill everything with what was read."""
    splits = [name for name in ("train", "valid", "test") if data.split(name)]
    first = "valid" if "valid" in splits else splits[0]
    taxonomy = datasets.taxonomy(settings.data.taxonomy)
    kept, listed = settings.data.use_good, _listed(data)
    cards, places = view.shown(found), found.statistics["positions"]
    return {
        w.light: view.light(found),
        w.summary: _summary(data, taxonomy),
        w.wrong: gr.Column(visible=bool(listed)),
        w.problems: view.problems(listed, kept),
        w.rest: gr.Button(visible=bool(listed) and not kept),
        w.found: gr.Column(visible=True),
        w.findings_box: gr.Column(visible=bool(cards)),
        w.findings: view.cards(data, cards, taxonomy),
        w.cures: [dict(finding.cure_setting) for finding in cards],
        w.chart: to_json(counts_by_split(class_counts(data), taxonomy)),
        w.heights: to_json(heights(places["heights"], taxonomy)),
        w.where: view.where(places, taxonomy),
        w.marks: html.section(text.DATA_THUMBS) + html.legend(taxonomy.legend),
        w.split: gr.Dropdown([(text.SPLIT_WORDS[name], name) for name in splits], value=first),
        w.thumbs: _thumbs(data, taxonomy, first, 0),
    }


def _settings(frame: Frame, values: Mapping[Component, Any]) -> Settings:
    """What reading and reviewing depend on; where the view is set wrongly it is reviewed with the defaults."""
    try:
        return frame.form.read(values, FOR_REVIEW)
    except UserError:
        return frame.form.read(values, FOR_DATA)


def _listed(data: Dataset) -> list[Problem]:
    """Problems that get a line of their own; the others have a card."""
    return [
        problem
        for problem in data.problems
        if not problem.what.startswith(SAME_FILE) and problem.kind not in ("duplicates-left-out", IGNORED, INFERRED)
    ]


def _summary(data: Dataset, taxonomy: Taxonomy) -> Markup:
    objects = [obj for photo in data.photos for obj in photo.objects]
    conditions = Counter(taxonomy.shown(obj.object_type, obj.condition).name for obj in objects)
    wrong = len(_listed(data))
    shares = ", ".join(f"{n:,} {name}" for name, n in conditions.most_common())
    return html.figures(
        [
            html.figure(f"{len(data.photos):,}", "Photos", FORMATS[data.format].title),
            html.figure(f"{len(objects):,}", "Boxed objects", shares),
            html.figure(f"{len({(obj.object_type, obj.condition) for obj in objects})}", "Classes", "that occur"),
            html.figure(
                f"{wrong:,}", "Problems", "listed below" if wrong else "✓ none found", "dg-warned" if wrong else ""
            ),
        ]
    )


def _thumbs(data: Dataset, taxonomy: Taxonomy, split: str, seed: int) -> Markup:
    """A dozen photos of a split; those with the most different conditions first, others by chance."""
    photos = [photo for photo in data.split(split) if photo.objects]
    if seed:
        photos = random.Random(seed).sample(photos, min(THUMBS, len(photos)))
    else:
        photos = sorted(photos, key=lambda photo: -len({obj.condition for obj in photo.objects}))[:THUMBS]
    return gallery([boxed(photo.path, datasets.marks(photo, taxonomy), photo.path.name) for photo in photos])
