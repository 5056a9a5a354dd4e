"""Settings -> widgets -> settings: nothing is lost, and every sentence comes from where the knob is declared."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from core.errors import Problem, UserError
from core.settings import FIELDS, Settings, merge
from damgui import forms
from damgui.forms import Form


def whole_form() -> Form:
    form = Form()
    with gr.Blocks(analytics_enabled=False):
        for path in FIELDS:
            form.add(path)
    return form


def given(form: Form, settings: Settings) -> dict[Any, Any]:
    """What a handler gets when the page shows these settings."""
    return dict(form.fill(settings))


def test_settings_survive_the_way_through_the_form() -> None:
    form = whole_form()
    settings = merge(Settings(), {"lora.rank": 8, "training.learning_rate": 3e-5, "enhance.oversampling": True})
    settings = merge(settings, {"enhance.condition_weights": {"blocked": 4, "cannot be judged": 0.5}})
    assert form.read(given(form, settings)) == settings


@pytest.mark.parametrize("path", list(FIELDS))
def test_every_knob_has_a_labelled_widget_with_its_help(path: str) -> None:
    with gr.Blocks(analytics_enabled=False):
        component = forms.widget(FIELDS[path])
    assert component.elem_id == forms.elem_id(path)
    assert component.label
    assert component.info.replace("\\", "").startswith(FIELDS[path].help)


def test_all_wrong_values_are_named_at_once() -> None:
    form = whole_form()
    values = given(form, Settings())
    values[form.widgets["lora.rank"]] = 0
    values[form.widgets["training.epochs"]] = -1
    with pytest.raises(UserError) as caught:
        form.read(values)
    assert "lora.rank" in str(caught.value)
    assert "training.epochs" in str(caught.value)


def test_a_wrong_training_setting_does_not_hinder_reading_photos() -> None:
    form = whole_form()
    values = given(form, Settings())
    values[form.widgets["lora.rank"]] = 0
    values[form.widgets["data.path"]] = "photos"
    assert form.read(values, forms.FOR_DATA).data.path == "photos"


@pytest.mark.parametrize(
    ("path", "typed", "fault"),
    [
        ("lora.rank", None, "No number is given. Give a whole number between 1 and 256."),
        ("lora.rank", 2.7, "2.7 is not a whole number. Give a whole number between 1 and 256."),
        ("lora.rank", -4, "-4 is outside 1 to 256. Give a whole number between 1 and 256."),
        ("training.epochs", 1e99, "1e+99 is outside 0.01 to 1000. Give a number between 0.01 and 1000."),
        ("training.epochs", float("nan"), "Nan is not a finite number. Give a number between 0.01 and 1000."),
        ("training.learning_rate", "much", "'much' is not a number. Give a number between 1e-08 and 1."),
        ("model.path", " ", forms.REQUIRED["model.path"]),
        ("data.path", "", forms.REQUIRED["data.path"]),
        ("data.taxonomy", "", ""),
        ("training.epochs", "3", ""),
    ],
)
def test_a_field_says_what_is_wrong_with_it_and_a_run_does_not_start(path: str, typed: Any, fault: str) -> None:
    form = whole_form()
    values = given(form, Settings()) | {form.widgets[path]: typed}
    assert form.faults(values) == ({path: fault} if fault else {})
    if fault:
        with pytest.raises(UserError) as caught:
            form.require(values, [Problem("no name")])
        assert str(caught.value) == f"{forms.label(FIELDS[path])} ({path}): {fault}\nno name"


def test_a_whole_number_is_not_rounded_before_it_is_looked_at() -> None:
    form = whole_form()
    assert form.widgets["lora.rank"].preprocess(2.7) == 2.7


def test_what_is_written_into_can_show_a_fault() -> None:
    form = whole_form()
    ticked = {form.widgets[path] for path, about in FIELDS.items() if about.type is bool or about.choices}
    assert set(form.typed) == {*form.widgets.values()} - ticked


def test_a_preset_leaves_the_choice_of_photos_alone() -> None:
    form = whole_form()
    shown = form.fill(Settings(), forms.NOT_IN_PRESETS)
    assert form.widgets["data.path"] not in shown
    assert form.widgets["lora.rank"] in shown


def test_what_is_not_in_view_is_folded_and_nothing_is_lost() -> None:
    shown = (*forms.SIMPLE, *forms.SWITCHES)
    folded = [path for paths in forms.folded(shown).values() for path in paths]
    assert sorted([*folded, *shown]) == sorted(FIELDS)
    assert len(forms.SIMPLE) == 6
    assert len(forms.SWITCHES) == 5


@pytest.mark.parametrize("sign", ["_", "*", "<", "`"])
def test_marks_in_a_help_sentence_are_not_read_as_formatting(sign: str) -> None:
    from dataclasses import replace

    assert f"\\{sign}" in forms.info(replace(FIELDS["data.path"], help=f"a {sign} b"))
