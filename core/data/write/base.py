"""What a writer of a label format is, and what several of them need. Nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.data.types import BoxedObject, Photo

SPLIT_WORDS = {"train": "train", "valid": "val", "test": "test"}  # as most tools spell a split


@dataclass(frozen=True)
class PlacedPhoto:
    """A photo of a data set that is written.

    Attributes:
        name: its path in the new folder.
        below: the end of that path, below the folder of its split's photos.
        photo: as it was read.
    """

    name: str
    below: str
    photo: Photo


@dataclass(frozen=True)
class LabelWriter:
    """One label format that is written.

    Attributes:
        name: as `damgui convert --to` takes it.
        photo_folder: where the photos of a split lie.
        labels: the text of each label file, by its path in the new folder.
        in_pixels: whether boxes are written in pixels; as fractions of the photo otherwise.
    """

    name: str
    photo_folder: Callable[[str], str]
    labels: Callable[[Sequence[PlacedPhoto]], Mapping[str, str]]
    in_pixels: bool = True


def class_of(obj: BoxedObject) -> str:
    """The class as this project writes it, type and condition in one: `toe drain blocked`."""
    return f"{obj.object_type} {obj.condition}"


def classes_of(placed: Sequence[PlacedPhoto]) -> list[str]:
    """All classes in alphabetical order, so that a class has the same number in every split."""
    return sorted({class_of(obj) for one in placed for obj in one.photo.objects})


def by_split(placed: Sequence[PlacedPhoto]) -> dict[str, list[PlacedPhoto]]:
    """The photos of each split that has some."""
    found: dict[str, list[PlacedPhoto]] = {}
    for one in placed:
        found.setdefault(one.photo.split, []).append(one)
    return found


def pixels(photo: Photo, obj: BoxedObject) -> list[float]:
    """Corners x0, y0, x1, y1 in pixels, to a millionth: 12 pixels are 12.0 and not 11.999999999999998."""
    return [round(end * side, 6) for end, side in zip(obj.box_xyxy, photo.size_wh * 2, strict=True)]


def decimal(value: float) -> str:
    """A number of pixels without an exponent or needless zeros, as strict XML readers want it."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
