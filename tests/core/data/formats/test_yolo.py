"""YOLO: lines, polygons, data.yaml as Ultralytics and Roboflow write it, and everything that can be wrong in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.checks import faults_of
from core.data.formats.yolo import label_names, parse_yolo
from core.data.types import Dataset
from core.errors import UserError

Read = Callable[..., Dataset]
NAMES = {0: "Toe drain", 1: "rock toe"}


@pytest.mark.parametrize(
    ("line", "name", "box"),
    [
        ("0 0.5 0.5 0.2 0.4", "Toe drain", (0.4, 0.3, 0.6, 0.7)),
        ("  1\t0.5 0.5  1 1 ", "rock toe", (0.0, 0.0, 1.0, 1.0)),
        ("1.0 0.5 0.5 1e-1 .2", "rock toe", (0.45, 0.4, 0.55, 0.6)),
        ("0 0.1 0.2 0.5 0.2 0.3 0.9", "Toe drain", (0.1, 0.2, 0.5, 0.9)),
        ("1 0.9 0.8 0.1 0.8 0.1 0.2 0.9 0.2", "rock toe", (0.1, 0.2, 0.9, 0.8)),
    ],
)
def test_a_line_becomes_the_box_it_says(line: str, name: str, box: tuple[float, ...]) -> None:
    objects, problems = parse_yolo(line, NAMES, "a.txt")
    assert not problems
    assert objects[0].class_name == name
    assert objects[0].box_xyxy == pytest.approx(box)
    assert objects[0].source == "a.txt line 1"


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("0 0.5 0.5 0.2", "wrong-count", "4 found"),
        ("0", "wrong-count", "1 found"),
        ("0 0.5 0.5 0.2 0.4 0.9", "wrong-count", "6 found"),
        ("0 0.1 0.2 0.5 0.2 0.3 0.9 0.4", "wrong-count", "8 found"),
        ("0 0.5 half 0.2 0.4", "bad-number", "'half' is not a number"),
        ("0 0,5 0,5 0,2 0,4", "bad-number", "'0,5' is not a number"),
        ("toe 0.5 0.5 0.2 0.4", "bad-number", "'toe' stands where the number of the class belongs"),
        ("0.5 0.5 0.5 0.2 0.4", "bad-number", "whole number"),
        ("nan 0.5 0.5 0.2 0.4", "bad-number", "whole number"),
        ("0 0.1 0.2 inf 0.2 0.3 0.9", "bad-number", "not finite"),
        ("7 0.5 0.5 0.2 0.4", "unknown-class", "class 7 has no name"),
        ("-1 0.5 0.5 0.2 0.4", "unknown-class", "class -1 has no name"),
    ],
)
def test_a_bad_line_is_named_and_its_neighbours_are_kept(line: str, kind: str, message: str) -> None:
    objects, problems = parse_yolo(f"0 0.5 0.5 0.2 0.4\n\n{line}\n1 0.5 0.5 0.2 0.4\n", NAMES, "labels/a.txt")
    assert len(objects) == 2
    assert [(problem.kind, problem.where) for problem in problems] == [(kind, "labels/a.txt line 3")]
    assert message in str(problems[0])
    assert problems[0].fix


@pytest.mark.parametrize(
    ("photo", "label"),
    [
        ("train/images/a.jpg", "train/labels/a.txt"),
        ("images/train/a.b.jpg", "labels/train/a.b.txt"),
        ("images/x/images/a.jpg", "images/x/labels/a.txt"),
        ("train/a.jpg", "train/a.txt"),
    ],
)
def test_labels_lie_where_the_field_puts_them(photo: str, label: str) -> None:
    assert label_names(photo)[0] == label


@pytest.mark.parametrize(
    "config",
    [
        "train: ../train/images\nval: ../valid/images\nnames: [Toe drain]",
        "train: train/images\nval: valid/images\nnames: {0: Toe drain}",
        "train: ./train/images\nvalid: ./valid\nnames: {'0': Toe drain}",
        "path: .\ntrain: [train/images]\nval: [valid/images]\nnames: [Toe drain]",
        "path: ../datasets/elsewhere\ntrain: train/images\nval: valid/images\nnames: [Toe drain]",
        "train: {root}/train/images\nval: {root}/valid/images\nnames: [Toe drain]",
        "train: train.txt\nval: valid/images\nnames: [Toe drain]",
        "names: [Toe drain]",
        "train: train/images\nnames:\n- Toe drain",
        "\ufefftrain: train/images\nval: valid/images\nnames: [Toe drain]",
    ],
)
def test_data_yaml_is_read_as_it_occurs(yolo: Path, read: Read, config: str) -> None:
    listed = "".join(f"./train/images/{path.name}\n" for path in (yolo / "train/images").iterdir())
    (yolo / "train.txt").write_text(listed)
    (yolo / "data.yaml").write_text(config.replace("{root}", yolo.as_posix()), encoding="utf-8")
    dataset = read(yolo)
    assert not dataset.problems
    assert (len(dataset.split("train")), len(dataset.split("valid"))) == (8, 1)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ("train: train/images\nval: /etc\nnames: [Toe drain]", "path-outside"),
        ("train: train/images\nval: ../..\nnames: [Toe drain]", "path-outside"),
        ("train: train/images\nval: valid/images\ntest: ../test/images\nnames: [Toe drain]", "empty-split"),
        ("train: train.txt\nval: valid/images\nnames: [Toe drain]", "label-without-photo"),
        ("train: train/images\nnames: {0: Toe drain, x: rock toe}", "bad-config"),
    ],
)
def test_a_fault_in_data_yaml_is_told_and_the_rest_is_usable(yolo: Path, read: Read, config: str, kind: str) -> None:
    (yolo / "train.txt").write_text("train/images/f1_0.jpg\ntrain/images/lost.jpg\n")
    (yolo / "data.yaml").write_text(config)
    dataset = read(yolo)
    (fault,) = faults_of(dataset.problems)
    assert fault.kind == kind
    assert "data.yaml" in fault.where or "train.txt line 2" in fault.where
    assert dataset.split("train")


@pytest.mark.parametrize(
    ("config", "kind", "where"),
    [
        ("names: [a, b", "bad-config", "line"),
        ("names: []", "bad-config", "data.yaml"),
        ("- names", "bad-config", "data.yaml"),
        ("train: train/images", "bad-config", "data.yaml"),
    ],
)
def test_classes_without_names_stop_the_reading(yolo: Path, read: Read, config: str, kind: str, where: str) -> None:
    (yolo / "data.yaml").write_text(config)
    with pytest.raises(UserError) as caught:
        read(yolo)
    assert caught.value.problems[0].kind == kind
    assert where in caught.value.problems[0].where


def test_a_data_yaml_in_utf_16_is_told(yolo: Path, read: Read) -> None:
    (yolo / "data.yaml").write_bytes((yolo / "data.yaml").read_text().encode("utf-16"))
    with pytest.raises(UserError, match="UTF-16"):
        read(yolo)


def test_classes_txt_names_the_classes_and_labels_may_lie_beside_the_photos(
    tmp_path: Path, read: Read, write_photo: Callable[..., Path]
) -> None:
    for stem in ("a_1", "b_1"):
        write_photo(tmp_path / "flat" / f"{stem}.png").with_suffix(".txt").write_text("1 0.5 0.5 0.2 0.4\n")
    (tmp_path / "flat/classes.txt").write_text("toe drain\nrock_toe-damaged\n")
    dataset = read(tmp_path / "flat")
    assert dataset.format == "yolo"
    assert not dataset.problems
    assert {obj.condition for photo in dataset.photos for obj in photo.objects} == {"damaged"}


def test_an_unnamed_split_is_found_by_its_folder(yolo: Path, read: Read) -> None:
    (yolo / "data.yaml").write_text("names: [Toe drain]")
    (yolo / "valid").rename(yolo / "val")
    assert [photo.name for photo in read(yolo).split("valid")] == ["val/images/g1_0.jpg"]


def test_an_empty_label_is_a_background_photo_and_no_problem(yolo: Path, read: Read) -> None:
    (yolo / "train/labels/f1_0.txt").write_text("")
    dataset = read(yolo)
    assert not dataset.problems
    assert [photo.objects for photo in dataset.photos if photo.name.endswith("f1_0.jpg")] == [()]


@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_make_no_difference(yolo: Path, read: Read, mark: str, end: str) -> None:
    (yolo / "valid/labels/g1_0.txt").write_bytes((mark + f"0 0.5 0.5 0.2 0.4{end}3 0.2 0.2 0.1 0.1{end}").encode())
    dataset = read(yolo)
    assert not dataset.problems
    assert [obj.object_type for obj in dataset.split("valid")[0].objects] == ["toe drain", "vegetation"]
