"""What is said about scores: never more than the numbers prove."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core import metrics
from core.metrics import verdict
from core.metrics.compare import outcome
from damgui import text
from damgui.scores import sentences


def change(value: float, low: float, high: float, flights: int = 40) -> dict[str, Any]:
    ends = None if flights < 4 else [low, high]
    return {
        "macro_f1_change": value,
        "macro_f1_change_interval": ends,
        "verdict": outcome(ends),
        "flights": flights,
        "lowest_flight": {"flight": "d01", "accuracy_change": -0.031, "total": 9},
        "highest_flight": {"flight": "d02", "accuracy_change": 0.25, "total": 9},
    }


@pytest.mark.parametrize(
    ("found", "title", "tone", "expected"),
    [
        (change(0.2, 0.1, 0.3), "Better", "up", "above 0"),
        (change(-0.2, -0.3, -0.1), "Worse", "down", "below 0"),
        (change(0.05, -0.02, 0.12), "No clear difference", "", "includes 0"),
        (change(-0.05, -0.12, 0.02), "No clear difference", "", "includes 0"),
        (change(0.05, 0.0, 0.1), "No clear difference", "", "includes 0"),
        (change(0.0, 0.0, 0.0), "No clear difference", "", "both are equally good"),
    ],
)
def test_nothing_is_better_while_its_interval_includes_zero(
    found: dict[str, Any], title: str, tone: str, expected: str
) -> None:
    conclusion = verdict.of_difference(found)
    assert (conclusion.title, conclusion.tone) == (title, tone)
    assert expected in conclusion.reasons[0]
    if not tone:
        assert "better" not in (conclusion.title + conclusion.reasons[0]).lower()


@pytest.mark.parametrize(("flights", "title", "named"), [(1, "Too few flights", False), (3, "Too few flights", True)])
def test_too_few_flights_prove_nothing_and_it_is_said(flights: int, title: str, named: bool) -> None:
    conclusion = verdict.of_difference(change(0.2, 0.2, 0.2, flights))
    assert (conclusion.title, conclusion.tone) == (title, "")
    assert f"from {flights} flight" in conclusion.reasons[0] and "At least 4" in conclusion.reasons[0]
    assert ("−3.1 (d01) to +25.0 points (d02)" in conclusion.reasons[0]) == named


@pytest.mark.parametrize(("flights", "named"), [(4, True), (9, True), (10, False)])
def test_of_few_flights_the_lowest_and_the_highest_are_told(flights: int, named: bool) -> None:
    conclusion = verdict.of_difference(change(0.2, 0.1, 0.3, flights))
    assert conclusion.title == "Better" and ("(d01)" in conclusion.reasons[0]) == named
    ends = {
        "lowest_flight": {"flight": "a", "total": 9, "accuracy": 0.5},
        "highest_flight": {"flight": "b", "total": 7, "accuracy": 0.9},
    }
    words = f"Only {flights} flights: from 50.0 % (a, 9 objects) to 90.0 % (b, 7 objects)."
    assert sentences.by_flight({"flights": flights, **ends}) == (words if named else "")


def test_of_one_flight_nothing_is_said_about_others() -> None:
    assert "All of these photos are of one flight" in sentences.by_flight({"flights": 1})
    assert sentences.by_flight({}) == ""  # a file from before flights were counted


@pytest.mark.parametrize(
    ("value", "low", "high", "flights", "expected"),
    [
        # Twice as wide as the change is large: four times the flights halve the interval.
        (0.05, -0.05, 0.15, 40, "about 160 flights would tell; there are 40"),
        (-0.05, -0.15, 0.05, 40, "about 160 flights would tell; there are 40"),
        (0.05, 0.0, 0.10, 40, "about 41 flights"),
        (0.01, -0.09, 0.11, 40, "hardly tell"),
        (0.0, -0.1, 0.1, 40, "equally good"),
    ],
)
def test_how_many_more_flights_might_tell(value: float, low: float, high: float, flights: int, expected: str) -> None:
    assert expected in verdict.more_flights(value, [low, high], flights)


@pytest.mark.parametrize(
    ("better", "worse", "expected", "proved"),
    [
        (0, 0, "Not one object changed", True),
        (1, 0, "1 object turned right, 0 turned wrong", False),
        (6, 4, "about 75 times in 100", False),  # p = 0.754
        (9, 2, "about 7 times in 100", False),  # p = 0.065
        (9, 1, "about 2 times in 100", True),  # p = 0.021
        (11, 1, "about 6 times in 1,000", True),  # p = 0.0063
        (29, 6, "about once in 10,000", True),  # p = 0.00012
        (13, 0, "about 2 times in 10,000", True),  # p = 0.00024
        (40, 5, "less than once in 10,000", True),
    ],
)
def test_chance_is_told_in_plain_words(better: int, worse: int, expected: str, proved: bool) -> None:
    p_value = metrics.sign_flip(np.array([1] * better + [-1] * worse))  # an object each flight
    found = {"better": better, "worse": worse, "p_value": p_value, "flights": better + worse}
    assert expected in sentences.chance(found)
    assert ("That is no proof" in sentences.chance(found)) is not proved


def test_under_ten_flights_there_is_no_test_and_it_is_said() -> None:
    sentence = sentences.chance({"better": 9, "worse": 1, "p_value": None, "flights": 5})
    assert "9 objects turned right, 1 turned wrong." in sentence and "Under 10 flights no test" in sentence


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.1, "one in ten"), (0.05, "one in twenty"), (0.03, "3 %"), (0.5, "one in two")]
)
def test_rates_are_said_as_people_say_them(rate: float, expected: str) -> None:
    assert sentences.one_in(rate) == expected


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (
            {"positives": 27, "negatives": 141, "recall": 0.62, "false_alarm_rate": 0.1},
            "27 blocked objects found, at 14 false alarms among 141 others (one in ten is tolerated)",
        ),
        ({"positives": 2, "negatives": 9, "recall": 0.0, "false_alarm_rate": 0.0}, "at 0 false alarms among 9 others"),
        ({"positives": 0, "negatives": 9, "recall": None}, "No object here is blocked"),
        ({"positives": 9, "negatives": 0, "recall": None}, "Every object here is blocked"),
        ({}, "No object here is blocked"),
        ({"positives": 9, "negatives": 4, "recall": None}, "One flight has all the other objects"),
        (
            {"positives": 9, "negatives": 9, "recall": 1.0, "false_alarm_rate": 0.0, "threshold_from": "other flights"},
            "each flight's threshold comes from the other judged flights",
        ),
    ],
)
def test_alarms_say_what_cannot_be_told(about: dict[str, Any], expected: str) -> None:
    assert expected in sentences.alarm("blocked", about)


CHOICE = {"total": 168, "correct": 109, "accuracy": 0.649, "accuracy_interval": [0.57, 0.72], "macro_f1": 0.45}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, ""),
        ({"with_choice": CHOICE}, ""),
        ({"with_choice": CHOICE, "single_answer": {"total": 0, "types": []}}, ""),
        (
            {"with_choice": CHOICE, "single_answer": {"total": 40, "correct": 40, "types": ["vegetation"]}},
            "Vegetation has only one possible answer: 40 objects, always right. Without them: 64.9 % right (95 % "
            "interval 57.0 – 72.0 %), macro-F1 0.45, over 168 objects.",
        ),
        (
            {
                "with_choice": {"total": 8, "accuracy": 0.5},
                "single_answer": {"total": 4, "correct": 3, "types": ["a", "b"]},
            },
            "A and b have only one possible answer: 4 objects, 3 of them right. Without them: 50.0 % right, over 8",
        ),
    ],
)
def test_objects_with_one_possible_answer_are_told_apart(found: dict[str, Any], expected: str) -> None:
    sentence = sentences.single_answers(found)
    assert expected in sentence if expected else sentence == ""


RULE = {"threshold": 0.83, "answered": 45, "wrong": 2, "total": 85, "max_error": 0.05, "error_upper": 0.148}
UNSURE = {"predicted": "blocked", "probability": 0.9, "calibrated_probability": 0.61, "threshold": 0.83}


def test_an_unsure_answer_says_why_and_promises_no_more_than_was_counted() -> None:
    assert sentences.why_unsure(UNSURE, "blocked", RULE) == (
        "Its most probable answer is blocked, 61 %. An answer is given from 83 % on. Of the 45 objects put aside "
        "that it was at least 83 % sure of, 2 were wrong (with other photos up to 15 %)."
    )
    assert sentences.why_unsure(UNSURE, "blocked", {}).endswith("An answer is given from 83 % on.")
    assert sentences.why_unsure(UNSURE, "present", {}).startswith("Its most probable answer is present, 61 %.")
    close = UNSURE | {"calibrated_probability": 0.8312, "threshold": 0.8349}
    assert "blocked, 83.1 %. An answer is given from 83.5 % on." in sentences.why_unsure(close, "blocked", {})


def test_where_no_threshold_keeps_the_promise_every_answer_is_unsure_for_that_reason() -> None:
    assert sentences.why_unsure(UNSURE | {"threshold": None}, "blocked", RULE).endswith(sentences.NO_THRESHOLD)


@pytest.mark.parametrize("gap", ["threshold", "answered", "wrong"])
def test_without_counts_nothing_is_promised(gap: str) -> None:
    assert sentences.promise(RULE | {gap: None}) == ""


@pytest.mark.parametrize(
    ("about", "tone", "expected"),
    [
        (
            {"threshold": 0.7, "count": 3, "total": 10, "accuracy_of_sure": 0.96, "max_error": 0.05},
            "info",
            "3 of 10 answers are unsure (less than 70 %) and would go to an engineer; "
            "7 are given, 96.0 % of them right.",
        ),
        (
            {"threshold": 0.7, "count": 3, "total": 10, "accuracy_of_sure": 0.868, "max_error": 0.05},
            "warn",
            "95 % was aimed at",
        ),
        (
            {"threshold": 0.99, "count": 10, "total": 10, "accuracy_of_sure": None, "max_error": 0.05},
            "info",
            "engineer.",
        ),
        ({"threshold": None, "count": 10, "total": 10, "accuracy_of_sure": None, "max_error": 0.05}, "warn", "All 10"),
    ],
)
def test_a_promise_that_was_not_kept_is_said(about: dict[str, Any], tone: str, expected: str) -> None:
    found, sentence = sentences.unsure(about)
    assert (found, expected in sentence) == (tone, True)


@pytest.mark.parametrize(("about", "begin"), [({"objects": 1096}, "Calibrated on 1,096 objects"), ({}, "Calibrated.")])
def test_a_calibration_tells_how_much_stands_behind_it(about: dict[str, Any], begin: str) -> None:
    assert sentences.calibrated_on(about).startswith(begin)


@pytest.mark.parametrize(
    "word",
    [
        "Balanced accuracy",
        "Precision",
        "Recall",
        "Support",
        "False alarm",
        "Log-loss",
        "Brier score",
        "Calibration",
        "Reliability diagram",
        "Temperature",
        "Reference point",
        "Probe",
        "Jackknife",
        "Sign-flip test",
        "Flight",
        "Unsure",
    ],
)
def test_every_term_about_scores_is_in_the_glossary(word: str) -> None:
    assert text.GLOSSARY[word].endswith(".")
