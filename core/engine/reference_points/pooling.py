"""One vector for an object out of the vision features of its crop, or of its place in the whole photo."""

from __future__ import annotations

import numpy as np
import torch

from core.boxes import BoxXyxy
from core.engine.vision import Patches


def pooled(seen: Patches, merge: int, box_xyxy: BoxXyxy | None = None) -> np.ndarray:
    """Pool the merger's features over an image's tokens: mean, standard deviation and maximum.

    Args:
        seen: An image with `features` (D, T, H), of which the first layer is what the merger puts out.
        merge: The side of the square of patches that one token is.
        box_xyxy: A box in fractions of the image: only the tokens whose centres lie inside it count, or where none does
            the one nearest to its centre. None takes all tokens.

    Returns:
        (3 H,) float64.
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
