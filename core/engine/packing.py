"""Samples as rows of tensors: one photo, many questions, every question with its possible answers.

A photo's tokens stand once; each question about it is a segment that sees the photo and itself; each answer is a path
of segments that sees the photo, its question and its own beginning. Positions restart where the parent ends, so every
path from the photo on reads exactly like a sequence of its own, and loss and gradients are equal (which a test holds).
Samples of several photos share a row, blind to each other, so that little is padded.

Answers are closed or open. Closed: an answer goes on with one of the tokens with which some allowed answer goes on, so
its probability is a product of choices among few, and the allowed answers' probabilities sum to 1. Where only one token
can follow, nothing is computed. Open: every token of the vocabulary could follow, as in free writing.

Legend for shapes: B rows, S tokens of a row, R rows of logits (places where an answer is chosen), A choices, C columns
of logits (the candidates of closed answers, or the vocabulary).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from core.engine.models import base_of
from core.engine.samples import Answer, PackedSample, Question, choices, fill_rows, sample_tokens, split_sample
from core.engine.vision import Patches

Batch = dict[str, torch.Tensor]


@dataclass
class PackedRow:
    """Samples laid out one after the other as one row of S tokens.

    The lists `choice_…` and `allowed` have an item for each choice on an answer's path.

    Attributes:
        ids: The tokens; an image stands as one pad for each of its tokens.
        positions: M-RoPE positions, pieces that together are (3, S).
        segments: The segment that each token belongs to.
        parents: For each segment the one that it goes on from; -1 for a head.
        images: The images, in the order of their pads.
        choice_at: The place in the row whose logits decide.
        choice_ids: The token that the answer takes there.
        allowed: The tokens that are allowed there; () for any.
        choice_answers: The number of the answer.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    images: list[Patches] = field(default_factory=list)
    # For every choice on an answer's path: its place in the row, the token taken, those allowed, and whose path it is.
    choice_at: list[int] = field(default_factory=list)
    choice_ids: list[int] = field(default_factory=list)
    allowed: list[tuple[int, ...]] = field(default_factory=list)
    choice_answers: list[int] = field(default_factory=list)


def image_positions(grid_thw: tuple[int, int, int], merge: int, start: int) -> np.ndarray:
    """Compute the M-RoPE positions of an image.

    Args:
        grid_thw: The image's patches: frames, rows, columns.
        merge: The side of the square of patches that one token is.
        start: The position at which the image begins.

    Returns:
        (3, tokens) int64: frame, row and column of each token, counted from `start`.

    Source: Qwen2-VL report, section 2.1.
    """
    frames, rows, columns = grid_thw[0], grid_thw[1] // merge, grid_thw[2] // merge
    cells = np.indices((frames, rows, columns)).reshape(3, -1)
    return cells + start


