"""What YOLO's rows hold is decided over all of them, and two possible readings are refused with both."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from core.data.files import Folder
from core.data.formats.gather import Gathering
from core.data.formats.yolo_rows import layout_of_rows, parse_line

NAMES = {0: "toe drain"}


def read(rows: list[str], keypoints: int = 0) -> tuple[list[tuple[float, ...]] | None, list[str]]:
    """Boxes of all rows, each a file of its own, and the kinds of what is told."""
    found = Gathering(Folder(Path(), ()))
    texts = {f"{place}.txt": f"{row}\n" for place, row in enumerate(rows)}
    columns = layout_of_rows(texts, keypoints, found)
    told = [problem.kind for problem in (*found.problems, *found.notes.problems())]
    if columns is None:
        return None, told
    boxes = [parse_line(row.split(), NAMES, "a.txt", columns) for row in rows]
    return [getattr(box, "box_xyxy", ()) for box in boxes], told


def rows(end: str, count: int = 4, start: str = "0 0.5 0.5 0.2 0.2") -> list[str]:
    return [f"{start} {end.format(number=number)}".strip() for number in range(1, count + 1)]


BOX = pytest.approx((0.4, 0.4, 0.6, 0.6))


@pytest.mark.parametrize(
    ("written", "keypoints", "told"),
    [
        (rows(""), 0, []),
        (rows("0.9"), 0, ["ignored-input"]),
        (rows("0.9 {number}"), 0, ["ignored-input"]),
        (rows("0.9 1"), 0, ["ignored-input"]),
        (rows("0.9 2", 1), 0, ["ignored-input"]),
        (rows("0.5 0.5"), 2, ["ignored-input"]),
        (rows("0.5 0.5 2 0.4 0.4 1"), 6, ["ignored-input"]),
        (rows("0.9 {number}") + rows(""), 0, ["ignored-input"]),
    ],
)
def test_what_follows_a_box_is_known_and_told(written: list[str], keypoints: int, told: list[str]) -> None:
    boxes, kinds = read(written, keypoints)
    assert boxes == [BOX] * len(written)
    assert kinds == told


@pytest.mark.parametrize(
    "written",
    [rows("0.5 0.5"), rows("0.9 1", 2), rows("0.4 0.6 0.6 0.4 0.9 1", 1), ["0 0.5 0.5 0.2 0.2", *rows("0.45 0.55", 1)]],
)
def test_two_possible_readings_are_refused(written: list[str]) -> None:
    assert read(written) == (None, ["two-readings"])


@pytest.mark.parametrize(
    "written",
    [
        rows("0.1 0.9", start="0 0.9 0.5 0.2 0.9"),
        rows("0.30 0.40", start="0 0.40 0.30 0.60 0.50 0.50 0.60"),
        rows("0.45 0.46 0.41 0.45", start="0 0.40 0.40 0.45 0.40"),
        [*rows("0.5 0.6", 1, start="0 0.9 0.5 0.2 0.9"), *rows("0.1 0.2 0.3 0.4", 1)],
    ],
)
def test_polygons_stay_polygons(written: list[str]) -> None:
    boxes, kinds = read(written)
    for row, box in zip(written, boxes or (), strict=True):
        values = [float(word) for word in row.split()][1:]
        assert box == (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    assert kinds == []


@pytest.mark.parametrize("tail", ["0.93", "0.93 {number}"])
@pytest.mark.parametrize("points", [4, 5, 9])
def test_polygons_with_a_confidence_lose_it_alone(points: int, tail: str) -> None:
    chance = random.Random(points)
    written, boxes = [], []
    for number in range(1, 6):
        ends = [round(chance.uniform(0.1, 0.8), 3) for _ in range(2 * points)]
        written.append(f"0 {' '.join(map(str, ends))} {tail.format(number=number)}")
        boxes.append((min(ends[::2]), min(ends[1::2]), max(ends[::2]), max(ends[1::2])))
    assert read(written) == (boxes, ["ignored-input"])
