"""Predict: one photo, one box, and what the base and the tuned model say about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core import units
from core.conditions import Condition
from core.data.types import BoxedObject, Photo
from core.errors import UserError
from core.records import ModelAnswer, Prediction, PredictionRequest
from core.results import CalibrationFacts
from core.runs import prediction_client, store
from core.runs.files import read_json, read_record
from core.settings import Settings
from core.taxonomy import Taxonomy, restore
from damgui import text, theme
from damgui.charts.base import plot_component, to_json
from damgui.charts.classes import probabilities
from damgui.components import datasets, html
from damgui.components.guard import guarded
from damgui.components.photos import VIEW_PX, photo_size, whole
from damgui.forms import FOR_DATA
from damgui.frame import LONG, QUIET, Frame, Updates
from damgui.markup import TEMPLATES
from damgui.run_state import Stamp
from damgui.scores import sentences
from damgui.snapshot import Snapshot

EXAMPLES = 12
TAXONOMY = "data.taxonomy"
ASK_EVERY_S = 0.3
EXAMPLE_PX = 220
_PREDICT = TEMPLATES.macros("predict.html")


@dataclass(frozen=True)
class PredictWidgets:
    """All that handlers of this tab read or redraw."""

    photo: gr.State  # {"path", "size_wh", "objects": [(type, condition, box)]} or None
    pending: gr.State  # the question that waits for its answer
    drop: gr.File
    chosen: gr.Column
    picker: gr.HTML
    examples: gr.HTML
    go_data: gr.Button
    kind: gr.Dropdown
    model: gr.Dropdown
    ask: gr.Button
    stop: gr.Button
    message: gr.HTML
    cards: gr.HTML
    chart: gr.HTML
    classes: gr.HTML
    clock: gr.Timer

    @property
    def answer(self) -> list[Component]:
        """What `forget` redraws."""
        return [self.pending, self.clock, self.ask, self.stop, self.cards, self.chart, self.classes]

    def forget(self) -> Updates:
        """Another photo, box or type: the last answer holds no more, and a waiting one is not waited for."""
        return {
            self.pending: None,
            self.clock: gr.Timer(active=False),
            self.ask: gr.Button(interactive=True),
            self.stop: gr.Button(visible=False),
            self.cards: html.empty(text.PREDICT_EMPTY),
            self.chart: None,
            self.classes: None,
        }


def build(frame: Frame) -> None:
    html.place(html.heading(text.TAB_PREDICT, text.PREDICT_LEAD))
    with gr.Row():
        with gr.Column(scale=7, min_width=480, elem_classes="dg-panel"):
            drop, chosen, picker, other, examples, go_data = _left()
        with gr.Column(scale=5, min_width=400):
            with gr.Column(elem_classes="dg-panel"):
                kind = gr.Dropdown(
                    _kinds(""), value="", label=text.PREDICT_TYPE, info=text.PREDICT_TYPE_HINT, elem_id="predict-type"
                )
                model = gr.Dropdown(
                    [], label=text.TUNED_MODEL, visible=False, interactive=True, elem_id="predict-model"
                )
                ask = gr.Button(text.PREDICT_ASK, variant="primary", elem_id="predict-ask")
                stop = gr.Button(text.PREDICT_STOP, variant="stop", visible=False, elem_id="predict-stop")
            message = html.place("", elem_id="predict-message")
            with gr.Column(elem_classes="dg-panel"):
                cards = html.place(html.empty(text.PREDICT_EMPTY), elem_id="predict-answer")
                chart = plot_component("predict-chart", "Probability of every condition")
                classes = plot_component("predict-classes", "Probability of every class")
    w = PredictWidgets(
        gr.State(None),
        gr.State(None),
        drop,
        chosen,
        picker,
        examples,
        go_data,
        kind,
        model,
        ask,
        stop,
        message,
        cards,
        chart,
        classes,
        gr.Timer(ASK_EVERY_S, active=False),
    )
    frame.jump(go_data, "data")
    frame.on_open("predict", lambda values: _open(frame, values, w), [examples, go_data, kind])
    frame.watch(lambda now, seen: _models(now, seen, w), model)
    _wire_choice(frame, w, other)
    frame.later(lambda: _wire_question(frame, w))


def _left() -> tuple[gr.File, gr.Column, gr.HTML, gr.Button, gr.HTML, gr.Button]:
    """Drop area, the photo with its boxes, and the examples."""
    # Any file may come: Gradio would refuse a wrong one in a window of its own, in words of its own.
    drop = gr.File(label=text.PREDICT_DROP, height=150, elem_id="predict-drop")
    with gr.Column(visible=False) as chosen:
        picker = html.place(
            None,
            photo=None,
            html_template=str(_PREDICT.picker()),
            js_on_load=theme.script("picker"),
            elem_id="predict-picker",
        )
        other = gr.Button(text.PREDICT_OTHER, size="sm", elem_id="predict-other")
    html.place(html.section(text.PREDICT_EXAMPLES))
    examples = html.place(
        html.empty(text.PREDICT_NO_EXAMPLES), js_on_load=theme.script("examples"), elem_id="predict-examples"
    )
    go_data = gr.Button(text.GO_DATA, size="sm", visible=False, elem_id="predict-go-data")
    return drop, chosen, picker, other, examples, go_data


def _wire_choice(frame: Frame, w: PredictWidgets, other: gr.Button) -> None:
    """Photo, box and type."""
    shown = [w.drop, w.chosen, w.picker, w.photo, w.kind, *w.answer]

    def dropped(path: str | None) -> Updates:
        if path is None:
            return {}
        try:
            return {**_show(Path(path), (), w), w.message: ""}
        except UserError as error:  # the place is free again for the photo that was meant
            return {w.drop: gr.File(value=None), w.message: html.problem(error)}

    @guarded(w.message)
    def took(values: Mapping[Component, Any], event: gr.EventData) -> Updates:
        taken = _examples(frame, frame.form.read(values, FOR_DATA))[event._data["index"]]
        return _show(taken.path, taken.objects, w)

    def picked(current: dict[str, Any] | None, event: gr.EventData) -> Updates:
        """Whoever takes a labelled box need not say what it is."""
        index = (event._data or {}).get("index")
        return {**w.forget(), w.kind: gr.skip() if index is None or not current else current["objects"][index][0]}

    w.drop.upload(dropped, w.drop, [*shown, w.message], **LONG)
    w.picker.select(picked, w.photo, [w.kind, *w.answer], **QUIET)
    w.kind.input(w.forget, outputs=w.answer, **QUIET)
    other.click(
        lambda: {
            w.drop: gr.File(value=None, visible=True),
            w.chosen: gr.Column(visible=False),
            w.photo: None,
            **w.forget(),
        },
        outputs=shown,
        **QUIET,
    )
    frame.later(lambda: w.examples.select(took, frame.form.inputs, [*shown, w.message], **LONG))


def _wire_question(frame: Frame, w: PredictWidgets) -> None:
    """Ask, wait, show; or stop waiting."""

    def show_busy() -> Updates:
        return {**w.forget(), w.ask: gr.Button(interactive=False), w.cards: html.working(text.PREDICT_ASKING)}

    def begin(values: Mapping[Component, Any]) -> Updates:
        try:
            request, settings = _request(frame, values, w)
            number = prediction_client.ask(frame.workspace, settings, request)
        except UserError as error:
            return {**w.forget(), w.message: html.problem(error)}
        return {w.pending: number, w.clock: gr.Timer(active=True), w.stop: gr.Button(visible=True), w.message: ""}

    def poll(number: str | None, current: dict[str, Any] | None, box: Any, path: str) -> Any:
        found = prediction_client.answer(frame.workspace, number) if number else None
        if found is None:
            return gr.skip()
        if "error" in found:
            return {**w.forget(), w.message: html.note(found["error"], "bad")}
        known = _taxonomy(found, path)
        return {**w.forget(), **_answered(found, _truth(current, box, known), known, w)}

    judging = [widget for path, widget in frame.form.widgets.items() if path.startswith("judging.")]
    taxonomy = frame.form.widgets[TAXONOMY]
    w.ask.click(show_busy, outputs=w.answer, **QUIET).then(
        begin, {w.photo, w.picker, w.kind, w.model, taxonomy, *judging}, [w.message, *w.answer], **LONG
    )
    w.clock.tick(poll, [w.pending, w.photo, w.picker, taxonomy], [w.message, *w.answer], **QUIET)
    w.stop.click(w.forget, outputs=w.answer, **QUIET)


def _models(now: Snapshot, seen: Stamp | None, w: PredictWidgets) -> tuple[Stamp, Updates] | None:
    """The tuned models to choose from, when there is a new one."""
    names = tuple(tuned.name for tuned in now.tuned_models)
    if (names,) == seen:
        return None
    return (names,), {w.model: gr.Dropdown(list(names), value=names[0] if names else None, visible=bool(names))}


def _kinds(taxonomy: str) -> list[tuple[str, str]]:
    return [(text.NOT_SURE, ""), *((name, name) for name in datasets.taxonomy(taxonomy).object_types)]


def _examples(frame: Frame, settings: Settings) -> list[Photo]:
    """Validation photos with the most kinds of condition; none before they can be read at once."""
    if settings.data.path == "demo" and not (frame.workspace.sample_data / "data.yaml").is_file():
        return []
    data = datasets.already_read(frame.workspace, settings) or datasets.read(frame.workspace, settings)
    photos = [photo for photo in data.split("valid") or data.photos if photo.objects]
    return sorted(photos, key=lambda photo: -len({obj.condition for obj in photo.objects}))[:EXAMPLES]


def _open(frame: Frame, values: Mapping[Component, Any], w: PredictWidgets) -> Updates:
    """The tab was opened: examples and object types of the data chosen now."""
    try:
        settings = frame.form.read(values, FOR_DATA)
        listed, kinds = _examples(frame, settings), _kinds(settings.data.taxonomy)
    except UserError as error:
        return {w.examples: html.problem(error), w.go_data: gr.Button(visible=True)}
    shown = _strip(listed) if listed else html.empty(text.PREDICT_NO_EXAMPLES)
    return {w.examples: shown, w.go_data: gr.Button(visible=not listed), w.kind: gr.Dropdown(choices=kinds)}


def _strip(photos: list[Photo]) -> Markup:
    return _PREDICT.strip([(whole(photo.path, EXAMPLE_PX), photo.path.name, len(photo.objects)) for photo in photos])


def _show(path: Path, objects: Sequence[BoxedObject], w: PredictWidgets) -> Updates:
    """A photo is chosen: show it with its boxes, forget the last answer."""
    boxes = [{"box": list(obj.box_xyxy), "label": obj.object_type} for obj in objects]
    about = {"src": whole(path, VIEW_PX), "about": path.name, "boxes": boxes}
    current = {
        "path": str(path),
        "size_wh": photo_size(path),
        "objects": [(obj.object_type, obj.condition, obj.box_xyxy) for obj in objects],
    }
    return {
        **w.forget(),
        w.drop: gr.File(visible=False),
        w.chosen: gr.Column(visible=True),
        w.photo: current,
        w.kind: "",
        w.picker: gr.HTML(value=None, photo=about),
    }


def _request(frame: Frame, values: Mapping[Component, Any], w: PredictWidgets) -> tuple[PredictionRequest, Settings]:
    """The question for the prediction server. Raises UserError when no photo is chosen."""
    photo, value = values[w.photo], values[w.picker] or {}
    if not photo:
        raise UserError(text.PREDICT_NO_PHOTO)
    tuned = next((model for model in frame.snapshot().tuned_models if model.name == values[w.model]), None)
    path = str(tuned.path) if tuned else _base(frame)
    base = store.base_model(path)
    settings = store.settings_for_model(path)
    # A tuned model is asked what it learned; a base model what the object types to choose from belong to.
    data = settings.data if tuned else replace(settings.data, taxonomy=values[frame.form.widgets[TAXONOMY]])
    judging = frame.form.read(values, ("judging.",)).judging
    settings = replace(settings, model=replace(settings.model, path=base), data=data, judging=judging)
    box, size_wh = value.get("box"), photo["size_wh"]
    # A labelled box is asked about as in training, with its neighbours; among them a box of one's own has no place.
    picked = value.get("index")
    others = [obj[2] for i, obj in enumerate(photo["objects"]) if i != picked] if picked is not None else []
    request: PredictionRequest = {
        "image": photo["path"],
        "box_xyxy_px": _pixels(box, size_wh) if box else None,
        "object_type": values[w.kind] or None,
        "models": [base, path] if tuned else [base],
        "other_boxes_xyxy_px": [_pixels(other_box, size_wh) for other_box in others],
    }
    return request, settings


def _base(frame: Frame) -> str:
    """The model of the last baseline, demo before there is one."""
    found = frame.snapshot().latest("baseline")
    return found.run.settings().model.path if found else "demo"


def _pixels(box: Any, size_wh: Any) -> list[float]:
    """Not rounded: the answer must be the evaluation's, to the last digit."""
    return [end * side for end, side in zip(box, (*size_wh, *size_wh), strict=True)]


