"""What happens beside the steps of a training, one callback a task: progress events, the best checkpoint, stopping.

Their order matters (see `setup.set_up`): the clock of a step starts anew after an evaluation was kept and before a stop
is looked for. transformers calls the methods `on_…` when the event of that name happens.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from core.engine import reuse
from core.engine.evaluation import PREDICTIONS
from core.engine.training import throughput
from core.engine.training.checkpoints import BEST, save_best
from core.engine.training.trainer import PackedTrainer, memory_mb
from core.errors import UserError
from core.records import AdapterFacts, ValidationScore
from core.runs import swap
from core.runs.events import Reporter
from core.runs.files import write_json, write_lines


class BestCheckpoint(TrainerCallback):
    """Keeps the adapter with the best validation macro-F1 apart, and writes beside every checkpoint what it is.

    Args:
        trainer: The trainer that it is added to.
        about: What damgui.json holds of the adapter, but for its scores.
        split: The run's split.json, kept beside the adapter.
        checkpoints: The folder of the checkpoints; the best one lies in it under a name of its own.
        reporter: Takes an event for each adapter that was saved.
    """

    def __init__(
        self, trainer: PackedTrainer, about: AdapterFacts, split: Path, checkpoints: Path, reporter: Reporter
    ) -> None:
        self.trainer, self.about, self.split, self.checkpoints = trainer, about, split, checkpoints
        self.reporter = reporter
        if trainer.is_world_process_zero():
            swap.recover(self.folder)
        trainer.accelerator.wait_for_everyone()
        about_best = self.folder / "damgui.json"
        # The scores of the best so far: those of an earlier start where there was one.
        self.best: ValidationScore = (
            json.loads(about_best.read_text(encoding="utf-8"))["scores"] if about_best.is_file() else {}
        )

    @property
    def folder(self) -> Path:
        """Where the best adapter lies."""
        return self.checkpoints / BEST

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the adapter if it has a better macro-F1 than all before."""
        scores = self.trainer.last_evaluation.copy()
        if self.best and scores["macro_f1"] <= self.best["macro_f1"]:
            return
        self.best = scores
        save_best(self.trainer, self.folder, {**self.about, "scores": scores}, self.split)
        self.reporter.emit("checkpoint", step=state.global_step, path=str(self.folder), best=True)

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write beside the new checkpoint what it is."""
        folder = self.checkpoints / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            write_json(folder / "damgui.json", {**self.about, "step": state.global_step})
            swap.sync(folder)
        self.reporter.emit("checkpoint", step=state.global_step, path=str(folder), best=False)


class BestPredictions(TrainerCallback):
    """Keeps what the best adapter answered about the validation photos, so that nobody has to judge them again.

    Args:
        trainer: The trainer that it is added to.
        best: Knows which evaluation was the best; it is added before this one.
        run_folder: The run's folder, where the answers are kept.
        inputs: What they are computed from, but for the adapter's weights (see `core.engine.reuse`).
    """

    def __init__(
        self, trainer: PackedTrainer, best: BestCheckpoint, run_folder: Path, inputs: Mapping[str, str]
    ) -> None:
        self.trainer, self.best, self.run_folder, self.inputs = trainer, best, run_folder, inputs

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Keep the answers of this evaluation if it is the best so far."""
        if self.best.best != self.trainer.last_evaluation:
            return
        write_lines(self.run_folder / PREDICTIONS, self.trainer.last_rows)
        reuse.note(
            self.run_folder,
            PREDICTIONS,
            {**self.inputs, "adapter": reuse.adapter_digest(self.best.folder), "calibration": ""},
        )


class EarlyStopping(TrainerCallback):
    """Ends a training after so many evaluations without a better macro-F1 (0: never)."""

    def __init__(self, patience: int, reporter: Reporter) -> None:
        self.patience, self.reporter = patience, reporter

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """End the training if patience has run out."""
        worse = evaluations_since_best(state)
        if self.patience and worse >= self.patience and state.global_step < state.max_steps:
            self.reporter.emit("warning", text=f"Stopped early: {worse} tests without a better macro-F1.")
            control.should_training_stop = True


def evaluations_since_best(state: TrainerState) -> int:
    """Count the evaluations after the best one, by the trainer's log, so that resuming does not forget them."""
    found = [entry["eval_macro_f1"] for entry in state.log_history if "eval_macro_f1" in entry]
    return len(found) - 1 - found.index(max(found))


class ProgressEvents(TrainerCallback):
    """Reports every step.

    A step lasts from the report of the last one until the device is done, evaluation and saving left out: waiting for
    photos is part of it.
    """

    def __init__(self, trainer: PackedTrainer, reporter: Reporter) -> None:
        self.trainer, self.reporter = trainer, reporter
        self.began = self.step_began = time.monotonic()
        self.step_seconds = 0.0
        self.reported = (0, 0)  # photos and questions

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Start the clock of the first step."""
        self.step_began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Stop the clock of the step, once the device is done."""
        throughput.wait(args.device)
        self.step_seconds = max(time.monotonic() - self.step_began, 1e-9)

    def on_log(
        self, args: Any, state: TrainerState, control: TrainerControl, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Report the step and start the clock of the next.

        Raises:
            UserError: The gradient is not a finite number.
        """
        if not logs or "loss" not in logs:
            return
        gradient = float(logs.get("grad_norm") or 0.0)
        if not math.isfinite(gradient):
            raise UserError(
                f"the gradient is not a finite number at step {state.global_step}",
                "training.learning_rate",
                "Lower the learning rate, or set model.dtype to float32, and resume.",
                "non-finite",
            )
        done = (self.trainer.photos_done, self.trainer.questions_done)
        photos, questions = (now - then for now, then in zip(done, self.reported, strict=True))
        self.reported = done
        self.reporter.emit(
            "step",
            step=state.global_step,
            total_steps=state.max_steps,
            epoch=round(state.epoch or 0.0, 4),
            loss=float(logs["loss"]),
            learning_rate=float(logs["learning_rate"]),
            grad_norm=gradient,
            photos_per_s=round(photos / self.step_seconds, 3),
            questions_per_s=round(questions / self.step_seconds, 3),
            memory_mb=round(memory_mb(args.device)),
            elapsed_s=round(time.monotonic() - self.began, 3),
            **self.trainer.meter.reading(self.step_seconds),
        )
        self.step_began = time.monotonic()

    def on_evaluate(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Leave the evaluation out of the next step's time."""
        self.step_began = time.monotonic()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Leave the saving out of the next step's time."""
        self.step_began = time.monotonic()


class StopOnRequest(TrainerCallback):
    """Saves and ends after the step at hand when a stop is requested.

    An evaluation that is due then waits for the resume: what stops must stop soon.
    """

    def __init__(self, trainer: PackedTrainer, reporter: Reporter) -> None:
        self.trainer, self.reporter = trainer, reporter
        self.stopped = False

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Make up for an evaluation that a stop left out."""
        evaluated_at = [entry["step"] for entry in state.log_history if "eval_macro_f1" in entry]
        if state.global_step > 0 and state.global_step % args.eval_steps == 0 and state.global_step not in evaluated_at:
            self.trainer.evaluate()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save and end if any process of the training was asked to stop."""
        if self.trainer.from_main_process([self.reporter.stop_requested()])[0]:
            self.stopped = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
            control.should_evaluate = control.should_evaluate and not self.stopped
