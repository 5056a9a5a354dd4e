"""A dry run of two steps before a training: whether it fits, how long it will take, what it will leave on disk.

The steps go through the trainer itself, forward and backward without an update, and leave it exactly as it was: the
adapter that comes out is bit for bit the one without it.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.engine.scoring import TOGETHER, judge_photos
from core.engine.training import throughput
from core.engine.training.checkpoints import checkpoint_bytes, require_disk
from core.engine.training.memory import OPTIMIZER_BYTES, MachineMemory, PeakMemory, learning_weights, resident_bytes
from core.engine.training.sizes import SequenceSize, largest, sequence_sizes, usual, views
from core.engine.training.trainer_state import unchanged, with_checkpointing
from core.engine.vision import CACHE_BYTES, ImageView, Patches
from core.errors import UserError
from core.runs.events import Reporter

# Steps of usual size are repeated for this long, at most so often: one alone is a matter of luck.
USUAL_S = 1.0
USUAL_TIMES = 5


@dataclass(frozen=True)
class PlannedCache:
    """Vision features that will be kept on disk before the first step.

    Attributes:
        missing_bytes: What they will take on disk.
        views: How many views of photos and boxes they are.
        features: Computes the features of one view; None when nothing is kept and every step computes them.
    """

    missing_bytes: int = 0
    views: int = 0
    features: Callable[[ImageView], Patches] | None = None


@dataclass(frozen=True)
class DryRun:
    """What the dry run found; MB are 10^6 bytes.

    Attributes:
        peak_memory_mb: The most memory that the training will use.
        memory_free_mb: What this process may have in all: what it has and what is free.
        step_s: Seconds of the largest step.
        usual_step_s: Seconds of a step of usual size.
        total_s: Seconds of the whole training.
        steps: The steps to be taken.
        checkpoint_mb: What the checkpoints will take on disk at most.
        cache_mb: What vision features will take on disk.
        disk_free_mb: What is free there.
        gradient_checkpointing: Whether the training will use it.
        flops_per_s: Floating-point operations a second in a step of usual size.
        peak_share: These as a share of what the device can do at most.
    """

    peak_memory_mb: float
    memory_free_mb: float
    step_s: float
    usual_step_s: float
    total_s: float
    steps: int
    checkpoint_mb: float
    cache_mb: float
    disk_free_mb: float
    gradient_checkpointing: bool
    flops_per_s: float = 0.0
    peak_share: float = 0.0


def take_step(trainer: Any, chosen: Sequence[SequenceSize]) -> float:
    """Compute one step's forward and backward on these sequences, without an update. Returns its seconds."""
    device = trainer.args.device
    throughput.wait(device)
    began = time.perf_counter()
    batch = trainer.data_collator([trainer.train_dataset[size.key] for size in chosen])
    # The divisor of the loss: any will do, nothing is learned.
    trainer.training_step(trainer.model, batch, torch.tensor(1.0, device=device))
    for parameter in trainer.model.parameters():
        parameter.grad = None
    throughput.wait(device)
    return time.perf_counter() - began


def opening_s(trainer: Any, chosen: Sequence[SequenceSize]) -> float:
    """Measure the seconds to open the photos of a step and to write its questions."""
    began = time.perf_counter()
    trainer.data_collator([trainer.train_dataset[size.key] for size in chosen]).batches()
    return time.perf_counter() - began


class Stopped(Exception):
    """A stop was requested while steps were tried."""


