"""Photos that show little: blurred, dark, over-exposed or tiny. By their statistics alone, nothing is opened."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from core.data.quality.findings import Finding, level_of
from core.data.types import Photo
from core.units import counted

# Measured on 217 real and 290 drawn photos: the least sharp has 0.29 of the median, and blurred by 1.5 pixels none has
# more than 0.06; the darkest has a 95th percentile of 0.60, and at a fifth of its light none has more than 0.18.
BLURRED = 0.1  # of the data set's median sharpness: how sharp a photo can be depends on its size and on what it shows
FEW = 8  # of fewer photos the median is no measure
DARK = 0.3  # nineteen of twenty pixels are darker than this
WHITE = 1 / 3  # of the pixels
TINY_PX = 112  # four tokens on the shorter side


def poor_photos(photos: Sequence[Photo]) -> list[Finding]:
    """A finding for each way in which photos of the data set are poor; photos without statistics are passed over."""
    measured = [(photo, photo.stats) for photo in photos if photo.stats is not None]
    usual = median(stats.sharp for _, stats in measured) if len(measured) >= FEW else 0.0
    dark = [photo for photo, stats in measured if stats.light < DARK]
    white = [photo for photo, stats in measured if stats.white > WHITE]
    badly_lit = {photo.name for photo in (*dark, *white)}
    blurred = [photo for photo, stats in measured if stats.sharp < BLURRED * usual and photo.name not in badly_lit]
    tiny = [photo for photo in photos if min(photo.size_wh) < TINY_PX]
    again = "Look at them: take them again, or remove them."
    kinds = (
        (
            "blurred",
            blurred,
            "blurred",
            "They have less than a tenth of the sharpness that is usual in this data, seen "
            "at the size a model is shown. Fine faults are gone.",
            again,
        ),
        ("dark", dark, "very dark", "Nineteen of twenty of their pixels are nearly black.", again),
        ("over-exposed", white, "over-exposed", "More than a third of their pixels are plain white.", again),
        (
            "tiny-photo",
            tiny,
            "tiny",
            f"Their shorter side has fewer than {TINY_PX} pixels: the model sees less than four tokens of it.",
            "Export them larger; thumbnails are not enough.",
        ),
    )
    return [
        Finding(
            kind,
            level_of(len(which), len(photos)),
            f"{counted(len(which), 'photo')} {word}",
            detail,
            tuple(photo.name for photo in which),
            cure,
        )
        for kind, which, word, detail, cure in kinds
        if which
    ]
