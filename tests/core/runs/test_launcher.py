from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import events, launcher, locks, store
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings

pytestmark = pytest.mark.usefixtures("fake_engine")
FAKE = Path(__file__).with_name("fake_damgui.py")
Steps = Callable[..., Settings]


def test_started_run_is_running_and_then_finished(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(10, 0.03), "train", "pilot")
    assert store.status(run) == "running"
    assert locks.is_held(workspace.engine_lock)
    assert launcher.wait(run, 10) == "finished"
    launcher.require_free(workspace)  # a run says that it ended before it lets go: whoever comes next waits so long
    assert launcher.error_of(run) == ""


def test_a_holder_without_a_note_is_given_the_moment_it_needs_to_leave(workspace: Workspace) -> None:
    with locks.hold(workspace.engine_lock), pytest.raises(UserError, match="the engine is busy"):
        launcher.require_free(workspace)
    held, leave = threading.Event(), threading.Event()

    def leaving() -> None:
        with locks.hold(workspace.engine_lock):
            held.set()
            leave.wait(0.1)

    holder = threading.Thread(target=leaving)
    holder.start()
    held.wait(10)
    launcher.require_free(workspace)
    holder.join(10)


def test_process_writes_to_its_log_and_never_to_a_pipe(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(2), "baseline")
    assert launcher.wait(run, 10) == "finished"
    assert "a library talks on stdout" in run.process_log.read_text()


def test_second_start_is_refused_at_once_and_leaves_nothing(workspace: Workspace, steps: Steps) -> None:
    first = launcher.begin(workspace, steps(200), "train", "pilot")
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        launcher.begin(workspace, steps(2), "baseline")
    assert time.monotonic() - began < 1
    for part in (first.id, "train", "since", f"damgui runs stop {first.id}"):
        assert part in str(caught.value)
    assert caught.value.problems[0].kind == "busy"
    assert store.list_runs(workspace) == [first]


def test_of_many_starts_at_the_same_moment_one_wins(workspace: Workspace, steps: Steps) -> None:
    runs = [store.create(workspace, steps(200), "train", f"pilot{number}") for number in range(4)]
    refused: list[str] = []

    def start(run: Run) -> None:
        try:
            launcher.start(run)
        except UserError as error:
            refused.append(error.problems[0].kind)

    threads = [threading.Thread(target=start, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert refused == ["busy"] * 3
    assert sorted(store.status(run) for run in runs if events.read_events(run.events)).count("running") == 1


def test_stop_saves_and_resume_finishes(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(60), "train", "pilot")
    launcher.stop(run)
    assert launcher.wait(run, 10) == "stopped"
    before = [event["step"] for event in events.read_events(run.events) if event["kind"] == "step"]
    launcher.resume(run)
    assert launcher.wait(run, 10) == "finished"
    after = [event["step"] for event in events.read_events(run.events) if event["kind"] == "step"]
    assert 0 < len(before) < 60
    assert after == list(range(1, 61))


def test_run_at_work_is_not_resumed_a_second_time(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(200), "train", "pilot")
    with pytest.raises(UserError, match="this run is running"):
        launcher.resume(run)
    assert store.status(run) == "running"


def test_process_that_dies_before_it_begins_is_said(
    workspace: Workspace, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "ENTRY", [sys.executable, "-c", "raise SystemExit('no such library')"])
    run = store.create(workspace, steps(2), "train", "pilot")
    with pytest.raises(UserError, match=r"ended before it began.*process\.log|process\.log.*ended before it began"):
        launcher.start(run)
    assert "no such library" in run.process_log.read_text()


def test_failure_of_a_run_is_told_by_its_status_and_sentence(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(2), "train", "refuse")
    assert launcher.wait(run, 10) == "failed"
    assert launcher.error_of(run) == "models/x: the model folder is empty. Give another one."


PARENT = """
import runpy, sys, time
from pathlib import Path
runpy.run_path(sys.argv[1], run_name="fake")
from core.runs import launcher, store
from core.settings import Settings, merge
settings = merge(Settings(), {"training.max_steps": 40, "training.learning_rate": 0.02})
run = launcher.begin(store.open_workspace(sys.argv[2]), settings, "train", "pilot")
print(run.id, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL and no process groups")
def test_killing_the_parent_and_its_group_leaves_the_run_alive(workspace: Workspace) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(FAKE), str(workspace.root)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=store.PROJECT,
    )
    assert parent.stdout is not None
    identity = parent.stdout.readline().strip()
    os.killpg(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    run = store.find_run(workspace, identity)
    assert store.status(run) == "running"
    assert launcher.wait(run, 10) == "finished"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_run_is_crashed_frees_the_engine_and_resumes(workspace: Workspace, steps: Steps) -> None:
    run = launcher.begin(workspace, steps(60), "train", "pilot")
    while not workspace.checkpoints("pilot").exists() or not list(workspace.checkpoints("pilot").iterdir()):
        time.sleep(0.02)
    pid = next(event["pid"] for event in events.read_events(run.events) if event["kind"] == "started")
    os.kill(pid, signal.SIGKILL)
    assert launcher.wait(run, 10) == "crashed"
    assert launcher.busy(workspace) is None
    launcher.resume(run)
    assert launcher.wait(run, 10) == "finished"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no zombies")
def test_ended_processes_do_not_stay_as_zombies(workspace: Workspace, steps: Steps) -> None:
    for number in range(3):
        launcher.wait(launcher.begin(workspace, steps(1), "train", f"pilot{number}"), 10)
    for child in launcher._children:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # until it has ended, and leaves it to the launcher
    run = launcher.begin(workspace, steps(1), "train", "last")
    assert len(launcher._children) == 1
    launcher.wait(run, 10)


@pytest.mark.parametrize("there", [True, False])
def test_a_run_may_judge_the_split_of_another(
    workspace: Workspace, steps: Steps, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(launcher, "start", lambda run: run)
    split = workspace.root / "split.json"
    if there:
        split.write_text("{}")
    run = launcher.begin(workspace, steps(2), "evaluate", split=split)
    assert (run.folder / "split.json").is_file() is there
