"""Nothing is overwritten, nothing half written looks whole, and what cannot be written is said in a sentence."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.data.types import BoxedObject, Dataset, Photo
from core.data.write import folder
from core.data.write.base import class_of
from core.data.write.folder import write_dataset
from core.data.write.places import places, portable
from core.data.write.registry import WRITERS
from core.errors import UserError


@pytest.fixture
def dataset(yolo: Path, read: Callable[..., Dataset]) -> Dataset:
    return read(yolo)


@pytest.mark.parametrize("to", WRITERS)
def test_a_set_of_flights_in_folders_is_laid_out_as_tools_expect_it(dataset: Dataset, tmp_path: Path, to: str) -> None:
    photos = tuple(replace(photo, name=f"{photo.split}/images/dam/{photo.path.name}") for photo in dataset.photos)
    write_dataset(replace(dataset, photos=photos), to, tmp_path / "out")
    names = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    wanted = {
        "yolo": {"data.yaml", "train/images/dam/f1_0.jpg", "train/labels/dam/f1_0.txt", "valid/labels/dam/g1_0.txt"},
        "csv": {"labels.csv", "valid/images/dam/g1_0.jpg"},
        "coco": {"annotations/instances_train.json", "annotations/instances_val.json", "images/val/dam/g1_0.jpg"},
        "voc": {"JPEGImages/dam/f1_0.jpg", "Annotations/dam/f1_0.xml", "ImageSets/Main/val.txt"},
        "cvat": {"annotations.xml", "images/train/dam/f1_0.jpg", "images/val/dam/g1_0.jpg"},
    }
    assert wanted[to] <= names
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".converting-")]


@pytest.mark.parametrize("to", WRITERS)
def test_photos_turned_by_exif_keep_their_boxes_as_viewed(
    yolo: Path, read: Callable[..., Dataset], write_photo: Callable[..., Path], tmp_path: Path, to: str
) -> None:
    write_photo(yolo / "valid/images/g1_0.jpg", orientation=6)
    before = read(yolo)
    write_dataset(before, to, tmp_path / "out")
    after = read(tmp_path / "out")
    turned, again = before.split("valid")[0], after.split("valid")[0]
    assert turned.size_wh == again.size_wh == (48, 64)
    assert again.objects[0].box_xyxy == pytest.approx(turned.objects[0].box_xyxy, abs=1e-6)
    # All but YOLO state the size as viewed, so that nothing is in doubt any more.
    assert [problem.kind for problem in after.problems] == (["turned-photos"] if to == "yolo" else [])


def test_ids_of_coco_are_the_same_in_whatever_order_photos_come(dataset: Dataset) -> None:
    def labels(photos: tuple[Photo, ...]) -> object:
        return WRITERS["coco"].labels(places(photos, WRITERS["coco"]))

    texts = labels(dataset.photos)
    assert texts == labels(dataset.photos[::-1])
    trees = [json.loads(text) for text in dict(texts).values()]  # type: ignore[call-overload]
    ids = [entry["id"] for tree in trees for entry in tree["annotations"]]
    assert sorted(ids) == list(range(1, 10))
    assert trees[0]["categories"] == trees[1]["categories"]
    assert trees[0]["categories"][0]["name"] == class_of(dataset.photos[0].objects[0])


def test_photos_of_one_name_lie_in_folders_of_their_own(dataset: Dataset) -> None:
    one = dataset.photos[0]
    names = (
        "a/x.jpg",
        "b/x.jpg",
        "b/X.png",
        "train/b/x.jpg",
        "photos/x.tif",
        "x.bmp",
        "cafe\u0301.jpg",
        "caf\u00e9.jpg",
    )
    placed = places([replace(one, name=name) for name in names], WRITERS["yolo"])
    assert {p.photo.name: p.below for p in placed} == {
        "a/x.jpg": "a/x.jpg",
        "b/X.png": "b/X.png",
        "b/x.jpg": "b/photos/x.jpg",
        "train/b/x.jpg": "b/photos/photos/x.jpg",
        "photos/x.tif": "x.tif",
        "x.bmp": "photos/x.bmp",
        "cafe\u0301.jpg": "cafe\u0301.jpg",
        "caf\u00e9.jpg": "photos/caf\u00e9.jpg",
    }


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("f1", "f1"),
        ("dam north", "dam north"),
        ("it's", "it's"),
        ("cafe\u0301", "cafe\u0301"),
        ("..", "．．"),
        ("a\\b", "a＼b"),
        ("a?", "a？"),
        ("a*", "a＊"),
        ('"a"', "＂a＂"),
        ("CON", "ＣON"),
        ("nul.x", "ｎul.x"),
        ("console", "console"),
        ("com12", "ｃom12"),
        ("a.", "a．"),
        (" a", "␠a"),
        ("a\n", "a␊"),
        ("\udcff", "\ufffd"),
        ("classes", "ｃlasses"),
        ("", "_"),
    ],
)
def test_a_name_keeps_what_every_system_takes(name: str, wanted: str) -> None:
    assert portable(name) == wanted


def test_frames_with_names_too_long_stay_one_flight(dataset: Dataset) -> None:
    stems = [f"{'?' * 200}_{number:04d}" for number in (1, 2)]
    placed = places([replace(dataset.photos[0], name=f"{stem}.jpg") for stem in stems], WRITERS["voc"])
    heads = {one.below.rpartition("_")[0] for one in placed}
    assert len(heads) == 1 and all(len(one.below.encode()) <= 255 for one in placed)


def test_a_photo_never_leaves_the_new_folder(dataset: Dataset, tmp_path: Path) -> None:
    names = ("../../x.jpg", "/etc/x.jpg", "a/../../../y.jpg", "C:/x.jpg", "\\\\host\\x.jpg")
    photos = tuple(replace(photo, name=name) for photo, name in zip(dataset.photos, names, strict=False))
    before = set(tmp_path.rglob("*"))
    write_dataset(replace(dataset, photos=photos), "csv", tmp_path / "out")
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "out") for path in new)
    assert sum(path.suffix == ".jpg" for path in new) == len(names)


@pytest.mark.parametrize("to", ["coco", "voc", "csv", "cvat"])
def test_pixels_that_look_like_fractions_are_refused_and_fractions_are_not(
    dataset: Dataset, tmp_path: Path, to: str
) -> None:
    corner = BoxedObject((0.0, 0.0, 1 / 64, 1 / 48), "toe drain", "normal", "f1_0.txt line 1")
    small = replace(dataset, photos=(replace(dataset.photos[0], objects=(corner,)), *dataset.photos[1:]))
    with pytest.raises(UserError, match=r"f1_0.txt line 1: this box is smaller than a pixel .* Write YOLO"):
        write_dataset(small, to, tmp_path / "out")
    write_dataset(small, "yolo", tmp_path / "out")


def test_nothing_is_overwritten(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "full")
    for name in ("full", "file", "link"):
        with pytest.raises(UserError, match=r"this is not an empty folder. Give a new folder with --out."):
            write_dataset(dataset, "yolo", tmp_path / name)
    with pytest.raises(UserError, match="within the folder of photos"):
        write_dataset(dataset, "yolo", dataset.root / "new")
    assert (tmp_path / "full" / "mine").read_text() == (tmp_path / "file").read_text() == "mine"


def test_what_somebody_puts_there_meanwhile_is_not_overwritten(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_and_interfere(source: Path, target: Path) -> None:
        real(source, target)
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "mine").write_text("mine")

    real = shutil.copyfile
    monkeypatch.setattr(folder.shutil, "copyfile", copy_and_interfere)
    with pytest.raises(UserError, match="this is not an empty folder"):
        write_dataset(dataset, "yolo", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


def test_an_empty_folder_is_filled(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_dataset(dataset, "yolo", tmp_path / "out")
    assert (tmp_path / "out" / "data.yaml").is_file()


def test_a_vanished_photo_is_named_and_leaves_nothing(dataset: Dataset, tmp_path: Path) -> None:
    dataset.photos[3].path.unlink()
    with pytest.raises(UserError, match=f"{dataset.photos[3].name}: this photo is gone since it was read"):
        write_dataset(dataset, "voc", tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_a_full_disk_leaves_nothing(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_dataset(dataset, "coco", tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_wherever_it_is_killed_no_folder_looks_whole(
    dataset: Dataset, tmp_path: Path, killed_after: Callable[[int, Callable[[], object]], bool]
) -> None:
    few = replace(dataset, photos=dataset.photos[-2:])
    killed = True
    count = 0
    while killed:
        out = tmp_path / str(count) / "out"
        killed = killed_after(count, lambda out=out: write_dataset(few, "yolo", out))  # type: ignore[misc]
        assert out.exists() != killed
        count += 1
    assert count > 5


def test_an_unknown_format_is_answered_with_those_that_are_known(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"'kitti' is no format that is written. Use one of: yolo, coco, voc, csv, cvat"
    ):
        write_dataset(dataset, "kitti", tmp_path / "out")
    assert not (tmp_path / "out").exists()
