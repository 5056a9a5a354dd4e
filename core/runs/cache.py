"""The cache of vision features as a folder: its size, keeping it under its cap, clearing it. No torch here."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

from core.runs.workspace import Workspace

PATTERN = "*/*/*.safetensors"
# A file is written within seconds: one this old is nobody's.
OLD_S = 86_400.0


def size(workspace: Workspace) -> tuple[int, int]:
    """(files, bytes) of the cache."""
    sizes = [about.st_size for about, _ in _kept(workspace.feature_cache)]
    return len(sizes), sum(sizes)


def _kept(folder: Path) -> list[tuple[os.stat_result, Path]]:
    """The files that are there; another process may remove some at any moment."""
    found = []
    for file in folder.glob(PATTERN):
        with contextlib.suppress(OSError):
            found.append((file.stat(), file))
    return found


def clear(workspace: Workspace) -> tuple[int, int]:
    """Remove the cache; returns (files, bytes) that it had. Features that a run still wants are computed again."""
    files, held = size(workspace)
    shutil.rmtree(workspace.feature_cache, ignore_errors=True)
    left_files, left = size(workspace)  # what a run has mapped stays, on Windows
    return files - left_files, held - left


def make_room(folder: Path, cap_bytes: int, needed_bytes: int) -> None:
    """Remove the files that were used longest ago until `needed_bytes` more fit under the cap, and what processes that
    were killed left half written."""
    for file in folder.glob("*/*/*.part"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > OLD_S:
                file.unlink()
    kept = _kept(folder)
    over = sum(about.st_size for about, _ in kept) + needed_bytes - cap_bytes
    for about, file in sorted(kept, key=lambda entry: entry[0].st_mtime_ns):
        if over <= 0:
            return
        with contextlib.suppress(OSError):  # another process may have removed it, or Windows may still map it
            file.unlink()
            over -= about.st_size
