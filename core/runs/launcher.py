"""Start, stop and resume runs as separate processes: the page's side of a run. It needs no torch."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import Problem, UserError
from core.records import Ended, LockNote
from core.runs import locks, preflight, store
from core.runs.events import EventReader, last_event
from core.runs.files import copy, remove, writing
from core.runs.store import HEAVY, PROJECT, Run
from core.runs.workspace import Workspace, check_name
from core.settings import Settings

# The worker emits `started` before it imports torch: within a second, or several on a machine that is busy.
START_WAIT_S = 15.0
POLL_S = 0.03

# How a worker is called; tests put another engine behind it.
ENTRY = [sys.executable, "-m", "core.runs.worker"]
# Children that may still live: somebody must ask for their exit status, or they stay as zombies until we end.
_children: list[subprocess.Popen[bytes]] = []


def busy(workspace: Workspace) -> UserError | None:
    """The error that says why no heavy run can start now, to be shown or raised; None when the engine is free."""
    note = locks.holder(workspace.engine_lock)
    return None if note is None else busy_error(note)


def busy_error(note: LockNote) -> UserError:
    """The error (kind `busy`) that names the run that holds the engine; `note` is from `locks.holder`."""
    run, kind = note.get("run", ""), note.get("kind", "another run")
    since = datetime.fromtimestamp(note["since"]).strftime("%H:%M:%S on %Y-%m-%d") if "since" in note else ""
    what = f"the engine is busy with {kind} {run}".rstrip() + (f" since {since}" if since else "")
    fix = f"Wait for it, or stop it: damgui runs stop {run}" if run else "Wait for it, or stop it: damgui runs"
    return UserError(what, str(note.get("workspace", "")), fix, "busy")


def require_free(workspace: Workspace) -> None:
    """Check that no heavy run is at work in this workspace.

    A run frees the engine a moment after its last event, and removes its note a moment before; both are waited for.

    Raises:
        UserError: A heavy run is at work; its kind is `busy`.
    """
    deadline = time.monotonic() + locks.PATIENCE_S
    while (note := locks.holder(workspace.engine_lock)) is not None:
        if time.monotonic() > deadline or (note and not _is_over(workspace, note)):
            raise busy_error(note)
        time.sleep(POLL_S)


@contextlib.contextmanager
def holding_engine(run: Run) -> Iterator[None]:
    """Hold the engine for a heavy run, in its own process.

    Raises:
        UserError: Another heavy run holds it; its kind is `busy`.
    """
    lock = run.workspace.engine_lock
    note: LockNote = {"run": run.id, "kind": run.kind, "pid": os.getpid(), "workspace": str(run.workspace.root)}
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.hold(lock, note))
        except locks.Held as error:
            raise busy_error(locks.holder(lock) or {}) from error
        yield


def _is_over(workspace: Workspace, note: LockNote) -> bool:
    """Whether the last event of the run that a lock's note names is `ended`."""
    last = last_event(workspace.runs / str(note.get("run", "")) / "events.jsonl")
    return last is not None and last["kind"] == "ended"


def begin(
    workspace: Workspace,
    settings: Settings,
    kind: str,
    name: str = "",
    plan: Mapping[str, Any] | None = None,
    split: Path | None = None,
) -> Run:
    """Create a run and start its process.

    Args:
        workspace: Where the run is created.
        settings: The run's complete settings.
        kind: One of `store.RUN_KINDS`.
        name: The name of the model that a training makes; "" for other kinds.
        plan: A study's plan as a mapping for JSON; None for other kinds.
        split: The split.json of another run, on whose photos this one judges; None or missing for a split of its own.

    Raises:
        UserError: The run is refused or fails to start; its folder is removed then.
    """
    if kind in HEAVY:
        require_free(workspace)
    run = create(workspace, settings, kind, name, plan)
    try:
        if split is not None and split.is_file():
            copy(split, run.folder / split.name)
        return start(run)
    except UserError:
        store.discard(run)
        raise


