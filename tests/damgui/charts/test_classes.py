"""Scores class by class become charts: colour never stands alone, axes say their unit."""

from __future__ import annotations

import pytest

from core.report.palette import CONDITION_FILL, condition_of
from damgui.charts.classes import confusion, dumbbell, per_class, probabilities


@pytest.mark.parametrize(
    ("name", "condition"),
    [("toe drain blocked", "blocked"), ("rock toe normal", "normal"), ("roof tile cracked", "cracked")],
)
def test_condition_is_the_end_of_a_class_name(name: str, condition: str) -> None:
    assert condition_of(name) == condition


def test_conditions_differ_by_pattern_and_not_by_colour_alone() -> None:
    scores = {f"toe drain {one}": {"total": 4, "correct": 2, "accuracy": 0.5} for one in CONDITION_FILL}
    marker = per_class(scores).to_plotly_json()["data"][0]["marker"]
    assert len(set(marker["pattern"]["shape"])) == len(set(marker["color"])) == 3


def test_per_class_bars_follow_the_given_order_and_leave_out_what_does_not_occur() -> None:
    scores = {
        "b": {"total": 2, "correct": 1, "accuracy": 0.5},
        "a": {"total": 4, "correct": 4, "accuracy": 1.0},
        "none": {"total": 0, "correct": 0, "accuracy": 0.0},
    }
    bars = per_class(scores, ["a", "b", "none"]).to_plotly_json()["data"][0]
    assert list(bars["y"])[::-1] == ["a", "b"]  # plotly draws from the bottom up
    assert list(bars["text"])[::-1] == ["4 of 4", "1 of 2"]


def test_confusion_writes_counts_and_shades_shares() -> None:
    figure = confusion(["a", "b", "unused"], [[3, 1, 0], [0, 0, 0], [0, 0, 0]], ["b", "a", "unused"])
    drawn = figure.to_plotly_json()
    assert list(drawn["data"][0]["x"]) == ["b", "a"]
    assert drawn["data"][0]["z"][1] == [25.0, 75.0]
    assert sorted(note["text"] for note in drawn["layout"]["annotations"]) == ["1", "3"]


def test_every_model_has_its_panel_of_probabilities() -> None:
    figure = probabilities([("Base", {"normal": 0.25, "blocked": 0.75}), ("Tuned", {"normal": 0.996})])
    bars = figure.to_plotly_json()["data"]
    assert [list(bar["x"])[::-1] for bar in bars] == [[25.0, 75.0], [99.6, 0.0]]
    assert list(bars[1]["text"]) == ["< 1 %", "100 %"]


def test_axes_carry_titles_with_units() -> None:
    scores = {"a normal": {"total": 4, "correct": 2, "accuracy": 0.5}}
    for figure in (
        per_class(scores),
        dumbbell(scores, scores),
        probabilities([("M", {"a": 1.0})]),
    ):
        assert "(%)" in figure.to_plotly_json()["layout"]["xaxis"]["title"]["text"]
