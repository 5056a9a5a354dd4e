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
from core.data.photos import UNREADABLE, open_photo, photo_size, square_around

CROP_PX = 220
QUALITY = 75
LEAST_SIDE_PX = 16


@dataclass(frozen=True)
class Cut:
    """An object with its surroundings: a JPEG, and the object's box as fractions of it."""

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
        """The place of a box in fractions of the picture, never narrower or lower than `least` per cent."""
        x1, y1, x2, y2 = (100 * value for value in box_xyxy)
        return cls(x1, y1, max(x2 - x1, least), max(y2 - y1, least))


def cut(path: Path, boxes_px: Sequence[BoxXyxy], side_px: int = CROP_PX, least_px: float = LEAST_SIDE_PX) -> list[Cut]:
    """Every box of one photo with its surroundings; the photo is opened once.

    Args:
        path: The photo.
        boxes_px: Boxes (x1, y1, x2, y2) in pixels of the photo as viewed.
        side_px: The longer side of a cut.
        least_px: What a box counts as at least, in pixels of the photo: tiny ones get more surroundings.

    Raises:
        One of `core.data.photos.UNREADABLE`.
    """
    size_wh = photo_size(path)
    squares = [square_around(box, size_wh, least_px) for box in boxes_px]
    least = min((max(right - left, bottom - top) for left, top, right, bottom in squares), default=1.0)
    photo = open_photo(path, min(1.0, side_px / max(1.0, least)))
    return [_cut(photo, size_wh, box, square, side_px) for box, square in zip(boxes_px, squares, strict=True)]


def _cut(photo: Image.Image, size_wh: tuple[int, int], box_px: BoxXyxy, square: BoxXyxy, side_px: int) -> Cut:
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
    return Cut(stream.getvalue(), box)


def data_uri(jpeg: bytes) -> str:
    """A picture inside HTML."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


@dataclass
class Spool:
    """Cuts on disk by key: any order of writing, any order of reading, no more memory than one of them."""

    stream: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    places: dict[int, tuple[int, int, BoxXyxy]] = field(default_factory=dict)

    def add(self, key: int, cut: Cut) -> None:
        at = self.stream.seek(0, 2)
        self.stream.write(cut.jpeg)
        self.places[key] = (at, len(cut.jpeg), cut.box_xyxy)

    def get(self, key: int) -> tuple[str, BoxXyxy] | None:
        """(data URI, the object's box in fractions), or None for an object without a picture."""
        if key not in self.places:
            return None
        at, length, box = self.places[key]
        self.stream.seek(at)
        return data_uri(self.stream.read(length)), box

    def close(self) -> None:
        self.stream.close()


def fill(spool: Spool, root: Path, wanted: Mapping[str, Sequence[tuple[int, BoxXyxy]]]) -> Iterator[str]:
    """Cut `wanted` ({photo: [(key, box in pixels), …]}) into the spool; yields the photos that cannot be read."""
    for name, objects in wanted.items():
        try:
            cuts = cut(root / name, [box for _, box in objects])
        except UNREADABLE:
            yield name
            continue
        for (key, _), piece in zip(objects, cuts, strict=True):
            spool.add(key, piece)
