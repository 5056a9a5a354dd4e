"""Files written so that a reader never sees half of one, and a failing disk becomes one clear sentence.

Whatever a user owns is replaced and removed through `replace` and `remove` here: on Windows a virus scanner, an indexer
or a reader of ours may hold a file for a moment, and a path may be longer than the system takes without being told.
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
    """Whether a full disk is behind an exception: torch and safetensors pass it on as text only."""
    return getattr(error, "errno", None) in FULL or "no space left on device" in str(error).lower()


def full(where: str) -> UserError:
    return UserError("the disk is full", where, "Make room, then start or resume the run.", "disk")


def file_stamp(path: Path) -> FileStamp:
    """What differs once a file is changed or replaced, or a folder's list of files is another; () when there is none.

    First its modification time in nanoseconds.
    """
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_mtime_ns, about.st_size, about.st_ino


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what a disk can do wrong into UserError (kind `disk`) naming `path`."""
    try:
        yield
    except OSError as error:
        where = str(error.filename or path)
        if is_full(error):
            raise full(where) from error
        if error.errno in FORBIDDEN:
            fix = "Allow writing there, or choose another folder with --workspace."
            raise UserError("this cannot be written", where, fix, "disk") from error
        what = f"this cannot be written ({error.strerror or error})"
        raise UserError(what, where, "Check the folder, or choose another one with --workspace.", "disk") from error


def plain(value: Any) -> Any:
    """`value` as JSON knows it: paths as text, numbers that are not finite as None, numpy numbers as numbers."""
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
    """`path` as the system takes it whatever its length: on Windows a long one is whole and carries a prefix."""
    text = os.path.abspath(path) if windows else str(path)
    if not windows or len(text) < LONGEST_PLAIN or text.startswith(LONG_PREFIX):
        return text
    # A share, \\\\server\\folder, has a form of its own.
    return f"{LONG_PREFIX}UNC{text[1:]}" if text.startswith("\\\\") else LONG_PREFIX + text


def _patiently(act: Callable[[], object]) -> None:
    """Do `act`; while somebody else has the file open, on Windows, try again for a short time."""
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

    Raises OSError; PermissionError when somebody still has one of them open after RETRY_FOR_S seconds.
    """
    _patiently(lambda: os.replace(system_path(source), system_path(target)))


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; one that is not there is removed already. Raises OSError."""
    whole = system_path(path)

    def act() -> None:
        try:
            shutil.rmtree(whole) if os.path.isdir(whole) and not os.path.islink(whole) else os.unlink(whole)
        except FileNotFoundError:
            if os.path.lexists(whole):  # another took something from inside a folder while we did
                act()

    _patiently(act)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, folders included; it takes the place of `path` when the block ends well.

    Nothing is left beside it otherwise, and what was there stays. Raises OSError.
    """
    os.makedirs(system_path(path.parent), exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield beside
        replace(beside, path)
    finally:
        with suppress(OSError):  # what went wrong above is to be told, not this
            remove(beside)


def write_text(path: Path, text: str) -> None:
    """Write or replace a file in one go, folders included. Raises UserError when the disk does not take it."""
    with writing(path), replacing(path) as beside, open(system_path(beside), "w", encoding="utf-8") as file:
        file.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write or replace a JSON document in one go. Raises UserError when the disk does not take it."""
    write_text(path, json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """A JSON document, or None when there is none yet. Raises UserError when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError("this file is damaged or cannot be read", str(path), "Remove or mend it.", "disk") from error


def read_record(path: Path, kind: type[Record]) -> Record | None:
    """A JSON document that is a record of `core.records`; None when there is none yet.

    Versions before this one may have left newer fields out, and not every file was written by damgui: what a reader
    relies on beyond the record's required fields it checks. Raises UserError when the document is damaged.
    """
    found: Record | None = read_json(path)
    return found


def read_lines(path: Path) -> list[Any]:
    """JSON lines, such as predictions; [] when there is no such file. Raises UserError when one is damaged."""
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise UserError("this file is damaged or cannot be read", str(path), "Remove or mend it.", "disk") from error


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write or replace JSON lines in one go. Raises UserError when the disk does not take it."""
    write_text(path, "".join(json.dumps(plain(dict(row)), ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def copy(source: Path, target: Path) -> None:
    """Copy a file over another in one go. Raises UserError when the disk does not take it."""
    with writing(target), replacing(target) as beside:
        shutil.copyfile(system_path(source), system_path(beside))


def is_as_begun(note: Path, fingerprint: str) -> bool:
    """Whether a run that goes on finds what it began with; the first time, the fingerprint is written down."""
    before = read_json(note)
    if before is None:
        write_json(note, {"fingerprint": fingerprint})
    return before is None or before.get("fingerprint") == fingerprint
