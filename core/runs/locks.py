"""Locks that the operating system frees when their holder dies, with a note beside them that names the holder.

A holder has the lock exclusively. A check takes it shared for some microseconds, so that simultaneous checks do not
mistake each other for a holder.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import UserError
from core.records import LockNote
from core.runs.files import read_record, remove, write_json, writing

# A check holds the lock for some microseconds; whoever takes the lock retries this long, so as not to fail by a check.
PATIENCE_S = 0.5


class Held(Exception):
    """Another process holds the lock."""


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("Internal", ctypes.c_void_p),
            ("InternalHigh", ctypes.c_void_p),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        )

    _FAIL_IMMEDIATELY = 1
    _LOCK_VIOLATION = 33
    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _kernel.LockFileEx.argtypes = (
        wintypes.HANDLE,
        *(wintypes.DWORD,) * 4,
        ctypes.POINTER(_Overlapped),
    )
    _kernel.LockFileEx.restype = wintypes.BOOL

    def _share(descriptor: int) -> bool:
        """Lock the byte that filelock locks, its first, but shared; closing the file frees it."""
        overlapped = _Overlapped()
        handle = msvcrt.get_osfhandle(descriptor)
        if _kernel.LockFileEx(handle, _FAIL_IMMEDIATELY, 0, 1, 0, ctypes.byref(overlapped)):
            return True
        number = ctypes.get_last_error()
        if number == _LOCK_VIOLATION:
            return False
        raise ctypes.WinError(number)

else:
    import fcntl

    def _share(descriptor: int) -> bool:
        """Take the lock shared; closing the file frees it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        return True


def is_held(path: Path) -> bool:
    """Whether a living process holds this lock. Creates no file; a lock that was never taken is not held."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return False  # never taken; or somebody else's workspace, where nobody of ours can hold it
    try:
        return not _share(descriptor)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
    finally:
        os.close(descriptor)
    return _cannot_be_taken(path)


def _cannot_be_taken(path: Path) -> bool:
    """`is_held` on a file system without locks, where filelock relies on the existence of its file."""
    try:
        with FileLock(path, timeout=0, thread_local=False):
            return False
    except Timeout:
        return True
    except PermissionError:
        return False


def note_path(path: Path) -> Path:
    """The file with the holder's note, beside the lock because Windows lets no other process read a locked file."""
    return path.with_suffix(".holder.json")


def holder(path: Path) -> LockNote | None:
    """The note of a lock's holder; None when the lock is free.

    {} stands for a holder that has not written its note yet, has just removed it, or writes none. What a killed holder
    left is the first thing that the next one removes.
    """
    if not is_held(path):
        return None
    try:
        return read_record(note_path(path), LockNote) or {}
    except UserError:
        return {}


@contextmanager
def hold(path: Path, note: LockNote | None = None, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold a lock for the length of the block.

    Args:
        path: The lock's file; it and missing folders are made.
        note: What `holder` returns to others meanwhile, with `since` (unix seconds) added; None writes no note.
        patience_s: How long to wait for another holder, in seconds.

    Raises:
        Held: Another process still holds the lock after that time.
        UserError: The lock's file cannot be written.
    """
    lock = FileLock(path, thread_local=False)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=patience_s, poll_interval=0.02)
        except Timeout as error:
            raise Held(str(path)) from error
    try:
        _remove_note(path)  # a holder that was killed left it
        if note is not None:
            write_json(note_path(path), {"since": round(time.time(), 3), **note})
        yield
    finally:
        try:
            _remove_note(path)
        finally:
            lock.release()


def _remove_note(path: Path) -> None:
    """Remove the note, as long as the lock is held: later it may be another holder's."""
    with suppress(OSError):  # it is not worth more than the lock
        remove(note_path(path))