@dataclass
class DryRunState:
    """A dry run at work.

    Attributes:
        trainer: The trainer whose steps are tried.
        machine: Tells how much memory there is.
        sizes: The sequences of an epoch, the largest first.
        peak: Measures the memory used at most.
        largest: The sequences of the largest step.
        stop: Called before each step that is counted; True ends the dry run.
        counted: The shape and the operations of each step so far.
        largest_s: Seconds of the largest step.
    """

    trainer: Any
    machine: MachineMemory
    sizes: list[SequenceSize]
    peak: PeakMemory
    largest: list[SequenceSize] = field(default_factory=list)
    stop: Callable[[], bool] = lambda: False
    counted: list[tuple[np.ndarray, float]] = field(default_factory=list)
    largest_s: float = 0.0

    @property
    def per_step(self) -> int:
        """How many sequences a step has."""
        return int(min(self.trainer.args.per_device_train_batch_size, len(self.sizes)))

    @property
    def usual(self) -> list[SequenceSize]:
        """The sequences of a step of usual size."""
        return usual(self.sizes, self.per_step)

    def needed(self, used_bytes: int) -> int:
        """Bytes that will be used once the optimizer has its state too."""
        return used_bytes + OPTIMIZER_BYTES * learning_weights(self.trainer)

    def fits(self, used_bytes: int) -> bool:
        """Whether a training that uses so many bytes before the optimizer has its state fits into memory."""
        return self.needed(used_bytes) <= self.machine.memory_bytes(self.trainer.args.device)

    def count(self, chosen: Sequence[SequenceSize]) -> np.ndarray:
        """Take a step and count its operations.

        Returns:
            Its shape (4,), as in `throughput.shape_of`.

        Raises:
            Stopped: A stop was requested.
        """
        if self.stop():
            raise Stopped
        self.trainer.meter = throughput.ThroughputMeter()
        with self.peak.watched(), throughput.counting() as counted:
            take_step(self.trainer, chosen)
        shape: np.ndarray = self.trainer.meter.shape
        self.counted.append((shape, counted.flops))
        return shape

    def single_photo_fits(self) -> bool:
        """Try one photo alone, and judge by it whether a pass of the largest step will fit.

        Where memory is the computer's own, too much of it stops the computer before it stops us.
        """
        before = resident_bytes()
        alone = float(self.count(self.largest[:1])[0])
        step = alone * sum(size.tokens for size in self.largest) / self.largest[0].tokens
        a_pass = min(step, max(self.trainer.training_data.settings.training.tokens_per_pass, alone))
        return self.fits(before + int((self.peak.used - before) * max(a_pass / alone, 1.0)))

    def largest_fits(self) -> bool:
        """Take the largest step twice, the second time by the clock; whether it fits."""
        self.counted.clear()
        try:
            if self.trainer.args.device.type != "cuda" and not self.single_photo_fits():
                return False
            self.count(self.largest)
            with self.peak.watched():
                self.largest_s = take_step(self.trainer, self.largest)
        except (torch.OutOfMemoryError, MemoryError):
            return False
        return self.fits(self.peak.used)

    def usual_s(self) -> tuple[float, float, float]:
        """Measure a step of usual size.

        Returns:
            Its seconds, the operations a second in it, and the seconds to open its photos for the first time.
        """
        opening = opening_s(self.trainer, self.usual)
        shape = self.count(self.usual)
        self.count(self.sizes[-1:])
        times: list[float] = []
        while len(times) < USUAL_TIMES and (not times or sum(times) < USUAL_S):
            times.append(take_step(self.trainer, self.usual))
        seconds = float(np.median(times))
        return seconds, throughput.fit(self.counted)(shape) / seconds, opening


def fits(state: DryRunState) -> bool:
    """Whether the largest step fits, with gradient checkpointing if the trainer uses it."""
    with with_checkpointing(state.trainer):
        fitting = state.largest_fits()
    for parameter in state.trainer.model.parameters():
        parameter.grad = None
    gc.collect()
    if state.trainer.args.device.type == "cuda":
        torch.cuda.empty_cache()
    return fitting


def require_memory(state: DryRunState, reporter: Reporter) -> None:
    """Try the largest step; where it does not fit, again with gradient checkpointing, which the trainer then keeps.

    Raises:
        UserError: It does not fit even so.
    """
    args = state.trainer.args
    fitting = fits(state)
    if not fitting and not args.activation_checkpointing:
        args.activation_checkpointing = True
        state.peak = PeakMemory(args.device)
        reporter.emit(
            "warning",
            text="Memory is short, so some things are computed twice (gradient checkpointing): "
            "the same result, about a third slower.",
        )
        fitting = fits(state)
    if not fitting:
        raise too_little_memory(state)


def too_little_memory(state: DryRunState) -> UserError:
    """The error of a training that needs more memory than there is."""
    device = state.trainer.args.device
    return UserError(
        f"this training needs more memory than there is ({state.machine.memory_bytes(device) / 1e9:.1f} GB)",
        str(device),
        "Lower training.tokens_per_pass, view.photo_px or lora.rank.",
        "does-not-fit",
    )


