"""The sentences say what the numbers allow, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from core.report import sentences
from core.taxonomy import load

DAMS = load()

BASE: dict[str, Any] = {
    "correct": 8,
    "total": 10,
    "overall_accuracy": 0.8,
    "accuracy_interval": [0.7, 0.9],
    "complete": True,
    "data": {"path": "/p", "split": "test", "photos": 100},
    "model": {"path": "m", "adapter": "models/a_final"},
}


ENDS = {
    "lowest_flight": {"flight": "d01", "correct": 5, "total": 10, "accuracy": 0.5},
    "highest_flight": {"flight": "d02", "correct": 9, "total": 10, "accuracy": 0.9},
}


@pytest.mark.parametrize(
    ("guess", "expected"),
    [
        (0.6, "is better than guessing"),
        (0.95, "is worse than guessing"),
        (0.8, "not clearly better than guessing"),
        (0.7, "not clearly better than guessing"),
        (None, "not known here"),
    ],
)
def test_the_headline_is_decided_by_the_interval(guess: float | None, expected: str) -> None:
    prior = None if guess is None else {"accuracy": guess, "macro_f1": 0.3}
    found = sentences.headline({**BASE, "prior": prior})
    assert expected in found and "8 of 10 objects right: 80.0 % (95 % interval 70.0–90.0 %)" in found


def test_of_too_few_flights_the_headline_has_no_interval_and_calls_nothing_better() -> None:
    found = sentences.headline({**BASE, "accuracy_interval": None, "prior": {"accuracy": 0.1}})
    assert "80.0 % (no interval: too few flights)." in found and "better than guessing" not in found
    assert found.endswith("nobody can say which is better.")
    known = sentences.known_score({**BASE, "accuracy_interval": None})
    assert "80.0 % (no interval: too few flights)." in known


def test_a_reference_point_comes_before_the_old_key() -> None:
    both = {**BASE, "prior": {"accuracy": 0.1}, "references": {"prior": {"accuracy": 0.75}}}
    assert "would score 75.0 %" in sentences.headline(both)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": {"photos": 5, "split": "test"}}, "Only 5 photos"),
        ({"data": {"photos": 1, "split": "test"}}, "Only 1 photo were"),
        ({"flights": 1}, "Only 1 flight was judged"),
        ({"flights": 5, **ENDS}, "Only 5 flights were judged"),
        ({"flights": 9, **ENDS}, "It goes from 50.0 % (d01) to 90.0 % (d02)."),
        ({}, "20 points wide"),
        ({"data": {"photos": 50, "split": "valid"}}, "chosen on these validation photos"),
        ({"data": {"photos": 50, "split": "train"}}, "training photos"),
        ({"settings": {"data": {"limit": 3}}}, "Only a part"),
        ({"settings": {"model": {"path": "demo"}}}, "demo model"),
        ({"model": {"path": "demo"}}, "demo model"),
        ({"model": {"path": "demo-photos", "adapter": "models/a_final"}}, "demo model"),
        ({"data": {"path": "demo"}}, "drawn sample photos"),
        ({"per_class": {"x blocked": {"total": 3}, "x normal": {"total": 30}}}, "x blocked (3)."),
        ({}, "not calibrated"),
        ({}, "No reference points"),
    ],
)
def test_limits_are_told_where_they_hold(changes: dict[str, Any], expected: str) -> None:
    assert any(expected in limit for limit in sentences.limits({**BASE, **changes}, "evaluate", DAMS))


def test_limits_are_not_told_where_they_do_not_hold() -> None:
    sound = {
        **BASE,
        "accuracy_interval": [0.78, 0.82],
        "references": {"prior": {}},
        "calibration": {},
        "per_class": {"x": {"total": 90}},
    }
    listed = " ".join(sentences.limits(sound, "evaluate", DAMS))
    for absent in (
        "photos were judged",
        "Only a part",
        "points wide",
        "chosen on",
        "training photos",
        "demo",
        "calibrated",
        "so few",
    ):
        assert absent not in listed


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"settings": {"judging": {"references": True}}}, True),
        ({"settings": {"judging": {"references": True}}, "references": {}}, False),
        ({"settings": {"judging": {"references": False}}}, False),
        ({}, False),  # of a version that had none
    ],
)
def test_reference_points_that_are_yet_to_come_are_missed(changes: dict[str, Any], missing: bool) -> None:
    warned = sentences.warnings({"overall_accuracy": 0.5, **changes})
    assert any("reference points are not measured yet" in sentence for sentence in warned) == missing


def test_answers_of_another_run_are_named_with_run_and_date() -> None:
    source = {"run": "20260102-a-train-b", "kind": "train", "created": 1.0}
    assert sentences.taken_over({}) == ""
    found = sentences.taken_over({"answers_from": source})
    assert "run 20260102-a-train-b on " in found and " 1970, " in found


def test_warnings_name_what_flatters() -> None:
    found = sentences.warnings(
        {"complete": False, "data": {"photos": 9, "photos_trained_on": 4}, "reference_warnings": ["It does not look."]}
    )
    assert "stopped" in found[0] and "It does not look." in found and "4 of these 9" in found[-1]
    assert sentences.warnings(BASE) == []
    assert sentences.warnings({"data": {"split_note": "the split is gone: 2 photos are left out"}}) == [
        "The split is gone: 2 photos are left out."
    ]


@pytest.mark.parametrize(("forest", "named"), [(0.95, True), (0.9, False), (0.5, False)])
def test_a_simpler_method_that_does_better_is_named_once(forest: float, named: bool) -> None:
    results = {**BASE, "references": {"texture_forest": {"accuracy": forest}}}
    found = sentences.warnings(results)
    assert any("random forest" in sentence for sentence in found) is named
    for stated in (["It does not beat the forest."], []):  # where there are warnings, those decide
        assert sentences.warnings({**results, "reference_warnings": stated}) == stated


@pytest.mark.parametrize(("right", "broken"), [(0.94, True), (0.96, False), (1.0, False), (None, False)])
def test_a_threshold_that_does_not_keep_its_promise_is_told(right: float | None, broken: bool) -> None:
    assert bool(sentences.broken_promise({"accuracy_of_sure": right, "max_error": 0.05})) is broken
