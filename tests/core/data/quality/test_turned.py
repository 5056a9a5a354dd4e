"""A photo turned by EXIF is shown with a box by either reading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from core.data.checks import TURNED
from core.data.quality.turned import as_stored, turned_photos
from core.data.types import Dataset, Photo


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("in_fractions", [True, False])
def test_the_other_reading_is_where_the_box_lies_on_the_stored_photo(orientation: int, in_fractions: bool) -> None:
    """A white box is drawn on a stored photo of 40 x 20 and found again on the photo as it is viewed."""
    stored = np.zeros((20, 40), np.uint8)
    stored[2:8, 4:16] = 255
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    viewed = np.asarray(ImageOps.exif_transpose(image))
    rows, columns = np.nonzero(viewed)
    high, wide = viewed.shape
    seen = columns.min() / wide, rows.min() / high, (columns.max() + 1) / wide, (rows.max() + 1) / high
    read = (4 / 40, 2 / 20, 16 / 40, 8 / 20) if in_fractions else (4 / wide, 2 / high, 16 / wide, 8 / high)
    photo = Photo(Path("a"), "a", (wide, high), "", "", orientation=orientation)
    assert as_stored(read, photo, in_fractions) == pytest.approx(seen)


def test_a_box_that_lies_outside_by_the_other_reading_has_one_only() -> None:
    assert as_stored((0.1, 0.9, 0.3, 1.0), Photo(Path("a"), "a", (20, 40), "", "", orientation=6), False) is None


def test_the_finding_shows_a_box_of_the_first_photo_twice(
    yolo: Path, read: Callable[..., Dataset], write_photo: Callable[..., Path]
) -> None:
    assert turned_photos(read(yolo)) == []
    write_photo(yolo / "train" / "images" / "f1_0.jpg", orientation=6)
    dataset = read(yolo)
    (finding,) = turned_photos(dataset)
    name = "train/images/f1_0.jpg"
    assert (finding.kind, finding.photos, [photo for photo, _ in finding.boxes]) == (TURNED, (name,), [name, name])
    read_box, other = (box for _, box in finding.boxes)
    assert read_box == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert other == pytest.approx((0.3, 0.4, 0.7, 0.6))
