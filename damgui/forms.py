"""Settings <-> widgets, the only converter. Label, help, range and choices come from core.settings.FIELDS."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

from core import settings as core_settings
from core.errors import Problem, UserError
from core.settings import FIELDS, Settings, words_of
from core.settings.fields import SettingField, fault_of

# The six settings in view; everything else is folded.
SIMPLE = (
    "model.path",
    "training.epochs",
    "training.learning_rate",
    "lora.rank",
    "training.batch_size",
    "training.save_steps",
)
SWITCHES = (
    "enhance.class_weighting",
    "enhance.spatial_reasoning",
    "enhance.oversampling",
    "enhance.position_encoding",
    "enhance.condition_weighting",
)
# How a data set is read, folded on the Photos tab.
DATA_OPTIONS = (
    "data.drop_duplicates",
    "data.regroup",
    "data.format",
    "data.taxonomy",
    "data.valid_share",
    "data.group_rule",
)
# What reading photos depends on; a mistake in any other setting must not hinder it.
FOR_DATA = ("data.", "training.seed")
FOR_REVIEW = (*FOR_DATA, "view.", "enhance.")
# Where the data lies and what is left out of it is the user's choice, not a preset's.
NOT_IN_PRESETS = (
    "data.path",
    "data.format",
    "data.use_good",
    "data.drop_duplicates",
    "data.regroup",
    "data.split",
    "data.limit",
)
# A run cannot do without these; "" is a fault, though the schema allows any text.
REQUIRED = {
    "model.path": "No model is given. Choose one, or write a hub id or the path of a folder.",
    "data.path": "No photos are given. Write the path of a folder, or choose the sample set.",
}


@dataclass
class Form:
    """The widgets of the settings that are on the page, by path (`lora.rank`). Tabs add theirs; one form for all."""

    widgets: dict[str, Component] = field(default_factory=dict)

    def add(self, path: str, **overrides: Any) -> Component:
        """Draw one setting here. `overrides` go to the widget, such as `choices` or `info`."""
        self.widgets[path] = widget(FIELDS[path], **overrides)
        return self.widgets[path]

    @property
    def inputs(self) -> set[Block]:
        return set(self.widgets.values())

    def read(self, values: Mapping[Component, Any], only: tuple[str, ...] = ("",)) -> Settings:
        """The settings a handler was given. Raises UserError naming every problem at once.

        `only` names the beginnings of the paths that matter; the others stay at their defaults, right or wrong.
        """
        mine = {path: component for path, component in self.widgets.items() if path.startswith(only)}
        return core_settings.merge(
            Settings(), {path: values[component] for path, component in mine.items() if component in values}
        )

    def require(self, values: Mapping[Component, Any], others: Iterable[Problem] = ()) -> Settings:
        """The settings of a run that is to start. Raises UserError naming all that is wrong or missing at once.

        `others` are problems of what stands beside the settings, such as the run's name.
        """
        problems = [Problem(f"{label(FIELDS[path])} ({path}): {fault}") for path, fault in self.faults(values).items()]
        if problems := [*problems, *others]:
            raise UserError.of(problems)
        return self.read(values)

    def faults(self, values: Mapping[Component, Any]) -> dict[str, str]:
        """What is wrong with each setting as it stands on the page, a sentence or two by its path."""
        found = {
            path: REQUIRED[path]
            if path in REQUIRED and not str(values[component] or "").strip()
            else fault_of(FIELDS[path], values[component])
            for path, component in self.widgets.items()
            if component in values
        }
        return {path: fault for path, fault in found.items() if fault}

    @property
    def typed(self) -> list[Component]:
        """The widgets that a person writes into; nothing else on the page can hold a fault."""
        return [
            component
            for path, component in self.widgets.items()
            if isinstance(component, gr.Number | gr.Textbox) or path in REQUIRED
        ]

    def fill(self, settings: Settings, skip: Iterable[str] = ()) -> dict[Component, Any]:
        """What a handler returns to show these settings."""
        flat, left_out = as_shown(settings), set(skip)
        return {component: flat[path] for path, component in self.widgets.items() if path not in left_out}


def as_shown(settings: Settings) -> dict[str, Any]:
    """All settings by path, each as its widget holds it."""
    return {path: _shown(value) for path, value in core_settings.to_flat(settings).items()}


def _shown(value: Any) -> Any:
    """Numbers by name are a line of text, as it may be typed."""
    return words_of(value) if isinstance(value, dict) else value


def elem_id(path: str) -> str:
    return "set-" + path.replace(".", "-").replace("_", "-")


def label(setting: SettingField) -> str:
    return f"{setting.label} ({setting.unit})" if setting.unit else setting.label


def info(setting: SettingField) -> str:
    """The help sentence, with the range where it tells something. Gradio reads it as Markdown, so marks are escaped."""
    escaped = re.sub(r"([\\`*_<>\[\]])", r"\\\1", setting.help)
    if (
        setting.type in (int, float, dict)
        and setting.low is not None
        and setting.high is not None
        and setting.high < 10_000
        and (setting.low == 0 or setting.low >= 0.01)
    ):
        return f"{escaped} ({setting.low:g} to {setting.high:g})"
    return escaped


def widget(setting: SettingField, **overrides: Any) -> Component:
    """The widget for one setting: a box to tick, a list to choose from, a number or a line of text."""
    about: dict[str, Any] = {"label": label(setting), "info": info(setting), "elem_id": elem_id(setting.path)}
    about["value"] = _shown(setting.default)
    about |= overrides
    if setting.type is bool:
        return gr.Checkbox(**about)
    if setting.choices or "choices" in about:
        about.setdefault("choices", list(setting.choices))
        return gr.Dropdown(**about)
    if setting.type in (int, float):
        # No minimum or maximum here: core.settings says what is wrong in one sentence for page and command line.
        # Nor a precision, which would make 3 of 2.7 without a word.
        return gr.Number(**about)
    return gr.Textbox(**about, max_lines=1)


def models() -> list[str]:
    """Models that a shipped preset is made for; any other can be typed."""
    return list(dict.fromkeys(core_settings.load(name).model.path for name in core_settings.presets())) or ["demo"]


def model_widget(path: str = "model.path", **overrides: Any) -> Component:
    """The model: chosen from those with a preset, or typed (a hub id, a folder)."""
    return widget(FIELDS[path], **{"choices": models(), "allow_custom_value": True, **overrides})


def folded(paths_in_view: Iterable[str]) -> dict[str, list[str]]:
    """The settings that are not in view, by group, in the order of declaration."""
    shown = set(paths_in_view)
    groups: dict[str, list[str]] = {}
    for path in FIELDS:
        if path not in shown:
            groups.setdefault(path.split(".")[0], []).append(path)
    return groups
