"""What a data set is, once read: photos with boxed objects. Every reader makes these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.boxes import BoxXyxy
from core.data.image_stats import ImageStats
from core.data.moments import Moment
from core.errors import Problem

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class BoxedObject:
    """One boxed object.

    Attributes:
        box_xyxy: fractions of the photo's width and height, 0 to 1, y downwards.
        object_type: its name in the taxonomy.
        condition: its name in the taxonomy.
        source: where it was read (`d07.txt line 3`).
    """

    box_xyxy: BoxXyxy
    object_type: str
    condition: str
    source: str = ""


@dataclass(frozen=True)
class Photo:
    """A photo on disk with its objects.

    Its size and all boxes refer to the photo as viewed: turned as its EXIF orientation says (open it with
    `core.data.photos.open_photo`).

    Attributes:
        path: of its file.
        name: its path inside the data set.
        size_wh: width and height in pixels.
        split: one of SPLITS; "" where none is given yet.
        group: its flight or site, which stays on one side of a split: as the labels state it, else by folder and name;
            "" until it is known.
        objects: everything boxed in it; empty where there is nothing to see.
        digest: SHA-256 (hex) of the file's bytes.
        stats: of the picture; only where the data set was read to be reviewed or rid of duplicates.
        orientation: by EXIF, from 1 (as stored) to 8.
        moment: when, where and by which camera it was taken, where EXIF says so.
    """

    path: Path
    name: str
    size_wh: tuple[int, int]
    split: str
    group: str
    objects: tuple[BoxedObject, ...] = ()
    digest: str = ""
    stats: ImageStats | None = field(default=None, compare=False, repr=False)
    orientation: int = field(default=1, compare=False, repr=False)
    moment: Moment | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Dataset:
    """A data set as read.

    Attributes:
        root: its folder.
        format: the name of its label format.
        photos: all that can be used.
        problems: everything wrong with the rest.
        fingerprint: SHA-256 (hex) over names, boxes, classes, splits and photo bytes: the same fingerprint is the same
            task.
    """

    root: Path
    format: str
    photos: tuple[Photo, ...]
    problems: tuple[Problem, ...] = ()
    fingerprint: str = ""

    def split(self, name: str) -> tuple[Photo, ...]:
        """The photos of a split; those without one for ""."""
        return tuple(photo for photo in self.photos if photo.split == name)
