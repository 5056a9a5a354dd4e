"""The painter's basics: noise, blending, soft masks, light. Arrays are float32; colours run from 0 to 255."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from core.boxes import BoxXyxy

Array = npt.NDArray[np.floating[Any]]
OVERSAMPLE = 2  # small shapes are drawn twice as large and reduced: smooth edges


@dataclass(frozen=True)
class Light:
    """Where the sun stands.

    Attributes:
        x: across, together with `y` a direction towards the sun of length 1.
        y: down the picture.
        contrast: 0 overcast to 1 hard shadows.
    """

    x: float
    y: float
    contrast: float


def noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float]) -> Array:
    """Smooth noise, mean 0 and standard deviation about 1.

    Args:
        rng: its source.
        shape: (h, w) of the result.
        cells: bumps down and across.
    """
    grid = (max(2, round(cells[0])), max(2, round(cells[1])))
    coarse = Image.fromarray(rng.standard_normal(grid).astype(np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), dtype=np.float32)


def fractal(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float], octaves: int = 3) -> Array:
    """Noise (h, w) with detail upon detail: each octave twice as fine and 0.6 times as strong.

    Args:
        rng: its source.
        shape: (h, w) of the result.
        cells: bumps of the first octave, down and across.
        octaves: their number.
    """
    total = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        total += 0.6**octave * noise(rng, shape, (cells[0] * 2**octave, cells[1] * 2**octave))
    return total


def smoothstep(low: float, high: float, values: Array) -> Array:
    """0 below `low`, 1 above `high`, a soft S between; where `low` is the larger one it runs downwards."""
    t: Array = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), dtype=np.float32)


def emboss(height: Array, light: Light) -> Array:
    """Brightness offset of a relief `height` (h, w) lit from the side, about -1 to 1."""
    dy, dx = np.gradient(height)
    return np.asarray(np.clip(-(dx * light.x + dy * light.y), -1.5, 1.5), dtype=np.float32)


def ramp(dark: Sequence[float], bright: Sequence[float], t: Array) -> Array:
    """Colours from dark to bright.

    Args:
        dark: (3,), at t = 0.
        bright: (3,), at t = 1.
        t: (h, w), clipped to 0 to 1.

    Returns:
        (h, w, 3).
    """
    first = np.asarray(dark, dtype=np.float32)
    step = np.asarray(bright, dtype=np.float32) - first
    return first + np.clip(t, 0.0, 1.0)[..., None] * step


def blend(target: Array, colour: Array | Sequence[float], alpha: Array) -> None:
    """Lay a colour over a picture, in place.

    Args:
        target: (h, w, 3).
        colour: (3,) or (h, w, 3).
        alpha: (h, w), 0 (nothing) to 1 (the colour alone).
    """
    target += (np.asarray(colour, dtype=np.float32) - target) * np.clip(alpha, 0.0, 1.0)[..., None]


def soften(mask: Array, radius_px: float) -> Array:
    """A mask (h, w) of 0 to 1, blurred."""
    picture = Image.fromarray((np.clip(mask, 0, 1) * 255).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius_px)), dtype=np.float32) / 255.0


def window(size_px: int, box: BoxXyxy, margin_px: int) -> tuple[slice, slice, float, float]:
    """The part of a square picture that a box with a margin covers.

    Args:
        size_px: the side of the picture.
        box: in pixels.
        margin_px: around the box.

    Returns:
        Rows, columns, and x and y at which the window begins.
    """
    x0, y0 = max(0, int(box[0]) - margin_px), max(0, int(box[1]) - margin_px)
    x1, y1 = min(size_px, int(np.ceil(box[2])) + margin_px), min(size_px, int(np.ceil(box[3])) + margin_px)
    return slice(y0, y1), slice(x0, x1), float(x0), float(y0)


def stamp(target: Array, layer: Image.Image) -> Array:
    """Reduce an oversampled RGBA layer, lay it over target (h, w, 3) in place, and return its alpha (h, w)."""
    height, width = target.shape[:2]
    premultiplied = layer.convert("RGBa").resize((width, height), Image.Resampling.BOX)
    values = np.asarray(premultiplied, dtype=np.float32)
    alpha = values[..., 3] / 255.0
    target *= (1.0 - alpha)[..., None]
    target += values[..., :3]
    return alpha


def cast_shadow(target: Array, mask: Array, light: Light, reach_px: float) -> None:
    """Darken the ground where a thing shades it, away from the sun.

    Args:
        target: (h, w, 3), changed in place.
        mask: where the thing is, (h, w), 0 to 1.
        light: the sun.
        reach_px: how far the shadow falls.
    """
    shift = (round(-light.y * reach_px), round(-light.x * reach_px))
    moved = np.roll(mask, shift, axis=(0, 1))
    soft = soften(moved, max(0.8, reach_px * 0.5))
    target *= (1.0 - (0.25 + 0.4 * light.contrast) * soft)[..., None]
