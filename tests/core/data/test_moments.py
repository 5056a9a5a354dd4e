"""Photos that one camera took within seconds or metres are of one flight, whatever they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import read_dataset
from core.data.flights import with_bursts
from core.data.moments import MOST_ALIKE, Moment, bursts, moment_of
from core.data.photos import PhotoFacts, examine_photo
from core.data.quality.leakage import shared_flights
from core.data.types import Dataset, Photo
from core.settings import DataSettings

Read = Callable[..., Dataset]


def exif(details: dict[int, Any], gps: dict[int, Any] | None = None, make: str = "DJI") -> Image.Exif:
    made = Image.Exif()
    made[0x010F], made[0x0110] = make, "M3T"
    made.get_ifd(0x8769).update(details)
    made.get_ifd(0x8825).update(gps or {})
    return made


GPS = {1: "N", 2: (47.0, 30.0, 0.0), 3: "W", 4: (8.0, 15.0, 36.0)}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_time_place_and_camera_are_read_while_the_photo_is_opened(tmp_path: Path, ending: str) -> None:
    tags = exif({0x9003: "2023:06:14 10:12:00", 0x9291: "25", 0xA431: "1581F"}, GPS)
    Image.new("RGB", (40, 30)).save(tmp_path / f"a.{ending}", exif=tags)
    fact = examine_photo(tmp_path / f"a.{ending}", "a")
    assert isinstance(fact, PhotoFacts) and fact.moment is not None
    assert fact.moment.camera == "DJI M3T 1581F"
    assert fact.moment.time_s == 1686737520.25
    assert fact.moment.place_m == pytest.approx((47.5 * 111_320, -8.26 * 111_320 * np.cos(np.radians(47.5))))


@pytest.mark.parametrize(
    ("details", "gps"),
    [
        ({}, {}),
        ({0x9003: "0000:00:00 00:00:00"}, {}),
        ({0x9003: "2000:01:01 00:04:07"}, {}),  # a clock that began anew
        ({}, {2: (1e305, 0.0, 0.0), 4: (8.0, 0.0, 0.0)}),
        ({}, {2: (47.0, 0.0, 0.0), 4: (1e308, 1e308, 0.0)}),
        ({0x9003: "    :  :     :  :  "}, {}),
        ({0x9003: 7}, {}),
        ({0x0132: "2023:06:14 10:12:00"}, {}),  # when it was changed last
        ({}, {2: (47.0, 30.0, 0.0)}),
        ({}, {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}),
        ({}, {2: (float("nan"), 0.0, 0.0), 4: (8.0, 0.0, 0.0)}),
        ({}, {2: (47.0,), 4: (8.0, 0.0, 0.0)}),
        ({}, {2: "north", 4: "west"}),
        ({}, {2: 5, 4: 6}),
    ],
)
def test_what_says_nothing_is_no_moment(details: dict[int, Any], gps: dict[int, Any]) -> None:
    assert moment_of(exif(details, gps)) is None


def at(time_s: float | None, place_m: tuple[float, float] | None = None, camera: str = "a") -> Moment:
    return Moment(camera, time_s, place_m)


DAY = 86_400.0


@pytest.mark.parametrize(
    ("moments", "pairs"),
    [
        ([at(10), at(14)], 1),
        ([at(14), None, at(10)], 1),
        ([at(10), at(16)], 0),
        ([at(10), at(11, camera="b")], 0),
        ([at(10), at(14), at(18)], 2),
        ([at(10, (7.0, 7.0)), at(900, (9.0, 12.0))], 0),  # crossing tracks are no burst
        ([at(10, (7.0, 7.0)), at(12, (60.0, 7.0))], 1),
        ([at(10, (7.0, 7.0)), at(12, (7.0, 500.0))], 0),  # two drones of one model
        ([at(10, camera=""), at(11, camera="")], 0),
        ([at(None, (7.0, 7.0)), at(None, (9.0, 11.0))], 1),
        ([at(None, (1.0, 1.0)), at(None, (9.0, 9.0))], 0),  # of one cell, and yet too far
        ([at(None, (9.9, 0.0)), at(None, (10.1, 0.0))], 1),  # on two sides of a cell's edge
        ([at(None, (7.0, 7.0)), at(None, (7.0, 40.0))], 0),
        ([at(10, (7.0, 7.0)), at(10 + DAY, (7.0, 7.0))], 0),  # the same place on another day
        ([at(10)] * (MOST_ALIKE + 1), 0),  # a clock that stands still
        ([at(None, (7.0, 7.0))] * (MOST_ALIKE + 1), 0),
    ],
)
def test_a_burst_is_one_camera_within_seconds_or_metres(moments: Sequence[Moment | None], pairs: int) -> None:
    assert len({tuple(sorted(pair)) for pair in bursts(moments)}) == pairs


def photo(name: str, split: str, moment: Moment | None, group: str = "") -> Photo:
    return Photo(Path(name), name, (9, 9), split, group or name, (), name, moment=moment)


def test_a_burst_joins_flights_unless_one_alone_were_left() -> None:
    photos = [photo("x", "", at(10)), photo("a", "", at(12)), photo("b", "", at(900), "F"), photo("c", "", None, "F")]
    assert [one.group for one in with_bursts(photos)] == ["a", "a", "F", "F"]
    joined = [*photos, photo("d", "", at(902), "G")]
    assert [one.group for one in with_bursts(joined)] == ["a", "a", "F", "F", "F"]
    assert [one.group for one in with_bursts(photos[:2])] == ["x", "a"]  # one flight alone could not be divided


def test_a_flight_that_somebody_stated_is_left_alone(tmp_path: Path) -> None:
    names = ("a.jpg", "b.jpg", "c.jpg")
    for number, name in enumerate(names):
        Image.new("RGB", (40, 30), (90 * number, 9, 9)).save(
            tmp_path / name, exif=exif({0x9003: f"2023:06:14 10:12:0{2 * number}"})
        )
    rows = [f"{name},toe drain normal,1,1,20,20,{flight}" for name, flight in zip(names, "AAB", strict=True)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,class,x1,y1,x2,y2,flight", *rows]))
    settings = DataSettings(path=str(tmp_path), valid_share=0.4, regroup=True)
    assert [one.group for one in read_dataset(settings, tmp_path).photos] == ["A", "A", "B"]


def test_a_burst_on_both_sides_is_a_leak_that_is_named() -> None:
    photos = [photo("x.jpg", "train", at(10)), photo("a.jpg", "valid", at(12)), photo("y.jpg", "valid", at(50))]
    (finding,) = shared_flights(photos)
    assert (
        "1 pair of photos on different sides are by one camera and at most 5 seconds or 5 metres apart"
        in finding.detail
    )
    assert finding.photos == ("a.jpg", "x.jpg") and finding.groups == (("x.jpg", "a.jpg"),)
    assert finding.cure_setting == {"data.regroup": True}


def test_a_made_split_keeps_a_burst_on_one_side(yolo: Path, read: Read) -> None:
    """Names that tell nothing; two photos a second."""
    (yolo / "data.yaml").write_text((yolo / "data.yaml").read_text().replace("val: ../valid/images\n", ""))
    for part, place in (("images", 0), ("labels", 1)):
        for number, path in enumerate(sorted((yolo / "train" / part).iterdir())):
            path = path.rename(path.with_name("qwertyui"[number] + path.suffix))
            if not place:
                tags = exif({0x9003: f"2023:06:14 10:{number // 2:02}:{number % 2:02}"})
                Image.open(path).save(path, exif=tags)
    (yolo / "valid" / "images" / "g1_0.jpg").unlink()
    dataset = read(yolo, use_good=True)
    assert dataset.split("valid") and dataset.split("train")
    sides: dict[str, set[str]] = {}
    for one in dataset.photos:
        sides.setdefault(one.group, set()).add(one.split)
    assert len(sides) == 4 and all(len(side) == 1 for side in sides.values())
