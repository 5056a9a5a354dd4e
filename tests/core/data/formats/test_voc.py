"""Pascal VOC: beside the photos or in the old folders, with the line of every fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.formats.voc import parse_voc
from core.data.notes import Notes
from core.data.types import Dataset

Read = Callable[..., Dataset]
Write = Callable[..., Path]

BOX = "<bndbox><xmin>8</xmin><xmax>24</xmax><ymin>12</ymin><ymax>36</ymax></bndbox>"
OBJECT = f"<object>\n<name>rock toe-damaged</name>{BOX}\n</object>"


def xml(objects: str = OBJECT, filename: str = "a.jpg", size: str = "<width>64</width><height>48</height>") -> str:
    return f"<annotation>\n<filename>{filename}</filename>\n<size>{size}</size>\n{objects}\n</annotation>\n"


def test_an_annotation_becomes_its_boxes_with_lines() -> None:
    photo, problems = parse_voc(xml(OBJECT + "\n" + OBJECT), "a.xml", Notes())
    assert photo is not None
    assert not problems
    assert [obj.source for obj in photo.objects] == ["a.xml line 4", "a.xml line 7"]
    assert photo.objects[0].box_xyxy == (8, 12, 24, 36)
    assert photo.objects[0].class_name == "rock toe-damaged"
    assert photo.declared_wh == (64, 48)


@pytest.mark.parametrize("size", ["", "<width>0</width><height>0</height>", "<width>wide</width>"])
def test_a_size_that_is_not_told_is_not_held_against_the_photo(size: str) -> None:
    photo, _ = parse_voc(xml(size=size), "a.xml", Notes())
    assert photo is not None
    assert photo.declared_wh is None


@pytest.mark.parametrize(
    ("text", "kind", "where"),
    [
        (xml(OBJECT.replace("<xmin>8</xmin>", "")), "wrong-count", "a.xml line 4"),
        (xml(OBJECT.replace(BOX, "")), "wrong-count", "a.xml line 4"),
        (xml(OBJECT.replace(">8<", "><")), "wrong-count", "a.xml line 4"),
        (xml(OBJECT.replace(">8<", ">left<")), "bad-number", "a.xml line 4"),
        (xml(OBJECT.replace("</object>", "")), "bad-label", "a.xml line 7"),
        ("", "bad-label", "a.xml line 1"),
        ("not xml", "bad-label", "a.xml line 1"),
        ('<!DOCTYPE a [<!ENTITY x "y">]>' + xml(), "bad-label", "a.xml"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, kind: str, where: str) -> None:
    _, problems = parse_voc(text, "a.xml", Notes())
    assert [(problem.kind, problem.where) for problem in problems] == [(kind, where)]


def test_other_xml_is_passed_over() -> None:
    assert parse_voc("<project/>", "a.xml", Notes()) == (None, [])


LAYOUTS = {
    "roboflow": ("{split}/{stem}.jpg", "{split}/{stem}.xml"),
    "pascal": ("JPEGImages/{stem}.jpg", "Annotations/{stem}.xml"),
    "folders": ("images/{split}/{stem}.jpg", "annotations/{split}/{stem}.xml"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_usual_layout_is_found(tmp_path: Path, read: Read, write_photo: Write, layout: str) -> None:
    root = tmp_path / "set"
    for split, stems in {"train": ["a_1", "b_1"], "val": ["c_1"]}.items():
        for stem in stems:
            photo, label = (root / part.format(split=split, stem=stem) for part in LAYOUTS[layout])
            write_photo(photo)
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(xml(filename="C:\\other\\name.jpg"))
        if layout == "pascal":
            (root / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
            (root / f"ImageSets/Main/{split}.txt").write_text("\n".join(stems))
    dataset = read(root)
    assert (dataset.format, dataset.problems) == ("voc", ())
    assert [len(dataset.split(name)) for name in ("train", "valid")] == [2, 1]
    assert dataset.photos[0].objects[0].box_xyxy == (8 / 64, 12 / 48, 24 / 64, 36 / 48)


def test_lists_of_splits_may_name_folders_and_photos_that_end_like_a_flag(
    tmp_path: Path, read: Read, write_photo: Write
) -> None:
    wanted = {"north/a": "train", "south/a": "valid", "a": "test", "frame 1": "valid", "frame": "train"}
    for name in wanted:
        write_photo(tmp_path / "JPEGImages" / f"{name}.jpg")
        label = tmp_path / "Annotations" / f"{name}.xml"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(xml())
    for split in ("train", "valid", "test"):
        lines = (name for name in wanted if wanted[name] == split)
        (tmp_path / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"ImageSets/Main/{split}.txt").write_text("\n".join(lines))
    dataset = read(tmp_path)
    assert dataset.problems == ()
    assert {photo.name: photo.split for photo in dataset.photos} == {
        f"JPEGImages/{name}.jpg": split for name, split in wanted.items()
    }


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("lost.xml", xml(filename="lost.jpg").encode(), "label-without-photo"),
        ("b_1.xml", xml().encode("utf-16"), "wrong-encoding"),
        ("b_1.xml", xml(OBJECT.replace("rock toe", "weir")).encode(), "unknown-class"),
        ("b_1.xml", xml(OBJECT.replace(">24<", ">99<")).encode(), "box-outside"),
        ("b_1.xml", xml(OBJECT.replace(">24<", ">8<")).encode(), "zero-size"),
        ("b_1.xml", xml(size="<width>48</width><height>64</height>").encode(), "size-mismatch"),
        ("ImageSets/Main/val.txt", b"", "empty-split"),
    ],
)
def test_a_fault_leaves_the_rest_usable(
    tmp_path: Path, read: Read, write_photo: Write, name: str, content: bytes, kind: str
) -> None:
    root = tmp_path / "set"
    for stem in ("a_1", "b_1", "c_1", "d_1"):
        write_photo(root / f"{stem}.jpg").with_suffix(".xml").write_text(xml())
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(content)
    dataset = read(root)
    assert kind in [problem.kind for problem in dataset.problems]
    assert len(dataset.photos) >= 3
