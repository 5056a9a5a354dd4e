"""Numbers become charts that say no more and no less than the numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core.conditions import MARKS
from core.taxonomy import from_dict, load
from damgui import run_state, text
from damgui.charts import training as charts
from damgui.run_log import fold

DAMS = load()


def step(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"kind": "step", "step": number, "total_steps": 40, "loss": loss, **more}


def evaluation(number: int, accuracy: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": number, "loss": 0.5, "accuracy": accuracy, "macro_f1": accuracy / 2}


def learned(*events: dict[str, Any]) -> charts.Learning:
    found = run_state.learning("run", fold(events))
    assert found is not None
    return found


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure.to_plotly_json()["data"]}


def test_training_chart_shows_every_step_and_every_test() -> None:
    events = [step(1, 2.0), step(2, 1.0), evaluation(2, 0.8), {"kind": "checkpoint", "step": 2, "best": True}]
    shown = traces(charts.training(learned(*events)))
    assert list(shown["Training loss"]["y"]) == [2.0, 1.0]
    assert list(shown["Accuracy"]["y"]) == [80.0]
    assert list(shown["Macro-F1"]["y"]) == [40.0]
    assert list(shown["Best"]["x"]) == [2]


def test_the_best_state_keeps_its_star_when_a_checkpoint_is_saved_at_the_same_step() -> None:
    saved = [(50, True), (100, True), (100, False)]
    events = [step(n, 1.0) for n in range(1, 101)]
    events += [{"kind": "checkpoint", "step": at, "best": best} for at, best in saved]
    shown = traces(charts.training(learned(*events)))
    assert list(shown["Best"]["x"]) == [100]
    assert list(shown["Checkpoint"]["x"]) == [100], "the best state of step 50 was replaced"


def test_zoom_survives_new_steps() -> None:
    """plotly keeps the reader's zoom while uirevision and the ranges it was given are the same."""
    before = charts.training(learned(step(1, 2.0), step(2, 1.9))).to_plotly_json()["layout"]
    after = charts.training(learned(*(step(n, 2.0 - n / 50) for n in range(1, 30)))).to_plotly_json()["layout"]
    assert before["uirevision"] == after["uirevision"] == "run"
    assert [before[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")] == [
        after[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")
    ]


def test_a_run_without_any_event_has_no_chart_and_one_without_steps_an_empty_loss() -> None:
    assert run_state.learning("run", fold([])) is None
    assert json.loads(charts.to_json(charts.training(learned(evaluation(1, 0.5)))))["data"]


def appended(figure: Any, more: str) -> list[dict[str, Any]]:
    """What assets/chart.js makes of a figure and further points."""
    told, lines = json.loads(more), json.loads(charts.to_json(figure))
    assert told["base"] == lines["layout"]["meta"]["base"]
    for line, y in zip(lines["data"], told["y"], strict=False):
        kept = sum(x < told["since"] for x in line["x"])
        line["x"], line["y"] = line["x"][:kept] + told["x"], line["y"][:kept] + y
    return lines["data"][:2]


@pytest.mark.parametrize(
    ("before", "after"), [(1, 2), (5, 80), (1499, 1500), (1600, 1700), (1603, 1604), (5999, 6000), (70_001, 70_400)]
)
def test_points_that_are_appended_make_the_same_chart_as_all_drawn_anew(before: int, after: int) -> None:
    losses = np.random.default_rng(0).random(after).round(4).tolist()
    was = learned(*(step(n + 1, loss) for n, loss in enumerate(losses[:before])))
    now = learned(*(step(n + 1, loss) for n, loss in enumerate(losses)))
    more = charts.more(now, before)
    assert more is not None and len(more) < 5_000
    whole = json.loads(charts.to_json(charts.training(now)))["data"][:2]
    for one, other in zip(appended(charts.training(was), more), whole, strict=True):
        assert (one["x"], one["y"]) == (other["x"], other["y"])


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (0, 10, "there is no figure yet"),
        (10, 9, "a resume took steps back"),
        (1400, 1600, "fewer points of each bucket are drawn from here on"),
        (100, 900, "so many points are a figure of their own"),
    ],
)
def test_the_whole_figure_is_sent_when_points_do_not_suffice(before: int, after: int, why: str) -> None:
    assert charts.more(learned(*(step(n, 1.0) for n in range(after))), before) is None, why


def test_whatever_is_drawn_beside_the_loss_is_part_of_the_frame() -> None:
    plain = learned(step(1, 1.0))
    assert plain.frame == learned(step(1, 1.0), step(2, 0.9)).frame
    for other in (
        learned(step(1, 1.0), evaluation(1, 0.5)),
        learned(step(1, 1.0), {"kind": "checkpoint", "step": 1, "best": True}),
        learned(step(1, 7.0)),
        learned(step(1, 1.0) | {"total_steps": 41}),
    ):
        assert other.frame != plain.frame


def test_a_loss_that_is_not_finite_is_a_gap() -> None:
    shown = traces(charts.training(learned(step(1, 2.0), {**step(2, 0.0), "loss": None}, step(3, 2.0))))
    assert list(shown["Training loss"]["y"]) == [2.0, None, 2.0]
    assert list(shown[text.LOSS_SMOOTH]["y"]) == [2.0, 2.0, 2.0]


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
