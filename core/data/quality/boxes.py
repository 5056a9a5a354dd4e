"""Boxes that contradict each other, and boxes of which the model is shown too little."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from core.data.quality.findings import AMBER, NOTE, Finding, level_of, tally, words
from core.data.quality.resolution import FEW_PIXELS, FEW_TOKENS, TOKEN_PX, curing_photo_px, hard_to_see, seen_wh
from core.data.types import BoxedObject, Photo
from core.settings import ViewSettings
from core.units import counted

SAME_BOX = 0.9  # boxes of a larger overlap (intersection over union) are one box drawn twice
MAX_PHOTO_PX = 1288  # of the photo: more costs over four times the tokens of 640, and a crop is cheaper


def disagreements(photos: Sequence[Photo]) -> list[Finding]:
    """Findings about the same box with two classes, and the same box twice with one class."""
    two: list[tuple[Photo, BoxedObject, BoxedObject]] = []
    one_twice: list[tuple[Photo, BoxedObject, BoxedObject]] = []
    for photo in photos:
        for obj, other in _same_boxes(photo.objects):
            (one_twice if _name(obj) == _name(other) else two).append((photo, obj, other))
    found = []
    if two:
        pairs = [f"{_name(obj)} and {_name(other)} ({obj.source or photo.name})" for photo, obj, other in two]
        found.append(
            Finding(
                "contradiction",
                AMBER,
                f"{counted(len(two), 'box', 'boxes')} with two classes at once",
                f"Whatever the model answers there, it is wrong once: {words(pairs, 3)}.",
                tuple(dict.fromkeys(photo.name for photo, _, _ in two)),
                "Look at these photos and remove the class that is not true.",
                boxes=tuple((photo.name, obj.box_xyxy) for photo, obj, _ in two),
            )
        )
    if one_twice:
        pairs = [f"{_name(obj)} ({other.source or photo.name})" for photo, obj, other in one_twice]
        found.append(
            Finding(
                "double-label",
                NOTE,
                f"{counted(len(one_twice), 'box', 'boxes')} drawn twice with one class",
                f"They count double in learning and in every score: {words(pairs, 3)}.",
                tuple(dict.fromkeys(photo.name for photo, _, _ in one_twice)),
                "Remove one of the two boxes.",
                boxes=tuple((photo.name, obj.box_xyxy) for photo, obj, _ in one_twice),
            )
        )
    return found


def _same_boxes(objects: Sequence[BoxedObject]) -> Iterator[tuple[BoxedObject, BoxedObject]]:
    """Pairs of objects whose boxes overlap by SAME_BOX or more."""
    # Such boxes have nearly the same middle: of a photo's boxes only those nearby are compared.
    tall = sorted(objects, key=lambda obj: obj.box_xyxy[1])
    if len(tall) < 40:
        yield from ((obj, other) for obj, other in combinations(tall, 2) if _overlap(obj, other) >= SAME_BOX)
        return
    boxes = np.array([obj.box_xyxy for obj in tall])
    for place, obj in enumerate(tall):
        end = np.searchsorted(boxes[:, 1], obj.box_xyxy[3])
        yield from ((obj, other) for other in tall[place + 1 : end] if _overlap(obj, other) >= SAME_BOX)


def _overlap(obj: BoxedObject, other: BoxedObject) -> float:
    """Intersection over union of two boxes."""
    a, b = obj.box_xyxy, other.box_xyxy
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def too_small(photos: Sequence[Photo], view: ViewSettings) -> list[Finding]:
    """Findings about objects too small to be seen, with the cheapest cure that reaches 19 of 20 of them.

    Args:
        photos: all of the data set.
        view: what of a photo the model is shown, and at which size.
    """
    small = [(photo, obj) for photo in photos for obj in hard_to_see(photo, view)]
    if not small:
        return []
    total = sum(len(photo.objects) for photo in photos)
    which = tally(Counter(_name(obj) for _, obj in small))
    names = tuple(dict.fromkeys(photo.name for photo, _ in small))
    boxes = tuple((photo.name, obj.box_xyxy) for photo, obj in small)
    title = f"{counted(len(small), 'object')} too small to be seen well"
    level = level_of(len(small), total)
    if view.mode != "full":
        detail = (
            f"These boxes cover fewer than {FEW_PIXELS} × {FEW_PIXELS} pixels of the photo as it is. Their crop is "
            f"enlarged, but what the camera did not catch stays unseen: {which}."
        )
        cure = "Fly closer or export the photos larger; a box of a few pixels may be a slip of the mouse: remove it."
        return [Finding("too-small", level, title, detail, names, cure, boxes=boxes)]
    wide, high = seen_wh(small[0][0].size_wh, view.photo_px)
    detail = (
        f"The model sees {wide // TOKEN_PX} × {high // TOKEN_PX} tokens of a photo ({wide} × {high} pixels, a token is "
        f"{TOKEN_PX} × {TOKEN_PX}), and these boxes cover fewer than {FEW_TOKENS} tokens: {which}."
    )
    needed = sorted(curing_photo_px(photo, obj, MAX_PHOTO_PX) or MAX_PHOTO_PX + 1 for photo, obj in small)
    spare = max(0, round(0.05 * total)) if len(small) > 0.05 * total else 0
    photo_px = needed[-1 - min(spare, len(needed) - 1)]
    if photo_px <= MAX_PHOTO_PX:
        cure = f"Show the photo at {photo_px} pixels squared, or each object's crop as well (view.mode=full+crop)."
        return [Finding("too-small", level, title, detail, names, cure, {"view.photo_px": photo_px}, boxes=boxes)]
    cure = "Show each object's crop as well: a higher resolution of these photos does not reach."
    return [Finding("too-small", level, title, detail, names, cure, {"view.mode": "full+crop"}, boxes=boxes)]


def _name(obj: BoxedObject) -> str:
    return f"{obj.object_type} {obj.condition}"
