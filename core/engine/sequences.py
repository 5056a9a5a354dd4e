"""Questions as token sequences: one photo, many questions, every question with its possible answers.

A photo's tokens stand once at the head of the row; each question is a branch that sees the photo and itself; each
answer is a leaf that sees the photo, its question and itself. Positions restart where the parent ends, so every path
from the root to a leaf reads exactly like a sample of its own: loss and gradients are equal (a law with a test).

Legend for shapes: B rows, S tokens of a row, R rows of logits (places that predict an answer token), A answer tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from core.engine.vision import Patches

IMAGE_PAD = "<|image_pad|>"


@dataclass(frozen=True)
class Leaf:
    """One allowed answer of a question: its tokens with the end token, and its weight in the loss (0: not trained)."""

    token_ids: tuple[int, ...]
    weight: float = 0.0


@dataclass(frozen=True)
class Branch:
    """One question: tokens with one image pad where the crop stands (if any), the crop, and the leaves."""

    token_ids: tuple[int, ...]
    leaves: tuple[Leaf, ...]
    crop: Patches | None = None


@dataclass(frozen=True)
class Tree:
    """A photo with its questions: the head's tokens with one image pad for the photo (None in the crop-only view)."""

    head_ids: tuple[int, ...]
    branches: tuple[Branch, ...]
    photo: Patches | None = None


def split_tree(tree: Tree, merge: int, least: int = 256) -> list[Tree]:
    """The same questions in rows of bounded length, because attention costs the square of a row.

    A row carries branches of at most twice the head's tokens (or `least`), beyond which repeating the head is cheaper
    than a longer row. Loss, gradients and probabilities do not depend on the cut.
    """
    head = len(tree.head_ids) + (tree.photo.tokens(merge) if tree.photo else 0)
    room = max(least, 2 * head)
    groups: list[list[Branch]] = []
    used = room + 1
    for branch in tree.branches:
        size = len(branch.token_ids) + sum(len(leaf.token_ids) for leaf in branch.leaves)
        size += branch.crop.tokens(merge) if branch.crop else 0
        if used + size > room:
            groups.append([])
            used = 0
        groups[-1].append(branch)
        used += size
    return [Tree(tree.head_ids, tuple(group), tree.photo) for group in groups]


@dataclass
class Row:
    """A tree laid out: ids (S,), positions (3, S), and which segment each token belongs to."""

    ids: list[int] = field(default_factory=list)
    positions: list[np.ndarray] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    images: list[Patches] = field(default_factory=list)
    # For every answer token: where in the row it is predicted, its id, the leaf it belongs to.
    predicted_at: list[int] = field(default_factory=list)
    answer_ids: list[int] = field(default_factory=list)
    leaf_of: list[int] = field(default_factory=list)
    leaf_weights: list[float] = field(default_factory=list)
    leaf_counts: list[int] = field(default_factory=list)


def image_positions(grid_thw: tuple[int, int, int], merge: int, start: int) -> np.ndarray:
    """M-RoPE positions (3, tokens) of an image that begins at `start` (Qwen2-VL report, section 2.1)."""
    frames, rows, columns = grid_thw[0], grid_thw[1] // merge, grid_thw[2] // merge
    cells = np.indices((frames, rows, columns)).reshape(3, -1)
    return cells + start


