"""Data: choose the photos, see what is in them and what is wrong with them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, cast

import gradio as gr
from gradio.components import Component

from core.data.checks import SAME_FILE
from core.data.review import review as reviewed
from core.data.sample import Dataset
from core.data.statistics import class_counts
from core.errors import Problem, UserError
from core.settings import Settings
from damgui import charts, datasets, parts, pictures, text, theme
from damgui.findings import cards as as_cards
from damgui.findings import light as lamp
from damgui.findings import order as ordered
from damgui.findings import shown, together
from damgui.forms import FOR_DATA, FOR_REVIEW
from damgui.frame import LONG, QUIET, Frame, Updates, guarded
from damgui.text import escape

THUMBS = 12
PROBLEMS_SHOWN = 60
SAMPLE, FOLDER = "sample", "folder"


def build(frame: Frame) -> None:
    parts.html(parts.heading(text.TAB_DATA, text.DATA_LEAD))
    with gr.Column(elem_classes="dg-panel"):
        with gr.Row(elem_classes="dg-controls"):
            choices = [(text.DATA_SAMPLE, SAMPLE), (text.DATA_FOLDER, FOLDER)]
            source = gr.Radio(choices, value=SAMPLE, label=text.DATA_SOURCE, elem_id="data-source", scale=2)
            path = cast(
                gr.Textbox,
                frame.form.add("data.path", label=text.DATA_PATH, info=text.DATA_PATH_HINT, visible=False, scale=3),
            )
            read = gr.Button(text.DATA_READ, variant="primary", elem_id="data-read", scale=0, min_width=220)
        with gr.Accordion(text.OPTIONS, open=False, elem_id="data-more"), gr.Row(elem_classes="dg-grid3"):
            use_good = frame.form.add("data.use_good", min_width=200)
            for one in ("data.drop_duplicates", "data.regroup", "data.format", "data.taxonomy", "data.valid_share",
                        "data.group_rule"):  # fmt: skip
                frame.form.add(one, min_width=200)
    message = parts.html("", elem_id="data-message")
    light = parts.html("", elem_id="data-light")
    summary = parts.html(parts.empty(text.DATA_EMPTY), elem_id="data-summary")
    with gr.Column(visible=False, elem_classes="dg-panel") as wrong:
        problems = parts.html("", elem_id="data-problems")
        rest = gr.Button(text.DATA_USE_GOOD, elem_id="data-use-good", visible=False)
    cures = gr.State([])  # the settings that cure each finding shown
    with gr.Column(visible=False, elem_id="data-found") as found:
        with gr.Column(visible=False) as told:
            parts.html(parts.section(text.FINDINGS))
            findings = parts.html("", js_on_load=theme.script("examples"), elem_id="data-findings")
        with gr.Column(elem_classes="dg-panel"):
            parts.html(parts.section(text.DATA_CHART))
            chart = charts.component("data-chart", text.DATA_CHART)
            with gr.Accordion(text.WHERE, open=False, elem_id="data-where"):
                parts.html(f'<p class="dg-small">{escape(text.WHERE_HINT)}</p>')
                heights = charts.component("data-heights", text.WHERE)
                where = parts.html("", elem_id="data-order")
        with gr.Column(elem_classes="dg-panel"):
            with gr.Row(elem_classes="dg-sectionrow"):
                marks = parts.html(parts.section(text.DATA_THUMBS))
                split = gr.Dropdown(
                    [], label="Split", show_label=False, container=False, scale=0, min_width=150, elem_id="data-split",
                    interactive=True,
                )  # fmt: skip
                more = gr.Button(text.DATA_MORE, size="sm", scale=0, min_width=150, elem_id="data-more-photos")
            thumbs = parts.html("", elem_id="data-thumbs")

    # The form is not complete while tabs are being built: ask for it when a handler runs.
    @guarded(message)
    def show(values: Mapping[Component, Any]) -> Updates:
        settings = _settings(frame, values)
        data = datasets.read(frame.workspace, settings, looking=True)
        splits = [name for name in ("train", "valid", "test") if data.split(name)]
        first = "valid" if "valid" in splits else splits[0]
        taxonomy = datasets.taxonomy(settings.data.taxonomy)
        counts, order = class_counts(data), taxonomy.class_names
        kept, listed = settings.data.use_good, _listed(data)
        review = reviewed(data, settings, taxonomy)
        cards, places = shown(review), review.statistics["positions"]
        return {
            marks: parts.section(text.DATA_THUMBS) + parts.legend(taxonomy.conditions),
            summary: _summary(data), found: gr.Column(visible=True), thumbs: _thumbs(data, first, 0),
            chart: charts.to_json(charts.class_counts(counts, order)),
            split: gr.Dropdown([(text.SPLIT_WORDS[name], name) for name in splits], value=first),
            wrong: gr.Column(visible=bool(listed)), problems: _problems(listed, kept),
            rest: gr.Button(visible=bool(listed) and not kept),
            light: lamp(review), told: gr.Column(visible=bool(cards)), findings: as_cards(data, cards),
            cures: [dict(one.cure_setting) for one in cards],
            heights: charts.to_json(charts.heights(places["heights"], order)), where: _where(places),
        }  # fmt: skip

    def cure(values: Mapping[Component, Any], event: gr.EventData) -> Updates:
        """The cure's settings on the form; reading again follows."""
        chosen = values[cures][event._data["index"]]
        return {message: busy, **{frame.form.widgets[path]: value for path, value in chosen.items()}}

    def other(values: Mapping[Component, Any]) -> Any:
        data = datasets.already_read(frame.workspace, frame.form.read(values, FOR_DATA))
        return gr.skip() if data is None else _thumbs(data, values[split], random.randrange(1, 1_000_000))

    def choose(chosen: str) -> Updates:
        return {path: gr.Textbox(value="demo" if chosen == SAMPLE else "", visible=chosen == FOLDER)}

    def follow(now: str) -> Updates:
        """The form was filled from elsewhere (a run's settings): the radio shows what the path says."""
        return {source: SAMPLE if now == "demo" else FOLDER, path: gr.Textbox(visible=now != "demo")}

    outputs = [message, marks, light, summary, found, thumbs, chart, split, wrong, problems, rest, told, findings,
               cures, heights, where]  # fmt: skip
    busy = parts.waiting(text.DATA_READING) + f'<p class="dg-small">{escape(text.DATA_READING)}</p>'
    source.input(choose, source, path, **QUIET)
    path.change(follow, path, [source, path], **QUIET)
    frame.later(lambda: _wire(frame, (read, rest, path), use_good, busy, show, message, outputs))
    frame.later(
        lambda: findings.select(cure, {cures}, [message, *frame.form.widgets.values()], **QUIET).then(
            show, frame.form.inputs, outputs, **LONG
        )
    )
    frame.later(lambda: gr.on([split.input, more.click], other, frame.form.inputs | {split}, thumbs, **QUIET))


