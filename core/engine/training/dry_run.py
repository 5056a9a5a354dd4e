"""Two steps of a training tried before it begins: whether it fits, how long it will take, what it will leave on disk.

The steps go through the trainer itself, forward and backward without an update, and leave it exactly as it was: the
adapter that comes out is bit for bit the one without it.
"""

from __future__ import annotations

import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.engine.scoring import TOGETHER, judge_photos
from core.engine.training import throughput
from core.engine.training.memory import MachineMemory, PeakMemory, resident_bytes
from core.engine.training.sizes import SequenceSize, largest, sequence_sizes, usual, views
from core.engine.vision import CACHE_BYTES, ImageEncoder, ImageView, Patches
from core.errors import UserError
from core.runs.events import Reporter

# AdamW keeps two float32 numbers for every weight that learns; they do not exist yet while this is tried.
OPTIMIZER_BYTES = 8
WEIGHT_BYTES = 4
# Steps of usual size are repeated for this long, at most so often: one alone is a matter of luck.
USUAL_S = 1.0
USUAL_TIMES = 5


@dataclass(frozen=True)
class PlannedCache:
    """Vision features that will be kept on disk before the first step: their bytes, how many views of photos and boxes
    they are, and how one is computed (None: nothing is kept, every step computes them)."""

    missing_bytes: int = 0
    views: int = 0
    features: Callable[[ImageView], Patches] | None = None


@dataclass(frozen=True)
class DryRun:
    """What the two steps came to. `memory_free_mb` is what this process may have in all: what it has and what is free.

    `step_s` is the largest step's time, `usual_step_s` that of one of usual size; `total_s` is the whole training.
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


@contextmanager
def unchanged(trainer: Any) -> Iterator[None]:
    """Whatever steps are taken within: gradients, modes, random numbers, the trainer's counters and the photos that are
    remembered are as before."""
    model, device, prompt_builder = trainer.model, trainer.args.device, trainer.prompt_builder
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    counters = {name: value for name, value in vars(trainer).items() if isinstance(value, int | float)}
    meter, trainer.meter = trainer.meter, throughput.ThroughputMeter()
    # Features computed one by one differ in their last digits from those computed together: none may stay.
    image_encoder, prompt_builder.image_encoder = (
        prompt_builder.image_encoder,
        ImageEncoder(prompt_builder.image_encoder.processor, prompt_builder.image_encoder.view),
    )
    rng = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpu_rng = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, training in modes:
            module.training = training
        vars(trainer).update(counters)
        trainer.meter, prompt_builder.image_encoder = meter, image_encoder
        random.setstate(rng[0])
        np.random.set_state(rng[1])
        torch.set_rng_state(rng[2])
        if gpu_rng is not None:
            torch.cuda.set_rng_state(gpu_rng, device)


def take_step(trainer: Any, chosen: Sequence[SequenceSize]) -> float:
    """One step's forward and backward on these sequences, without an update. Returns its seconds."""
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
    """Seconds to open the photos of a step and to write its questions."""
    began = time.perf_counter()
    trainer.data_collator([trainer.train_dataset[size.key] for size in chosen]).batches()
    return time.perf_counter() - began


def learning_weights(trainer: Any) -> int:
    return sum(parameter.numel() for parameter in trainer.model.parameters() if parameter.requires_grad)


def checkpoint_bytes(trainer: Any, steps: int) -> int:
    """What checkpoints will take at most: those kept and the one that is written before the oldest goes, each with the
    optimizer's state, and the adapter alone as the best, as the best while it is replaced, and as the final one."""
    adapter = WEIGHT_BYTES * learning_weights(trainer)
    written = math.ceil(steps / trainer.args.save_steps)
    kept = min(trainer.args.save_total_limit + 1 if trainer.args.save_total_limit else written, written)
    return int(kept * (adapter + OPTIMIZER_BYTES * learning_weights(trainer)) + 3 * adapter)


def require_disk(needed_bytes: int, cache_bytes: int, free_bytes: int, folder: Path) -> None:
    """Raises UserError when the disk will not take what a training writes."""
    if needed_bytes + cache_bytes <= free_bytes:
        return
    lacking = (needed_bytes + cache_bytes - free_bytes) / 1e9
    ways = [f"Free {max(lacking, 0.1):.1f} GB", "lower training.keep_checkpoints"]
    ways += ["switch model.cache_features off"] if cache_bytes else []
    raise UserError(
        f"{(needed_bytes + cache_bytes) / 1e9:.1f} GB are needed for checkpoints and kept features, "
        f"{free_bytes / 1e9:.1f} GB are free",
        str(folder),
        f"{', '.join(ways[:-1])} or {ways[-1]}.",
        "does-not-fit",
    )


class Stopped(Exception):
    """Somebody asked to stop while steps were tried."""


