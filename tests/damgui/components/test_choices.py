"""A choice of model or preset: what it changes is named, what a person set stays and is named too."""

from __future__ import annotations

from typing import Any

import pytest

from core.settings import Settings, load, merge, presets
from damgui import forms
from damgui.components import choices
from damgui.components.choices import Change, Outcome


def shown(preset: str, **typed: Any) -> dict[str, Any]:
    return forms.as_shown(load(preset)) | {path.replace("__", "."): value for path, value in typed.items()}


@pytest.mark.parametrize("before", presets())
@pytest.mark.parametrize("after", presets())
def test_every_preset_changes_exactly_what_it_names(before: str, after: str) -> None:
    found = choices.outcome(after, shown(before), load(before), load(after))
    assert found.kept == ()
    there = shown(before) | {change.path: change.now for change in found.changed}
    wanted = forms.as_shown(load(after))
    assert {path for path in wanted if there[path] != wanted[path]} <= {*forms.NOT_IN_PRESETS}
    assert all(change.was != change.now for change in found.changed)


@pytest.mark.parametrize("value", [1, 0.5, None, 1e99, "much"])
def test_what_was_typed_stays_right_or_wrong(value: Any) -> None:
    found = choices.outcome(
        "demo-photos", shown("demo", training__learning_rate=value), load("demo"), load("demo-photos")
    )
    assert [change.path for change in found.kept] == ["training.learning_rate"]
    assert "training.learning_rate" not in [change.path for change in found.changed]


def test_the_share_put_aside_for_validation_never_changes_in_silence() -> None:
    found = choices.outcome("demo-photos", shown("demo"), load("demo"), load("demo-photos"))
    assert "Validation share 0.2 → 0.1" in [str(change) for change in found.changed]
    assert "Validation share 0.2 → 0.1" in choices.note(found)
    typed = choices.outcome("demo-photos", shown("demo", data__valid_share=0.3), load("demo"), load("demo-photos"))
    assert "Validation share 0.3 (0.1 in the preset)" in choices.note(typed)


def test_where_the_photos_lie_is_no_business_of_a_preset() -> None:
    found = choices.outcome("demo-photos", shown("demo", data__path="mine"), load("demo"), load("demo-photos"))
    assert "data.path" not in [change.path for change in (*found.changed, *found.kept)]


def test_a_choice_that_changes_nothing_says_nothing() -> None:
    assert choices.note(choices.outcome("demo", shown("demo"), load("demo"), load("demo"))) == ""
    assert choices.note(Outcome("demo")) == ""


@pytest.mark.parametrize(
    ("value", "read"), [(True, "on"), (False, "off"), (None, "empty"), ("", "empty"), (1e-3, "0.001"), ("crop", "crop")]
)
def test_values_are_read_as_people_write_them(value: Any, read: str) -> None:
    assert choices.words(value) == read


def test_a_word_of_the_users_is_no_html() -> None:
    assert "<b>" not in choices.note(Outcome("<b>", (Change("data.group_rule", "<b>", "x"),)))


def test_a_page_knows_by_which_preset_its_form_was_filled() -> None:
    known = choices.Shown.of(merge(Settings(), {"model.path": "demo-photos"}))
    assert known.settings == load("demo-photos")
    own = choices.Shown.of(merge(Settings(), {"model.path": "/models/mine-2B"}))
    assert (own.preset, own.settings.model.path) == ("qwen2vl-2b-lora", "/models/mine-2B")
