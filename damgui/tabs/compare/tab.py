"""Compare: two runs on the same photos: the difference and what it proves, class by class, and object by object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from markupsafe import Markup

from core.data import splits
from core.errors import UserError
from core.runs import launcher, store
from core.runs.workspace import model_label
from core.settings import Settings, from_dict, merge
from damgui import run_state, text
from damgui.charts.base import to_json
from damgui.charts.classes import dumbbell
from damgui.charts.scores import MOST_CURVES, learning
from damgui.components import html, report_button
from damgui.components.guard import guarded
from damgui.components.run_controls import RunControls
from damgui.frame import QUIET, Frame, Handler, Updates
from damgui.run_state import Stamp
from damgui.scores import evaluations, sentences
from damgui.scores.details import Details
from damgui.scores.evaluations import EvaluatedRun
from damgui.scores.results import ShownResults
from damgui.snapshot import Snapshot, TunedModel
from damgui.tabs.compare import widgets
from damgui.tabs.compare.view import change_chart, compared, gallery, headline, runs_table, turned, why_not
from damgui.tabs.compare.widgets import CompareWidgets

SPLITS = ("valid", "test")


@dataclass(frozen=True)
class Choice:
    """What is chosen on the tab: the tuned model to judge next, and the two runs that are compared."""

    model: str | None
    split: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class View:
    """What there is to show: the tuned model to judge, all judged runs, and the two of them that are compared."""

    tuned: TunedModel | None
    split: str
    runs: Sequence[EvaluatedRun]
    before: EvaluatedRun | None
    after: EvaluatedRun | None

    @property
    def comparable(self) -> bool:
        return not why_not(self.before, self.after)

    @property
    def base_is_missing(self) -> bool:
        """Whether no base model has judged the objects that a tuned one did."""
        if self.after is None or not self.after.tuned:
            return False
        return all(run.tuned or run.objects != self.after.objects for run in self.runs)


def build(frame: Frame) -> None:
    html.place(html.heading(text.TAB_COMPARE, text.COMPARE_LEAD))
    w, message, panels = widgets.draw()

    def begin(model: str | None, split: str) -> None:
        now = frame.snapshot()
        tuned = _tuned(now, model)
        if tuned is not None:
            launcher.begin(frame.workspace, _settings(now, tuned, split), "evaluate", tuned.name)

    def begin_base(after: str | None) -> None:
        run = next((run for run in evaluations.evaluated_runs(frame.snapshot()) if run.id == after), None)
        if run is not None:
            settings = _base_settings(run)
            label, split = model_label(settings.model.path), frame.workspace.runs / run.id / "split.json"
            launcher.begin(frame.workspace, settings, "evaluate", label, split=split)

    @guarded(message)
    def draw(*chosen: Any) -> Updates:
        now = frame.snapshot()
        view = _see(now, Choice(*chosen))
        return {**_actions(now, view, w), **_pair(view, w, panels)}

    @guarded(message)
    def take(*chosen: Any) -> Updates:
        """Another tuned model: what it has judged last is shown."""
        now = frame.snapshot()
        offered = _splits(now, _tuned(now, chosen[0]))
        view = _see(now, replace(Choice(*chosen), split=offered[0][1]))
        fresh = next((run for run in view.runs if run.tuned and run.name == chosen[0]), None)
        if fresh is not None:
            before, after = evaluations.chosen(view.runs, fresh, view.before, view.after)
            view = replace(view, before=before, after=after)
        return {
            **_actions(now, view, w),
            **_pair(view, w, panels),
            **_listed(view, w),
            w.split: gr.Radio(offered, value=view.split),
        }

    def act(*chosen: Any) -> Updates:
        now = frame.snapshot()
        return _actions(now, _see(now, Choice(*chosen)), w)

    @guarded(message)
    def open_run(run: str, *chosen: Any) -> Updates:
        """The run of the page's address, where it can be compared."""
        now, choice = frame.snapshot(), Choice(*chosen)
        view = _see(now, replace(choice, after=run))
        view = view if view.after is not None else _see(now, choice)
        return {**_actions(now, view, w), **_pair(view, w, panels), **_listed(view, w)}

    reads = (w.model, w.split, w.before, w.after)
    outputs = [*w.outputs, *panels.outputs]
    frame.watch(lambda now, seen, *chosen: _follow(now, seen, Choice(*chosen), w, panels), *outputs, reads=reads)
    for component, handler in ((w.before, draw), (w.after, draw), (w.model, take)):
        component.input(handler, reads, [*outputs, message], **QUIET)
    w.split.input(act, reads, w.outputs, **QUIET)
    frame.in_address("compare", Handler(open_run, reads, [*outputs, message]))
    w.after.input(lambda run: frame.to_address("compare", run), w.after, frame.address, **QUIET)
    controls = RunControls(frame, message, w.state, Handler(act, reads, w.outputs))
    controls.start(w.judge, begin, [w.model, w.split])
    controls.start(w.judge_base, begin_base, [w.after])
    controls.stop(w.stop, "evaluate")
    w.curves.input(lambda ids: {w.curves_chart: _learning(frame.snapshot(), ids)}, w.curves, w.curves_chart, **QUIET)
    panels.wire(lambda after: _shown(_see(frame.snapshot(), Choice(None, "", None, after)).after), [w.after])
    frame.jump(w.to_baseline, "baseline")
    frame.jump(w.to_training, "training")
    report_button.report_button(frame, "compare", "evaluate", "baseline")


