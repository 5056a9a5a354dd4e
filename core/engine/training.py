"""LoRA fine-tuning on `transformers.Trainer`: loss on answer tokens only, live events, checkpoints, stop and resume."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate.utils import broadcast_object_list
from torch.utils.data import Sampler
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from core import settings as knobs
from core.data.sample import Dataset, Photo
from core.engine import models
from core.engine.batches import Lessons, Order
from core.engine.checkpoints import keep_best, latest_checkpoint, publish, require_free
from core.engine.evaluation import limited, prior_scores, read_data
from core.engine.questions import Asker
from core.engine.scoring import judge_photos
from core.engine.sequences import leaf_log_probs
from core.errors import UserError
from core.metrics import score
from core.runs.events import Reporter, read_events
from core.runs.files import write_json
from core.runs.store import Workspace
from core.settings import Settings
from core.taxonomy import load as load_taxonomy


def weighted_loss(log_probs: torch.Tensor, weights: torch.Tensor, questions: torch.Tensor | float) -> torch.Tensor:
    """Weighted negative log-likelihood of the true answers (leaves,), in nats per question of the whole step.

    The divisor counts the questions of all micro-batches (and processes) of the optimizer step, so the gradient does
    not depend on how the step was cut. It is a count, not a sum of weights: the weights have mean 1 over the training
    split, and dividing by their sum would undo them in a step of one question.
    """
    return -(log_probs * weights.to(log_probs.dtype)).sum() / questions


def memory_mb(device: torch.device) -> float:
    """Peak memory of the GPU, or the process's memory on a CPU, in MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return float(psutil.Process().memory_info().rss) / 1e6


