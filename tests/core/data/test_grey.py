"""Grey photos of more than 8 bits are judged with one range for the whole set, the same in check and model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.examined import examine
from core.data.grey import OWN_RANGE, range_of
from core.data.photos import PhotoFacts, open_photo, photo_size
from core.data.refusals import GREY
from core.data.types import Dataset
from core.data.unlabelled import read_unlabelled
from core.errors import Problem, UserError
from core.report.pictures import crop_objects
from core.settings import DataSettings
from damgui.components import photos as page

Read = Callable[..., Dataset]
KINDS = [("uint16", "png"), ("uint16", "tif"), ("int32", "tif"), ("float32", "tif")]


def thermal(path: Path, kind: str = "uint16", low: float = 29_000, size_wh: tuple[int, int] = (64, 48)) -> Path:
    """A photo whose values rise from `low` by 1 a pixel."""
    values = low + np.arange(size_wh[0] * size_wh[1]).reshape(size_wh[1], size_wh[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(kind)).save(path)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("  ", None), ("29000,31000", (29_000, 31_000)), (" -40.5 , 1e2 ", (-40.5, 100))],
)
def test_a_range_is_two_numbers(text: str, expected: tuple[float, float] | None) -> None:
    assert range_of(text) == expected


@pytest.mark.parametrize("text", ["5", "a,b", "2,1", "1,1", "1,2,3", "nan,1", "0,inf", "1;2", "0,1e999"])
def test_what_is_no_range_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(UserError, match="29000,31000"):
        range_of(text)


@pytest.mark.parametrize(("kind", "ending"), KINDS)
def test_the_range_is_black_to_white_and_what_lies_beyond_is_cut(tmp_path: Path, kind: str, ending: str) -> None:
    path = thermal(tmp_path / f"a.{ending}", kind)
    seen = np.asarray(open_photo(path, grey_range=(30_000, 31_000)))
    assert seen.shape == (48, 64, 3)
    flat = seen[..., 0].ravel()
    assert (flat[0], flat[1000], flat[1500], flat[2000], flat[-1]) == (0, 0, 128, 255, 255)
    fact = examine(tmp_path, [path.name], with_stats=True, grey_range=(29_000, 29_000 + 64 * 48))[path.name]
    assert isinstance(fact, PhotoFacts) and fact.stats is not None
    assert fact.stats.bright == pytest.approx(0.5, abs=0.01)


def test_missing_values_are_black_and_other_photos_stay_as_they_are(tmp_path: Path) -> None:
    values = np.full((30, 40), 5.0, np.float32)
    values[0, 0] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert open_photo(tmp_path / "a.tif", grey_range=(4, 6)).getpixel((0, 0)) == (0, 0, 0)
    assert open_photo(tmp_path / "a.tif", grey_range=(4, 6)).getpixel((5, 5)) == (128, 128, 128)
    Image.new("RGB", (40, 30), (9, 8, 7)).save(tmp_path / "b.png")
    assert open_photo(tmp_path / "b.png", grey_range=(4, 6)).getpixel((5, 5)) == (9, 8, 7)


def test_the_check_proposes_one_range_for_all_and_takes_it(yolo: Path, read: Read) -> None:
    lows = {"f1_0": 29_000, "f1_1": 33_000}
    for stem, low in lows.items():
        (yolo / "train" / "images" / f"{stem}.jpg").unlink()
        thermal(yolo / "train" / "images" / f"{stem}.png", low=low)
    refused = [problem for problem in read(yolo, use_good=True).problems if problem.kind == GREY]
    assert len(refused) == 2 and len({problem.fix for problem in refused}) == 1
    assert type(refused[0]) is Problem
    proposed = refused[0].fix.partition("data.grey_range=")[2].partition(" ")[0]
    low, high = range_of(proposed) or (0, 0)
    assert 29_000 <= low < 29_010 and 36_060 < high < 36_072
    dataset = read(yolo, grey_range=proposed)
    assert dataset.problems == () and len(dataset.photos) == 9
    boxes = read_unlabelled(DataSettings(path=str(yolo), grey_range=proposed), yolo)
    assert len(boxes.images) == 9 and boxes.problems == ()


def test_another_range_is_examined_anew(tmp_path: Path) -> None:
    path = thermal(tmp_path / "a.png")
    found = [
        examine(tmp_path, [path.name], grey_range=grey_range)[path.name] for grey_range in (None, (0.0, 1.0), None)
    ]
    assert [isinstance(fact, Problem) for fact in found] == [True, False, True]


def test_people_see_it_between_its_own_values(tmp_path: Path) -> None:
    path = thermal(tmp_path / "a.png")
    flat = np.asarray(open_photo(path, grey_range=OWN_RANGE))[..., 0].ravel()
    assert flat[0] == 0 and flat[-1] == 255 and 120 < flat[flat.size // 2] < 136
    assert photo_size(path) == (64, 48)
    assert page.whole(path).startswith("data:image/jpeg")
    (crop,) = crop_objects(path, [(8, 8, 24, 24)])
    assert crop


def test_a_photo_of_one_value_is_no_division_by_zero(tmp_path: Path) -> None:
    Image.fromarray(np.full((30, 40), 7, np.uint16)).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png", grey_range=OWN_RANGE).getpixel((0, 0)) == (0, 0, 0)
    Image.fromarray(np.full((30, 40), np.nan, np.float32)).save(tmp_path / "b.tif")
    assert open_photo(tmp_path / "b.tif", grey_range=OWN_RANGE).getpixel((0, 0)) == (0, 0, 0)