def create(
    workspace: Workspace, settings: Settings, kind: str, name: str = "", plan: Mapping[str, Any] | None = None
) -> Run:
    """Create a run that has what it needs (see `preflight`); arguments as for `begin`.

    Raises:
        UserError: A training's name, the model or the photos are refused; nothing was written then.
    """
    if kind == "train":
        store.require_free_name(workspace, check_name(name))
    settings = store.with_absolute_paths(settings, Path.cwd(), workspace.root)
    preflight.require_ready(workspace, settings, kind)
    return store.create(workspace, settings, kind, name, plan)


def start(run: Run) -> Run:
    """Start a run's process and wait for its `started` event.

    Returns:
        `run`, also when that event did not come within START_WAIT_S seconds: the process is then slow but alive.

    Raises:
        UserError: Another heavy run holds the engine, or the process ended before it began.
    """
    if run.kind in HEAVY:
        require_free(run.workspace)
    reader = EventReader(run.events)
    reader.new()
    child = _spawn(run)
    # On Windows the python.exe of a virtual environment starts another process: the child's pid is not the worker's.
    child_is_worker = os.name != "nt"
    deadline = time.monotonic() + START_WAIT_S
    while time.monotonic() < deadline:
        over = child.poll() is not None
        for event in reader.new():
            if event["kind"] == "started" and (not child_is_worker or event.get("pid") == child.pid):
                return run
            if event["kind"] == "ended":
                with contextlib.suppress(subprocess.TimeoutExpired):  # its lock is free once it is gone
                    child.wait(START_WAIT_S)
                raise refusal(event)
        if over:
            if locks.is_held(run.lock):
                raise UserError("this run is already at work", run.id, f"Stop it: damgui runs stop {run.id}", "busy")
            raise UserError("the run's process ended before it began", str(run.process_log), "Read that file.", "start")
        time.sleep(POLL_S)
    return run  # slow, but alive: the page goes on watching


def refusal(ended: Ended) -> UserError:
    """The error that an `ended` event holds."""
    problems = [Problem(**problem) for problem in ended.get("problems") or []]
    return UserError.of(problems) if problems else UserError(ended.get("error") or "the run failed", kind="failed")


def _spawn(run: Run) -> subprocess.Popen[bytes]:
    """The worker, detached so that it outlives this process: output to a file, no input, its own session."""
    _children[:] = [child for child in _children if child.poll() is None]
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    detached: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS}
    command = [*ENTRY, str(run.folder)]
    with writing(run.process_log), run.process_log.open("ab") as log:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=PROJECT, **detached
        )
    _children.append(child)
    return child


def stop(run: Run, why: str = "") -> None:
    """Ask a run to save and end; it does so after its current step.

    Args:
        run: The run.
        why: What for, to be told to whoever waits for it; "" when the user asks.

    Raises:
        UserError: The run is not at work.
    """
    store.request_stop(run, why)


def resume(run: Run) -> Run:
    """Go on with a training, study or batch from its last checkpoint.

    Raises:
        UserError: The run cannot go on, or cannot be started (see `start`).
    """
    prepare_resume(run)
    return start(run)


def prepare_resume(run: Run) -> None:
    """Check that a run can go on as it began (see `preflight`), and withdraw an earlier request to stop.

    Raises:
        UserError: The run cannot go on.
    """
    preflight.require_resumable(run)
    with writing(run.stop_file):
        remove(run.stop_file)


def wait(run: Run, timeout_s: float) -> str:
    """Wait until a run is over, at most `timeout_s` seconds, and return its status then."""
    deadline = time.monotonic() + timeout_s
    while (now := store.status(run)) in store.ACTIVE and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return now


def error_of(run: Run) -> str:
    """The error text of a failed run; "" when it did not fail."""
    last = last_event(run.events)
    return str(last.get("error") or "") if last is not None and last["kind"] == "ended" else ""
