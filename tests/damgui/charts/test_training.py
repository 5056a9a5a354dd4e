"""Numbers become charts that say no more and no less than the numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from damgui.charts import training
from damgui.charts.base import to_json


def step(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"kind": "step", "step": number, "total_steps": 40, "loss": loss, **more}


def evaluation(number: int, accuracy: float) -> dict[str, Any]:
    return {"kind": "evaluation", "step": number, "loss": 0.5, "accuracy": accuracy, "macro_f1": accuracy / 2}


def traces(figure: Any) -> dict[str, Any]:
    return {trace["name"]: trace for trace in figure.to_plotly_json()["data"]}


@pytest.mark.parametrize(("values", "expected"), [([], []), ([2.0], [2.0]), ([3.0, 3.0, 3.0], [3.0, 3.0, 3.0])])
def test_smoothing_keeps_constants_and_has_no_pull_from_its_start(values: list[float], expected: list[float]) -> None:
    assert training.smoothed(values) == pytest.approx(expected)


def test_smoothing_lies_between_the_extremes() -> None:
    assert all(1 <= value <= 5 for value in training.smoothed([5, 1, 5, 1, 5]))


@pytest.mark.parametrize("count", [0, 1, 10, 1501, 9999])
def test_thinning_keeps_the_last_point_and_the_limit(count: int) -> None:
    kept = training.thinned(range(count), 1500)
    assert len(kept) <= 1500
    assert kept[-1:] == list(range(count))[-1:]
    assert kept == sorted(kept)


def test_after_a_resume_the_newer_step_holds() -> None:
    events = [step(1, 1.0), step(2, 9.0), step(3, 9.0), step(2, 0.5)]
    assert [(event["step"], event["loss"]) for event in training.by_step(events)] == [(1, 1.0), (2, 0.5), (3, 9.0)]


def test_training_chart_shows_every_step_and_every_test() -> None:
    events = [step(1, 2.0), step(2, 1.0), evaluation(2, 0.8), {"kind": "checkpoint", "step": 2, "best": True}]
    shown = traces(training.training(events, "run"))
    assert list(shown["Training loss"]["y"]) == [2.0, 1.0]
    assert list(shown["Accuracy"]["y"]) == [80.0]
    assert list(shown["Macro-F1"]["y"]) == [40.0]
    assert list(shown["Best"]["x"]) == [2]


def test_the_best_state_keeps_its_star_when_a_checkpoint_is_saved_at_the_same_step() -> None:
    saved = [(50, True), (100, True), (100, False)]
    events = [step(n, 1.0) for n in range(1, 101)]
    events += [{"kind": "checkpoint", "step": at, "best": best} for at, best in saved]
    shown = traces(training.training(events, "run"))
    assert list(shown["Best"]["x"]) == [100]
    assert list(shown["Checkpoint"]["x"]) == [100], "the best state of step 50 was replaced"


def test_zoom_survives_new_steps() -> None:
    """plotly keeps the reader's zoom while uirevision and the ranges it was given are the same."""
    before = training.training([step(1, 2.0), step(2, 1.9)], "run").to_plotly_json()["layout"]
    after = training.training([step(n, 2.0 - n / 50) for n in range(1, 30)], "run").to_plotly_json()["layout"]
    assert before["uirevision"] == after["uirevision"] == "run"
    assert [before[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")] == [
        after[axis]["range"] for axis in ("xaxis", "yaxis", "yaxis2")
    ]


def test_a_run_without_any_event_draws_an_empty_chart() -> None:
    assert json.loads(to_json(training.training([], "run")))["data"]
