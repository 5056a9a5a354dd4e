"""Objects cut out of their photos as small JPEGs, kept in one spool file until they are written into a report."""

from __future__ import annotations

import base64
import io
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps

from core.data.photos import FORMATS, MOST_PIXELS, ORIENTATION, QUARTER_TURNS

Box = tuple[float, float, float, float]
CROP_PX = 220
QUALITY = 75
SURROUNDINGS = 0.9  # shown around an object, as a share of its longer side
LEAST_SIDE_PX = 16
# What PIL raises for files that are no photo, damaged, cut off or absurdly large.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Cut:
    """An object with its surroundings: a JPEG, and the object's box as fractions of it."""

    jpeg: bytes
    box_xyxy: Box


def square_around(box_px: Box, size_wh: tuple[int, int]) -> Box:
    """A square around a box with its surroundings, moved inside the photo; smaller only where the photo is. Pixels."""
    x1, y1, x2, y2 = box_px
    side = max(x2 - x1, y2 - y1, LEAST_SIDE_PX) * (1 + SURROUNDINGS)
    wide, high = min(side, size_wh[0]), min(side, size_wh[1])
    left = min(max((x1 + x2 - wide) / 2, 0.0), size_wh[0] - wide)
    top = min(max((y1 + y2 - high) / 2, 0.0), size_wh[1] - high)
    return left, top, left + wide, top + high


def open_at(path: Path, scale: float) -> tuple[Image.Image, tuple[int, int]]:
    """(the photo upright, RGB, at least `scale` times its size; its full size (width, height) as viewed).

    A JPEG is unpacked to a half, a quarter or an eighth where that is enough. Raises one of UNREADABLE.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=FORMATS) as picture:
            wide, high = picture.size
            if wide * high > MOST_PIXELS:
                raise OSError("too large")
            turned = picture.getexif().get(ORIENTATION) in QUARTER_TURNS
            picture.draft("RGB", (max(1, int(wide * scale)), max(1, int(high * scale))))
            return ImageOps.exif_transpose(picture).convert("RGB"), (high, wide) if turned else (wide, high)


def cut(path: Path, boxes_px: Sequence[Box]) -> list[Cut]:
    """Every box of one photo with its surroundings; the photo is opened once. Raises one of UNREADABLE."""
    with Image.open(path, formats=FORMATS) as picture:
        most = max(picture.size)
    sides = [
        max(square[2] - square[0], square[3] - square[1])
        for square in (square_around(box, (most, most)) for box in boxes_px)
    ]
    photo, size = open_at(path, min(1.0, CROP_PX / max(1.0, min(sides, default=1.0))))
    return [_cut(photo, size, box) for box in boxes_px]


def _cut(photo: Image.Image, size_wh: tuple[int, int], box_px: Box) -> Cut:
    left, top, right, bottom = square_around(box_px, size_wh)
    across, down = photo.width / size_wh[0], photo.height / size_wh[1]
    region = (left * across, top * down, right * across, bottom * down)
    shrink = CROP_PX / max(right - left, bottom - top)
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


@dataclass
class Spool:
    """Cuts on disk by key: any order of writing, any order of reading, no more memory than one of them."""

    stream: IO[bytes] = field(default_factory=tempfile.TemporaryFile)
    places: dict[int, tuple[int, int, Box]] = field(default_factory=dict)

    def add(self, key: int, one: Cut) -> None:
        at = self.stream.seek(0, 2)
        self.stream.write(one.jpeg)
        self.places[key] = (at, len(one.jpeg), one.box_xyxy)

    def get(self, key: int) -> tuple[str, Box] | None:
        """(data URI, the object's box in fractions), or None for an object without a picture."""
        if key not in self.places:
            return None
        at, length, box = self.places[key]
        self.stream.seek(at)
        return "data:image/jpeg;base64," + base64.b64encode(self.stream.read(length)).decode("ascii"), box

    def close(self) -> None:
        self.stream.close()


def fill(spool: Spool, root: Path, wanted: Mapping[str, Sequence[tuple[int, Box]]]) -> Iterator[str]:
    """Cut `wanted` ({photo: [(key, box in pixels), …]}) into the spool; yields the photos that cannot be read."""
    for name, objects in wanted.items():
        try:
            cuts = cut(root / name, [box for _, box in objects])
        except UNREADABLE:
            yield name
            continue
        for (key, _), one in zip(objects, cuts, strict=True):
            spool.add(key, one)
