"""Locks that the operating system frees when their holder dies, with a note beside them saying who holds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.errors import UserError
from core.runs.files import read_json, write_json, writing

# A look at a lock holds it for some microseconds; a taker tries this long so that it does not lose to a mere look.
PATIENCE_S = 0.5


class Held(Exception):
    """Another process holds the lock."""


def is_held(path: Path) -> bool:
    """Whether a living process holds this lock. A lock that was never taken is not held; nothing is created."""
    if not path.is_file():
        return False
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        with lock:
            return False
    except Timeout:
        return True
    except PermissionError:
        return False  # somebody else's read-only workspace: nobody of ours can hold it


def note_path(path: Path) -> Path:
    """Where the holder introduces itself: Windows lets nobody read a locked file, so it is a file beside it."""
    return path.with_suffix(".holder.json")


def holder(path: Path) -> dict[str, Any] | None:
    """What the holder of a lock says of itself; None when nobody holds it; {} when it has not said so yet."""
    if not is_held(path):
        return None
    try:
        return read_json(note_path(path)) or {}
    except UserError:
        return {}


@contextmanager
def hold(path: Path, note: dict[str, Any] | None = None, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold a lock for the length of the block. Raises Held when another still has it after `patience_s` seconds."""
    lock = FileLock(path, thread_local=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=patience_s, poll_interval=0.02)
        except Timeout as error:
            raise Held(str(path)) from error
    try:
        if note is not None:
            write_json(note_path(path), {"since": round(time.time(), 3), **note})
        yield
    finally:
        lock.release()
