"""What a workspace holds at one moment: its runs with their status, and the models taught there.

One look serves all watchers of a tick and all open pages. A look reads only what changed since the one before, told by
modification times, so its price grows with what is at work and not with the history: a finished run is never looked at
again. `token` differs from an earlier one when a page may have something new to show.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs import store
from core.runs.files import read_json
from core.runs.store import Run
from core.runs.workspace import Workspace
from damgui import run_log
from damgui.run_state import ACTIVE, RunState

SHARED_FOR_S = 0.4  # pages that ask within this time get one and the same look
# A file system's clock is coarse: what changed this shortly before a look may have changed again since.
CLOCK_NS = 50_000_000
MAX_WORKSPACES = 8
Mark = tuple[int, int]


def mark(path: Path) -> Mark:
    """Something that differs when a file or a folder's list of files does; (0, 0) when there is none."""
    try:
        about = path.stat()
    except OSError:
        return (0, 0)
    return about.st_mtime_ns, about.st_size


@dataclass(frozen=True)
class TunedModel:
    """A model that was taught here: its name, its folder, and what its training said at the end."""

    name: str
    path: Path
    info: dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """A workspace at one moment. `listed` are its runs with their status, newest first."""

    workspace: Workspace
    token: str
    listed: tuple[tuple[Run, str], ...]

    @cached_property
    def _by_id(self) -> dict[str, tuple[Run, str]]:
        return {run.id: (run, status) for run, status in self.listed}

    def runs(self, *kinds: str) -> list[Run]:
        """The runs, newest first; only of some kinds when they are given."""
        return [run for run, _ in self.listed if not kinds or run.kind in kinds]

    def status(self, run: Run) -> str:
        return self._by_id[run.id][1]

    def state(self, identity: str) -> RunState | None:
        """The run of this id."""
        return self._state(*self._by_id[identity]) if identity in self._by_id else None

    def latest(self, kind: str, name: str = "") -> RunState | None:
        found = next(
            (pair for pair in self.listed if pair[0].kind == kind and (not name or pair[0].name == name)), None
        )
        return None if found is None else self._state(*found)

    @cached_property
    def at_work(self) -> RunState | None:
        """The heavy run that is starting or running, whatever its kind."""
        found = next((pair for pair in self.listed if pair[1] in ACTIVE and pair[0].kind in store.HEAVY), None)
        return None if found is None else self._state(*found)

    @cached_property
    def tuned_models(self) -> list[TunedModel]:
        """Models with a finished adapter, newest first. Raises UserError when what a training said is damaged."""
        workspace, found = self.workspace, []
        for path in workspace.experiments.glob("training_info_*.json"):
            name = path.stem.removeprefix("training_info_")
            if workspace.final(name).is_dir():
                found.append((path.stat().st_mtime, TunedModel(name, workspace.final(name), read_json(path) or {})))
        return [tuned for _, tuned in sorted(found, key=lambda pair: pair[0], reverse=True)]

    def _state(self, run: Run, status: str) -> RunState:
        """Its log is read after its status was: a run never looks ended with its last events missing."""
        return RunState(run, status, run_log.digest_of(run.events))


@dataclass
class _Known:
    """A run as it was seen last; `log` is its log's mark from just before its status was told."""

    run: Run
    status: str = "starting"
    log: Mark = (0, 0)


class _Watched:
    """A workspace that pages look at."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._listed_at: Mark = (0, 0)  # the folder's mark when its list was read; (0, 0) when that may be outdated
        self._known: dict[str, _Known] = {}
        self._unreadable: dict[str, Mark] = {}  # folders without a whole run.json, and what it was like
        self._seen: tuple[Any, ...] = ()
        self._snapshot: Snapshot | None = None
        self._taken_s = -math.inf

    def recent(self, shared_for_s: float) -> Snapshot | None:
        """The last look, when it was at most so long ago."""
        return self._snapshot if time.monotonic() - self._taken_s < shared_for_s else None

    def look(self, shared_for_s: float) -> Snapshot:
        with self._lock:
            if (found := self.recent(shared_for_s)) is None:
                found = self._snapshot = self._take(self._snapshot)
                self._taken_s = time.monotonic()
            return found

    def _take(self, before: Snapshot | None) -> Snapshot:
        changed = self._list() | self._judge()
        seen = tuple(self._marks())
        if before is not None and not changed and seen == self._seen:
            return before
        self._seen = seen
        known = sorted(self._known.values(), key=lambda entry: (entry.run.created, entry.run.id), reverse=True)
        return Snapshot(self.workspace, uuid.uuid4().hex[:16], tuple((entry.run, entry.status) for entry in known))

    def _list(self) -> bool:
        """Bring the list of runs up to date; whether it changed."""
        now, runs = mark(self.workspace.runs), self.workspace.runs
        changed = False
        if now != self._listed_at:
            # Read after the mark, and believed only when the clock has moved on since the last change.
            self._listed_at = now if time.time_ns() - now[0] > CLOCK_NS else (0, 0)
            there = {path.name for path in runs.iterdir()} if runs.is_dir() else set()
            for gone in (self._known.keys() | self._unreadable.keys()) - there:
                changed |= self._known.pop(gone, None) is not None
                self._unreadable.pop(gone, None)
            for fresh in there - self._known.keys() - self._unreadable.keys():
                self._unreadable[fresh] = (-1, -1)
        for name, was in list(self._unreadable.items()):
            # A run's folder is there a moment before what it was made for is written.
            if (about := mark(runs / name / "run.json")) == was:
                continue
            self._unreadable[name] = about
            try:
                self._known[name] = _Known(store.open_run(runs / name))
            except UserError:
                continue
            del self._unreadable[name]
            changed = True
        return changed

    def _judge(self) -> bool:
        """Bring every status up to date; whether one changed.

        One that is over is asked again only when its log grew: somebody may have gone on with it.
        """
        changed = False
        for entry in self._known.values():
            if entry.status == "finished":
                continue
            log = mark(entry.run.events)
            if entry.status not in ACTIVE and log == entry.log:
                continue
            status = store.status(entry.run)
            changed |= status != entry.status
            entry.status, entry.log = status, log
        return changed

    def _marks(self) -> Iterable[Any]:
        """Marks of all else that a page shows: of what is at work, its files; and what was published."""
        for entry in self._known.values():
            if entry.status in ACTIVE and entry.run.kind in store.HEAVY:
                yield (
                    entry.run.id,
                    entry.log,
                    mark(entry.run.process_log),
                    mark(entry.run.results),
                    entry.run.stop_file.exists(),
                )
        yield mark(self.workspace.experiments), mark(self.workspace.zeroshot_results), mark(self.workspace.models)
        yield run_log.catching_up()


_WATCHED: OrderedDict[Workspace, _Watched] = OrderedDict()
_WATCHED_LOCK = threading.Lock()


def _watched(workspace: Workspace) -> _Watched:
    with _WATCHED_LOCK:
        watched = _WATCHED.get(workspace) or _WATCHED.setdefault(workspace, _Watched(workspace))
        _WATCHED.move_to_end(workspace)
        while len(_WATCHED) > MAX_WORKSPACES:
            _WATCHED.popitem(last=False)
    return watched


def look(workspace: Workspace, shared_for_s: float = 0.0) -> Snapshot:
    """The workspace as it is now, or as it was when somebody looked at most `shared_for_s` seconds ago."""
    return _watched(workspace).look(shared_for_s)


def recent(workspace: Workspace) -> Snapshot | None:
    """What `look` would share at once, without reading anything."""
    return _watched(workspace).recent(SHARED_FOR_S)
