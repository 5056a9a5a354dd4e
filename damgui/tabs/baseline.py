"""Zero-shot baseline: one button, live progress, then honest numbers and the mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from core.runs import launcher
from core.runs.files import file_stamp
from damgui import forms, text
from damgui.components import choices, html, report_button
from damgui.components.run_controls import RunControls
from damgui.frame import Frame, Updates
from damgui.run_state import RunState, Stamp
from damgui.scores import details, results, scores
from damgui.scores.results import ShownResults
from damgui.snapshot import Snapshot


def build(frame: Frame) -> None:
    html.place(html.heading(text.KIND_WORDS["baseline"], text.BASELINE_LEAD))
    with gr.Column(elem_classes="dg-panel"):
        with gr.Row(elem_classes="dg-controls"):
            twin = forms.model_widget(elem_id="baseline-model", info=text.MODEL_HINT, scale=3)
            frame.follow(twin, lambda settings: settings.model.path)
            start = gr.Button(text.BASELINE_START, variant="primary", elem_id="baseline-start", scale=0, min_width=220)
            stop = gr.Button(
                text.BASELINE_STOP, variant="stop", elem_id="baseline-stop", visible=False, scale=0, min_width=120
            )
        frame.notices.append(choices.place("baseline-choice"))
        with gr.Accordion(text.OPTIONS, open=False, elem_id="baseline-options"), gr.Row(elem_classes="dg-grid3"):
            for path in ("data.split", "data.limit", "question.kind"):
                frame.form.add(path, min_width=200)
    message = html.place("", elem_id="baseline-message")
    progress = html.place("", elem_id="baseline-progress")
    report_button.report_button(frame, "baseline", "baseline")
    score = html.place(html.empty(text.BASELINE_EMPTY), elem_id="baseline-score")
    panels = details.build("baseline")

    def begin(values: Mapping[Component, Any]) -> None:
        launcher.begin(frame.workspace, frame.form.require(values), "baseline")

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        found, busy = now.latest("baseline"), now.at_work
        files = [frame.workspace.zeroshot_results, *([found.run.results] if found else [])]
        stamp = (found and found.stamp, busy and busy.run.id, tuple(map(file_stamp, files)))
        if stamp == seen:
            return None
        updates: Updates = {
            progress: _progress(found, busy),
            start: gr.Button(interactive=busy is None),
            stop: gr.Button(visible=bool(found and found.active), interactive=not (found and found.stopping)),
        }
        shown = newest_results(now)
        if seen is None or seen[2] != stamp[2]:
            updates |= panels.fill(shown)
        if shown is not None:
            updates[score] = scores.headline(shown)
        else:
            updates[score] = "" if found and found.active else html.empty(text.BASELINE_EMPTY)
        return stamp, updates

    watcher = frame.watch(refresh, progress, start, stop, score, *panels.outputs)
    panels.wire(lambda: newest_results(frame.snapshot()))
    controls = RunControls(frame, message, progress, frame.redraw(watcher))
    controls.stop(stop, "baseline")
    frame.later(lambda: controls.start(start, begin, frame.form.inputs))


def newest_results(now: Snapshot) -> ShownResults | None:
    """What the latest baseline has found as soon as all photos are judged; until then what was published last."""
    found = now.latest("baseline")
    own = results.load(now.workspace, found.run.results) if found else None
    if own is not None and own.results.get("complete"):
        return own
    return results.load(now.workspace, now.workspace.zeroshot_results)


def _progress(found: RunState | None, busy: RunState | None) -> str:
    """The run's state; "" when its results speak for themselves."""
    if found is None or found.status == "finished":
        elsewhere = busy is not None and busy.run.kind != "baseline"
        return html.note(text.busy_elsewhere(busy.run.kind)) if busy and elsewhere else ""
    return html.judging(found)
