"""Hugging Face image folders: boxes with categories by name or number, and labels of whole photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.data.types import Dataset

Read = Callable[..., Dataset]
Write = Callable[..., Path]
CARD = "---\ndataset_info:\n  features:\n  - name: x\n    names:\n      '0': vegetation\n      '1': no\n---\n# Set\n"


@pytest.fixture
def folder(tmp_path: Path, write_photo: Write) -> Callable[..., Path]:
    """folder(rows of metadata.jsonl, other files) with train/a.jpg and train/b.jpg"""

    def write(*rows: Mapping[str, Any], **files: str) -> Path:
        for name in "ab":
            write_photo(tmp_path / "set/train" / f"{name}.jpg")
        if rows:
            (tmp_path / "set/train/metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
        for name, text in files.items():
            (tmp_path / "set" / name.replace("__", "/").replace("_", ".")).write_text(text)
        return tmp_path / "set"

    return write


def row(categories: list[Any], name: str = "a.jpg", **more: list[Any]) -> dict[str, Any]:
    return {"file_name": name, "objects": {"bbox": [[8, 12, 16, 24]], "categories": categories} | more}


def test_boxes_with_their_categories(folder: Callable[..., Path], read: Read) -> None:
    dataset = read(folder(row(["toe drain"], state=["blocked"], area=[9]), row(["vegetation"], "b.jpg")), split="train")
    assert dataset.format == "huggingface"
    first = dataset.photos[0].objects[0]
    assert first.box_xyxy == (8 / 64, 12 / 48, 24 / 64, 36 / 48)
    assert (first.object_type, first.condition) == ("toe drain", "blocked")


def test_numbers_are_named_by_the_card(folder: Callable[..., Path], read: Read) -> None:
    dataset = read(folder(row([0]), README_md=CARD), split="train")
    assert dataset.photos[0].objects[0].object_type == "vegetation"
    told = " ".join(
        str(problem) for problem in read(folder(row([0]), row([1], "b.jpg"), README_md=CARD), split="train").problems
    )
    assert "'no' is no class" in told


def test_a_label_is_of_the_whole_photo(folder: Callable[..., Path], read: Read) -> None:
    rows = "file_name,label,state\na.jpg,toe drain,blocked\nb.jpg,vegetation,\n"
    dataset = read(folder(train__metadata_csv=rows), split="train")
    found = {(one.box_xyxy, one.object_type, one.condition) for photo in dataset.photos for one in photo.objects}
    assert found == {((0, 0, 1, 1), "toe drain", "blocked"), ((0, 0, 1, 1), "vegetation", "normal")}


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([row(["toe drain", "toe drain"])], "wrong-count"),
        ([row(["toe drain"], "lost.jpg")], "label-without-photo"),
        ([row(["toe drain"]), row(["toe drain"])], "duplicate-photo"),
        ([row([1])], "bad-config"),
        ([row(["toe drain"]) | {"objects": {"bbox": [[1, 2]], "categories": ["toe drain"]}}], "wrong-count"),
    ],
)
def test_what_is_wrong_is_told(folder: Callable[..., Path], read: Read, rows: list[dict[str, Any]], kind: str) -> None:
    rows = [*rows, row(["toe drain"], "b.jpg")]
    assert kind in {problem.kind for problem in read(folder(*rows), split="train").problems}


def test_a_column_decides_the_flight(folder: Callable[..., Path], read: Read) -> None:
    boxed = [row(["toe drain"], state=["blocked"]) | {"flight": "north"}, row(["vegetation"], "b.jpg")]
    assert {photo.name: photo.group for photo in read(folder(*boxed), split="train").photos} == {
        "train/a.jpg": "north",
        "train/b.jpg": "train/b.jpg",
    }
    whole = {"file_name": "a.jpg", "label": "vegetation", "Flight ID": "south"}
    dataset = read(folder(whole, whole | {"file_name": "b.jpg"}), split="train")
    assert {photo.group for photo in dataset.photos} == {"south"}
    assert not any("light" in problem.what and problem.kind == "ignored" for problem in dataset.problems)
