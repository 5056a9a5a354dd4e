"""Findings as cards: nothing of a file name gets into the page as HTML, and every cure has its button."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from core.data.quality.findings import AMBER, NOTE, Finding, weigh
from core.data.types import BoxedObject, Dataset, Photo
from core.settings import FIELDS
from core.taxonomy import load
from damgui import text
from damgui.forms import DATA_OPTIONS, elem_id
from damgui.tabs.data import view

DAMS = load()


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    made = []
    for name, split in (("a&b.jpg", "train"), ("c.jpg", "valid")):
        Image.new("RGB", (60, 40), "green").save(tmp_path / name)
        obj = BoxedObject((0.4, 0.4, 0.5, 0.5), "toe drain", "blocked")
        made.append(Photo(tmp_path / name, name, (60, 40), split, name, (obj,)))
    return Dataset(tmp_path, "yolo", tuple(made))


def test_photos_that_belong_together_stand_side_by_side_with_their_splits(data: Dataset) -> None:
    finding = Finding(
        "duplicate-across",
        AMBER,
        "t",
        "d",
        ("a&b.jpg", "c.jpg"),
        "cure",
        {"data.regroup": True},
        groups=(("a&b.jpg", "c.jpg", "gone.jpg"),),
    )
    card = view.cards(data, [finding], DAMS)
    assert card.count("<img") == 2 and card.count('class="dg-pair"') == 1
    assert "a&amp;b.jpg" in card and text.SPLIT_WORDS["train"] in card and text.SPLIT_WORDS["valid"] in card
    assert re.findall(r'data-index="(\d+)">([^<]+)<', card) == [("0", "Split anew by flight")]


def test_boxes_that_are_meant_are_shown_close_up_with_their_classes(data: Dataset) -> None:
    finding = Finding("too-small", NOTE, "t", "d", ("c.jpg",), "cure", boxes=(("c.jpg", (0.4, 0.4, 0.5, 0.5)),))
    card = view.cards(data, [finding], DAMS)
    assert card.count("<img") == 1 and "toe drain blocked" in card and "<button" not in card


def test_a_box_of_no_label_is_shown_as_another_reading(data: Dataset) -> None:
    boxes = (("c.jpg", (0.4, 0.4, 0.5, 0.5)), ("c.jpg", (0.1, 0.1, 0.2, 0.2)))
    card = view.cards(data, [Finding("turned-photos", NOTE, "t", "d", ("c.jpg",), boxes=boxes)], DAMS)
    assert card.count("<img") == 2
    assert card.index("toe drain blocked") < card.index(text.IF_DRAWN_AS_STORED)


def test_words_are_escaped_and_what_is_listed_gets_no_card(data: Dataset) -> None:
    review = weigh([Finding("faults", NOTE, "t", "d"), Finding("dark", NOTE, "<b>", "<i>")], {})
    card = view.cards(data, view.shown(review), DAMS)
    assert "&lt;b&gt;" in card and "<b>" not in card and card.count("<article") == 1
    assert "dg-on dg-lamp-green" in view.light(review)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"data.drop_duplicates": True}, "Leave out duplicates"),
        ({"view.photo_px": 336}, "Set Photo resolution to 336"),
        ({"view.mode": "full+crop"}, "Set Mode to full+crop"),
    ],
)
def test_a_button_says_what_it_does(setting: dict[str, object], expected: str) -> None:
    assert set(setting) <= set(FIELDS) and text.cure(setting) == expected


def test_order_is_told_by_share_and_count() -> None:
    drawn = view.order([{"upper": "rock toe", "lower": "toe drain", "share": 0.84, "pairs": 1369}])
    assert "84 %" in drawn and "of 1,369 pairs" in drawn
    assert text.ABOVE_NONE in view.order([]) and text.ABOVE_NONE in view.together([], DAMS)


@pytest.mark.parametrize("kind", text.CURE_BY_HAND)
def test_a_cure_that_has_to_be_written_has_a_button_that_leads_to_its_field(data: Dataset, kind: str) -> None:
    path, words = text.CURE_BY_HAND[kind]
    assert path in DATA_OPTIONS, "the button unfolds them"
    drawn = view.cards(data, [Finding(kind, NOTE, "t", "d", cure_words="Write it.")], load())
    assert f'data-field="{elem_id(path)}"' in drawn and words in drawn and "data-index" not in drawn
    curable = Finding(kind, NOTE, "t", "d", cure_words="Click.", cure_setting={"data.regroup": True})
    drawn = view.cards(data, [curable], load())
    assert "data-field" not in drawn and text.CURES["data.regroup"] in drawn
