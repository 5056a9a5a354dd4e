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
    """(width, height) in pixels that Qwen2-VL resizes a photo to: multiples of `unit`, its area within the two.

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
    """(width, height) in pixels at which the model sees a whole photo with `view.photo_px`."""
    most = max(photo_px**2, TOKEN_PX**2)
    return resized(*size_wh, max(min(photo_px**2, 4 * TOKEN_PX**2), TOKEN_PX**2), most)


def tokens_of(obj: BoxedObject, size_wh: tuple[int, int], photo_px: int) -> float:
    """How many of the photo's tokens a box covers, in parts of a token too."""
    wide, high = seen_wh(size_wh, photo_px)
    x0, y0, x1, y1 = obj.box_xyxy
    return (x1 - x0) * (y1 - y0) * wide * high / TOKEN_PX**2


def pixels_of(obj: BoxedObject, size_wh: tuple[int, int]) -> float:
    """The side in pixels of a square of the box's area, in the photo as it is."""
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
    """The least `view.photo_px`, in steps of a token, with which the box covers FEW_TOKENS; None beyond `most_px`.

    A photo is never enlarged, so more pixels than it has help nothing.
    """
    for photo_px in range(4 * TOKEN_PX, most_px + 1, TOKEN_PX):
        if tokens_of(obj, photo.size_wh, photo_px) >= FEW_TOKENS:
            return photo_px
        if photo_px**2 > photo.size_wh[0] * photo.size_wh[1]:
            return None
    return None
