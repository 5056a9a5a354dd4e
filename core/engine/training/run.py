"""LoRA fine-tuning on `transformers.Trainer`: from settings and photos to an adapter, with stop and resume."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, TrainerState, TrainingArguments, set_seed

from core import settings as schema
from core.data.splits import calibration_split
from core.data.types import Dataset, Photo
from core.engine import adapters, calibration, feature_cache, models
from core.engine.evaluation import limited, prior_scores, read_data
from core.engine.questions import PromptBuilder
from core.engine.training.callbacks import BestCheckpoint, EarlyStopping, ProgressEvents, StopOnRequest
from core.engine.training.checkpoints import BEST, latest_checkpoint, publish, require_free
from core.engine.training.class_balance import weighting_faults
from core.engine.training.data import TrainingDataset
from core.engine.training.dry_run import DryRun, PlannedCache, Stopped, learning_weights, measure_dry_run
from core.engine.training.trainer import PackedTrainer
from core.errors import UserError
from core.records import AdapterFacts, LossHistory, TrainingInfo
from core.runs.events import Reporter, read_events
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import Settings
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy


def require_launcher(also: str = "Start with: accelerate launch -m damgui train …, or ") -> None:
    """Raises UserError on several GPUs without a launcher: the Trainer would fall back to DataParallel."""
    if torch.cuda.device_count() > 1 and "WORLD_SIZE" not in os.environ:
        raise UserError(
            f"{torch.cuda.device_count()} GPUs are visible but nothing tells how to share the work",
            "training",
            f"{also}{'show' if also else 'Show'} one GPU with CUDA_VISIBLE_DEVICES=0.",
            "device",
        )


def arguments(settings: Settings, checkpoints: Path, device: torch.device) -> TrainingArguments:
    """Our settings as the Trainer's."""
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
    """(training, validation) photos with objects. Raises UserError when either is empty."""
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
    """All that a training needs, ready to begin. The `calibration_photos` are for calibration: not learned from."""

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
        return learning_weights(self.trainer)

    @property
    def wanted_views(self) -> feature_cache.Wanted:
        """The photos with the versions in which they will be seen."""
        epochs = math.ceil(total_steps(self.trainer) / steps_per_epoch(self.trainer))
        return [*self.training_data.versions_to_come(epochs), ([*self.valid, *self.calibration_photos], [(False, 0)])]


def set_up(
    settings: Settings, name: str, checkpoints: Path, run_folder: Path, workspace: Workspace, reporter: Reporter
) -> TrainingSetup:
    """Read the photos, load the model, put LoRA on it."""
    set_seed(settings.training.seed)
    dataset = read_data(settings, workspace, run_folder, reporter)
    together, valid = split_photos(dataset, settings)
    train, calibration_photos = map(
        list, calibration_split(together, settings.data.calibration_share, settings.training.seed)
    )
    if settings.data.calibration_share and not calibration_photos:
        reporter.emit(
            "warning",
            text="Too few flights to put photos aside for calibration: nothing will tell how far "
            "the tuned model's percentages can be believed.",
        )
    reporter.emit("stage", text="Loading the model")
    loaded = models.load(settings.model)
    taxonomy = load_taxonomy(settings.data.taxonomy)
    for said in weighting_faults(settings.enhance, taxonomy):
        reporter.emit("warning", text=said)
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
    best, stop = BestCheckpoint(trainer, about, checkpoints, reporter), StopOnRequest(trainer, reporter)
    progress, early = ProgressEvents(trainer, reporter), EarlyStopping(settings.training.early_stopping, reporter)
    for callback in (best, early, progress, stop):
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


def train(
    settings: Settings, name: str, run_folder: Path, workspace: Workspace, reporter: Reporter, resume: bool
) -> TrainingInfo:
    """Train an adapter; returns (and leaves in the run folder) the training info.

    Writes `models/<name>_checkpoints/` as it goes, and at the end `models/<name>_final/`: the adapter with the best
    validation macro-F1. Stopped runs have no final adapter yet; resuming finishes them.
    """
    require_launcher()
    require_free(workspace.final(name))
    began = time.monotonic()
    checkpoints = workspace.checkpoints(name)
    setup = set_up(settings, name, checkpoints, run_folder, workspace, reporter)
    trainer = setup.trainer
    start = latest_checkpoint(checkpoints) if resume else None
    left = total_steps(trainer) - (int(start.name.split("-")[1]) if start else 0)
    try:
        dry_run_first(setup, left, workspace, reporter, reporter.stop_requested)
    except Stopped:
        setup.stop.stopped = True
    else:
        feature_cache.prepare(
            trainer.prompt_builder, setup.loaded, trainer.model, setup.wanted_views, workspace, reporter
        )
        learn(setup, start, reporter)
    stopped = setup.stop.stopped
    seconds = round(earlier_seconds(run_folder) + time.monotonic() - began, 3)
    if not stopped:
        calibrate_best(setup, checkpoints / BEST, settings, reporter)
    if not stopped and trainer.is_world_process_zero():
        publish(checkpoints / BEST, workspace.final(name))
    return {
        "name": name,
        "adapter": None if stopped else str(workspace.final(name)),
        "seconds": seconds,
        **outcome(setup, checkpoints, settings),
    }


