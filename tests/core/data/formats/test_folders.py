"""A folder for each class: photos whole, and never where the folders are something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.types import Dataset
from core.data.unlabelled import read_unlabelled
from core.errors import UserError
from core.settings import DataSettings

Read = Callable[..., Dataset]
Write = Callable[..., Path]


@pytest.mark.parametrize(
    "place",
    [
        "{split}/toe drain {condition}/{number}.jpg",
        "{split}/Toe_Drain-{condition}/images/{number}.jpg",
        "toe drain {condition}/{split}/{number}.jpg",
        "{split}/toe drain/{condition}/{number}.jpg",
        "{condition}/{split}/Toe drain/{number}.jpg",
    ],
)
def test_a_photo_has_the_class_of_its_folder(tmp_path: Path, read: Read, write_photo: Write, place: str) -> None:
    for number, (split, condition) in enumerate(
        (split, state) for split in ("train", "val") for state in ("blocked", "damaged")
    ):
        write_photo(tmp_path / "set" / place.format(split=split, condition=condition, number=number))
    dataset = read(tmp_path / "set")
    assert dataset.format == "folders"
    assert [len(dataset.split(name)) for name in ("train", "valid")] == [2, 2]
    for photo in dataset.photos:
        assert photo.objects[0].box_xyxy == (0, 0, 1, 1)
        assert photo.objects[0].condition in photo.name


def test_folders_of_flights_are_no_classes(tmp_path: Path, read: Read, write_photo: Write) -> None:
    for flight in ("north", "south"):
        write_photo(tmp_path / "set" / flight / "a.jpg")
    with pytest.raises(UserError, match="'north' is no class"):
        read(tmp_path / "set")
    assert read_unlabelled(DataSettings(path=str(tmp_path / "set")), tmp_path, whole_photo=True).whole
