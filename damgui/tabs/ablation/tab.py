"""What helps? Which enhancements to try, one start button, how far the trainings are, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core.errors import UserError
from core.results import Results
from core.runs import launcher, store
from core.runs.files import file_stamp
from core.settings import Settings, merge
from core.studies import plan as studies
from damgui import text
from damgui.charts.base import plot_component
from damgui.components import html
from damgui.components.run_controls import RunControls
from damgui.forms import SWITCHES
from damgui.frame import QUIET, Frame, Updates
from damgui.run_state import RunState, Stamp
from damgui.snapshot import Snapshot
from damgui.tabs.ablation import crossval, view
from damgui.tabs.ablation import text as study_text

CHOICES = [(study_text.ALONE[variant], variant) for variant in studies.VARIANTS if variant != studies.NONE]
MOST_SEEDS = 5


def build(frame: Frame) -> None:
    html.place(html.heading(study_text.TAB, study_text.LEAD))
    with gr.Row():
        with gr.Column(scale=4, min_width=380):
            variants, seeds, epochs, start, cost = _choices(frame)
        with gr.Column(scale=8, min_width=520):
            message = html.place("", elem_id="ablation-message")
            state = html.place("", elem_id="ablation-state")
            with gr.Row(elem_classes="dg-actions"):
                stop = gr.Button(study_text.STOP, variant="stop", visible=False, elem_id="ablation-stop")
                resume = gr.Button(study_text.RESUME, visible=False, elem_id="ablation-resume")
            with gr.Column(elem_classes="dg-panel", visible=False) as advised:
                html.place(html.section(study_text.ADVICE))
                advice = html.place("", elem_id="ablation-advice")
                with gr.Row(elem_classes="dg-actions"):
                    use = gr.Button(study_text.USE, elem_id="ablation-use")
            with gr.Column(elem_classes="dg-panel"):
                html.place(html.section(study_text.CHART))
                chart = plot_component("ablation-chart", study_text.CHART, study_text.CHART_EMPTY)
                html.place(html.small(study_text.CHART_HINT))
    with gr.Column(elem_classes="dg-panel", visible=False) as numbers:
        title = html.place(html.section(study_text.TABLE), elem_id="ablation-title")
        table = html.place("", elem_id="ablation-table")

    def wanted(values: Mapping[Component, Any]) -> tuple[Settings, studies.StudyPlan]:
        """The settings of all trainings, and which trainings. Raises UserError for what is wrong with either."""
        settings = merge(frame.form.require(values), {"training.epochs": values[epochs]})
        return settings, studies.plan_ablation(values[variants] or [studies.NONE], int(values[seeds] or 1), settings)

    def begin(values: Mapping[Component, Any]) -> None:
        settings, plan = wanted(values)
        launcher.begin(frame.workspace, settings, "ablate", plan=studies.to_dict(plan))

    def estimated(values: Mapping[Component, Any]) -> str:
        try:
            settings, plan = wanted(values)
        except UserError:  # a half-typed number; Start says what is wrong with it
            return ""
        cells = len(plan.variants) * plan.seeds
        return html.small(study_text.estimate(cells, view.cell_seconds(frame.snapshot(), settings)))

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        found, busy = now.latest("ablate"), now.at_work
        shown = view.latest_results(now)
        stamp = (found and found.stamp, busy and busy.run.id, shown and file_stamp(shown[0].results))
        if stamp == seen:
            return None
        updates: Updates = {
            start: gr.Button(interactive=busy is None),
            state: _state(found, busy),
            stop: _stop_button(found),
            resume: gr.Button(visible=_can_resume(found), interactive=busy is None),
            title: _title(found, shown),
        }
        if seen is None or seen[2] != stamp[2]:
            results = shown[1] if shown else Results()
            recommended = results.get("recommendation")
            updates |= {
                chart: view.chart(results),
                advice: view.advice(results),
                advised: gr.Column(visible=bool(recommended)),
                numbers: gr.Column(visible=bool(results)),
                table: view.table(results) if results else "",
                use: gr.Button(visible=bool(recommended and recommended.get("enough"))),
            }
        return stamp, updates

    def take_over() -> Updates:
        """The recommended switches go into the form, and the form comes into view."""
        shown = view.latest_results(frame.snapshot())
        recommended = shown[1].get("recommendation") if shown else None
        switches = recommended.get("settings", {}) if recommended else {}
        return {frame.form.widgets[path]: bool(on) for path, on in switches.items()} | {
            frame.tabs: gr.Tabs(selected="training")
        }

    outputs = [start, state, stop, resume, chart, advice, advised, use, numbers, table, title]
    controls = RunControls(frame, message, state, frame.redraw(frame.watch(refresh, *outputs)))
    controls.stop(stop, "ablate")
    controls.resume(resume, "ablate")
    frame.follow(epochs, lambda settings: settings.training.epochs)

    def wire() -> None:
        inputs = frame.form.inputs | {variants, seeds, epochs}
        controls.start(start, begin, inputs)
        for component in (variants, seeds, epochs):
            component.change(estimated, inputs, cost, **QUIET)
        use.click(take_over, outputs=[*(frame.form.widgets[path] for path in SWITCHES), frame.tabs], **QUIET)

    frame.later(wire)
    crossval.build(frame)


def _choices(frame: Frame) -> tuple[gr.CheckboxGroup, gr.Slider, gr.Number, gr.Button, gr.HTML]:
    """What is tried, how often and how long; the start button, and the place that tells what it will take."""
    with gr.Column(elem_classes="dg-panel"):
        variants = gr.CheckboxGroup(
            CHOICES,
            value=[name for _, name in CHOICES],
            label=study_text.VARIANTS,
            info=study_text.VARIANTS_HINT,
            elem_id="ablation-variants",
        )
        seeds = gr.Slider(
            1,
            MOST_SEEDS,
            value=studies.SEEDS["ablate"],
            step=1,
            label=study_text.SEEDS,
            info=study_text.SEEDS_HINT,
            elem_id="ablation-seeds",
        )
        epochs = gr.Number(
            None,
            label=study_text.EPOCHS,
            info=study_text.EPOCHS_HINT,
            elem_id="ablation-epochs",
        )
        start = gr.Button(study_text.START, variant="primary", elem_id="ablation-start")
        cost = html.place("", elem_id="ablation-cost")
        html.place(html.small(study_text.OTHER_SETTINGS))
    return variants, seeds, epochs, start, cost


def _state(found: RunState | None, busy: RunState | None) -> Markup:
    elsewhere = busy is not None and busy.run.kind != "ablate"
    other = html.note(text.busy_elsewhere(busy.run.kind)) if busy and elsewhere else Markup("")
    return other + (view.state(found) if found else html.empty(study_text.EMPTY))


def _stop_button(found: RunState | None) -> gr.Button:
    return gr.Button(visible=bool(found and found.active), interactive=not (found and found.stopping))


def _can_resume(found: RunState | None) -> bool:
    return found is not None and found.run.kind == "ablate" and found.left_off


def _title(found: RunState | None, shown: tuple[store.Run, Results] | None) -> str:
    if shown is None:
        return ""
    run, results = shown
    earlier = f" {study_text.EARLIER}: {run.id}." if found is not None and found.run.id != run.id else ""
    return html.section(study_text.TABLE, study_text.objects_line(results) + earlier)
