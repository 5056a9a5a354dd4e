"""How fast a step was in the machine's own terms: tokens, floating-point operations, share of what it can do at most.

Operations are counted once, in the dry run; afterwards a batch's cost follows from its shape by arithmetic alone, so
that reporting it costs nothing.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

# The peak is the best of matrix products that are repeated for this long, and of this size: large enough to be bound
# by arithmetic, small enough to leave room on a GPU that holds a model.
PEAK_S = 0.3
PEAK_SIDE = {"cpu": 1024}
GPU_SIDE = 4096
# Timed together, so that starting a product on a GPU does not count.
PRODUCTS_AT_ONCE = {"cpu": 1}
GPU_PRODUCTS = 16


def shape_of(batch: Mapping[str, Any]) -> np.ndarray:
    """Compute what a batch's cost follows from.

    Attention costs the square of a row; patches and images together tell whole photos from crops, whose attention in
    the vision tower costs the square of each. Images whose features are known already cost nothing.

    Args:
        batch: A batch of a `Packer`.

    Returns:
        (4,) float64: padded tokens, sum of squared row lengths, image patches, images.
    """
    rows, size = batch["input_ids"].shape
    pixels = batch.get("pixel_values")
    patches, images = (0, 0) if pixels is None else (len(pixels), len(batch["image_grid_thw"]))
    return np.array([rows * size, rows * size * size, patches, images], dtype=np.float64)


@dataclass(frozen=True)
class FlopCosts:
    """Floating-point operations of forward and backward.

    Attributes:
        each: Those of one unit of each part of a shape (4,).
    """

    each: tuple[float, ...]

    def __call__(self, shape: np.ndarray) -> float:
        """The operations of a batch of this shape (4,)."""
        return float(shape @ np.asarray(self.each))


def fit(samples: Sequence[tuple[np.ndarray, float]]) -> FlopCosts:
    """Fit the costs, none of them negative, that come nearest to what was counted, relatively.

    Args:
        samples: The shape (4,) and the counted operations of each step.

    Raises:
        ValueError: There are no samples.
    """
    if not samples:
        raise ValueError("costs are learned from counted steps")
    counted = np.array([flops for _, flops in samples])
    shapes = np.array([shape for shape, _ in samples]) / counted[:, None]
    best, least = np.zeros(shapes.shape[1]), np.inf
    # Few unknowns: every choice of those that are not zero is tried.
    for size in range(1, shapes.shape[1] + 1):
        for chosen in itertools.combinations(range(shapes.shape[1]), size):
            part = shapes[:, chosen]
            scale = np.abs(part).max(axis=0)
            if not scale.all():
                continue
            found = np.linalg.lstsq(part / scale, np.ones(len(part)), rcond=1e-10)[0] / scale
            lost = float(np.square(part @ found - 1).sum())
            if (found >= 0).all() and lost < least - 1e-12:
                best, least = np.zeros(shapes.shape[1]), lost
                best[list(chosen)] = found
    return FlopCosts(tuple(best.tolist()))


@dataclass
class FlopCount:
    """Operations that were counted; filled when `counting` ends."""

    flops: float = 0.0


@contextmanager
def counting() -> Iterator[FlopCount]:
    """Count the operations of what runs within; it runs slower meanwhile."""
    cpu = torch.ops.aten
    # torch counts attention on GPUs only.
    attention = {
        cpu._scaled_dot_product_flash_attention_for_cpu: _attention,
        cpu._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
    }
    found = FlopCount()
    with FlopCounterMode(display=False, custom_mapping=attention) as counter:
        yield found
    found.flops = float(counter.get_total_flops())


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward(grad: Any, query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(grad, query, key, value))


def wait(device: torch.device) -> None:
    """Wait until the device has done all that was put to it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@functools.cache
def peak_flops_per_s(device: torch.device, dtype: torch.dtype) -> float:
    """Measure how many operations a second the device can do at most with numbers of this type, once in a process."""
    side = PEAK_SIDE.get(device.type, GPU_SIDE)
    times = PRODUCTS_AT_ONCE.get(device.type, GPU_PRODUCTS)
    rng = torch.Generator(device).manual_seed(0)  # the training's own random numbers stay as they are
    square = torch.randn(side, side, generator=rng, device=device).to(dtype)
    other, product = square.t().contiguous(), torch.empty_like(square)
    best, turn, ends = 0.0, 0, time.monotonic() + PEAK_S
    while True:
        wait(device)
        began = time.perf_counter()
        for _ in range(times):
            torch.mm(square, other, out=product)
        wait(device)
        if turn:  # the first one warms up
            best = max(best, times * 2 * side**3 / (time.perf_counter() - began))
        if turn >= 2 and time.monotonic() > ends:
            return best
        turn += 1


@dataclass
class ThroughputMeter:
    """Adds up the batches of a step and computes how fast they went.

    Attributes:
        costs: Operations by shape; None before they were counted, then only tokens are known.
        peak_flops_per_s: What the device can do at most; 0 when unknown.
        shape: The sum (4,) of the batches' shapes since the last reading.
        tokens: Their tokens without padding.
    """

    costs: FlopCosts | None = None
    peak_flops_per_s: float = 0.0
    shape: np.ndarray = field(default_factory=lambda: np.zeros(4))
    # A tensor on the device once batches were counted: reading it earlier would make the device wait.
    tokens: Any = 0

    def count(self, batch: Mapping[str, Any]) -> None:
        """Add a batch of the step (see `packing.Packer.batch`)."""
        self.shape = self.shape + shape_of(batch)
        self.tokens = self.tokens + batch["tokens"]

    def reading(self, seconds: float) -> dict[str, float]:
        """Read the batches counted since the last reading as fields of a step's event, and start anew.

        Args:
            seconds: How long they took.

        Returns:
            `tokens_per_s` and `padding` (a share, 0..1), and where costs are known `flops_per_s` and `peak_share`; {}
            when nothing was counted.
        """
        shape, tokens = self.shape, int(self.tokens)
        self.shape, self.tokens = np.zeros(4), 0
        if not shape[0] or seconds <= 0:
            return {}
        reported = {"tokens_per_s": round(tokens / seconds, 1), "padding": round(1 - tokens / float(shape[0]), 4)}
        if self.costs is not None:
            speed = self.costs(shape) / seconds
            reported["flops_per_s"] = round(speed)
            if self.peak_flops_per_s:
                reported["peak_share"] = round(speed / self.peak_flops_per_s, 4)
        return reported