@dataclass
class DryRunState:
    """The trainer on trial: which steps are tried, on what machine, and what was seen of them."""

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
        return int(min(self.trainer.args.per_device_train_batch_size, len(self.sizes)))

    @property
    def usual(self) -> list[SequenceSize]:
        return usual(self.sizes, self.per_step)

    def needed(self, used_bytes: int) -> int:
        """With what the optimizer will add to it."""
        return used_bytes + OPTIMIZER_BYTES * learning_weights(self.trainer)

    def fits(self, used_bytes: int) -> bool:
        return self.needed(used_bytes) <= self.machine.memory_bytes(self.trainer.args.device)

    def count(self, chosen: Sequence[SequenceSize]) -> np.ndarray:
        """Take a step and count its operations; returns its shape."""
        if self.stop():
            raise Stopped
        self.trainer.meter = throughput.ThroughputMeter()
        with self.peak.watched(), throughput.counting() as counted:
            take_step(self.trainer, chosen)
        shape: np.ndarray = self.trainer.meter.shape
        self.counted.append((shape, counted.flops))
        return shape

    def one_fits(self) -> bool:
        """One photo tried alone, and its memory taken as many times as a pass of the largest step will hold it: where
        memory is the computer's own, too much of it stops the computer before it stops us."""
        before = resident_bytes()
        alone = float(self.count(self.largest[:1])[0])
        step = alone * sum(size.tokens for size in self.largest) / self.largest[0].tokens
        a_pass = min(step, max(self.trainer.training_data.settings.training.tokens_per_pass, alone))
        return self.fits(before + int((self.peak.used - before) * max(a_pass / alone, 1.0)))

    def tried(self) -> bool:
        """Whether the largest step fits; it was taken twice then, the second time by the clock."""
        self.counted.clear()
        try:
            if self.trainer.args.device.type != "cuda" and not self.one_fits():
                return False
            self.count(self.largest)
            with self.peak.watched():
                self.largest_s = take_step(self.trainer, self.largest)
        except (torch.OutOfMemoryError, MemoryError):
            return False
        return self.fits(self.peak.used)

    def usual_s(self) -> tuple[float, float, float]:
        """Seconds of a step of usual size, operations a second in it, and seconds to open its photos at first."""
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
        fitting = state.tried()
    for parameter in state.trainer.model.parameters():
        parameter.grad = None
    gc.collect()
    if state.trainer.args.device.type == "cuda":
        torch.cuda.empty_cache()
    return fitting


@contextmanager
def with_checkpointing(trainer: Any) -> Iterator[None]:
    """With the model's gradient checkpointing on, if the trainer will switch it on."""
    if not trainer.args.activation_checkpointing:
        yield
        return
    base = trainer.model.get_base_model()
    base.activation_checkpointing_enable(trainer.args.activation_checkpointing_kwargs)
    try:
        yield
    finally:
        base.activation_checkpointing_disable()


def require_memory(state: DryRunState, reporter: Reporter) -> None:
    """Try the largest step; where it does not fit, again with gradient checkpointing, which the trainer then keeps.

    Raises UserError when it does not fit even so.
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
        raise too_little(state)


def too_little(state: DryRunState) -> UserError:
    device = state.trainer.args.device
    return UserError(
        f"this training needs more memory than there is ({state.machine.memory_bytes(device) / 1e9:.1f} GB)",
        str(device),
        "Lower training.tokens_per_pass, view.photo_px or lora.rank.",
        "does-not-fit",
    )


def judging_s(trainer: Any) -> float:
    """Seconds to judge a validation photo, from those of middle size that are judged together."""
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
    """What the photos that are still to be opened will take of the process's memory (none of a GPU's): as much for each
    of `whole` views as for those that were opened, until no more are remembered."""
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
    """Try the largest step of this training and one of usual size; reports what it found as an event.

    `steps` are those still to be taken. Raises UserError (kind `does-not-fit`) with a cure when disk or memory will not
    do; where memory does with gradient checkpointing alone, that is switched on in the trainer's arguments and said.
    Raises Stopped when `stop` says so. None where several processes train together: there only the disk is looked at,
    because a step of theirs is no single process's to try.
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
        trainer.prompt_builder.image_encoder = ImageEncoder(
            trainer.prompt_builder.image_encoder.processor, trainer.prompt_builder.image_encoder.view
        )
        trainer.prompt_builder.image_encoder.features = cache.features
        require_memory(state, reporter)
        with with_checkpointing(trainer):
            usual_s, flops_per_s, opening = state.usual_s()
        with state.peak.watched():
            judge_s = judging_s(trainer)
        whole = views(trainer, state.sizes)
        used = state.peak.used + remembered_bytes(trainer, whole)
    if not state.fits(used):
        raise too_little(state)
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
