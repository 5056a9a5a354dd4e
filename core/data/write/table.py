"""A table (CSV): one object a row, corners in pixels; a photo without objects is a row without a box."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from core.data.write.base import LabelWriter, PlacedPhoto, class_of, pixels

COLUMNS = ("image", "x1", "y1", "x2", "y2", "class", "split", "image_width", "image_height")


def table_labels(placed: Sequence[PlacedPhoto]) -> dict[str, str]:
    """labels.csv with the photos of all splits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in placed:
        rows = [[*pixels(one.photo, obj), class_of(obj)] for obj in one.photo.objects] or [[""] * 5]
        writer.writerows([one.name, *row, one.photo.split, *one.photo.size_wh] for row in rows)
    return {"labels.csv": text.getvalue()}


WRITER = LabelWriter("csv", "{}/images".format, table_labels)