def _see(now: Snapshot, choice: Choice) -> View:
    runs = evaluations.evaluated_runs(now)
    by_id = {run.id: run for run in runs}
    before, after = by_id.get(choice.before or ""), by_id.get(choice.after or "")
    return View(_tuned(now, choice.model), choice.split, runs, before, after)


def _follow(
    now: Snapshot, seen: Stamp | None, choice: Choice, w: CompareWidgets, panels: Details
) -> tuple[Stamp, Updates] | None:
    """What changed since `seen`: models to judge, judged runs, training runs, the run at work."""
    view = _see(now, choice)
    names = tuple(model.name for model in now.tuned_models)
    found, busy = now.latest("evaluate"), now.at_work
    training_data = tuple((run.id, run.name, now.status(run)) for run in now.runs("train"))
    judged = tuple((run.id, run.label) for run in view.runs)
    stamp = (judged, names, training_data, found and found.stamp, busy and busy.run.id)
    if stamp == seen:
        return None
    updates: Updates = {}
    if seen is None or seen[1] != names:  # a new model is the one to judge next
        model = _tuned(now, names[0] if names else None)
        offered = _splits(now, model)
        view = replace(view, tuned=model, split=offered[0][1])
        updates |= {
            w.model: gr.Dropdown(list(names), value=model.name if model else None),
            w.split: gr.Radio(offered, value=view.split),
        }
    if seen is None or seen[0] != stamp[0]:
        fresh = None if seen is None else next((run for run in view.runs if run.id not in dict(seen[0])), None)
        before, after = evaluations.chosen(view.runs, fresh, view.before, view.after)
        view = replace(view, before=before, after=after)
        updates |= _listed(view, w) | _pair(view, w, panels)
    if seen is None or seen[2] != training_data:
        updates |= _curves(now, w)
    return stamp, {**updates, **_actions(now, view, w)}


def _listed(view: View, w: CompareWidgets) -> Updates:
    """The two lists of runs, with those that are compared."""
    listed = [(run.label, run.id) for run in view.runs]
    return {
        w.before: gr.Dropdown(listed, value=view.before.id if view.before else None),
        w.after: gr.Dropdown(listed, value=view.after.id if view.after else None),
    }


def _shown(run: EvaluatedRun | None) -> ShownResults | None:
    return run.shown if run else None


def _tuned(now: Snapshot, name: str | None) -> TunedModel | None:
    """The tuned model of this name; the newest when there is none of it."""
    found = now.tuned_models
    return next((tuned for tuned in found if tuned.name == name), found[0] if found else None)


def _splits(now: Snapshot, tuned: TunedModel | None) -> list[tuple[str, str]]:
    """The splits that the model can be judged on, (word, name): those that its training found in the data."""
    trained = now.latest("train", tuned.name) if tuned else None
    there: Sequence[str] = SPLITS
    if trained is not None and (kept := trained.run.folder / "split.json").is_file():
        try:
            there = [name for name in SPLITS if splits.read_split(kept).get(name)]
        except UserError:
            there = SPLITS  # the evaluation itself tells what is missing
    return [(text.SPLIT_WORDS[name], name) for name in there or SPLITS[:1]]


