"""Objects cut out of their photos as small JPEGs, kept in one spool file until they are written into a report."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image

from core.boxes import BoxXyxy
from core.data.grey import OWN_RANGE
from core.data.photos import UNREADABLE, open_photo, photo_size, square_around

CROP_PX = 220
QUALITY = 75
LEAST_SIDE_PX = 16


@dataclass(frozen=True)
class Crop:
    """An object with its surroundings: a JPEG, and the object's box in fractions of it."""

    jpeg: bytes
    box_xyxy: BoxXyxy


@dataclass(frozen=True)
class Place:
    """Where a box lies in its picture, in per cent of it."""

    left: float
    top: float
    wide: float
    high: float

    @classmethod
    def of(cls, box_xyxy: BoxXyxy, least: float = 0.0) -> Place:
        """The place of a box.

        Args:
            box_xyxy: in fractions of the picture.
            least: the least width and height, in per cent of the picture.
        """
        x1, y1, x2, y2 = (100 * value for value in box_xyxy)
        return cls(x1, y1, max(x2 - x1, least), max(y2 - y1, least))


def crop_objects(
    path: Path, boxes_px: Sequence[BoxXyxy], side_px: int = CROP_PX, least_px: float = LEAST_SIDE_PX
) -> list[Crop]:
    """Every box of one photo with its surroundings; the photo is opened once.

    Args:
        path: of the photo.
        boxes_px: boxes (x1, y1, x2, y2) in pixels of the photo as viewed.
        side_px: the longer side of a crop, in pixels.
        least_px: a box counts as at least so wide, in pixels of the photo: tiny ones get more surroundings.

    Raises:
        OSError: the photo cannot be read; like any of `core.data.photos.UNREADABLE`.
    """
    size_wh = photo_size(path)
    squares = [square_around(box, size_wh, least_px) for box in boxes_px]
    least = min((max(right - left, bottom - top) for left, top, right, bottom in squares), default=1.0)
    photo = open_photo(path, min(1.0, side_px / max(1.0, least)), OWN_RANGE)
    return [_crop(photo, size_wh, box, square, side_px) for box, square in zip(boxes_px, squares, strict=True)]


def _crop(photo: Image.Image, size_wh: tuple[int, int], box_px: BoxXyxy, square: BoxXyxy, side_px: int) -> Crop:
    left, top, right, bottom = square
    across, down = photo.width / size_wh[0], photo.height / size_wh[1]
    region = (left * across, top * down, right * across, bottom * down)
    shrink = side_px / max(right - left, bottom - top)
    target = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
    small = photo.resize(target, Image.Resampling.LANCZOS, box=region, reducing_gap=2.0)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY, optimize=True)
    x1, y1, x2, y2 = box_px
    box = (
        (x1 - left) / (right - left),
        (y1 - top) / (bottom - top),
        (x2 - left) / (right - left),
        (y2 - top) / (bottom - top),
    )
    return Crop(stream.getvalue(), box)


def data_uri(jpeg: bytes) -> str:
    """A JPEG as an address that HTML can hold."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


@dataclass
class Spool:
    """Crops on disk by key, written and read in any order; no more than one of them is in memory."""

    stream: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    places: dict[int, tuple[int, int, BoxXyxy]] = field(default_factory=dict)

    def add(self, key: int, crop: Crop) -> None:
        """Keep a crop."""
        at = self.stream.seek(0, 2)
        self.stream.write(crop.jpeg)
        self.places[key] = (at, len(crop.jpeg), crop.box_xyxy)

    def get(self, key: int) -> tuple[str, BoxXyxy] | None:
        """(data URI, the object's box in fractions of the crop); None for an object without a picture."""
        if key not in self.places:
            return None
        at, length, box = self.places[key]
        self.stream.seek(at)
        return data_uri(self.stream.read(length)), box

    def close(self) -> None:
        """Close the spool; its file goes with it."""
        self.stream.close()


def fill(spool: Spool, root: Path, wanted: Mapping[str, Sequence[tuple[int, BoxXyxy]]]) -> Iterator[str]:
    """Cut objects out of their photos into the spool.

    Args:
        spool: takes the crops.
        root: the folder of the photos.
        wanted: by the photo's name, (key in the spool, box in pixels) of each object.

    Yields:
        The names of photos that cannot be read.
    """
    for name, objects in wanted.items():
        try:
            crops = crop_objects(root / name, [box for _, box in objects])
        except UNREADABLE:
            yield name
            continue
        for (key, _), piece in zip(objects, crops, strict=True):
            spool.add(key, piece)
