"""Which questions about which photos are learned from, in which order: a stateless function of (seed, epoch)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch.utils.data import Dataset, Sampler

from core.data.balance import class_weights, repeats
from core.data.sample import BoxedObject, Photo
from core.engine.questions import Asked, Asker, truth_of
from core.engine.sequences import Tree
from core.settings import Settings


@dataclass(frozen=True)
class Key:
    """One sequence of one epoch: a photo and the slice of its objects that is asked about."""

    epoch: int
    photo: int
    repeat: int
    start: int


class Lessons(Dataset[Tree]):
    """Training photos as trees of questions with their true answers, made on demand from a Key."""

    def __init__(self, photos: Sequence[Photo], asker: Asker, settings: Settings) -> None:
        self.photos = [photo for photo in photos if photo.objects]
        self.asker, self.settings = asker, settings
        self.weights = class_weights(self.photos, settings.enhance)
        self.size = settings.training.questions_per_sequence
        self.seen = [
            (index, repeat, start)
            for index, times in enumerate(repeats(self.photos, settings.enhance))
            for repeat in range(times)
            for start in range(0, len(self.photos[index].objects), self.size or len(self.photos[index].objects))
        ]

    def __len__(self) -> int:
        return len(self.seen)

    def order(self, epoch: int) -> list[Key]:
        """Every sequence of an epoch once, shuffled by (seed, epoch) alone, so that resuming needs no replay."""
        keys = [Key(epoch, *place) for place in self.seen]
        random.Random(f"order {self.settings.training.seed} {epoch}").shuffle(keys)
        return keys

    def __getitem__(self, key: Key) -> Tree:
        photo = self.photos[key.photo]
        dice = random.Random(f"questions {self.settings.training.seed} {key}")
        mirrored = self.settings.training.flip and dice.random() < 0.5
        stop = key.start + (self.size or len(photo.objects))
        asked = [self.question(one, dice.random()) for one in photo.objects[key.start : stop]]
        return self.asker.tree(photo.path, self.asker.boxes(photo), asked, mirrored)

    def question(self, one: BoxedObject, draw: float) -> Asked:
        """The question about an object: its class when `draw` falls into the share of class questions."""
        kind = "class" if draw < self.settings.question.class_share else "condition"
        truth = truth_of(one.object_type, one.condition, kind, self.asker.taxonomy)
        weight = self.weights[(one.object_type, one.condition)]
        return Asked(one.box_xyxy, one.object_type if kind == "condition" else None, truth, weight)


class Order(Sampler[Key]):
    """Hands out an epoch's keys; the trainer tells it the epoch."""

    def __init__(self, lessons: Lessons) -> None:
        self.lessons, self.epoch = lessons, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lessons)

    def __iter__(self) -> Iterator[Key]:
        return iter(self.lessons.order(self.epoch))
