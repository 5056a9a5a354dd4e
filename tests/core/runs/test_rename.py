"""A name changes wherever it is written, and nowhere else; a name that is taken or none is refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import pytest

from core.errors import UserError
from core.runs import store, trash
from core.runs.rename import rename
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from tests.inspector import contents, finished, inspected, judged, kept_for_kills, mentions, read, trained

KilledAfter = Callable[[int, Callable[[], object]], bool]


def test_a_model_is_renamed_wherever_its_name_is_written(workspace: Workspace) -> None:
    runs = inspected(workspace)
    rename(workspace, "small", "big")
    assert mentions(workspace, "small_final") == [] and mentions(workspace, "small_checkpoints") == []
    ids = [run.id for run in runs.values()]
    assert [place for place in contents(workspace) if "small" in place and not any(one in place for one in ids)] == []
    found = store.latest(workspace, "train", "big")
    assert found is not None and found.id == runs["train"].id  # its id stays
    assert read(workspace.training_info("big"))["adapter"] == str(workspace.final("big"))
    assert read(workspace.training_info("big"))["name"] == "big"
    assert read(workspace.final("big") / "damgui.json")["name"] == "big"
    assert read(runs["evaluate"].results)["model"]["adapter"] == str(workspace.final("big"))
    assert read(workspace.evaluation("models/big_final", "valid")) == read(runs["evaluate"].results)
    assert workspace.evaluation_predictions("models/big_final", "valid").is_file()
    assert workspace.training_log("big").is_file()
    for kind in ("evaluate", "batch"):
        assert runs[kind].settings().model.path == str(workspace.final("big"))


def test_all_is_as_it_was_after_a_rename_there_and_back(workspace: Workspace) -> None:
    inspected(workspace)
    before = contents(workspace)
    rename(workspace, "small", "big")
    rename(workspace, "big", "small")
    assert contents(workspace) == before


def test_in_a_workspace_that_was_moved_what_belongs_to_a_model_is_still_known(workspace: Workspace) -> None:
    inspected(workspace)
    moved = workspace.root.rename(workspace.root.with_name(f"{workspace.root.name}-moved"))
    opened = store.open_workspace(moved)
    rename(opened, "small", "big")
    assert mentions(opened, "small_final") == [] and mentions(opened, "small_checkpoints") == []
    trash.delete(opened, "big")
    assert [run.kind for run in store.list_runs(opened)] == ["batch", "baseline"]
    workspace.root.mkdir()


def test_a_name_that_begins_alike_is_left_alone(workspace: Workspace) -> None:
    inspected(workspace)
    trained(workspace, "small-2")
    judged(workspace, "small-2")
    before = {place: text for place, text in contents(workspace).items() if "small-2" in place + text}
    rename(workspace, "small", "big")
    assert {place: text for place, text in contents(workspace).items() if "small-2" in place + text} == before


def test_a_run_without_a_model_gets_a_name(workspace: Workspace) -> None:
    runs = inspected(workspace)
    before = contents(workspace)
    rename(workspace, runs["baseline"].id, "first-look")
    assert store.find_run(workspace, "first-look").id == runs["baseline"].id
    changed = {place for place, text in contents(workspace).items() if before[place] != text}
    assert changed == {f"experiments/runs/{runs['baseline'].id}/run.json"}


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 65, ".x", "größe", "other", "taken"])
def test_a_name_that_is_none_or_is_taken_is_refused_and_all_stays(workspace: Workspace, name: str) -> None:
    inspected(workspace)
    trained(workspace, "other")
    workspace.checkpoints("taken").mkdir()
    before = contents(workspace)
    with pytest.raises(UserError, match=r"cannot be a name|is taken"):
        rename(workspace, "small", name)
    assert contents(workspace) == before


def test_a_model_in_use_is_not_renamed(workspace: Workspace) -> None:
    inspected(workspace)
    store.create(workspace, merge(Settings(), {"model.path": str(workspace.final("small"))}), "evaluate")
    with pytest.raises(UserError, match=r"the model small is in use|this run is starting"):
        rename(workspace, "small", "big")


def test_a_model_with_a_name_of_no_damgui_can_be_renamed(workspace: Workspace) -> None:
    trained(workspace, "small")
    os.rename(workspace.final("small"), workspace.final("my model"))
    shutil.rmtree(workspace.checkpoints("small"))
    published = workspace.evaluation(str(workspace.final("my model")), "valid")
    published.write_text("{}")
    rename(workspace, "my model", "mine")
    assert workspace.final("mine").is_dir()
    assert not published.exists() and workspace.evaluation(str(workspace.final("mine")), "valid").exists()


def test_a_model_that_serves_as_a_base_keeps_its_users(workspace: Workspace) -> None:
    trained(workspace, "small")
    user = finished(workspace, "evaluate", model__base=str(workspace.final("small")))
    rename(workspace, "small", "big")
    assert user.settings().model.base == str(workspace.final("big"))


def test_facts_that_a_deleted_model_left_are_not_overwritten(workspace: Workspace) -> None:
    trained(workspace, "small")
    workspace.training_info("big").write_text('{"name": "big"}')
    before = contents(workspace)
    with pytest.raises(UserError, match="something else has its place by now"):
        rename(workspace, "small", "big")
    assert contents(workspace) == before


def test_the_same_name_again_changes_nothing(workspace: Workspace) -> None:
    inspected(workspace)
    before = contents(workspace)
    rename(workspace, "small", "small")
    assert contents(workspace) == before


def test_a_kill_before_any_operation_leaves_the_old_name_or_the_new_one(
    workspace: Workspace, killed_after: KilledAfter
) -> None:
    trained(workspace, "small")
    judged(workspace, "small")
    again, before, seen = kept_for_kills(workspace), contents(workspace), []
    for count in range(0, 3000, 7):
        again()
        killed = killed_after(count, lambda: rename(workspace, "small", "big"))
        store.open_workspace(workspace.root)
        names = (bool(mentions(workspace, "small_")), bool(mentions(workspace, "big_")))
        assert names == (False, True) or contents(workspace) == before
        seen.append(names)
        if not killed:
            break
    assert len(set(seen)) == 2
