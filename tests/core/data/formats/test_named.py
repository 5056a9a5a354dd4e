"""Formats that are not read are named, alone or beside labels that are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.types import Dataset
from core.errors import UserError

Read = Callable[..., Dataset]
Write = Callable[..., Path]

FILES = {
    "ShareGPT": ("a.json", json.dumps([{"conversations": [{"from": "human", "value": "<image>"}], "image": "a.jpg"}])),
    "conversations, not boxes": ("a.jsonl", json.dumps({"messages": [{"role": "user", "content": "x"}]})),
    "Excel": ("labels.xlsx", "PK"),
    "KITTI": ("labels/a.txt", "Car 0.00 0 -1.57 599.41 156.40 629.75 189.25 2.85 2.63 12.34 0.47 1.49 69.44 -1.56\n"),
    "DOTA": ("labels/a.txt", "imagesource:x\n2753.0 2408.0 2861.0 2385.0 2888.0 2468.0 2805.0 2502.0 plane 0\n"),
    "COCO's results": ("r.json", json.dumps([{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}])),
    "Labelbox": ("x.ndjson", json.dumps({"data_row": {"id": "x"}, "projects": {}})),
    "SageMaker": ("output.manifest", json.dumps({"source-ref": "s3://x/a.jpg"})),
    "TFRecord": ("train.tfrecord", "x"),
    "archive": ("dam.zip", "PK"),
}


@pytest.mark.parametrize("said", FILES)
def test_a_file_that_is_not_read_is_named(tmp_path: Path, read: Read, write_photo: Write, said: str) -> None:
    name, text = FILES[said]
    write_photo(tmp_path / "set/images/a.jpg")
    (tmp_path / "set" / name).parent.mkdir(exist_ok=True)
    (tmp_path / "set" / name).write_text(text)
    with pytest.raises(UserError) as refused:
        read(tmp_path / "set")
    assert said in str(refused.value)
    assert f"{name}: " in str(refused.value)


@pytest.mark.parametrize("said", ["ShareGPT", "Excel", "COCO's results", "archive"])
def test_beside_labels_it_is_a_hint(yolo: Path, read: Read, said: str) -> None:
    name, text = FILES[said]
    (yolo / name).write_text(text)
    (hint,) = read(yolo).problems
    assert (hint.kind, hint.where) == ("ignored-input", name)
    assert said in hint.what


def test_labels_of_another_format_and_photos_that_are_not_read_are_hints(yolo: Path, read: Read) -> None:
    (yolo / "coco.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    for number in range(3):
        (yolo / "train/images" / f"x{number}.HEIC").write_bytes(b"x")
    told = [problem.what for problem in read(yolo).problems]
    assert told == [
        "labels in COCO (JSON) lie here too and are not used: YOLO (data.yaml) is",
        "3 files .heic not used: no photo of this ending is read",
    ]


def test_a_label_whose_photo_is_not_read_says_so(yolo: Path, read: Read) -> None:
    (yolo / "train/images/f1_0.jpg").rename(yolo / "train/images/f1_0.heic")
    told = [str(problem) for problem in read(yolo).problems if problem.kind == "unread-photo"]
    assert told == [
        "train/labels/f1_0.txt: its photo train/images/f1_0.heic is HEIC, which is not read. Save it as JPEG."
    ]