class LessonTrainer(Trainer):
    """Transformers' Trainer with the three things that differ here: what a batch is, its loss, and its evaluation."""

    # compute_loss divides by the questions of the whole accumulated batch.
    loss_is_scaled_for_ga = True
    control: TrainerControl

    def __init__(self, lessons: Lessons, asker: Asker, reporter: Reporter, **kwargs: Any) -> None:
        super().__init__(train_dataset=lessons, data_collator=asker.batch, **kwargs)
        self.lessons, self.asker, self.reporter = lessons, asker, reporter
        self.model_accepts_loss_kwargs = True
        self.photos_done = self.questions_done = 0
        self.last_evaluation: dict[str, float] = {}

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[Any]:
        return Order(self.lessons)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor:
        count = torch.tensor(sum(len(batch["leaf_counts"]) for batch in batch_samples), device=device)
        if self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        log_probs = leaf_log_probs(model, inputs)
        questions = num_items_in_batch if num_items_in_batch is not None else len(inputs["leaf_counts"])
        loss = weighted_loss(log_probs, inputs["leaf_weights"], questions)
        if not bool(torch.isfinite(loss)):
            raise UserError(
                f"the loss is not a finite number at step {self.state.global_step + 1}", "training.learning_rate",
                "Lower the learning rate, or set model.dtype to float32, and resume.", "non-finite",
            )  # fmt: skip
        self.photos_done += int(inputs["photos"])
        self.questions_done += len(inputs["leaf_counts"])
        # Distributed training averages gradients over processes; the divisor above already spans all of them.
        loss = loss * self.accelerator.num_processes
        return (loss, log_probs) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Sequence[Photo] | None = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Judge the validation photos as the baseline does. Every process judges all: sharded models need it."""
        began = time.monotonic()
        photos = eval_dataset if eval_dataset is not None else self.eval_dataset
        self.model.eval()
        kind = self.lessons.settings.question.kind
        rows: list[dict[str, Any]] = []
        loss = 0.0
        for _photo, found, lost in judge_photos(self.model, self.asker, photos, kind):
            rows += found
            loss += lost
        scores = score(rows)
        found_here = {
            "loss": loss / len(rows),
            "accuracy": scores["overall_accuracy"],
            "macro_f1": scores["macro_f1"],
        }
        # A barrier waits where the best is kept: all processes must draw the same conclusion from the same numbers.
        (found_here,) = self.agreed([found_here])
        step = self.state.global_step
        seconds = round(time.monotonic() - began, 3)
        self.last_evaluation = {"step": step, **found_here}
        self.reporter.emit("evaluation", step=step, total=len(rows), elapsed_s=seconds, **found_here)
        metrics = {f"{metric_key_prefix}_{key}": value for key, value in found_here.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def agreed(self, mine: list[Any]) -> list[Any]:
        """What the first process holds; in a single process what it is given."""
        return broadcast_object_list(mine) if self.args.world_size > 1 else mine


class Narrator(TrainerCallback):
    """Tells every step, keeps the best adapter apart, and obeys a request to stop."""

    def __init__(self, about: dict[str, Any], checkpoints: Path, patience: int, reporter: Reporter) -> None:
        self.about, self.checkpoints, self.patience, self.reporter = about, checkpoints, patience, reporter
        self.trainer: LessonTrainer | None = None
        self.stopped = False
        self.began = self.step_began = time.monotonic()
        self.step_seconds = 0.0
        self.before = (0, 0)
        best = checkpoints / "best" / "damgui.json"
        self.best: dict[str, Any] = json.loads(best.read_text(encoding="utf-8"))["scores"] if best.is_file() else {}

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # A stop lets an evaluation that is due wait until here: what stops must stop soon.
        told = [entry["step"] for entry in state.log_history if "eval_macro_f1" in entry]
        due = state.global_step > 0 and state.global_step % args.eval_steps == 0 and state.global_step not in told
        if due and self.trainer is not None:
            self.trainer.evaluate()

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.step_began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.step_seconds = max(time.monotonic() - self.step_began, 1e-9)
        if self.trainer is not None and self.trainer.agreed([self.reporter.stop_requested()])[0]:
            self.stopped = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
            control.should_evaluate = control.should_evaluate and not self.stopped

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        if not logs or "loss" not in logs or self.trainer is None:
            return
        gradient = float(logs.get("grad_norm") or 0.0)
        if not math.isfinite(gradient):
            raise UserError(
                f"the gradient is not a finite number at step {state.global_step}", "training.learning_rate",
                "Lower the learning rate, or set model.dtype to float32, and resume.", "non-finite",
            )  # fmt: skip
        done = (self.trainer.photos_done, self.trainer.questions_done)
        photos, questions = (now - then for now, then in zip(done, self.before, strict=True))
        self.before = done
        self.reporter.emit(
            "step", step=state.global_step, total_steps=state.max_steps, epoch=round(state.epoch or 0.0, 4),
            loss=float(logs["loss"]), learning_rate=float(logs["learning_rate"]), grad_norm=gradient,
            photos_per_s=round(photos / self.step_seconds, 3), questions_per_s=round(questions / self.step_seconds, 3),
            memory_mb=round(memory_mb(args.device)), elapsed_s=round(time.monotonic() - self.began, 3),
        )  # fmt: skip

    def on_evaluate(
        self, args: Any, state: TrainerState, control: TrainerControl, metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        if metrics is None or self.trainer is None:
            return
        scores = dict(self.trainer.last_evaluation)
        better = not self.best or scores["macro_f1"] > self.best["macro_f1"]
        if better:
            self.best = scores
            keep_best(self.trainer, self.checkpoints / "best", {**self.about, "scores": scores})
            self.reporter.emit("checkpoint", step=state.global_step, path=str(self.checkpoints / "best"), best=True)
        worse = tests_since_best(state)
        if self.patience and worse >= self.patience and state.global_step < state.max_steps:
            self.reporter.emit("warning", text=f"Stopped early: {worse} tests without a better macro-F1.")
            control.should_training_stop = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        folder = self.checkpoints / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            write_json(folder / "damgui.json", {**self.about, "step": state.global_step})
        self.reporter.emit("checkpoint", step=state.global_step, path=str(folder), best=False)


def tests_since_best(state: TrainerState) -> int:
    """Evaluations after the best one, from the trainer's log, so that resuming does not forget them."""
    found = [entry["eval_macro_f1"] for entry in state.log_history if "eval_macro_f1" in entry]
    return len(found) - 1 - found.index(max(found))


def require_launcher() -> None:
    """Raises UserError on several GPUs without a launcher: the Trainer would fall back to DataParallel."""
    if torch.cuda.device_count() > 1 and "WORLD_SIZE" not in os.environ:
        raise UserError(
            f"{torch.cuda.device_count()} GPUs are visible but nothing tells how to share the work", "training",
            "Start with: accelerate launch -m core.cli train …, or show one GPU with CUDA_VISIBLE_DEVICES=0.", "device",
        )  # fmt: skip


def arguments(settings: Settings, checkpoints: Path, device: torch.device) -> TrainingArguments:
    """Our settings as the Trainer's."""
    mine = settings.training
    return TrainingArguments(
        output_dir=str(checkpoints),
        per_device_train_batch_size=mine.batch_size,
        gradient_accumulation_steps=mine.accumulation,
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
        dataloader_pin_memory=device.type == "cuda",
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
                f"the split {name} holds no boxed objects", settings.data.path,
                "Add photos to it, or let a validation split be made.", "empty-split",
            )  # fmt: skip
        found.append(limited(photos, settings.data.limit))
    return found[0], found[1]


