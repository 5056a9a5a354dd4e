"""Boxes (x1, y1, x2, y2), y downwards: fractions of a photo, or pixels of it where the name that holds one says so."""

from __future__ import annotations

BoxXyxy = tuple[float, float, float, float]

WHOLE_PHOTO: BoxXyxy = (0.0, 0.0, 1.0, 1.0)


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
