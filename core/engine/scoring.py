"""Judging boxes: the probability of every allowed answer, from one forward pass over a photo and all its questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.data.sample import Photo
from core.engine.questions import Asked, Asker, truth_of
from core.engine.sequences import leaf_log_probs
from core.errors import UserError
from core.prompts import BoxXyxy, answers
from core.taxonomy import Taxonomy


@dataclass(frozen=True)
class Verdict:
    """Answers of one question: probabilities over the closed list (they sum to 1), and log-probabilities (nats) that
    the model gave each answer among all texts it could have written."""

    probabilities: dict[str, float]
    log_probs: dict[str, float]

    @property
    def best(self) -> str:
        return max(self.probabilities, key=lambda answer: self.probabilities[answer])


def to_device(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {key: value.to(device, non_blocking=True) for key, value in batch.items()}


@torch.no_grad()
def judge(
    model: Any, asker: Asker, path: Path, boxes: Sequence[BoxXyxy], asked: Sequence[Asked], chunk: int = 0
) -> list[Verdict]:
    """One verdict per question. `chunk` bounds the questions in one pass (0: all of them); the numbers do not depend
    on it. A question with a single allowed answer is not put to the model."""
    lists = [answers(one.object_type, asker.taxonomy) for one in asked]
    open_ones = [index for index, allowed in enumerate(lists) if len(allowed) > 1]
    size = chunk or max(len(open_ones), 1)
    verdicts = [Verdict({allowed[0]: 1.0}, {allowed[0]: 0.0}) for allowed in lists]
    for start in range(0, len(open_ones), size):
        part = open_ones[start : start + size]
        tree = asker.tree(path, boxes, [Asked(asked[i].box_xyxy, asked[i].object_type) for i in part])
        batch = to_device(asker.batch([tree]), asker.device)
        logs = leaf_log_probs(model, batch).cpu().split([len(lists[i]) for i in part])
        for index, log in zip(part, logs, strict=True):
            if not bool(torch.isfinite(log).all()):
                raise UserError(
                    "the model's answer is not a finite number", str(path),
                    "Set model.dtype to float32, or copy the model again.", "non-finite",
                )  # fmt: skip
            share = torch.softmax(log.double(), 0)
            verdicts[index] = Verdict(
                dict(zip(lists[index], share.tolist(), strict=True)),
                dict(zip(lists[index], log.double().tolist(), strict=True)),
            )
    return verdicts


def asked_about(photo: Photo, kind: str) -> list[Asked]:
    """Every object of the photo as a question of `kind` (`condition` or `class`), without its truth."""
    return [Asked(one.box_xyxy, one.object_type if kind == "condition" else None) for one in photo.objects]


def judge_photos(
    model: Any, asker: Asker, photos: Sequence[Photo], kind: str
) -> Iterator[tuple[Photo, list[dict[str, Any]], float]]:
    """For each photo: its prediction rows, and the summed loss (nats) of the right answers."""
    chunk = asker.settings.training.questions_per_sequence
    for photo in photos:
        verdicts = judge(model, asker, photo.path, asker.boxes(photo), asked_about(photo, kind), chunk)
        rows, loss = [], 0.0
        for index, (one, verdict) in enumerate(zip(photo.objects, verdicts, strict=True)):
            loss -= verdict.log_probs[truth_of(one.object_type, one.condition, kind, asker.taxonomy)]
            rows.append(prediction_row(photo, index, verdict, kind, asker.taxonomy))
        yield photo, rows, loss


def prediction_row(photo: Photo, index: int, verdict: Verdict, kind: str, taxonomy: Taxonomy) -> dict[str, Any]:
    """A line of …_predictions.jsonl."""
    one = photo.objects[index]
    object_type, condition = read_answer(verdict.best, one.object_type, kind, taxonomy)
    wide, high = photo.size_wh
    return {
        "image": photo.name,
        "object": index,
        "box_xyxy_px": [
            round(value * scale, 1) for value, scale in zip(one.box_xyxy, (wide, high, wide, high), strict=True)
        ],
        "object_type": one.object_type,
        "truth": one.condition,
        "predicted": condition,
        "truth_class": taxonomy.class_name(one.object_type, one.condition),
        "predicted_class": taxonomy.class_name(object_type, condition),
        "question": kind,
        "choices": len(verdict.probabilities),
        "probabilities": {answer: round(value, 6) for answer, value in verdict.probabilities.items()},
    }


def read_answer(answer: str, object_type: str | None, kind: str, taxonomy: Taxonomy) -> tuple[str, str]:
    """(object type, condition) that an answer of the closed list names."""
    if kind == "condition":
        assert object_type is not None
        return object_type, answer
    return next(one for one in taxonomy.classes if taxonomy.class_name(*one) == answer)
