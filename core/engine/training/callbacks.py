"""What happens beside the steps of a training: telling, keeping the best, stopping."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from core.engine.training import throughput
from core.engine.training.checkpoints import keep_best
from core.engine.training.trainer import PackedTrainer, memory_mb
from core.errors import UserError
from core.runs.events import Reporter
from core.runs.files import write_json


class Narrator(TrainerCallback):
    """Tells every step, keeps the best adapter apart, and obeys a request to stop."""

    def __init__(self, about: dict[str, Any], checkpoints: Path, patience: int, reporter: Reporter) -> None:
        self.about, self.checkpoints, self.patience, self.reporter = about, checkpoints, patience, reporter
        self.trainer: PackedTrainer | None = None
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
        self.step_began = time.monotonic()

    def on_step_end(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        # A step lasts from what was told of the last one until the device is done: waiting for photos is part of it.
        throughput.wait(args.device)
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
                f"the gradient is not a finite number at step {state.global_step}",
                "training.learning_rate",
                "Lower the learning rate, or set model.dtype to float32, and resume.",
                "non-finite",
            )
        done = (self.trainer.photos_done, self.trainer.questions_done)
        photos, questions = (now - then for now, then in zip(done, self.before, strict=True))
        self.before = done
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

    def on_evaluate(
        self,
        args: Any,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
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
        self.step_began = time.monotonic()

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        folder = self.checkpoints / f"checkpoint-{state.global_step}"
        if state.is_world_process_zero:
            write_json(folder / "damgui.json", {**self.about, "step": state.global_step})
        self.reporter.emit("checkpoint", step=state.global_step, path=str(folder), best=False)
        self.step_began = time.monotonic()


def tests_since_best(state: TrainerState) -> int:
    """Evaluations after the best one, from the trainer's log, so that resuming does not forget them."""
    found = [entry["eval_macro_f1"] for entry in state.log_history if "eval_macro_f1" in entry]
    return len(found) - 1 - found.index(max(found))
