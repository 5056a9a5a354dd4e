"""Files written so that a reader never sees half of one, and a failing disk becomes one clear sentence."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import UserError

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def is_full(error: BaseException) -> bool:
    """Whether a full disk is behind an exception: torch and safetensors pass it on as text only."""
    return getattr(error, "errno", None) in FULL or "no space left on device" in str(error).lower()


def full(where: str) -> UserError:
    return UserError("the disk is full", where, "Make room, then start or resume the run.", "disk")


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


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write or replace a file in one go, folders included. Raises UserError when the disk does not take it."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)


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


def read_lines(path: Path) -> list[dict[str, Any]]:
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
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            shutil.copyfile(source, beside)
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
