"""Transformers' Trainer with the three things that differ here: what a step is, its loss, and its evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch.utils.data import Sampler
from transformers import Trainer, TrainerControl

from core.data.types import Photo
from core.engine.packing import Batch, answer_log_probs
from core.engine.questions import PromptBuilder
from core.engine.scoring import judge_photos
from core.engine.training.data import EpochSampler, PendingBatches, TrainingDataset
from core.engine.training.memory import resident_bytes
from core.engine.training.throughput import ThroughputMeter
from core.errors import UserError
from core.metrics import score
from core.records import PredictionRow, ValidationScore
from core.runs.events import Reporter


def weighted_loss(log_probs: torch.Tensor, weights: torch.Tensor, questions: torch.Tensor | float) -> torch.Tensor:
    """Compute the weighted negative log-likelihood of the true answers, in nats per question of the whole step.

    The divisor counts the questions of all micro-batches (and processes) of the optimizer step, so the gradient does
    not depend on how the step was cut. It is a count, not a sum of weights: the weights have mean 1 over the training
    split, and dividing by their sum would undo them in a step of one question.

    Args:
        log_probs: (answers,) log-probabilities of the true answers, in nats.
        weights: (answers,) their weights.
        questions: How many questions the step has.

    Returns:
        () in the number format of `log_probs`.
    """
    return -(log_probs * weights.to(log_probs.dtype)).sum() / questions


def weightless(batch: Batch) -> Batch:
    """A batch whose answers have no weight: it is computed and changes nothing."""
    return {**batch, "answer_weights": torch.zeros_like(batch["answer_weights"])}


def memory_mb(device: torch.device) -> float:
    """Peak memory of the GPU, or the process's memory on a CPU, in MB (10^6 bytes)."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    return resident_bytes() / 1e6


