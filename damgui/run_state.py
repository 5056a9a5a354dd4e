"""What a run is doing, read from its files: the one place where pages look at event logs.

Logs are read once for all open pages, by byte offset; a page remembers a `Stamp` and redraws when it differs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.runs import store
from core.runs.events import Event, EventReader
from core.runs.files import read_json
from core.runs.store import Run, Workspace

ACTIVE = ("starting", "running")
RECENT_STEPS = 20  # speed and time left come from this many last steps
LOG_TAIL_BYTES = 6_000
LOG_TAIL_LINES = 40
Stamp = tuple[Any, ...]

_LOCK = threading.Lock()
_LOGS: dict[Path, tuple[EventReader, list[Event]]] = {}
MAX_LOGS = 16  # logs kept in memory; the one read longest ago goes first


@dataclass(frozen=True)
class RunState:
    """One look at a run. `events` are all of them so far; compare `stamp` to know whether anything changed."""

    run: Run
    status: str
    events: tuple[Event, ...]

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def stamp(self) -> Stamp:
        return (self.run.id, self.status, len(self.events), self.run.stop_file.exists() if self.active else False)

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["kind"] == kind]

    def last(self, kind: str) -> Event | None:
        return next((event for event in reversed(self.events) if event["kind"] == kind), None)

    @property
    def stopping(self) -> bool:
        return self.active and self.run.stop_file.exists()


def events_of(path: Path) -> tuple[Event, ...]:
    """All events of a log; only what is new is read."""
    with _LOCK:
        reader, events = _LOGS.pop(path) if path in _LOGS else (EventReader(path), [])
        before = reader.offset
        fresh = reader.new()
        if reader.offset < before:  # the log was replaced by a shorter one
            events = []
        _LOGS[path] = (reader, events)
        events.extend(fresh)
        while len(_LOGS) > MAX_LOGS:
            _LOGS.pop(next(iter(_LOGS)))
        return tuple(events)


def state_of(run: Run) -> RunState:
    """Status first, then the events: a run never looks ended with its last events missing."""
    status = store.status(run)
    return RunState(run, status, events_of(run.events))


def latest(workspace: Workspace, kind: str) -> RunState | None:
    run = store.latest(workspace, kind)
    return state_of(run) if run else None


def at_work(workspace: Workspace) -> RunState | None:
    """The heavy run that is starting or running, whatever its kind."""
    runs = [run for run in store.list_runs(workspace, *store.HEAVY) if store.status(run) in ACTIVE]
    return state_of(runs[0]) if runs else None


@dataclass(frozen=True)
class RunProgress:
    """How far and how fast. `share` is 0 to 1; `left_s` is None while it cannot be told."""

    done: int
    total: int
    share: float
    per_s: float
    left_s: float | None
    elapsed_s: float


def baseline_progress(found: RunState) -> RunProgress | None:
    """Photos judged so far; None before the first, and while other work goes on after the last (reference points)."""
    event, said = found.last("progress"), found.last("stage")
    if event is None:
        return None
    if event["done"] >= event["total"] and said is not None and found.events.index(said) > found.events.index(event):
        return None
    done, total, elapsed = int(event["done"]), int(event["total"]), float(event["elapsed_s"])
    # A batch that goes on did its first photos (`before`) at another time.
    rate = (done - int(event.get("before") or 0)) / elapsed if elapsed > 0 else 0.0
    return RunProgress(
        done, total, done / total if total else 0.0, rate, (total - done) / rate if rate else None, elapsed
    )


def training_progress(found: RunState) -> RunProgress | None:
    """Steps taken so far, with the speed of the last ones since the run last started; None before the first.

    One step alone has no speed: the time left comes from the rehearsal until there are two.
    """
    steps = _since_start(found.events, "step")
    if not steps:
        return None
    newest, recent = steps[-1], steps[-RECENT_STEPS:]
    done, total = int(newest["step"]), int(newest["total_steps"])
    span = float(newest["t"]) - float(recent[0]["t"])
    rate = (len(recent) - 1) / span if span > 0 else 0.0
    left = (total - done) / rate if rate else None
    tried = rehearsal(found)
    if left is None and tried is not None and tried["steps"]:
        left = float(tried["total_s"]) * (total - done) / int(tried["steps"])
    return RunProgress(done, total, done / total if total else 0.0, rate, left, float(newest.get("elapsed_s") or 0.0))


def study_progress(found: RunState) -> RunProgress | None:
    """Trainings done, with the part of the one at work; None before the first word about it."""
    told = _since_start(found.events, "progress")
    if not told:
        return None
    done, total = int(told[-1]["done"]), int(told[-1]["total"])
    share = (done + float(told[-1].get("part") or 0.0)) / max(total, 1)
    return RunProgress(done, total, share, 0.0, told[-1].get("left_s"), float(told[-1]["elapsed_s"]))


def progress_of(found: RunState) -> RunProgress | None:
    """How far a run of any heavy kind is."""
    if found.run.kind in store.STUDIES:
        return study_progress(found)
    return training_progress(found) if found.run.kind == "train" else baseline_progress(found)


def rehearsal(found: RunState) -> Event | None:
    """What the two steps told that were tried when the run last started; None before they are over."""
    tried = _since_start(found.events, "rehearsal")
    return tried[-1] if tried else None


def _since_start(events: Sequence[Event], kind: str) -> list[Event]:
    begun = max((i for i, event in enumerate(events) if event["kind"] == "started"), default=0)
    return [event for event in events[begun:] if event["kind"] == kind]


def stage(found: RunState) -> str:
    """What the run says it is doing now."""
    said = _since_start(found.events, "stage")
    return str(said[-1]["text"]) if said else ""


def log_tail(run: Run) -> str:
    """The last lines of the process's own output, without the bars' carriage returns."""
    try:
        with run.process_log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            block = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in block.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in lines if line][-LOG_TAIL_LINES:])


def since(run: Run) -> float:
    return max(0.0, time.time() - run.created)


@dataclass(frozen=True)
class TunedModel:
    """A model that was taught here: its name, its folder, and what its training said at the end."""

    name: str
    path: Path
    info: dict[str, Any]


def tuned_models(workspace: Workspace) -> list[TunedModel]:
    """Models with a finished adapter, newest first."""
    found = []
    for path in workspace.experiments.glob("training_info_*.json"):
        name = path.stem.removeprefix("training_info_")
        if workspace.final(name).is_dir():
            found.append((path.stat().st_mtime, TunedModel(name, workspace.final(name), read_json(path) or {})))
    return [tuned for _, tuned in sorted(found, key=lambda pair: pair[0], reverse=True)]
