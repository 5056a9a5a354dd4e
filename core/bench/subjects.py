"""What is measured on: a model, photos, and every question with the text that all variants give the model."""

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

from core.bench.measure import Job
from core.bench.shapes import SHAPES, random_model
from core.bench.step_meter import StepMeter
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
SCRIPT_VARIANTS = ("plain", "trl", "generate")


class Unavailable(Exception):
    """A comparison that cannot be made here; the text names the reason and the cure."""


@dataclass(frozen=True)
class BenchQuestion:
    """One question as a script holds it.

    Attributes:
        path: of the photo.
        crop_px: (left, upper, right, lower) in pixels; None for no crop.
        text: of the question.
        answer: the right one.
        allowed: all answers among which the model chooses.
    """

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
    """The question about the condition of every object, in the engine's words.

    Args:
        photos: with their objects.
        settings: of the view and of what a question mentions.
        taxonomy: gives the allowed answers.
        family: of the model, which decides how boxes are written.
    """
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
    """The model and photos of a job, the same in every process that is given the same job.

    Raises:
        Unavailable: the job needs a library that is not installed.
    """
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
    if job.variant in SCRIPT_VARIANTS:
        restore_convolution(loaded.model)
    else:
        models.quicken_patches(loaded.model)
    photos = read_images(Path(job.images))
    return Subject(loaded, settings, taxonomy, photos, questions_of(photos, settings, taxonomy, loaded.family))


def restore_convolution(model: Any) -> None:
    """Undo what `models.load` does to be faster: a script embeds patches by a convolution."""
    embed = model.model.visual.patch_embed
    linear = embed.proj
    if isinstance(linear, models.PatchMatmul):
        size = (linear.kernel_size[0], linear.kernel_size[1], linear.kernel_size[2])
        embed.proj = torch.nn.Conv3d(linear.in_channels, linear.out_channels, size, size, bias=False)
        embed.proj.weight = linear.weight


def lora_on(subject: Subject) -> torch.nn.Module:
    """The model with the same random LoRA in every process."""
    set_seed(SEED)
    model: torch.nn.Module = adapters.attach_lora(subject.loaded.model, subject.settings.lora)
    return model


class StepTimer(TrainerCallback):
    """Hands every step of a transformers Trainer to the meter, which may end the training.

    Args:
        meter: called with what has been done; returns whether to go on.
        done: returns that from the number of steps.
    """

    def __init__(self, meter: Callable[..., bool], done: Callable[[int], dict[str, float]]) -> None:
        self.meter, self.done = meter, done

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        """Called by the Trainer after every optimizer step."""
        if not self.meter(**self.done(state.global_step)):
            control.should_training_stop = True


def train_measured(trainer: Trainer, given: Mapping[str, Any], batch: int, meter: StepMeter) -> None:
    """Train with a transformers Trainer until the meter ends it.

    Args:
        trainer: made with `given`.
        given: what `plain_arguments` returned.
        batch: questions in a batch, for the report.
        meter: is called after every step.
    """
    per_step = int(given["per_device_train_batch_size"] * given["gradient_accumulation_steps"])

    def done(steps: int) -> dict[str, float]:
        return {"questions": steps * per_step}

    trainer.add_callback(StepTimer(meter, done))
    trainer.remove_callback(PrinterCallback)
    meter.begin(batch=batch, questions_per_step=per_step)
    trainer.train()


def plain_arguments(subject: Subject, job: Job) -> dict[str, Any]:
    """TrainingArguments of the plain trainers: our optimizer, learning rate, clipping and questions a step."""
    training = subject.settings.training
    per_step = questions_per_step(subject) if job.accumulate else job.batch
    return {
        "output_dir": str(Path(job.workspace) / "plain"),
        "per_device_train_batch_size": job.batch,
        "gradient_accumulation_steps": max(round(per_step / job.batch), 1),
        "max_steps": 10**9,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "constant",
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
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
    training = subject.settings.training
    per_photo = len(subject.questions) / len(subject.photos)
    return max(round(per_photo * training.batch_size * training.accumulation), 1)
