from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import journal, locks, store
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, load, merge, to_dict
from damgui.cli import commands


@pytest.mark.parametrize("name", ["pilot", "a", "Dam_2.1-b", "x" * 64, "2024"])
def test_good_name_is_taken_as_it_is(name: str) -> None:
    assert store.check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "../x", "-x", "a b", "x" * 65, "schön", "a\n", "nul."])
def test_name_that_is_no_part_of_a_path_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot be a name"):
        store.check_name(name)


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("demo", "demo"),
        ("models/pilot_final", "pilot"),
        ("/w/models/pilot_final/", "pilot"),
        ("models/pilot_checkpoints/best", "pilot-best"),
        ("models/pilot_checkpoints/checkpoint-100", "pilot-checkpoint-100"),
        ("Qwen/Qwen2-VL-2B-Instruct", "Qwen2-VL-2B-Instruct"),
        ("my models/a b", "a-b"),
    ],
)
def test_label_of_a_model_can_be_part_of_a_file_name(model: str, label: str) -> None:
    assert store.model_label(model) == label
    assert store.check_name(label) == label


def test_workspace_that_is_missing_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for given, message in ((tmp_path / "gone", "no such workspace"), (tmp_path / "file", "a file, not a folder")):
        with pytest.raises(UserError, match=message):
            store.open_workspace(given)


def test_workspace_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "experiments"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"cannot be written.*--workspace"):
        store.open_workspace(tmp_path)


def test_run_keeps_its_complete_settings_and_what_it_was_made_with(workspace: Workspace) -> None:
    settings = merge(Settings(), {"lora.rank": 8, "data.limit": 5})
    run = store.create(workspace, settings, "train", "pilot")
    assert store.open_run(run.folder) == run
    assert run.settings() == settings
    about = json.loads((run.folder / "run.json").read_text())
    assert about["kind"] == "train"
    assert about["name"] == "pilot"
    assert set(about) >= {"created", "workspace", "damgui", "git_commit", "libraries", "python", "platform"}
    assert about["libraries"]["pillow"]


def test_runs_made_in_one_second_have_ids_of_their_own(workspace: Workspace) -> None:
    runs = [store.create(workspace, Settings(), "baseline") for _ in range(4)]
    assert len({run.id for run in runs}) == 4
    assert [run.id for run in store.list_runs(workspace)] == [run.id for run in reversed(runs)]


@pytest.mark.parametrize(
    "damaged", ["{", "[]", '{"kind": "baseline"}', '{"kind": "baseline", "created": null}', '{"created": 1}']
)
def test_list_leaves_out_damaged_folders_and_other_kinds(workspace: Workspace, training: Run, damaged: str) -> None:
    broken = store.create(workspace, Settings(), "baseline")
    (broken.folder / "run.json").write_text(damaged)
    store.create(workspace, Settings(), "evaluate")
    assert [run.kind for run in store.list_runs(workspace)] == ["evaluate", "train"]
    assert store.list_runs(workspace, "train") == [training]


def test_run_is_found_by_a_part_of_its_id_and_only_when_it_is_the_only_one(workspace: Workspace) -> None:
    runs = [store.create(workspace, Settings(), "train", name) for name in ("pilot", "pilot2")]
    assert store.find_run(workspace, "pilot2") == runs[1]
    assert store.find_run(workspace, runs[0].id) == runs[0]
    assert store.find_run(workspace, "pilot") == runs[0]
    with pytest.raises(UserError, match="several runs"):
        store.find_run(workspace, "pil")
    with pytest.raises(UserError, match="no such run"):
        store.find_run(workspace, "nothing")


