"""Boxes from what label files hold: corners, sizes, polygons and turned boxes, as written; and stated photo sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from core.boxes import BoxXyxy
from core.data.formats.base import numbers
from core.errors import Problem

DRAW_AGAIN = "Draw it again in the tool that wrote this file."
MOST_PIXELS_A_SIDE = 1_000_000


def four(values: Sequence[Any], source: str) -> tuple[float, float, float, float] | Problem:
    """Four numbers as written, None and "" counted as missing."""
    present = [value for value in values if value is not None and value != ""]
    if len(present) != 4 or len(values) != 4:
        return Problem(f"the box: 4 numbers expected, {len(present)} found", source, DRAW_AGAIN, "wrong-count")
    read = numbers(present, source)
    return read if isinstance(read, Problem) else (read[0], read[1], read[2], read[3])


def ordered(values: Sequence[Any], source: str) -> BoxXyxy | Problem:
    """The box between two opposite corners x, y, x, y, in whatever order they were drawn."""
    ends = four(values, source)
    if isinstance(ends, Problem):
        return ends
    x0, y0, x1, y1 = ends
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def from_size(values: Sequence[Any], source: str) -> BoxXyxy | Problem:
    """The box of x, y, width and height."""
    ends = four(values, source)
    return ends if isinstance(ends, Problem) else (ends[0], ends[1], ends[0] + ends[2], ends[1] + ends[3])


def from_middle(values: Sequence[Any], source: str) -> BoxXyxy | Problem:
    """The box of its middle x and y, width and height."""
    ends = four(values, source)
    if isinstance(ends, Problem):
        return ends
    x, y, wide, high = ends
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def around(points: Any, source: str, least: int = 3) -> BoxXyxy | Problem:
    """The box around points, given as x, y, x, y, … or as pairs.

    Args:
        points: as the label file has them.
        source: file and place in it, for the problem.
        least: number of points below which this is no shape.
    """
    listed = points if isinstance(points, Sequence) and not isinstance(points, str) else ()
    flat = [end for point in listed for end in (point if isinstance(point, list | tuple) else (point,))]
    if len(flat) < 2 * least or len(flat) % 2:
        what = f"at least {least} points expected, {len(flat) // 2} found"
        return Problem(what, source, DRAW_AGAIN, "wrong-count")
    read = numbers(flat, source)
    if isinstance(read, Problem):
        return read
    if not all(map(math.isfinite, read)):
        return Problem("a number of the shape is not finite", source, "Draw it again.", "bad-number")
    return min(read[::2]), min(read[1::2]), max(read[::2]), max(read[1::2])


def around_turned(box: BoxXyxy, degrees: float, pivot: tuple[float, float] | None = None) -> BoxXyxy:
    """The upright box around a turned one.

    Args:
        box: in units of which x and y are equally long.
        degrees: clockwise as seen.
        pivot: the point about which it is turned; its middle if None.
    """
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    about = pivot or middle
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x = about[0] + (middle[0] - about[0]) * cosine - (middle[1] - about[1]) * sine
    y = about[1] + (middle[0] - about[0]) * sine + (middle[1] - about[1]) * cosine
    wide, high = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    across, down = wide * abs(cosine) + high * abs(sine), wide * abs(sine) + high * abs(cosine)
    return x - across, y - down, x + across, y + down


def turn_of(value: Any) -> float:
    """Degrees of a stated rotation; 0 for none and for what is no finite number."""
    read = numbers([value], "") if value not in (None, "") else (0.0,)
    return 0.0 if isinstance(read, Problem) or not math.isfinite(read[0]) else read[0] % 360


def size_wh(width: Any, height: Any) -> tuple[int, int] | None:
    """A photo's size as a label file states it, `640`, `"640"` or `640.0`; None for none, and for 0."""
    if width in (None, "") or height in (None, ""):
        return None
    read = numbers([width, height], "")
    if isinstance(read, Problem) or not all(0 < side < MOST_PIXELS_A_SIDE and side == int(side) for side in read):
        return None
    return int(read[0]), int(read[1])
