"""read_dataset: formats recognised or named, the sample set, real photos, and what stops it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.dataset import read_dataset
from core.data.types import Dataset
from core.demo import sample_set
from core.demo.sample_set import ready
from core.errors import UserError
from core.settings import DataSettings

Read = Callable[..., Dataset]


def test_a_sound_set_is_read_without_a_problem(yolo: Path, read: Read) -> None:
    dataset = read(yolo)
    assert (dataset.format, dataset.problems, len(dataset.photos)) == ("yolo", (), 9)
    photo = dataset.split("valid")[0]
    assert (photo.name, photo.size_wh, photo.group) == ("valid/images/g1_0.jpg", (64, 48), "g1")
    assert photo.path.is_file()
    assert photo.objects[0].box_xyxy == pytest.approx((0.4, 0.3, 0.6, 0.7))
    assert (photo.objects[0].object_type, photo.objects[0].condition) == ("toe drain", "normal")


@pytest.mark.parametrize("given", ["", "data.yaml", "/"])
def test_the_folder_or_its_data_yaml_may_be_given(yolo: Path, read: Read, given: str) -> None:
    assert len(read(Path(f"{yolo}/{given}")).photos) == 9


def test_reading_twice_gives_the_same_data_set(yolo: Path, read: Read) -> None:
    (yolo / "data.yaml").write_text("names: [Toe drain]\ntrain: train/images\n")
    assert read(yolo) == read(yolo)


def test_the_seed_moves_a_made_split_and_the_fingerprint_tells(yolo: Path, tmp_path: Path) -> None:
    for file in (yolo / "valid/images/g1_0.jpg", yolo / "valid/labels/g1_0.txt"):
        file.unlink()
    (yolo / "data.yaml").write_text("names: [Toe drain]\n")
    sets = [read_dataset(DataSettings(path=str(yolo), valid_share=0.25), tmp_path, seed) for seed in range(8)]
    held = {tuple(photo.group for photo in dataset.split("valid")) for dataset in sets}
    assert len(held) > 1
    assert len({dataset.fingerprint for dataset in sets}) == len(held)
    assert all(len(dataset.split("valid")) == 2 for dataset in sets)


def test_another_flight_rule_makes_other_groups(yolo: Path, read: Read) -> None:
    assert {photo.group for photo in read(yolo, group_rule="^(.)").photos} == {"f", "g"}
    assert len({photo.group for photo in read(yolo, group_rule="").photos}) == 9


def test_another_taxonomy_reads_other_classes(yolo: Path, read: Read, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("name: pipes\nconditions: [fine, leaking]\nobject_types: [toe, rock]\n")
    (yolo / "data.yaml").write_text("names: [Toe-LEAKING]\n")
    dataset = read(yolo, taxonomy=str(tmp_path / "t.yaml"))
    assert {(obj.object_type, obj.condition) for photo in dataset.photos for obj in photo.objects} == {
        ("toe", "leaking")
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "nowhere"}, "no such folder"),
        ({"path": " "}, "no data folder given"),
        ({"taxonomy": "none.yaml"}, "no such taxonomy file"),
        ({"group_rule": "("}, "no regular expression"),
        ({"split": "test"}, "there is no split test. Choose train or valid."),
        ({"format": "coco"}, "no labels in coco format"),
        ({"format": "voc"}, "Set data.format to auto or yolo"),
        ({"format": "table"}, "no labels in table format"),
    ],
)
def test_what_leaves_nothing_to_go_on_with_is_an_error(
    yolo: Path, tmp_path: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError) as caught:
        read_dataset(DataSettings(**{"path": str(yolo)} | settings), tmp_path / "sample-data")  # type: ignore[arg-type]
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no photos and no labels that we recognise"),
        ({"a.jpg": b"x", "b.jpg": b"y"}, "2 photos but no labels that we recognise"),
        ({"a.json": b'{"some": "thing"}'}, "no photos and no labels"),
        ({"a.xml": b"<annotation/>"}, "no photo with a usable object"),
        ({"a.csv": "image,class,x1\n".encode("utf-16")}, "a.csv: this text is UTF-16"),
        ({"data.yaml": b"names: [toe drain]\ntrain: train/images"}, "train: train/images holds no photo"),
        ({"data.yaml": b"names: [toe drain]", "images/a.jpg": b"x"}, "no label for this photo"),
    ],
)
def test_a_folder_without_usable_labels_is_an_error(
    tmp_path: Path, read: Read, files: dict[str, bytes], message: str
) -> None:
    for name, content in files.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(content)
    (tmp_path / "set").mkdir(exist_ok=True)
    with pytest.raises(UserError) as caught:
        read(tmp_path / "set")
    assert message in str(caught.value)


def test_a_single_photo_cannot_be_split_and_that_is_said(yolo: Path, read: Read) -> None:
    for photo in list((yolo / "train/images").iterdir()):
        if photo.name != "f1_0.jpg":
            photo.unlink()
            (yolo / "train/labels" / photo.name).with_suffix(".txt").unlink()
    (yolo / "data.yaml").write_text("names: [Toe drain]\ntrain: train/images\n")
    (yolo / "valid/images/g1_0.jpg").unlink()
    with pytest.raises(UserError, match="there is no split valid"):
        read(yolo)
    assert len(read(yolo, split="train").photos) == 1


def test_the_sample_set_is_drawn_once_even_by_two_at_once(
    tmp_path: Path, yolo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def draw(folder: Path, processes: int = 2, progress: object = None) -> None:
        drawn.append(folder)
        time.sleep(0.2)
        yolo.rename(folder)

    monkeypatch.setattr(sample_set, "write_sample_set", draw)
    found: list[Dataset] = []
    target = tmp_path / "work/sample-data"
    readers = [
        threading.Thread(target=lambda: found.append(read_dataset(DataSettings(), ready(DataSettings(), target))))
        for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert drawn == [target]
    assert [len(dataset.photos) for dataset in found] == [9, 9]


def test_a_sample_folder_that_holds_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "sample-data").mkdir()
    (tmp_path / "sample-data/mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="holds something else than the sample set"):
        ready(DataSettings(), tmp_path / "sample-data")
    assert (tmp_path / "sample-data/mine.txt").read_text() == "keep me"


def test_a_place_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the sample set cannot be written"):
        ready(DataSettings(), tmp_path / "file/sample-data")


def test_the_real_photos_are_read_whole_and_fast(real_photos: Path, read: Read) -> None:
    started = time.perf_counter()
    dataset = read(real_photos)
    seconds = time.perf_counter() - started
    assert not dataset.problems
    assert (len(dataset.photos), sum(len(photo.objects) for photo in dataset.photos)) == (217, 1129)
    assert len({photo.group for photo in dataset.photos}) == 23
    assert seconds < 5  # about 0.15 s when the machine has nothing else to do


@pytest.mark.parametrize("seed", range(3))
def test_the_real_photos_are_split_by_flight_with_every_class_on_both_sides(real_photos: Path, seed: int) -> None:
    dataset = read_dataset(DataSettings(path=str(real_photos)), real_photos, seed)
    sides = [dataset.split("train"), dataset.split("valid")]
    flights = [{photo.group for photo in side} for side in sides]
    classes = [{(obj.object_type, obj.condition) for photo in side for obj in photo.objects} for side in sides]
    assert not flights[0] & flights[1]
    assert len(classes[0]) == len(classes[1]) == 9
    assert 0.12 < len(sides[1]) / len(dataset.photos) < 0.3


def test_reading_needs_neither_torch_nor_gradio() -> None:
    code = "import sys, core.data.dataset, core.metrics; print([m for m in ('torch', 'gradio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_file_that_was_handed_over_decides(yolo: Path, read: Read) -> None:
    """Beside data.yaml lie another config and a table: each, given by name, is what is read."""
    (yolo / "other.yaml").write_text("train: train/images\nval: valid/images\nnames: [rock toe damaged]\n")
    rows = "".join(f"{path.name},vegetation,8,12,24,36\n" for path in (yolo / "valid/images").iterdir())
    (yolo / "some.csv").write_text(f"image,class,x1,y1,x2,y2\n{rows}")
    types = {
        name: {obj.object_type for photo in read(yolo / name).photos for obj in photo.objects}
        for name in ("data.yaml", "other.yaml", "some.csv")
    }
    assert types == {"data.yaml": {"toe drain"}, "other.yaml": {"rock toe"}, "some.csv": {"vegetation"}}