def test_moved_workspace_finds_its_runs(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    run = store.create(store.open_workspace(tmp_path / "old"), Settings(), "baseline")
    shutil.move(tmp_path / "old", tmp_path / "new")
    (found,) = store.list_runs(store.open_workspace(tmp_path / "new"))
    assert found.id == run.id
    assert found.workspace.root == tmp_path / "new"


STARTED = event("started", run="r", pid=1, job="train", parent=1)
ENDED = [event("ended", how=how, error="", problems=[], seconds=1.0) for how in ("finished", "stopped", "failed")]


@pytest.mark.parametrize(
    ("events", "age_s", "held", "expected"),
    [
        ([], 0, False, "starting"),
        ([], 60, False, "crashed"),
        ([], 0, True, "running"),
        ([STARTED], 0, True, "running"),
        ([STARTED], 0, False, "crashed"),
        ([STARTED, ENDED[0]], 60, False, "finished"),
        ([STARTED, ENDED[1]], 60, False, "stopped"),
        ([STARTED, ENDED[2]], 60, False, "failed"),
        ([STARTED, ENDED[0]], 60, True, "finished"),  # it said so, and its process is not gone yet
        ([STARTED, ENDED[1], STARTED], 60, True, "running"),
        ([STARTED, ENDED[1], STARTED], 60, False, "crashed"),
    ],
)
def test_status_follows_from_lock_and_log(
    training: Run, events: list[dict[str, object]], age_s: float, held: bool, expected: str
) -> None:
    for line in events:
        append(training.events, line)
    run = replace(training, created=time.time() - age_s)
    if held:
        with locks.hold(run.lock):
            assert store.status(run) == expected
    else:
        assert store.status(run) == expected


@pytest.mark.parametrize(
    ("events", "held", "expected"),
    [
        ([STARTED, ENDED[0]], False, "finished"),
        ([STARTED], False, "crashed"),
        ([STARTED], True, "running"),
        ([STARTED, ENDED[1], STARTED], True, "running"),
    ],
)
def test_any_number_of_readers_at_once_see_what_is_true(
    training: Run, events: list[dict[str, object]], held: bool, expected: str
) -> None:
    for line in events:
        append(training.events, line)
    training.lock.touch()
    with contextlib.ExitStack() as stack:
        if held:
            stack.enter_context(locks.hold(training.lock))
        with ThreadPoolExecutor(16) as lookers:
            found = Counter(lookers.map(lambda _: store.status(training), range(1600)))
    assert found == {expected: 1600}


def test_readers_do_not_keep_a_taker_from_its_lock(training: Run) -> None:
    training.lock.touch()
    enough = threading.Event()

    def check() -> None:
        while not enough.wait(0.0005):  # spinning, four threads would keep this one's from the interpreter
            locks.is_held(training.lock)

    with ThreadPoolExecutor(4) as lookers:
        for _ in range(4):
            lookers.submit(check)
        try:
            for _ in range(30):
                with locks.hold(training.lock):
                    assert locks.is_held(training.lock)
        finally:
            enough.set()


def test_training_never_writes_over_a_model_or_checkpoints(workspace: Workspace) -> None:
    for folder in (workspace.final("pilot"), workspace.checkpoints("other")):
        folder.mkdir(parents=True)
    for name in ("pilot", "other"):
        with pytest.raises(UserError, match=f"a model named {name} is already there.*another name"):
            store.create(workspace, Settings(), "train", name)
    assert store.list_runs(workspace) == []


def test_refused_name_of_an_unfinished_run_offers_to_resume(workspace: Workspace, training: Run) -> None:
    append(training.events, STARTED)
    workspace.checkpoints("pilot").mkdir(parents=True)
    with pytest.raises(UserError, match="--resume"):
        store.create(workspace, Settings(), "train", "pilot")
    append(training.events, ENDED[0])
    with pytest.raises(UserError) as caught:
        store.create(workspace, Settings(), "train", "pilot")
    assert "--resume" not in str(caught.value)


def test_free_name_is_nobodys(workspace: Workspace) -> None:
    assert store.free_name(workspace, "demo") == "demo-tuned"
    store.create(workspace, Settings(), "train", "demo-tuned")
    workspace.final("demo-tuned-2").mkdir(parents=True)
    assert store.free_name(workspace, "demo") == "demo-tuned-3"


@pytest.mark.parametrize(
    ("kind", "events", "message"),
    [
        ("train", [STARTED, ENDED[0]], "finished"),
        ("baseline", [STARTED, ENDED[1]], "only training, studies and batches resume"),
        ("train", [], "starting"),
    ],
)
def test_run_that_cannot_go_on_says_why(
    workspace: Workspace, kind: str, events: list[dict[str, object]], message: str
) -> None:
    run = store.create(workspace, Settings(), kind, "x")
    for line in events:
        append(run.events, line)
    with pytest.raises(UserError, match=message):
        store.resumable(run)


def test_only_a_run_at_work_can_be_told_to_stop(training: Run) -> None:
    append(training.events, ENDED[0])
    with pytest.raises(UserError, match="it is finished"):
        store.request_stop(training)
    assert not training.stop_file.exists()


def test_run_keeps_whole_paths_but_not_of_hub_ids(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "photos").mkdir(parents=True)
    (workspace.models / "x_final").mkdir(parents=True)
    monkeypatch.chdir(here)
    given = merge(Settings(), {"data.path": "photos", "model.path": "models/x_final"})
    kept = store.create(workspace, given, "baseline").settings()
    assert kept.data.path == str(here / "photos")
    assert kept.model.path == str(workspace.final("x"))
    hub = merge(Settings(), {"model.path": "Qwen/Qwen2-VL-2B-Instruct", "data.path": "gone"})
    assert store.with_absolute_paths(hub, here) == hub
    assert store.with_absolute_paths(Settings(), here) == Settings()


def _adapter(folder: Path, settings: Settings) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    write_json(folder / "damgui.json", {"settings": to_dict(settings)})
    return str(folder)


def test_adapter_is_asked_what_it_was_trained_with(tmp_path: Path) -> None:
    trained = merge(
        Settings(),
        {
            "view.mode": "crop",
            "question.kind": "class",
            "enhance.spatial_reasoning": False,
            "data.taxonomy": "t.yaml",
            "data.path": "elsewhere",
            "training.epochs": 9,
            "model.path": "Qwen/Qwen2-VL-2B-Instruct",
        },
    )
    adapter = _adapter(tmp_path / "pilot_final", trained)
    found = store.settings_for_model(adapter)
    assert (found.view, found.question, found.enhance) == (trained.view, trained.question, trained.enhance)
    assert found.data.taxonomy == "t.yaml"
    assert found.model.path == adapter
    assert found.data.path == "demo"
    assert found.training.epochs != 9
    assert store.base_model(adapter) == "Qwen/Qwen2-VL-2B-Instruct"
    assert store.base_model("demo") == "demo"


def test_adapter_of_others_is_refused_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="does not say how it was trained"):
        store.settings_for_model(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "experiments" / "runs").mkdir(parents=True)
    (tmp_path / "experiments" / "runs").chmod(0o500)
    with pytest.raises(UserError, match="cannot be written"):
        store.open_workspace(tmp_path)


