"""The walk through a data folder: no path hangs it, what is no file is never opened, and many files are a question."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from core.data import files
from core.data.dataset import read_dataset
from core.data.files import MANY_FILES, list_files
from core.data.notes import IGNORED
from core.data.progress import ReadingProgress, photos
from core.data.walk import LONGEST_SHOWN, usable_path
from core.errors import UserError
from core.settings import DataSettings

posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes as Unix has them")


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "file").write_text("x")
    return tmp_path


@posix
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{}/pipe", "this is a pipe or a device"),
        ("/dev/zero", "this is a pipe or a device"),
        ("{}/a", "round in a circle"),
        ("{}/a/photos", "round in a circle"),
        ("{}/none", "no such folder"),
        ("{}/file/photos", "no such folder"),
        ("/proc", "belongs to the system"),
        ("/sys/class", "belongs to the system"),
        ("x" * 5_000, "too long"),
        ("x/" * 2_500, "too long"),
        ("~nobody-of-this-name/photos", "this is no path"),
        ("a\0b", "this is no path"),
    ],
)
def test_a_path_that_cannot_be_read_is_one_sentence_at_once(strange: Path, path: str, said: str) -> None:
    begun = time.monotonic()
    with pytest.raises(UserError, match=said) as caught:
        read_dataset(DataSettings(path=path.format(strange)), strange / "sample-data")
    assert time.monotonic() - begun < 1
    assert len(str(caught.value)) < LONGEST_SHOWN + 150


@posix
def test_a_folder_or_a_file_may_be_handed_over_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert usable_path(str(tmp_path / "link")) == tmp_path / "link"


@posix
def test_pipes_and_devices_among_the_files_are_counted_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    for name in ("b.jpg", "data.yaml"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "c.jpg").symlink_to("b.jpg")
    (tmp_path / "up").symlink_to(".")
    listed = list_files(tmp_path)
    assert listed.names == ("a.jpg",)
    assert [(problem.kind, problem.what) for problem in listed.problems] == [
        ("link-folder", "linked folders are not followed"),
        (IGNORED, "3 special files are not used: a pipe or device is never opened"),
    ]


def test_many_files_are_a_question_with_the_number_of_photos(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.{'jpg' if number < 3 else 'bin'}").write_bytes(b"x")
    assert len(list_files(tmp_path, most=40).names) == 40
    with pytest.raises(UserError, match=r"40 files, 3 of them photos\. Is this the folder\?") as caught:
        list_files(tmp_path, most=10)
    assert caught.value.problems[0].kind == MANY_FILES


def test_counting_ends_after_seconds_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        (tmp_path / f"{number}.jpg").write_bytes(b"x")
    monkeypatch.setattr(files, "COUNT_S", 0.0)
    with pytest.raises(UserError, match="more than 11 files, 11 of them photos"):
        list_files(tmp_path, most=10)
    monkeypatch.setattr(files, "MOST_FILES", 15)
    monkeypatch.setattr(files, "COUNT_S", 60.0)
    with pytest.raises(UserError, match="Give the folder of one data set") as caught:
        list_files(tmp_path, most=10)
    assert caught.value.problems[0].kind == "no-data"


@posix
def test_the_whole_disk_is_a_question_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "COUNT_S", 0.1)
    with pytest.raises(UserError, match="of them photos") as caught:
        read_dataset(DataSettings(path="/"), tmp_path, most_files=1_000)
    assert caught.value.problems[0].kind == MANY_FILES


def test_a_reading_counts_from_its_first_moment(yolo: Path, tmp_path: Path) -> None:
    told: list[ReadingProgress] = []
    read_dataset(DataSettings(path=str(yolo)), tmp_path / "sample-data", on_progress=told.append)
    assert [str(one) for one in told[:3]] == [
        "Looking through the folder",
        "Reading the labels",
        "Reading the photos: 0 of 9",
    ]
    assert str(told[-1]) == "Reading the photos: 9 of 9"
    assert str(photos(412, 1_129)) == "Reading the photos: 412 of 1,129"
