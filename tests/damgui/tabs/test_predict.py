"""The verdict on one object: as sure as it was measured to be, or an engineer's turn."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest
from PIL import Image

from core.data.types import BoxedObject
from core.errors import UserError
from core.records import Prediction
from core.taxonomy import from_dict, load
from damgui.scores import sentences
from damgui.tabs.predict import exports, questions, text, view
from damgui.tabs.predict.questions import BoxQuestion, ChosenPhoto
from damgui.tabs.predict.view import Answered

DAMS = load()

RAW = {
    "model": "",
    "label": "Tuned: mine",
    "predicted": "blocked",
    "predicted_type": "toe drain",
    "probability": 0.991,
    "probabilities": {"blocked": 0.991, "normal": 0.009},
}
CALIBRATED = RAW | {
    "calibrated": {"blocked": 0.93, "normal": 0.07},
    "calibrated_probability": 0.93,
    "unsure": False,
    "threshold": 0.8,
}


RULE = {"threshold": 0.8, "answered": 45, "wrong": 2, "total": 85, "max_error": 0.05, "error_upper": 0.148}


@pytest.fixture
def adapter(tmp_path: Path) -> str:
    (tmp_path / "calibration.json").write_text(json.dumps({"objects": 96, "thresholds": {"condition": RULE}}))
    return str(tmp_path)


def test_an_answer_without_calibration_says_so() -> None:
    card = view.answer_card(RAW, "toe drain", DAMS)
    assert "99 %" in card and sentences.NOT_CALIBRATED in card


def test_a_calibrated_answer_shows_the_calibrated_percentage_and_what_stands_behind_it(adapter: str) -> None:
    card = view.answer_card(CALIBRATED | {"model": adapter}, "toe drain", DAMS)
    assert "blocked" in card and "93 %" in card and "99 %" not in card
    assert "Calibrated on 96 objects that it did not learn from." in card


def test_an_unsure_answer_goes_to_an_engineer_with_its_reason(adapter: str) -> None:
    unsure = CALIBRATED | {"model": adapter, "unsure": True, "calibrated_probability": 0.61}
    card = view.answer_card(unsure, "toe drain", DAMS)
    assert sentences.UNSURE in card
    assert "Its most probable answer is blocked, 61 %." in card
    assert "Of the 45 objects put aside that it was at least 80 % sure of, 2 were wrong" in card
    assert "dg-badge" not in card, "no verdict beside the one that it has none"


@pytest.mark.parametrize(("answer", "expected"), [(RAW, 0.991), (CALIBRATED, 0.93)])
def test_the_bars_show_what_the_verdict_speaks_of(answer: dict[str, Any], expected: float) -> None:
    assert view.shares(answer, "toe drain", DAMS)["blocked"] == expected


def test_what_is_only_observed_is_called_present_whether_its_type_was_told_or_not() -> None:
    answer = {"predicted": "normal", "probability": 1.0, "label": "M", "probabilities": {"normal": 1.0}}
    assert "present" in view.answer_card(answer, "vegetation", DAMS)
    assert "normal" not in view.answer_card(answer, "vegetation", DAMS)
    assert view.shares(answer, "vegetation", DAMS) == {"present": 1.0}
    classes = {"vegetation normal": 0.5, "toe drain normal": 0.3, "rock toe damaged": 0.2}
    guessed = answer | {"probabilities": {"normal": 0.8, "damaged": 0.2}, "class_probabilities": classes}
    assert view.shares(guessed, None, DAMS) == {"present": 0.5, "normal": 0.3, "damaged": 0.2}


def test_answers_are_shown_as_the_tuned_model_learned_them(tmp_path: Path) -> None:
    roofs = from_dict({"conditions": ["sound", "loose"], "object_types": ["tile"]})
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "damgui.json").write_text(json.dumps({"taxonomy": asdict(roofs)}))
    asked = BoxQuestion(None, None)
    assert view.taxonomy([Answered(asked, {"answers": [{"model": "demo"}, {"model": str(tmp_path)}]})], "") == roofs
    assert view.taxonomy([Answered(asked, {"answers": [{"model": "demo"}]})], "") == DAMS


@pytest.mark.parametrize("content", ["{half", "[]", None])
def test_a_damaged_or_missing_calibration_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "calibration.json").write_text(content)
    assert view.calibration(str(tmp_path)) == {}


@pytest.fixture
def photo(tmp_path: Path) -> ChosenPhoto:
    """A photo with two labelled boxes, of which the second is only observed."""
    path = tmp_path / "=dam 1.png"
    Image.new("RGB", (700, 500), "#808080").save(path)
    objects = (
        BoxedObject((0.1, 0.2, 0.4, 0.6), "toe drain", "blocked"),
        BoxedObject((1 / 3, 0.5, 0.9, 0.9), "vegetation", "normal"),
    )
    return ChosenPhoto(path, (700, 500), objects)


def answered(photo: ChosenPhoto, index: int, *answers: dict[str, Any]) -> Answered:
    question = questions.all_labelled(photo)[index]
    assert question.box_xyxy_px is not None
    box = [round(end, 1) for end in question.box_xyxy_px]
    return Answered(question, cast(Prediction, {"box_xyxy_px": box, "answers": list(answers), "seconds": 0.1}))


BASE = RAW | {"model": "demo", "label": "Base model", "unsure": None}
TUNED = CALIBRATED | {"model": "x", "label": "Tuned: mine"}
PRESENT = {
    "model": "x",
    "label": "Tuned: mine",
    "predicted": "normal",
    "predicted_type": "vegetation",
    "probability": 1.0,
    "probabilities": {"normal": 1.0},
    "unsure": False,
}


def test_nothing_is_judged_that_nobody_chose(photo: ChosenPhoto) -> None:
    with pytest.raises(UserError, match="Choose a photo first"):
        questions.chosen(None, None, "")
    for value in (None, {}, {"box": None, "index": None}, {"box": None, "index": 7}, {"box": [], "index": "0"}):
        with pytest.raises(UserError, match="Mark the object first"):
            questions.chosen(photo, value, "")
    assert questions.chosen(photo, {"box": None, "index": None, "whole": True}, "").box_xyxy_px is None


def test_a_labelled_box_is_asked_about_unrounded_and_with_its_neighbours(photo: ChosenPhoto) -> None:
    sent_by_the_page = {"box": [0, 0, 1, 1], "index": 1}
    request = questions.request(photo, questions.chosen(photo, sent_by_the_page, "vegetation"), ["demo"])
    assert request["box_xyxy_px"] == [700 * (1 / 3), 250.0, 630.0, 450.0]
    assert request["other_boxes_xyxy_px"] == [[70.0, 100.0, 280.0, 300.0]]
    own = questions.request(photo, questions.chosen(photo, {"box": [1, 2, 30, 40], "index": None}, ""), ["demo", "x"])
    assert own["box_xyxy_px"] == [1, 2, 30, 40] and own["object_type"] is None and own["models"] == ["demo", "x"]
    assert own["other_boxes_xyxy_px"] == [], "among labelled boxes one of one's own has no place"


def test_all_boxes_are_asked_about_as_the_types_of_their_labels(photo: ChosenPhoto) -> None:
    assert [(one.object_type, one.index) for one in questions.all_labelled(photo)] == [
        ("toe drain", 0),
        ("vegetation", 1),
    ]


def test_the_table_shows_both_models_beside_the_labels_and_what_is_still_waited_for(photo: ChosenPhoto) -> None:
    asked = questions.all_labelled(photo)
    begun = view.table(photo, asked, {0: answered(photo, 0, BASE, TUNED)}, DAMS)
    assert text.progress(1, 2) in begun and begun.count(text.NOT_ANSWERED) == 2
    first, second = answered(photo, 0, BASE, TUNED), answered(photo, 1, PRESENT | {"label": "Base model"}, PRESENT)
    whole = view.table(photo, asked, {0: first, 1: second}, DAMS)
    for words in ("Base model", "Tuned: mine", "99 %", "93 %", "present", text.drawn_at_boxes("Tuned: mine")):
        assert words in whole
    assert text.BASE_ONLY not in whole and "progressbar" not in whole
    refused = Answered(asked[1], {"error": "<gone>"})
    assert "&lt;gone&gt;" in view.table(photo, asked, {0: first, 1: refused}, DAMS)


def test_the_last_models_verdict_stands_at_the_box_and_an_unsure_one_names_no_condition(photo: ChosenPhoto) -> None:
    sure, unsure = answered(photo, 0, BASE, TUNED), answered(photo, 0, BASE, TUNED | {"unsure": True})
    (written,) = view.verdicts_at_boxes([sure], DAMS)
    assert written["words"].endswith("blocked 93 %") and written["box"] == [70.0, 100.0, 280.0, 300.0]
    (written,) = view.verdicts_at_boxes([unsure], DAMS)
    assert written["unsure"] and "blocked" not in written["words"] and not written["style"]
    assert view.verdicts_at_boxes([Answered(sure.question, {"error": "gone"})], DAMS) == []


def test_the_saved_picture_has_the_photos_size_and_its_boxes(photo: ChosenPhoto) -> None:
    path = Path(exports.picture(photo, [answered(photo, 0, BASE, TUNED), answered(photo, 1, PRESENT)], DAMS))
    with Image.open(path) as picture:
        assert picture.size == photo.size_wh and picture.format == "JPEG"
        edge, inside = picture.getpixel((175, 300)), picture.getpixel((175, 250))
    assert inside == pytest.approx((128, 128, 128), abs=6), "what is judged is not painted over"
    assert edge != pytest.approx((128, 128, 128), abs=40)
    photo.path.unlink()
    with pytest.raises(UserError, match="cannot be read any more"):
        exports.picture(photo, [answered(photo, 0, BASE)], DAMS)


def test_the_saved_table_has_a_row_for_each_box_and_model(photo: ChosenPhoto) -> None:
    classes = {"toe drain blocked": 0.6, "rock toe damaged": 0.4}
    by_class = BASE | {"probabilities": {"blocked": 0.6, "damaged": 0.4}, "class_probabilities": classes}
    own = Answered(
        BoxQuestion((1, 2, 3, 4), None), cast(Prediction, {"box_xyxy_px": [1, 2, 3, 4], "answers": [by_class]})
    )
    path = exports.table(photo, [answered(photo, 0, BASE, TUNED), answered(photo, 1, PRESENT), own], DAMS)
    with Path(path).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["object"], row["model"], row["label"]) for row in rows] == [
        ("1", "Base model", "blocked"),
        ("1", "Tuned: mine", "blocked"),
        ("2", "Tuned: mine", "present"),
        ("1", "Base model", ""),
    ]
    assert [row["calibrated_probability"] for row in rows] == ["", "0.93", "", ""]
    assert rows[0]["photo"] == "./=dam 1.png", "no spreadsheet takes it for a formula"
    assert (rows[3]["type_known"], rows[3]["condition"], rows[3]["p rock toe damaged"]) == ("no", "blocked", "0.4")
