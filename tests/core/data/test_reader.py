"""The reader's process: the same data set as here, and whatever becomes of it one sentence."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data import examined as examination
from core.data import reader, reader_client
from core.data.dataset import read_dataset
from core.data.reader_client import Reading, ReadingJob
from core.data.types import Dataset
from core.errors import UserError
from core.settings import DataSettings, Settings

posix = pytest.mark.skipif(os.name == "nt", reason="pipes as Unix has them")


def job(path: Path, **more: object) -> ReadingJob:
    return ReadingJob(Settings(data=DataSettings(path=str(path))), path.parent / "sample-data", **more)  # type: ignore[arg-type]


def answered(given: ReadingJob) -> tuple[str, object]:
    """What the reader answers last, in this process."""
    kind, found = pickle.loads(reader._answer(given, io.BytesIO()))
    return kind, found


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that says nothing and waits, without a second interpreter."""
    monkeypatch.setattr(reader_client, "READER", ["sleep", "60"])


def test_the_reader_reads_what_is_read_here_and_knows_the_photos_the_next_time(yolo: Path) -> None:
    reading = Reading(job(yolo, with_review=True))
    steps = [str(step) for step in reading.steps()]
    found, review = reading.result()
    assert found == read_dataset(DataSettings(path=str(yolo)), yolo)
    assert all(photo.stats for photo in found.photos)
    assert review is not None and review.light
    assert steps[0].startswith("Reading the photos")
    known = pickle.loads(reader_client._examined[str(yolo)])
    assert {Path(path).name for path, _ in known} == {photo.path.name for photo in found.photos}


@pytest.mark.parametrize(("path", "said"), [("none", "no such folder"), ("x" * 5_000, "too long")])
def test_what_the_reader_refuses_is_the_sentence_of_reading_here(tmp_path: Path, path: str, said: str) -> None:
    kind, problems = answered(job(tmp_path / path))
    assert kind == reader_client.REFUSED
    assert said in str(UserError.of(problems))  # type: ignore[arg-type]


def test_photos_known_already_are_not_decoded_again(yolo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = answered(job(yolo))
    known = pickle.dumps(examination.examined)
    examination.examined.clear()
    monkeypatch.setattr(examination, "examine_photo", lambda *_: pytest.fail("decoded again"))
    assert answered(job(yolo, examined=known)) == (reader_client.READ, first)


def test_the_sample_set_is_drawn_by_the_reader_which_counts(yolo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(folder: Path, progress: Callable[[int, int], None]) -> Path:
        progress(7, 9)
        return Path(shutil.copytree(yolo, folder))

    monkeypatch.setattr("core.demo.sample_set.draw_sample", draw)
    answers = io.BytesIO()
    sample = ReadingJob(Settings(), yolo.parent / "sample-data")
    kind, _ = pickle.loads(reader._answer(sample, answers))
    assert kind == reader_client.READ
    answers.seek(0)
    assert str(pickle.load(answers)[1]) == "Drawing the sample set: 7 of 9"


@pytest.mark.parametrize(
    ("fault", "answer"),
    [(MemoryError(), reader_client.REFUSED), (KeyError("odd"), reader_client.FAILED)],
)
def test_a_fault_in_the_reader_is_an_answer(
    yolo: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, answer: str
) -> None:
    def fails(*_: object) -> Dataset:
        raise fault

    monkeypatch.setattr(reader, "read_dataset", fails)
    assert answered(job(yolo))[0] == answer


@posix
def test_a_reading_that_blocks_is_cancelled_at_once(no_child: None, tmp_path: Path) -> None:
    reading = Reading(job(tmp_path))
    assert not reading.wait(0.05)
    begun = time.monotonic()
    reading.cancel()
    with pytest.raises(UserError, match="cancelled") as caught:
        reading.result()
    assert caught.value.problems[0].kind == reader_client.CANCELLED
    assert reading._child.wait(5) != 0
    assert time.monotonic() - begun < 2


@posix
def test_whoever_stops_following_a_reading_ends_it(no_child: None, tmp_path: Path) -> None:
    reading = Reading(job(tmp_path))
    steps = reading.steps()
    assert str(next(steps)) == "Reading the photos"
    steps.close()  # type: ignore[attr-defined]
    assert reading._child.wait(5) != 0


@posix
def test_a_reader_that_is_killed_is_one_sentence(no_child: None, tmp_path: Path) -> None:
    reading = Reading(job(tmp_path))
    reading._child.kill()
    with pytest.raises(UserError, match=r"was ended from outside \(status -9\)"):
        reading.result()


@posix
def test_a_reader_beyond_its_memory_is_one_sentence(tmp_path: Path) -> None:
    """The real process, with a limit that a label file of no great size exceeds."""
    (tmp_path / "a.json").write_text('{"images": [], "annotations": [' + '{"a": 1},' * 3_000_000 + "1]}")
    reading = Reading(job(tmp_path, memory_bytes=200_000_000))
    with pytest.raises(UserError, match=r"more than 0\.2 GB of memory"):
        reading.result()
