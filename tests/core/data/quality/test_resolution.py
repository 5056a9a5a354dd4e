"""What the model sees is computed without it, and equals what its own code does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from core.data.quality.resolution import curing_photo_px, hard_to_see, pixels_of, resized, seen_wh, tokens_of
from core.data.types import BoxedObject, Photo
from core.settings import ViewSettings


def photo(size_wh: tuple[int, int], *sides: float) -> Photo:
    objects = tuple(BoxedObject((0.1, 0.1, 0.1 + side, 0.1 + side), "toe drain", "normal") for side in sides)
    return Photo(Path("a"), "a", size_wh, "train", "a", objects)


def test_sizes_are_those_of_the_models_own_code() -> None:
    rng = np.random.default_rng(0)
    for _ in range(3000):
        wide = int(rng.integers(28, 5000))
        high = int(np.clip(wide * rng.uniform(0.05, 20), 28, 5000))
        unit = int(rng.choice([28, 32]))
        most = int(rng.integers(60, 1300)) ** 2
        least = int(rng.integers(1, most))
        rows, columns = smart_resize(high, wide, unit, least, most)
        assert resized(wide, high, least, most, unit) == (columns, rows), (wide, high, least, most, unit)


@pytest.mark.parametrize(
    ("size_wh", "photo_px", "seen"),
    [
        ((312, 312), 640, (308, 308)),  # a small photo is not enlarged
        ((312, 312), 112, (112, 112)),
        ((4000, 3000), 640, (728, 532)),
        ((40, 40), 640, (56, 56)),  # but a tiny one is, to two tokens a side
    ],
)
def test_a_photo_is_seen_at_its_own_size_at_most(
    size_wh: tuple[int, int], photo_px: int, seen: tuple[int, int]
) -> None:
    assert seen_wh(size_wh, photo_px) == seen


def test_tokens_and_pixels_of_a_box_by_hand() -> None:
    held = photo((308, 308), 0.5)
    assert tokens_of(held.objects[0], held.size_wh, 640) == pytest.approx(5.5**2)
    assert pixels_of(held.objects[0], (400, 100)) == pytest.approx(100)


@pytest.mark.parametrize(
    ("mode", "hard"), [("full", [0.03, 0.1]), ("full+crop", [0.03]), ("crop", [0.03])]
)  # of 308 pixels: 9, 31 and 62 pixels; 0.1, 1.2 and 4.8 tokens
def test_small_boxes_are_hard_to_see_in_the_whole_photo_and_tiny_ones_in_a_crop(mode: str, hard: list[float]) -> None:
    held = photo((308, 308), 0.03, 0.1, 0.2)
    found = hard_to_see(held, ViewSettings(mode=mode))
    assert [round(obj.box_xyxy[2] - 0.1, 2) for obj in found] == hard


def test_the_least_resolution_that_shows_a_box() -> None:
    large = photo((4000, 4000), 0.1)
    cure = curing_photo_px(large, large.objects[0], 1288)
    assert cure == 560
    assert tokens_of(large.objects[0], large.size_wh, cure) >= 4 > tokens_of(large.objects[0], large.size_wh, cure - 28)
    assert curing_photo_px(large, large.objects[0], 500) is None
    small = photo((312, 312), 0.1)
    assert curing_photo_px(small, small.objects[0], 4096) is None
