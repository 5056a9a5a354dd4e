"""Deleting takes what hangs on a run or model along, loses nothing, and can be undone; what is in use is refused."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.runs import locks, store, trash
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from tests.inspector import contents, finished, inspected, judged, trained

KilledAfter = Callable[[int, Callable[[], object]], bool]


def kept(workspace: Workspace) -> dict[str, str]:
    """What lies outside the trash."""
    return {place: text for place, text in contents(workspace).items() if "/trash/" not in place}


def test_a_model_goes_with_what_judged_it_and_comes_back_as_it_was(workspace: Workspace) -> None:
    runs = inspected(workspace)
    before = kept(workspace)
    told = trash.delete(workspace, "small")
    assert (told.kind, told.name, told.run) == ("train", "small", runs["train"].id)
    left = kept(workspace)
    assert [place for place in left if "small" in place] == []
    assert {run.id for run in store.list_runs(workspace)} == {runs["baseline"].id, runs["batch"].id}
    gone = {place: text for place, text in before.items() if place not in left}
    assert told.files == len(gone)
    assert told.bytes == sum(map(len, gone.values()))
    assert [one.id for one in trash.listed(workspace)] == [told.id]
    trash.restore(workspace, told.id)
    assert contents(workspace) == before
    assert trash.listed(workspace) == []


def test_a_run_goes_with_its_report_and_the_results_it_published(workspace: Workspace) -> None:
    runs = inspected(workspace)
    plan = trash.plan(workspace, runs["evaluate"].id)
    assert sorted(path.name for path in plan.paths) == sorted(
        [
            runs["evaluate"].id,
            f"{runs['evaluate'].id}.html",
            "evaluation_small_valid.json",
            "evaluation_small_valid_predictions.jsonl",
        ]
    )
    trash.delete(workspace, runs["evaluate"].id)
    assert workspace.final("small").is_dir()


def test_results_that_a_later_run_published_stay_and_are_not_overwritten(workspace: Workspace) -> None:
    first = judged(workspace, "")
    later = judged(workspace, "")
    write_json(workspace.zeroshot_results, {"later": True})
    assert workspace.zeroshot_results not in trash.plan(workspace, first.id).paths
    write_json(first.results, {"later": True})
    told = trash.delete(workspace, first.id)
    assert not workspace.zeroshot_results.exists()
    write_json(workspace.zeroshot_results, {"latest": True})
    trash.restore(workspace, told.id)
    assert first.results.exists() and later.results.exists()
    assert "latest" in workspace.zeroshot_results.read_text()


def test_a_model_whose_training_is_gone_is_deleted_by_its_name(workspace: Workspace) -> None:
    run = trained(workspace, "lonely")
    os.rename(run.folder, workspace.root / "elsewhere")
    told = trash.delete(workspace, "lonely")
    assert (told.run, told.kind, told.name) == ("", "", "lonely")
    assert not workspace.final("lonely").exists()
    trash.restore(workspace, "lonely")
    assert workspace.final("lonely").is_dir()


def active(workspace: Workspace, kind: str, name: str = "", **settings: Any) -> store.Run:
    return store.create(
        workspace, merge(Settings(), {k.replace("__", "."): v for k, v in settings.items()}), kind, name
    )


@pytest.mark.parametrize("using", ["itself", "evaluate", "batch", "train", "predict", "asked"])
def test_what_is_at_work_or_in_use_is_refused_in_a_sentence_and_all_stays(workspace: Workspace, using: str) -> None:
    made = inspected(workspace)
    model, wanted = str(workspace.final("small")), "small"
    if using == "itself":
        wanted = active(workspace, "baseline").id
    elif using == "asked":
        service = active(workspace, "predict")
        write_json(service.folder / "requests" / "1.json", {"models": [model]})
    else:
        active(workspace, using, "other" if using == "train" else "", model__path=model)
    before = contents(workspace)
    with pytest.raises(UserError, match="damgui runs stop"):
        trash.delete(workspace, wanted)
    assert contents(workspace) == before
    assert trash.delete(workspace, made["baseline"].id)  # what has nothing to do with it may go


def test_a_run_whose_process_still_holds_its_lock_is_refused(workspace: Workspace) -> None:
    run = finished(workspace, "baseline")
    with locks.hold(run.lock), pytest.raises(UserError, match="still at work"):
        trash.delete(workspace, run.id)
    assert run.folder.exists()


@pytest.mark.parametrize("act", ["delete", "restore"])
def test_a_kill_before_any_operation_leaves_all_or_nothing_of_it(
    tmp_path: Path, killed_after: KilledAfter, act: str
) -> None:
    seen, wanted = [], "small"
    for count in range(0, 2000, 9):
        root = tmp_path / str(count)
        root.mkdir()
        workspace = store.open_workspace(root)
        trained(workspace, "small")
        judged(workspace, "small")
        before = kept(workspace)
        if act == "restore":
            wanted = trash.delete(workspace, "small").id
        killed = killed_after(count, lambda: getattr(trash, act)(workspace, wanted))  # noqa: B023
        store.open_workspace(root)
        assert sorted(kept(workspace)) in (sorted(before), [])
        assert kept(workspace) in (before, {})
        assert bool(trash.listed(workspace)) == (kept(workspace) == {})
        seen.append(kept(workspace) == {})
        if not killed:
            break
    assert len(set(seen)) == 2
    if act == "delete":
        trash.restore(workspace, "small")
        assert kept(workspace) == before


def test_what_has_a_place_by_now_is_not_overwritten(workspace: Workspace) -> None:
    trained(workspace, "small")
    told = trash.delete(workspace, "small")
    trained(workspace, "small")
    before = contents(workspace)
    with pytest.raises(UserError, match=r"has its place by now. Rename or delete that first"):
        trash.restore(workspace, told.id)
    assert contents(workspace) == before


def test_a_training_at_work_keeps_its_name(workspace: Workspace) -> None:
    trained(workspace, "small")
    told = trash.delete(workspace, "small")
    active(workspace, "train", "small", training__seed=1)
    with pytest.raises(UserError, match=r"another training has this name|has its place"):
        trash.restore(workspace, told.id)


def test_the_trash_is_emptied_by_hand_and_after_a_month(workspace: Workspace) -> None:
    trained(workspace, "old")
    judged(workspace, "")
    told = trash.delete(workspace, "old")
    trash.delete(workspace, store.list_runs(workspace)[0].id)
    facts = workspace.trash / told.id / trash.FACTS
    old = replace(told, deleted=time.time() - 86_400 * (trash.KEPT_DAYS + 1))
    write_json(facts, old.__dict__)
    assert old.days_left == 0
    trash.remove_expired(workspace)
    assert [one.name for one in trash.listed(workspace)] == [""]
    files, size = trash.empty(workspace)
    assert files > 3 and size > 100
    assert not workspace.trash.exists() and not workspace.pending.exists()
    assert trash.empty(workspace) == (0, 0)


@pytest.mark.parametrize("wanted", ["nothing", ""])
def test_what_is_not_there_is_said(workspace: Workspace, wanted: str) -> None:
    with pytest.raises(UserError, match="there is no such run"):
        trash.delete(workspace, wanted)
    with pytest.raises(UserError, match="not in the trash"):
        trash.restore(workspace, wanted or "nothing")


def test_a_run_that_ended_badly_can_be_deleted(workspace: Workspace) -> None:
    run = active(workspace, "baseline")
    append(run.events, event("started", run=run.id, pid=1, job="baseline", parent=1))
    assert store.status(run) == "crashed"
    trash.delete(workspace, run.id)
    assert store.list_runs(workspace) == []