class Packer:
    """Writes samples as rows for one model.

    Args:
        image_pad_id: The token that stands for an image.
        pad_id: The token that fills rows up.
        merge: The merge factor of its vision tower.
        candidates: The tokens among which closed answers choose: the columns of the logits (see `models.closed_head`).
    """

    def __init__(self, image_pad_id: int, pad_id: int, merge: int, candidates: Sequence[int] = ()) -> None:
        self.image_pad_id, self.pad_id, self.merge = image_pad_id, pad_id, merge
        self.column = {token: index for index, token in enumerate(candidates)}

    def row(self, samples: Sequence[PackedSample], first_answers: Sequence[int] = (0,)) -> PackedRow:
        """Lay samples out as one row.

        Args:
            samples: The samples, in their order.
            first_answers: For each sample the number that its first answer gets; the others count on from there.
        """
        row = PackedRow()
        for sample, first_answer in zip(samples, first_answers, strict=True):
            answer = first_answer
            after_head = self._lay(row, sample.head_ids, sample.photo, 0, parent=-1)
            head = len(row.parents) - 1
            for question in sample.questions:
                after_question = self._lay(row, question.token_ids, question.crop, after_head, parent=head)
                # Answers that begin alike share their beginning: tokens so far -> (place in the row, segment).
                known: dict[tuple[int, ...], tuple[int, int]] = {(): (len(row.ids) - 1, len(row.parents) - 1)}
                for scored in question.answers:
                    self._lay_answer(row, scored, question, known, after_question, answer)
                    answer += 1
        return row

    def _lay_answer(
        self,
        row: PackedRow,
        answer: Answer,
        question: Question,
        known: dict[tuple[int, ...], tuple[int, int]],
        start: int,
        of: int,
    ) -> None:
        ids = answer.token_ids
        for place, follow in choices(answer, question.allowed):
            for length in range(1, place + 1):
                if ids[:length] not in known:
                    before = known[ids[: length - 1]][1]
                    self._lay(row, ids[length - 1 : length], None, start + length - 1, parent=before)
                    known[ids[:length]] = (len(row.ids) - 1, len(row.parents) - 1)
            row.choice_at.append(known[ids[:place]][0])
            row.choice_ids.append(ids[place])
            row.allowed.append(follow)
            row.choice_answers.append(of)

    def _lay(self, row: PackedRow, ids: Sequence[int], image: Patches | None, start: int, parent: int) -> int:
        """Append a segment; returns the position after it."""
        segment = len(row.parents)
        row.parents.append(parent)
        position = start
        for token in ids:
            if token == self.image_pad_id:
                if image is None:
                    raise ValueError("an image pad stands where there is no image")
                block = image_positions(image.grid_thw, self.merge, position)
                row.ids += [token] * block.shape[1]
                row.segments += [segment] * block.shape[1]
                row.positions.append(block)
                row.images.append(image)
                position += max(image.grid_thw[1], image.grid_thw[2]) // self.merge
            else:
                row.ids.append(token)
                row.segments.append(segment)
                row.positions.append(np.full((3, 1), position))
                position += 1
        return position

    def batches(self, samples: Iterable[PackedSample], multiple: int = 1, most_tokens: int = 0) -> list[Batch]:
        """Lay samples out as few batches.

        The questions of a batch are in order and numbered in `questions`; those of one photo may be spread over
        batches.

        Args:
            samples: The samples, in the order in which their questions are numbered.
            multiple: Rows are padded to a multiple of so many tokens.
            most_tokens: A batch holds at most so many tokens, padding included, or a single row; 0 makes one batch of
                all.

        Returns:
            Batches of tensors on the CPU, as `batch` describes them.
        """
        parts = [part for sample in samples for part in split_sample(sample, self.merge)]
        rows = fill_rows([sample_tokens(part, self.merge) for part in parts])
        made: list[list[list[int]]] = []
        longest = 0
        for row in rows:
            size = -(-sum(sample_tokens(parts[index], self.merge) for index in row) // multiple) * multiple
            # Rows come longest first, so the first of a batch decides what its rows are padded to.
            if not made or (most_tokens and (len(made[-1]) + 1) * longest > most_tokens):
                made.append([])
                longest = size
            longest = max(longest, size)
            made[-1].append(row)
        return [self._batch(parts, group, multiple) for group in made]

    def batch(self, samples: Sequence[PackedSample], multiple: int = 1) -> Batch:
        """Lay `samples` out as one batch, padded on the right to a multiple of `multiple` tokens.

        Returns:
            Tensors on the CPU, int64 where nothing else is said.

            - `input_ids` (B, S), `attention_mask` (B, 1, S, S) bool, `position_ids` (3, B, S).
            - The images as `pixel_values` (ΣN, patch values) float32 with `image_grid_thw` (images, 3) and
              `image_index` (which of them stands at each image's place), or, where they are known, as `image_features`
              (D, Σtokens, H).
            - `reads` (B, S) bool: the places whose logits (R, C) are wanted; for closed answers `allowed` (R, C) bool.
            - For each of the A choices `choice_rows` (its row among the R), `choice_ids` (its column) and
              `choice_answers` (the answer that it is part of).
            - For each answer `answer_weights` float32; for each question `answer_counts` and `questions` (its number
              among those of all samples).
            - `tokens` counts what is not padding.
        """
        (made,) = self.batches(samples, multiple)
        return made

    def _batch(self, parts: Sequence[PackedSample], groups: Sequence[Sequence[int]], multiple: int) -> Batch:
        used = sorted(index for group in groups for index in group)
        first_answer: dict[int, int] = {}
        answers: list[Answer] = []
        for index in used:
            first_answer[index] = len(answers)
            answers += [answer for question in parts[index].questions for answer in question.answers]
        numbers = np.cumsum([0, *(len(part.questions) for part in parts)])
        rows = [self.row([parts[i] for i in group], [first_answer[i] for i in group]) for group in groups]
        size = -(-max(len(row.ids) for row in rows) // multiple) * multiple
        ids = np.full((len(rows), size), self.pad_id, dtype=np.int64)
        positions = np.zeros((3, len(rows), size), dtype=np.int64)
        mask = np.zeros((len(rows), 1, size, size), dtype=bool)
        reads = np.zeros((len(rows), size), dtype=bool)
        for index, row in enumerate(rows):
            length = len(row.ids)
            ids[index, :length] = row.ids
            positions[:, index, :length] = np.concatenate(row.positions, axis=1)
            mask[index, 0] = _visible(row, size)
            reads[index, row.choice_at] = True
        row_of_read = reads.cumsum().reshape(reads.shape) - 1
        choice_rows = np.concatenate([row_of_read[i, row.choice_at] for i, row in enumerate(rows)])
        batch = {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "reads": reads,
            "choice_rows": choice_rows.astype(np.int64),
            "choice_answers": np.array([answer for row in rows for answer in row.choice_answers], dtype=np.int64),
            "answer_weights": np.array([answer.weight for answer in answers], dtype=np.float32),
            "answer_counts": np.array(
                [len(question.answers) for i in used for question in parts[i].questions], dtype=np.int64
            ),
            "questions": np.concatenate([np.arange(numbers[i], numbers[i + 1]) for i in used]),
            "tokens": np.array(sum(len(row.ids) for row in rows)),
        }
        made = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in batch.items()}
        made |= self._choices(rows, choice_rows, int(reads.sum()))
        return made | _images([image for row in rows for image in row.images])

    def _choices(self, rows: Sequence[PackedRow], choice_rows: np.ndarray, reads: int) -> Batch:
        taken = [token for row in rows for token in row.choice_ids]
        follows = [follow for row in rows for follow in row.allowed]
        if not any(follows):
            return {"choice_ids": torch.tensor(taken, dtype=torch.long)}
        allowed = torch.zeros((reads, len(self.column)), dtype=torch.bool)
        for place, follow in zip(choice_rows.tolist(), follows, strict=True):
            allowed[place, [self.column[token] for token in follow]] = True
        return {"choice_ids": torch.tensor([self.column[token] for token in taken]), "allowed": allowed}


def _images(images: Sequence[Patches]) -> Batch:
    """The images of a batch; a photo whose questions fill several rows stands in `pixel_values` once."""
    known = [image.features for image in images if image.features is not None]
    if len(known) == len(images):
        return {"image_features": torch.cat(known, dim=1)}
    places: dict[int, int] = {}
    for image in images:
        places.setdefault(id(image), len(places))
    once = list({id(image): image for image in images}.values())
    return {
        "pixel_values": torch.from_numpy(np.concatenate([image.values for image in once])),
        "image_grid_thw": torch.tensor([image.grid_thw for image in once]),
        "image_index": torch.tensor([places[id(image)] for image in images]),
    }


def _visible(row: PackedRow, size: int) -> np.ndarray:
    """(size, size) bool: what each token sees. A token sees earlier tokens of its own segment and its ancestors."""
    segments = len(row.parents)
    family = np.eye(segments, dtype=bool)
    for segment, parent in enumerate(row.parents):
        if parent >= 0:
            family[segment] |= family[parent]
    of = np.asarray(row.segments)
    visible = np.zeros((size, size), dtype=bool)
    visible[: len(of), : len(of)] = np.tril(family[np.ix_(of, of)])
    # A padding token sees itself: a row of an attention mask with nothing to see gives NaN.
    np.fill_diagonal(visible, True)
    return visible


def _image_inputs(model: Any, batch: Batch) -> dict[str, Any]:
    """The images of a batch as the model's forward takes them: a photo that stands in several rows is seen once.

    What wraps a model for several devices wants all its work within its forward: there it is seen once a row.
    """
    if "image_features" in batch:
        first, *deeper = batch["image_features"].unbind(0)
        return {"mm_encoder_outputs": {"image": _tower_output((first,), [(layer,) for layer in deeper])}}
    values, grid, index = batch["pixel_values"], batch["image_grid_thw"], batch["image_index"].tolist()
    if len(index) == len(grid):
        return {"pixel_values": values, "image_grid_thw": grid}
    if not isinstance(model, PeftModel | PreTrainedModel):
        parts = values.split(grid.prod(-1).tolist())
        return {"pixel_values": torch.cat([parts[place] for place in index]), "image_grid_thw": grid[index]}
    found = base_of(model).get_image_features(values, grid)
    layers = [list(layer) for layer in getattr(found, "deepstack_features", None) or ()]
    known = _tower_output(
        tuple(found.pooler_output[place] for place in index),
        [tuple(layer[place] for place in index) for layer in layers],
    )
    return {"mm_encoder_outputs": {"image": known}}


def _tower_output(
    features: tuple[torch.Tensor, ...], deeper: list[tuple[torch.Tensor, ...]]
) -> BaseModelOutputWithPooling:
    """What the vision tower would have returned."""
    known = BaseModelOutputWithPooling(pooler_output=features)
    known["deepstack_features"] = deeper
    return known


def answer_log_probs(model: Any, batch: Batch) -> torch.Tensor:
    """Compute the log-probability of every answer: the sum over its choices.

    Works on a plain, a LoRA-wrapped or a distributed model: only its public forward is called.

    Args:
        model: The model; for a batch of closed answers one whose output layer is closed (see `models.closed_head`).
        batch: A batch of a `Packer`, on the model's device.

    Returns:
        (answers,) float32 or float64, in nats.
    """
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=batch["reads"],
        use_cache=False,
        **_image_inputs(model, batch),
    )
    logits = output.logits
    logits = logits if logits.dtype == torch.float64 else logits.float()
    if "allowed" in batch:
        logits = logits.masked_fill(~batch["allowed"], -torch.inf)
    logs = torch.log_softmax(logits, dim=-1)[batch["choice_rows"], batch["choice_ids"]]
    total = torch.zeros(len(batch["answer_weights"]), dtype=logs.dtype, device=logs.device)
    return total.index_add(0, batch["choice_answers"], logs)
