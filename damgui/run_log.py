"""An event log as the page needs it: folded once while it grows, in memory that does not grow with every event.

A log that is far ahead of what was read (the page was opened beside a long run) is caught up with in the background;
meanwhile its end shows what is going on, and the chart fills.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict, cast

from core.records import (
    DryRunDone,
    Ended,
    Evaluated,
    Event,
    Planned,
    Progressed,
    Resulted,
    Saved,
    Stage,
    Started,
    Stepped,
    Warned,
)
from core.runs.events import EventReader, tail_events
from damgui.loss_series import LossCurve, LossSeries
from damgui.recent import RecentlyUsed

RECENT_STEPS = 20  # speed and time left come from this many last steps
# Kinds of which every event is kept, or the last so many; of others the last one alone.
KEPT: dict[str, int | None] = {"evaluation": None, "checkpoint": None, "warning": 200}
AT_ONCE_BYTES = 4_000_000  # about 13,000 events, some 60 ms; more is read in the background
BLOCK_BYTES = 500_000
REST_S = 0.005  # between blocks: whoever serves pages meanwhile comes first
TAIL_BYTES = 500_000
MAX_LOGS = 32  # logs kept in memory; the one read longest ago goes first


class NewestEvents(TypedDict, total=False):
    """The newest event of every kind."""

    started: Started
    stage: Stage
    progress: Progressed
    plan: Planned
    rehearsal: DryRunDone
    step: Stepped
    evaluation: Evaluated
    checkpoint: Saved
    warning: Warned
    result: Resulted
    ended: Ended


class KeptEvents(TypedDict, total=False):
    """The events of the kinds of which more than the newest one is kept."""

    evaluation: Sequence[Evaluated]
    checkpoint: Sequence[Saved]
    warning: Sequence[Warned]


@dataclass(frozen=True)
class LogDigest:
    """What a log holds by now. `mark` differs when anything was appended or caught up with."""

    mark: tuple[int, int] = (0, 0)  # (events, bytes not read yet)
    last: NewestEvents = field(default_factory=NewestEvents)
    since_start: NewestEvents = field(default_factory=NewestEvents)  # the same, since the run last started
    places: Mapping[str, int] = field(default_factory=dict)  # the place of each of `last` in the log
    kept: KeptEvents = field(default_factory=KeptEvents)
    recent: Sequence[Stepped] = ()  # the last steps since the run last started
    curve: LossCurve = field(default_factory=lambda: LossSeries().curve())


class _Fold:
    """Events taken in one after the other."""

    def __init__(self) -> None:
        self.count = 0
        self.last: dict[str, Event] = {}
        self.since_start: dict[str, Event] = {}
        self.places: dict[str, int] = {}
        self.kept: dict[str, deque[Event]] = {kind: deque(maxlen=most) for kind, most in KEPT.items()}
        self.recent: deque[Stepped] = deque(maxlen=RECENT_STEPS)
        self.series = LossSeries()

    def add(self, events: Sequence[Event]) -> None:
        steps: list[int] = []
        losses: list[float] = []
        for event in events:
            kind = event["kind"]
            self.count += 1
            if kind == "started":
                self.since_start.clear()
                self.recent.clear()
            self.last[kind] = self.since_start[kind] = event
            self.places[kind] = self.count
            if event["kind"] == "step":
                loss = event.get("loss")
                steps.append(event["step"])
                losses.append(math.nan if loss is None else loss)
                self.recent.append(event)
            elif kind in self.kept:
                self.kept[kind].append(event)
        self.series.extend(steps, losses)

    def digest(self, unread: int = 0) -> LogDigest:
        return LogDigest(
            (self.count, unread),
            cast(NewestEvents, dict(self.last)),
            cast(NewestEvents, dict(self.since_start)),
            dict(self.places),
            cast(KeptEvents, {kind: tuple(events) for kind, events in self.kept.items()}),
            tuple(self.recent),
            self.series.curve(),
        )


def fold(events: Sequence[Event]) -> LogDigest:
    """The digest of these events."""
    folded = _Fold()
    folded.add(events)
    return folded.digest()


class RunLog:
    """One log, for all open pages. Safe to ask from any thread."""

    def __init__(self, path: Path) -> None:
        self._reader = EventReader(path)
        self._lock = threading.Lock()
        self._fold = _Fold()
        self._restarts = 0  # of the log, until this fold began
        self._catching_up = False
        self._digest = LogDigest()

    @property
    def catching_up(self) -> bool:
        return self._catching_up

    def digest(self) -> LogDigest:
        """The digest of the log by now; nothing is read when nothing was appended."""
        with self._lock:
            unread = self._reader.unread()
            if not self._catching_up and unread > AT_ONCE_BYTES:
                self._catching_up = True
                threading.Thread(target=self._catch_up, name="damgui-log", daemon=True).start()
            if self._catching_up and unread > TAIL_BYTES:  # else the end would hold what was read already
                self._digest = self._foreseen(unread)
            elif self._take() or self._digest.mark[1]:
                self._digest = self._fold.digest()
            return self._digest

    def _take(self, most_bytes: int | None = None) -> bool:
        """Read and fold; whether there was anything."""
        events = self._reader.new(most_bytes)
        anew = self._reader.restarts != self._restarts
        if anew:
            self._fold, self._restarts = _Fold(), self._reader.restarts
        self._fold.add(events)
        return anew or bool(events)

    def _catch_up(self) -> None:
        while True:
            with self._lock:
                if not self._take(BLOCK_BYTES):
                    self._catching_up = False
                    return
            time.sleep(REST_S)

    def _foreseen(self, unread: int) -> LogDigest:
        """What is read so far, with the log's end in place of what was read of the present."""
        read, end = self._fold.digest(unread), _Fold()
        end.add(tail_events(self._reader.path, TAIL_BYTES))
        tail_digest = end.digest()
        places = {kind: read.mark[0] + unread + place for kind, place in tail_digest.places.items()}
        begun = "started" in tail_digest.last
        return LogDigest(
            read.mark,
            {**read.last, **tail_digest.last},
            tail_digest.since_start if begun else {**read.since_start, **tail_digest.since_start},
            {**read.places, **places},
            {
                "evaluation": (*read.kept["evaluation"], *tail_digest.kept["evaluation"]),
                "checkpoint": (*read.kept["checkpoint"], *tail_digest.kept["checkpoint"]),
                "warning": (*read.kept["warning"], *tail_digest.kept["warning"]),
            },
            tail_digest.recent,
            read.curve,
        )


_LOGS = RecentlyUsed(RunLog, MAX_LOGS)


def digest_of(path: Path) -> LogDigest:
    """The digest of a log; it is read once for all open pages."""
    return _LOGS.get(path).digest()


def catching_up() -> tuple[int, ...]:
    """Something that differs while logs are being caught up with, and once more when they are."""
    return tuple(log.digest().mark[0] for log in _LOGS.values() if log.catching_up)
