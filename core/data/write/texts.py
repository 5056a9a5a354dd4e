"""The labels of a data set as text files of a format: {name in the folder: text}. Nothing here touches the disk."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

from core.data.types import BoxedObject, Photo

Placed = Sequence[tuple[str, Photo]]  # photos with their names in the new folder, SPLIT/images/NAME


def class_of(obj: BoxedObject) -> str:
    """The class as this project writes it."""
    return f"{obj.object_type} {obj.condition}"


def _classes(placed: Placed) -> list[str]:
    return sorted({class_of(obj) for _, photo in placed for obj in photo.objects})


def _pixels(photo: Photo, obj: BoxedObject) -> list[float]:
    return [round(end * side, 6) for end, side in zip(obj.box_xyxy, photo.size_wh * 2, strict=True)]


def yolo(placed: Placed) -> dict[str, str]:
    """One text file a photo, and data.yaml."""
    classes = _classes(placed)
    splits = {photo.split for _, photo in placed}
    lines = [f"{'val' if split == 'valid' else split}: {split}/images\n" for split in sorted(splits)]
    texts = {"data.yaml": "".join(lines) + f"nc: {len(classes)}\nnames: {json.dumps(classes)}\n"}
    for name, photo in placed:
        rows = []
        for obj in photo.objects:
            x0, y0, x1, y1 = obj.box_xyxy
            values = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            rows.append(f"{classes.index(class_of(obj))} " + " ".join(f"{value:.9f}" for value in values) + "\n")
        split, _, base = name.split("/")
        texts[f"{split}/labels/{base.rpartition('.')[0]}.txt"] = "".join(rows)
    return texts


def table(placed: Placed) -> dict[str, str]:
    """One table, corners in pixels; a photo without objects is a row without a box."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "x1", "y1", "x2", "y2", "class", "split"])
    for name, photo in placed:
        rows = [[*_pixels(photo, obj), class_of(obj)] for obj in photo.objects] or [[""] * 5]
        writer.writerows([name, *row, photo.split] for row in rows)
    return {"labels.csv": text.getvalue()}


WRITERS: Mapping[str, Callable[[Placed], dict[str, str]]] = {"yolo": yolo, "csv": table}
