"""One snapshot serves all who ask, reads only what changed, and says what reading every file would say."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.runs import locks, store
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings
from damgui import snapshot
from damgui.snapshot import take_snapshot


def say(run: Run, *kinds: str, how: str = "finished") -> None:
    """Append events of these kinds to a run's log."""
    fields: dict[str, dict[str, Any]] = {
        "started": {"run": run.id, "pid": os.getpid(), "job": run.kind, "parent": 1},
        "ended": {"how": how, "error": "", "problems": [], "seconds": 1.0},
        "stage": {"text": "Reading"},
    }
    for kind in kinds:
        append(run.events, event(kind, **fields[kind]))


def make(workspace: Workspace, kind: str = "baseline", how: str = "") -> Run:
    """A run that is starting, or that ended as told."""
    run = store.create(workspace, Settings(), kind, f"m{len(store.list_runs(workspace))}" if kind == "train" else "")
    if how:
        say(run, "started", "ended", how=how)
    return run


def settle(workspace: Workspace) -> None:
    """Let the file system's clock move on: what changed a moment ago is looked at once more."""
    for path in (workspace.runs, *workspace.runs.iterdir()):
        about = path.stat()
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns - 10 * snapshot.CLOCK_NS))


def every_file(workspace: Workspace) -> list[tuple[str, str]]:
    """The slow twin: each run's folder and log, read anew."""
    return [(run.id, store.status(run)) for run in store.list_runs(workspace)]


def seen(workspace: Workspace) -> list[tuple[str, str]]:
    return [(run.id, status) for run, status in take_snapshot(workspace).listed]


def begin(workspace: Workspace, runs: list[Run]) -> None:
    make(workspace, "train")


def finish(workspace: Workspace, runs: list[Run]) -> None:
    say(runs[0], "ended")


def speak(workspace: Workspace, runs: list[Run]) -> None:
    say(runs[0], "stage")


def print_line(workspace: Workspace, runs: list[Run]) -> None:
    runs[0].process_log.write_text("loading\n")


def publish_results(workspace: Workspace, runs: list[Run]) -> None:
    write_json(runs[0].results, {"kind": "baseline"})


def stop(workspace: Workspace, runs: list[Run]) -> None:
    store.request_stop(runs[0])


def go_on(workspace: Workspace, runs: list[Run]) -> None:
    say(runs[1], "started")


def delete(workspace: Workspace, runs: list[Run]) -> None:
    shutil.rmtree(runs[2].folder)


def publish_model(workspace: Workspace, runs: list[Run]) -> None:
    workspace.final("mine").mkdir(parents=True)


def publish_baseline(workspace: Workspace, runs: list[Run]) -> None:
    write_json(workspace.zeroshot_results, {"kind": "baseline"})


CHANGES = (begin, finish, speak, print_line, publish_results, stop, go_on, delete, publish_model, publish_baseline)


@pytest.fixture
def runs(workspace: Workspace) -> list[Run]:
    """One starting, one stopped, one finished."""
    made = [make(workspace), make(workspace, "train", "stopped"), make(workspace, "baseline", "finished")]
    take_snapshot(workspace)
    settle(workspace)
    take_snapshot(workspace)
    return made


def test_nothing_new_is_the_very_same_snapshot(workspace: Workspace, runs: list[Run]) -> None:
    assert take_snapshot(workspace) is take_snapshot(workspace)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_gives_another_token_and_what_reading_every_file_says(
    workspace: Workspace, runs: list[Run], change: Callable[[Workspace, list[Run]], None]
) -> None:
    before = take_snapshot(workspace)
    change(workspace, runs)
    assert take_snapshot(workspace).token != before.token
    assert seen(workspace) == every_file(workspace)
    settle(workspace)
    take_snapshot(workspace)
    assert take_snapshot(workspace) is take_snapshot(workspace), "told once, it is not told again"


def test_a_run_is_running_while_its_lock_is_held_and_crashed_when_it_is_let_go(workspace: Workspace) -> None:
    run = make(workspace)
    with locks.hold(run.lock):
        say(run, "started")
        assert seen(workspace) == [(run.id, "running")]
    assert seen(workspace) == [(run.id, "crashed")]


