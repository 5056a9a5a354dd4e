"""A study on the page: its table, chart and advice from results, and how long it will take from what was measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.runs import store
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from core.studies import plan as studies
from core.studies.ablation import ablation
from damgui import run_state
from damgui.snapshot import take_snapshot
from damgui.tabs.ablation import crossval, view
from damgui.tabs.ablation import text as study_text
from tests.damgui.conftest import state_of


def rows(right: int) -> list[dict[str, Any]]:
    return [
        {"image": f"{i}.jpg", "object": 0, "truth_class": "ab"[i % 2], "predicted_class": "ab"[(i + (i >= right)) % 2]}
        for i in range(40)
    ]


def results(right: dict[str, int], seeds: int = 3) -> dict[str, Any]:
    return ablation({variant: {seed: rows(count) for seed in range(seeds)} for variant, count in right.items()})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return store.open_workspace(tmp_path)


def made(workspace: Workspace, settings: Settings | None = None, kind: str = "ablate") -> Run:
    settings = settings or Settings()
    plan = studies.plan_ablation([], 3, settings)
    return store.create(workspace, settings, kind, plan=studies.to_dict(plan))


def over(run: Run, how: str = "finished") -> Run:
    append(run.events, event("started", run=run.id, pid=1, job=run.kind, parent=1))
    append(run.events, event("ended", how=how, error="", problems=[], seconds=1.0))
    return run


def test_the_table_shows_every_variant_with_its_verdict_in_words() -> None:
    shown = view.table(results({"none": 20, "oversampling": 36, "position_encoding": 4, "all": 21}))
    for variant, word in (("oversampling", "helps"), ("position_encoding", "harms"), ("all", "no clear effect")):
        row = shown.split(f'data-variant="{variant}"')[1].split("</tr>")[0]
        assert word in row
    assert "50.0 %" in shown.split('data-variant="none"')[1].split("</tr>")[0]
    assert all(column in shown for column in study_text.COLUMNS)


def test_one_training_of_each_says_so_and_not_that_it_helps() -> None:
    shown = view.table(results({"none": 2, "all": 38}, seeds=1))
    assert "too few trainings" in shown
    assert "helps" not in shown


def test_too_few_flights_are_said_in_table_chart_and_advice() -> None:
    answers = {
        variant: {seed: [row | {"flight": "d1"} for row in rows(count)] for seed in range(3)}
        for variant, count in {"none": 2, "all": 38}.items()
    }
    found = ablation(answers)
    shown = view.table(found)
    assert shown.count("too few flights") >= 5 and "helps" not in shown
    assert "too few flights" in (view.chart(found) or "")
    assert view.advice(found).index("Judge at least 4 flights") < view.advice(found).index("<ul")


def test_the_chart_has_a_dot_and_an_interval_for_each_variant_but_none() -> None:
    found = results({"none": 20, "oversampling": 36, "position_encoding": 4, "all": 21})
    drawn = json.loads(view.chart(found) or "")
    dots = {
        name: (trace["x"][place], trace["error_x"]["arrayminus"][place], trace["error_x"]["array"][place])
        for trace in drawn["data"]
        for place, name in enumerate(trace["y"])
    }
    assert set(dots) == {"Oversampling alone", "Position encoding alone", "All together"}
    for row in found["table"][1:]:
        macro = row["difference"]["macro_f1"]
        middle, below, above = dots[row["label"][0].upper() + row["label"][1:]]
        assert (middle, middle - below, middle + above) == pytest.approx((macro["mean"], *macro["interval"]))
    low, high = drawn["layout"]["xaxis"]["range"]
    assert low == -high  # zero is in the middle
    assert len({(trace["marker"]["symbol"], trace["marker"]["color"]) for trace in drawn["data"]}) == 3


def test_there_is_no_chart_and_no_advice_before_something_can_be_compared() -> None:
    assert view.chart(results({"none": 20})) is None
    assert view.chart({}) is None
    assert view.advice(results({"none": 20})) == ""


def test_advice_says_first_what_to_do() -> None:
    advice = view.advice(results({"none": 20, "oversampling": 36}))
    assert advice.index("Use oversampling alone") < advice.index("Oversampling: macro-F1")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 100.0),
        ({"training.epochs": 6.0}, 200.0),
        ({"model.path": "other"}, None),
        ({"data.path": "mine"}, None),
        ({"training.max_steps": 10}, None),
    ],
)
def test_the_time_of_a_training_is_that_of_the_last_study_of_this_model_by_epochs(
    workspace: Workspace, changes: dict[str, Any], expected: float | None
) -> None:
    run = made(workspace)
    write_json(run.results, {"cells": [{"seconds": 90.0}, {"seconds": 110.0}]})
    assert view.cell_seconds(take_snapshot(workspace), merge(Settings(), changes)) == expected


def test_without_a_study_the_last_finished_training_tells_the_time(workspace: Workspace) -> None:
    assert view.cell_seconds(take_snapshot(workspace), Settings()) is None
    run = store.create(workspace, Settings(), "train", "mine")
    write_json(workspace.training_info("mine"), {"seconds": 60.0})
    assert view.cell_seconds(take_snapshot(workspace), Settings()) is None  # not finished
    over(run)
    assert view.cell_seconds(take_snapshot(workspace), Settings()) == 60.0


@pytest.mark.parametrize(
    ("cells", "each", "expected"),
    [(21, 155.0, "21 trainings, ≈ 54 min in all."), (1, 30.0, "1 training, ≈ 30 s in all."), (2, None, "2 trainings.")],
)
def test_the_estimate_is_said_in_words(cells: int, each: float | None, expected: str) -> None:
    assert study_text.estimate(cells, each).startswith(expected)


def test_how_far_a_study_is_counts_the_part_of_the_training_at_work(workspace: Workspace) -> None:
    run = made(workspace)
    append(run.events, event("started", run=run.id, pid=1, job="ablate", parent=1))
    assert run_state.study_progress(state_of(run)) is None
    append(run.events, event("progress", done=2, total=4, unit="trainings", elapsed_s=60.0, part=0.5, left_s=45.0))
    pace = run_state.progress_of(state_of(run))
    assert pace is not None
    assert (pace.done, pace.total, pace.share, pace.left_s, pace.elapsed_s) == (2, 4, 0.625, 45.0, 60.0)


def test_a_stopped_study_says_that_it_can_go_on_and_a_failed_one_why(workspace: Workspace) -> None:
    assert study_text.LEFT_OFF in view.state(state_of(over(made(workspace), "stopped")))
    failed = made(workspace)
    append(failed.events, event("ended", how="failed", error="the disk is full", problems=[], seconds=1.0))
    assert "the disk is full" in view.state(state_of(failed))


def test_results_shown_are_those_of_the_newest_ablation_that_has_any(workspace: Workspace) -> None:
    assert view.latest_results(take_snapshot(workspace)) is None
    first = over(made(workspace))
    write_json(first.results, results({"none": 20, "all": 30}))
    made(workspace)
    found = view.latest_results(take_snapshot(workspace))
    assert found is not None
    assert found[0].id == first.id


def test_which_photos_decided_is_told() -> None:
    cell = {"total": 128, "fold": None}
    assert "128 objects of the test photos" in study_text.objects_line({"cells": [cell, cell]})
    parts = [{"total": 40, "fold": 0}, {"total": 44, "fold": 1}]
    assert "40 to 44 objects of flights held back" in study_text.objects_line({"cells": parts})
    assert study_text.objects_line({}) == ""


@pytest.mark.parametrize(("folds", "seeds", "trainings"), [(5, 1, 5), (None, None, 5), (2, 3, 6), (50, 1, 50)])
def test_a_cross_validation_trains_once_for_each_part_and_seed(
    folds: int | None, seeds: int | None, trainings: int
) -> None:
    plan = crossval.plan_of(folds, seeds, Settings())
    assert plan.kind == "crossval" and len(plan.variants) * plan.seeds == trainings


@pytest.mark.parametrize("folds", [0, 1, -3, 51])
def test_a_number_of_parts_that_cannot_be_is_one_sentence(folds: int) -> None:
    with pytest.raises(UserError, match=r"parts to deal the photos into\. Give 2 to 50"):
        crossval.plan_of(folds, 1, Settings())


def test_the_newest_cross_validation_that_judged_something_is_shown_part_by_part(workspace: Workspace) -> None:
    assert crossval.judged(take_snapshot(workspace)) is None
    run = over(made(workspace, kind="crossval"))
    parts = [{"fold": n, "seed": 0, "accuracy": 0.8, "macro_f1": 0.7, "correct": 8, "total": 10} for n in range(2)]
    write_json(run.results, {"overall_accuracy": 0.8, "folds": parts, "spread": 0.012, "per_class": {}})
    made(workspace, kind="crossval")  # has judged nothing yet
    shown = crossval.judged(take_snapshot(workspace))
    assert shown is not None and shown[0] == run.results
    table = crossval.parts_table(shown[1].results)
    assert table.count("<tr>") == 3 and "10 objects" in table and "80.0 %" in table and "±0.012" in table
