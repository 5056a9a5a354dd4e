"""What is measured on: a model, photos, and every question with the text that all variants put to the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

from core.bench.beat import Beat
from core.bench.measure import Job
from core.bench.shapes import SHAPES, random_model
from core.bench.synthetic_images import read_images
from core.data.types import Photo
from core.engine import adapters, models
from core.engine.vision import crop_box
from core.families import FAMILIES
from core.prompts import PhotoContext, answers, question_text
from core.settings import Settings, from_dict
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy

SEED = 0


# The ways of working that are not damgui's.
THEIRS = ("plain", "trl", "generate")


class Unavailable(Exception):
    """A comparison that cannot be made here; the text says how it could."""


@dataclass(frozen=True)
class BenchQuestion:
    """One question as a script holds it: the photo's file, the crop in pixels (None: no crop), text and answers."""

    path: Path
    crop_px: tuple[int, int, int, int] | None
    text: str
    answer: str
    allowed: tuple[str, ...]


@dataclass
class Subject:
    """A job's model with random LoRA still to be attached, its settings, photos and questions."""

    loaded: models.Loaded
    settings: Settings
    taxonomy: Taxonomy
    photos: list[Photo]
    questions: list[BenchQuestion]


def questions_of(photos: Sequence[Photo], settings: Settings, taxonomy: Taxonomy, family: str) -> list[BenchQuestion]:
    """The condition of every object, in the engine's words."""
    found = []
    for photo in photos:
        for index, obj in enumerate(photo.objects):
            others = [other.box_xyxy for place, other in enumerate(photo.objects) if place != index]
            context = PhotoContext(settings.view.mode, photo.size_wh, FAMILIES[family].box_unit)
            text = question_text(obj.object_type, obj.box_xyxy, others, context, settings.enhance, taxonomy)
            crop = None
            if settings.view.mode == "full+crop":
                crop = crop_box(obj.box_xyxy, photo.size_wh, settings.view.crop_margin)
            found.append(BenchQuestion(photo.path, crop, text, obj.condition, answers(obj.object_type, taxonomy)))
    return found


def open_subject(job: Job) -> Subject:
    """The model and photos of a job, the same in every process that is given the same job."""
    logging.set_verbosity_error()
    settings = from_dict(job.settings)
    taxonomy = load_taxonomy(settings.data.taxonomy)
    set_seed(SEED)
    if job.model in SHAPES:
        device = models.choose_device(job.device)
        four_bit = job.variant.endswith("4-bit")
        if four_bit and find_spec("bitsandbytes") is None:
            raise Unavailable("not measured: bitsandbytes is not installed (pip install bitsandbytes)")
        loaded = random_model(SHAPES[job.model], tuple(job.layers), device, four_bit)
    else:
        loaded = models.load(settings.model)
    if job.variant in THEIRS:
        as_scripts_have_it(loaded.model)
    else:
        models.quicken_patches(loaded.model)
    photos = read_images(Path(job.album))
    return Subject(loaded, settings, taxonomy, photos, questions_of(photos, settings, taxonomy, loaded.family))


def as_scripts_have_it(model: Any) -> None:
    """Undo what `models.load` does to be faster: a script's patches are embedded by a convolution."""
    embed = model.model.visual.patch_embed
    ours = embed.proj
    if isinstance(ours, models.PatchMatmul):
        size = (ours.kernel_size[0], ours.kernel_size[1], ours.kernel_size[2])
        embed.proj = torch.nn.Conv3d(ours.in_channels, ours.out_channels, size, size, bias=False)
        embed.proj.weight = ours.weight


def lora_on(subject: Subject) -> torch.nn.Module:
    """The same small matrices in every process."""
    set_seed(SEED)
    model: torch.nn.Module = adapters.attach_lora(subject.loaded.model, subject.settings.lora)
    return model


class StepTimer(TrainerCallback):
    """Hands every step of a transformers Trainer to the beat."""

    def __init__(self, beat: Callable[..., bool], done: Callable[[int], dict[str, float]]) -> None:
        self.beat, self.done = beat, done

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if not self.beat(**self.done(state.global_step)):
            control.should_training_stop = True


def measured(trainer: Trainer, given: Mapping[str, Any], batch: int, beat: Beat) -> None:
    """Train with a transformers Trainer made of `plain_arguments` until the beat says no."""
    per_step = int(given["per_device_train_batch_size"] * given["gradient_accumulation_steps"])

    def done(steps: int) -> dict[str, float]:
        return {"questions": steps * per_step}

    trainer.add_callback(StepTimer(beat, done))
    trainer.remove_callback(PrinterCallback)
    beat.begin(batch=batch, questions_per_step=per_step)
    trainer.train()


def plain_arguments(subject: Subject, job: Job) -> dict[str, Any]:
    """TrainingArguments of the plain trainers: our optimizer, learning rate, clipping and questions a step."""
    mine = subject.settings.training
    per_step = questions_per_step(subject) if job.accumulate else job.batch
    return {
        "output_dir": str(Path(job.workspace) / "plain"),
        "per_device_train_batch_size": job.batch,
        "gradient_accumulation_steps": max(round(per_step / job.batch), 1),
        "max_steps": 10**9,
        "learning_rate": mine.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": mine.weight_decay,
        "max_grad_norm": mine.max_grad_norm,
        "save_strategy": "no",
        "logging_steps": 10,
        "seed": SEED,
        "use_cpu": subject.loaded.device.type == "cpu",
        "bf16": subject.loaded.model.dtype == torch.bfloat16,
        "dataloader_pin_memory": subject.loaded.device.type == "cuda",
        "remove_unused_columns": False,
        "report_to": "none",
        "disable_tqdm": True,
        "gradient_checkpointing": False,
    }


def questions_per_step(subject: Subject) -> int:
    """How many questions our step holds on average."""
    mine = subject.settings.training
    per_photo = len(subject.questions) / len(subject.photos)
    return max(round(per_photo * mine.batch_size * mine.accumulation), 1)
