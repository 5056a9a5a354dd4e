"""All judged runs of a workspace: none is lost, none is compared with one about other objects."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from core.errors import UserError
from core.runs.workspace import Workspace
from damgui.scores import evaluations
from damgui.snapshot import take_snapshot

RIGHT = [("normal", "normal"), ("blocked", "blocked")]
WRONG = [("normal", "blocked"), ("blocked", "normal")]


def names(runs: list[evaluations.EvaluatedRun]) -> list[str]:
    return [run.id for run in runs]


def test_runs_are_listed_newest_first_with_model_split_and_teaching(workspace: Workspace, judge: Any) -> None:
    judge(WRONG)
    judge(RIGHT, "mine", "test")
    newest, oldest = evaluations.evaluated_runs(take_snapshot(workspace))
    assert (newest.name, newest.tuned, newest.split) == ("mine", True, "test")
    assert (oldest.name, oldest.tuned, oldest.split) == ("demo", False, "valid")
    assert newest.label.startswith("mine, tuned · test · ")


def test_what_was_stopped_failed_or_is_damaged_is_left_out(workspace: Workspace, judge: Any) -> None:
    kept = judge(RIGHT)
    stopped, damaged, empty = judge(RIGHT), judge(RIGHT), judge(RIGHT)
    (stopped / "events.jsonl").write_text(json.dumps({"t": 1.0, "kind": "ended", "how": "stopped"}) + "\n")
    (damaged / "results.json").write_text("{half")
    (empty / "results.json").write_text("{}")
    assert names(evaluations.evaluated_runs(take_snapshot(workspace))) == [kept.name]


def test_published_results_count_once_and_outlive_their_runs_folder(workspace: Workspace, judge: Any) -> None:
    folder = judge(RIGHT)
    for source, target in (
        ("results.json", workspace.zeroshot_results),
        ("predictions.jsonl", workspace.zeroshot_predictions),
    ):
        target.write_bytes((folder / source).read_bytes())
    (by_run,) = evaluations.evaluated_runs(take_snapshot(workspace))
    assert by_run.id == folder.name
    shutil.rmtree(folder)
    (published,) = evaluations.evaluated_runs(take_snapshot(workspace))
    assert (published.id, published.objects) == ("zeroshot_results", by_run.objects)


def test_copies_among_the_published_results_are_told_without_comparing_every_file_with_every_run(
    workspace: Workspace, judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Compared(dict[str, Any]):
        def __eq__(self, other: object) -> bool:
            compared.append(1)
            return dict.__eq__(self, other)

    compared: list[int] = []
    monkeypatch.setattr(evaluations, "read_json", lambda path: Compared(json.loads(path.read_text())))
    for number in range(4):
        folder = judge(RIGHT, f"m{number}")
        found = json.loads((folder / "results.json").read_text())
        (workspace.experiments / f"evaluation_m{number}.json").write_text(json.dumps(dict(reversed(found.items()))))
    assert len(evaluations.evaluated_runs(take_snapshot(workspace))) == 4, "the order of its keys makes no other file"
    assert compared == []


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"pairs": WRONG}, True),
        ({"pairs": RIGHT, "fingerprint": "another"}, True),  # training photos do not matter
        ({"pairs": RIGHT, "split": "test"}, False),
        ({"pairs": [("damaged", "damaged"), RIGHT[1]]}, False),  # a label was changed
        ({"pairs": RIGHT[:1]}, False),
    ],
)
def test_runs_can_be_compared_only_about_the_same_objects_and_truth(
    workspace: Workspace, judge: Any, other: dict[str, Any], same: bool
) -> None:
    judge(RIGHT)
    judge(**other)
    first, second = evaluations.evaluated_runs(take_snapshot(workspace))
    assert (first.objects == second.objects) is same


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], []),
        ([{"lora.rank": 8}], []),
        ([{"lora.rank": 8}, {"lora.rank": 8}], []),
        ([{"lora.rank": 8, "view.mode": "full"}, {"lora.rank": 16, "view.mode": "full"}], ["lora.rank"]),
        ([{"lora.rank": 8}, {}], []),  # a base model has no rank
        ([{"lora.rank": 8}, {}, {"lora.rank": 4}], ["lora.rank"]),
        (
            [{"training.epochs": 1.0, "view.mode": "full"}, {"training.epochs": 2.0, "view.mode": "crop"}],
            ["view.mode", "training.epochs"],
        ),
        ([{"model.cache_gb": 1.0, "data.split": "valid"}, {"model.cache_gb": 2.0, "data.split": "test"}], []),
        ([{"gone.setting": 1}, {"gone.setting": 2}], []),
    ],
)
def test_only_settings_that_differ_and_matter_become_columns(
    settings: list[dict[str, Any]], expected: list[str]
) -> None:
    assert evaluations.differing(settings) == expected


def test_settings_of_training_come_from_the_adapter_and_base_models_have_none(workspace: Workspace, judge: Any) -> None:
    judge(WRONG, **{"lora.rank": 3})
    judge(RIGHT, "mine", **{"lora.rank": 5, "training.epochs": 7.0})
    tuned, plain = evaluations.evaluated_runs(take_snapshot(workspace))
    assert (tuned.settings["lora.rank"], tuned.settings["training.epochs"]) == (5, 7.0)
    assert not {"lora.rank", "training.epochs", "enhance.oversampling"} & set(plain.settings)
    assert "enhance.spatial_reasoning" in plain.settings, "it shapes the question of a base model as well"


def test_a_tuned_model_that_is_gone_keeps_the_settings_of_its_evaluation(workspace: Workspace, judge: Any) -> None:
    judge(RIGHT, "mine", **{"lora.rank": 5})
    (workspace.final("mine") / "damgui.json").unlink()
    assert evaluations.evaluated_runs(take_snapshot(workspace))[0].settings["lora.rank"] == 5


def test_the_newest_tuned_model_is_compared_with_the_base_model_on_its_photos(workspace: Workspace, judge: Any) -> None:
    judge(WRONG)
    judge(WRONG, split="test")
    judge(RIGHT, "old")
    judge(RIGHT, "new")
    before, after = evaluations.defaults(evaluations.evaluated_runs(take_snapshot(workspace)))
    assert before is not None and after is not None
    assert (before.split, after.name) == ("valid", "new")


def test_without_a_tuned_model_there_is_nothing_after(workspace: Workspace, judge: Any) -> None:
    assert evaluations.defaults([]) == (None, None)
    judge(WRONG)
    before, after = evaluations.defaults(evaluations.evaluated_runs(take_snapshot(workspace)))
    assert before is not None and after is None


def test_what_was_just_judged_is_shown_and_the_rest_of_the_choice_stays(workspace: Workspace, judge: Any) -> None:
    for answers, tuned, split in (
        (WRONG, "", "valid"),
        (WRONG, "", "test"),
        (RIGHT, "a", "valid"),
        (RIGHT, "b", "test"),
        (RIGHT, "c", "valid"),
    ):
        judge(answers, tuned, split)
    runs = evaluations.evaluated_runs(take_snapshot(workspace))
    c, b, a, base_test, base = runs
    assert evaluations.chosen(runs, None, a, c) == (base, c), "nothing fresh: the usual pair"
    assert evaluations.chosen(runs, c, base, a) == (base, c)
    assert evaluations.chosen(runs, c, a, c) == (a, c), "two tuned models stay a pair"
    assert evaluations.chosen(runs, b, base, a) == (base_test, b), "the base model on the same photos"
    assert evaluations.chosen(runs, base, c, a) == (base, a)
    assert evaluations.chosen(runs, base_test, base, a) == (base, a)


def test_objects_of_a_file_without_answers_are_told_by_what_it_says(workspace: Workspace, judge: Any) -> None:
    judge(RIGHT)
    (run,) = evaluations.evaluated_runs(take_snapshot(workspace))
    bare = evaluations.objects_of(run.found, ())
    assert bare == evaluations.objects_of(run.found, ()) != run.objects
    other = dict(run.found) | {"data": run.found["data"] | {"split": "test"}}
    assert evaluations.objects_of(other, ()) != bare


def test_results_that_are_gone_are_named(workspace: Workspace, judge: Any) -> None:
    folder = judge(RIGHT)
    (run,) = evaluations.evaluated_runs(take_snapshot(workspace))
    (folder / "results.json").unlink()
    with pytest.raises(UserError, match=r"gone.*results\.json"):
        _ = run.shown
