"""Folders replaced so that a process or a machine that dies at any moment leaves the old or the new folder, complete.

`x.part` is being written, `x.new` is complete and safe on disk, `x.old` is what `x` was. The rename of `.part` to
`.new` commits the replacement: before it, `recover` goes back to the old folder, after it, on to the new one.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.runs.files import remove, replace, sync_file, system_path, writing

ENDINGS = ("part", "new", "old")


def _beside(folder: Path, ending: str) -> Path:
    return folder.with_name(f"{folder.name}.{ending}")


def begin(folder: Path) -> Path:
    """Make an empty folder to write into, which `finish` puts in the place of `folder`.

    Raises:
        UserError: The folder cannot be made.
    """
    recover(folder)
    part = _beside(folder, "part")
    with writing(part):
        os.makedirs(system_path(part))
    return part


def finish(folder: Path) -> None:
    """Put what was written since `begin` in the place of `folder`.

    Raises:
        UserError: The folder cannot be replaced.
    """
    part = _beside(folder, "part")
    with writing(folder):
        sync(part)
        replace(part, _beside(folder, "new"))
        sync_entry(folder)
    recover(folder)


def recover(folder: Path) -> None:
    """Complete an interrupted replacement of `folder`, or undo it when the new folder was not complete yet.

    Raises:
        UserError: The folder cannot be replaced.
    """
    part, new, old = (_beside(folder, ending) for ending in ENDINGS)
    with writing(folder):
        if _exists(new):
            if _exists(folder):
                remove(old)
                replace(folder, old)
            replace(new, folder)
            sync_entry(folder)
        remove(old)
        remove(part)


def sync(folder: Path) -> None:
    """Flush every file below `folder`, and the folders, to disk."""
    for file in sorted(Path(system_path(folder)).rglob("*")):
        if file.is_file():
            sync_file(file)
        else:
            _sync_folder(file)
    _sync_folder(folder)


def sync_entry(path: Path) -> None:
    """Flush the folder entry of `path` to disk: a rename may be lost though the files are not."""
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there, and are written through
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _exists(folder: Path) -> bool:
    return os.path.exists(system_path(folder))
