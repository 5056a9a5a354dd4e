"""What choosing a preset or a model does to the form: shown as changed, undone by a click, and never what was typed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from core.settings import FIELDS, Settings, load, merge, preset_for
from core.settings.fields import fault_of
from damgui import forms, text
from damgui.components import html
from damgui.frame import QUIET, UNCHANGED, Frame, Handler, Updates
from damgui.markup import TEMPLATES

DEMO = "demo"  # whose preset holds where no model is given


@dataclass(frozen=True)
class Change:
    """A setting as a widget holds it, before a choice and as the choice wants it."""

    path: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{FIELDS[self.path].label} {words(self.was)} → {words(self.now)}"

    @property
    def kept(self) -> str:
        """The same where it stays as it was typed."""
        return f"{FIELDS[self.path].label} {words(self.was)} ({words(self.now)} in the preset)"


@dataclass(frozen=True)
class Outcome:
    """What a choice does to the form: what it changes, and what stays because a person had typed it."""

    chosen: str
    changed: tuple[Change, ...] = ()
    kept: tuple[Change, ...] = ()


def words(value: Any) -> str:
    """A setting's value as it is read on the page."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def outcome(chosen: str, shown: Mapping[str, Any], before: Settings, after: Settings) -> Outcome:
    """What becomes of the form.

    `shown` holds the widgets' values by path, `before` is what the page had put there, `after` what the choice wants.
    A value that is not the page's own was typed or ticked by a person, and stays.
    """
    own, wanted = forms.as_shown(before), forms.as_shown(after)
    differing = [
        Change(path, value, wanted[path])
        for path, value in shown.items()
        if path not in forms.NOT_IN_PRESETS and value != wanted[path]
    ]
    changed = [change for change in differing if change.was == own[change.path]]
    return Outcome(chosen, tuple(changed), tuple(change for change in differing if change not in changed))


def note(found: Outcome) -> Markup:
    """The line that says so; "" when the choice changed nothing and found nothing to keep."""
    if not found.changed and not found.kept:
        return Markup("")
    return TEMPLATES.macros("parts.html").choice(found)


@dataclass(frozen=True)
class Notice:
    """Where a tab says what a choice changed, with the buttons that take it back or take the rest as well."""

    row: gr.Row
    line: gr.HTML
    undo: gr.Button
    take: gr.Button

    def show(self, found: Outcome | None) -> Updates:
        line = note(found) if found else Markup("")
        return {
            self.row: gr.Row(visible=bool(line)),
            self.line: line,
            self.undo: gr.Button(visible=bool(found and found.changed)),
            self.take: gr.Button(visible=bool(found and found.kept)),
        }

    @property
    def outputs(self) -> list[Any]:
        return [self.row, self.line, self.undo, self.take]


def place(elem_id: str) -> Notice:
    """Draw it here; it is hidden until something was chosen."""
    with gr.Row(visible=False, elem_classes="dg-choice", elem_id=elem_id) as row:
        line = html.place("", elem_id=f"{elem_id}-line")
        undo = gr.Button(text.CHOICE_UNDO, size="sm", scale=0, min_width=90, elem_id=f"{elem_id}-undo")
        take = gr.Button(text.CHOICE_TAKE, size="sm", scale=0, min_width=200, elem_id=f"{elem_id}-take")
    return Notice(row, line, undo, take)


@dataclass(frozen=True)
class Shown:
    """What the page had put into the form: by which preset, for which model; and what the last choice did to it."""

    preset: str = ""
    model: str = ""
    name: str = ""  # of the run, before the last choice
    last: Outcome | None = None
    before_last: Shown | None = None

    @classmethod
    def of(cls, settings: Settings) -> Shown:
        return cls(preset_for(settings.model.path or DEMO), settings.model.path)

    @property
    def settings(self) -> Settings:
        return settings_of(self.preset, self.model)


def settings_of(preset: str, model: str) -> Settings:
    """A preset's settings with this model in them; without a preset the defaults."""
    return merge(load(preset) if preset else Settings(), {"model.path": model})


