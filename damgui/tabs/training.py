"""Fine-tuning: six settings and five switches in view, one start button, and the run as it learns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core import units
from core.errors import Problem, UserError
from core.records import DryRunMeasured
from core.runs import launcher, store
from core.runs.files import file_stamp
from core.runs.workspace import check_name, model_label
from core.settings import preset_for, presets
from damgui import forms, run_state, text
from damgui.charts import training
from damgui.charts.base import plot_component
from damgui.components import choices, faults, html
from damgui.components.run_controls import RunControls
from damgui.forms import DATA_OPTIONS, SIMPLE, SWITCHES
from damgui.frame import QUIET, Frame, Handler, Updates
from damgui.markup import TEMPLATES
from damgui.run_state import RunState, Stamp, learning
from damgui.scores import sentences
from damgui.snapshot import Snapshot

# Settings that other tabs hold; everything that is in no tab's view is folded away here.
ELSEWHERE = (
    "data.path",
    "data.use_good",
    *DATA_OPTIONS,
    "data.split",
    "data.limit",
    "question.kind",
    "batch.whole_photo",
    "batch.annotate",
    "batch.pictures",
)
_TRAINING = TEMPLATES.macros("training.html")
HERE = ("train", "rehearse")  # runs that this tab shows itself
Base = tuple[tuple[Any, ...], int]  # the figure on a page: what it is of besides the loss (Learning.frame), its steps


def build(frame: Frame) -> None:
    html.place(html.heading(text.TAB_TRAINING, text.TRAINING_LEAD))
    with gr.Row():
        with gr.Column(scale=5, min_width=400):
            preset, name, start, attempt = _form(frame)
        with gr.Column(scale=8, min_width=520):
            message = html.place("", elem_id="training-message")
            trial = html.place("", elem_id="training-trial")
            state = html.place("", elem_id="training-state")
            with gr.Row(elem_classes="dg-actions"):
                stop = gr.Button(text.TRAINING_STOP, variant="stop", visible=False, elem_id="training-stop")
                resume = gr.Button(text.TRAINING_RESUME, visible=False, elem_id="training-resume")
                judge = gr.Button(text.TRAINING_COMPARE, visible=False, elem_id="training-compare")
                ask = gr.Button(text.TRAINING_ASK, visible=False, elem_id="training-ask")
            with gr.Column(elem_classes="dg-panel"):
                html.place(html.section(text.CHART_TITLE))
                chart = plot_component("training-chart", text.CHART_TITLE, text.TRAINING_EMPTY, zoom=True)
            with (
                gr.Column(elem_classes="dg-panel"),
                gr.Accordion(text.LOG_TITLE, open=False, elem_id="training-output"),
            ):
                log = html.place(_log(""), elem_id="training-log")

    def begin(values: Mapping[Component, Any]) -> None:
        settings = frame.form.require(values, _name_faults(frame, values[name]))
        launcher.begin(frame.workspace, settings, "train", (values[name] or "").strip())

    def try_first(values: Mapping[Component, Any]) -> None:
        launcher.begin(frame.workspace, frame.form.require(values), "rehearse")

    def refresh(now: Snapshot, seen: Stamp | None, typed: str) -> tuple[Stamp, Updates] | None:
        found, busy = now.latest("train"), now.at_work
        tried = _newer(now.latest("rehearse"), found)
        newest = tried or found
        stamp = (
            found and found.stamp,
            tried and tried.stamp,
            busy and busy.run.id,
            file_stamp(newest.run.process_log) if newest else None,
        )
        if seen is not None and stamp == seen[:-1]:
            return None
        updates: Updates = {button: gr.Button(interactive=busy is None) for button in (start, attempt)}
        base = seen[-1] if seen else None
        if seen is None or seen[:3] != stamp[:3]:
            drawn, base = _chart(found, base)
            updates |= {
                trial: _trial(tried),
                state: _state(found, busy),
                stop: _stop_button(newest),
                chart: drawn,
                resume: gr.Button(visible=_can_resume(found), interactive=busy is None),
                judge: gr.Button(visible=bool(found and found.status == "finished")),
                ask: gr.Button(visible=bool(found and found.status == "finished")),
            }
            if found is not None and found.active and seen is None and _is_suggestion(typed or ""):
                updates[name] = found.run.name
            # Its own name is taken once it has a model; a name that is still free, or another one, stays as typed.
            over = seen is not None and seen[0] != stamp[0] and found is not None and not found.active
            if found is not None and over and typed == found.run.name and _name_faults(frame, typed):
                updates[name] = _suggested(frame, found.run.settings().model.path)
        return (*stamp, base), {**updates, log: _log(run_state.log_tail(newest.run) if newest else "")}

    outputs = [start, attempt, trial, state, stop, chart, resume, judge, ask, name, log]
    controls = RunControls(frame, message, state, frame.redraw(frame.watch(refresh, *outputs, reads=(name,))))
    controls.stop(stop, *HERE)
    controls.resume(resume, "train")
    frame.jump(judge, "compare")
    frame.jump(ask, "predict")
    frame.follow(preset, lambda settings: preset_for(settings.model.path))
    frame.follow(name, lambda settings: _suggested(frame, settings.model.path))
    frame.later(lambda: _wire_form(frame, preset, name))
    frame.later(lambda: controls.start(start, begin, frame.form.inputs | {name}))
    frame.later(lambda: controls.start(attempt, try_first, frame.form.inputs, trial))


def _form(frame: Frame) -> tuple[gr.Dropdown, gr.Textbox, gr.Button, gr.Button]:
    """The settings. Returns the widgets that are no settings: preset, name and the buttons to start and to try."""
    form = frame.form
    with gr.Column(elem_classes="dg-panel"):
        with gr.Row(elem_classes="dg-grid2"):
            preset = gr.Dropdown(
                list(presets()),
                value=(presets() or ("",))[0],
                label=text.PRESET,
                info=text.PRESET_HINT,
                elem_id="training-preset",
                min_width=160,
            )
            form.widgets["model.path"] = forms.model_widget(
                elem_id=forms.elem_id("model.path"), info=text.MODEL_HINT, min_width=160
            )
        frame.notices.append(choices.place("training-choice"))
        for pair in (SIMPLE[1:3], SIMPLE[3:5]):
            with gr.Row(elem_classes="dg-grid2"):
                for path in pair:
                    form.add(path, min_width=160)
        with gr.Row(elem_classes="dg-grid2"):
            form.add(SIMPLE[5], min_width=160)
            name = gr.Textbox(
                "", label=text.RUN_NAME, info=text.RUN_NAME_HINT, max_lines=1, min_width=160, elem_id="training-name"
            )
        with gr.Row(elem_classes="dg-begin"):
            start = gr.Button(text.TRAINING_START, variant="primary", elem_id="training-start", min_width=160)
            attempt = gr.Button(text.TRAINING_TRY, elem_id="training-try", min_width=160)
        html.place(html.small(text.TRAINING_TRY_HINT))
    with gr.Column(elem_classes="dg-panel dg-switches"):
        html.place(html.section(text.ENHANCEMENTS) + html.small(text.ENHANCEMENTS_HINT))
        for path in SWITCHES:
            form.add(path)
    with gr.Column(elem_classes="dg-panel"), gr.Accordion(text.MORE_SETTINGS, open=False, elem_id="training-more"):
        for group, paths in forms.folded({*SIMPLE, *SWITCHES, *ELSEWHERE}).items():
            html.place(html.group(text.GROUP_WORDS[group]))
            with gr.Row(elem_classes="dg-grid2"):
                for path in paths:
                    form.add(path, min_width=200)
    return preset, name, start, attempt


def _wire_form(frame: Frame, preset: gr.Dropdown, name: gr.Textbox) -> None:
    """Each field shows what is wrong with it; a choice of preset or model changes the form, and says so."""
    fault = faults.place("form-faults")  # wired last, it stands below all tabs: what a closed one holds does nothing

    def check(values: Mapping[Component, Any]) -> str:
        found = {forms.elem_id(path): sentence for path, sentence in frame.form.faults(values).items()}
        # A training that runs has its own name in the field.
        if frame.snapshot().at_work is None:
            found |= {str(name.elem_id): str(problem) for problem in _name_faults(frame, values[name])}
        return faults.shown(found)

    def suggest(model: str, typed: str) -> str:
        return _suggested(frame, model) if _is_suggestion(typed) else typed

    checked = Handler(check, {*frame.form.widgets.values(), name}, [fault])
    fields = [component.blur for component in (*frame.form.typed, name)]
    gr.on(fields, check, checked.inputs, fault, **QUIET)
    choices.wire(frame, preset, name, suggest, checked)


def _name_faults(frame: Frame, typed: str | None) -> tuple[Problem, ...]:
    """What is wrong with a name for the tuned model."""
    given = (typed or "").strip()
    try:
        store.require_free_name(frame.workspace, check_name(given))
    except UserError as error:
        return error.problems if given else (Problem(text.RUN_NAME_MISSING),)
    return ()


def _suggested(frame: Frame, model: str) -> str:
    """A name that nobody has; "" for a damaged model folder: Start says what is wrong with that."""
    with suppress(UserError):
        return store.free_name(frame.workspace, model or "demo")
    return ""


def _is_suggestion(typed: str) -> bool:
    """Whether a name is none, or one that this page suggests for a model of its list; any other somebody typed."""
    labels = "|".join(re.escape(model_label(model)) for model in forms.models())
    return re.fullmatch(rf"|({labels})-tuned(-\d+)?", typed) is not None


def _newer(tried: RunState | None, found: RunState | None) -> RunState | None:
    """The trial, unless training has begun since or goes on again: then it has measured its own."""
    begun = found is not None and (found.active or (tried is not None and found.run.created > tried.run.created))
    return tried if tried and (tried.active or not begun) else None


def _stop_button(newest: RunState | None) -> gr.Button:
    trying = newest is not None and newest.run.kind == "rehearse"
    return gr.Button(
        text.TRAINING_STOP_TRYING if trying else text.TRAINING_STOP,
        visible=bool(newest and newest.active),
        interactive=not (newest and newest.stopping),
    )


def _trial(tried: RunState | None) -> str:
    """The panel of "Try two steps first"."""
    if tried is None:
        return ""
    measured = run_state.dry_run(tried)
    if tried.active:
        stage = text.STOPPING_TRIAL if tried.stopping else run_state.stage(tried) or text.STARTING
        return html.live(tried, html.working(stage))
    if measured is None:
        stopped = html.note(text.TRIED_STOPPED) if tried.status == "stopped" else ""
        return html.live(tried, html.ended(tried), stopped)
    figures = html.figures(html.figure(value, label, below) for label, value, below in text.tried(measured))
    return html.live(tried, figures, html.warnings(tried), html.note(text.TRIED_FITS, "good"))


def _can_resume(found: RunState | None) -> bool:
    return found is not None and found.left_off and "checkpoint" in found.last


def _chart(found: RunState | None, base: Base | None) -> tuple[Any, Base | None]:
    """(what to draw, the figure that is then on the page): the points since `base` where they suffice, else all."""
    shown = learning(found.run.id, found.log) if found else None
    if shown is None:
        return gr.HTML(value=None, more=None), None
    if base is not None and base[0] == shown.frame and (points := training.more(shown, base[1])) is not None:
        return gr.HTML(more=points), base
    return gr.HTML(value=json.dumps(training.training(shown)), more=None), (shown.frame, len(shown.loss))


def _state(found: RunState | None, busy: RunState | None) -> str:
    other = html.note(text.busy_elsewhere(busy.run.kind)) if busy and busy.run.kind not in HERE else Markup("")
    return other + _progress(found) if found else other


def _progress(found: RunState) -> Markup:
    """The panel of a training: how far it is, or what came out."""
    if not found.active:
        return html.live(found, _outcome(found), html.ended(found))
    pace = run_state.training_progress(found)
    if pace is None:
        stage, tried = run_state.stage(found) or text.STARTING, run_state.dry_run(found)
        expected = html.facts(_expected(tried)) if tried else ""
        return html.live(found, html.waiting(stage), expected, html.stage(stage), html.warnings(found))
    return html.live(
        found,
        html.bar(pace.share, "Progress"),
        html.facts(_facts(found, pace)),
        html.small(text.machine_speed(found.last.get("step"))),
        html.stage(text.STOPPING if found.stopping else run_state.stage(found)),
        html.warnings(found),
    )


def _expected(tried: DryRunMeasured) -> list[tuple[str, str]]:
    """What two tried steps measured, shown until the training has measured its own."""
    return [
        (text.TIME_LEFT, units.about(tried["total_s"])),
        (text.TRIED_STEP, units.seconds(tried["usual_step_s"])),
        (text.MEMORY_NEEDED, units.megabytes(tried["peak_memory_mb"])),
        (text.DISK_NEEDED, units.megabytes(tried["checkpoint_mb"] + tried["cache_mb"])),
    ]


def _facts(found: RunState, pace: run_state.RunProgress) -> list[tuple[str, str]]:
    step, plan = found.last["step"], found.last.get("plan")
    epochs = float((plan and plan.get("epochs")) or found.run.settings().training.epochs)
    return [
        ("Step", f"{pace.done} of {pace.total}"),
        ("Epoch", f"{float(step.get('epoch') or 0):.2f} of {round(epochs, 2):g}"),
        ("Loss", "–" if step["loss"] is None else f"{step['loss']:.3f}"),
        ("Speed", units.rate(float(step.get("photos_per_s") or 0.0), "photo")),
        (text.TIME_LEFT, units.duration(pace.left_s)),
        ("Memory", units.megabytes(step.get("memory_mb"))),
    ]


def _outcome(found: RunState) -> str:
    """What came out: the scores of the best state, which is the one that is kept as the tuned model."""
    tests = training.by_step(found.kept.get("evaluation", ()))
    if not tests:
        return ""
    best, steps = max(tests, key=lambda test: test["macro_f1"]), found.log.curve
    ended = found.last.get("ended")
    took = units.duration(ended.get("seconds") if ended else None)
    items = [
        html.figure(units.percent(best["accuracy"]), "Accuracy", "of the validation objects right"),
        html.figure(f"{best['macro_f1']:.2f}", "Macro-F1", "every class counts the same"),
        html.figure(f"{best['step']}", "Best step", "its state is kept"),
        html.figure(f"{len(steps)}", "Steps", f"took {took}"),
    ]
    ready = html.note(text.TUNED_READY, "good") if found.status == "finished" else Markup("")
    return html.figures(items) + html.small(sentences.VALID_CHOSE) + ready


def _log(tail: str) -> Markup:
    return _TRAINING.log(tail)
