"""YOLO: one text file a photo, `class x_center y_center width height` in fractions, and data.yaml."""

from __future__ import annotations

import json
from collections.abc import Sequence

from core.data.write.base import SPLIT_WORDS, LabelWriter, PlacedPhoto, by_split, class_of, classes_of


def yolo_labels(placed: Sequence[PlacedPhoto]) -> dict[str, str]:
    """data.yaml, and `train/labels/a.txt` for `train/images/a.jpg`."""
    classes = classes_of(placed)
    lines = [f"{SPLIT_WORDS[split]}: {split}/images\n" for split in sorted(by_split(placed))]
    names = json.dumps(classes, ensure_ascii=False)  # YAML reads a pair of \u escapes as two letters
    texts = {"data.yaml": "".join(lines) + f"nc: {len(classes)}\nnames: {names}\n"}
    for one in placed:
        rows = []
        for obj in one.photo.objects:
            x0, y0, x1, y1 = obj.box_xyxy
            values = ((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0)
            rows.append(f"{classes.index(class_of(obj))} " + " ".join(f"{value:.9f}" for value in values) + "\n")
        texts[f"{one.photo.split}/labels/{one.below.rpartition('.')[0]}.txt"] = "".join(rows)
    return texts


WRITER = LabelWriter("yolo", "{}/images".format, yolo_labels, in_pixels=False)