def judging_s(trainer: Any) -> float:
    """Measure the seconds to judge a validation photo, on those of middle size that are judged together."""
    photos = sorted(trainer.eval_dataset, key=lambda photo: len(photo.objects))
    middle = max(len(photos) // 2 - TOGETHER // 2, 0)
    chosen = photos[middle : middle + TOGETHER]
    trainer.model.eval()
    kind = trainer.training_data.settings.question.kind
    seconds = 0.0
    for _ in range(2):  # the first time warms up and opens them
        began = time.perf_counter()
        list(judge_photos(trainer.model, trainer.prompt_builder, chosen, kind))
        seconds = time.perf_counter() - began
    return seconds / len(chosen)


def remembered_bytes(trainer: Any, whole: int) -> int:
    """Foresee what the photos that are still to be opened will take of the process's memory (none of a GPU's).

    As much is taken for each view as for those that were opened, until no more are remembered.

    Args:
        trainer: Its image encoder has remembered some views.
        whole: How many views there are in all.
    """
    known, size = trainer.prompt_builder.image_encoder.remembered
    if trainer.args.device.type == "cuda" or not known:
        return 0
    return int(max(min(CACHE_BYTES, size * whole // known) - size, 0))


def computing_dtype(trainer: Any) -> torch.dtype:
    """The number format in which the model's matrices are multiplied."""
    return torch.bfloat16 if trainer.args.bf16 else trainer.model.get_base_model().dtype


def measure_dry_run(
    trainer: Any,
    reporter: Reporter,
    steps: int,
    cache: PlannedCache | None = None,
    machine: MachineMemory | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> DryRun | None:
    """Try the largest step of this training and one of usual size, and report what was found as an event.

    Where memory is enough with gradient checkpointing alone, that is switched on in the trainer's arguments and
    reported.

    Args:
        trainer: The trainer, set up but not begun; it is left as it was.
        reporter: Takes the event, and a warning.
        steps: The steps still to be taken.
        cache: The vision features that will be kept; None for none.
        machine: What memory and disk there are; None looks at this machine.
        stop: Called before steps; True ends the dry run.

    Returns:
        What was found. None where several processes train together: a step of theirs is no single process's to try, so
        only the disk is checked.

    Raises:
        UserError: Disk or memory is too small (kind `does-not-fit`); the error says what to change.
        Stopped: A stop was requested.
    """
    cache, machine = cache or PlannedCache(), machine or MachineMemory()
    device, folder = trainer.args.device, Path(trainer.args.output_dir)
    saved, free = checkpoint_bytes(trainer, steps), machine.disk_free_bytes(folder)
    require_disk(saved, cache.missing_bytes, free, folder)
    if trainer.args.world_size > 1:
        return None
    reporter.emit("stage", text="Trying two steps")
    state = DryRunState(trainer, machine, sequence_sizes(trainer.training_data), PeakMemory(device), stop=stop)
    with unchanged(trainer):
        state.largest = largest(trainer, state.sizes, state.per_step)
        # Anew, so that what is remembered from here on tells what a view will take.
        trainer.prompt_builder.image_encoder = trainer.prompt_builder.image_encoder.anew()
        trainer.prompt_builder.image_encoder.features = cache.features
        require_memory(state, reporter)
        with with_checkpointing(trainer):
            usual_s, flops_per_s, opening = state.usual_s()
        with state.peak.watched():
            judge_s = judging_s(trainer)
        whole = views(trainer, state.sizes)
        used = state.peak.used + remembered_bytes(trainer, whole)
    if not state.fits(used):
        raise too_little_memory(state)
    peak = throughput.peak_flops_per_s(device, computing_dtype(trainer))
    trainer.meter.costs, trainer.meter.peak_flops_per_s = throughput.fit(state.counted), peak
    tests_s = math.ceil(steps / trainer.args.eval_steps) * len(trainer.eval_dataset) * judge_s
    per_step = sum(size.views for size in state.usual)
    # Photos are opened while the step before is computed. A GPU waits for the slower of the two; a CPU has both to do,
    # but remembers the photos.
    opened = cache.views if cache.features else min(steps * per_step, whole)
    steps_s = steps * usual_s + opened * opening / per_step
    if device.type == "cuda" and not cache.features:
        steps_s = steps * max(usual_s, opening)
    found = DryRun(
        peak_memory_mb=round(state.needed(used) / 1e6, 1),
        memory_free_mb=round(machine.memory_bytes(device) / 1e6, 1),
        step_s=round(state.largest_s, 4),
        usual_step_s=round(usual_s, 4),
        total_s=round(steps_s + tests_s, 1),
        steps=steps,
        checkpoint_mb=round(saved / 1e6, 3),
        cache_mb=round(cache.missing_bytes / 1e6, 3),
        disk_free_mb=round(free / 1e6, 1),
        gradient_checkpointing=bool(trainer.args.activation_checkpointing),
        flops_per_s=round(flops_per_s),
        peak_share=round(flops_per_s / peak, 4),
    )
    reporter.emit("rehearsal", **asdict(found))
    return found
