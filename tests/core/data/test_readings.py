"""Units and sizes are decided over a whole data set, told once, and refused where boxes speak for both readings."""

from __future__ import annotations

import random

import pytest

from core.boxes import BoxXyxy
from core.data.checks import place_box, turned_photos
from core.data.formats.base import PIXELS, SHARE, RawObject, RawPhoto
from core.data.photos import PhotoFacts
from core.data.readings import settle

SIZE = (320, 240)


def photo(*boxes: BoxXyxy, name: str = "a.jpg", unit: str = PIXELS, stated: tuple[int, int] | None = None) -> RawPhoto:
    return RawPhoto(name, "", tuple(RawObject("toe drain", box, unit, name) for box in boxes), stated, name)


def read(*photos: RawPhoto, size: tuple[int, int] = SIZE) -> tuple[list[BoxXyxy], list[str]]:
    """Boxes as fractions, and the kinds of what is told."""
    settled, told = settle(photos, {one.name: PhotoFacts(size, "") for one in photos})
    placed = [place_box(one, size) for each in settled for one in each.objects]
    return [box for box in placed if isinstance(box, tuple)], [problem.kind for problem in told]


@pytest.mark.parametrize("count", [1, 7])
def test_boxes_that_are_all_fractions_are_read_as_these(count: int) -> None:
    box = (0.1, 0.2, 0.6, 0.8)
    assert read(photo(*[box] * count)) == ([box] * count, ["inferred"])
    assert read(photo((0.0, 0.0, 1.0, 1.0))) == ([(0, 0, 1, 1)], ["inferred"])


def test_fractions_among_pixels_are_in_doubt() -> None:
    _, told = read(photo((0.1, 0.2, 0.6, 0.8)), photo((10, 20, 60, 80), name="b.jpg"))
    assert told == ["two-readings"]


@pytest.mark.parametrize("box", [(10, 20, 60, 80), (0.5, 0.5, 2, 2), (1, 1, 2, 2)])
def test_pixels_stay_pixels_and_nothing_is_told(box: BoxXyxy) -> None:
    assert read(photo(box)) == ([tuple(end / side for end, side in zip(box, SIZE * 2, strict=True))], [])


def test_whatever_the_size_at_labelling_the_box_lies_at_the_same_share() -> None:
    chance = random.Random(3)
    for _ in range(300):
        size = (chance.randint(40, 4000), chance.randint(40, 4000))
        factor = chance.uniform(0.2, 5)
        stated = (max(2, round(size[0] * factor)), max(2, round(size[1] * factor)))
        share = (0.1, 0.2, chance.uniform(0.4, 1), chance.uniform(0.4, 1))
        box = tuple(end * side for end, side in zip(share, stated * 2, strict=True))
        boxes, told = read(photo(box, stated=stated), size=size)  # type: ignore[arg-type]
        assert boxes[0] == pytest.approx(share)
        assert told == ([] if stated == size else ["inferred"])


def test_another_shape_is_not_scaled() -> None:
    settled, told = settle([photo((1, 2, 30, 40), stated=(240, 320))], {"a.jpg": PhotoFacts(SIZE, "")})
    assert (settled[0].declared_wh, told) == ((240, 320), ())


def test_shares_need_no_scale_and_nothing_is_told() -> None:
    assert read(photo((0.1, 0.2, 0.6, 0.8), unit=SHARE, stated=(640, 480))) == ([(0.1, 0.2, 0.6, 0.8)], [])


@pytest.mark.parametrize(
    ("orientation", "stated", "told"),
    [(1, None, 0), (6, None, 1), (3, None, 1), (6, SIZE, 0), (3, SIZE, 1), (6, SIZE[::-1], 0)],
)
def test_turned_photos_are_told_unless_a_size_tells_how_they_were_labelled(
    orientation: int, stated: tuple[int, int] | None, told: int
) -> None:
    facts = {"a.jpg": PhotoFacts(SIZE, "", None, orientation)}
    assert len(turned_photos([photo((1, 2, 30, 40), stated=stated)], facts)) == told
