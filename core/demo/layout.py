"""Where things stand on a dam: crest above, drains down the slope, stones at its foot, the toe drain lowest.

Boxes depend on the kinds of object alone, never on their condition: a box must not give the answer away.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from core.boxes import BoxXyxy, overlap

MAX_OF_TYPE = {"toe drain": 3, "slope drain": 6, "rock toe": 6, "vegetation": 8}
GAP = 0.012  # clear ground between bands, of the picture's height
SLOPE_TOP = 0.2
SLOPE_CENTRE = 0.405  # slope drains centre no higher than this
WHOLE_WIDTH = 0.5  # how often a lone toe drain runs through the whole picture
TRIES = 60  # places tried for a plant before it is made smaller


def place(rng: np.random.Generator, types: Sequence[str]) -> list[BoxXyxy]:
    """Places for objects on a dam.

    Args:
        rng: decides everything that is not given.
        types: the object type of each.

    Returns:
        One box (x0, y0, x1, y1) for each, in order, in fractions of the picture.

    Raises:
        ValueError: a type is unknown, or there are more objects of it than fit.
    """
    for name in set(types):
        if name not in MAX_OF_TYPE:
            raise ValueError(f"unknown object type {name!r}; known: {', '.join(MAX_OF_TYPE)}")
        if types.count(name) > MAX_OF_TYPE[name]:
            raise ValueError(f"{types.count(name)} x {name!r} do not fit one scene; at most {MAX_OF_TYPE[name]}")
    count = {name: types.count(name) for name in MAX_OF_TYPE}
    toes = _toe_drains(rng, count["toe drain"], bool(count["rock toe"]))
    rocks = _rock_toes(rng, count["rock toe"], min((box[1] for box in toes), default=0.9))
    foot = min((box[1] for box in (*toes, *rocks)), default=0.78) - GAP
    slopes = _slope_drains(rng, count["slope drain"], foot)
    plants = _plants(rng, count["vegetation"], [*toes, *rocks, *slopes])
    queues = {name: iter(boxes) for name, boxes in zip(MAX_OF_TYPE, (toes, slopes, rocks, plants), strict=True)}
    return [next(queues[name]) for name in types]


def _lanes(rng: np.random.Generator, count: int, gap: float, fill: tuple[float, float]) -> list[tuple[float, float]]:
    """Cut the width into `count` stretches (x0, x1) with gaps between, each filling a share of its lane."""
    weights = rng.uniform(0.8, 1.25, count)
    ends = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])
    lanes = []
    for start, end in pairwise(ends):
        space = end - start - gap
        length = space * rng.uniform(*fill)
        x0 = start + gap / 2 + rng.uniform(0.0, space - length)
        lanes.append((float(x0), float(x0 + length)))
    return [lanes[int(i)] for i in rng.permutation(count)]


def _toe_drains(rng: np.random.Generator, count: int, below_stones: bool) -> list[BoxXyxy]:
    centre = rng.uniform(0.80, 0.845) if below_stones else rng.uniform(0.68, 0.845)
    height = rng.uniform(0.075, 0.095)
    lanes = _lanes(rng, count, 0.02 if count == 1 else 0.04, (0.8, 1.0) if count == 1 else (0.9, 1.0))
    if count == 1 and rng.random() < WHOLE_WIDTH:
        lanes = [(0.0, 1.0)]
    return [(x0, centre - height / 2, x1, centre + height / 2) for x0, x1 in lanes]


def _rock_toes(rng: np.random.Generator, count: int, floor: float) -> list[BoxXyxy]:
    height = rng.uniform(0.115, 0.145)
    bottom = min(floor - GAP, rng.uniform(0.78, 0.85))
    lanes = _lanes(rng, count, 0.03, (0.5, 0.95) if count == 1 else (0.8, 1.0))
    return [(x0, bottom - height, x1, bottom) for x0, x1 in lanes]


def _slope_drains(rng: np.random.Generator, count: int, foot: float) -> list[BoxXyxy]:
    boxes = []
    for x0, x1 in _lanes(rng, count, 0.03, (0.98, 1.0)):
        width = rng.uniform(0.06, 0.078)
        bottom = foot - rng.uniform(0.0, 0.05)
        top = max(rng.uniform(SLOPE_TOP, 0.29), 2 * SLOPE_CENTRE - bottom)
        middle = rng.uniform(x0 + width / 2, x1 - width / 2)
        boxes.append((middle - width / 2, top, middle + width / 2, bottom))
    return boxes


def _plants(rng: np.random.Generator, count: int, taken: Sequence[BoxXyxy]) -> list[BoxXyxy]:
    """Plants on free ground; where little is free they grow smaller, but never overlap."""
    boxes: list[BoxXyxy] = []
    for _ in range(count):
        width, height = rng.uniform(0.1, 0.17), rng.uniform(0.09, 0.14)
        tries = 0
        while True:
            x0, y0 = rng.uniform(0.01, 0.99 - width), rng.uniform(SLOPE_TOP, 0.985 - height)
            box = (float(x0), float(y0), float(x0 + width), float(y0 + height))
            if not any(overlap(box, other, GAP) for other in (*taken, *boxes)):
                boxes.append(box)
                break
            tries += 1
            if tries % TRIES == 0:
                width, height = 0.88 * width, 0.88 * height
    return boxes
