"""COCO: `annotations/instances_train.json` for the photos in `images/train`, one file for each split.

The category is the whole class (`toe drain blocked`). Ids count from 1 through all splits, in the order of split and
name: the same data set always gets the same ids, and the files of its splits can be joined.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import Any

from core.data.write.base import SPLIT_WORDS, LabelWriter, PlacedPhoto, by_split, class_of, classes_of, pixels


def coco_labels(placed: Sequence[PlacedPhoto]) -> dict[str, str]:
    """One JSON file for each split, all with the same categories."""
    numbers = {name: number for number, name in enumerate(classes_of(placed), 1)}
    categories = [{"id": number, "name": name, "supercategory": ""} for name, number in numbers.items()]
    image_ids, annotation_ids = count(1), count(1)
    texts = {}
    for split, photos in by_split(placed).items():
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for one in photos:
            wide, high = one.photo.size_wh
            images.append({"id": next(image_ids), "file_name": one.below, "width": wide, "height": high})
            for obj in one.photo.objects:
                x0, y0, x1, y1 = pixels(one.photo, obj)
                width, height = round(x1 - x0, 6), round(y1 - y0, 6)
                annotations.append(
                    {
                        "id": next(annotation_ids),
                        "image_id": images[-1]["id"],
                        "category_id": numbers[class_of(obj)],
                        "bbox": [x0, y0, width, height],
                        "area": round(width * height, 6),
                        "iscrowd": 0,
                        "segmentation": [],
                    }
                )
        tree = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": categories}
        texts[f"annotations/instances_{SPLIT_WORDS[split]}.json"] = json.dumps(tree, ensure_ascii=False) + "\n"
    return texts


WRITER = LabelWriter("coco", lambda split: f"images/{SPLIT_WORDS[split]}", coco_labels)
