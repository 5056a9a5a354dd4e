"""Two runs side by side: what changed is told in full, and what cannot be compared is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.errors import UserError
from core.runs.workspace import Workspace
from damgui.scores import evaluations, sentences
from damgui.snapshot import take_snapshot
from damgui.tabs.compare import view

BEFORE = [("normal", "blocked"), ("normal", "normal"), ("blocked", "blocked")]
AFTER = [("normal", "normal"), ("normal", "damaged"), ("blocked", "blocked")]


@pytest.fixture
def pair(workspace: Workspace, judge: Any) -> tuple[evaluations.EvaluatedRun, evaluations.EvaluatedRun]:
    judge(BEFORE)
    judge(AFTER, "mine", **{"lora.rank": 5})
    after, before = evaluations.evaluated_runs(take_snapshot(workspace))
    return before, after


def test_fixed_and_broken_objects_are_shown_with_both_models_probabilities(pair: Any) -> None:
    before, after = pair
    fixed, broken = view.gallery(before.shown, after.shown).split("teaching broke")
    assert fixed.count("dg-card") == broken.count("dg-card") == 1
    assert "80 %, truth 10 %" in fixed and "<small>80 %</small>" in fixed
    assert "80 %, truth 10 %" in broken


@pytest.mark.parametrize(
    ("times", "title", "tone"), [(1, "too few flights", "dg-even"), (4, "no clear difference", "dg-even")]
)
def test_as_many_fixed_as_broken_is_no_improvement(
    workspace: Workspace, judge: Any, times: int, title: str, tone: str
) -> None:
    judge(BEFORE * times)
    judge(AFTER * times, "mine")
    after, before = evaluations.evaluated_runs(take_snapshot(workspace))
    drawn = view.headline(before, after)
    assert title.capitalize() in drawn and tone in drawn
    assert "±0.0" in drawn and f"{times} object{'s' if times > 1 else ''} turned right, {times} turned wrong" in drawn
    assert sentences.VALID_CHOSE in drawn


@pytest.mark.parametrize(("swap", "title", "tone"), [(False, "better", "dg-up"), (True, "worse", "dg-down")])
def test_a_difference_beyond_chance_is_said(
    workspace: Workspace, judge: Any, swap: bool, title: str, tone: str
) -> None:
    bad, good = [("normal", "blocked"), ("blocked", "normal")] * 8, [("normal", "normal"), ("blocked", "blocked")] * 8
    judge(good if swap else bad)
    judge(bad if swap else good, "mine")
    after, before = evaluations.evaluated_runs(take_snapshot(workspace))
    drawn = view.headline(before, after)
    assert title.capitalize() in drawn and tone in drawn


def test_a_run_whose_answers_were_known_is_named(pair: Any) -> None:
    before, after = pair
    assert "Judged already" not in view.headline(before, after)
    known = {**after.found, "answers_from": {"run": "r1-train-mine", "kind": "train", "created": 1.0}}
    assert "mine: Judged already by run r1-train-mine" in view.headline(before, replace(after, found=known))


def test_other_training_photos_are_told(workspace: Workspace, judge: Any) -> None:
    judge(BEFORE)
    judge(AFTER, "mine", fingerprint="another")
    after, before = evaluations.evaluated_runs(take_snapshot(workspace))
    assert sentences.OTHER_SURROUNDINGS in view.headline(before, after)


def test_runs_about_other_objects_are_never_compared(workspace: Workspace, judge: Any, pair: Any) -> None:
    before, after = pair
    judge(AFTER, "mine", "test")
    other = evaluations.evaluated_runs(take_snapshot(workspace))[0]
    assert view.why_not(before, after) == ""
    assert view.why_not(before, other) == sentences.NOT_COMPARABLE
    assert view.why_not(before, before) == sentences.SAME_RUN
    assert view.why_not(before, None) == sentences.PICK_HINT
    with pytest.raises(UserError, match="not about the same objects"):
        view.compared(before, other)
    table = view.runs_table([other, after, before], before, after)
    assert table.count(sentences.OTHER_OBJECTS) == 1


def test_the_table_has_a_row_for_every_run_and_marks_the_chosen_two(pair: Any) -> None:
    before, after = pair
    drawn = view.runs_table([after, before], before, after)
    assert drawn.count("<tr>") == 3
    assert drawn.count(">Before<") == drawn.count(">After<") == 1
    assert "LoRA rank" not in drawn, "only one of the two was tuned, so no two ranks differ"


def test_settings_that_differ_are_columns_and_base_models_have_dashes(
    workspace: Workspace, judge: Any, pair: Any
) -> None:
    judge(AFTER, "wider", **{"lora.rank": 9, "enhance.oversampling": True})
    wider, after, before = evaluations.evaluated_runs(take_snapshot(workspace))
    rows = view.runs_table([wider, after, before], before, wider).split("<tr>")
    assert "LoRA rank" in rows[1] and "Oversampling" in rows[1]
    assert "<td>9</td><td>on</td>" in rows[2]
    assert "<td>5</td><td>off</td>" in rows[3]
    assert "<td>–</td><td>–</td>" in rows[4]


def test_changes_that_were_not_measured_are_not_drawn() -> None:
    found = {
        "accuracy_change": 0.1,
        "accuracy_change_interval": [0.0, 0.2],
        "macro_f1_change": 0.2,
        "macro_f1_change_interval": [0.1, 0.3],
    }
    assert [dot.label for dot in view.changes(found)] == ["Accuracy", "Macro-F1"]
    found |= {"balanced_accuracy_change": 0.3, "balanced_accuracy_change_interval": [0.2, 0.4]}
    assert [(dot.label, dot.interval) for dot in view.changes(found)][1] == (
        sentences.BALANCED,
        (pytest.approx(20.0), pytest.approx(40.0)),
    )


def test_no_run_is_an_empty_state() -> None:
    assert sentences.RUNS_NONE in view.runs_table([], None, None)
