"""Scoring: the probability of every allowed answer, from one forward pass over a photo and all its questions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.boxes import BoxXyxy, stored_px
from core.data.types import Photo
from core.engine.models import closed_head
from core.engine.packing import Batch, answer_log_probs
from core.engine.prefetch import prefetch
from core.engine.questions import ObjectQuery, PromptBuilder, truth_of
from core.errors import UserError
from core.prompts import answers
from core.records import PredictionRow
from core.taxonomy import Taxonomy

# Photos that are judged together: enough to keep a device busy, few enough that progress is seen.
TOGETHER = 8


@dataclass(frozen=True)
class AnswerProbabilities:
    """What a model answers to one question.

    Attributes:
        probabilities: {answer: probability} over the allowed answers; they sum to 1.
        log_probs: {answer: log-probability in nats} as the model gave it: among the allowed answers, or among all texts
            where answers are open.
    """

    probabilities: dict[str, float]
    log_probs: dict[str, float]

    @property
    def best(self) -> str:
        """The most probable answer."""
        return max(self.probabilities, key=lambda answer: self.probabilities[answer])


@dataclass(frozen=True)
class PhotoQueries:
    """Questions (`queries`) about one photo; `boxes` are all its boxes, in fractions of it."""

    path: Path
    boxes: Sequence[BoxXyxy]
    queries: Sequence[ObjectQuery]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Copy a batch to a device."""
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}


def judge(model: Any, prompt_builder: PromptBuilder, queries: PhotoQueries) -> list[AnswerProbabilities]:
    """Compute the answers to each question about one photo (see `judge_each`).

    Args:
        model: The model in evaluation mode.
        prompt_builder: Writes its questions.
        queries: The questions, about one photo.

    Returns:
        The answers, in the order of the questions.

    Raises:
        UserError: The photo cannot be read, or an answer is not a finite number.
    """
    (found,) = judge_each(model, prompt_builder, [queries])
    return found


def judge_each(
    model: Any, prompt_builder: PromptBuilder, queries: Sequence[PhotoQueries]
) -> Iterator[list[AnswerProbabilities]]:
    """Compute the answers to each question about many photos.

    Photos are judged together and the next ones are prepared meanwhile; the numbers do not depend on it. A question
    with a single allowed answer is not put to the model.

    Args:
        model: The model in evaluation mode.
        prompt_builder: Writes its questions.
        queries: The questions, photo by photo.

    Yields:
        For each photo the answers, in the order of its questions.

    Raises:
        UserError: A photo cannot be read, or an answer is not a finite number.
    """
    groups = (queries[start : start + TOGETHER] for start in range(0, len(queries), TOGETHER))
    with closed_head(model, prompt_builder.candidates):
        for group, batches in prefetch((group, _group_batches(prompt_builder, group)) for group in groups):
            yield from _group_answers(model, prompt_builder, group, batches)


def _group_batches(prompt_builder: PromptBuilder, group: Sequence[PhotoQueries]) -> list[Batch]:
    size = prompt_builder.settings.training.questions_per_sequence
    samples = []
    for photo in group:
        open_ones = [
            ObjectQuery(query.box_xyxy, query.object_type)
            for query in photo.queries
            if len(answers(query.object_type, prompt_builder.taxonomy)) > 1
        ]
        step = size or max(len(open_ones), 1)
        for start in range(0, len(open_ones), step):
            samples.append(prompt_builder.sample(photo.path, photo.boxes, open_ones[start : start + step]))
    return prompt_builder.batches(samples)


@torch.no_grad()
def _group_answers(
    model: Any, prompt_builder: PromptBuilder, group: Sequence[PhotoQueries], batches: Sequence[Batch]
) -> Iterator[list[AnswerProbabilities]]:
    logs: dict[int, torch.Tensor] = {}
    for batch in batches:
        several = answer_log_probs(model, to_device(batch, prompt_builder.device)).cpu().double()
        logs.update(zip(batch["questions"].tolist(), several.split(batch["answer_counts"].tolist()), strict=True))
    number = 0
    for photo in group:
        found = []
        for query in photo.queries:
            allowed = answers(query.object_type, prompt_builder.taxonomy)
            log = torch.zeros(1, dtype=torch.float64)
            if len(allowed) > 1:
                log = logs[number]
                number += 1
            if not bool(torch.isfinite(log).all()):
                raise UserError(
                    "the model's answer is not a finite number",
                    str(photo.path),
                    "Set model.dtype to float32, or copy the model again.",
                    "non-finite",
                )
            share = torch.softmax(log, 0).tolist()
            found.append(
                AnswerProbabilities(
                    dict(zip(allowed, share, strict=True)), dict(zip(allowed, log.tolist(), strict=True))
                )
            )
        yield found


