"""Files written so that a reader never sees half of one, and a failing disk becomes one clear sentence.

The user's files are replaced and removed only through `replace` and `remove`: on Windows a virus scanner, an indexer or
another damgui process may hold a file open for a moment, and long paths need a prefix.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from core.errors import UserError

Record = TypeVar("Record")

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# Windows: access denied, sharing violation, lock violation. Somebody has the file open; a moment later it may be free.
SHARING_VIOLATIONS = (5, 32, 33)
RETRY_FOR_S, RETRY_EVERY_S = 2.0, 0.02
# Without the prefix Windows takes 260 characters, and 248 of a folder to be made.
LONGEST_PLAIN = 240
LONG_PREFIX = "\\\\?\\"
FileStamp = tuple[int, ...]


def is_full(error: BaseException) -> bool:
    """Whether a full disk caused an exception; torch and safetensors give it as text only."""
    return getattr(error, "errno", None) in FULL or "no space left on device" in str(error).lower()


def full(where: str) -> UserError:
    """The error for a full disk; `where` is the path that was written."""
    return UserError("the disk is full", where, "Make room, then start or resume the run.", "disk")


def file_stamp(path: Path) -> FileStamp:
    """A value that changes when a file is changed or replaced, or a folder's entries change.

    Returns:
        (modification time in nanoseconds, bytes, inode); () when the path does not exist.
    """
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


@contextmanager
def writing(path: Path, flag: str = "--workspace") -> Iterator[None]:
    """Turn an OSError of the block into a UserError.

    Args:
        path: What is written, named in the error when the OSError names no file.
        flag: The command line's flag that names another place.

    Raises:
        UserError: The disk is full or the file cannot be written; its kind is `disk`.
    """
    try:
        yield
    except OSError as error:
        where = str(error.filename or path)
        if is_full(error):
            raise full(where) from error
        if error.errno in FORBIDDEN:
            fix = f"Allow writing there, or choose another folder with {flag}."
            raise UserError("this cannot be written", where, fix, "disk") from error
        what = f"this cannot be written ({error.strerror or error})"
        raise UserError(what, where, f"Check the folder, or choose another one with {flag}.", "disk") from error


def plain(value: Any) -> Any:
    """`value` in JSON's types: paths become text, numbers that are not finite None, numpy numbers and arrays plain."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # a numpy array or number, without importing numpy here
        return plain(value.tolist())
    return value


def system_path(path: Path, windows: bool = sys.platform == "win32") -> str:
    """`path` as text that the system accepts: on Windows a long one becomes absolute and gets a prefix."""
    text = os.path.abspath(path) if windows else str(path)
    if not windows or len(text) < LONGEST_PLAIN or text.startswith(LONG_PREFIX):
        return text
    # A share, \\\\server\\folder, has a form of its own.
    return f"{LONG_PREFIX}UNC{text[1:]}" if text.startswith("\\\\") else LONG_PREFIX + text


def _with_retries(act: Callable[[], object]) -> None:
    """Call `act`; while another process has the file open (on Windows), retry for RETRY_FOR_S seconds."""
    deadline = time.monotonic() + RETRY_FOR_S
    while True:
        try:
            act()
            return
        except PermissionError as error:
            if getattr(error, "winerror", None) not in SHARING_VIOLATIONS or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_EVERY_S)


def replace(source: Path, target: Path) -> None:
    """Move a file or a folder to `target` in one go; a file there, or on POSIX an empty folder, is replaced.

    Raises:
        OSError: It cannot be moved; PermissionError when another process still has one of them open after RETRY_FOR_S
            seconds.
    """
    _with_retries(lambda: os.replace(system_path(source), system_path(target)))


def remove(path: Path) -> None:
    """Remove a file, or a folder with everything in it; nothing happens when it does not exist.

    Raises:
        OSError: It cannot be removed.
    """
    whole = system_path(path)

    def act() -> None:
        try:
            shutil.rmtree(whole) if os.path.isdir(whole) and not os.path.islink(whole) else os.unlink(whole)
        except FileNotFoundError:
            if os.path.lexists(whole):  # another process removed something inside the folder meanwhile
                act()

    _with_retries(act)


