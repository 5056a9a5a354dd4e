"""How much of an object the model gets to see: tokens of the photo, pixels of the crop. Nothing is opened."""

from __future__ import annotations

import math

from core.data.types import BoxedObject, Photo
from core.families import FAMILIES
from core.settings import ViewSettings

TOKEN_PX = FAMILIES["qwen2_vl"].token_px  # Qwen3-VL, whose tokens are larger, sees a little less
FEW_TOKENS = 4  # two by two: less than that is a hint of colour, not a thing
FEW_PIXELS = 12  # a side of so few pixels in the photo is mush however far its crop is enlarged


def resized(width: int, height: int, least_area: int, most_area: int, unit: int = TOKEN_PX) -> tuple[int, int]:
    """Width and height in pixels to which Qwen2-VL resizes a photo: multiples of a token's side.

    Args:
        width: of the photo, in pixels.
        height: of the photo, in pixels.
        least_area: below it a photo is enlarged, in square pixels.
        most_area: above it a photo is made smaller, in square pixels.
        unit: the side of a token, in pixels.

    Source: smart_resize of transformers' Qwen2VLImageProcessor, which it equals for sides of at most 200 : 1.
    """
    wide, high = max(unit, round(width / unit) * unit), max(unit, round(height / unit) * unit)
    if wide * high > most_area:
        factor = math.sqrt(width * height / most_area)
        wide = max(unit, math.floor(width / factor / unit) * unit)
        high = max(unit, math.floor(height / factor / unit) * unit)
    elif wide * high < least_area:
        factor = math.sqrt(least_area / (width * height))
        wide, high = math.ceil(width * factor / unit) * unit, math.ceil(height * factor / unit) * unit
    return wide, high


def seen_wh(size_wh: tuple[int, int], photo_px: int) -> tuple[int, int]:
    """Width and height in pixels at which the model sees a whole photo.

    Args:
        size_wh: of the photo, in pixels.
        photo_px: `view.photo_px`, the side of a square in pixels whose area the photo does not exceed.
    """
    most = max(photo_px**2, TOKEN_PX**2)
    return resized(*size_wh, max(min(photo_px**2, 4 * TOKEN_PX**2), TOKEN_PX**2), most)


def tokens_of(obj: BoxedObject, size_wh: tuple[int, int], photo_px: int) -> float:
    """How many tokens of the photo a box covers, in parts of a token too.

    Args:
        obj: with its box.
        size_wh: width and height of the photo, in pixels.
        photo_px: `view.photo_px`.
    """
    wide, high = seen_wh(size_wh, photo_px)
    x0, y0, x1, y1 = obj.box_xyxy
    return (x1 - x0) * (y1 - y0) * wide * high / TOKEN_PX**2


def pixels_of(obj: BoxedObject, size_wh: tuple[int, int]) -> float:
    """The side in pixels of a square of the box's area, in the photo at its own size."""
    x0, y0, x1, y1 = obj.box_xyxy
    return math.sqrt((x1 - x0) * size_wh[0] * (y1 - y0) * size_wh[1])


def hard_to_see(photo: Photo, view: ViewSettings) -> list[BoxedObject]:
    """The photo's objects of which the model is shown too little.

    Of the whole photo alone: those that cover fewer than FEW_TOKENS tokens. Where there is a crop, which is enlarged:
    those of fewer than FEW_PIXELS pixels squared to begin with.
    """
    if view.mode == "full":
        return [obj for obj in photo.objects if tokens_of(obj, photo.size_wh, view.photo_px) < FEW_TOKENS]
    return [obj for obj in photo.objects if pixels_of(obj, photo.size_wh) < FEW_PIXELS]


def curing_photo_px(photo: Photo, obj: BoxedObject, most_px: int) -> int | None:
    """The least `view.photo_px`, in steps of a token, with which a box covers FEW_TOKENS tokens.

    A photo is never enlarged, so more pixels than it has help nothing.

    Args:
        photo: with its own size.
        obj: one of its objects.
        most_px: the largest value to try.

    Returns:
        The value in pixels; None where no such value reaches.
    """
    for photo_px in range(4 * TOKEN_PX, most_px + 1, TOKEN_PX):
        if tokens_of(obj, photo.size_wh, photo_px) >= FEW_TOKENS:
            return photo_px
        if photo_px**2 > photo.size_wh[0] * photo.size_wh[1]:
            return None
    return None
