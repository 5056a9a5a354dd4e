"""How much memory and disk there is for a run, and how much memory it used at most."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import torch

# A pass of the smallest model takes longer than this; looking costs 10 µs.
SAMPLE_EVERY_S = 0.004
# AdamW keeps two float32 numbers for every weight that learns; they do not exist yet in a dry run.
OPTIMIZER_BYTES = 8


def disk_free_bytes(folder: Path) -> int:
    """Bytes that are free on the disk that `folder` is on or will be on."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return shutil.disk_usage(there).free


def memory_bytes(device: torch.device) -> int:
    """Bytes that this process may have in all on the device: what it has, and what is free."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) + torch.cuda.memory_reserved(device)
    return min(int(psutil.virtual_memory().available), container_free_bytes()) + resident_bytes()


def free_bytes(device: torch.device) -> int:
    """Bytes that this process may still take on the device."""
    if device.type == "cuda":
        return memory_bytes(device) - torch.cuda.memory_allocated(device)
    return memory_bytes(device) - resident_bytes()


def container_free_bytes(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that a container's limit leaves; no bound where there is none. Cached files give way on need.

    Args:
        group: The folder of the control group (cgroup v2).
    """
    try:
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        about = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(limit - used + int(about.get("inactive_file", 0)), 0)
    except (OSError, ValueError):
        return 1 << 62


def resident_bytes() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def learning_weights(trainer: Any) -> int:
    """How many weights of the model learn."""
    return sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)


@dataclass(frozen=True)
class MachineMemory:
    """How the machine's disk (by folder) and memory (by device) are measured; tests give other functions."""

    disk_free_bytes: Callable[[Path], int] = disk_free_bytes
    memory_bytes: Callable[[torch.device], int] = memory_bytes


@dataclass
class PeakMemory:
    """Measures the most memory, in bytes, that was used within `watched`."""

    device: torch.device
    used: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Measure the process's memory again and again, until `watched` ends; runs in a thread."""
        while not self._over.wait(SAMPLE_EVERY_S):
            self.used = max(self.used, resident_bytes())

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what runs within: `used` rises to the most that it used."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            try:
                yield
            finally:
                self.used = max(self.used, int(torch.cuda.max_memory_allocated(self.device)))
            return
        self._over.clear()
        thread = threading.Thread(target=self.watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
            self.used = max(self.used, resident_bytes())
