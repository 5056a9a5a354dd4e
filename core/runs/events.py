"""What a run says while it works: one JSON object a line, appended and flushed, never changed."""

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


class Reporter(Protocol):
    """What the engine may say and ask. It is all that the engine knows of runs."""

    def emit(self, kind: str, **fields: Any) -> None: ...

    def stop_requested(self) -> bool: ...


def append(path: Path, event: Event) -> None:
    """Append one event as one line. Raises UserError when the disk does not take it.

    A half-written line, left by a process that was killed, is closed first: it must not swallow this one.
    """
    line = json.dumps(plain(event), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with writing(path), path.open("a+b") as file:
        size = file.seek(0, 2)
        if size:
            file.seek(size - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)


def event(kind: str, **fields: Any) -> Event:
    """An event of now: `t` (unix seconds), `kind`, and the fields that `core.records` declares for its kind.

    Raises:
        ValueError: a kind or a field that no reader knows, or a field that readers rely on is missing.
    """
    if kind not in EVENTS:
        raise ValueError(f"{kind!r} is no kind of event; known: {', '.join(EVENTS)}")
    found: Any = {"t": round(time.time(), 3), "kind": kind, **fields}
    record = EVENTS[kind]
    unknown = found.keys() - record.__annotations__.keys()
    missing = record.__required_keys__ - found.keys()
    if unknown or missing:
        said = [f"unknown: {', '.join(sorted(unknown))}"] if unknown else []
        said += [f"missing: {', '.join(sorted(missing))}"] if missing else []
        raise ValueError(f"an event of kind {kind} has other fields ({'; '.join(said)}): see core/records.py")
    new: Event = found
    return new


def _parse(line: bytes) -> Event | None:
    try:
        found: Event = orjson.loads(line)  # a long log is mostly parsing, and this is four times as fast
    except ValueError:
        return None  # the half line of a killed process
    return found if isinstance(found, dict) and "kind" in found else None


@dataclass
class SilentReporter:
    """A reporter that writes nothing, but knows what a run must not say, and remembers its warnings: for the other
    processes of a training, the steps of a study that were reported before, and measurements."""

    stopping: Callable[[], bool] = lambda: False
    warnings: list[str] = field(default_factory=list)

    def emit(self, kind: str, **fields: Any) -> None:
        event(kind, **fields)
        if kind == "warning":
            self.warnings.append(str(fields["text"]))

    def stop_requested(self) -> bool:
        return self.stopping()


@dataclass
class EventReader:
    """Reads what was appended since the last look: by byte offset, whole lines only.

    A file that is missing or unchanged costs one `stat`. A file that became shorter is read from its beginning, which
    `restarts` counts.
    """

    path: Path
    offset: int = field(default=0)
    restarts: int = field(default=0)

    def unread(self) -> int:
        """Bytes that were appended since the last look; all of them when the file became shorter."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            return 0
        if size < self.offset:
            self.offset, self.restarts = 0, self.restarts + 1
        return size - self.offset

    def new(self, most_bytes: int | None = None) -> list[Event]:
        """The events appended since the last look; the first `most_bytes` of them, or a single longer one."""
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
    """The last whole events, as many as are in `most_bytes`: the price does not grow with the log."""
    return [found for line in _last_lines(path, most_bytes) if (found := _parse(line)) is not None]


def last_event(path: Path) -> Event | None:
    """The last whole event, read from the end of the log."""
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
