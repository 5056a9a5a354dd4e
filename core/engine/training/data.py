"""Which questions about which photos are learned from, in which order: a stateless function of (seed, epoch)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch.utils.data import Dataset, Sampler

from core.data.types import BoxedObject, Photo
from core.engine.packing import Batch, Tree
from core.engine.questions import Asked, Asker, truth_of
from core.engine.training.class_balance import class_weights, repeats
from core.prompts import answers
from core.settings import Settings


@dataclass(frozen=True)
class Coming:
    """A step's batches in the making, and the number of its sequences."""

    photos: int
    future: Future[list[Batch]]

    def batches(self) -> list[Batch]:
        return self.future.result()


@dataclass(frozen=True)
class Key:
    """One sequence of one epoch: a photo and the slice of its objects that is asked about."""

    epoch: int
    photo: int
    repeat: int
    start: int


class Lessons(Dataset[Key]):
    """Training photos as trees of questions with their true answers, made on demand from a Key.

    What it hands to a data loader are the keys themselves; `coming` turns a step's keys into batches, in a thread. A
    loader asks for a step's keys while the step before is computed, so the photos are ready when it begins.
    """

    def __init__(self, photos: Sequence[Photo], asker: Asker, settings: Settings) -> None:
        self.photos = [photo for photo in photos if photo.objects]
        self.asker, self.settings = asker, settings
        self.weights = class_weights(self.photos, settings.enhance)
        self.size = settings.training.questions_per_sequence
        self._thread = ThreadPoolExecutor(1)
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

    def __getitem__(self, key: Key) -> Key:
        return key

    def coming(self, keys: Sequence[Key]) -> Coming:
        """A step's batches, in the making from now on."""
        return Coming(len(keys), self._thread.submit(self._batches, keys))

    def _batches(self, keys: Sequence[Key]) -> list[Batch]:
        trees = [self.tree(key) for key in keys]
        if not any(tree.branches for tree in trees):
            # Every step teaches something: photos of vegetation alone are asked what that is.
            trees = [self.tree(keys[0], always_class=True)]
        return self.asker.batches(trees)

    def tree(self, key: Key, always_class: bool = False) -> Tree:
        """A sequence: what it asks follows from its key and the seed alone. What teaches nothing is left out."""
        photo, dice = self.photos[key.photo], self._dice(key)
        mirrored, light = self._version(dice)
        stop = key.start + (self.size or len(photo.objects))
        draws = [(one, -1.0 if always_class else dice.random()) for one in photo.objects[key.start : stop]]
        asked = [one for one in (self.question(*drawn) for drawn in draws) if self.teaches(one)]
        return self.asker.tree(photo.path, self.asker.boxes(photo), asked, mirrored, light)

    def teaches(self, asked: Asked) -> bool:
        """Whether there is anything to choose: a closed question with one allowed answer has no loss."""
        return not self.asker.closed or len(answers(asked.object_type, self.asker.taxonomy)) > 1

    def _dice(self, key: Key) -> random.Random:
        return random.Random(f"questions {self.settings.training.seed} {key}")

    def _version(self, dice: random.Random) -> tuple[bool, int]:
        mirrored = self.settings.training.flip and dice.random() < 0.5
        return mirrored, dice.randrange(self.settings.training.lights) if self.settings.training.lights > 1 else 0

    def versions_to_come(self, epochs: int) -> list[tuple[list[Photo], list[tuple[bool, int]]]]:
        """Every photo with the versions (mirrored, light) in which the first `epochs` epochs show it."""
        seen: dict[int, set[tuple[bool, int]]] = {index: set() for index in range(len(self.photos))}
        for epoch in range(epochs):
            for key in self.order(epoch):
                seen[key.photo].add(self._version(self._dice(key)))
            if all(len(versions) == len(self.versions) for versions in seen.values()):
                break
        return [([self.photos[index]], sorted(versions)) for index, versions in seen.items()]

    @property
    def versions(self) -> list[tuple[bool, int]]:
        """The versions (mirrored, light) in which photos may be seen."""
        sides = (False, True) if self.settings.training.flip else (False,)
        return [(side, light) for light in range(self.settings.training.lights) for side in sides]

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
