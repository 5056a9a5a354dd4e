"""Scores by class -> figures: order, shade, colour and hatch."""

from __future__ import annotations

from core.conditions import MARKS
from core.taxonomy import from_dict, load
from damgui.charts import classes, data
from damgui.charts.base import HATCHES, to_json

DAMS = load()


def test_conditions_differ_by_pattern_and_not_by_colour_alone() -> None:
    many = from_dict({"conditions": [f"state{n}" for n in range(8)], "object_types": ["tile"]})
    scores = {name: {"total": 4, "correct": 2, "accuracy": 0.5} for name in many.class_names}
    marker = classes.per_class(scores, many).to_plotly_json()["data"][0]["marker"]
    assert len(set(marker["pattern"]["shape"])) == len(set(marker["color"])) == 8
    assert set(HATCHES) == set(MARKS)


def test_what_is_only_observed_is_called_present_in_every_chart() -> None:
    name, scores = "vegetation normal", {"vegetation normal": {"total": 4, "correct": 2, "accuracy": 0.5}}
    places = {name: {"bins": [1] * 10, "mean": 0.5, "objects": 10}}
    for figure in (
        data.counts_by_split({"train": {name: 3}}, DAMS),
        classes.per_class(scores, DAMS),
        classes.confusion([name], [[4]], DAMS),
        classes.probabilities([("M", {name: 1.0})], DAMS),
        classes.dumbbell(scores, scores, DAMS),
        data.heights(places, DAMS),
    ):
        drawn = to_json(figure)
        assert "present" in drawn and "normal" not in drawn


def test_per_class_bars_follow_the_given_order_and_leave_out_what_does_not_occur() -> None:
    scores = {
        "b": {"total": 2, "correct": 1, "accuracy": 0.5},
        "a": {"total": 4, "correct": 4, "accuracy": 1.0},
        "none": {"total": 0, "correct": 0, "accuracy": 0.0},
    }
    bars = classes.per_class(scores, DAMS, ["a", "b", "none"]).to_plotly_json()["data"][0]
    assert list(bars["y"])[::-1] == ["a", "b"]  # plotly draws from the bottom up
    assert list(bars["text"])[::-1] == ["4 of 4", "1 of 2"]


def test_confusion_writes_counts_and_shades_shares() -> None:
    figure = classes.confusion(["a", "b", "unused"], [[3, 1, 0], [0, 0, 0], [0, 0, 0]], DAMS, ["b", "a", "unused"])
    drawn = figure.to_plotly_json()
    assert list(drawn["data"][0]["x"]) == ["b", "a"]
    assert drawn["data"][0]["z"][1] == [25.0, 75.0]
    assert sorted(note["text"] for note in drawn["layout"]["annotations"]) == ["1", "3"]


def test_every_model_has_its_panel_of_probabilities() -> None:
    figure = classes.probabilities([("Base", {"normal": 0.25, "blocked": 0.75}), ("Tuned", {"normal": 0.996})], DAMS)
    bars = figure.to_plotly_json()["data"]
    assert [list(bar["x"])[::-1] for bar in bars] == [[25.0, 75.0], [99.6, 0.0]]
    assert list(bars[1]["text"]) == ["< 1 %", "100 %"]


def test_axes_carry_titles_with_units() -> None:
    scores = {"a normal": {"total": 4, "correct": 2, "accuracy": 0.5}}
    for figure in (
        classes.per_class(scores, DAMS),
        classes.dumbbell(scores, scores, DAMS),
        classes.probabilities([("M", {"a": 1.0})], DAMS),
    ):
        assert "(%)" in figure.to_plotly_json()["layout"]["xaxis"]["title"]["text"]
