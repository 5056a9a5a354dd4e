"""LoRA fine-tuning on `transformers.Trainer`: from settings and photos to an adapter, with stop and resume."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import TrainerState

from core import settings as schema
from core.engine import adapters, calibration, feature_cache
from core.engine.evaluation import prior_scores
from core.engine.training.checkpoints import (
    BEST,
    forget_outcome,
    keep_outcome,
    kept_outcome,
    latest_checkpoint,
    publish,
    require_free,
)
from core.engine.training.dry_run import DryRun, PlannedCache, Stopped, measure_dry_run
from core.engine.training.setup import TrainingSetup, require_launcher, set_up, steps_per_epoch, total_steps
from core.records import LossHistory, TrainingInfo
from core.runs.events import Reporter, read_events
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import Settings


def train(
    settings: Settings, name: str, run_folder: Path, workspace: Workspace, reporter: Reporter, resume: bool
) -> TrainingInfo:
    """Train an adapter.

    Writes `models/<name>_checkpoints/` as it goes, and at the end `models/<name>_final/`: the adapter with the best
    validation macro-F1. Stopped runs have no final adapter yet; resuming finishes them. A run that was killed when it
    had learned all only publishes what it has not published, and says of the training what it would have said.

    Args:
        settings: The run's settings.
        name: The adapter's name.
        run_folder: The run's folder, with the events of an earlier start.
        workspace: Where models and vision features are kept.
        reporter: Takes the events, and says whether a stop was requested.
        resume: Whether to go on from the last checkpoint, where there is one.

    Returns:
        What `training_info_<name>.json` shall hold.

    Raises:
        UserError: The photos or the model cannot be used, the name is taken, disk or memory is too small, or a loss or
            gradient is not a finite number.
    """
    require_launcher()
    began = time.monotonic()
    checkpoints, final = workspace.checkpoints(name), workspace.final(name)
    learned = kept_outcome(run_folder, settings, checkpoints / BEST, final) if resume else None
    if learned is not None:
        if not final.exists() and int(os.environ.get("RANK", 0)) == 0:
            publish(checkpoints / BEST, final)
        return learned
    require_free(final)
    forget_outcome(run_folder)
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
    info: TrainingInfo = {
        "name": name,
        "adapter": None if stopped else str(final),
        "seconds": seconds,
        **outcome(setup, checkpoints, settings),
    }
    if not stopped and trainer.is_world_process_zero():
        keep_outcome(run_folder, info)
        publish(checkpoints / BEST, final)
    return info


def learn(setup: TrainingSetup, start: Path | None, reporter: Reporter) -> None:
    """Take all steps, and evaluate a last time.

    Args:
        setup: The training.
        start: The checkpoint to go on from; None begins at step 0.
        reporter: Takes the plan and the stage.
    """
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
    """Fit the calibration of the best adapter on the photos put aside, and keep it beside the adapter.

    Args:
        setup: The training, when its last step is taken.
        best: The best adapter's folder, whose weights the model takes over.
        settings: The run's settings.
        reporter: Takes the stage, and a warning where the model cannot be calibrated.
    """
    trainer = setup.trainer
    if not setup.calibration_photos:
        return
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        reporter.emit("warning", text="Weights are shared out among processes: the tuned model is not calibrated.")
        return
    reporter.emit("stage", text=f"Calibrating on {len(setup.calibration_photos)} photos that were not learned from")
    model = trainer.accelerator.unwrap_model(trainer.model)
    adapters.reload_adapter(model, best)
    model.eval()
    with trainer.accelerator.autocast():
        found = calibration.calibrate(model, trainer.prompt_builder, setup.calibration_photos, setup.train, settings)
    if found is not None and trainer.is_world_process_zero():
        calibration.keep(found, best)


def dry_run_first(
    setup: TrainingSetup, steps: int, workspace: Workspace, reporter: Reporter, stop: Callable[[], bool] = lambda: False
) -> DryRun | None:
    """Try two of the `steps` that are to come, as they will be taken (see `measure_dry_run`).

    Args:
        setup: The training, put together but not begun; it is left as it was.
        steps: How many steps are to come.
        workspace: Where vision features are kept and how much disk is free; nothing is written there.
        reporter: Takes what was found as an event, and a warning.
        stop: Called before each step that is tried; True ends the dry run.

    Returns:
        What was found; None where several processes train together.

    Raises:
        UserError: They will not fit.
        Stopped: A stop was requested.
    """
    trainer, cache = setup.trainer, PlannedCache()
    plan = feature_cache.planned(trainer.prompt_builder, setup.loaded, trainer.model, setup.wanted_views, workspace)
    if plan is not None:
        # Kept nowhere: a run that is refused leaves nothing behind.
        seen = feature_cache.FeatureCache(setup.loaded, trainer.prompt_builder.image_encoder, None)
        cache = PlannedCache(plan.missing_bytes, len(plan.missing), seen.features)
    return measure_dry_run(trainer, reporter, steps, cache, stop=stop)


def dry_run_only(settings: Settings, run_folder: Path, workspace: Workspace, reporter: Reporter) -> dict[str, Any]:
    """Measure on two steps what training with these settings would take; writes into the run's folder only.

    Args:
        settings: The settings of the training.
        run_folder: The run's folder.
        workspace: Where the sample set lies.
        reporter: Takes the events, and says whether a stop was requested.

    Returns:
        What results.json holds, with `stopped`.

    Raises:
        UserError: The training cannot be done, or will not fit.
    """
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
    """Sum up a training that is over, for `training_info_<name>.json`.

    Args:
        setup: The training, with what its trainer and callbacks hold now.
        checkpoints: The folder of its checkpoints, where the best adapter lies.
        settings: Those it ran with.
    """
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
    """Add up the seconds that this run took before it was resumed."""
    ended = (past for past in read_events(run_folder / "events.jsonl") if past["kind"] == "ended")
    return sum(float(past.get("seconds") or 0.0) for past in ended)


def history(state: TrainerState) -> LossHistory:
    """Read training loss as [step, loss] and every evaluation from the trainer's own log, which survives a resume."""
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
