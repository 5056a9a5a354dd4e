"""What is asked follows from geometry and the object type alone, in the words each model family knows."""

from __future__ import annotations

import pytest

from core.families import FAMILIES, RESIZED_PIXELS, THOUSANDTHS
from core.prompts import (
    PhotoContext,
    answers,
    box_text,
    height_text,
    neighbour_text,
    question_text,
)
from core.settings import EnhanceSettings
from core.taxonomy import load

PLAIN = EnhanceSettings(spatial_reasoning=False, position_encoding=False)
BOX = (0.25, 0.5, 0.5, 0.75)
CONDITIONS = ("normal", "blocked", "damaged")


@pytest.mark.parametrize(
    ("box", "unit", "resized_wh", "words"),
    [
        (BOX, THOUSANDTHS, (400, 200), "<|box_start|>(250,500),(500,750)<|box_end|>"),
        (BOX, RESIZED_PIXELS, (400, 200), "[100, 100, 200, 150]"),
        ((0, 0, 1, 1), THOUSANDTHS, (400, 200), "<|box_start|>(0,0),(1000,1000)<|box_end|>"),
        ((0, 0, 1, 1), RESIZED_PIXELS, (400, 200), "[0, 0, 400, 200]"),
        ((-0.1, 0.1234, 0.9876, 1.2), THOUSANDTHS, (1, 1), "<|box_start|>(0,123),(988,1000)<|box_end|>"),
    ],
)
def test_a_box_is_written_as_its_family_learned_it(
    box: tuple[float, float, float, float], unit: str, resized_wh: tuple[int, int], words: str
) -> None:
    assert box_text(box, PhotoContext("full", resized_wh, unit)) == words


def test_every_family_has_the_box_unit_of_its_report() -> None:
    assert {name: family.box_unit for name, family in FAMILIES.items()} == {
        "qwen2_vl": THOUSANDTHS,
        "qwen2_5_vl": RESIZED_PIXELS,
        "qwen3_vl": THOUSANDTHS,
    }


@pytest.mark.parametrize(
    ("top", "bottom", "words"),
    [
        (0.0, 0.0, "It lies high, 0 % from the top."),
        (0.2, 0.4, "It lies high, 30 % from the top."),
        (0.3, 0.37, "It lies at mid-height, 34 % from the top."),
        (0.4, 0.9, "It lies at mid-height, 65 % from the top."),
        (0.5, 0.84, "It lies low, 67 % from the top."),
        (0.9, 1.0, "It lies low, 95 % from the top."),
        (1.5, 1.9, "It lies low, 100 % from the top."),
    ],
)
def test_height_is_said_of_the_boxs_centre(top: float, bottom: float, words: str) -> None:
    assert height_text((0.1, top, 0.2, bottom)) == words


ABOVE, BELOW, OVER = (0.25, 0.0, 0.5, 0.2), (0.25, 0.8, 0.5, 1.0), (0.3, 0.6, 0.9, 0.9)
TOUCHING = (0.5, 0.5, 0.7, 0.75)  # shares an edge and no area


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ([], "No other boxes."),
        ([ABOVE], "Of 1 other boxes 1 lie above it, 0 overlap it."),
        ([BELOW], "Of 1 other boxes 0 lie above it, 0 overlap it."),
        ([OVER], "Of 1 other boxes 0 lie above it, 1 overlap it."),
        ([TOUCHING], "Of 1 other boxes 0 lie above it, 0 overlap it."),
        ([ABOVE, BELOW, OVER, TOUCHING, (0.0, 0.0, 1.0, 0.9)], "Of 5 other boxes 2 lie above it, 2 overlap it."),
    ],
)
def test_neighbours_are_counted_by_where_they_lie(others: list[tuple[float, float, float, float]], words: str) -> None:
    assert neighbour_text(BOX, others) == words
    assert neighbour_text(BOX, others[::-1]) == words


@pytest.mark.parametrize(
    ("object_type", "allowed"),
    [
        ("toe drain", CONDITIONS),
        ("slope drain", CONDITIONS),
        ("rock toe", ("normal", "damaged")),
        ("vegetation", ("normal",)),
        (
            None,
            (
                "toe drain normal",
                "toe drain blocked",
                "toe drain damaged",
                "slope drain normal",
                "slope drain blocked",
                "slope drain damaged",
                "rock toe normal",
                "rock toe damaged",
                "vegetation normal",
            ),
        ),
    ],
)
def test_answers_are_a_closed_list_and_the_question_names_all_of_it(
    object_type: str | None, allowed: tuple[str, ...]
) -> None:
    taxonomy = load()
    assert answers(object_type, taxonomy) == allowed
    text = question_text(object_type, BOX, [], PhotoContext("full", (1, 1)), PLAIN, taxonomy)
    assert text.endswith(f"Answer with one of: {', '.join(allowed)}.")


@pytest.mark.parametrize(
    ("view", "unit", "begin"),
    [
        ("full", THOUSANDTHS, "A dam slope with the <|object_ref_start|>toe drain<|object_ref_end|><|box_start|>"),
        ("full", RESIZED_PIXELS, "A dam slope with the toe drain in the box [100, 100, 200, 150]. What"),
        ("crop", THOUSANDTHS, "A boxed toe drain on a dam slope. What is its condition?"),
        ("crop", RESIZED_PIXELS, "A boxed toe drain on a dam slope. What is its condition?"),
    ],
)
def test_the_question_shows_the_object_as_the_view_does(view: str, unit: str, begin: str) -> None:
    assert question_text("toe drain", BOX, [], PhotoContext(view, (400, 200), unit), PLAIN, load()).startswith(begin)


def test_the_second_picture_is_mentioned_exactly_where_there_is_one() -> None:
    texts = {
        view: question_text("rock toe", BOX, [], PhotoContext(view, (9, 9)), PLAIN, load())
        for view in ("full", "full+crop", "crop")
    }
    assert {view: "second picture" in text for view, text in texts.items()} == {
        "full": False,
        "full+crop": True,
        "crop": False,
    }


@pytest.mark.parametrize(("spatial", "position"), [(False, False), (True, False), (False, True), (True, True)])
def test_each_enhancement_adds_its_own_sentence_and_nothing_else(spatial: bool, position: bool) -> None:
    enhance = EnhanceSettings(spatial_reasoning=spatial, position_encoding=position)
    text = question_text("rock toe", BOX, [ABOVE], PhotoContext("full", (9, 9)), enhance, load())
    height, neighbours = height_text(BOX) + " ", neighbour_text(BOX, [ABOVE]) + " "
    assert (height in text, neighbours in text) == (position, spatial)
    plain = question_text("rock toe", BOX, [ABOVE], PhotoContext("full", (9, 9)), PLAIN, load())
    assert text.replace(height, "").replace(neighbours, "") == plain


def test_no_condition_stands_in_the_question_before_the_list_of_answers() -> None:
    taxonomy = load()
    for object_type in (None, *taxonomy.object_types):
        text = question_text(
            object_type, BOX, [ABOVE, OVER], PhotoContext("full+crop", (9, 9)), EnhanceSettings(), taxonomy
        )
        before, _list = text.split("Answer with one of")
        assert not any(condition in before for condition in CONDITIONS)


def test_a_class_question_hides_the_type() -> None:
    taxonomy = load()
    text = question_text(None, BOX, [], PhotoContext("full", (9, 9)), PLAIN, taxonomy)
    before, _list = text.split("Answer with one of")
    assert not any(kind in before for kind in taxonomy.object_types)
    assert "object" in before
