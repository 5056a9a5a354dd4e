"""Charts of scores: dots with their intervals, honest diagonals, several trainings in one."""

from __future__ import annotations

from typing import Any

import pytest

from damgui import run_state, theme
from damgui.charts.scores import ForestRow, differences, forest, learning, reliability
from damgui.run_log import fold
from damgui.run_state import Learning


def traces(figure: Any) -> list[dict[str, Any]]:
    return list(figure.to_plotly_json()["data"])


def test_an_interval_is_drawn_from_its_low_to_its_high_end() -> None:
    dot = traces(forest([("x", [ForestRow("a", 60.0, (50.0, 75.0))])]))[0]
    assert (dot["x"], dot["error_x"]["array"], dot["error_x"]["arrayminus"]) == ([60.0], [15.0], [10.0])


def test_the_first_dot_stands_on_top_and_the_model_differs_by_shape_as_well() -> None:
    figure = forest([("x", [ForestRow("model", 60.0, own=True), ForestRow("other", 40.0)])])
    assert list(figure.layout.yaxis.categoryarray) == ["other", "model"]
    assert [trace["marker"]["symbol"] for trace in traces(figure)] == ["circle", "diamond"]


@pytest.mark.parametrize(
    ("interval", "color"),
    [((1.0, 9.0), theme.WATER), ((-9.0, -1.0), theme.CLAY), ((-1.0, 9.0), theme.SLATE), ((0.0, 9.0), theme.SLATE)],
)
def test_a_difference_has_the_colour_of_what_it_proves(interval: tuple[float, float], color: str) -> None:
    figure = differences([ForestRow("Macro-F1", sum(interval) / 2, interval)])
    assert traces(figure)[0]["marker"]["color"] == color


@pytest.mark.parametrize("reach", [0.5, 5.0, 62.0])
def test_the_scale_of_differences_holds_all_intervals_with_zero_in_the_middle(reach: float) -> None:
    low, high = differences([ForestRow("a", 0.0, (-reach, reach))]).layout.xaxis.range
    assert low == -high
    assert high >= reach


def test_curves_of_several_runs_differ_by_dash_and_carry_their_names() -> None:
    def learned(loss: float) -> Learning:
        steps = [{"kind": "step", "step": n, "loss": loss} for n in (1, 2, 3)]
        found = run_state.learning("run", fold([*steps, {"kind": "evaluation", "step": 3, "macro_f1": 0.5}]))
        assert found is not None
        return found

    drawn = traces(learning([("first", learned(2.0)), ("second", learned(1.0))]))
    assert [(trace["name"], list(trace["y"])) for trace in drawn] == [
        ("first", [2.0, 2.0, 2.0]),
        ("first", [50.0]),
        ("second", [1.0, 1.0, 1.0]),
        ("second", [50.0]),
    ]
    assert len({trace["line"]["dash"] for trace in drawn}) == 2
    assert [trace["showlegend"] for trace in drawn] == [True, False, True, False]


def test_a_bin_without_objects_has_no_dot() -> None:
    bins = [
        {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
        {"low": 0.5, "high": 1.0, "count": 4, "confidence": 0.8, "accuracy": 1.0},
    ]
    _diagonal, line, bars = traces(reliability([("Raw", {"reliability": bins})]))
    assert (list(line["x"]), list(line["y"]), list(bars["x"]), list(bars["y"])) == ([80.0], [100.0], [75.0], [4])
