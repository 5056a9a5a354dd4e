"""Measures the steps of a training or an evaluation, in readings that another process requests."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import psutil
import torch

from core.engine.training.memory import resident_bytes


def peak_mb(device: torch.device) -> float:
    """The most memory that this process ever held, or that its tensors held on a GPU, in MB.

    Linux keeps the high-water mark of the memory itself; getrusage would count what the starting process held too.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) * 1024 / 1e6
    now = psutil.Process().memory_info()
    if hasattr(now, "peak_wset"):  # Windows
        return float(now.peak_wset) / 1e6
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * scale / 1e6


def held_mb(device: torch.device) -> float:
    """The memory that this process holds now, or that its tensors hold on a GPU, in MB."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device) / 1e6
    return resident_bytes() / 1e6


class StepMeter:
    """Called after every step with what has been done so far; waits for the next request when a reading is over.

    A step's data are made before the step, so between two calls lie whole steps, data included.

    Args:
        requests: one JSON object a line: {"seconds", "steps"}, the least that a reading covers.
        replies: takes one JSON object a line, a reading each.
        device: what the steps run on.
        warm: how many steps are not measured at first.
    """

    def __init__(self, requests: TextIO, replies: TextIO, device: torch.device, warm: int) -> None:
        self.requests, self.replies, self.device, self.left_to_warm = requests, replies, device, warm
        self.ready: dict[str, Any] = {}
        self.seconds = self.steps = 0.0
        self.done_steps = 0
        self.began = 0.0
        self.at_start: dict[str, float] = {}

    def begin(self, **facts: Any) -> None:
        """Right before the first step: keep facts for the first reply, with the memory held without any step."""
        self.ready |= {**facts, "before_mb": round(held_mb(self.device), 1)}

    def __call__(self, **done: float) -> bool:
        """Whether to go on. `done` counts questions, photos or tokens since the beginning."""
        if self.left_to_warm > 0:
            self.left_to_warm -= 1
            return True if self.left_to_warm else self._next(self.ready, done)
        self.done_steps += 1
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elapsed = time.perf_counter() - self.began
        if elapsed < self.seconds or self.done_steps < self.steps:
            return True
        reading = {name: count - self.at_start.get(name, 0) for name, count in done.items()}
        reading |= {"seconds": elapsed, "steps": self.done_steps, "peak_mb": round(peak_mb(self.device), 1)}
        return self._next(reading, done)

    def _next(self, reply: Mapping[str, Any], done: Mapping[str, float]) -> bool:
        write_message(self.replies, reply)
        line = self.requests.readline()
        if not line:
            return False
        request = json.loads(line)
        self.seconds, self.steps = request["seconds"], request["steps"]
        self.at_start, self.done_steps = dict(done), 0
        self.began = time.perf_counter()
        return True


def write_message(stream: TextIO, message: Mapping[str, Any]) -> None:
    """Write a message as a line of JSON, at once."""
    stream.write(json.dumps(message) + "\n")
    stream.flush()
