"""Neighbouring frames by their file names."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.flights import compile_rule, flight_of, frame_of, linked, neighbours
from core.data.types import Photo
from core.settings import DataSettings


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
        ("site_png.rf.abc123.jpg", None),  # the end of a code is no frame's number
    ],
)
def test_a_frames_number_is_read_from_its_name(name: str, frame: tuple[str, int] | None) -> None:
    assert frame_of(name) == frame


def test_neighbours_follow_each_other_closely_nearest_first() -> None:
    found = neighbours(
        photos(
            "train/F_30.jpg", "F_10.jpg", "val/F_13.jpg", "other/F_14.jpg", "F_31.jpg", "G_11.jpg", "12.jpg", "F_19.jpg"
        )
    )
    assert [(first.name, second.name) for first, second in found] == [
        ("train/F_30.jpg", "F_31.jpg"),
        ("F_10.jpg", "val/F_13.jpg"),
    ]


def test_neighbours_are_linked_and_flights_stay_whole() -> None:
    names = ["F_10.jpg", "F_13.jpg", "F_50.jpg"]
    assert [member.group for member in linked(photos(*names))] == ["F_10.jpg", "F_10.jpg", "F_50.jpg"]
    assert len({member.group for member in linked([*photos(*names, group="F"), *photos("G_1.jpg", group="G")])}) == 2
    # Of one flight only neighbours stay together.
    assert [member.group for member in linked(photos(*names, group="F"))] == ["F_10.jpg", "F_10.jpg", "F_50.jpg"]


@pytest.mark.parametrize(
    ("name", "flight"),
    [
        ("train/images/DJI_0001.JPG", "DJI"),
        ("north/images/DJI_0001.JPG", "north/DJI"),
        ("train/north/DJI_0001.JPG", "north/DJI"),
        ("images/val/north/DJI_0001.JPG", "north/DJI"),
        ("train/toe drain blocked/DJI_0001.JPG", "DJI"),
        ("video1/images/000123.jpg", "video1"),
        ("000123.jpg", "000123.jpg"),
        ("images/DJI_20230614101200_0001_W.JPG", "DJI_20230614"),
        ("images/DJI_20230614101200_0001_T.JPG", "DJI_20230614"),
        ("images/DJI_20230614101304_0063_V_JPG.rf.8d1e0ab34c.jpg", "DJI_20230614"),
        ("obj_train_data/frame_000001.PNG", "frame"),
        ("images/DJI_20230614101200_0001_Z.JPG", "DJI_20230614"),
        ("images/DJI_0001_W_JPG.rf.0a1b2c3d.jpg", "DJI"),
        ("images/DJI_20230614101200_0001_T_JPG.rf.0c1b.jpg", "DJI_20230614"),
        ("train/video1/frame_000001.jpg", "video1/frame"),
        ("valid/video2/images/frame_000001.jpg", "video2/frame"),
        ("clip.mp4/000012_jpg.rf.ab12.jpg", "clip.mp4"),
        ("train/images/drain_jpg.rf.12ab.jpg", "drain"),
        ("valid/images/drain_jpg.rf.34c0.jpg", "drain"),
        ("images/site_png.rf.abc123.jpg", "site"),
        ("images/site_jpeg.rf.Xy9zQ7.jpg", "site"),
    ],
)
def test_a_flight_is_told_by_folder_and_name(name: str, flight: str) -> None:
    rule = compile_rule(DataSettings().group_rule)
    assert flight_of(name, rule, lambda word: word == "toe drain blocked") == flight


def test_a_rule_of_ones_own_sees_the_name_as_it_is() -> None:
    rule = compile_rule(r"^DJI_(\d{12})")
    assert flight_of("a/DJI_20230614101200_0001_W.JPG", rule, lambda word: False) == "a/202306141012"
