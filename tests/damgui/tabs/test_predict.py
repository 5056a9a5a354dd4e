"""The verdict on one object: as sure as it was measured to be, or an engineer's turn."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.taxonomy import from_dict, load
from damgui.scores import sentences
from damgui.tabs.predict import view
from damgui.tabs.predict.questions import BoxQuestion
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
