"""Boxes to judge: any format, type only, conditions disregarded, unknown names asked about, bare photos taken whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.boxes import WHOLE_PHOTO
from core.data.unlabelled import read_unlabelled
from core.errors import UserError
from core.settings import DataSettings, Settings, merge


def photo(path: Path, size: tuple[int, int] = (100, 50), grey: int = 90) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (grey, grey, grey)).save(path)


def data(root: Path, **more: object) -> DataSettings:
    return merge(Settings(), {"data.path": str(root), **{f"data.{key}": value for key, value in more.items()}}).data


def yolo(root: Path) -> None:
    photo(root / "images" / "a.png")
    (root / "labels").mkdir()
    (root / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4\n2 0.5 0.5 0.2 0.4\n3 .5 .5 .2 .4\n")
    (root / "data.yaml").write_text("names: [slope drain, Toe drain- Blocked, rock toe damaged, spillway]\n")


def test_labels_without_names_of_classes_are_not_passed_over(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    with pytest.raises(UserError, match="the classes have no names"):
        read_unlabelled(data(tmp_path), tmp_path)


def test_photos_taken_whole_beside_other_files_say_which_were_not_understood(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "labels.json").write_text('[{"image": "a.png", "box": [1, 2, 3, 4]}]')
    dataset = read_unlabelled(data(tmp_path), tmp_path, whole_photo=True)
    assert dataset.whole
    (hint,) = dataset.problems
    assert (hint.where, hint.kind) == ("labels.json", "ignored-input")


def coco(root: Path) -> None:
    photo(root / "a.png")
    names = ["slope drain", "toe drain blocked", "rock toe", "spillway"]
    (root / "instances.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 50}],
                "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
                "annotations": [{"id": i, "image_id": 1, "category_id": i, "bbox": [40, 15, 20, 20]} for i in range(4)],
            }
        )
    )


def voc(root: Path) -> None:
    photo(root / "a.png")
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>40</xmin><ymin>15</ymin><xmax>60</xmax><ymax>35</ymax></bndbox></object>"
        for name in ("slope drain", "toe drain", "rock toe", "spillway")
    )
    (root / "a.xml").write_text(f"<annotation><filename>a.png</filename>{objects}</annotation>")


def table(root: Path) -> None:
    photo(root / "a.png")
    rows = "".join(f"a.png,{name},40,15,60,35\n" for name in ("slope drain", "toe drain", "rock toe", "spillway"))
    (root / "boxes.csv").write_text("image,class,x1,y1,x2,y2\n" + rows)


@pytest.mark.parametrize("make", [yolo, coco, voc, table])
def test_every_format_gives_box_and_type_and_asks_about_strange_names(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path)
    found = read_unlabelled(data(tmp_path), tmp_path / "none")
    (image,) = found.images
    assert [obj.object_type for obj in image.objects] == ["slope drain", "toe drain", "rock toe", None]
    for obj in image.objects:
        assert obj.box_xyxy == pytest.approx((0.4, 0.3, 0.6, 0.7), abs=0.011)
    assert found.unknown_classes == {"spillway": 1}
    assert not found.whole and found.faults == ()


def test_conditions_in_labels_change_nothing(tmp_path: Path) -> None:
    left, right = tmp_path / "one", tmp_path / "other"
    for root, name in ((left, "slope drain damaged"), (right, "slope drain")):
        yolo(root)
        (root / "data.yaml").write_text(f"names: [{name}, toe drain, rock toe, spillway]\n")
    first, second = (read_unlabelled(data(root), tmp_path / "none") for root in (left, right))
    assert first.images[0].objects == second.images[0].objects
    assert first.fingerprint == second.fingerprint


def test_photos_without_any_label_are_judged_whole_where_that_is_wanted(tmp_path: Path) -> None:
    photo(tmp_path / "x" / "b.png")
    photo(tmp_path / "a.png", grey=50)
    with pytest.raises(UserError, match="there are no boxes beside 2 photos") as refused:
        read_unlabelled(data(tmp_path), tmp_path / "none")
    assert "--whole-photo" in refused.value.problems[-1].fix
    found = read_unlabelled(data(tmp_path), tmp_path / "none", whole_photo=True)
    assert found.whole
    assert [image.name for image in found.images] == ["a.png", "x/b.png"]
    assert {(one.box_xyxy, one.object_type) for image in found.images for one in image.objects} == {(WHOLE_PHOTO, None)}
    assert found.unknown_classes == {}


NOT_UNDERSTOOD = [
    ("chat.json", '[{"messages": [{"role": "user", "content": "x"}], "images": ["a.png"]}]', "ShareGPT"),
    ("labels.xlsx", "PK", "Excel"),
    ("labels.zip", "PK", "archive"),
    ("a.txt", "Car 0.0 0 -1.5 599 156 629 189 2.8 2.1 9.6 0.4 1.8 69.4 -1.5\n", "KITTI"),
    ("a.txt", "0 0.5 0.5 0.2 0.4\n", "the classes have no names"),
    ("data.yaml", "nc: 1\n", "no names"),
]


@pytest.mark.parametrize(("name", "content", "words"), NOT_UNDERSTOOD)
def test_label_files_that_are_not_understood_stop_a_batch_unless_the_whole_photo_is_wanted(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        read_unlabelled(data(tmp_path), tmp_path / "none")
    found = read_unlabelled(data(tmp_path), tmp_path / "none", whole_photo=True)
    assert found.whole and not found.faults


def test_boxes_are_judged_even_where_the_whole_photo_would_be(tmp_path: Path) -> None:
    yolo(tmp_path)
    boxes, whole = (read_unlabelled(data(tmp_path), tmp_path / "none", wanted) for wanted in (False, True))
    assert boxes == whole and not whole.whole


def test_the_same_photo_twice_is_judged_twice_and_splits_do_not_matter(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        photo(tmp_path / part / "images" / f"{part}.png")
        (tmp_path / part / "labels").mkdir()
        (tmp_path / part / "labels" / f"{part}.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "data.yaml").write_text("names: [slope drain]\ntrain: train/images\nval: valid/images\n")
    found = read_unlabelled(data(tmp_path), tmp_path / "none")
    assert [image.name for image in found.images] == ["train/images/train.png", "valid/images/valid.png"]
    assert found.problems == ()


def test_damaged_photos_and_boxes_are_faults_and_the_rest_is_there(tmp_path: Path) -> None:
    yolo(tmp_path)
    (tmp_path / "images" / "broken.png").write_bytes(b"\x89PNG nothing")
    (tmp_path / "labels" / "broken.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    with (tmp_path / "labels" / "a.txt").open("a") as label:
        label.write("0 0.5 0.5 0.0 0.4\n0 5 5 1 1\n0 1 2\n")
    photo(tmp_path / "images" / "bare.png", grey=10)
    found = read_unlabelled(data(tmp_path), tmp_path / "none")
    assert [problem.kind for problem in found.faults] == ["wrong-count", "zero-size", "box-outside", "unreadable-photo"]
    assert [image.name for image in found.images] == ["images/a.png"]
    assert len(found.images[0].objects) == 4
    assert [problem.kind for problem in found.problems if problem not in found.faults] == ["photo-without-label"]


@pytest.mark.parametrize(
    ("files", "more", "message"),
    [
        ({}, {}, "there are no photos"),
        ({"a.txt": "hello"}, {}, "there are no photos"),
        ({"images/a.png": "", "labels/a.txt": "", "data.yaml": "names: [slope drain]"}, {}, "no photo with a box"),
        ({"a.png": ""}, {"format": "coco"}, "no labels in coco format"),
        ({"broken.png": "x"}, {}, "no boxes beside 1 photo"),
        ({"images/a.png": "", "labels/a.txt": "0 .5 .5 .1 .1"}, {}, "classes have no names"),
    ],
)
def test_a_folder_with_nothing_to_judge_is_refused_with_its_cure(
    tmp_path: Path, files: dict[str, str], more: dict[str, str], message: str
) -> None:
    for name, content in files.items():
        if name.endswith(".png") and not content:
            photo(tmp_path / name)
        else:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message):
        read_unlabelled(data(tmp_path, **more), tmp_path / "none")


def test_no_such_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        read_unlabelled(data(tmp_path / "nowhere"), tmp_path)


def test_the_fingerprint_follows_photos_boxes_and_types(tmp_path: Path) -> None:
    yolo(tmp_path)
    before = read_unlabelled(data(tmp_path), tmp_path).fingerprint
    assert read_unlabelled(data(tmp_path), tmp_path).fingerprint == before
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.3\n")
    changed = read_unlabelled(data(tmp_path), tmp_path).fingerprint
    photo(tmp_path / "images" / "a.png", grey=91)
    assert len({before, changed, read_unlabelled(data(tmp_path), tmp_path).fingerprint}) == 3
