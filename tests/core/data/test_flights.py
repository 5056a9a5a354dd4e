"""Neighbouring frames by their file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.flights import frame_of, linked, neighbours
from core.data.types import Photo


def photos(*names: str, group: str = "") -> list[Photo]:
    return [Photo(Path(name), name, (9, 9), "train", group or name, (), name) for name in names]


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        ("train/images/Lagoon1_R5_0145_V_JPG.jpg", ("Lagoon1_R5", 145)),
        ("Lagoon1_R5_105_V_jpg.rf.8d1e0ab34c.jpg", ("Lagoon1_R5", 105)),
        ("DJI_0012.JPG", ("DJI", 12)),
        ("000123.jpg", None),  # a number alone may be anything
        ("sunset.jpg", None),
    ],
)
def test_a_frames_number_is_read_from_its_name(name: str, frame: tuple[str, int] | None) -> None:
    assert frame_of(name) == frame


def test_neighbours_follow_each_other_closely_nearest_first() -> None:
    found = neighbours(photos("a/F_30.jpg", "F_10.jpg", "b/F_13.jpg", "F_31.jpg", "G_11.jpg", "12.jpg", "F_19.jpg"))
    assert [(first.name, second.name) for first, second in found] == [
        ("a/F_30.jpg", "F_31.jpg"),
        ("F_10.jpg", "b/F_13.jpg"),
    ]


def test_neighbours_are_linked_and_flights_stay_whole() -> None:
    names = ["F_10.jpg", "F_13.jpg", "F_50.jpg"]
    assert [member.group for member in linked(photos(*names))] == ["F_10.jpg", "F_10.jpg", "F_50.jpg"]
    assert len({member.group for member in linked([*photos(*names, group="F"), *photos("G_1.jpg", group="G")])}) == 2
    # Of one flight only neighbours stay together.
    assert [member.group for member in linked(photos(*names, group="F"))] == ["F_10.jpg", "F_10.jpg", "F_50.jpg"]