class PackedTrainer(Trainer):
    """Trains on a `TrainingDataset`; `evaluate` judges the validation photos.

    Args:
        training_data: The training photos as samples.
        prompt_builder: Writes the questions of the evaluation.
        reporter: Takes an event for each evaluation.
        **kwargs: What transformers' Trainer takes beside its training data.
    """

    # compute_loss divides by the questions of the whole accumulated batch.
    loss_is_scaled_for_ga = True
    control: TrainerControl

    def __init__(
        self, training_data: TrainingDataset, prompt_builder: PromptBuilder, reporter: Reporter, **kwargs: Any
    ) -> None:
        super().__init__(train_dataset=training_data, data_collator=training_data.pending, **kwargs)
        self.training_data, self.prompt_builder, self.reporter = training_data, prompt_builder, reporter
        self.model_accepts_loss_kwargs = True
        self.photos_done = self.questions_done = 0
        self.meter = ThroughputMeter()
        self.last_evaluation: ValidationScore = {}
        self.last_rows: list[PredictionRow] = []

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[Any]:
        return EpochSampler(self.training_data)

    def floating_point_ops(self, inputs: PendingBatches) -> int:
        """Answer the Trainer, which keeps count, with 0."""
        # The Trainer's own estimate wants a dictionary of tensors, and nobody reads it.
        return 0

    def _get_num_items_in_batch(self, batch_samples: list[PendingBatches], device: torch.device) -> torch.Tensor:
        passes = [batch for pending in batch_samples for batch in pending.batches()]
        count = torch.tensor(sum(len(batch["answer_counts"]) for batch in passes), device=device)
        if self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return count

    def training_step(self, model: Any, inputs: PendingBatches, num_items_in_batch: Any = None) -> torch.Tensor:
        """Compute forward and backward of a step's photos, in passes of at most `training.tokens_per_pass` tokens.

        Args:
            model: The model as the Trainer wrapped it.
            inputs: The step's batches.
            num_items_in_batch: The questions of the step in all processes, by which the loss is divided.

        Returns:
            () the loss of the step.

        Raises:
            UserError: The loss is not a finite number.
        """
        model.train()
        passes = inputs.batches()
        # Those of all processes, as near as one can tell: each has about as much to do.
        self.photos_done += inputs.photos * self.args.world_size
        self.questions_done += sum(len(batch["answer_counts"]) for batch in passes) * self.args.world_size
        for micro_batch in passes:
            self.meter.count(micro_batch)
        if self.args.world_size > 1:
            # What shards a model over processes wants them all to call it equally often: a silent pass adds nothing.
            most = int(self.accelerator.gather(torch.tensor(len(passes), device=self.args.device)).max())
            passes = passes + [weightless(passes[-1])] * (most - len(passes))
        total = torch.zeros((), device=self.args.device)
        for number, batch in enumerate(passes, 1):
            last = number == len(passes)
            with nullcontext() if last else self.accelerator.no_sync(model):
                # The tower may be called outside of the model's forward, which alone would choose the number format.
                with self.compute_loss_context_manager(), self.accelerator.autocast():
                    loss = self.compute_loss(model, self._prepare_inputs(batch), num_items_in_batch=num_items_in_batch)
                self.accelerator.backward(loss)
            total = total + loss.detach()
        return total

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the loss of one pass (see `weighted_loss`).

        Raises:
            UserError: It is not a finite number.
        """
        log_probs = answer_log_probs(model, inputs)
        questions = num_items_in_batch if num_items_in_batch is not None else len(inputs["answer_counts"])
        loss = weighted_loss(log_probs, inputs["answer_weights"], questions)
        if not bool(torch.isfinite(loss)):
            raise UserError(
                f"the loss is not a finite number at step {self.state.global_step + 1}",
                "training.learning_rate",
                "Lower the learning rate, or set model.dtype to float32, and resume.",
                "non-finite",
            )
        # Distributed training averages gradients over processes; the divisor above already spans all of them.
        loss = loss * self.accelerator.num_processes
        return (loss, log_probs) if return_outputs else loss

    def evaluate(
        self, eval_dataset: Sequence[Photo] | None = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Judge the validation photos as an evaluation run does, and report accuracy, macro-F1 and loss.

        Every process judges all of them, because sharded models need all processes.

        Args:
            eval_dataset: Other photos; None takes those of the training.
            ignore_keys: Not used; the Trainer passes it.
            metric_key_prefix: Put before the names of the scores.

        Returns:
            The scores under the Trainer's names, such as `eval_macro_f1`.
        """
        began = time.monotonic()
        photos = eval_dataset if eval_dataset is not None else self.eval_dataset
        self.model.eval()
        kind = self.training_data.settings.question.kind
        rows: list[PredictionRow] = []
        loss = 0.0
        with self.accelerator.autocast():
            for _photo, found, lost in judge_photos(self.model, self.prompt_builder, photos, kind):
                rows += found
                loss += lost
        scores = score(rows, intervals=False)
        found_here = {
            "loss": loss / len(rows),
            "accuracy": scores["overall_accuracy"],
            "macro_f1": scores["macro_f1"],
        }
        # A barrier waits where the best is kept: all processes must draw the same conclusion from the same numbers.
        self.last_rows = rows
        (found_here,) = self.from_main_process([found_here])
        step = self.state.global_step
        seconds = round(time.monotonic() - began, 3)
        self.last_evaluation = {
            "step": step,
            "loss": found_here["loss"],
            "accuracy": found_here["accuracy"],
            "macro_f1": found_here["macro_f1"],
        }
        self.reporter.emit("evaluation", step=step, total=len(rows), elapsed_s=seconds, **found_here)
        metrics = {f"{metric_key_prefix}_{key}": value for key, value in found_here.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def from_main_process(self, values: list[Any]) -> list[Any]:
        """The `values` that the first process holds; in a single process its own."""
        return broadcast_object_list(values) if self.args.world_size > 1 else values
