"""Predict: a photo, a box in it or all its labelled ones, and what the base and the tuned model say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from core.data.types import Photo
from core.errors import UserError
from core.runs import prediction_client, store
from core.settings import DataSettings, Settings
from core.taxonomy import Taxonomy
from damgui import text as page_text
from damgui.charts.base import to_json
from damgui.charts.classes import probabilities
from damgui.components import datasets, html
from damgui.components.downloads import download
from damgui.components.guard import guarded
from damgui.components.photos import full_size, is_larger, photo_size, preview
from damgui.forms import FOR_DATA
from damgui.frame import LONG, QUIET, Frame, Handler, Updates
from damgui.run_state import Stamp
from damgui.snapshot import Snapshot
from damgui.tabs.predict import exports, questions, text, view
from damgui.tabs.predict.questions import BoxQuestion, ChosenPhoto
from damgui.tabs.predict.view import Answered
from damgui.tabs.predict.widgets import PredictWidgets, draw, kinds

EXAMPLES = 12
TAXONOMY = "data.taxonomy"


@dataclass(frozen=True)
class Examples:
    """The labelled photos that are offered, and the settings of the data set that they are from."""

    data: DataSettings
    photos: tuple[Photo, ...]


@dataclass(frozen=True)
class Pending:
    """Questions that were handed in, with their numbers."""

    questions: tuple[BoxQuestion, ...]
    numbers: tuple[str, ...]


def build(frame: Frame) -> None:
    html.place(html.heading(page_text.TAB_PREDICT, text.LEAD))
    w = draw()
    frame.jump(w.go_data, "data")
    frame.watch(lambda now, seen: _models(now, seen, w), w.model)
    follow = _wire_choice(frame, w)
    offered = [w.offered, w.set_title, w.examples, w.go_data, w.none, w.kind]
    frame.on_open("predict", lambda values: _open(frame, values, w), offered, then=follow)
    frame.later(lambda: _wire_question(frame, w))
    frame.later(lambda: _wire_exports(frame, w))


def _wire_choice(frame: Frame, w: PredictWidgets) -> Handler:
    """Photo, box and type. Whichever changes: the last answer holds no more, and nobody waits for the next one.

    Returns what opens a photo of the chosen set by itself.
    """

    def forget(pending: Pending | None) -> Updates:
        prediction_client.withdraw(frame.workspace, pending.numbers if pending else ())
        return w.forget()

    def dropped(path: str | None, pending: Pending | None) -> Any:
        if path is None:
            return gr.skip()
        try:
            shown = _show(ChosenPhoto(Path(path), photo_size(Path(path))), w)
        except UserError as error:  # the photo that was there stays, and the place is free for the one that was meant
            return {w.drop: gr.File(value=None), w.message: html.problem(error)}
        return {**forget(pending), **shown, w.message: ""}

    @guarded(w.message)
    def take(offered: Examples, pending: Pending | None, event: gr.EventData) -> Updates:
        return {**forget(pending), **_show(_example(offered, event._data["index"]), w)}

    def follow(offered: Examples | None, photo: ChosenPhoto | None, pending: Pending | None) -> Any:
        """The set's photos, and one of them at work unless one of this set, or a dropped one, is already.

        All at once: who sees the examples can click on them without being overtaken.
        """
        if offered is None:
            return gr.skip()
        listed = _listed(offered, w)
        if not offered.photos or (photo is not None and photo.data in (None, offered.data)):
            return listed
        try:  # without a word where it succeeds: another message may stand there by now
            return {**listed, **forget(pending), **_show(_example(offered, 0), w)}
        except UserError as error:
            return {**listed, w.message: html.problem(error)}

    def mark(photo: ChosenPhoto | None, pending: Pending | None, value: Any, known: str) -> Updates:
        """Whoever takes a labelled box need not say what it is."""
        index = questions.labelled_index(photo, value)
        kind = known if photo is None or index is None else photo.objects[index].object_type
        return {**forget(pending), w.kind: kind}

    def sharpen(photo: ChosenPhoto | None) -> Any:
        """Somebody looks closer than the preview can show."""
        try:
            return gr.HTML(full={"key": photo.key, "path": full_size(photo.path)}) if photo else gr.skip()
        except UserError:  # the preview stays
            return gr.skip()

    shown = [*w.shown, w.message]
    w.drop.upload(dropped, [w.drop, w.pending], shown, **LONG)
    w.examples.select(take, [w.offered, w.pending], shown, **LONG)
    w.picker.select(mark, [w.photo, w.pending, w.picker, w.kind], [w.kind, *w.answer], **QUIET)
    w.picker.sharpen(sharpen, w.photo, w.picker, **LONG)
    gr.on([w.kind.input, w.stop.click], forget, w.pending, w.answer, **QUIET)
    return Handler(follow, [w.offered, w.photo, w.pending], [w.set_title, w.examples, w.go_data, *shown])


def _wire_question(frame: Frame, w: PredictWidgets) -> None:
    """Ask about what is marked or about all labelled boxes, and show every answer as it comes."""
    judging = [widget for path, widget in frame.form.widgets.items() if path.startswith("judging.")]
    taxonomy = frame.form.widgets[TAXONOMY]

    def show_busy() -> Updates:
        busy = {w.ask: gr.Button(interactive=False), w.ask_all: gr.Button(interactive=False)}
        return {**w.forget(), **busy, w.cards: html.working(text.ASKING)}

    def begin(find: Callable[[Mapping[Component, Any]], Sequence[BoxQuestion]]) -> Callable[..., Updates]:
        def ask(values: Mapping[Component, Any]) -> Updates:
            try:
                asked = tuple(find(values))
                models, settings = _models_and_settings(frame, values, w)
                requests = [questions.request(values[w.photo], question, models) for question in asked]
                numbers = prediction_client.ask_all(frame.workspace, settings, requests)
            except UserError as error:
                return {**w.forget(), w.message: html.problem(error)}
            wait = {w.clock: gr.Timer(active=True), w.stop: gr.Button(visible=True)}
            return {**wait, w.pending: Pending(asked, tuple(numbers)), w.message: ""}

        return ask

    def poll(pending: Pending | None, shown: Sequence[Answered], photo: ChosenPhoto | None, path: str) -> Any:
        if pending is None or photo is None:
            return gr.skip()
        found, known = {}, {item.question: item for item in shown}
        for place, (question, number) in enumerate(zip(pending.questions, pending.numbers, strict=True)):
            if question in known:
                found[place] = known[question]
            elif (answer := prediction_client.answer(frame.workspace, number)) is not None:
                found[place] = Answered(question, answer)
        if len(found) == len(shown):
            return gr.skip()
        over = len(found) == len(pending.numbers)
        refused = [item.refused for item in found.values() if item.refused]
        if over and len(refused) == len(found):
            return {**w.forget(), w.message: html.note(refused[0], "bad")}
        taxonomy_of = view.taxonomy(list(found.values()), path)
        updates = _answered(photo, pending.questions, found, taxonomy_of, w)
        return {**(w.forget() if over else {}), **updates}

    inputs = {w.photo, w.picker, w.kind, w.model, taxonomy, *judging}
    for button, find in (
        (w.ask, lambda values: [questions.chosen(values[w.photo], values[w.picker], values[w.kind])]),
        (w.ask_all, lambda values: questions.all_labelled(values[w.photo])),
    ):
        button.click(show_busy, outputs=w.answer, **QUIET).then(begin(find), inputs, [w.message, *w.answer], **LONG)
    w.clock.tick(poll, [w.pending, w.answered, w.photo, taxonomy], [w.message, *w.answer], **QUIET)


def _wire_exports(frame: Frame, w: PredictWidgets) -> None:
    """The files of what was judged, each made when it is asked for."""

    def handler(make: Callable[[ChosenPhoto, Sequence[Answered], Taxonomy], str]) -> Callable[..., Updates]:
        @guarded(w.message)
        def hand(photo: ChosenPhoto | None, answered: Sequence[Answered], path: str) -> Updates:
            made = make(photo, answered, view.taxonomy(answered, path)) if photo and answered else None
            return {w.files: download(made)} if made else {}

        return hand

    for button, make in ((w.picture, exports.picture), (w.table, exports.table)):
        inputs = [w.photo, w.answered, frame.form.widgets[TAXONOMY]]
        button.click(handler(make), inputs, [w.files, w.message], **LONG)


def _models(now: Snapshot, seen: Stamp | None, w: PredictWidgets) -> tuple[Stamp, Updates] | None:
    """The tuned models to choose from, when there is a new one."""
    names = tuple(tuned.name for tuned in now.tuned_models)
    if (names,) == seen:
        return None
    return (names,), {w.model: gr.Dropdown(list(names), value=names[0] if names else None, visible=bool(names))}


def _open(frame: Frame, values: Mapping[Component, Any], w: PredictWidgets) -> Updates:
    """The tab was opened: examples and object types of the data chosen now."""
    try:
        settings = frame.form.read(values, FOR_DATA)
        types = kinds(settings.data.taxonomy)
        data = datasets.already_read(frame.workspace, settings) or datasets.read(frame.workspace, settings)
    except UserError as error:
        return {
            w.offered: None,
            w.set_title: html.section(text.EXAMPLES),
            w.examples: html.problem(error),
            w.go_data: gr.Button(visible=True),
            w.none: html.empty(text.NO_PHOTO),
        }
    return {w.offered: Examples(settings.data, view.examples(data, EXAMPLES)), w.kind: gr.Dropdown(choices=types)}


def _listed(offered: Examples, w: PredictWidgets) -> Updates:
    return {
        w.set_title: view.set_title(offered.data),
        w.examples: view.strip(offered.photos) if offered.photos else html.empty(text.NO_EXAMPLES),
        w.go_data: gr.Button(visible=not offered.photos),
        w.none: html.empty(text.NO_PHOTO),
    }


def _example(offered: Examples, index: int) -> ChosenPhoto:
    photo = offered.photos[index]
    return ChosenPhoto(photo.path, photo_size(photo.path), photo.objects, offered.data)


def _show(photo: ChosenPhoto, w: PredictWidgets) -> Updates:
    """A photo is chosen: show it with its boxes, forget the last answer. Raises UserError when it cannot be read."""
    about = {
        "key": photo.key,
        "src": preview(photo.path),
        "about": photo.path.name,
        "size_wh": list(photo.size_wh),
        "boxes": view.boxes(photo),
        "larger": is_larger(photo.size_wh),
    }
    several = len(photo.objects) > 1
    return {
        **w.forget(),
        w.drop: gr.File(value=None),
        w.none: gr.HTML(visible=False),
        w.chosen: gr.Column(visible=True),
        w.photo: photo,
        w.kind: "",
        w.ask_all: gr.Button(text.ask_all(len(photo.objects)), visible=several, interactive=True),
        w.picker: gr.HTML(value=None, photo=about, full=None, tags=None),
    }


def _models_and_settings(
    frame: Frame, values: Mapping[Component, Any], w: PredictWidgets
) -> tuple[list[str], Settings]:
    """Who is asked, and with which settings."""
    tuned = next((model for model in frame.snapshot().tuned_models if model.name == values[w.model]), None)
    path = str(tuned.path) if tuned else _base(frame)
    base = store.base_model(path)
    settings = store.settings_for_model(path)
    # A tuned model is asked what it learned; a base model what the object types to choose from belong to.
    data = settings.data if tuned else replace(settings.data, taxonomy=values[frame.form.widgets[TAXONOMY]])
    judging = frame.form.read(values, ("judging.",)).judging
    settings = replace(settings, model=replace(settings.model, path=base), data=data, judging=judging)
    return [base, path] if tuned else [base], settings


def _base(frame: Frame) -> str:
    """The model of the last baseline, demo before there is one."""
    found = frame.snapshot().latest("baseline")
    return found.run.settings().model.path if found else "demo"


def _answered(
    photo: ChosenPhoto,
    asked: Sequence[BoxQuestion],
    found: Mapping[int, Answered],
    known: Taxonomy,
    w: PredictWidgets,
) -> Updates:
    """What was answered so far: one object in words and charts, several in a table; and the verdicts in the photo."""
    items = [found[place] for place in sorted(found)]
    updates: Updates = {
        w.answered: tuple(items),
        w.picker: gr.HTML(tags=view.verdicts_at_boxes(items, known)),
        w.exports: gr.Row(visible=len(items) == len(asked)),
    }
    if len(asked) > 1:
        return {**updates, w.cards: view.table(photo, asked, found, known)}
    (item,) = items
    kind = item.question.object_type
    labelled = [(answer["label"], view.shares(answer, kind, known)) for answer in item.answers]
    by_class = [
        (answer["label"], answer.get("calibrated_classes") or answer["class_probabilities"])
        for answer in item.answers
        if "class_probabilities" in answer
    ]
    return {
        **updates,
        w.cards: view.cards(item, view.truth(photo, item.question, known), known),
        w.charts: gr.Column(visible=True),
        w.chart: to_json(probabilities(labelled, known)),
        w.classes: to_json(probabilities(by_class, known)) if by_class else None,
    }
