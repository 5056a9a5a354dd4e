"""The event log of a run: one JSON object a line, appended and flushed, never changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import orjson

from core.records import EVENTS, Event
from core.runs.files import plain, writing

Listener = Callable[[Event], None]

# The last line of a log is looked for in this many bytes; the longest event (a result's summary) is far shorter.
TAIL_BYTES = 65_536
STAGE_EVERY_S = 2.0


class Reporter(Protocol):
    """How the engine reports and learns that it shall stop. It is all that the engine knows of runs."""

    def emit(self, kind: str, **fields: Any) -> None:
        """Report an event; see `event` for kinds and fields."""

    def stop_requested(self) -> bool:
        """Whether the engine shall save and end now."""


def append(path: Path, event: Event) -> None:
    """Append one event as one line.

    A half-written line, left by a process that was killed, is ended first, so that it does not spoil this one.

    Raises:
        UserError: The file cannot be written.
    """
    line = json.dumps(plain(event), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with writing(path), path.open("a+b") as file:
        size = file.seek(0, 2)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def event(kind: str, **fields: Any) -> Event:
    """Make an event with the present time as `t`.

    Args:
        kind: A key of `core.records.EVENTS`.
        **fields: The fields that `core.records` declares for this kind.

    Raises:
        ValueError: The kind or a field is not declared, or a required field is missing.
    """
    if kind not in EVENTS:
        raise ValueError(f"{kind!r} is no kind of event; known: {', '.join(EVENTS)}")
    found: Any = {"t": round(time.time(), 3), "kind": kind, **fields}
    record = EVENTS[kind]
    unknown = found.keys() - record.__annotations__.keys()
    missing = record.__required_keys__ - found.keys()
    if unknown or missing:
        faults = [f"unknown: {', '.join(sorted(unknown))}"] if unknown else []
        faults += [f"missing: {', '.join(sorted(missing))}"] if missing else []
        raise ValueError(f"an event of kind {kind} has other fields ({'; '.join(faults)}): see core/records.py")
    new: Event = found
    return new


def _parse(line: bytes) -> Event | None:
    try:
        found: Event = orjson.loads(line)  # a long log is mostly parsing, and this is four times as fast
    except ValueError:
        return None  # the half line of a killed process
    return found if isinstance(found, dict) and "kind" in found else None


def as_stages(reporter: Reporter) -> Callable[[object], None]:
    """A function that reports what it is called with as a stage, every STAGE_EVERY_S seconds at most."""
    last = time.monotonic()

    def report(now: object) -> None:
        nonlocal last
        if time.monotonic() - last > STAGE_EVERY_S:
            reporter.emit("stage", text=str(now))
            last = time.monotonic()

    return report


@dataclass
class SilentReporter:
    """A reporter that writes nothing but checks events and collects warnings.

    For all but the first process of a distributed training, for a study's trainings, and for measurements.

    Attributes:
        stopping: Called to learn whether the engine shall stop.
        warnings: The texts of the warnings emitted so far.
    """

    stopping: Callable[[], bool] = lambda: False
    warnings: list[str] = field(default_factory=list)

    def emit(self, kind: str, **fields: Any) -> None:
        """Check an event and keep its text if it is a warning."""
        event(kind, **fields)
        if kind == "warning":
            self.warnings.append(str(fields["text"]))

    def stop_requested(self) -> bool:
        """Whether the engine shall save and end now."""
        return self.stopping()


@dataclass
class EventReader:
    """Reads the events appended since the last read: by byte offset, whole lines only.

    A missing or unchanged file costs one `stat`.

    Attributes:
        path: The log.
        offset: Bytes read so far.
        restarts: How often the file had become shorter and was read from its beginning again.
    """

    path: Path
    offset: int = field(default=0)
    restarts: int = field(default=0)

    def unread(self) -> int:
        """Number of bytes appended since the last read; the file's size when it became shorter."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return 0
        if size < self.offset:
            self.offset, self.restarts = 0, self.restarts + 1
        return size - self.offset

    def new(self, most_bytes: int | None = None) -> list[Event]:
        """The events appended since the last read.

        Args:
            most_bytes: Read about this many bytes at most, but at least one line; None reads all.
        """
        there = self.unread()
        wanted = there if most_bytes is None else min(most_bytes, there)
        if not wanted:
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            block = file.read(wanted)
            if wanted < there and not block.endswith(b"\n"):
                block += file.readline()
        whole = block[: block.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [found for line in whole.splitlines() if (found := _parse(line)) is not None]


def read_events(path: Path) -> list[Event]:
    """All events of a log; [] when there is none."""
    return EventReader(path).new()


def tail_events(path: Path, most_bytes: int = TAIL_BYTES) -> list[Event]:
    """The last whole events, as many as lie in the log's last `most_bytes`; as fast on a long log as on a short one."""
    return [found for line in _last_lines(path, most_bytes) if (found := _parse(line)) is not None]


def last_event(path: Path) -> Event | None:
    """The last whole event, read from the end of the log; None when there is none."""
    return next((found for line in reversed(_last_lines(path)) if (found := _parse(line)) is not None), None)


def _last_lines(path: Path, most_bytes: int = TAIL_BYTES) -> list[bytes]:
    try:
        with path.open("rb") as file:
            begin = max(0, file.seek(0, 2) - most_bytes)
            file.seek(begin)
            block = file.read(most_bytes)
    except FileNotFoundError:
        return []
    lines = block[: block.rfind(b"\n") + 1].splitlines()
    return lines[1:] if begin else lines
