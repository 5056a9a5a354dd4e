"""Deleting takes what hangs on a run or model along, loses nothing, and can be undone; what is in use is refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.runs import holdings, journal, locks, store, trash
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.rename import rename
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from tests.inspector import contents, finished, inspected, judged, kept_for_kills, trained

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


@pytest.mark.parametrize("using", ["train", "evaluate", "predict", "answered"])
def test_a_model_that_another_ones_name_ends_with_is_not_in_use(workspace: Workspace, using: str) -> None:
    """Nor is one that a prediction service has answered about."""
    trained(workspace, "small")
    trained(workspace, "my_small")
    if using == "answered":
        service = active(workspace, "predict")
        write_json(service.folder / "answers" / "1.json", {"adapter": str(workspace.final("small"))})
        write_json(service.folder / "requests" / "2.json", {"models": [str(workspace.final("my_small"))]})
    else:
        model = str(workspace.final("my_small"))
        active(workspace, using, "other" if using == "train" else "", model__path=model)
    assert trash.delete(workspace, "small").name == "small"
    with pytest.raises(UserError, match=r"my_small is in use|this run is starting"):
        trash.delete(workspace, "my_small")


def test_a_run_whose_process_still_holds_its_lock_is_refused(workspace: Workspace) -> None:
    run = finished(workspace, "baseline")
    with locks.hold(run.lock), pytest.raises(UserError, match="still at work"):
        trash.delete(workspace, run.id)
    assert run.folder.exists()


@pytest.mark.parametrize("act", ["delete", "restore"])
def test_a_kill_before_any_operation_leaves_all_or_nothing_of_it(
    workspace: Workspace, killed_after: KilledAfter, act: str
) -> None:
    trained(workspace, "small")
    judged(workspace, "small")
    before, seen, wanted = kept(workspace), [], "small"
    if act == "restore":
        wanted = trash.delete(workspace, "small").id
    again = kept_for_kills(workspace)
    for count in range(0, 2000, 5):
        again()
        killed = killed_after(count, lambda: getattr(trash, act)(workspace, wanted))
        store.open_workspace(workspace.root)
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


def test_what_comes_to_a_place_at_the_last_moment_is_not_lost_nor_is_the_trash(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(workspace, "small")
    told, real = trash.delete(workspace, "small"), journal._carry_out

    def first_another(*given: Any) -> None:
        run.folder.mkdir()
        (run.folder / "note").write_text("another")
        real(*given)

    before = {place: text for place, text in contents(workspace).items() if "/trash/" in place}
    monkeypatch.setattr(journal, "_carry_out", first_another)
    with pytest.raises(UserError, match="has its place by now"):
        trash.restore(workspace, told.id)
    assert {place: text for place, text in contents(workspace).items() if "/trash/" in place} == before
    assert (run.folder / "note").read_text() == "another"


@pytest.mark.parametrize("place", ["../../../outside", "/OUTSIDE", "link/outside", "experiments/../../outside"])
def test_a_list_of_what_was_deleted_that_leads_out_of_the_workspace_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "copied").mkdir()
    workspace = store.open_workspace(tmp_path / "copied")
    (workspace.root / "link").symlink_to(tmp_path)
    told = trash.delete(workspace, finished(workspace, "baseline").id)
    facts = workspace.trash / told.id / trash.FACTS
    places = [*told.paths, place.replace("/OUTSIDE", str(tmp_path / "outside"))]
    write_json(facts, {**told.__dict__, "paths": places})
    with pytest.raises(UserError, match="outside the workspace"):
        trash.restore(workspace, told.id)
    assert [one.id for one in trash.listed(workspace)] == [told.id]
    assert not (tmp_path / "outside").exists()


def test_models_behind_a_link_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "here").mkdir()
    workspace = store.open_workspace(tmp_path / "here")
    workspace.models.symlink_to(tmp_path / "elsewhere")
    trained(workspace, "small")
    before = contents(workspace)
    for act in (lambda: trash.delete(workspace, "small"), lambda: rename(workspace, "small", "big")):
        with pytest.raises(UserError, match="outside the workspace"):
            act()
    assert contents(workspace) == before


@pytest.mark.parametrize("facts", ["[]", "{}", "{", '{"paths": "experiments", "copies": []}', '{"deleted": "then"}'])
def test_a_damaged_list_of_what_was_deleted_hinders_nothing(workspace: Workspace, facts: str) -> None:
    told = trash.delete(workspace, finished(workspace, "baseline").id)
    file = workspace.trash / "damaged" / trash.FACTS
    file.parent.mkdir()
    file.write_text(facts if facts[:2] in ("[]", "{}", "{") else json.dumps({**told.__dict__, **json.loads(facts)}))
    assert [one.id for one in trash.listed(workspace)] == [told.id]
    trash.restore(workspace, told.id)


@pytest.mark.parametrize("name", ["größe & <b>", "x" * 200, "a b", "-rf", "%2e", "ア"])
def test_a_model_of_any_name_that_a_system_takes_goes_and_comes_back(workspace: Workspace, name: str) -> None:
    (workspace.models / f"{name}_final").mkdir(parents=True)
    told = trash.delete(workspace, name)
    assert not workspace.final(name).exists()
    assert trash.restore(workspace, told.id).name == name
    assert workspace.final(name).is_dir()


@pytest.mark.skipif(os.name == "nt", reason="names there are text")
def test_a_folder_whose_name_is_no_text_is_no_model(workspace: Workspace) -> None:
    trained(workspace, "small")
    os.mkdir(os.fsencode(workspace.models) + b"/\xff_final")
    assert holdings.model_names(workspace) == ["small"]
    trash.delete(workspace, "small")


def test_a_training_that_left_no_model_takes_its_log_along(workspace: Workspace) -> None:
    run = finished(workspace, "train", "early", how="failed")
    workspace.training_log("early").parent.mkdir()
    append(workspace.training_log("early"), event("stage", text="learned"))
    trash.delete(workspace, run.id)
    assert not workspace.training_log("early").exists()


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
    trash.delete(workspace, finished(workspace, "batch").id)  # whoever deletes next removes what is due
    assert [one.name for one in trash.listed(workspace)] == ["", ""]
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
