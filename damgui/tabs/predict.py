"""Predict: one photo, one box, and what the untaught and the tuned model say about it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from core.data.sample import Photo
from core.errors import UserError
from core.runs import desk, store
from core.settings import Settings
from damgui import charts, datasets, live, parts, pictures, text, theme
from damgui.frame import LONG, QUIET, Frame, Updates, guarded
from damgui.live import Stamp, Tuned
from damgui.text import escape

EXAMPLES = 10
ASK_EVERY_S = 0.3
PICKER = f"""<div class="dg-pick">
<div class="dg-pick-frame"><img alt=""><div class="dg-pick-layer"></div><div class="dg-pick-drawn" hidden></div></div>
<div class="dg-pick-bar"><button type="button" class="dg-pick-whole">Whole photo</button>
<span>Chosen: <strong class="dg-pick-said" aria-live="polite"></strong></span></div>
<p class="dg-small">{escape(text.PREDICT_PICK)}</p></div>"""


def build(frame: Frame) -> None:
    parts.html(parts.heading(text.TAB_PREDICT, text.PREDICT_LEAD))
    photo, pending = gr.State(None), gr.State(None)
    with gr.Row():
        with gr.Column(scale=7, min_width=480, elem_classes="dg-panel"):
            drop = gr.File(label=text.PREDICT_DROP, file_types=["image"], height=150, elem_id="predict-drop")
            with gr.Column(visible=False) as chosen:
                picker = parts.html(
                    None, photo=None, html_template=PICKER, js_on_load=theme.script("picker"), elem_id="predict-picker",
                    apply_default_css=False,
                )  # fmt: skip
                other = gr.Button(text.PREDICT_OTHER, size="sm", elem_id="predict-other")
            parts.html(parts.section(text.PREDICT_EXAMPLES))
            examples = parts.html(parts.empty(text.PREDICT_NO_EXAMPLES), js_on_load=theme.script("examples"),
                               elem_id="predict-examples")  # fmt: skip
            go_data = gr.Button(text.GO_DATA, size="sm", visible=False, elem_id="predict-go-data")
        with gr.Column(scale=5, min_width=400):
            with gr.Column(elem_classes="dg-panel"):
                kinds = datasets.taxonomy("").object_types
                kind = gr.Dropdown(
                    [(text.NOT_SURE, ""), *((name, name) for name in kinds)], value="", label=text.PREDICT_TYPE,
                    info=text.PREDICT_TYPE_HINT, elem_id="predict-type",
                )  # fmt: skip
                model = gr.Dropdown(
                    [], label=text.TUNED_MODEL, visible=False, interactive=True, elem_id="predict-model"
                )
                ask = gr.Button(text.PREDICT_ASK, variant="primary", elem_id="predict-ask")
                stop = gr.Button("Stop waiting", visible=False, elem_id="predict-stop")
            message = parts.html("", elem_id="predict-message")
            with gr.Column(elem_classes="dg-panel"):
                verdict = parts.html(parts.empty(text.PREDICT_EMPTY), elem_id="predict-answer")
                chart = charts.component("predict-chart", "Probability of every answer")
                classes = charts.component("predict-classes", "Probability of every class")
    clock = gr.Timer(ASK_EVERY_S, active=False)
    shown = {drop, chosen, picker, photo, kind, verdict, chart, classes}

    @guarded(message)
    def dropped(path: str | None) -> Updates:
        return {} if path is None else _show(Path(path), (), shown_by)

    def took(values: Mapping[Component, Any], event: gr.EventData) -> Updates:
        listed = _examples(frame, frame.form.read(values))
        return _show(listed[event.index].path, listed[event.index].objects, shown_by)  # type: ignore[attr-defined]

    def picked(current: dict[str, Any] | None, event: gr.EventData) -> Any:
        """Whoever takes a labelled box need not say what it is."""
        index = event._data.get("index") if event._data else None
        return gr.skip() if index is None or not current else current["objects"][index][0]

    @guarded(message)
    def begin(values: Mapping[Component, Any]) -> Updates:
        request, settings = _request(frame, values[photo], values[picker], values[kind] or None, values[model])
        number = desk.ask(frame.workspace, settings, request)
        return {pending: (number, time.time()), clock: gr.Timer(active=True), stop: gr.Button(visible=True)}

    def poll(waiting: tuple[str, float] | None, current: dict[str, Any] | None, box: Any) -> Any:
        if waiting is None:
            return {clock: gr.Timer(active=False)}
        found = desk.answer(frame.workspace, waiting[0])
        if found is None:
            return gr.skip()
        over = {pending: None, clock: gr.Timer(active=False), stop: gr.Button(visible=False),
                ask: gr.Button(interactive=True)}  # fmt: skip
        if "error" in found:
            return {**over, message: parts.note(found["error"], "bad"), verdict: parts.empty(text.PREDICT_EMPTY)}
        return {**over, **_answered(found, _truth(current, box), (verdict, chart, classes))}

    def refresh(seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        names = tuple(tuned.name for tuned in live.tuned_models(frame.workspace))
        if (names,) == seen:
            return None
        return (names,), {model: gr.Dropdown(list(names), value=names[0] if names else None, visible=bool(names))}

    shown_by = (drop, chosen, picker, photo, kind, verdict, chart, classes)
    frame.watch(refresh, model)
    drop.upload(dropped, drop, [*shown, message], **LONG)
    other.click(lambda: (gr.File(value=None, visible=True), gr.Column(visible=False), None),
                outputs=[drop, chosen, photo], **QUIET)  # fmt: skip
    picker.select(picked, photo, kind, **QUIET)
    busy = parts.waiting(text.PREDICT_ASKING) + f'<p class="dg-stage">{escape(text.PREDICT_ASKING)}</p>'
    ask.click(lambda: (gr.Button(interactive=False), busy, None, None), outputs=[ask, verdict, chart, classes],
              **QUIET).then(begin, {photo, picker, kind, model}, [message, pending, clock, stop], **LONG).then(
        lambda waiting: (gr.skip(), gr.skip()) if waiting else (gr.Button(interactive=True), ""), pending, [ask, verdict],
        **QUIET,
    )  # fmt: skip
    clock.tick(poll, [pending, photo, picker], [pending, clock, stop, ask, message, verdict, chart, classes], **QUIET)
    stop.click(lambda: (None, gr.Timer(active=False), gr.Button(interactive=True), gr.Button(visible=False), ""),
               outputs=[pending, clock, ask, stop, verdict], **QUIET)  # fmt: skip
    frame.jump(go_data, "data")
    frame.on_open("predict", lambda values: _strip(frame, values, examples, go_data), [examples, go_data])
    frame.later(lambda: examples.select(took, frame.form.inputs, [*shown], **LONG))


def _examples(frame: Frame, settings: Settings) -> list[Photo]:
    """Validation photos with the most kinds of condition; none before they can be read at once."""
    if settings.data.path == "demo" and not (frame.workspace.sample_data / "data.yaml").is_file():
        return []
    data = datasets.already_read(frame.workspace, settings) or datasets.read(frame.workspace, settings)
    photos = [photo for photo in data.split("valid") or data.photos if photo.objects]
    return sorted(photos, key=lambda photo: -len({one.condition for one in photo.objects}))[:EXAMPLES]


def _strip(frame: Frame, values: Mapping[Component, Any], examples: Component, go_data: Component) -> Updates:
    try:
        listed = _examples(frame, frame.form.read(values))
    except UserError as error:
        return {examples: parts.problem(error), go_data: gr.Button(visible=True)}
    if not listed:
        return {examples: parts.empty(text.PREDICT_NO_EXAMPLES), go_data: gr.Button(visible=True)}
    buttons = "".join(
        f'<button type="button" data-index="{i}" title="{escape(photo.path.name)}" '
        f'aria-label="Example photo {i + 1}, {len(photo.objects)} objects"><img alt="" src="{pictures.whole(photo.path, 220)}">'
        "</button>"
        for i, photo in enumerate(listed)
    )
    return {examples: f'<div class="dg-strip">{buttons}</div>', go_data: gr.Button(visible=False)}


def _show(path: Path, objects: Any, widgets: tuple[Any, ...]) -> Updates:
    """A photo is chosen: show it with its boxes, forget the last answer."""
    drop, chosen, picker, photo, kind, verdict, chart, classes = widgets
    boxes = [{"box": list(one.box_xyxy), "label": one.object_type} for one in objects]
    about = {"src": pictures.whole(path, pictures.VIEW_PX), "about": path.name, "boxes": boxes}
    current = {
        "path": str(path), "size_wh": pictures.photo_size(path),
        "objects": [(one.object_type, one.condition, one.box_xyxy) for one in objects],
    }  # fmt: skip
    return {
        drop: gr.File(visible=False), chosen: gr.Column(visible=True), picker: gr.HTML(value=None, photo=about),
        photo: current, kind: "", verdict: parts.empty(text.PREDICT_EMPTY), chart: None, classes: None,
    }  # fmt: skip


def _request(
    frame: Frame, photo: Any, value: Any, kind: str | None, name: str | None
) -> tuple[dict[str, Any], Settings]:
    """The question for the desk. Raises UserError when no photo is chosen."""
    if not photo:
        raise UserError(text.PREDICT_NO_PHOTO)
    box = (value or {}).get("box")
    tuned: Tuned | None = next((one for one in live.tuned_models(frame.workspace) if one.name == name), None)
    path = str(tuned.path) if tuned else _base(frame)
    settings = store.settings_for_model(path)
    base = store.base_model(path)
    settings = replace(settings, model=replace(settings.model, path=base))
    chosen = (value or {}).get("index")
    others = [one[2] for i, one in enumerate(photo["objects"]) if i != chosen]
    request = {
        "image": photo["path"], "box_xyxy_px": _pixels(box, photo["size_wh"]) if box else None, "object_type": kind,
        "models": [base, path] if tuned else [base],
        "other_boxes_xyxy_px": [_pixels(one, photo["size_wh"]) for one in others] if box else [],
    }  # fmt: skip
    return request, settings


def _base(frame: Frame) -> str:
    """The model of the last baseline, demo before there is one."""
    found = store.latest(frame.workspace, "baseline")
    return found.settings().model.path if found else "demo"


def _pixels(box: Any, size_wh: Any) -> list[float]:
    return [round(end * side, 1) for end, side in zip(box, (*size_wh, *size_wh), strict=True)]


def _truth(photo: Any, value: Any) -> str:
    index = (value or {}).get("index")
    return photo["objects"][index][1] if photo and index is not None else ""


def _answered(found: dict[str, Any], truth: str, widgets: tuple[Any, Any, Any]) -> Updates:
    """The verdicts in words, then the probabilities: of conditions, and of classes when the type was not known."""
    verdict, chart, classes = widgets
    cards = []
    for answer in found["answers"]:
        kind = found.get("object_type") or answer["predicted_type"]
        cards.append(
            f'<div class="dg-verdict"><span class="dg-label">{escape(answer["label"])}</span>'
            f"<strong>{escape(kind)}</strong>{parts.badge(answer['predicted'])}"
            f'<span class="dg-below">{text.percent(answer["probability"], 0)} sure</span></div>'
        )
    known = f'<p class="dg-small">In the labels: {parts.badge(truth)}</p>' if truth else ""
    alone = parts.note(text.BASE_ONLY) if len(found["answers"]) == 1 else ""
    taxonomy = datasets.taxonomy("")
    labelled = [(answer["label"], answer["probabilities"]) for answer in found["answers"]]
    by_class = [(answer["label"], answer["class_probabilities"]) for answer in found["answers"]
                if "class_probabilities" in answer]  # fmt: skip
    order = [*taxonomy.conditions, *(name for _, one in labelled for name in one if name not in taxonomy.conditions)]
    figure = charts.probabilities(labelled, list(dict.fromkeys(order)))
    return {
        verdict: f'<div class="dg-verdicts">{"".join(cards)}</div>{known}{alone}'
        f'<p class="dg-small">Answered in {text.duration(found.get("seconds"))}.</p>',
        chart: charts.to_json(figure),
        classes: charts.to_json(charts.probabilities(by_class, taxonomy.class_names)) if by_class else None,
    }  # fmt: skip
