"""Colour and texture of a boxed object as plain numbers, for classical classifiers. numpy and pillow only.

Every photo is taken at one size, so the numbers do not depend on how many pixels it has, and every crop keeps the scale
of its photo: squeezed into one square, crops of long narrow drains lose what tells their condition (macro-F1 0.58
instead of 0.66 on 1,129 objects of real photos). The numbers are the usual descriptors: moments and percentiles of
colour, histograms, gradient orientations (Dalal & Triggs, 2005) and local binary patterns (Ojala, Pietikäinen &
Mäenpää, 2002), here only how many of the eight neighbours are brighter, which does not change when the photo is turned.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.boxes import BoxXyxy
from core.data.photos import exact_box

LONGER_PX = 640  # the longer side that every photo is taken at
LEAST_PX = 12  # of a crop's sides: every fourth pixel must still have neighbours
SCALES = (1, 2, 4)  # texture is looked at in every pixel, every second and every fourth
ORIENTATIONS = 8
GRID = 4
PERCENTILES = (5, 25, 50, 75, 95)
# Neighbours of a pixel, as (row, column).
AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


def features(photo: Image.Image, box_xyxy: BoxXyxy) -> np.ndarray:
    """Describe a boxed object by colour, texture, and the box's shape and place.

    Args:
        photo: An RGB photo, upright.
        box_xyxy: The box in fractions of the photo.

    Returns:
        (F,) float32.
    """
    crop = crop_of(photo, box_xyxy)
    rgb = np.asarray(crop, dtype=np.float64) / 255
    hsv = np.asarray(crop.convert("HSV"), dtype=np.float64) / 255
    grey = rgb.mean(axis=2)
    coarse = crop.convert("L").resize((GRID, GRID), Image.Resampling.BOX)
    parts = [
        _colours(np.concatenate([rgb, hsv], axis=2)),
        *(_histogram(hsv[..., channel], bins) for channel, bins in enumerate((12, 8, 8))),
        *(part for scale in SCALES for part in _texture(grey[::scale, ::scale])),
        np.asarray(coarse, dtype=np.float64).ravel() / 255,
        _geometry(box_xyxy),
    ]
    return np.concatenate(parts).astype(np.float32)


def crop_of(photo: Image.Image, box_xyxy: BoxXyxy) -> Image.Image:
    """Crop the box without surroundings, at the scale at which the photo's longer side has LONGER_PX pixels."""
    box = exact_box(box_xyxy, photo.size, 0.0)
    scale = LONGER_PX / max(photo.size)
    size = tuple(max(LEAST_PX, round(scale * side)) for side in (box[2] - box[0], box[3] - box[1]))
    return photo.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)  # type: ignore[arg-type]


def _colours(channels: np.ndarray) -> np.ndarray:
    """Mean, deviation and percentiles of each channel of (rows, columns, 6)."""
    flat = channels.reshape(-1, channels.shape[2])
    return np.concatenate([flat.mean(axis=0), flat.std(axis=0), np.percentile(flat, PERCENTILES, axis=0).ravel()])


def _histogram(values: np.ndarray, bins: int, high: float = 1.0, weights: np.ndarray | None = None) -> np.ndarray:
    return np.histogram(values, bins, (0, high), weights=weights)[0] / values.size


def _texture(grey: np.ndarray) -> list[np.ndarray]:
    """Gradient strength by orientation, its mean and deviation, and how many neighbours are brighter (0 to 8)."""
    down, right = np.gradient(grey)
    strength = np.hypot(right, down)
    angle = np.arctan2(down, right) % np.pi
    rows, columns = grey.shape
    middle = grey[1:-1, 1:-1]
    brighter = sum((grey[1 + y : rows - 1 + y, 1 + x : columns - 1 + x] > middle).astype(np.int64) for y, x in AROUND)
    patterns = np.bincount(np.ravel(brighter), minlength=len(AROUND) + 1) / middle.size
    return [
        _histogram(angle, ORIENTATIONS, np.pi, strength),
        np.array([strength.mean(), strength.std()]),
        patterns,
    ]


def _geometry(box_xyxy: BoxXyxy) -> np.ndarray:
    x1, y1, x2, y2 = box_xyxy
    wide, high = max(x2 - x1, 1e-6), max(y2 - y1, 1e-6)
    return np.array([x1, y1, x2, y2, wide, high, wide / high, wide * high])
