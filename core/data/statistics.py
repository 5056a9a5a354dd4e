"""Counts of a data set, and the fingerprint by which the same task is known again."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.data.types import SPLITS, BoxedObject, Dataset, Photo


def class_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Objects of each class in each split that has photos: {split: {"toe drain blocked": n}}."""
    return _count(dataset, lambda obj: f"{obj.object_type} {obj.condition}")


def type_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Objects of each type in each split that has photos: {split: {object type: n}}."""
    return _count(dataset, lambda obj: obj.object_type)


def condition_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    """Objects of each condition in each split that has photos: {split: {condition: n}}."""
    return _count(dataset, lambda obj: obj.condition)


def _count(dataset: Dataset, name_of: Callable[[BoxedObject], str]) -> dict[str, dict[str, int]]:
    counts = {}
    for split in SPLITS:
        if photos := dataset.split(split):
            counts[split] = dict(sorted(Counter(name_of(obj) for photo in photos for obj in photo.objects).items()))
    return counts


def imbalance(counts: Mapping[str, int]) -> float:
    """How many times the most frequent class outnumbers the rarest that occurs; 1.0 where one occurs, or none."""
    present = [count for count in counts.values() if count > 0]
    return max(present) / min(present) if present else 1.0


def summary(dataset: Dataset) -> dict[str, Any]:
    """Plain values for JSON: for each split its photos, objects, flights and counts by class; problems by kind."""
    classes, types, conditions = class_counts(dataset), type_counts(dataset), condition_counts(dataset)
    splits = {}
    for split in classes:
        photos = dataset.split(split)
        splits[split] = {
            "photos": len(photos),
            "objects": sum(len(photo.objects) for photo in photos),
            "background_photos": sum(not photo.objects for photo in photos),
            "flights": len({photo.group for photo in photos}),
            "classes": classes[split],
            "object_types": types[split],
            "conditions": conditions[split],
            "imbalance": imbalance(classes[split]),
        }
    return {
        "root": str(dataset.root),
        "format": dataset.format,
        "fingerprint": dataset.fingerprint,
        "photos": len(dataset.photos),
        "objects": sum(len(photo.objects) for photo in dataset.photos),
        "splits": splits,
        "problems": dict(sorted(Counter(problem.kind for problem in dataset.problems).items())),
    }


def fingerprint(photos: Iterable[Photo]) -> str:
    """SHA-256 (hex) over names, photo bytes, splits, boxes (to a millionth of the photo) and classes, in any order."""
    total = hashlib.sha256()
    for photo in sorted(photos, key=lambda photo: photo.name):
        objects = sorted(
            [obj.object_type, obj.condition, *(round(end, 6) for end in obj.box_xyxy)] for obj in photo.objects
        )
        total.update(json.dumps([photo.name, photo.digest, photo.split, objects]).encode())
    return total.hexdigest()
