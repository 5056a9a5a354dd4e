"""Cut-outs and annotated photos show the object where it is, and are small."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.boxes import overlap
from core.conditions import MARKS
from core.report import annotate, pictures
from core.report.pictures import CROP_PX, Spool
from core.taxonomy import load

DAMS = load()

RED, GREEN = (220, 20, 20), (30, 150, 40)


def photo(path: Path, size_wh: tuple[int, int], box: tuple[int, int, int, int], turn: int = 1) -> Path:
    """A green photo with a red object; `turn` is its EXIF orientation."""
    image = Image.new("RGB", size_wh, GREEN)
    image.paste(RED, box)
    exif = Image.Exif()
    exif[0x0112] = turn
    image.save(path, quality=95, exif=exif) if path.suffix == ".jpg" else image.save(path)
    return path


def rgb(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def count_near(image: Image.Image, colour: tuple[int, int, int], within: int) -> int:
    """Pixels of about this colour."""
    return int((np.abs(np.asarray(image, int) - colour).max(axis=-1) <= within).sum())


def near(pixel: Any, other: tuple[int, int, int], within: int = 40) -> bool:
    return all(abs(a - b) <= within for a, b in zip(pixel, other, strict=True))


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
@pytest.mark.parametrize(
    ("size_wh", "box"),
    [
        ((4000, 3000), (2000, 1000, 2400, 1300)),  # unpacked at a part of its size
        ((300, 200), (0, 0, 40, 40)),  # at a corner: the square moves inside
        ((300, 60), (100, 5, 200, 55)),  # the photo is lower than the square
    ],
)
def test_a_cut_shows_the_object_within_its_box(
    tmp_path: Path, name: str, size_wh: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    path = photo(tmp_path / name, size_wh, box)
    (crop,) = pictures.crop_objects(path, [tuple(map(float, box))])
    small = rgb(crop.jpeg)
    assert max(small.size) == CROP_PX
    x1, y1, x2, y2 = crop.box_xyxy
    inside = small.getpixel((int((x1 + x2) / 2 * small.width), int((y1 + y2) / 2 * small.height)))
    assert near(inside, RED)
    outside = [(x2 + 0.06, (y1 + y2) / 2), ((x1 + x2) / 2, y2 + 0.06)]
    for x, y in outside:
        if x < 1 and y < 1:
            assert near(small.getpixel((int(x * small.width), int(y * small.height))), GREEN)


def test_boxes_refer_to_the_photo_as_viewed(tmp_path: Path) -> None:
    # Stored lying: orientation 6 turns it a quarter clockwise, so the object at (10, 20) is seen at (60, 10).
    path = photo(tmp_path / "a.jpg", (200, 100), (10, 20, 40, 40), turn=6)
    (crop,) = pictures.crop_objects(path, [(60.0, 10.0, 80.0, 40.0)])
    x1, y1, x2, y2 = crop.box_xyxy
    small = rgb(crop.jpeg)
    assert near(small.getpixel((int((x1 + x2) / 2 * small.width), int((y1 + y2) / 2 * small.height))), RED)


def test_the_spool_gives_back_what_went_in_in_any_order(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.png", (100, 100), (10, 10, 30, 30))
    spool = Spool()
    crops = pictures.crop_objects(path, [(10.0, 10.0, 30.0, 30.0), (50.0, 50.0, 90.0, 90.0)])
    for key, crop in enumerate(crops):
        spool.add(key, crop)
    second, first = spool.get(1), spool.get(0)
    assert first is not None and second is not None
    assert (first[1], second[1]) == (crops[0].box_xyxy, crops[1].box_xyxy)
    assert first[0] != second[0] and spool.get(2) is None
    spool.close()


def answer(box: list[float], predicted: str = "damaged", **more: Any) -> dict[str, Any]:
    return {
        "image": "a.png",
        "object": 0,
        "box_xyxy_px": box,
        "predicted": predicted,
        "choices": 3,
        "probabilities": {"normal": 0.1, predicted: 0.9},
        **more,
    }


def hexed(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@pytest.mark.parametrize("condition", DAMS.conditions)
@pytest.mark.parametrize("size_wh", [(300, 240), (1200, 900), (4000, 3000)])
def test_the_box_is_drawn_where_the_object_is_in_the_colour_of_its_condition(
    tmp_path: Path, condition: str, size_wh: tuple[int, int]
) -> None:
    wide, high = size_wh
    box = [0.4 * wide, 0.4 * high, 0.7 * wide, 0.8 * high]
    path = photo(tmp_path / "a.png", size_wh, tuple(map(int, box)))
    drawn = annotate.draw(path, [answer(box, condition)], DAMS)
    assert annotate.LEAST_PX <= max(drawn.size) <= annotate.MOST_PX
    at = [value * drawn.width / wide for value in box]
    fill = hexed(DAMS.condition(condition).colour)
    middle = ((at[0] + at[2]) / 2, (at[1] + at[3]) / 2)
    edges = [(at[0], middle[1]), (at[2], middle[1]), (middle[0], at[3])]
    for x, y in edges:
        close = [drawn.getpixel((round(x) + dx, round(y) + dy)) for dx in range(-3, 4) for dy in range(-3, 4)]
        assert any(near(pixel, fill, 12) for pixel in close)
    assert near(drawn.getpixel((round(middle[0]), round(middle[1]))), RED)
    assert near(drawn.getpixel((round(at[2]) + 12, round(middle[1]))), GREEN)
    label = drawn.crop((round(at[0]), round(at[1]) - 18, round(at[0]) + 60, round(at[1]) - 2))
    # Mark and word, not colour alone: something else than the fill is written on the strip.
    assert count_near(label, fill, 12) > 100
    assert label.width * label.height - count_near(label, fill, 60) > 40


def test_unsure_answers_carry_a_longer_strip(tmp_path: Path) -> None:
    box = [80.0, 100.0, 120.0, 160.0]
    path = photo(tmp_path / "a.png", (300, 240), (80, 100, 120, 160))
    fill = hexed(DAMS.condition("damaged").colour)

    def filled(**more: Any) -> int:
        return count_near(annotate.draw(path, [answer(box, **more)], DAMS), fill, 12)

    assert filled(unsure=True) > 1.15 * filled()


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_is_drawn_within_its_square_and_unlike_the_others(mark: str) -> None:
    def drawn(name: str) -> Any:
        picture = Image.new("L", (60, 60))
        annotate._draw_mark(ImageDraw.Draw(picture), name, (30, 30), 20, "white")
        return picture

    left, top, right, bottom = drawn(mark).getbbox()
    assert left >= 9 and top >= 9 and right <= 52 and bottom <= 52
    assert all(drawn(mark).tobytes() != drawn(other).tobytes() for other in MARKS if other != mark)


def test_words_do_not_cover_each_other(tmp_path: Path) -> None:
    size = (960, 960)
    one, other = (300.0, 300.0, 400.0, 500.0), (310.0, 302.0, 410.0, 510.0)
    first = annotate._place(one, (120.0, 20.0), size, [])
    second = annotate._place(other, (120.0, 20.0), size, [first])
    assert not overlap(first, second)
    assert annotate._place((0.0, 0.0, 960.0, 5.0), (120.0, 20.0), size, [])[1] >= 0


@pytest.mark.parametrize(
    ("photo_name", "wanted"),
    [("a.jpg", "a.jpg"), ("x/a.JPG", "x/a.JPG"), ("a.png", "a.png.jpg"), ("x/y.tif", "x/y.tif.jpg")],
)
def test_annotated_photos_keep_their_names(photo_name: str, wanted: str) -> None:
    assert annotate.annotated_name(photo_name) == wanted


def test_a_photo_that_cannot_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no photo")
    annotate.save(tmp_path / "a.png", [answer([0.0, 0.0, 5.0, 5.0])], tmp_path / "out" / "a.jpg", DAMS)
    assert not (tmp_path / "out").exists()