def _settings(now: Snapshot, tuned: TunedModel, split: str) -> Settings:
    """The settings to judge a tuned model: the data its training used, on the photos of one split."""
    settings = store.settings_for_model(str(tuned.path))
    trained = now.latest("train", tuned.name)
    if trained is not None:
        settings = replace(settings, data=trained.run.settings().data)
    return merge(settings, {"data.split": split or SPLITS[0], "data.limit": 0})


def _base_settings(run: EvaluatedRun) -> Settings:
    """The settings that ask the model below a tuned one just as that was asked."""
    found = run.found
    return merge(from_dict(found["settings"], str(run.path)), {"model.path": str(found["model"]["path"])})


def _actions(now: Snapshot, view: View, w: CompareWidgets) -> Updates:
    """What can be done now, and what is being done."""
    found, busy = now.latest("evaluate"), now.at_work
    running = busy is not None and busy.run.kind == "evaluate"
    has_base = any(not run.tuned for run in view.runs)
    todo = view.tuned is not None and not any(
        run.tuned and run.name == view.tuned.name and run.split == view.split for run in view.runs
    )
    return {
        w.chooser: gr.Row(visible=view.tuned is not None),
        w.judge: gr.Button(interactive=busy is None, variant="primary" if todo else "secondary"),
        w.stop: gr.Button(visible=running, interactive=not (found and found.stopping)),
        w.state: _state(view, found, has_base, todo),
        w.to_baseline: gr.Button(visible=not has_base),
        w.to_training: gr.Button(visible=has_base and view.tuned is None),
        w.judge_base: gr.Button(visible=view.base_is_missing, interactive=busy is None),
    }


def _state(view: View, found: run_state.RunState | None, has_base: bool, todo: bool) -> Markup:
    notes = html.judging(found) if found and (found.active or found.status in ("failed", "crashed")) else Markup("")
    if view.tuned is not None and view.split == "test":
        notes += html.note(sentences.TEST_HONEST)
    if not has_base:
        return notes + html.empty(text.COMPARE_NO_BASELINE)
    if view.tuned is None:
        return notes + html.empty(text.COMPARE_NO_TUNED)
    if todo and not view.comparable and not (found and found.active):
        notes += html.empty(f"{view.tuned.name} {sentences.not_evaluated(view.split)}")
    if view.after and view.base_is_missing:
        notes += html.note(sentences.no_base(view.after.name, view.after.split), "warn")
    elif view.before and view.after and not view.comparable:
        notes += html.note(why_not(view.before, view.after), "warn")
    return notes


def _pair(view: View, w: CompareWidgets, panels: Details) -> Updates:
    """The two chosen runs, and all of them in the table."""
    before, after = view.before, view.after
    updates: Updates = {
        w.pair: gr.Row(visible=len(view.runs) > 1),
        w.table_box: gr.Column(visible=bool(view.runs)),
        w.table: runs_table(view.runs, before, after),
        **panels.fill(_shown(after)),
    }
    if before is None or after is None or not view.comparable:
        return {**updates, w.headline: "", w.box: gr.Column(visible=False)}
    was, now = before.found["per_class"], after.found["per_class"]
    found = compared(before, after)
    return {
        **updates,
        w.headline: headline(before, after),
        w.box: gr.Column(visible=True),
        w.change: change_chart(found),
        w.turned: turned(found),
        w.chart: to_json(dumbbell(was, now, before.shown.taxonomy, before.shown.order)),
        w.gallery: gallery(before.shown, after.shown),
    }


def _curves(now: Snapshot, w: CompareWidgets) -> Updates:
    """The training runs to draw, the newest chosen."""
    runs = [run for run in now.runs("train") if run.events.is_file()]
    ids = [run.id for run in runs[:MOST_CURVES]]
    return {
        w.curves_box: gr.Column(visible=bool(runs)),
        w.curves: gr.Dropdown([(run.name, run.id) for run in runs], value=ids),
        w.curves_chart: _learning(now, ids),
    }


def _learning(now: Snapshot, ids: Sequence[str] | None) -> str | None:
    chosen = [found for run_id in ids or () if (found := now.state(run_id)) is not None and found.run.kind == "train"]
    newest = sorted(chosen, key=lambda found: (found.run.created, found.run.id), reverse=True)
    shown = [(found.run.name, run_state.learning(found.run.id, found.log)) for found in newest[:MOST_CURVES]]
    drawn = [(name, series) for name, series in shown if series is not None and len(series.loss)]
    return to_json(learning(drawn)) if drawn else None
