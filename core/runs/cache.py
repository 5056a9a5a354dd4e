"""The cache of vision features as a folder: its size, keeping it under its cap, clearing it. No torch here."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from core.runs.workspace import Workspace

PATTERN = "*/*/*.safetensors"


def size(workspace: Workspace) -> tuple[int, int]:
    """(files, bytes) of the cache."""
    sizes = [file.stat().st_size for file in workspace.feature_cache.glob(PATTERN)]
    return len(sizes), sum(sizes)


def clear(workspace: Workspace) -> tuple[int, int]:
    """Remove the cache; returns (files, bytes) that it had. Features that a run still wants are computed again."""
    had = size(workspace)
    shutil.rmtree(workspace.feature_cache, ignore_errors=True)
    return had


def make_room(folder: Path, cap_bytes: int, needed_bytes: int) -> None:
    """Remove the files that were used longest ago until `needed_bytes` more fit under the cap."""
    kept = [(file.stat(), file) for file in folder.glob(PATTERN)]
    over = sum(about.st_size for about, _ in kept) + needed_bytes - cap_bytes
    for about, file in sorted(kept, key=lambda one: one[0].st_mtime_ns):
        if over <= 0:
            return
        with contextlib.suppress(OSError):  # another process may have removed it, or Windows may still map it
            file.unlink()
            over -= about.st_size
