"""One vector for an object out of the vision features of its crop, or of its place in the whole photo."""

from __future__ import annotations

import numpy as np
import torch

from core.boxes import BoxXyxy
from core.engine.vision import Patches


def pooled(seen: Patches, merge: int, box_xyxy: BoxXyxy | None = None) -> np.ndarray:
    """(3 H,) float64: mean, standard deviation and maximum of the merger's features over the image's tokens.

    With a box only the tokens whose centres lie inside it count; where none does, the one nearest to its centre.
    `seen.features` is (D, T, H), of which the first layer is what the merger puts out.
    """
    assert seen.features is not None
    tokens = seen.features[0].to(torch.float32).numpy().astype(np.float64)
    if box_xyxy is not None:
        tokens = tokens[_inside(seen.grid_thw[1] // merge, seen.grid_thw[2] // merge, box_xyxy)]
    return np.concatenate([tokens.mean(axis=0), tokens.std(axis=0), tokens.max(axis=0)])


def _inside(rows: int, columns: int, box_xyxy: BoxXyxy) -> np.ndarray:
    """Numbers of the tokens (row by row) of a grid whose centres lie in the box."""
    x1, y1, x2, y2 = box_xyxy
    down, right = np.divmod(np.arange(rows * columns), columns)
    x, y = (right + 0.5) / columns, (down + 0.5) / rows
    found = np.flatnonzero((x >= x1) & (x <= x2) & (y >= y1) & (y <= y2))
    if len(found):
        return found
    nearest = np.argmin((x - (x1 + x2) / 2) ** 2 + (y - (y1 + y2) / 2) ** 2)
    return np.array([nearest])
