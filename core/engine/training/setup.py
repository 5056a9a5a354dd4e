"""A training made ready: photos, model, LoRA and trainer by its settings."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import PrinterCallback, TrainerCallback, TrainingArguments, set_seed

from core import settings as schema
from core.data.splits import SPLIT_FILE, calibration_split
from core.data.types import Dataset, Photo
from core.engine import adapters, feature_cache, models, reuse
from core.engine.evaluation import limited, read_data
from core.engine.questions import PromptBuilder
from core.engine.training.callbacks import (
    BestCheckpoint,
    BestPredictions,
    EarlyStopping,
    ProgressEvents,
    StopOnRequest,
)
from core.engine.training.class_balance import weighting_faults
from core.engine.training.data import TrainingDataset
from core.engine.training.memory import learning_weights
from core.engine.training.trainer import PackedTrainer
from core.errors import UserError
from core.records import AdapterFacts
from core.runs.events import Reporter
from core.runs.workspace import Workspace
from core.settings import Settings
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy


def require_launcher(also: str = "Start with: accelerate launch -m damgui train …, or ") -> None:
    """Refuse several GPUs without a launcher, where the Trainer would fall back to DataParallel.

    Args:
        also: The beginning of the advice, put before how to show one GPU only; "" leaves that alone.

    Raises:
        UserError: Several GPUs are visible, and no launcher has set WORLD_SIZE.
    """
    if torch.cuda.device_count() > 1 and "WORLD_SIZE" not in os.environ:
        raise UserError(
            f"{torch.cuda.device_count()} GPUs are visible but nothing tells how to share the work",
            "training",
            f"{also}{'show' if also else 'Show'} one GPU with CUDA_VISIBLE_DEVICES=0.",
            "device",
        )


def arguments(settings: Settings, checkpoints: Path, device: torch.device) -> TrainingArguments:
    """Translate our settings to the Trainer's.

    Args:
        settings: The run's settings.
        checkpoints: Where the Trainer saves.
        device: Where the model computes.
    """
    mine = settings.training
    return TrainingArguments(
        output_dir=str(checkpoints),
        # A step is one batch for the Trainer; `training_step` cuts it by tokens.
        per_device_train_batch_size=mine.batch_size * mine.accumulation,
        num_train_epochs=mine.epochs,
        max_steps=mine.max_steps or -1,
        learning_rate=mine.learning_rate,
        lr_scheduler_type=mine.schedule,
        weight_decay=mine.weight_decay,
        max_grad_norm=mine.max_grad_norm,
        save_strategy="steps",
        save_steps=mine.save_steps,
        save_total_limit=mine.keep_checkpoints,
        eval_strategy="steps",
        eval_steps=mine.eval_steps,
        logging_steps=1,
        logging_nan_inf_filter=False,
        activation_checkpointing=mine.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        seed=mine.seed,
        use_cpu=device.type == "cpu",
        bf16=models.choose_dtype(settings.model.dtype, device) == torch.bfloat16,
        # What the loader hands out are promises; there is nothing to pin.
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )


def split_photos(dataset: Dataset, settings: Settings) -> tuple[list[Photo], list[Photo]]:
    """Choose the training and the validation photos: those with objects, at most `data.limit` of each.

    Raises:
        UserError: Either split holds no object.
    """
    found = []
    for name in ("train", "valid"):
        photos = [photo for photo in dataset.split(name) if photo.objects]
        if not photos:
            raise UserError(
                f"the split {name} holds no boxed objects",
                settings.data.path,
                "Add photos to it, or let a validation split be made.",
                "empty-split",
            )
        found.append(limited(photos, settings.data.limit))
    return found[0], found[1]


@dataclass(frozen=True)
class TrainingSetup:
    """All that a training needs, ready to begin.

    Attributes:
        dataset: The whole data set.
        train: The photos that are learned from.
        valid: The photos by which the best checkpoint is chosen.
        calibration_photos: The photos for calibration: neither learned from nor chosen by.
        loaded: The base model.
        taxonomy: The answers that are allowed.
        training_data: The training photos as samples.
        trainer: The trainer, with all its callbacks.
        best: Keeps the best adapter.
        stop: Knows whether the training was stopped.
        all_parameters: How many parameters the base model has.
    """

    dataset: Dataset
    train: list[Photo]
    valid: list[Photo]
    calibration_photos: list[Photo]
    loaded: models.Loaded
    taxonomy: Taxonomy
    training_data: TrainingDataset
    trainer: PackedTrainer
    best: BestCheckpoint
    stop: StopOnRequest
    all_parameters: int

    @property
    def trainable(self) -> int:
        """How many parameters learn."""
        return learning_weights(self.trainer)

    @property
    def wanted_views(self) -> feature_cache.Wanted:
        """The photos with the versions in which they will be seen."""
        epochs = math.ceil(total_steps(self.trainer) / steps_per_epoch(self.trainer))
        return [*self.training_data.upcoming_versions(epochs), ([*self.valid, *self.calibration_photos], [(False, 0)])]


def set_up(
    settings: Settings, name: str, checkpoints: Path, run_folder: Path, workspace: Workspace, reporter: Reporter
) -> TrainingSetup:
    """Read the photos, load the model, put LoRA on it and make the trainer.

    Args:
        settings: The run's settings.
        name: The adapter's name.
        checkpoints: Where checkpoints are saved.
        run_folder: Where the split is kept.
        workspace: Where the sample set lies.
        reporter: Takes the events, and says whether a stop was requested.

    Raises:
        UserError: The photos or the model cannot be used.
    """
    set_seed(settings.training.seed)
    dataset = read_data(settings, workspace, run_folder, reporter)
    learnable, valid = split_photos(dataset, settings)
    train, calibration_photos = map(
        list, calibration_split(learnable, settings.data.calibration_share, settings.training.seed)
    )
    if settings.data.calibration_share and not calibration_photos:
        reporter.emit(
            "warning",
            text="Too few flights to put photos aside for calibration: nothing will tell how far "
            "the tuned model's percentages can be believed.",
        )
    reporter.emit("stage", text="Loading the model")
    files = reuse.model_inputs(settings.model)
    loaded = models.load(settings.model)
    taxonomy = load_taxonomy(settings.data.taxonomy)
    for fault in weighting_faults(settings.enhance, taxonomy):
        reporter.emit("warning", text=fault)
    prompt_builder = PromptBuilder(loaded, settings, taxonomy)
    model = adapters.attach_lora(loaded.model, settings.lora)
    all_parameters = loaded.parameters
    # Before a trainer wraps the model for several devices, which then hold the small output layer.
    models.close_head(model, prompt_builder.candidates)
    training_data = TrainingDataset(train, prompt_builder, settings)
    about: AdapterFacts = {
        "name": name,
        "base_model": settings.model.path,
        "base_fingerprint": loaded.fingerprint,
        "settings": schema.to_dict(settings),
        "taxonomy": asdict(taxonomy),
        "data_fingerprint": dataset.fingerprint,
        "train_digests": sorted(photo.digest for photo in train),
    }
    trainer = PackedTrainer(
        training_data,
        prompt_builder,
        reporter,
        model=model,
        args=arguments(settings, checkpoints, loaded.device),
        eval_dataset=valid,
    )
    # The run's events say it all; what Trainer prints would mix with them.
    trainer.remove_callback(PrinterCallback)
    # Rounded down: Trainer's own rounding up would spend a run of one step at a learning rate of 0.
    trainer.args.warmup_steps = int(total_steps(trainer) * settings.training.warmup_share)
    best = BestCheckpoint(trainer, about, run_folder / SPLIT_FILE, checkpoints, reporter)
    stop = StopOnRequest(trainer, reporter)
    progress, early = ProgressEvents(trainer, reporter), EarlyStopping(settings.training.early_stopping, reporter)
    callbacks: list[TrainerCallback] = [best, early, progress, stop]
    if files is not None and files == reuse.model_inputs(settings.model) and _judges_alone(trainer):
        inputs = reuse.answer_inputs(files, loaded.machine, valid, settings, taxonomy)
        callbacks.insert(1, BestPredictions(trainer, best, run_folder, inputs))
    for callback in callbacks:
        trainer.add_callback(callback)
    return TrainingSetup(
        dataset,
        train,
        valid,
        calibration_photos,
        loaded,
        taxonomy,
        training_data,
        trainer,
        best,
        stop,
        all_parameters,
    )


def _judges_alone(trainer: PackedTrainer) -> bool:
    """Whether the trainer's evaluation computes just what an evaluation run does: no autocast, no other process."""
    return not trainer.args.bf16 and trainer.args.world_size == 1


def total_steps(trainer: PackedTrainer) -> int:
    """How many steps the training has in all, those before a resume included."""
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    return math.ceil(float(trainer.args.num_train_epochs) * steps_per_epoch(trainer))


def steps_per_epoch(trainer: PackedTrainer) -> int:
    """How many steps an epoch has, at least 1."""
    return max(len(trainer.get_train_dataloader()), 1)
