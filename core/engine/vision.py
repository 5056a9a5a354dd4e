"""From a photo on disk to the patches a model sees: the whole photo, and the crop of an object.

Legend for shapes: N patches of an image (before merging), C values of a patch (3 channels x 2 frames x 14 x 14).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from transformers import Qwen2VLImageProcessorPil

from core.data import photos
from core.errors import UserError
from core.prompts import BoxXyxy
from core.settings import View

# The processor refuses shapes beyond 200 : 1 and a crop of one token's height shows little; the short side of a very
# long crop is filled up with surroundings until this ratio.
LONGEST_CROP = 10.0
# Photos and crops are looked at again in every epoch; decoding costs more than this much memory is worth.
CACHE_BYTES = 1 << 30


@dataclass(frozen=True)
class Patches:
    """An image as the vision tower takes it: `values` (N, C) float32 and its grid (frames, rows, columns)."""

    values: np.ndarray
    grid_thw: tuple[int, int, int]

    def tokens(self, merge: int) -> int:
        return self.grid_thw[0] * self.grid_thw[1] * self.grid_thw[2] // merge**2


def open_photo(path: Path) -> Image.Image:
    """The photo upright and in RGB. Raises UserError when it is missing or damaged."""
    try:
        return photos.open_photo(path)
    except FileNotFoundError as error:
        raise UserError("no such photo", str(path), "Check the path.", "photo-missing") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError("this photo cannot be read", str(path), "Save it again as JPEG or PNG.", "photo") from error


def crop_box(box_xyxy: BoxXyxy, size_wh: tuple[int, int], margin: float) -> tuple[int, int, int, int]:
    """The crop's pixels (left, upper, right, lower): the box, a margin, and no shape longer than LONGEST_CROP
    (twice that at the edge of the photo)."""
    wide, high = size_wh
    x1, y1, x2, y2 = (value * scale for value, scale in zip(box_xyxy, (wide, high, wide, high), strict=True))
    box_w, box_h = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    crop_w = max(box_w * (1 + 2 * margin), box_h / LONGEST_CROP, 8.0)
    crop_h = max(box_h * (1 + 2 * margin), box_w / LONGEST_CROP, 8.0)
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    left, right = max(0, int(middle_x - crop_w / 2)), min(wide, round(middle_x + crop_w / 2 + 0.5))
    upper, lower = max(0, int(middle_y - crop_h / 2)), min(high, round(middle_y + crop_h / 2 + 0.5))
    return min(left, wide - 1), min(upper, high - 1), max(right, left + 1), max(lower, upper + 1)


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when a photo is replaced by another of the same name; () when there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


class Eyes:
    """Turns photos and boxes into patches, and remembers the latest of them."""

    def __init__(self, processor: Qwen2VLImageProcessorPil, view: View, cache_bytes: int = CACHE_BYTES) -> None:
        self.processor = processor
        self.view = view
        self._known: OrderedDict[tuple[object, ...], Patches] = OrderedDict()
        self._room = cache_bytes
        self._photo: tuple[tuple[object, ...], Image.Image] | None = None

    @property
    def merge(self) -> int:
        return int(self.processor.merge_size)

    def photo(self, path: Path, mirrored: bool = False) -> Patches:
        """The whole photo, at most `view.photo_px` squared pixels."""
        most = self.view.photo_px**2
        return self._look((path, mirrored, None), most, min(most, (2 * self._unit()) ** 2))

    def crop(self, path: Path, box_xyxy: BoxXyxy, mirrored: bool = False) -> Patches:
        """The box and its surroundings, at about `view.crop_px` squared pixels: small crops are enlarged."""
        most = self.view.crop_px**2
        return self._look((path, mirrored, box_xyxy), most, int(most * 0.6))

    def _unit(self) -> int:
        return int(self.processor.patch_size * self.processor.merge_size)

    def _open(self, path: Path, mirrored: bool) -> Image.Image:
        key = (path, stamp(path), mirrored)
        if self._photo is None or self._photo[0] != key:
            image = open_photo(path)
            self._photo = (key, ImageOps.mirror(image) if mirrored else image)
        return self._photo[1]

    def _look(self, key: tuple[Path, bool, BoxXyxy | None], most_px: int, least_px: int) -> Patches:
        path, mirrored, box_xyxy = key
        remembered = (*key, stamp(path))
        known = self._known.get(remembered)
        if known is not None:
            self._known.move_to_end(remembered)
            return known
        image = self._open(path, mirrored)
        if box_xyxy is not None:
            image = image.crop(crop_box(box_xyxy, image.size, self.view.crop_margin))
        made = self.patches(image, most_px, least_px)
        self._known[remembered] = made
        self._room -= made.values.nbytes
        while self._room < 0 and len(self._known) > 1:
            self._room += self._known.popitem(last=False)[1].values.nbytes
        return made

    def patches(self, image: Image.Image, most_px: int, least_px: int) -> Patches:
        """An RGB image as patches; `most_px` and `least_px` are areas in pixels."""
        size = {"longest_edge": max(most_px, self._unit() ** 2), "shortest_edge": max(least_px, self._unit() ** 2)}
        seen = self.processor(images=[image], size=size, return_tensors="np")
        frames, rows, columns = (int(value) for value in seen["image_grid_thw"][0])
        return Patches(np.ascontiguousarray(seen["pixel_values"], dtype=np.float32), (frames, rows, columns))

    def resized_wh(self, patches: Patches) -> tuple[int, int]:
        """Size in pixels of the resized image that `patches` were cut from."""
        size = int(self.processor.patch_size)
        return patches.grid_thw[2] * size, patches.grid_thw[1] * size
