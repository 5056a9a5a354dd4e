"""Duplicates are found without comparing all pairs, and none is missed that comparing all pairs would find."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from core.data.duplicates import NEAR_BITS, close_hashes, connected, drop_duplicates, duplicate_groups, near_pairs
from core.data.image_stats import ImageStats, measure_image
from core.data.types import Photo


def picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(20, 230, (9, 9, 3), dtype=np.uint8)).resize(
        (200, 150), Image.Resampling.BICUBIC
    )


def photo(name: str, split: str, stats: ImageStats | None, digest: str = "") -> Photo:
    return Photo(Path(name), name, (200, 150), split, name, (), digest or name, stats)


@pytest.mark.parametrize("seed", range(3))
def test_close_hashes_are_those_that_comparing_all_pairs_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    far = rng.integers(0, 2**64, 300, dtype=np.uint64)
    # Each of 200 more is one of them with up to fourteen bits turned: some within reach, some just beyond.
    turned = [
        int(far[i]) ^ sum(1 << int(b) for b in rng.choice(64, rng.integers(0, 15), replace=False)) for i in range(200)
    ]
    hashes = np.unique(np.concatenate([far, np.array(turned, dtype=np.uint64)]))
    found = {tuple(pair) for pairs in close_hashes(hashes, NEAR_BITS) for pair in pairs.tolist()}
    wanted = {
        (i, j) for i, j in combinations(range(len(hashes)), 2) if int(hashes[i] ^ hashes[j]).bit_count() <= NEAR_BITS
    }
    assert found == wanted and len(wanted) > 100


def test_the_hash_is_that_of_imagehash() -> None:
    small = picture(1).convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=2.0)
    assert f"{measure_image(picture(1)).hash:016x}" == str(imagehash.phash(small))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda image: image.resize((120, 90)), True),
        (lambda image: ImageEnhance.Brightness(image).enhance(1.2), True),
        (lambda image: ImageEnhance.Contrast(image).enhance(0.7), True),
        (lambda image: image.convert("L"), True),
        (lambda image: image.crop((40, 0, 200, 150)), False),
        (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), False),
        (lambda image: picture(99), False),
    ],
    ids=["smaller", "brighter", "paler", "grey", "other framing", "mirrored", "another"],
)
def test_what_counts_as_the_same_picture(change: object, same: bool) -> None:
    stats = [measure_image(picture(7)), measure_image(change(picture(7)))]  # type: ignore[operator]
    assert near_pairs(stats) == ([(0, 1)] if same else [])


def test_photos_of_one_grey_are_like_none() -> None:
    flat = [measure_image(Image.new("RGB", (50, 50), (level,) * 3)) for level in (0, 90, 90, 255)]
    assert near_pairs(flat) == []


def test_nothing_is_a_duplicate_of_nothing() -> None:
    assert near_pairs([]) == [] and duplicate_groups([]) == [] and connected(0, []) == []


def test_a_chain_of_likenesses_is_one_group() -> None:
    assert connected(5, [(0, 3), (3, 4)]) == [(0, 3, 4), (1,), (2,)]


def test_the_judged_photo_stays_and_the_first_by_name_of_the_others() -> None:
    first, second = measure_image(picture(1)), measure_image(picture(2))
    photos = [
        photo("b", "train", first),
        photo("a", "valid", first),
        photo("c", "test", first),
        photo("e", "train", second),
        photo("d", "train", second),
        photo("x", "", None),
        photo("y", "valid", None, "x"),
    ]
    kept, hints = drop_duplicates(photos)
    assert [kept_photo.name for kept_photo in kept] == ["c", "d", "y"]
    assert [hint.kind for hint in hints] == ["duplicates-left-out"] and hints[0].what.startswith("4 photos")
    assert drop_duplicates(kept) == (kept, ())


def test_the_real_photos_hold_no_duplicate(real_photos: Path) -> None:
    stats = [measure_image(Image.open(path)) for path in sorted(real_photos.glob("*/images/*"))]
    assert len(stats) == 217 and near_pairs(stats) == []
    again = [
        measure_image(ImageEnhance.Brightness(Image.open(path)).enhance(1.2))
        for path in sorted(real_photos.glob("*/images/*"))[:60]
    ]
    assert near_pairs([*stats[:60], *again]) == [(i, 60 + i) for i in range(60)]
