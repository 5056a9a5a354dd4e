"""How large the sequences of a training are, told before their photos are opened: the largest step, and a usual one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.engine.packing import tree_tokens
from core.engine.training.data import Key, Lessons
from core.engine.vision import Sight

# A question's text, roughly, in tokens: only to tell large photos from small ones.
TEXT_TOKENS = 100


@dataclass(frozen=True)
class Size:
    """How large a sequence is, before its photo is opened: tokens (roughly), pixels of the photo, views in it."""

    tokens: int
    pixels: int
    views: int
    key: Key


def sizes(lessons: Lessons) -> list[Size]:
    """The sequences of an epoch, the largest first, as far as that can be told without opening a photo."""
    eyes, found = lessons.asker.eyes, []
    for key in lessons.order(0):
        photo = lessons.photos[key.photo]
        asked = photo.objects[key.start : key.start + (lessons.size or len(photo.objects))]
        seen = [] if eyes.view.mode == "crop" else [Sight(photo.path)]
        seen += [] if eyes.view.mode == "full" else [Sight(photo.path, one.box_xyxy) for one in asked]
        tokens = sum(eyes.tokens(sight, photo.size_wh) for sight in seen) + TEXT_TOKENS * len(asked)
        found.append(Size(tokens, photo.size_wh[0] * photo.size_wh[1], len(seen), key))
    return sorted(found, key=lambda one: (one.tokens, one.pixels), reverse=True)


def largest(trainer: Any, found: Sequence[Size], count: int) -> list[Size]:
    """The `count` sequences with the most tokens (then pixels) among twice as many that promise it; they are opened."""
    merge = trainer.asker.eyes.merge
    real = [replace(one, tokens=tree_tokens(trainer.lessons.tree(one.key), merge)) for one in found[: 2 * count]]
    return sorted(real, key=lambda one: (one.tokens, one.pixels), reverse=True)[:count]


def usual(found: Sequence[Size], count: int) -> list[Size]:
    """A step as they mostly are: one sequence from the middle of each of `count` equal parts of the sizes."""
    return [found[int((part + 0.5) * len(found) / count)] for part in range(count)]


def views(trainer: Any, found: Sequence[Size]) -> int:
    """How many views of photos and boxes are seen at all: of the training photos in all versions, and to test."""
    learned = {(one.key.photo, one.key.start): one.views for one in found}
    mode = trainer.asker.eyes.view.mode
    tested = sum((mode != "crop") + (mode != "full") * len(photo.objects) for photo in trainer.eval_dataset)
    return sum(learned.values()) * len(trainer.lessons.versions) + tested
