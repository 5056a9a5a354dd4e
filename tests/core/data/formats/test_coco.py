"""COCO: one file a split or one for all, and everything that can be wrong in one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.data.formats.coco import parse_coco
from core.data.types import Dataset
from core.errors import UserError

Read = Callable[..., Dataset]
Write = Callable[..., Path]
Tree = Callable[..., dict[str, Any]]

LAYOUTS = {
    "roboflow": ({"train": "train/_annotations.coco.json", "valid": "valid/_annotations.coco.json"}, "{split}/{name}"),
    "original": (
        {"train": "annotations/instances_train.json", "valid": "annotations/instances_val.json"},
        "{word}/{name}",
    ),
    "with images": ({"train": "annotations/train.json", "valid": "annotations/val.json"}, "images/{word}/{name}"),
    "one images folder": ({"train": "train.json", "valid": "val.json"}, "images/{name}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_usual_layout_is_found(
    tmp_path: Path, read: Read, write_photo: Write, coco_tree: Tree, layout: str
) -> None:
    root = tmp_path / "set"
    files, place = LAYOUTS[layout]
    for split, file in files.items():
        names = [f"{split}_a_1.jpg", f"{split}_b_1.jpg"]
        for name in names:
            write_photo(root / place.format(split=split, word="val" if split == "valid" else split, name=name))
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(json.dumps(coco_tree(names)))
    dataset = read(root)
    assert (dataset.format, dataset.problems) == ("coco", ())
    assert [len(dataset.split(name)) for name in ("train", "valid")] == [2, 2]
    obj = dataset.photos[0].objects[0]
    assert obj.box_xyxy == (8 / 64, 12 / 48, 24 / 64, 36 / 48)
    assert (obj.object_type, obj.condition) == ("toe drain", "blocked")


def test_one_file_for_all_takes_its_splits_from_the_photos_folders(
    tmp_path: Path, read: Read, write_photo: Write, coco_tree: Tree
) -> None:
    names = ["train/a_1.jpg", "train/b_1.jpg", "val/c_1.jpg"]
    for name in names:
        write_photo(tmp_path / "set" / name)
    (tmp_path / "set/labels.json").write_text(json.dumps(coco_tree(names)))
    dataset = read(tmp_path / "set")
    assert not dataset.problems
    assert [photo.name for photo in dataset.split("valid")] == ["val/c_1.jpg"]


def test_polygons_stand_in_for_a_missing_box(coco_tree: Tree) -> None:
    tree = coco_tree(["a.jpg"])
    tree["annotations"][0] |= {"bbox": [], "segmentation": [[8, 12, 24, 12, 24, 36], [10, 5, 11, 6, 12, 7]]}
    photos, problems = parse_coco(tree, "a.json")
    assert not problems
    assert photos[0].objects[0].box_xyxy == (8, 5, 24, 36)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"bbox": [1, 2, 3]}, "wrong-count"),
        ({"bbox": "1 2 3 4"}, "wrong-count"),
        ({"bbox": None}, "wrong-count"),
        ({"bbox": None, "segmentation": {"counts": "x", "size": [1, 2]}}, "wrong-count"),
        ({"bbox": None, "segmentation": [[1, 2, 3, 4, 5]]}, "wrong-count"),
        ({"bbox": [1, 2, "wide", 4]}, "bad-number"),
        ({"bbox": [1, 2, None, 4]}, "bad-number"),
        ({"bbox": [1, 2, True, 4]}, "bad-number"),
        ({"category_id": 9}, "unknown-class"),
        ({"category_id": None}, "unknown-class"),
        ({"category_id": [1]}, "unknown-class"),
        ({"image_id": 77}, "label-without-photo"),
        ({"image_id": {}}, "label-without-photo"),
    ],
)
def test_a_bad_annotation_is_told_and_its_neighbour_kept(coco_tree: Tree, change: dict[str, Any], kind: str) -> None:
    tree = coco_tree(["a.jpg", "b.jpg"])
    tree["annotations"][0] |= change
    photos, problems = parse_coco(tree, "a.json")
    assert [(problem.kind, problem.where) for problem in problems] == [(kind, "a.json annotation 0")]
    assert [len(photo.objects) for photo in photos] == [0, 1]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"images": None}, "a.json images"),
        ({"categories": {}}, "a.json categories"),
        ({"annotations": "none"}, "a.json"),
        ({"images": [{"file_name": "a.jpg"}]}, "a.json images"),
        ({"images": [{"id": 0}]}, "a.json image 0"),
        ({"images": [{"id": 0, "file_name": "a.jpg"}, {"id": 0, "file_name": "b.jpg"}]}, "a.json images"),
        ({"annotations": ["x"]}, "a.json annotation 0"),
    ],
)
def test_a_misshapen_file_is_told(coco_tree: Tree, change: dict[str, Any], where: str) -> None:
    _, problems = parse_coco(coco_tree(["a.jpg"]) | change, "a.json")
    assert ("bad-label", where) in [(problem.kind, problem.where) for problem in problems]


def test_a_file_that_holds_a_list_is_told() -> None:
    assert [problem.kind for problem in parse_coco([], "a.json")[1]] == ["bad-label"]


@pytest.mark.parametrize(
    ("spoil", "kind", "where"),
    [
        (lambda text: text[: len(text) // 2].encode(), "bad-label", "valid/_annotations.coco.json line 1"),
        (lambda text: text.encode("utf-16"), "wrong-encoding", "valid/_annotations.coco.json"),
        (
            lambda text: text.replace("toe drain", "böschung").replace("\\u00f6", "ö").encode("latin-1"),
            "wrong-encoding",
            "valid/_annotations.coco.json line 1",
        ),
        (
            lambda text: text.replace("b_1.jpg", "lost.jpg").encode(),
            "label-without-photo",
            "valid/_annotations.coco.json image 0",
        ),
        (
            lambda text: text.replace('"width": 64', '"width": 640').encode(),
            "size-mismatch",
            "valid/_annotations.coco.json image 0",
        ),
        (
            lambda text: text.replace("toe drain blocked", "gate").encode(),
            "unknown-class",
            "valid/_annotations.coco.json annotation 0",
        ),
        (
            lambda text: b'{"images": [], "annotations": [], "categories": []}',
            "empty-split",
            "valid/_annotations.coco.json",
        ),
    ],
)
def test_one_bad_file_leaves_the_other_splits_usable(
    tmp_path: Path,
    read: Read,
    write_photo: Write,
    coco_tree: Tree,
    spoil: Callable[[str], bytes],
    kind: str,
    where: str,
) -> None:
    root = tmp_path / "set"
    for split, names in {"train": ["a_1.jpg", "c_1.jpg", "d_1.jpg"], "valid": ["b_1.jpg"]}.items():
        for name in names:
            write_photo(root / split / name)
        file = root / split / "_annotations.coco.json"
        text = json.dumps(coco_tree(names))
        file.write_bytes(spoil(text) if split == "valid" else text.encode())
    dataset = read(root)
    assert (kind, where) in [(problem.kind, problem.where) for problem in dataset.problems]
    for split in ("train", "valid"):  # the validation photos are taken from the sound file
        assert any(photo.objects for photo in dataset.split(split))


def test_a_photo_labelled_in_two_files_is_told(tmp_path: Path, read: Read, write_photo: Write, coco_tree: Tree) -> None:
    for name in ("a_1.jpg", "b_1.jpg"):
        write_photo(tmp_path / "set/images" / name)
    for file in ("all.json", "more.json"):
        (tmp_path / "set" / file).write_text(json.dumps(coco_tree(["a_1.jpg", "b_1.jpg"])))
    kinds = [problem.kind for problem in read(tmp_path / "set").problems]
    assert kinds.count("duplicate-photo") == 2


def test_a_photo_turned_after_labelling_is_told(
    tmp_path: Path, read: Read, write_photo: Write, coco_tree: Tree
) -> None:
    write_photo(tmp_path / "set/a_1.jpg", (64, 48), 6)
    write_photo(tmp_path / "set/b_1.jpg")
    (tmp_path / "set/all.json").write_text(json.dumps(coco_tree(["a_1.jpg", "b_1.jpg"])))
    with pytest.raises(UserError) as caught:  # one photo is left: no validation split can be made
        read(tmp_path / "set")
    assert "labelled as 64 x 48 pixels, as its file is stored; by EXIF it is 48 x 64" in str(caught.value)
