"""Grey photos of more than 8 bits, such as thermal ones: one range of values for the whole set is black to white."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image

from core.errors import Problem, UserError

Fact = TypeVar("Fact")
GreyRange = tuple[float, float]  # the values that are black and white
OWN_RANGE: GreyRange = (
    0.0,
    0.0,
)  # from a photo's own darkest to its brightest: for people to look at, never for a model
USUAL = (0.1, 99.9)  # percentiles: single dead pixels and marks of missing data say nothing
CURE = "Write the values that are black and white, such as 29000,31000."


def range_of(text: str) -> GreyRange | None:
    """The range that `data.grey_range` states; None where it is empty.

    Raises:
        UserError: it is no range.
    """
    if not text.strip():
        return None
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"{text!r} is no range of grey values", "data.grey_range", CURE, "setting")
    return low, high


def is_deep_grey(image: Image.Image) -> bool:
    """Whether a picture is grey in more than 8 bits or in floats, which Pillow would cut off at 255."""
    return has_lost_bits(image) or image.mode[0] in "IF"


def has_lost_bits(image: Image.Image) -> bool:
    """Whether of 16 bits with transparency only the upper 8 can be read, of which a thermal photo uses hardly any."""
    return any(str(tile[3]).startswith("LA;16") for tile in getattr(image, "tile", ()))


def usual_values(image: Image.Image) -> GreyRange:
    """The darkest and the brightest value of a picture, a thousandth of its pixels on either side left out."""
    values = np.asarray(image)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, USUAL))
    return low, high if high > low else low + 1.0


def in_eight_bits(image: Image.Image, grey_range: GreyRange) -> Image.Image:
    """A deep grey picture in 8 bits: `grey_range` is black to white, what lies beyond is cut; any other as it is."""
    if image.mode[0] not in "IF":
        return image
    low, high = usual_values(image) if grey_range == OWN_RANGE else grey_range
    values = (np.nan_to_num(np.asarray(image, dtype=np.float32), nan=low) - low) * (255.0 / (high - low))
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


@dataclass(frozen=True)
class DeepGrey(Problem):
    """The problem of a grey photo of more than 8 bits without a range; `values` are its darkest and brightest."""

    values: GreyRange = (0.0, 1.0)


def with_one_range(found: Mapping[str, Fact | Problem]) -> dict[str, Fact | Problem]:
    """What was found of photos, every problem of a deep grey one proposing the range of all of them."""
    deep = [fact.values for fact in found.values() if isinstance(fact, DeepGrey)]
    if not deep:
        return dict(found)
    low, high = min(low for low, _ in deep), max(high for _, high in deep)
    fix = f"Name one range for the whole set, --set data.grey_range={low:.10g},{high:.10g} say, or export it in 8 bits."
    return {
        name: Problem(fact.what, fact.where, fix, fact.kind) if isinstance(fact, DeepGrey) else fact
        for name, fact in found.items()
    }
