"""What a workspace holds at one moment: its runs with their status, and the models tuned there.

One snapshot serves all watchers of a tick and all open pages. Taking one reads only what changed since the one before,
by modification times, so its price grows with what is at work and not with the history: a finished run is never read
again. `token` differs from an earlier one when a page may have something new to show.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import TrainingInfo, ValidationScore
from core.runs import store
from core.runs.files import FileStamp, file_stamp, read_record
from core.runs.store import ACTIVE, Run
from core.runs.workspace import Workspace
from damgui import run_log
from damgui.recent import RecentlyUsed
from damgui.run_state import RunState

SHARED_FOR_S = 0.4  # pages that ask within this time get one and the same snapshot
# A file system's clock is coarse: what changed this shortly before a snapshot may have changed again since.
CLOCK_NS = 50_000_000
MAX_WORKSPACES = 8
NEVER: FileStamp = (-1,)  # of what was not read yet


@dataclass(frozen=True)
class TunedModel:
    """A model that was tuned here: its name, its folder, and its score on the validation photos."""

    name: str
    path: Path
    score: ValidationScore


@lru_cache(maxsize=2048)  # more than a workspace has: fewer than it has would be none
def _score(path: Path, _stamp: FileStamp) -> ValidationScore:
    """The score of the state that a training kept, else of its last one.

    The whole loss history stands in the same file: it is read once for each stamp, and not kept.
    """
    info = read_record(path, TrainingInfo) or {}
    return info.get("best") or info.get("final") or {}


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
        return self._newest(one for one in self.listed if one[0].kind == kind and (not name or one[0].name == name))

    @cached_property
    def at_work(self) -> RunState | None:
        """The heavy run that is starting or running, whatever its kind."""
        return self._newest(one for one in self.listed if one[1] in ACTIVE and one[0].kind in store.HEAVY)

    @cached_property
    def tuned_models(self) -> list[TunedModel]:
        """Models with a finished adapter, newest first. Raises UserError when what a training recorded is damaged."""
        workspace, found = self.workspace, []
        for path in workspace.experiments.glob("training_info_*.json"):
            name, stamp = path.stem.removeprefix("training_info_"), file_stamp(path)
            if stamp and workspace.final(name).is_dir():
                found.append((stamp, TunedModel(name, workspace.final(name), _score(path, stamp))))
        return [tuned for _, tuned in sorted(found, key=lambda pair: pair[0], reverse=True)]

    def _newest(self, chosen: Iterable[tuple[Run, str]]) -> RunState | None:
        return next((self._state(*one) for one in chosen), None)

    def _state(self, run: Run, status: str) -> RunState:
        """Its log is read after its status was: no run is shown as ended with its last events missing."""
        return RunState(run, status, run_log.digest_of(run.events))


@dataclass
class _Known:
    """A run as seen last; `about` is the stamp of its run.json, `log` of its log just before its status was read."""

    run: Run
    about: FileStamp = NEVER
    status: str = "starting"
    log: FileStamp = ()


class _Watched:
    """A workspace that pages show."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._listed_at: FileStamp = ()  # the folder's stamp when its list was read; () when that may be outdated
        self._named_at: FileStamp = ()  # the same of the names: a rename changes the folder above
        self._known: dict[str, _Known] = {}
        self._unreadable: dict[str, FileStamp] = {}  # folders without a whole run.json, and what it was like
        self._seen: tuple[Any, ...] = ()
        self._snapshot: Snapshot | None = None
        self._taken_s = -math.inf

    def recent(self, shared_for_s: float) -> Snapshot | None:
        """The last snapshot, when it was taken at most so long ago."""
        return self._snapshot if time.monotonic() - self._taken_s < shared_for_s else None

    def snapshot(self, shared_for_s: float) -> Snapshot:
        with self._lock:
            if (found := self.recent(shared_for_s)) is None:
                found = self._snapshot = self._take(self._snapshot)
                self._taken_s = time.monotonic()
            return found

    def _take(self, before: Snapshot | None) -> Snapshot:
        changed = self._update_list() | self._update_statuses()
        seen = tuple(self._marks())
        if before is not None and not changed and seen == self._seen:
            return before
        self._seen = seen
        known = sorted(self._known.values(), key=lambda entry: (entry.run.created, entry.run.id), reverse=True)
        return Snapshot(self.workspace, uuid.uuid4().hex[:16], tuple((entry.run, entry.status) for entry in known))

    def _update_list(self) -> bool:
        """Bring the list of runs up to date; whether it changed."""
        now, runs = file_stamp(self.workspace.runs), self.workspace.runs
        changed = self._update_names()
        if now != self._listed_at:
            # Read after the stamp, and believed only when the clock has moved on since the last change.
            self._listed_at = now if now and time.time_ns() - now[0] > CLOCK_NS else ()
            there = {path.name for path in runs.iterdir()} if runs.is_dir() else set()
            for gone in (self._known.keys() | self._unreadable.keys()) - there:
                changed |= self._known.pop(gone, None) is not None
                self._unreadable.pop(gone, None)
            for fresh in there - self._known.keys() - self._unreadable.keys():
                self._unreadable[fresh] = NEVER
        for name, was in list(self._unreadable.items()):
            # A run's folder is there a moment before what it was made for is written.
            if (about := file_stamp(runs / name / "run.json")) == was:
                continue
            self._unreadable[name] = about
            try:
                self._known[name] = _Known(store.open_run(runs / name), about)
            except UserError:
                continue
            del self._unreadable[name]
            changed = True
        return changed

    def _update_names(self) -> bool:
        """Bring the names of runs up to date; whether one changed. They are read again only after a rename."""
        now = file_stamp(self.workspace.experiments)
        if now == self._named_at:
            return False
        self._named_at = now if now and time.time_ns() - now[0] > CLOCK_NS else ()
        changed = False
        for name, entry in self._known.items():
            about = file_stamp(self.workspace.runs / name / "run.json")
            if about not in ((), entry.about):
                with suppress(UserError):
                    entry.run, entry.about, changed = store.open_run(self.workspace.runs / name), about, True
        return changed

    def _update_statuses(self) -> bool:
        """Bring every status up to date; whether one changed.

        One that is over is asked again only when its log grew: somebody may have gone on with it.
        """
        changed = False
        for entry in self._known.values():
            if entry.status == "finished":
                continue
            log = file_stamp(entry.run.events)
            if entry.status not in ACTIVE and log == entry.log:
                continue
            status = store.status(entry.run)
            changed |= status != entry.status
            entry.status, entry.log = status, log
        return changed

    def _marks(self) -> Iterable[Any]:
        """Marks of all else that a page shows: of what is at work, its files; and what was published."""
        for one in self._known.values():
            if one.status in ACTIVE and one.run.kind in store.HEAVY:
                yield one.run.id, one.log, one.run.stop_file.exists()
                yield from map(file_stamp, (one.run.process_log, one.run.results))
        yield from map(file_stamp, (self.workspace.experiments, self.workspace.zeroshot_results, self.workspace.models))
        yield file_stamp(self.workspace.trash)
        yield run_log.catching_up()


_WATCHED = RecentlyUsed(_Watched, MAX_WORKSPACES)


def take_snapshot(workspace: Workspace, shared_for_s: float = 0.0) -> Snapshot:
    """The workspace as it is now, or as it was at most `shared_for_s` seconds ago when a page has asked since."""
    return _WATCHED.get(workspace).snapshot(shared_for_s)


def recent(workspace: Workspace) -> Snapshot | None:
    """The snapshot that `take_snapshot` would share at once, without reading anything."""
    return _WATCHED.get(workspace).recent(SHARED_FOR_S)