class Layout:
    """How one model writes trees as rows: its image pad, its padding and the merge factor of its vision tower."""

    def __init__(self, image_pad_id: int, pad_id: int, merge: int) -> None:
        self.image_pad_id, self.pad_id, self.merge = image_pad_id, pad_id, merge

    def row(self, tree: Tree) -> Row:
        """A tree as a row; images in the order of their pads."""
        row = Row()
        after_head = self._lay(row, tree.head_ids, tree.photo, 0, parent=-1)
        for branch in tree.branches:
            after_branch = self._lay(row, branch.token_ids, branch.crop, after_head, parent=0)
            question_end, question = len(row.ids) - 1, len(row.parents) - 1
            row.leaf_counts.append(len(branch.leaves))
            for leaf in branch.leaves:
                first = len(row.ids)
                # The last token of an answer predicts nothing that is asked for, so it is not laid out.
                self._lay(row, leaf.token_ids[:-1], None, after_branch, parent=question)
                row.predicted_at += [question_end, *range(first, first + len(leaf.token_ids) - 1)]
                row.answer_ids += leaf.token_ids
                row.leaf_of += [len(row.leaf_weights)] * len(leaf.token_ids)
                row.leaf_weights.append(leaf.weight)
        return row

    def _lay(self, row: Row, ids: Sequence[int], image: Patches | None, start: int, parent: int) -> int:
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

    def batch(self, trees: Sequence[Tree], multiple: int = 1) -> dict[str, torch.Tensor]:
        """Rows (see `split_tree`) padded on the right to a multiple of `multiple` tokens, as tensors.

        `input_ids` (B, S), `attention_mask` (B, 1, S, S) bool, `position_ids` (3, B, S), `pixel_values` (ΣN, C),
        `image_grid_thw` (images, 3), `reads` (B, S) bool: the places whose logits (R, V) are asked for, and for the
        A answer tokens `answer_rows` (their row among the R), `answer_ids`, `answer_leaves`; per leaf `leaf_weights`;
        per question `leaf_counts`; `photos` is the number of trees.
        """
        rows = [self.row(part) for tree in trees for part in split_tree(tree, self.merge)]
        size = -(-max(len(row.ids) for row in rows) // multiple) * multiple
        ids = torch.full((len(rows), size), self.pad_id)
        mask = torch.zeros((len(rows), 1, size, size), dtype=torch.bool)
        positions = torch.zeros((3, len(rows), size), dtype=torch.long)
        reads = torch.zeros((len(rows), size), dtype=torch.bool)
        for index, row in enumerate(rows):
            length = len(row.ids)
            ids[index, :length] = torch.tensor(row.ids)
            positions[:, index, :length] = torch.from_numpy(np.concatenate(row.positions, axis=1))
            mask[index, 0] = torch.from_numpy(_visible(row, size))
            reads[index, row.predicted_at] = True
        row_of_read = torch.cumsum(reads.flatten(), 0).sub_(1).view_as(reads)
        leaf_starts = np.cumsum([0] + [len(row.leaf_weights) for row in rows])
        images = [image for row in rows for image in row.images]
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "pixel_values": torch.from_numpy(np.concatenate([image.values for image in images])),
            "image_grid_thw": torch.tensor([image.grid_thw for image in images]),
            "reads": reads,
            "answer_rows": torch.cat([row_of_read[i, row.predicted_at] for i, row in enumerate(rows)]),
            "answer_ids": torch.tensor([token for row in rows for token in row.answer_ids]),
            "answer_leaves": torch.cat([torch.tensor(row.leaf_of) + int(leaf_starts[i]) for i, row in enumerate(rows)]),
            "leaf_weights": torch.tensor([weight for row in rows for weight in row.leaf_weights]),
            "leaf_counts": torch.tensor([count for row in rows for count in row.leaf_counts]),
            "photos": torch.tensor(len(trees)),
        }


def _visible(row: Row, size: int) -> np.ndarray:
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


def leaf_log_probs(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Log-probability of every leaf (leaves,): the sum over its answer tokens, float32 or better.

    Works on a plain, a LoRA-wrapped or a distributed model: only its public forward is called.
    """
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        pixel_values=batch["pixel_values"],
        image_grid_thw=batch["image_grid_thw"],
        logits_to_keep=batch["reads"],
        use_cache=False,
    )
    logits = output.logits
    logits = logits if logits.dtype == torch.float64 else logits.float()
    logs = torch.log_softmax(logits, dim=-1)[batch["answer_rows"], batch["answer_ids"]]
    total = torch.zeros(len(batch["leaf_weights"]), dtype=logs.dtype, device=logs.device)
    return total.index_add(0, batch["answer_leaves"], logs)
