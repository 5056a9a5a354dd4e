"""From a photo on disk to what a model sees of it: the whole photo and the crop of an object, as patches or features.

Legend for shapes: N patches of an image, C values of a patch (3 channels x 2 frames x 14 x 14), T tokens of an image
(patches after merging), H the language model's width, D layers of features (1; more where the tower feeds deeper
layers too, as Qwen3-VL's does).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from transformers import Qwen2VLImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from core.boxes import BoxXyxy, in_pixels
from core.data import photos
from core.data.grey import GreyRange
from core.data.refusals import unreadable
from core.runs.files import file_stamp
from core.settings import ViewSettings

# The processor refuses shapes beyond 200 : 1 and a crop of one token's height shows little; the short side of a very
# long crop is filled up with surroundings until this ratio.
LONGEST_CROP = 10.0
# Crops that keep the photo's scale show the box alone, so they may be longer.
LONGEST_ZOOMED = 150
# Photos and crops are encoded again in every epoch; decoding costs more than this much memory is worth.
CACHE_BYTES = 1 << 30
# Versions of a photo in other light: brightness, contrast and colour, each as a factor. The first is the photo itself.
LIGHTS = (
    (1.0, 1.0, 1.0),
    (1.15, 1.0, 0.9),
    (0.85, 1.1, 1.0),
    (1.0, 0.85, 1.15),
    (1.1, 1.15, 0.85),
    (0.9, 0.9, 1.1),
    (1.2, 0.95, 1.1),
    (0.8, 1.0, 0.9),
)


@dataclass(frozen=True)
class Patches:
    """An image for a model, before its vision tower or after it.

    Attributes:
        values: (N, C) float32 as the tower takes them; empty when `features` is set.
        grid_thw: The image's patches: frames, rows, columns.
        features: (D, T, H) as the tower and its merger put them out, or None.
    """

    values: np.ndarray
    grid_thw: tuple[int, int, int]
    features: torch.Tensor | None = None

    def tokens(self, merge: int) -> int:
        """How many tokens the image takes; `merge` is the side of the square of patches that one token is."""
        return self.grid_thw[0] * self.grid_thw[1] * self.grid_thw[2] // merge**2

    @property
    def nbytes(self) -> int:
        """Bytes of whichever array is held."""
        return int(self.values.nbytes if self.features is None else self.features.nbytes)


class ImageView(NamedTuple):
    """What is shown: a photo or a box in it (fractions), mirrored or not, in which of the LIGHTS."""

    path: Path
    box_xyxy: BoxXyxy | None = None
    mirrored: bool = False
    light: int = 0


def open_photo(path: Path, grey_range: GreyRange | None = None) -> Image.Image:
    """Open a photo, upright and in RGB; `grey_range` as for `core.data.photos.open_photo`.

    Raises:
        UserError: It is missing, damaged, or of a kind that is not judged.
    """
    try:
        return photos.open_photo(path, grey_range=grey_range)
    except photos.UNREADABLE as error:
        raise unreadable(path, error) from error


def crop_box(box_xyxy: BoxXyxy, size_wh: tuple[int, int], margin: float) -> tuple[int, int, int, int]:
    """Compute the pixels of an object's crop: its box and a margin.

    No shape is longer than LONGEST_CROP (twice that at the edge of the photo).

    Args:
        box_xyxy: The box in fractions of the photo.
        size_wh: The photo's width and height in pixels.
        margin: What is added on each side, in widths and heights of the box.

    Returns:
        Left, upper, right and lower edge.
    """
    wide, high = size_wh
    x1, y1, x2, y2 = in_pixels(box_xyxy, size_wh)
    box_w, box_h = max(x2 - x1, 1.0), max(y2 - y1, 1.0)
    crop_w = max(box_w * (1 + 2 * margin), box_h / LONGEST_CROP, 8.0)
    crop_h = max(box_h * (1 + 2 * margin), box_w / LONGEST_CROP, 8.0)
    middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
    left, right = max(0, int(middle_x - crop_w / 2)), min(wide, round(middle_x + crop_w / 2 + 0.5))
    upper, lower = max(0, int(middle_y - crop_h / 2)), min(high, round(middle_y + crop_h / 2 + 0.5))
    return min(left, wide - 1), min(upper, high - 1), max(right, left + 1), max(lower, upper + 1)


def in_light(image: Image.Image, light: int) -> Image.Image:
    """Change brightness, contrast and colour of an image to those of LIGHTS[light]."""
    kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for kind, factor in zip(kinds, LIGHTS[light], strict=True):
        image = image if factor == 1.0 else kind(image).enhance(factor)
    return image


class ImageEncoder:
    """Turns photos and boxes into patches, and remembers the latest of them.

    With `features` set (see `feature_cache.prepare`) it hands out the tower's features instead. Safe for threads: the
    next batch is prepared while an evaluation encodes other photos.

    Args:
        processor: The model's own image processor.
        view: What is shown, and how large.
        cache_bytes: How much is remembered.
        grey_range: The values that are black and white where photos are grey in more than 8 bits; None refuses such.
    """

    def __init__(
        self,
        processor: Qwen2VLImageProcessorPil,
        view: ViewSettings,
        cache_bytes: int = CACHE_BYTES,
        grey_range: GreyRange | None = None,
    ) -> None:
        self.processor = processor
        self.view = view
        self.grey_range = grey_range
        self.features: Callable[[ImageView], Patches] | None = None
        self._known: OrderedDict[tuple[object, ...], Patches] = OrderedDict()
        self._left = cache_bytes
        self._photo: tuple[tuple[object, ...], Image.Image] | None = None
        self._lock = threading.RLock()

    def anew(self) -> ImageEncoder:
        """An encoder alike that remembers nothing yet."""
        return ImageEncoder(self.processor, self.view, grey_range=self.grey_range)

    @property
    def merge(self) -> int:
        """The side of the square of patches that the vision tower merges into one token."""
        return int(self.processor.merge_size)

    @property
    def remembered(self) -> tuple[int, int]:
        """(views, bytes) that are kept in memory."""
        with self._lock:
            return len(self._known), sum(patches.nbytes for patches in self._known.values())

    def photo(self, path: Path, mirrored: bool = False, light: int = 0) -> Patches:
        """Encode the whole photo, at most `view.photo_px` squared pixels.

        Args:
            path: The photo's file.
            mirrored: Whether left and right change sides.
            light: Which of LIGHTS it is shown in; 0 is the photo itself.
        """
        return self._patches_of(ImageView(path, None, mirrored, light))

    def crop(self, path: Path, box_xyxy: BoxXyxy, mirrored: bool = False, light: int = 0) -> Patches:
        """Encode the box and its surroundings, at about `view.crop_px` squared pixels: small crops are enlarged.

        With `view.crop_zoom` they keep the scale of the photo, that many times enlarged, up to `view.crop_px` squared.

        Args:
            path: The photo's file.
            box_xyxy: The box in fractions of the photo as it is shown: mirrored where the photo is.
            mirrored: Whether left and right change sides.
            light: Which of LIGHTS it is shown in; 0 is the photo itself.
        """
        return self._patches_of(ImageView(path, box_xyxy, mirrored, light))

    def limits_px(self, image_view: ImageView) -> tuple[int, int]:
        """The most and the least area in pixels that a view is resized to."""
        unit = self._unit() ** 2
        if image_view.box_xyxy is None:
            most = self.view.photo_px**2
            return max(most, unit), max(min(most, 4 * unit), unit)
        most = self.view.crop_px**2
        return max(most, unit), unit if self.view.crop_zoom else max(int(most * 0.6), unit)

    def tokens(self, image_view: ImageView, size_wh: tuple[int, int]) -> int:
        """How many tokens a view of a photo of this size (pixels) takes; nothing is opened."""
        wide, high = self.resized(image_view, size_wh)
        return wide // self._unit() * (high // self._unit())

    def resized(self, image_view: ImageView, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Width and height in pixels that a view of a photo of this size (pixels) is resized to; nothing is opened."""
        wide, high = size_wh
        if image_view.box_xyxy is not None:
            if self.view.crop_zoom:
                return self._zoomed(photos.exact_box(image_view.box_xyxy, size_wh, self.view.crop_margin))
            left, upper, right, lower = crop_box(image_view.box_xyxy, size_wh, self.view.crop_margin)
            wide, high = right - left, lower - upper
        most, least = self.limits_px(image_view)
        rows, columns = smart_resize(high, wide, self._unit(), least, most)
        return int(columns), int(rows)

    def _zoomed(self, box: BoxXyxy) -> tuple[int, int]:
        """Size in pixels of a box of the photo enlarged by `view.crop_zoom`, in whole tokens, no larger than may be."""
        unit = self._unit()
        wide, high, most = box[2] - box[0], box[3] - box[1], max(self.view.crop_px**2, unit**2)
        zoom = min(self.view.crop_zoom, (most / (wide * high)) ** 0.5)
        columns, rows = (max(1, round(zoom * side / unit)) for side in (wide, high))
        columns, rows = min(columns, LONGEST_ZOOMED * rows), min(rows, LONGEST_ZOOMED * columns)
        while columns * rows * unit**2 > most:  # rounding up passed the limit
            columns, rows = (columns - 1, rows) if columns >= rows else (columns, rows - 1)
        return columns * unit, rows * unit

    def _unit(self) -> int:
        return int(self.processor.patch_size * self.processor.merge_size)

    def _open(self, image_view: ImageView) -> Image.Image:
        key = (image_view.path, file_stamp(image_view.path), image_view.mirrored, image_view.light)
        if self._photo is None or self._photo[0] != key:
            image = in_light(open_photo(image_view.path, self.grey_range), image_view.light)
            self._photo = (key, ImageOps.mirror(image) if image_view.mirrored else image)
        return self._photo[1]

    def _patches_of(self, image_view: ImageView) -> Patches:
        with self._lock:
            key = (image_view, file_stamp(image_view.path), self.features is not None)
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
            made = self.features(image_view) if self.features is not None else self.fresh(image_view)
            self._known[key] = made
            self._left -= made.nbytes
            while self._left < 0 and len(self._known) > 1:
                self._left += self._known.popitem(last=False)[1].nbytes
            return made

    def fresh(self, image_view: ImageView) -> Patches:
        """Encode a view from its file, whatever is remembered."""
        with self._lock:
            image = self._open(image_view)
            if image_view.box_xyxy is not None:
                if self.view.crop_zoom:
                    box = photos.exact_box(image_view.box_xyxy, image.size, self.view.crop_margin)
                    image = image.resize(self._zoomed(box), Image.Resampling.BICUBIC, box=box)
                else:
                    image = image.crop(crop_box(image_view.box_xyxy, image.size, self.view.crop_margin))
            return self.patches(image, *self.limits_px(image_view))

    def patches(self, image: Image.Image, most_px: int, least_px: int) -> Patches:
        """Cut an RGB image into patches, resized to an area between `least_px` and `most_px` pixels."""
        size = {"longest_edge": most_px, "shortest_edge": least_px}
        seen = self.processor(images=[image], size=size, return_tensors="np")
        frames, rows, columns = (int(value) for value in seen["image_grid_thw"][0])
        return Patches(np.ascontiguousarray(seen["pixel_values"], dtype=np.float32), (frames, rows, columns))

    def resized_wh(self, patches: Patches) -> tuple[int, int]:
        """Width and height in pixels of the resized image that `patches` were cut from."""
        size = int(self.processor.patch_size)
        return patches.grid_thw[2] * size, patches.grid_thw[1] * size
