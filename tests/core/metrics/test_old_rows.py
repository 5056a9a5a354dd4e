"""Rows and results from before flights were counted open, score, compare and report as they did."""

from __future__ import annotations

from typing import Any

import pytest

from core.metrics import compare, score
from core.metrics.calibration import from_dict
from core.report import sentences
from core.taxonomy import load
from damgui.cli.progress import accuracy_line

OLD: dict[str, Any] = {
    "overall_accuracy": 0.8,
    "correct": 8,
    "total": 10,
    "accuracy_interval": [0.6, 0.9],
    "macro_f1": 0.7,
    "macro_f1_interval": [0.5, 0.8],
    "data": {"photos": 40, "split": "valid"},
}


def old_row(photo: int, right: bool, flight: int) -> dict[str, Any]:
    predicted = "normal" if right else "blocked"
    return {
        "image": f"valid/images/Dam{flight}_R1_{photo:03}.jpg",
        "object": 0,
        "object_type": "drain",
        "truth": "normal",
        "predicted": predicted,
        "truth_class": "drain normal",
        "predicted_class": f"drain {predicted}",
        "choices": 2,
        "question": "condition",
        "probabilities": {"normal": 0.6, "blocked": 0.4},
    }


def test_old_rows_have_the_flight_that_their_photos_name_tells() -> None:
    rows = [old_row(i, i % 3 > 0, i % 5) for i in range(60)]
    assert score(rows)["flights"] == 5
    found = compare(rows, [row | {"flight": f"f{n % 12}"} for n, row in enumerate(rows)])
    assert found["flights"] == 12


def test_an_old_result_is_said_as_before() -> None:
    assert accuracy_line(OLD).endswith("95 % interval 60.0 to 90.0 %, macro-F1 0.700")
    assert "80.0 % (95 % interval 60.0–90.0 %)" in sentences.headline(OLD)
    assert not any("flight" in limit for limit in sentences.limits(OLD, "evaluate", load()))
    plain = {key: value for key, value in OLD.items() if not key.endswith("_interval")}
    assert "interval" not in accuracy_line(plain) and "interval" not in sentences.headline(plain)


def test_where_there_were_too_few_flights_it_is_said() -> None:
    few = OLD | {"accuracy_interval": None, "macro_f1_interval": None, "flights": 3}
    assert "no interval: too few flights" in accuracy_line(few)
    assert "no interval: too few flights" in sentences.headline(few)


def test_an_old_calibration_has_no_alarm_curves() -> None:
    rule = {"threshold": 0.7, "answered": 30, "wrong": 1, "total": 40, "max_error": 0.05, "error_upper": 0.1}
    found = from_dict(
        {"temperature": {"condition": 2.0}, "thresholds": {"condition": rule}, "photos": 9, "objects": 40}
    )
    assert found.alarms == {} and found.rule("condition") is not None
    assert from_dict(found.to_dict()) == found
    with pytest.raises(KeyError):
        from_dict({"alarms": {}})