def _wire(frame: Frame, starts: tuple[Any, Any, Any], use_good: Component, busy: str, show: Any, message: Component,
          outputs: list[Any]) -> None:  # fmt: skip
    read, rest, path = starts
    rest.click(lambda: (True, busy), outputs=[use_good, message], **QUIET).then(
        show, frame.form.inputs, outputs, **LONG
    )
    gr.on([read.click, path.submit], lambda: busy, outputs=message, **QUIET).then(
        show, frame.form.inputs, outputs, **LONG
    )


def _settings(frame: Frame, values: Mapping[Component, Any]) -> Settings:
    """What reading and reviewing depend on; where the view is set wrongly it is reviewed with the defaults."""
    try:
        return frame.form.read(values, FOR_REVIEW)
    except UserError:
        return frame.form.read(values, FOR_DATA)


def _listed(data: Dataset) -> list[Problem]:
    """Problems that get a line of their own; the others have a card."""
    return [one for one in data.problems if not one.what.startswith(SAME_FILE) and one.kind != "duplicates-left-out"]


def _where(places: Mapping[str, Any]) -> str:
    return (
        f'<div class="dg-where"><div>{parts.section(text.ABOVE, text.ABOVE_HINT)}{ordered(places["above"])}</div>'
        f"<div>{parts.section(text.TOGETHER, text.TOGETHER_HINT)}{together(places['together'])}</div></div>"
    )


def _summary(data: Dataset) -> str:
    objects = [one for photo in data.photos for one in photo.objects]
    conditions = Counter(one.condition for one in objects)
    wrong = len(_listed(data))
    shares = ", ".join(f"{n:,} {name}" for name, n in conditions.most_common())
    return parts.figures(
        [
            parts.figure(f"{len(data.photos):,}", "Photos", text.FORMAT_WORDS.get(data.format, data.format)),
            parts.figure(f"{len(objects):,}", "Boxed objects", shares),
            parts.figure(f"{len({(one.object_type, one.condition) for one in objects})}", "Classes", "that occur"),
            parts.figure(
                f"{wrong:,}", "Problems", "listed below" if wrong else "✓ none found", "dg-warned" if wrong else ""
            ),
        ]
    )


def _thumbs(data: Dataset, split: str, seed: int) -> str:
    """A dozen photos of a split; those with the most different conditions first, others by chance."""
    photos = [photo for photo in data.split(split) if photo.objects]
    if seed:
        photos = random.Random(seed).sample(photos, min(THUMBS, len(photos)))
    else:
        photos = sorted(photos, key=lambda photo: -len({one.condition for one in photo.objects}))[:THUMBS]
    return pictures.gallery([pictures.boxed(photo.path, datasets.marks(photo), photo.path.name) for photo in photos])


def _problems(listed: Sequence[Problem], kept: bool) -> str:
    if not listed:
        return ""
    lines = "".join(f"<li>{escape(str(one))}</li>" for one in listed[:PROBLEMS_SHOWN])
    more = len(listed) - PROBLEMS_SHOWN
    tail = f"<p class='dg-small'>… and {more:,} more. All of them: damgui check</p>" if more > 0 else ""
    title = parts.note(text.problems_title(len(listed), kept), "warn")
    return f'{title}<ol class="dg-problems">{lines}</ol>{tail}'
