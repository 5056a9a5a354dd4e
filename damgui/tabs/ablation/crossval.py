"""Cross-validation, below the ablation: both are many trainings that ask how far a result can be relied on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from core import units
from core.errors import UserError
from core.results import Results
from core.runs import launcher
from core.runs.files import file_stamp
from core.settings import Settings
from core.studies import plan as studies
from damgui import text
from damgui.components import html
from damgui.components.run_controls import RunControls
from damgui.frame import QUIET, Frame, Updates
from damgui.run_state import Stamp
from damgui.scores import details, results, scores
from damgui.scores.results import ShownResults
from damgui.snapshot import Snapshot
from damgui.tabs.ablation import text as study_text
from damgui.tabs.ablation import view

MOST_SEEDS = 5
KIND = "crossval"


def build(frame: Frame) -> None:
    html.place(html.heading(text.KIND_WORDS[KIND], study_text.CROSSVAL_LEAD))
    with gr.Row():
        with gr.Column(scale=4, min_width=320), gr.Column(elem_classes="dg-panel"):
            folds = gr.Number(
                studies.FOLDS,
                label=study_text.FOLDS,
                info=study_text.FOLDS_HINT,
                precision=0,
                elem_id="crossval-folds",
            )
            seeds = gr.Slider(
                1,
                MOST_SEEDS,
                value=studies.SEEDS[KIND],
                step=1,
                label=study_text.SEEDS,
                info=study_text.CROSSVAL_SEEDS_HINT,
                elem_id="crossval-seeds",
            )
            start = gr.Button(study_text.CROSSVAL_START, variant="primary", elem_id="crossval-start")
            cost = html.place("", elem_id="crossval-cost")
            html.place(html.small(study_text.OTHER_SETTINGS))
        with gr.Column(scale=8, min_width=320):
            message = html.place("", elem_id="crossval-message")
            state = html.place(html.empty(study_text.CROSSVAL_EMPTY), elem_id="crossval-state")
            with gr.Row(elem_classes="dg-actions"):
                stop = gr.Button(study_text.STOP, variant="stop", visible=False, elem_id="crossval-stop")
                resume = gr.Button(study_text.RESUME, visible=False, elem_id="crossval-resume")
            score = html.place("", elem_id="crossval-score")
            with gr.Column(elem_classes="dg-panel", visible=False) as parts_box:
                html.place(html.section(study_text.PARTS, study_text.PARTS_HINT))
                parts = html.place("", elem_id="crossval-parts")
    panels = details.build(KIND)

    def wanted(values: Mapping[Component, Any]) -> tuple[Settings, studies.StudyPlan]:
        """The settings of all trainings, and which trainings. Raises UserError for what is wrong with either."""
        return frame.form.require(values), plan_of(values[folds], values[seeds], Settings())

    def begin(values: Mapping[Component, Any]) -> None:
        settings, plan = wanted(values)
        launcher.begin(frame.workspace, settings, KIND, plan=studies.to_dict(plan))

    def estimated(values: Mapping[Component, Any]) -> str:
        try:
            settings, plan = wanted(values)
        except UserError:  # a half-typed number; Start says what is wrong with it
            return ""
        cells = len(plan.variants) * plan.seeds
        return html.small(study_text.estimate(cells, view.cell_seconds(frame.snapshot(), settings)))

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        found, busy, shown = now.latest(KIND), now.at_work, judged(now)
        stamp = (found and found.stamp, busy and busy.run.id, shown and file_stamp(shown[0]))
        if stamp == seen:
            return None
        elsewhere = html.note(text.busy_elsewhere(busy.run.kind)) if busy and busy.run.kind != KIND else ""
        updates: Updates = {
            start: gr.Button(interactive=busy is None),
            state: html.joined([elsewhere, view.state(found) if found else html.empty(study_text.CROSSVAL_EMPTY)]),
            stop: gr.Button(visible=bool(found and found.active), interactive=not (found and found.stopping)),
            resume: gr.Button(visible=bool(found and found.left_off), interactive=busy is None),
        }
        if seen is None or seen[2] != stamp[2]:
            loaded = shown[1] if shown else None
            updates |= panels.fill(loaded)
            updates |= {
                score: scores.headline(loaded) if loaded else "",
                parts_box: gr.Column(visible=loaded is not None),
                parts: parts_table(loaded.results) if loaded else "",
            }
        return stamp, updates

    outputs = [start, state, stop, resume, score, parts_box, parts, *panels.outputs]
    controls = RunControls(frame, message, state, frame.redraw(frame.watch(refresh, *outputs)))
    controls.stop(stop, KIND)
    controls.resume(resume, KIND)

    def latest() -> ShownResults | None:
        shown = judged(frame.snapshot())
        return shown[1] if shown else None

    panels.wire(latest)

    def wire() -> None:
        inputs = frame.form.inputs | {folds, seeds}
        controls.start(start, begin, inputs)
        for component in (folds, seeds):
            component.change(estimated, inputs, cost, **QUIET)

    frame.later(wire)


def plan_of(folds: float | None, seeds: float | None, settings: Settings) -> studies.StudyPlan:
    """The trainings for what stands in the two fields; an empty one means the usual number. Raises UserError."""
    given = studies.FOLDS if folds is None else int(folds)
    if not 2 <= given <= studies.MOST_FOLDS:  # of 0 the command line makes the usual number
        fix = f"Give 2 to {studies.MOST_FOLDS}."
        raise UserError(f"{given} parts to deal the photos into", study_text.FOLDS, fix, "study")
    return studies.plan_crossval(given, int(seeds or 1), settings)


def judged(now: Snapshot) -> tuple[Path, ShownResults] | None:
    """The results file of the newest cross-validation that has judged something, finished or not, and what it holds."""
    for run in now.runs(KIND):
        found = results.load(now.workspace, run.results)
        if found is not None and found.results.get("overall_accuracy") is not None:
            return run.results, found
    return None


def parts_table(found: Results) -> str:
    """How each part of the photos was judged, by the model that had not seen it."""
    rows = [
        [
            f"{part['fold'] + 1}",
            f"{part['seed']}",
            units.counted(part["total"], "object"),
            units.percent(part["accuracy"]),
            units.decimal(part["macro_f1"]),
        ]
        for part in found.get("folds", [])
    ]
    spread = found.get("spread")
    note = "" if spread is None else html.small(study_text.spread(spread))
    return html.table(study_text.PARTS_COLUMNS, rows) + note