def _truth(photo: Any, value: Any, taxonomy: Taxonomy) -> Condition | None:
    index = (value or {}).get("index")
    if not photo or index is None:
        return None
    kind, condition, _box = photo["objects"][index]
    return taxonomy.shown(kind, condition)


def _taxonomy(found: Prediction, path: str) -> Taxonomy:
    """What the answers mean: what the tuned model among them learned, else the file of the form."""
    tuned = [str(answer.get("model") or "") for answer in found["answers"]]
    about = next(
        (read_json(Path(folder) / "damgui.json") for folder in tuned if folder and store.is_adapter(folder)), None
    )
    return restore(about["taxonomy"]) if about else datasets.taxonomy(path)


def _answered(found: Prediction, truth: Condition | None, taxonomy: Taxonomy, w: PredictWidgets) -> Updates:
    """The answers in words, then the probabilities: of conditions, and of classes when the type was not known."""
    object_type = found.get("object_type")
    cards = [_answer_card(answer, object_type or answer["predicted_type"], taxonomy) for answer in found["answers"]]
    alone = text.BASE_ONLY if len(cards) == 1 else ""
    labelled = [(answer["label"], _shares(answer, object_type, taxonomy)) for answer in found["answers"]]
    by_class = [
        (answer["label"], answer.get("calibrated_classes") or answer["class_probabilities"])
        for answer in found["answers"]
        if "class_probabilities" in answer
    ]
    return {
        w.cards: _PREDICT.answered(cards, truth, alone, float(found.get("seconds") or 0)),
        w.chart: to_json(probabilities(labelled, taxonomy)),
        w.classes: to_json(probabilities(by_class, taxonomy)) if by_class else None,
    }


