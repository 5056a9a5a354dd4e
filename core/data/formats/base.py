"""What a format's reader hands over: labels as written, not yet checked against photo and taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import Problem

SHARE, PIXELS = "share", "px"


@dataclass(frozen=True)
class RawObject:
    """A box as (x0, y0, x1, y1) in `unit`: SHARE (of the photo's width and height) or PIXELS."""

    class_name: str
    box_xyxy: tuple[float, float, float, float]
    unit: str
    source: str


@dataclass(frozen=True)
class RawPhoto:
    """A labelled photo. `split` is "" where none is given; `declared_wh` the size in pixels the label file states."""

    name: str
    split: str
    objects: tuple[RawObject, ...] = ()
    declared_wh: tuple[int, int] | None = None
    source: str = ""


@dataclass(frozen=True)
class RawSet:
    """All of a data set's labels."""

    format: str
    photos: tuple[RawPhoto, ...]
    problems: tuple[Problem, ...] = ()


def numbers(values: Sequence[Any], source: str) -> tuple[float, ...] | Problem:
    """Values as floats (they may be infinite or NaN), or a Problem naming the first that is no number."""
    found = []
    for value in values:
        try:
            if isinstance(value, bool):
                raise ValueError
            found.append(float(value))
        except (TypeError, ValueError, OverflowError):
            return Problem(f"{value!r} is not a number", source, "Write numbers with a decimal point.", "bad-number")
    return tuple(found)


def without_label(name: str) -> Problem:
    return Problem(
        "no label for this photo, so it is left out",
        name,
        "Label it; an empty label means that nothing is there.",
        "photo-without-label",
    )


def without_photo(source: str, said: str = "no photo belongs to this label file") -> Problem:
    return Problem(said, source, "Add the photo or remove its label.", "label-without-photo")
