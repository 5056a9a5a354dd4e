"""Sizes of a training's sequences, estimated before their photos are opened, and the largest and a usual step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.engine.samples import sample_tokens
from core.engine.training.data import SampleKey, TrainingDataset
from core.engine.vision import ImageView

# A question's text, roughly, in tokens: only to tell large photos from small ones.
TEXT_TOKENS = 100


@dataclass(frozen=True)
class SequenceSize:
    """How large a sequence is, before its photo is opened.

    Attributes:
        tokens: Its tokens, roughly.
        pixels: Pixels of the photo.
        views: How many views (photo and crops) it shows.
        key: The sequence.
    """

    tokens: int
    pixels: int
    views: int
    key: SampleKey


def sequence_sizes(training_data: TrainingDataset) -> list[SequenceSize]:
    """List the sequences of an epoch, the largest first, as far as that is known without opening a photo."""
    image_encoder, found = training_data.prompt_builder.image_encoder, []
    for key in training_data.order(0):
        photo = training_data.photos[key.photo]
        objects = photo.objects[key.start : key.start + (training_data.size or len(photo.objects))]
        shown = [] if image_encoder.view.mode == "crop" else [ImageView(photo.path)]
        shown += [] if image_encoder.view.mode == "full" else [ImageView(photo.path, obj.box_xyxy) for obj in objects]
        tokens = TEXT_TOKENS * len(objects)
        tokens += sum(image_encoder.tokens(image_view, photo.size_wh) for image_view in shown)
        found.append(SequenceSize(tokens, photo.size_wh[0] * photo.size_wh[1], len(shown), key))
    return sorted(found, key=lambda size: (size.tokens, size.pixels), reverse=True)


def largest(trainer: Any, found: Sequence[SequenceSize], count: int) -> list[SequenceSize]:
    """Choose the `count` sequences with the most tokens, then pixels.

    Args:
        trainer: Its training data make the sequences.
        found: All sequences, the largest first by estimate; twice as many as are wanted are opened and measured.
        count: How many sequences a step has.
    """
    merge = trainer.prompt_builder.image_encoder.merge
    real = [
        replace(size, tokens=sample_tokens(trainer.training_data.sample(size.key), merge))
        for size in found[: 2 * count]
    ]
    return sorted(real, key=lambda size: (size.tokens, size.pixels), reverse=True)[:count]


def usual(found: Sequence[SequenceSize], count: int) -> list[SequenceSize]:
    """Choose a step of usual size: one sequence from the middle of each of `count` equal parts of the sizes."""
    return [found[int((part + 0.5) * len(found) / count)] for part in range(count)]


def views(trainer: Any, found: Sequence[SequenceSize]) -> int:
    """Count the views of photos and boxes that are seen at all: of training photos in all versions, and to evaluate."""
    learned = {(size.key.photo, size.key.start): size.views for size in found}
    mode = trainer.prompt_builder.image_encoder.view.mode
    tested = sum((mode != "crop") + (mode != "full") * len(photo.objects) for photo in trainer.eval_dataset)
    return int(sum(learned.values()) * len(trainer.training_data.versions) + tested)