def wire(
    frame: Frame, preset: gr.Dropdown, name: gr.Textbox, suggest: Callable[[str, str], str], then: Handler
) -> None:
    """Preset, model and the other tabs' models agree, and every tab with a notice says what a choice changed.

    `suggest` gets a model and the name that is there, and returns the name that belongs there; `then` is called after.
    """
    form = frame.form
    model = form.widgets["model.path"]
    twins = [other for other in frame.followers if isinstance(other, gr.Dropdown) and other is not preset]
    state = frame.follow(gr.State(Shown()), Shown.of)
    others = [other for other in frame.followers if other not in (preset, state, name, *twins)]
    places = [output for notice in frame.notices for output in notice.outputs]
    outputs, inputs = [*frame.widgets, *places], {*form.widgets.values(), *frame.followers}

    def now(values: Mapping[Component, Any]) -> dict[str, Any]:
        return {path: values[component] for path, component in form.widgets.items()}

    def show(values: Mapping[Component, Any], put: Mapping[str, Any], shown: Shown, run_name: str) -> Updates:
        """These settings put into the form, and whatever follows from it; what follows and was typed over stays."""
        was = _settings(values[state].settings, now(values))
        then_is = _settings(shown.settings, {**now(values), **put, "model.path": shown.model})
        followed = {other: frame.followers[other] for other in others}
        return {
            **{form.widgets[path]: value for path, value in put.items()},
            **dict.fromkeys((model, *twins), shown.model),
            **{other: of(then_is) for other, of in followed.items() if values[other] == of(was)},
            preset: shown.preset,
            state: shown,
            name: run_name,
            **{place: update for notice in frame.notices for place, update in notice.show(shown.last).items()},
        }

    def choose(values: Mapping[Component, Any], chosen: str, by: str, of: str) -> Updates:
        """Take the preset `by` for the model `of`; `chosen` is what the user had chosen of the two."""
        before: Shown = values[state]
        if (by, of) == (before.preset, before.model):
            return UNCHANGED  # a list tells of one choice twice, by the click and when it is left
        # The chosen model is in one widget or the other already, and no news.
        held = now(values) if chosen == by else {**now(values), "model.path": of}
        found = outcome(chosen, held, before.settings, settings_of(by, of))
        typed = values[name] or ""
        shown = Shown(by, of, typed, found, replace(before, before_last=None))
        return show(values, {change.path: change.now for change in found.changed}, shown, suggest(of, typed))

    def fill(values: Mapping[Component, Any]) -> Updates:
        """A preset was chosen; a model of the user's own stays."""
        chosen = values[preset]
        own = values[model] not in forms.models()
        return choose(values, chosen, chosen, values[model] if own else load(chosen).model.path)

    def suit(component: Component) -> Callable[[Mapping[Component, Any]], Updates]:
        """A model was chosen: the preset that suits it, with this model in it."""

        def chosen(values: Mapping[Component, Any]) -> Updates:
            of = str(values[component] or "").strip()
            return choose(values, of or text.CHOICE_NO_MODEL, preset_for(of or DEMO), of)

        return chosen

    def undo(values: Mapping[Component, Any]) -> Updates:
        """As it was before the choice, but for what was typed since."""
        shown: Shown = values[state]
        if shown.last is None or shown.before_last is None:
            return UNCHANGED
        held = now(values)
        put = {change.path: change.was for change in shown.last.changed if held[change.path] == change.now}
        typed = values[name] or ""
        untouched = typed == suggest(shown.model, shown.name)
        return show(values, put, replace(shown.before_last, last=None), shown.name if untouched else typed)

    def take(values: Mapping[Component, Any]) -> Updates:
        """What had been kept follows the choice as well; one click takes all of it back."""
        shown: Shown = values[state]
        if shown.last is None:
            return UNCHANGED
        put = {change.path: change.now for change in shown.last.kept}
        whole = Outcome(shown.last.chosen, (*shown.last.changed, *shown.last.kept))
        return show(values, put, replace(shown, last=whole), values[name])

    handlers: list[tuple[Any, Callable[[Mapping[Component, Any]], Updates]]] = [(preset.input, fill)]
    handlers += [(component.input, suit(component)) for component in (model, *twins)]
    handlers += [(notice.undo.click, undo) for notice in frame.notices]
    handlers += [(notice.take.click, take) for notice in frame.notices]
    for event, handler in handlers:
        event(handler, inputs, outputs, **QUIET).then(then.call, then.inputs, then.outputs, **QUIET)


def _settings(base: Settings, values: Mapping[str, Any]) -> Settings:
    """`base` with those of the values that are allowed."""
    return merge(base, {path: value for path, value in values.items() if not fault_of(FIELDS[path], value)})
