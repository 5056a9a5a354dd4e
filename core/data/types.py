"""What a data set is, once read: photos with boxed objects. Every reader makes these and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from core.boxes import BoxXyxy
from core.data.image_stats import ImageStats
from core.errors import Problem

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class BoxedObject:
    """One boxed object. `box_xyxy` holds fractions of the photo's width and height, 0 to 1, y downwards.

    `object_type` and `condition` are names from the taxonomy; `source` is where it was read (`d07.txt line 3`).
    """

    box_xyxy: BoxXyxy
    object_type: str
    condition: str
    source: str = ""


@dataclass(frozen=True)
class Photo:
    """A photo on disk with its objects. `name` is its path inside the data set, `group` its flight or site.

    `size_wh` and all boxes refer to the photo as viewed: turned as its EXIF orientation says (open it with
    `core.data.photos.open_photo`). `digest` is the SHA-256 (hex) of the file's bytes; `look` is there only where the
    data set was read to be reviewed or rid of duplicates.
    """

    path: Path
    name: str
    size_wh: tuple[int, int]
    split: str
    group: str
    objects: tuple[BoxedObject, ...] = ()
    digest: str = ""
    look: ImageStats | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Dataset:
    """A data set as read. `problems` lists everything wrong; `photos` is what is good.

    `fingerprint` is a SHA-256 (hex) over names, boxes, classes, splits and photo bytes: the same fingerprint is the
    same task.
    """

    root: Path
    format: str
    photos: tuple[Photo, ...]
    problems: tuple[Problem, ...] = ()
    fingerprint: str = ""

    def split(self, name: str) -> tuple[Photo, ...]:
        return tuple(photo for photo in self.photos if photo.split == name)
