"""Events -> the figure of a run that learns: pure functions, every trace where the page looks for it."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from core.taxonomy import load
from damgui import run_state, text
from damgui.charts import training
from damgui.run_log import fold

DAMS = load()


def step(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"kind": "step", "step": number, "total_steps": 40, "loss": loss, **more}


def evaluation(number: int, accuracy: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": number, "loss": 0.5, "accuracy": accuracy, "macro_f1": accuracy / 2}


def learned(*events: dict[str, Any]) -> training.Learning:
    found = run_state.learning("run", fold(events))
    assert found is not None
    return found


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure["data"]}


def test_training_chart_shows_every_step_and_every_test() -> None:
    events = [step(1, 2.0), step(2, 1.0), evaluation(2, 0.8), {"kind": "checkpoint", "step": 2, "best": True}]
    shown = traces(training.training(learned(*events)))
    assert list(shown["Training loss"]["y"]) == [2.0, 1.0]
    assert list(shown["Accuracy"]["y"]) == [80.0]
    assert list(shown["Macro-F1"]["y"]) == [40.0]
    assert list(shown["Best"]["x"]) == [2]


def listed(figure: Any) -> list[str]:
    return [trace["name"] for trace in figure["data"] if trace["showlegend"]]


def test_the_legend_lists_only_the_series_that_have_a_point() -> None:
    loss = [text.LOSS_RAW, text.LOSS_SMOOTH]
    assert listed(training.training(learned(step(1, 2.0)))) == loss
    assert listed(training.training(learned({**step(1, 0.0), "loss": None}))) == []
    tests = [text.LOSS_VALID, text.MACRO_F1, text.ACCURACY]
    assert listed(training.training(learned(step(1, 2.0), evaluation(1, 0.5)))) == loss + tests
    assert listed(training.training(learned({**evaluation(1, 0.5), "loss": None}))) == tests[1:]
    saved = {"kind": "checkpoint", "step": 1, "best": False}
    assert listed(training.training(learned(step(1, 2.0), saved))) == [*loss, text.CHECKPOINT]
    assert listed(training.training(learned(step(1, 2.0), {**saved, "best": True}))) == [*loss, text.BEST]


def test_the_first_loss_after_none_brings_its_line_into_the_legend() -> None:
    gap = {**step(1, 0.0), "loss": None}
    assert training.more(learned(gap, step(2, 2.0)), 1) is None, "the figure is drawn anew, legend and all"


def test_plotly_takes_the_figure_as_it_is() -> None:
    """The slow twin: plotly checks every name and value, and changes none."""
    made = training.training(learned(step(1, 2.0), evaluation(1, 0.8), {"kind": "checkpoint", "step": 1, "best": True}))
    checked, ours = (json.loads(figure) for figure in (go.Figure(made).to_json(), json.dumps(made)))
    assert checked["data"] == ours["data"]
    assert checked["layout"] | {"template": {}} == ours["layout"] | {"template": {}}


def test_the_best_state_keeps_its_star_when_a_checkpoint_is_saved_at_the_same_step() -> None:
    saved = [(50, True), (100, True), (100, False)]
    events = [step(n, 1.0) for n in range(1, 101)]
    events += [{"kind": "checkpoint", "step": at, "best": best} for at, best in saved]
    shown = traces(training.training(learned(*events)))
    assert list(shown["Best"]["x"]) == [100]
    assert list(shown["Checkpoint"]["x"]) == [100], "the best state of step 50 was replaced"


def test_no_axis_of_the_figure_takes_a_zoom_back_when_the_loss_grows() -> None:
    """Plotly keeps the reader's zoom while uirevision and the ranges it was given are the same."""
    before = training.training(learned(step(1, 2.0), step(2, 1.9)))["layout"]
    after = training.training(learned(*(step(n, 2.0 + n) for n in range(1, 30))))["layout"]
    assert before["uirevision"] == after["uirevision"] == "run"
    assert before["yaxis"] != after["yaxis"]
    for axis in ("xaxis", "xaxis2", "yaxis", "yaxis2"):
        assert before[axis].get("range") == after[axis].get("range")


def test_a_run_without_any_event_has_no_chart_and_one_without_steps_an_empty_loss() -> None:
    assert run_state.learning("run", fold([])) is None
    assert training.training(learned(evaluation(1, 0.5)))["data"]


def appended(figure: Any, more: str) -> list[dict[str, Any]]:
    """What assets/chart.js makes of a figure and further points."""
    points, lines = json.loads(more), copy.deepcopy(figure)
    assert points["base"] == lines["layout"]["meta"]["base"]
    for line, y in zip(lines["data"], points["y"], strict=False):
        kept = sum(x < points["since"] for x in line["x"])
        line["x"], line["y"] = line["x"][:kept] + points["x"], line["y"][:kept] + y
    return lines["data"][:2]


@pytest.mark.parametrize(
    ("before", "after"), [(1, 2), (5, 80), (1499, 1500), (1600, 1700), (1603, 1604), (5999, 6000), (70_001, 70_400)]
)
def test_points_that_are_appended_make_the_same_chart_as_all_drawn_anew(before: int, after: int) -> None:
    losses = np.random.default_rng(0).random(after).round(4).tolist()
    was = learned(*(step(n + 1, loss) for n, loss in enumerate(losses[:before])))
    now = learned(*(step(n + 1, loss) for n, loss in enumerate(losses)))
    more = training.more(now, before)
    assert more is not None and len(more) < 5_000
    whole = training.training(now)["data"][:2]
    for trace, expected in zip(appended(training.training(was), more), whole, strict=True):
        assert (trace["x"], trace["y"]) == (expected["x"], expected["y"])


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
    assert training.more(learned(*(step(n, 1.0) for n in range(after))), before) is None, why


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
    shown = traces(training.training(learned(step(1, 2.0), {**step(2, 0.0), "loss": None}, step(3, 2.0))))
    assert list(shown["Training loss"]["y"]) == [2.0, None, 2.0]
    assert list(shown[text.LOSS_SMOOTH]["y"]) == [2.0, 2.0, 2.0]