def _answer_card(answer: ModelAnswer, kind: str, taxonomy: Taxonomy) -> Markup:
    """What one model says: the condition with its probability, or that an engineer has to look."""
    about = calibration(str(answer.get("model") or ""))
    rule = (about.get("thresholds") or {}).get("class" if "class_probabilities" in answer else "condition")
    trust = sentences.calibrated_on(about) if "calibrated" in answer else sentences.NOT_CALIBRATED
    shown = taxonomy.shown(kind, answer["predicted"])
    if answer.get("unsure"):
        why = sentences.why_unsure(answer, shown.name, rule)
        return _PREDICT.answer_card(answer, shown, kind, "", sentences.UNSURE, why, trust)
    sure = units.percent(sentences.sureness(answer), 0)
    return _PREDICT.answer_card(answer, shown, kind, sure, "", "", f"{trust} {sentences.promise(rule)}".rstrip())


def _shares(answer: ModelAnswer, object_type: str | None, taxonomy: Taxonomy) -> Mapping[str, float]:
    """The probabilities of the conditions that the answer speaks of, by the names that they are shown with."""
    if not object_type and taxonomy.observed and "class_probabilities" in answer:
        found: defaultdict[str, float] = defaultdict(float)
        for name, share in (answer.get("calibrated_classes") or answer["class_probabilities"]).items():
            found[taxonomy.of_class(name).name] += share
        return found
    calibrated = answer.get("calibrated") or {}
    shares = calibrated if set(calibrated) == set(answer["probabilities"]) else answer["probabilities"]
    return {taxonomy.shown(object_type or "", name).name: share for name, share in shares.items()}


def calibration(model: str) -> CalibrationFacts:
    """What lies beside an adapter about how sure it may be; empty for a model without."""
    try:
        found = read_record(Path(model) / "calibration.json", CalibrationFacts) if model else None
    except UserError:
        return {}
    return found if isinstance(found, dict) else {}
