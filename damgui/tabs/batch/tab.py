"""Many photos: a folder judged in one go, watched as it runs, then summed up, listed, shown and handed out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core.errors import UserError
from core.runs import launcher, store
from core.runs.store import Run
from core.settings import Settings, merge, to_flat
from damgui import forms, text
from damgui.components import faults, folders, html
from damgui.components.downloads import offer
from damgui.components.run_controls import RunControls
from damgui.frame import QUIET, UNCHANGED, Frame, Updates
from damgui.run_state import RunState, Stamp
from damgui.snapshot import Snapshot
from damgui.tabs.batch import view

# What of the page's one form also holds here: where to compute, how labels are written, what is saved.
FROM_FORM = ("model.", "batch.", "data.use_good", "data.format", "data.taxonomy", "data.grey_range")


@dataclass(frozen=True)
class BatchWidgets:
    """What handlers of this tab read or redraw."""

    model: gr.Dropdown
    folder: gr.Textbox
    start: gr.Button
    stop: gr.Button
    resume: gr.Button
    message: gr.HTML
    state: gr.HTML
    summary: gr.HTML
    box: gr.Column
    csv: gr.DownloadButton
    report: gr.DownloadButton
    title: gr.HTML
    table: gr.HTML
    more_rows: gr.Button
    gallery: gr.HTML
    more_photos: gr.Button
    rows: gr.State
    photos: gr.State

    @property
    def outputs(self) -> list[Component]:
        return [
            self.start,
            self.stop,
            self.resume,
            self.state,
            self.summary,
            self.box,
            self.csv,
            self.report,
            *self.lists,
        ]

    @property
    def lists(self) -> list[Component]:
        return [self.title, self.table, self.more_rows, self.gallery, self.more_photos, self.rows, self.photos]


def build(frame: Frame) -> None:
    html.place(html.heading(text.TAB_BATCH, text.BATCH_LEAD))
    w = _draw(frame)

    def begin(values: Mapping[Component, Any]) -> None:
        launcher.begin(frame.workspace, _settings(frame, values, w), "batch")

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        found, busy = now.latest("batch"), now.at_work
        stamp = (found and found.stamp, busy and busy.run.id)
        if stamp == seen:
            return None
        updates: Updates = {
            w.start: gr.Button(interactive=busy is None),
            w.stop: gr.Button(visible=bool(found and found.active), interactive=not (found and found.stopping)),
            w.resume: gr.Button(visible=view.can_resume(found), interactive=busy is None),
            w.state: _state(found, busy),
        }
        known = None if seen is None or seen[0] is None else seen[0][:2]
        if known != (found and found.stamp[:2]):  # a run began or ended: what it came to is shown anew
            updates |= _results(found, w)
        return stamp, updates

    controls = RunControls(frame, w.message, w.state, frame.redraw(frame.watch(refresh, *w.outputs)))
    controls.stop(w.stop, "batch")
    controls.resume(w.resume, "batch")
    w.folder.blur(
        lambda folder: faults.shown({str(w.folder.elem_id): _fault(folder)} if folder else {}),
        w.folder,
        faults.place("batch-faults"),
        **QUIET,
    )
    frame.watch(lambda now, seen, chosen: _models(now, seen, chosen, w), w.model, reads=(w.model,))
    for button, more_rows, more_photos in ((w.more_rows, view.ROWS, 0), (w.more_photos, 0, view.PHOTOS)):
        button.click(_further(frame, w, more_rows, more_photos), [w.rows, w.photos], w.lists, **QUIET)
    frame.later(lambda: controls.start(w.start, begin, frame.form.inputs | {w.model, w.folder}))


def _draw(frame: Frame) -> BatchWidgets:
    with gr.Column(elem_classes="dg-panel"):
        with gr.Row(elem_classes="dg-controls"):
            model = gr.Dropdown(
                [],
                label=text.BATCH_MODEL,
                info=text.BATCH_MODEL_HINT,
                interactive=True,
                allow_custom_value=True,
                elem_id="batch-model",
                scale=2,
            )
            folder = gr.Textbox(
                "", label=text.BATCH_FOLDER, info=text.BATCH_FOLDER_HINT, max_lines=1, elem_id="batch-folder", scale=3
            )
            start = gr.Button(text.BATCH_START, variant="primary", elem_id="batch-start", scale=0, min_width=190)
            stop = gr.Button(
                text.BATCH_STOP, variant="stop", visible=False, elem_id="batch-stop", scale=0, min_width=110
            )
            resume = gr.Button(text.BATCH_RESUME, visible=False, elem_id="batch-resume", scale=0, min_width=110)
        folders.chooser(frame, folder, "batch")
        with gr.Accordion(text.OPTIONS, open=False, elem_id="batch-options"), gr.Row(elem_classes="dg-grid2"):
            for path in ("batch.whole_photo", "batch.annotate", "batch.pictures"):
                frame.form.add(path, min_width=200)
    message = html.place("", elem_id="batch-message")
    state = html.place(html.empty(text.BATCH_EMPTY), elem_id="batch-state")
    summary = html.place("", elem_id="batch-summary")
    with gr.Column(visible=False, elem_id="batch-results") as box:
        with gr.Row(elem_classes="dg-actions"):
            csv = gr.DownloadButton(text.BATCH_CSV, visible=False, elem_id="batch-csv", scale=0)
            report = gr.DownloadButton(text.REPORT_LOAD, visible=False, elem_id="batch-report", scale=0)
        with gr.Column(elem_classes="dg-panel"):
            title = html.place("", elem_id="batch-title")
            table = html.place("", elem_id="batch-table")
            more_rows = gr.Button(text.BATCH_MORE_ROWS, size="sm", visible=False, elem_id="batch-more-rows")
        with gr.Column(elem_classes="dg-panel"):
            html.place(html.section(text.BATCH_GALLERY, text.BATCH_GALLERY_HINT))
            gallery = html.place("", elem_id="batch-gallery")
            more_photos = gr.Button(text.BATCH_MORE_PHOTOS, size="sm", visible=False, elem_id="batch-more-photos")
    return BatchWidgets(
        model,
        folder,
        start,
        stop,
        resume,
        message,
        state,
        summary,
        box,
        csv,
        report,
        title,
        table,
        more_rows,
        gallery,
        more_photos,
        gr.State(view.ROWS),
        gr.State(view.PHOTOS),
    )


def _models(now: Snapshot, seen: Stamp | None, chosen: str | None, w: BatchWidgets) -> tuple[Stamp, Updates] | None:
    """The tuned models, newest first, then the base models; what somebody chose stays, unless it has gone."""
    tuned = now.tuned_models
    stamp = tuple(model.name for model in tuned)
    if stamp == seen:
        return None
    listed = [(f"{model.name} ({text.BATCH_TUNED})", str(model.path)) for model in tuned]
    listed += [(f"{name} ({text.BATCH_BASE})", name) for name in forms.models()]
    is_first_refresh = seen is None and chosen in (None, "")
    has_gone = bool(chosen) and Path(str(chosen)).parent == now.workspace.models and not Path(str(chosen)).exists()
    return stamp, {w.model: gr.Dropdown(listed, value=listed[0][1] if is_first_refresh or has_gone else chosen)}


def _settings(frame: Frame, values: Mapping[Component, Any], w: BatchWidgets) -> Settings:
    """The settings of a batch: the model's own, and what the form says of the machine and the data's format.

    Raises UserError when no folder is given, or one that does not exist.
    """
    folder = str(values[w.folder] or "").strip()
    if fault := _fault(folder):
        raise UserError(fault)
    model = str(values[w.model] or "demo").strip()
    settings = store.settings_for_model(model)
    form = to_flat(frame.form.read(values, FROM_FORM))
    taken = {path: value for path, value in form.items() if path.startswith(FROM_FORM) and path != "model.path"}
    if store.is_adapter(model):
        taken.pop("data.taxonomy")  # its answers are those of what it learned
        if settings.data.grey_range:
            taken.pop("data.grey_range")
    return merge(settings, {**taken, "data.path": folder, "data.limit": 0})


def _fault(folder: str) -> str:
    """What is wrong with the folder as it is written; "" when it is there."""
    given = folder.strip()
    if not given:
        return text.BATCH_NO_FOLDER
    there = given == "demo" or os.path.exists(os.path.expanduser(given))  # false as well for what no path can be
    return "" if there else text.no_such_folder(given)


def _state(found: RunState | None, busy: RunState | None) -> Markup:
    elsewhere = busy is not None and busy.run.kind != "batch"
    other = html.note(text.busy_elsewhere(busy.run.kind)) if busy and elsewhere else Markup("")
    if found is None:
        return other or html.empty(text.BATCH_EMPTY)
    return other if found.status == "finished" and other else other + view.progress(found)


def _results(found: RunState | None, w: BatchWidgets) -> Updates:
    """What a run that is over came to; nothing while it is at work."""
    run = found.run if found is not None and not found.active and found.run.results.is_file() else None
    if run is None:
        return {w.summary: "", w.box: gr.Column(visible=False)}
    files = {w.csv: view.file_of(run, "predictions.csv"), w.report: view.file_of(run, "report.html")}
    loads = {
        component: gr.DownloadButton(value=offer(path) if path else None, visible=path is not None)
        for component, path in files.items()
    }
    lists = _lists(run, w, view.ROWS, view.PHOTOS)
    return {w.summary: view.summary(run), w.box: gr.Column(visible=True), **loads, **lists}


def _lists(run: Run, w: BatchWidgets, rows: int, photos: int) -> Updates:
    total, pictured = len(view.urgent(run)), len(view.photos(run))
    drawn = (run.folder / "annotated").is_dir()
    note = f"{min(rows, total):,} of {total:,}, {text.BATCH_ORDER}"
    return {
        w.title: html.section(text.BATCH_TABLE, note),
        w.table: view.table(run, rows),
        w.more_rows: gr.Button(visible=total > rows),
        w.gallery: view.gallery(run, photos) if drawn else html.empty(text.BATCH_NO_GALLERY),
        w.more_photos: gr.Button(visible=drawn and pictured > photos),
        w.rows: rows,
        w.photos: photos,
    }


def _further(frame: Frame, w: BatchWidgets, more_rows: int, more_photos: int) -> Any:
    def further(rows: int, photos: int) -> Updates:
        found = frame.snapshot().latest("batch")
        return UNCHANGED if found is None else _lists(found.run, w, rows + more_rows, photos + more_photos)

    return further
