"""Counts, imbalance and the fingerprint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.data.statistics import class_counts, condition_counts, fingerprint, imbalance, summary, type_counts
from core.data.types import BoxedObject, Dataset, Photo
from core.errors import Problem

TOE = BoxedObject((0.1, 0.1, 0.2, 0.2), "toe drain", "blocked", "a.txt line 1")
ROCK = BoxedObject((0.3, 0.3, 0.9, 0.9), "rock toe", "normal", "a.txt line 2")
PHOTOS = (
    Photo(Path("/s/a.jpg"), "a.jpg", (64, 48), "train", "a", (TOE, ROCK), "d1"),
    Photo(Path("/s/b.jpg"), "b.jpg", (64, 48), "train", "a", (ROCK, ROCK), "d2"),
    Photo(Path("/s/c.jpg"), "c.jpg", (64, 48), "valid", "c", (), "d3"),
)
DATASET = Dataset(Path("/s"), "yolo", PHOTOS, (Problem("x", kind="zero-size"),), "f")


def test_objects_are_counted_by_class_type_and_condition_in_each_split() -> None:
    assert class_counts(DATASET) == {"train": {"rock toe normal": 3, "toe drain blocked": 1}, "valid": {}}
    assert type_counts(DATASET)["train"] == {"rock toe": 3, "toe drain": 1}
    assert condition_counts(DATASET)["train"] == {"blocked": 1, "normal": 3}


def test_the_summary_holds_all_of_it() -> None:
    found = summary(DATASET)
    assert (found["photos"], found["objects"], found["problems"]) == (3, 4, {"zero-size": 1})
    train, valid = found["splits"]["train"], found["splits"]["valid"]
    assert (train["photos"], train["objects"], train["flights"], train["imbalance"]) == (2, 4, 1, 3.0)
    assert (valid["background_photos"], valid["imbalance"]) == (1, 1.0)


@pytest.mark.parametrize(("counts", "ratio"), [({}, 1.0), ({"a": 5}, 1.0), ({"a": 6, "b": 3, "c": 0}, 2.0)])
def test_imbalance_is_largest_over_smallest_count(counts: dict[str, int], ratio: float) -> None:
    assert imbalance(counts) == ratio


def test_the_fingerprint_knows_neither_order_nor_place() -> None:
    moved = tuple(replace(photo, path=Path("/elsewhere") / photo.name) for photo in PHOTOS[::-1])
    turned = (replace(moved[2], objects=(ROCK, replace(TOE, source="other"))), *moved[:2])
    assert fingerprint(turned) == fingerprint(PHOTOS)
    assert len(fingerprint(PHOTOS)) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"name": "z.jpg"},
        {"digest": "other"},
        {"split": "valid"},
        {"objects": (TOE,)},
        {"objects": (TOE, replace(ROCK, condition="damaged"))},
        {"objects": (TOE, replace(ROCK, box_xyxy=(0.3, 0.3, 0.9, 0.90001)))},
    ],
)
def test_the_fingerprint_knows_every_change_of_the_task(change: dict[str, object]) -> None:
    assert fingerprint((replace(PHOTOS[0], **change), *PHOTOS[1:])) != fingerprint(PHOTOS)  # type: ignore[arg-type]