def queries_about(photo: Photo, kind: str) -> list[ObjectQuery]:
    """Ask about every object of the photo with a question of `kind` (`condition` or `class`), without its truth."""
    return [ObjectQuery(obj.box_xyxy, obj.object_type if kind == "condition" else None) for obj in photo.objects]


def judge_photos(
    model: Any, prompt_builder: PromptBuilder, photos: Sequence[Photo], kind: str
) -> Generator[tuple[Photo, list[PredictionRow], float]]:
    """Judge every object of photos whose truth is known.

    Args:
        model: The model in evaluation mode.
        prompt_builder: Writes its questions.
        photos: The photos with their objects.
        kind: The kind of question: `condition` or `class`.

    Yields:
        For each photo the photo itself, its prediction rows, and the summed loss (nats) of the right answers.

    Raises:
        UserError: A photo cannot be read, or an answer is not a finite number.
    """
    queries = [PhotoQueries(photo.path, prompt_builder.boxes(photo), queries_about(photo, kind)) for photo in photos]
    for photo, found in zip(photos, judge_each(model, prompt_builder, queries), strict=True):
        rows, loss = [], 0.0
        for index, (obj, answer) in enumerate(zip(photo.objects, found, strict=True)):
            loss -= answer.log_probs[truth_of(obj.object_type, obj.condition, kind, prompt_builder.taxonomy)]
            rows.append(prediction_row(photo, index, answer, kind, prompt_builder.taxonomy))
        yield photo, rows, loss


def prediction_row(
    photo: Photo, index: int, answer: AnswerProbabilities, kind: str, taxonomy: Taxonomy
) -> PredictionRow:
    """Write a line of predictions.jsonl about a model's answer.

    Args:
        photo: The photo.
        index: The object's number on it, from 0.
        answer: The model's answer about that object.
        kind: The kind of question: `condition` or `class`.
        taxonomy: Names the classes.
    """
    answered = read_answer(answer.best, photo.objects[index].object_type, kind, taxonomy)
    return answered_row(photo, index, answered, answer.probabilities, kind, taxonomy)


def answered_row(
    photo: Photo,
    index: int,
    answered: tuple[str, str],
    probabilities: Mapping[str, float],
    kind: str,
    taxonomy: Taxonomy,
) -> PredictionRow:
    """Write a line of predictions.jsonl, whoever answered.

    Args:
        photo: The photo.
        index: The object's number on it, from 0.
        answered: The object type and condition of the answer.
        probabilities: {answer: probability}; {} where they are unknown.
        kind: The kind of question: `condition` or `class`.
        taxonomy: Names the classes.
    """
    one = photo.objects[index]
    return {
        "image": photo.name,
        "flight": photo.group,
        "object": index,
        "box_xyxy_px": stored_px(one.box_xyxy, photo.size_wh),
        "object_type": one.object_type,
        "truth": one.condition,
        "predicted": answered[1],
        "truth_class": taxonomy.class_name(one.object_type, one.condition),
        "predicted_class": taxonomy.class_name(*answered),
        "question": kind,
        "choices": len(answers(one.object_type if kind == "condition" else None, taxonomy)),
        "probabilities": {name: float(f"{value:.6g}") for name, value in probabilities.items()},
    }


def read_answer(answer: str, object_type: str | None, kind: str, taxonomy: Taxonomy) -> tuple[str, str]:
    """Read which (object type, condition) an answer of the closed list names.

    Args:
        answer: A condition, or a class's name.
        object_type: The object's type, which a condition's question must know.
        kind: The kind of question: `condition` or `class`.
        taxonomy: Names the classes.
    """
    if kind == "condition":
        assert object_type is not None
        return object_type, answer
    return next(pair for pair in taxonomy.classes if taxonomy.class_name(*pair) == answer)