def run(
    settings: Settings, name: str, run_folder: Path, workspace: Workspace, reporter: Reporter, resume: bool
) -> dict[str, Any]:
    """Train an adapter; returns (and leaves in the run folder) the training info.

    Writes `models/<name>_checkpoints/` as it goes, and at the end `models/<name>_final/`: the adapter with the best
    validation macro-F1. Stopped runs have no final adapter yet; resuming finishes them.
    """
    require_launcher()
    require_free(workspace.final(name))
    began = time.monotonic()
    set_seed(settings.training.seed)
    dataset = read_data(settings, workspace, run_folder, reporter)
    train, valid = split_photos(dataset, settings)
    reporter.emit("stage", text="Loading the model")
    loaded = models.load(settings.model)
    taxonomy = load_taxonomy(settings.data.taxonomy)
    if settings.enhance.condition_weighting and not {"blocked", "damaged"} & set(taxonomy.conditions):
        reporter.emit("warning", text="Condition weighting has no effect: no condition is blocked or damaged.")
    asker = Asker(loaded, settings, taxonomy)
    model = models.attach_lora(loaded.model, settings.lora)
    lessons = Lessons(train, asker, settings)
    checkpoints = workspace.checkpoints(name)
    about = {
        "name": name, "base_model": settings.model.path, "base_fingerprint": loaded.fingerprint,
        "settings": knobs.to_dict(settings), "taxonomy": asdict(taxonomy), "data_fingerprint": dataset.fingerprint,
        "train_digests": sorted(photo.digest for photo in train),
    }  # fmt: skip
    narrator = Narrator(about, checkpoints, settings.training.early_stopping, reporter)
    trainer = LessonTrainer(
        lessons, asker, reporter, model=model, args=arguments(settings, checkpoints, loaded.device),
        eval_dataset=valid, callbacks=[narrator],
    )  # fmt: skip
    # The run's events say it all; what Trainer prints would mix with them.
    trainer.remove_callback(PrinterCallback)
    # Rounded down: Trainer's own rounding up would spend a run of one step at a learning rate of 0.
    trainer.args.warmup_steps = int(total_steps(trainer) * settings.training.warmup_share)
    narrator.trainer = trainer
    trainable = sum(one.numel() for one in model.parameters() if one.requires_grad)
    start = latest_checkpoint(checkpoints) if resume else None
    reporter.emit("stage", text=f"Going on from step {start.name.split('-')[1]}" if start else "Learning")
    reporter.emit(
        "plan", total_steps=total_steps(trainer), photos=len(train),
        epochs=round(total_steps(trainer) / steps_per_epoch(trainer), 3),
        objects=sum(len(photo.objects) for photo in train), trainable_parameters=trainable,
        all_parameters=loaded.parameters, save_steps=settings.training.save_steps,
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=str(start) if start else None)
    if not narrator.stopped and trainer.last_evaluation.get("step") != trainer.state.global_step:
        trainer.evaluate()
    info = {
        "name": name, "base_model": settings.model.path, "base_fingerprint": loaded.fingerprint,
        "adapter": None if narrator.stopped else str(workspace.final(name)), "stopped": narrator.stopped,
        "seconds": round(earlier_seconds(run_folder) + time.monotonic() - began, 3), "steps": trainer.state.global_step,
        "epochs": trainer.state.epoch, "final": trainer.last_evaluation,
        "best": {**narrator.best, "path": str(checkpoints / "best")} if narrator.best else {},
        "trainable_parameters": trainable, "all_parameters": loaded.parameters,
        "class_weights": {taxonomy.class_name(*one): round(weight, 4) for one, weight in lessons.weights.items()},
        "data": {
            "path": settings.data.path, "fingerprint": dataset.fingerprint, "train_photos": len(train),
            "valid_photos": len(valid),
        },
        "prior": prior_scores(train, valid, taxonomy), "settings": knobs.to_dict(settings),
        "history": history(trainer.state),
    }  # fmt: skip
    if not narrator.stopped and trainer.is_world_process_zero():
        publish(checkpoints / "best", workspace.final(name))
    return info


def earlier_seconds(run_folder: Path) -> float:
    """Seconds that this run took before it was resumed."""
    ended = (past for past in read_events(run_folder / "events.jsonl") if past["kind"] == "ended")
    return sum(float(past.get("seconds") or 0.0) for past in ended)


def total_steps(trainer: LessonTrainer) -> int:
    if trainer.args.max_steps > 0:
        return trainer.args.max_steps
    return math.ceil(trainer.args.num_train_epochs * steps_per_epoch(trainer))


def steps_per_epoch(trainer: LessonTrainer) -> int:
    return max(math.ceil(len(trainer.get_train_dataloader()) / trainer.args.gradient_accumulation_steps), 1)


def history(state: TrainerState) -> dict[str, list[Any]]:
    """Training loss as [step, loss] and every evaluation, from the trainer's own log (it survives a resume)."""
    names = ("loss", "accuracy", "macro_f1")
    return {
        "train": [[entry["step"], entry["loss"]] for entry in state.log_history if "loss" in entry],
        "evaluation": [
            {"step": entry["step"], **{name: entry[f"eval_{name}"] for name in names}}
            for entry in state.log_history
            if "eval_macro_f1" in entry
        ],
    }