def learn(setup: TrainingSetup, start: Path | None, reporter: Reporter) -> None:
    """All steps, from the beginning or from a checkpoint, and a last test."""
    trainer = setup.trainer
    reporter.emit("stage", text=f"Going on from step {start.name.split('-')[1]}" if start else "Learning")
    reporter.emit(
        "plan",
        total_steps=total_steps(trainer),
        photos=len(setup.train),
        epochs=round(total_steps(trainer) / steps_per_epoch(trainer), 3),
        objects=sum(len(photo.objects) for photo in setup.train),
        trainable_parameters=setup.trainable,
        all_parameters=setup.all_parameters,
        save_steps=trainer.args.save_steps,
    )
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    if not setup.stop.stopped and trainer.last_evaluation.get("step") != trainer.state.global_step:
        trainer.evaluate()


def calibrate_best(setup: TrainingSetup, best: Path, settings: Settings, reporter: Reporter) -> None:
    """Fit the calibration of the best adapter on the photos put aside, and keep it beside the adapter."""
    trainer = setup.trainer
    if not setup.calibration_photos:
        return
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        reporter.emit("warning", text="Weights are shared out among processes: the tuned model is not calibrated.")
        return
    reporter.emit("stage", text=f"Calibrating on {len(setup.calibration_photos)} photos that were not learned from")
    model = trainer.accelerator.unwrap_model(trainer.model)
    adapters.take_adapter(model, best)
    model.eval()
    with trainer.accelerator.autocast():
        found = calibration.calibrate(model, trainer.prompt_builder, setup.calibration_photos, setup.train, settings)
    if found is not None and trainer.is_world_process_zero():
        calibration.keep(found, best)


def dry_run_first(
    setup: TrainingSetup, steps: int, workspace: Workspace, reporter: Reporter, stop: Callable[[], bool] = lambda: False
) -> DryRun | None:
    """Two of the `steps` that are to come, tried as they will be taken. Raises UserError when they will not fit."""
    trainer, cache = setup.trainer, PlannedCache()
    plan = feature_cache.planned(trainer.prompt_builder, setup.loaded, trainer.model, setup.wanted_views, workspace)
    if plan is not None:
        # Kept nowhere: a run that is refused leaves nothing behind.
        seen = feature_cache.FeatureCache(setup.loaded, trainer.prompt_builder.image_encoder, None)
        cache = PlannedCache(plan.missing_bytes, len(plan.missing), seen.features)
    return measure_dry_run(trainer, reporter, steps, cache, stop=stop)


def dry_run_only(settings: Settings, run_folder: Path, workspace: Workspace, reporter: Reporter) -> dict[str, Any]:
    """What training with these settings would take, measured on two steps. Writes into the run folder only."""
    require_launcher("")
    setup = set_up(settings, "", run_folder / "checkpoints", run_folder, workspace, reporter)
    try:
        found = dry_run_first(setup, total_steps(setup.trainer), workspace, reporter, reporter.stop_requested)
    except Stopped:
        return {"stopped": True}
    results = asdict(found) if found else {}
    write_json(run_folder / "results.json", results)
    return {**results, "stopped": False}


def outcome(setup: TrainingSetup, checkpoints: Path, settings: Settings) -> TrainingInfo:
    """What `training_info_<name>.json` tells of a training that is over."""
    trainer, best = setup.trainer, setup.best.best.copy()
    if best:
        best["path"] = str(checkpoints / BEST)
    return {
        "base_model": settings.model.path,
        "base_fingerprint": setup.loaded.fingerprint,
        "stopped": setup.stop.stopped,
        "steps": trainer.state.global_step,
        "epochs": trainer.state.epoch,
        "final": trainer.last_evaluation,
        "best": best,
        "trainable_parameters": setup.trainable,
        "all_parameters": setup.all_parameters,
        "class_weights": {
            setup.taxonomy.class_name(*pair): round(weight, 4) for pair, weight in setup.training_data.weights.items()
        },
        "data": {
            "path": settings.data.path,
            "fingerprint": setup.dataset.fingerprint,
            "train_photos": len(setup.train),
            "valid_photos": len(setup.valid),
            "calibration_photos": len(setup.calibration_photos),
        },
        "prior": prior_scores(setup.train, setup.valid, setup.taxonomy),
        "settings": schema.to_dict(settings),
        "history": history(trainer.state),
    }


def earlier_seconds(run_folder: Path) -> float:
    """Seconds that this run took before it was resumed."""
    ended = (past for past in read_events(run_folder / "events.jsonl") if past["kind"] == "ended")
    return sum(float(past.get("seconds") or 0.0) for past in ended)


def total_steps(trainer: PackedTrainer) -> int:
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    return math.ceil(float(trainer.args.num_train_epochs) * steps_per_epoch(trainer))


def steps_per_epoch(trainer: PackedTrainer) -> int:
    return max(len(trainer.get_train_dataloader()), 1)


def history(state: TrainerState) -> LossHistory:
    """Training loss as [step, loss] and every evaluation, from the trainer's own log (it survives a resume)."""
    return {
        "train": [[entry["step"], entry["loss"]] for entry in state.log_history if "loss" in entry],
        "evaluation": [
            {
                "step": entry["step"],
                "loss": entry["eval_loss"],
                "accuracy": entry["eval_accuracy"],
                "macro_f1": entry["eval_macro_f1"],
            }
            for entry in state.log_history
            if "eval_macro_f1" in entry
        ],
    }
