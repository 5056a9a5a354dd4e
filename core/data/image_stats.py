"""What a single decode of a photo yields: a fingerprint of the picture, how bright and how sharp it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

LONGEST = 640  # sharpness is that of the photo at about the size a model is shown; more pixels would measure noise
WHITE = 250  # of 255
THUMB = 32  # the side of the grey thumbnail, of which imagehash takes its hash


@dataclass(frozen=True)
class ImageStats:
    """Statistics of a photo: a kilobyte, however many pixels it has.

    Attributes:
        hash: the perceptual hash (pHash), 64 bits: signs of the lowest frequencies.
        thumb: the photo in grey, THUMB x THUMB bytes, row by row.
        bright: the mean of the grey values, 0 to 1.
        light: their 95th percentile, 0 to 1.
        white: the share of pixels that are white, 0 to 1.
        sharp: the variance of the Laplacian (Pech-Pacheco et al. 2000) over the variance of the grey values, so that a
            dark or hazy photo does not count as blurred.
    """

    hash: int
    thumb: bytes
    bright: float
    light: float
    white: float
    sharp: float


def measure_image(image: Image.Image) -> ImageStats:
    """The statistics of a photo as viewed, of any size and colour mode."""
    import imagehash

    grey = image.convert("L")
    if max(grey.size) > LONGEST:
        grey.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    small = grey.resize((THUMB, THUMB), Image.Resampling.LANCZOS, reducing_gap=2.0)
    counts = np.asarray(grey.histogram(), dtype=np.float64)
    values, pixels = np.arange(256), counts.sum()
    mean = float(counts @ values / pixels)
    spread = float(counts @ (values - mean) ** 2 / pixels)
    return ImageStats(
        hash=int(np.packbits(imagehash.phash(small).hash).view(">u8")[0]),
        thumb=small.tobytes(),
        bright=mean / 255,
        light=float(np.searchsorted(counts.cumsum(), 0.95 * pixels)) / 255,
        white=float(counts[WHITE:].sum() / pixels),
        sharp=_edges(np.asarray(grey, dtype=np.int16)) / max(spread, 1.0),
    )


def _edges(grey: np.ndarray) -> float:
    """The variance of the Laplacian (four neighbours less four times the middle)."""
    if min(grey.shape) < 3:
        return 0.0
    around = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1]
    return float((around - 4 * grey[1:-1, 1:-1]).astype(np.float32).var())
