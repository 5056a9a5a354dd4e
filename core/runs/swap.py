"""Folders replaced so that a process or a machine that dies at any moment leaves the old one or the new one, whole.

`x.part` is being written, `x.new` is written and safe on disk, `x.old` is what `x` was. Renaming `.part` to `.new` is
the moment from which on the new folder counts: before it `recover` goes back to the old one, after it to the new one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from core.runs.files import writing


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(f"{folder.name}.{ending}")


def begin(folder: Path) -> Path:
    """An empty folder to write into, which `finish` puts in the place of `folder`."""
    recover(folder)
    part = _beside(folder, "part")
    with writing(part):
        part.mkdir(parents=True)
    return part


def finish(folder: Path) -> None:
    """Put what was written since `begin` in the place of `folder`."""
    part = _beside(folder, "part")
    with writing(folder):
        sync(part)
        os.replace(part, _beside(folder, "new"))
        sync_entry(folder)
    recover(folder)


def recover(folder: Path) -> None:
    """Bring a replacement that broke off to its end, or take it back where the new folder was not whole yet."""
    part, new, old = (_beside(folder, ending) for ending in ("part", "new", "old"))
    with writing(folder):
        if new.exists():
            if folder.exists():
                _remove(old)
                os.replace(folder, old)
            os.replace(new, folder)
            sync_entry(folder)
        _remove(old)
        _remove(part)


def sync(folder: Path) -> None:
    """Wait until every file below `folder` is safe on disk."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        else:
            _sync_folder(file)
    _sync_folder(folder)


def sync_entry(path: Path) -> None:
    """Wait until the name of `path` is safe on disk: a rename may be lost though the files are not."""
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there, and are written through
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
