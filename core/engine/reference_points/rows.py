"""Objects one by one, and their answers as lines of the same form as a model's predictions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.data.types import BoxedObject, Photo
from core.engine.scoring import answered_row
from core.records import PredictionRow
from core.taxonomy import Taxonomy

Rows = list[PredictionRow]


@dataclass(frozen=True)
class Item:
    """One object: the photo it is on and its number there."""

    photo: Photo
    index: int

    @property
    def obj(self) -> BoxedObject:
        """The object itself: its box, type and condition."""
        return self.photo.objects[self.index]


def items_of(photos: Sequence[Photo]) -> list[Item]:
    """List all objects of the photos."""
    return [Item(photo, index) for photo in photos for index in range(len(photo.objects))]


def stratified(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """Take at most `most` of the items, in their order, every class at about its share and none lost altogether.

    Args:
        items: Those to choose from.
        most: How many at most.
        seed: The same seed chooses the same items.
    """
    if len(items) <= most:
        return list(items)
    strata: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(items):
        strata.setdefault((item.obj.object_type, item.obj.condition), []).append(number)
    rng = np.random.default_rng([seed, 0x57A7])
    places = []
    for _, numbers in sorted(strata.items()):
        mixed = rng.permutation(numbers)
        # The k-th of a stratum of n stands at k / n: the first `most` of all hold every stratum in proportion.
        places += [(k / len(mixed), int(number)) for k, number in enumerate(mixed)]
    return [items[number] for number in sorted(number for _, number in sorted(places)[:most])]


def reference_row(item: Item, shares: Mapping[str, float], predicted: str, taxonomy: Taxonomy) -> PredictionRow:
    """Write a row about one object whose condition was asked.

    Args:
        item: The object.
        shares: {condition: probability}; {} where they are unknown.
        predicted: The condition that was answered.
        taxonomy: Names the classes.
    """
    answered = item.obj.object_type, predicted
    return answered_row(item.photo, item.index, answered, shares, "condition", taxonomy)


def prior_rows(train: Sequence[Photo], evaluated: Sequence[Photo], taxonomy: Taxonomy) -> Rows:
    """Answer every object with its type's most frequent training condition; probabilities are the shares in training.

    A type that training lacks is answered with the first condition that the taxonomy allows it.

    Args:
        train: The photos whose conditions are counted.
        evaluated: The photos that are answered.
        taxonomy: The conditions that each type allows.

    Returns:
        Prediction rows; [] when `train` holds no object.
    """
    counts: dict[str, Counter[str]] = {}
    for item in items_of(train):
        counts.setdefault(item.obj.object_type, Counter())[item.obj.condition] += 1
    if not counts:
        return []
    rows = []
    for item in items_of(evaluated):
        allowed, seen = taxonomy.allowed[item.obj.object_type], counts.get(item.obj.object_type)
        guess = seen.most_common(1)[0][0] if seen else allowed[0]
        shares = {answer: seen[answer] / seen.total() for answer in allowed} if seen else {}
        rows.append(reference_row(item, shares, guess, taxonomy))
    return rows
