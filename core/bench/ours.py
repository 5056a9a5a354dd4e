"""damgui's own training and evaluation, built as `core/engine/training/run.py` and `evaluation.py` build them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import PrinterCallback

from core import settings as schema
from core.bench.measure import Job
from core.bench.step_meter import StepMeter
from core.bench.subjects import StepTimer, Subject, lora_on
from core.data.types import Photo
from core.engine import feature_cache, models
from core.engine.questions import PromptBuilder
from core.engine.samples import sample_tokens
from core.engine.training.data import TrainingDataset
from core.engine.training.setup import arguments
from core.engine.training.trainer import PackedTrainer
from core.engine.vision import ImageEncoder
from core.runs.events import SilentReporter
from core.runs.workspace import Workspace


def prompt_builder_of(
    job: Job, subject: Subject, model: Any, versions: Sequence[tuple[bool, int]]
) -> tuple[PromptBuilder, float]:
    """A prompt builder that shows photos as the job requests.

    Args:
        job: decides whether photos or features stay in memory.
        subject: what is measured on.
        model: with or without LoRA.
        versions: (mirrored, brightness) of each photo that is prepared.

    Returns:
        The prompt builder, and the seconds that filling the feature cache took.
    """
    keep = job.variant.endswith("cached")
    settings = schema.merge(subject.settings, {"model.cache_features": keep})
    prompt_builder = PromptBuilder(subject.loaded, settings, subject.taxonomy)
    if not job.cache_images:
        prompt_builder.image_encoder = ImageEncoder(subject.loaded.processor, settings.view, cache_bytes=1)
    began = time.perf_counter()
    if keep:
        quiet = SilentReporter()
        wanted: list[tuple[list[Photo], Sequence[tuple[bool, int]]]] = [(subject.photos, versions)]
        feature_cache.prepare(prompt_builder, subject.loaded, model, wanted, Workspace(Path(job.workspace)), quiet)
        if quiet.warnings:
            raise RuntimeError(quiet.warnings[0])
    return prompt_builder, time.perf_counter() - began


class Tokens:
    """Counts the tokens of the samples that a prompt builder writes, padding left out."""

    def __init__(self, prompt_builder: PromptBuilder) -> None:
        self.count, self._batches, self._merge = 0, prompt_builder.batches, prompt_builder.image_encoder.merge
        prompt_builder.batches = self.batches  # type: ignore[method-assign]

    def batches(self, samples: Sequence[Any]) -> Any:
        """What the prompt builder makes of the samples; their tokens are counted."""
        self.count += sum(sample_tokens(sample, self._merge) for sample in samples)
        return self._batches(samples)


def trainer_of(job: Job, subject: Subject, meter: StepMeter) -> PackedTrainer:
    """The engine's trainer on the job's photos: the one place that knows how `training.setup` puts it together.

    Args:
        job: what is measured.
        subject: what it is measured on.
        meter: is called after every step.
    """
    settings = schema.merge(
        subject.settings,
        {
            "training.max_steps": 10**9,
            "training.save_steps": 10**9,
            "training.eval_steps": 10**9,
            "training.schedule": "constant_with_warmup",
            "training.warmup_share": 0.0,
        },
    )
    model = lora_on(subject)
    prompt_builder, fill_s = prompt_builder_of(job, subject, model, [(False, 0)])
    tokens = Tokens(prompt_builder)
    models.close_head(model, prompt_builder.candidates)
    training_data = TrainingDataset(subject.photos, prompt_builder, settings)
    trainer: PackedTrainer

    def done(_steps: int) -> dict[str, float]:
        return {"questions": trainer.questions_done, "photos": trainer.photos_done, "tokens": tokens.count}

    trainer = PackedTrainer(
        training_data,
        prompt_builder,
        SilentReporter(),
        model=model,
        eval_dataset=[],
        callbacks=[StepTimer(meter, done)],
        args=arguments(settings, Path(job.workspace) / "checkpoints", subject.loaded.device),
    )
    trainer.remove_callback(PrinterCallback)
    meter.begin(fill_s=round(fill_s, 3), photos_per_step=settings.training.batch_size * settings.training.accumulation)
    return trainer


def train(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Train until the meter ends it."""
    trainer_of(job, subject, meter).train()
