"""What a label format is, and what its reader hands over: labels as written, not yet checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.boxes import BoxXyxy
from core.data.files import Folder
from core.errors import Problem

SHARE, PIXELS = "share", "px"
# What four numbers are; other tools write others in the same place.
CORNERS, SIZED, CENTRED = "x1, y1, x2, y2", "x, y, width, height", "x_center, y_center, width, height"


@dataclass(frozen=True)
class RawObject:
    """A box as written.

    Attributes:
        class_name: as the label file spells it.
        box_xyxy: (x0, y0, x1, y1) in `unit`, y downwards.
        unit: SHARE (of the photo's width and height) or PIXELS.
        source: file and place in it (`d07.txt line 3`).
        attributes: everything else that the file says of the object, as (name, value).
        shape: what its four numbers are by the format: CORNERS, SIZED or CENTRED.
    """

    class_name: str
    box_xyxy: BoxXyxy
    unit: str
    source: str
    attributes: tuple[tuple[str, str], ...] = ()
    shape: str = CORNERS


@dataclass(frozen=True)
class RawPhoto:
    """A labelled photo.

    Attributes:
        name: its path inside the data set.
        split: "train", "valid" or "test"; "" where none is given.
        objects: empty where the label states that there is nothing to see.
        declared_wh: width and height in pixels that the label file states, if it does.
        source: file and place in it.
        flight: that a column of the label file states; "" where none does.
    """

    name: str
    split: str
    objects: tuple[RawObject, ...] = ()
    declared_wh: tuple[int, int] | None = None
    source: str = ""
    flight: str = ""


@dataclass(frozen=True)
class RawSet:
    """All of a data set's labels: the format's name, the photos with their objects, and everything wrong."""

    format: str
    photos: tuple[RawPhoto, ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class LabelFormat:
    """One label format.

    Attributes:
        name: as `data.format` takes it.
        title: as a sentence names it.
        endings: of its label files, in lower case.
        recognises: whether a folder holds labels of this format.
        read: all photos and labels of a folder, with everything wrong in it.
        claims: whether a folder in which no format is recognised means to be of this one, so that its reader can
            report what is missing.
        per_photo: whether every photo has a label file of its own, so that one that is handed over means its folder.
        reads_lists: whether its reader itself reads the lists that state splits.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    recognises: Callable[[Folder], bool]
    read: Callable[[Folder], RawSet]
    claims: Callable[[Folder], bool] = lambda folder: False
    per_photo: bool = False
    reads_lists: bool = False


def numbers(values: Sequence[Any], source: str) -> tuple[float, ...] | Problem:
    """Values as floats, which may be infinite or NaN, or a problem that names the first that is no number.

    Args:
        values: as the label file has them, text or numbers.
        source: file and place in it, for the problem.

    Returns:
        The numbers, or the problem; nothing is raised.
    """
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
    """The hint that a photo has no label."""
    return Problem(
        "no label for this photo, so it is left out",
        name,
        "Label it; an empty label means that nothing is there.",
        "photo-without-label",
    )


def without_photo(source: str, what: str = "no photo belongs to this label file") -> Problem:
    """The problem of a label without a photo.

    Args:
        source: the label file and place in it.
        what: the sentence, where it can be more precise.
    """
    return Problem(what, source, "Add the photo or remove its label.", "label-without-photo")


def unread_photo(photo: str, source: str) -> Problem:
    """The problem of a label whose photo is of a format that is not read."""
    kind = photo.rpartition(".")[2].upper()
    return Problem(f"its photo {photo} is {kind}, which is not read", source, "Save it as JPEG.", "unread-photo")
