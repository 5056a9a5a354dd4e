"""Numbers become charts that say no more and no less than the numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.conditions import MARKS
from core.taxonomy import from_dict, load
from damgui.charts import training as charts

DAMS = load()


def step(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"kind": "step", "step": number, "total_steps": 40, "loss": loss, **more}


def evaluation(number: int, accuracy: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": number, "loss": 0.5, "accuracy": accuracy, "macro_f1": accuracy / 2}


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure.to_plotly_json()["data"]}


@pytest.mark.parametrize(("values", "expected"), [([], []), ([2.0], [2.0]), ([3.0, 3.0, 3.0], [3.0, 3.0, 3.0])])
def test_smoothing_keeps_constants_and_has_no_pull_from_its_start(values: list[float], expected: list[float]) -> None:
    assert charts.smoothed(values) == pytest.approx(expected)


def test_smoothing_lies_between_the_extremes() -> None:
    assert all(1 <= value <= 5 for value in charts.smoothed([5, 1, 5, 1, 5]))


@pytest.mark.parametrize("count", [0, 1, 10, 1501, 9999])
def test_thinning_keeps_the_last_point_and_the_limit(count: int) -> None:
    kept = charts.thinned(range(count), 1500)
    assert len(kept) <= 1500
    assert kept[-1:] == list(range(count))[-1:]
    assert kept == sorted(kept)


def test_after_a_resume_the_newer_step_holds() -> None:
    events = [step(1, 1.0), step(2, 9.0), step(3, 9.0), step(2, 0.5)]
    assert [(event["step"], event["loss"]) for event in charts.by_step(events)] == [(1, 1.0), (2, 0.5), (3, 9.0)]


def test_training_chart_shows_every_step_and_every_test() -> None:
    events = [step(1, 2.0), step(2, 1.0), evaluation(2, 0.8), {"kind": "checkpoint", "step": 2, "best": True}]
    shown = traces(charts.training(events, "run"))
    assert list(shown["Training loss"]["y"]) == [2.0, 1.0]
    assert list(shown["Accuracy"]["y"]) == [80.0]
    assert list(shown["Macro-F1"]["y"]) == [40.0]
    assert list(shown["Best"]["x"]) == [2]


def test_the_best_state_keeps_its_star_when_a_checkpoint_is_saved_at_the_same_step() -> None:
    saved = [(50, True), (100, True), (100, False)]
    events = [step(n, 1.0) for n in range(1, 101)]
    events += [{"kind": "checkpoint", "step": at, "best": best} for at, best in saved]
    shown = traces(charts.training(events, "run"))
    assert list(shown["Best"]["x"]) == [100]
    assert list(shown["Checkpoint"]["x"]) == [100], "the best state of step 50 was replaced"


def test_zoom_survives_new_steps() -> None:
    """plotly keeps the reader's zoom while uirevision and the ranges it was given are the same."""
    before = charts.training([step(1, 2.0), step(2, 1.9)], "run").to_plotly_json()["layout"]
    after = charts.training([step(n, 2.0 - n / 50) for n in range(1, 30)], "run").to_plotly_json()["layout"]
    assert before["uirevision"] == after["uirevision"] == "run"
    assert [before[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")] == [
        after[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")
    ]


def test_a_run_without_any_event_draws_an_empty_chart() -> None:
    assert json.loads(charts.to_json(charts.training([], "run")))["data"]


def test_conditions_differ_by_pattern_and_not_by_colour_alone() -> None:
    many = from_dict({"conditions": [f"state{n}" for n in range(8)], "object_types": ["tile"]})
    scores = {name: {"total": 4, "correct": 2, "accuracy": 0.5} for name in many.class_names}
    marker = charts.per_class(scores, many).to_plotly_json()["data"][0]["marker"]
    assert len(set(marker["pattern"]["shape"])) == len(set(marker["color"])) == 8
    assert set(charts.HATCHES) == set(MARKS)


def test_what_is_only_observed_is_called_present_in_every_chart() -> None:
    name, scores = "vegetation normal", {"vegetation normal": {"total": 4, "correct": 2, "accuracy": 0.5}}
    places = {name: {"bins": [1] * 10, "mean": 0.5, "objects": 10}}
    for figure in (
        charts.class_counts({"train": {name: 3}}, DAMS),
        charts.per_class(scores, DAMS),
        charts.confusion([name], [[4]], DAMS),
        charts.probabilities([("M", {name: 1.0})], DAMS),
        charts.dumbbell(scores, scores, DAMS),
        charts.heights(places, DAMS),
    ):
        drawn = charts.to_json(figure)
        assert "present" in drawn and "normal" not in drawn


def test_per_class_bars_follow_the_given_order_and_leave_out_what_does_not_occur() -> None:
    scores = {
        "b": {"total": 2, "correct": 1, "accuracy": 0.5},
        "a": {"total": 4, "correct": 4, "accuracy": 1.0},
        "none": {"total": 0, "correct": 0, "accuracy": 0.0},
    }
    bars = charts.per_class(scores, DAMS, ["a", "b", "none"]).to_plotly_json()["data"][0]
    assert list(bars["y"])[::-1] == ["a", "b"]  # plotly draws from the bottom up
    assert list(bars["text"])[::-1] == ["4 of 4", "1 of 2"]


def test_confusion_writes_counts_and_shades_shares() -> None:
    figure = charts.confusion(["a", "b", "unused"], [[3, 1, 0], [0, 0, 0], [0, 0, 0]], DAMS, ["b", "a", "unused"])
    drawn = figure.to_plotly_json()
    assert list(drawn["data"][0]["x"]) == ["b", "a"]
    assert drawn["data"][0]["z"][1] == [25.0, 75.0]
    assert sorted(note["text"] for note in drawn["layout"]["annotations"]) == ["1", "3"]


def test_every_model_has_its_panel_of_probabilities() -> None:
    figure = charts.probabilities([("Base", {"normal": 0.25, "blocked": 0.75}), ("Tuned", {"normal": 0.996})], DAMS)
    bars = figure.to_plotly_json()["data"]
    assert [list(bar["x"])[::-1] for bar in bars] == [[25.0, 75.0], [99.6, 0.0]]
    assert list(bars[1]["text"]) == ["< 1 %", "100 %"]


def test_class_counts_have_a_panel_for_every_split_with_objects() -> None:
    taxonomy = from_dict({"conditions": ["normal", "blocked"], "object_types": ["a"]})
    counts = {"train": {"a normal": 3}, "valid": {"a normal": 1, "a blocked": 2}, "test": {}}
    figure = charts.class_counts(counts, taxonomy).to_plotly_json()
    assert [list(bar["x"])[::-1] for bar in figure["data"]] == [[3, 0], [1, 2]]
    assert figure["layout"]["xaxis"]["dtick"] == 1, "objects are counted in whole ones"


def test_axes_carry_titles_with_units() -> None:
    scores = {"a normal": {"total": 4, "correct": 2, "accuracy": 0.5}}
    for figure in (
        charts.per_class(scores, DAMS),
        charts.dumbbell(scores, scores, DAMS),
        charts.probabilities([("M", {"a": 1.0})], DAMS),
    ):
        assert "(%)" in figure.to_plotly_json()["layout"]["xaxis"]["title"]["text"]


def test_heights_are_drawn_as_in_the_photo_a_panel_for_each_class() -> None:
    taxonomy = from_dict({"conditions": ["normal", "damaged"], "object_types": ["b", "a"]})
    found = {
        "a normal": {"bins": [0] * 9 + [4], "mean": 0.95, "objects": 4},
        "b damaged": {"bins": [1, 1] + [0] * 8, "mean": 0.1, "objects": 2},
    }
    figure = charts.heights(found, taxonomy).to_plotly_json()
    assert [bar["name"] for bar in figure["data"]] == ["b damaged", "a normal"]
    assert list(figure["data"][0]["x"])[:3] == [50, 50, 0] and list(figure["data"][1]["x"])[-1] == 100
    assert next(iter(figure["data"][0]["y"])) == 5 and figure["layout"]["yaxis"]["range"] == [100, 0]
    assert len({name for name in figure["layout"] if name.startswith("xaxis")}) == 2


def test_many_classes_get_further_rows_and_none_gives_an_empty_chart() -> None:
    many = {f"kind{i} normal": {"bins": [1] * 10, "mean": 0.5, "objects": 10} for i in range(13)}
    tall = charts.heights(many, DAMS).layout.height
    assert tall > charts.heights(dict(list(many.items())[:3]), DAMS).layout.height
    assert charts.heights({}, DAMS).layout.height > 0
