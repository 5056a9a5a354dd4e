"""How large the sequences of a training are, told before their photos are opened: the largest step, and a usual one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.engine.packing import sample_tokens
from core.engine.training.data import SampleKey, TrainingDataset
from core.engine.vision import ImageView

# A question's text, roughly, in tokens: only to tell large photos from small ones.
TEXT_TOKENS = 100


@dataclass(frozen=True)
class SequenceSize:
    """How large a sequence is, before its photo is opened: tokens (roughly), pixels of the photo, views in it."""

    tokens: int
    pixels: int
    views: int
    key: SampleKey


def sequence_sizes(training_data: TrainingDataset) -> list[SequenceSize]:
    """The sequences of an epoch, the largest first, as far as that can be told without opening a photo."""
    image_encoder, found = training_data.prompt_builder.image_encoder, []
    for key in training_data.order(0):
        photo = training_data.photos[key.photo]
        asked = photo.objects[key.start : key.start + (training_data.size or len(photo.objects))]
        seen = [] if image_encoder.view.mode == "crop" else [ImageView(photo.path)]
        seen += [] if image_encoder.view.mode == "full" else [ImageView(photo.path, query.box_xyxy) for query in asked]
        tokens = sum(image_encoder.tokens(image_view, photo.size_wh) for image_view in seen) + TEXT_TOKENS * len(asked)
        found.append(SequenceSize(tokens, photo.size_wh[0] * photo.size_wh[1], len(seen), key))
    return sorted(found, key=lambda size: (size.tokens, size.pixels), reverse=True)


def largest(trainer: Any, found: Sequence[SequenceSize], count: int) -> list[SequenceSize]:
    """The `count` sequences with the most tokens (then pixels) among twice as many that promise it; they are opened."""
    merge = trainer.prompt_builder.image_encoder.merge
    real = [
        replace(size, tokens=sample_tokens(trainer.training_data.sample(size.key), merge))
        for size in found[: 2 * count]
    ]
    return sorted(real, key=lambda size: (size.tokens, size.pixels), reverse=True)[:count]


def usual(found: Sequence[SequenceSize], count: int) -> list[SequenceSize]:
    """A step as they mostly are: one sequence from the middle of each of `count` equal parts of the sizes."""
    return [found[int((part + 0.5) * len(found) / count)] for part in range(count)]


def views(trainer: Any, found: Sequence[SequenceSize]) -> int:
    """How many views of photos and boxes are seen at all: of the training photos in all versions, and to test."""
    learned = {(size.key.photo, size.key.start): size.views for size in found}
    mode = trainer.prompt_builder.image_encoder.view.mode
    tested = sum((mode != "crop") + (mode != "full") * len(photo.objects) for photo in trainer.eval_dataset)
    return int(sum(learned.values()) * len(trainer.training_data.versions) + tested)
