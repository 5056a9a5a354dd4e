"""The folder of cached vision features: its size, its cap, clearing it. It needs no torch."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from core.runs.files import remove_now
from core.runs.workspace import Workspace

PATTERN = "*/*/*.safetensors"
# A file is written within seconds: a part this old was left by a killed process.
OLD_S = 86_400.0


def size(workspace: Workspace) -> tuple[int, int]:
    """(number of files, their bytes) of the cache."""
    sizes = [stat.st_size for stat, _ in _kept(workspace.feature_cache)]
    return len(sizes), sum(sizes)


def _kept(folder: Path) -> list[tuple[os.stat_result, Path]]:
    """The cache's files with their stat; those that another process removes meanwhile are left out."""
    found = []
    for file in folder.glob(PATTERN):
        with contextlib.suppress(OSError):
            found.append((file.stat(), file))
    return found


def clear(workspace: Workspace) -> tuple[int, int]:
    """Remove the cache; returns (number of files, bytes) removed. A run computes again what it still needs."""
    files, held = size(workspace)
    remove_now(workspace.feature_cache)
    left_files, left = size(workspace)  # what a run has mapped stays, on Windows
    return files - left_files, held - left


def evict(folder: Path, cap_bytes: int, needed_bytes: int) -> None:
    """Remove the least recently used files until `needed_bytes` more fit under the cap.

    Also removes files that killed processes left half written.

    Args:
        folder: The cache's folder.
        cap_bytes: The most that the cache may hold.
        needed_bytes: What is about to be written.
    """
    for file in folder.glob("*/*/*.part"):
        with contextlib.suppress(OSError):
            if time.time() - file.stat().st_mtime > OLD_S:
                remove_now(file)
    kept = _kept(folder)
    over = sum(stat.st_size for stat, _ in kept) + needed_bytes - cap_bytes
    for stat, file in sorted(kept, key=lambda entry: entry[0].st_mtime_ns):
        if over <= 0:
            return
        if remove_now(file):  # Windows may still map it
            over -= stat.st_size