def test_history_is_read_once(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for how in ("finished", "stopped", "failed"):
        make(workspace, how=how)
    assert len(take_snapshot(workspace).listed) == 3
    settle(workspace)
    take_snapshot(workspace)
    touched: list[str] = []
    monkeypatch.setattr(store, "status", lambda run: touched.append(run.id))
    monkeypatch.setattr(store, "open_run", lambda folder: touched.append(folder.name))
    monkeypatch.setattr(Path, "open", lambda path, *_, **__: touched.append(path.name))
    monkeypatch.setattr(Path, "iterdir", lambda path: touched.append(path.name))
    assert len(take_snapshot(workspace).listed) == 3
    assert touched == []


def test_what_trainings_recorded_is_read_once_however_often_a_running_one_ticks(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def record(name: str, accuracy: float) -> None:
        workspace.final(name).mkdir(parents=True, exist_ok=True)
        info = {"best": {"accuracy": accuracy}, "history": {"train": [[step, 1.0] for step in range(1000)]}}
        write_json(workspace.training_info(name), info)

    def scores() -> dict[str, float]:
        say(running, "stage")  # a tick: the next snapshot is another one
        return {tuned.name: tuned.score["accuracy"] for tuned in take_snapshot(workspace).tuned_models}

    def read(path: Path, kind: type[Any]) -> Any:
        opened.append(path.stem)
        return original(path, kind)

    opened: list[str] = []
    original = snapshot.read_record
    monkeypatch.setattr(snapshot, "read_record", read)
    running = make(workspace, "train")
    for number in range(5):
        record(f"m{number}", number / 10)
    before = take_snapshot(workspace)
    for _ in range(3):
        assert scores() == {f"m{number}": number / 10 for number in range(5)}
    assert take_snapshot(workspace) is not before
    assert sorted(opened) == [f"training_info_m{number}" for number in range(5)]
    record("m2", 0.9)
    assert scores()["m2"] == 0.9
    assert opened[5:] == ["training_info_m2"], "only the one that changed is read anew"


def test_a_folder_that_is_no_whole_run_yet_is_listed_once_it_is(workspace: Workspace) -> None:
    run = make(workspace)
    about = (run.folder / "run.json").read_bytes()
    (run.folder / "run.json").write_bytes(about[:20])
    assert seen(workspace) == []
    (run.folder / "run.json").write_bytes(about)
    assert seen(workspace) == [(run.id, "starting")]


def test_a_damaged_run_is_left_out_and_not_read_again(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = make(workspace, how="finished"), make(workspace)
    (bad.folder / "run.json").write_text(json.dumps(["no", "run"]))
    assert seen(workspace) == [(good.id, "finished")]
    settle(workspace)
    take_snapshot(workspace)
    opened: list[Path] = []
    monkeypatch.setattr(store, "open_run", opened.append)
    assert seen(workspace) == [(good.id, "finished")] and opened == []


def test_many_who_ask_in_one_tick_share_a_snapshot(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    make(workspace, how="finished")
    taken: list[int] = []
    slow = threading.Event()

    def take(watched: Any, before: Any) -> Any:
        taken.append(1)
        slow.wait(0.05)
        return original(watched, before)

    original = snapshot._Watched._take
    monkeypatch.setattr(snapshot._Watched, "_take", take)
    with ThreadPoolExecutor(16) as pages:
        found = list(pages.map(lambda _: take_snapshot(workspace, 30.0), range(64)))
    assert len(taken) == 1 and len(set(map(id, found))) == 1


def test_simultaneous_snapshots_and_a_writer_never_disagree_with_the_files(workspace: Workspace) -> None:
    """Two look while a third makes runs and ends them; what is seen last is what is there."""
    done = threading.Event()
    wrong: list[str] = []

    def watch() -> None:
        while not done.is_set():
            for run, status in take_snapshot(workspace).listed:
                if status not in ("starting", "finished"):
                    wrong.append(f"{run.id} {status}")

    with ThreadPoolExecutor(2) as pages:
        watching = [pages.submit(watch) for _ in range(2)]
        for _ in range(25):
            say(make(workspace), "ended")
        done.set()
        for thread in watching:
            thread.result()
    assert wrong == []
    assert seen(workspace) == every_file(workspace)
