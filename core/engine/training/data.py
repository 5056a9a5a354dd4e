"""Which questions about which photos are learned from, in which order: a stateless function of (seed, epoch)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from torch.utils.data import Dataset, Sampler

from core.data.types import BoxedObject, Photo
from core.engine.packing import Batch
from core.engine.questions import ObjectQuery, PromptBuilder, truth_of
from core.engine.samples import PackedSample
from core.engine.training.class_balance import class_weights, repeats
from core.prompts import answers
from core.settings import Settings


@dataclass(frozen=True)
class PendingBatches:
    """A step's batches in the making.

    Attributes:
        photos: How many sequences the step has.
        future: The batches, once a thread has made them.
    """

    photos: int
    future: Future[list[Batch]]

    def batches(self) -> list[Batch]:
        """Wait for the batches."""
        return self.future.result()


@dataclass(frozen=True)
class SampleKey:
    """One sequence of one epoch: a photo and the slice of its objects that is asked about.

    Attributes:
        epoch: The epoch, from 0.
        photo: The photo's number in the training data.
        repeat: Which of the photo's repeats in this epoch it is, from 0.
        start: The first object of the slice.
    """

    epoch: int
    photo: int
    repeat: int
    start: int


class TrainingDataset(Dataset[SampleKey]):
    """Training photos as samples of questions with their true answers, made on demand from a SampleKey.

    What it hands to a data loader are the keys themselves; `pending` turns a step's keys into batches, in a thread. A
    loader takes a step's keys while the step before is computed, so the photos are ready when it begins.

    Args:
        photos: The training photos; those without objects are left out.
        prompt_builder: Writes the questions.
        settings: The seed, the augmentations and the levers against imbalance.
    """

    def __init__(self, photos: Sequence[Photo], prompt_builder: PromptBuilder, settings: Settings) -> None:
        self.photos = [photo for photo in photos if photo.objects]
        self.prompt_builder, self.settings = prompt_builder, settings
        self.weights = class_weights(self.photos, settings.enhance, prompt_builder.taxonomy)
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

    def order(self, epoch: int) -> list[SampleKey]:
        """List every sequence of an epoch once, shuffled by (seed, epoch) alone, so that resuming needs no replay."""
        keys = [SampleKey(epoch, *place) for place in self.seen]
        random.Random(f"order {self.settings.training.seed} {epoch}").shuffle(keys)
        return keys

    def __getitem__(self, key: SampleKey) -> SampleKey:
        return key

    def pending(self, keys: Sequence[SampleKey]) -> PendingBatches:
        """Begin to make a step's batches."""
        return PendingBatches(len(keys), self._thread.submit(self._batches, keys))

    def _batches(self, keys: Sequence[SampleKey]) -> list[Batch]:
        samples = [self.sample(key) for key in keys]
        if not any(sample.questions for sample in samples):
            # Every step teaches something: photos of vegetation alone are asked what that is.
            samples = [self.sample(keys[0], always_class=True)]
        return self.prompt_builder.batches(samples)

    def sample(self, key: SampleKey, always_class: bool = False) -> PackedSample:
        """Make a sequence; what it asks follows from its key and the seed alone, and what teaches nothing is left out.

        Args:
            key: The sequence.
            always_class: Whether every question asks for the class, whatever the share of class questions.
        """
        photo, rng = self.photos[key.photo], self._rng(key)
        mirrored, light = self._version(rng)
        stop = key.start + (self.size or len(photo.objects))
        draws = [(obj, -1.0 if always_class else rng.random()) for obj in photo.objects[key.start : stop]]
        queries = [query for query in (self.question(*drawn) for drawn in draws) if self.teaches(query)]
        return self.prompt_builder.sample(photo.path, self.prompt_builder.boxes(photo), queries, mirrored, light)

    def teaches(self, query: ObjectQuery) -> bool:
        """Whether there is anything to choose: a closed question with one allowed answer has no loss."""
        return not self.prompt_builder.closed or len(answers(query.object_type, self.prompt_builder.taxonomy)) > 1

    def _rng(self, key: SampleKey) -> random.Random:
        # Spelled out: a run that is resumed years later draws the same questions, whatever the class is called by then.
        of = f"Key(epoch={key.epoch}, photo={key.photo}, repeat={key.repeat}, start={key.start})"
        return random.Random(f"questions {self.settings.training.seed} {of}")

    def _version(self, rng: random.Random) -> tuple[bool, int]:
        mirrored = self.settings.training.flip and rng.random() < 0.5
        return mirrored, rng.randrange(self.settings.training.lights) if self.settings.training.lights > 1 else 0

    def upcoming_versions(self, epochs: int) -> list[tuple[list[Photo], list[tuple[bool, int]]]]:
        """List every photo with the versions (mirrored, number of the light) that the first `epochs` epochs show."""
        seen: dict[int, set[tuple[bool, int]]] = {index: set() for index in range(len(self.photos))}
        for epoch in range(epochs):
            for key in self.order(epoch):
                seen[key.photo].add(self._version(self._rng(key)))
            if all(len(versions) == len(self.versions) for versions in seen.values()):
                break
        return [([self.photos[index]], sorted(versions)) for index, versions in seen.items()]

    @property
    def versions(self) -> list[tuple[bool, int]]:
        """The versions (mirrored, number of the light) in which photos may be seen."""
        sides = (False, True) if self.settings.training.flip else (False,)
        return [(side, light) for light in range(self.settings.training.lights) for side in sides]

    def question(self, obj: BoxedObject, draw: float) -> ObjectQuery:
        """Choose the question about an object: its class when `draw` (0..1) falls into the share of class questions."""
        kind = "class" if draw < self.settings.question.class_share else "condition"
        truth = truth_of(obj.object_type, obj.condition, kind, self.prompt_builder.taxonomy)
        weight = self.weights[(obj.object_type, obj.condition)]
        return ObjectQuery(obj.box_xyxy, obj.object_type if kind == "condition" else None, truth, weight)


class EpochSampler(Sampler[SampleKey]):
    """Hands out the keys of an epoch; the trainer sets the epoch."""

    def __init__(self, training_data: TrainingDataset) -> None:
        self.training_data, self.epoch = training_data, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose keys come next; the trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.training_data)

    def __iter__(self) -> Iterator[SampleKey]:
        return iter(self.training_data.order(self.epoch))