def test_an_adapter_is_asked_as_it_was_trained_from_whatever_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = merge(
        load("demo"),
        {
            "view.photo_px": 84,
            "training.seed": 5,
            "data.valid_share": 0.3,
            "data.regroup": True,
            "data.folds": 3,
            "data.fold": 2,
        },
    )
    adapter = tmp_path / "ws" / "models" / "a_final"
    adapter.mkdir(parents=True)
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "damgui.json").write_text(json.dumps({"settings": to_dict(trained), "base_model": "demo"}))
    (tmp_path / "elsewhere").mkdir()
    found = []
    for folder, model in ((tmp_path / "ws", "models/a_final"), (tmp_path / "elsewhere", "models/a_final")):
        monkeypatch.chdir(folder)
        line = ["evaluate", "--model", model, "--data", "demo", "--workspace", str(tmp_path / "ws")]
        found.append(commands.settings_of(commands._parser().parse_args(line)))
    assert found[0] == found[1]
    assert (found[0].view.photo_px, found[0].training.seed, found[0].data.valid_share) == (84, 5, 0.3)
    assert (found[0].data.regroup, found[0].data.folds, found[0].data.fold) == (True, 3, 2)


def test_no_run_is_made_while_runs_and_models_are_changed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a model may be given the name of a training that was just checked."""
    monkeypatch.setattr(store, "exclusive", partial(journal.exclusive, patience_s=0.01))
    with locks.hold(workspace.history_lock), pytest.raises(UserError, match="is just changing runs or models"):
        store.create(workspace, Settings(), "train", "pilot")
    assert store.list_runs(workspace) == []
