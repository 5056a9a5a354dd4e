"""Boxes (x1, y1, x2, y2), y downwards: fractions of a photo, or pixels of it where the name that holds one says so."""

from __future__ import annotations

import math
from typing import Any

from core.errors import UserError

BoxXyxy = tuple[float, float, float, float]

WHOLE_PHOTO: BoxXyxy = (0.0, 0.0, 1.0, 1.0)
ROUNDING = 0.01 + 1e-9  # a box may reach this share of the photo beyond its edge and is then cut there


def in_pixels(box_xyxy: BoxXyxy, size_wh: tuple[int, int]) -> BoxXyxy:
    """Convert a box in fractions of a photo to pixels; `size_wh` is the photo's (width, height) in pixels."""
    x1, y1, x2, y2 = box_xyxy
    wide, high = size_wh
    return x1 * wide, y1 * high, x2 * wide, y2 * high


def stored_px(box_xyxy: BoxXyxy, size_wh: tuple[int, int]) -> list[float]:
    """The box in pixels as result files hold it: a list of four numbers, rounded to a tenth of a pixel."""
    return [round(end, 1) for end in in_pixels(box_xyxy, size_wh)]


def overlap(one: BoxXyxy, other: BoxXyxy, gap: float = 0.0) -> bool:
    """Whether two boxes overlap or lie nearer to each other than `gap`, which is in the unit of the boxes.

    Args:
        one: (x0, y0, x1, y1).
        other: in the same unit.
        gap: how far apart they may lie and still count.
    """
    return one[0] < other[2] + gap and other[0] < one[2] + gap and one[1] < other[3] + gap and other[1] < one[3] + gap


def box_fractions(box_xyxy_px: Any, size_wh: tuple[int, int]) -> BoxXyxy:
    """Convert a box in pixels, as somebody typed or drew it, to fractions of the photo.

    Args:
        box_xyxy_px: Four numbers x1, y1, x2, y2, any corner first; None is the whole photo.
        size_wh: The photo's width and height in pixels; what reaches no more than ROUNDING beyond it is cut off.

    Raises:
        UserError: These are not four finite numbers, they are fractions, the box reaches beyond the photo, or it holds
            less than a pixel of it.
    """
    if box_xyxy_px is None:
        return WHOLE_PHOTO
    try:
        x1, y1, x2, y2 = (float(value) for value in box_xyxy_px)
        if not all(map(math.isfinite, (x1, y1, x2, y2))):
            raise ValueError("not finite")
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError("a box has four numbers", str(box_xyxy_px), "Write x1,y1,x2,y2 in pixels.", "box") from error
    wide, high = size_wh
    written, photo = ",".join(f"{end:g}" for end in (x1, y1, x2, y2)), f"the photo, which is {wide} x {high} pixels"
    left, right, upper, lower = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    if 0 <= left < right <= 1 and 0 <= upper < lower <= 1:
        fix = f"Write {','.join(f'{end:.0f}' for end in in_pixels((left, upper, right, lower), size_wh))}."
        raise UserError("these are fractions of the photo, and pixels are wanted", written, fix, "box")
    beyond = max(-left / wide, right / wide - 1, -upper / high, lower / high - 1)
    left, upper, right, lower = max(0.0, left), max(0.0, upper), min(float(wide), right), min(float(high), lower)
    if right - left < 1 or lower - upper < 1:
        raise UserError(f"the box holds nothing of {photo}", written, "Draw it inside the photo.", "box-outside")
    if beyond > ROUNDING:
        raise UserError(f"the box reaches beyond {photo}", written, "Draw it inside the photo.", "box-outside")
    return left / wide, upper / high, right / wide, lower / high