def remove_now(path: Path) -> bool:
    """Remove what can be removed at once of a file or a folder, and leave what another process has open.

    Returns:
        Whether nothing is left.
    """
    whole = system_path(path)
    if os.path.isdir(whole) and not os.path.islink(whole):
        shutil.rmtree(whole, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(whole)
    return not os.path.lexists(whole)


def disk_usage(path: Path) -> tuple[int, int]:
    """(number of files, their bytes) of a file or a folder; what is removed meanwhile is left out."""
    files, held = 0, 0
    ahead = [system_path(path)]
    while ahead:
        place = ahead.pop()
        with suppress(OSError):
            if os.path.isdir(place) and not os.path.islink(place):
                ahead += [entry.path for entry in os.scandir(place)]
            else:
                held += os.lstat(place).st_size
                files += 1
    return files, held


def sync_file(path: Path) -> None:
    """Flush a file to disk: a rename may survive a power cut that what was written before it does not."""
    with open(system_path(path), "rb+") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to, which replaces `path` when the block ends without an exception.

    What was written is flushed to disk first. Missing parent folders are made. After an exception nothing is left
    beside `path`, which stays as it was.

    Raises:
        OSError: A folder cannot be made, or `path` cannot be flushed or replaced.
    """
    os.makedirs(system_path(path.parent), exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield beside
        sync_file(beside)
        replace(beside, path)
    finally:
        with suppress(OSError):  # an exception from above is the one to report
            remove(beside)


def write_text(path: Path, text: str) -> None:
    """Write or replace a UTF-8 file in one go; missing folders are made.

    Raises:
        UserError: The file cannot be written.
    """
    with writing(path), replacing(path) as beside, open(system_path(beside), "w", encoding="utf-8") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write or replace a JSON document in one go; `value` is converted by `plain`.

    Raises:
        UserError: The file cannot be written.
    """
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON document.

    Returns:
        What it holds; None when the file does not exist.

    Raises:
        UserError: The file is damaged or cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError("this file is damaged or cannot be read", str(path), "Remove or mend it.", "disk") from error


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """Read a JSON document that is a record of `core.records` or `core.results`.

    Its fields are not checked. Earlier versions may have left out newer fields, and not every file was written by
    damgui, so the caller checks what it relies on beyond the record's required fields.

    Args:
        path: The file.
        kind: The record's class, for the type checker.

    Returns:
        The record; None when the file does not exist.

    Raises:
        UserError: The file is damaged or cannot be read.
    """
    found: Record | None = read_json(path)
    return found


def read_lines(path: Path) -> list[Any]:
    """Read a file of JSON lines, such as predictions.

    Returns:
        What each line holds; [] when the file does not exist.

    Raises:
        UserError: The file cannot be read, or a line is damaged.
    """
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError("this file is damaged or cannot be read", str(path), "Remove or mend it.", "disk") from error


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write or replace a file of JSON lines in one go; each row is converted by `plain`.

    Raises:
        UserError: The file cannot be written.
    """
    write_text(path, "".join(json.dumps(plain(dict(row)), ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def copy(source: Path, target: Path) -> None:
    """Copy a file to `target` in one go, replacing a file there.

    Raises:
        UserError: The copy cannot be written.
    """
    with writing(target), replacing(target) as beside:
        shutil.copyfile(system_path(source), system_path(beside))


def is_unchanged(note: Path, fingerprint: str) -> bool:
    """Whether a resumed run works on the same data as when it began.

    Args:
        note: The file that remembers the fingerprint; it is written when it does not exist.
        fingerprint: That of the present data.
    """
    before = read_json(note)
    if before is None:
        write_json(note, {"fingerprint": fingerprint})
    return before is None or before.get("fingerprint") == fingerprint
