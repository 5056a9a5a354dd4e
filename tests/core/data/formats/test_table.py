"""Tables: CSV and JSON lines, pixels or fractions, with the line of every fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.data.formats.table import parse_row
from core.data.types import Dataset
from core.errors import UserError

Read = Callable[..., Dataset]
Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_photo: Write) -> Path:
    for stem in ("a_1", "b_1", "c_1"):
        write_photo(tmp_path / "set/images" / f"{stem}.jpg")
    return tmp_path / "set"


TABLES = {
    "pixels": ("t.csv", "image,class,x1,y1,x2,y2,split\nimages/{0}.jpg,Toe drain- Blocked,8,12,24,36,{1}\n"),
    "no split": ("t.csv", "image,class,x1,y1,x2,y2\n{0}.jpg,toe drain blocked,8,12,24,36\n"),
    "fractions": (
        "t.csv",
        "image,class,x_center,y_center,width,height,split\n{0}.jpg,toe drain blocked,0.25,0.5,0.25,0.5,{1}\n",
    ),
    "roboflow": (
        "_annotations.csv",
        "filename,width,height,class,xmin,ymin,xmax,ymax\n{0}.jpg,64,48,toe drain blocked,8,12,24,36\n",
    ),
    "semicolons": ("t.csv", "Image;Class;X1;Y1;X2;Y2\n{0}.jpg;toe drain blocked;8;12;24;36\n"),
    "tabs and mark": ("t.tsv", "\ufeffimage\tclass\tx1\ty1\tx2\ty2\r\n{0}.jpg\ttoe drain blocked\t8\t12\t24\t36\r\n"),
    "two columns": ("t.csv", "image,object_type,condition,x1,y1,x2,y2\n{0}.jpg,toe drain,blocked,8,12,24,36\n"),
}


@pytest.mark.parametrize("case", TABLES)
def test_every_usual_table_gives_the_same_box(folder: Path, read: Read, case: str) -> None:
    name, text = TABLES[case]
    head, row = text.splitlines(keepends=True)
    rows = [row.format(stem, split) for stem, split in (("a_1", "train"), ("b_1", "train"), ("c_1", "val"))]
    (folder / name).write_text(head + "".join(rows), encoding="utf-8")
    dataset = read(folder)
    assert (dataset.format, dataset.problems) == ("table", ())
    assert [len(dataset.split(name)) for name in ("train", "valid")] == [2, 1]
    for photo in dataset.photos:
        assert photo.objects[0].box_xyxy == pytest.approx((8 / 64, 12 / 48, 24 / 64, 36 / 48))
        assert (photo.objects[0].object_type, photo.objects[0].condition) == ("toe drain", "blocked")


def test_json_lines_are_a_table(folder: Path, read: Read) -> None:
    rows: list[dict[str, Any]] = [
        {"image": "a_1.jpg", "class": "toe drain", "x1": 8, "y1": 12, "x2": 24, "y2": 36},
        {"image": "b_1.jpg", "class": "toe drain", "box_xyxy_px": [8, 12, 24, 36]},
        {"image": "b_1.jpg", "object_type": "rock toe", "condition": "damaged", "box_xyxy_px": [1, 1, 9, 9]},
        {"image": "c_1.jpg"},
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    dataset = read(folder)
    assert not dataset.problems
    assert sorted(len(photo.objects) for photo in dataset.photos) == [0, 1, 2]
    assert dataset.photos[0].objects[0].source.startswith("t.jsonl line")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("a_1.jpg,toe drain,8,12,24", "wrong-count"),
        ("a_1.jpg,toe drain,8,12,24,36,9,9", "wrong-count"),
        ("a_1.jpg,toe drain,8,12,,36", "wrong-count"),
        ("a_1.jpg,toe drain,,,,", "wrong-count"),
        ("a_1.jpg,,8,12,24,36", "unknown-class"),
        ("a_1.jpg,spillway,8,12,24,36", "unknown-class"),
        ("a_1.jpg,rock toe blocked,8,12,24,36", "unknown-class"),
        ("a_1.jpg,toe drain,8,twelve,24,36", "bad-number"),
        ("a_1.jpg,toe drain,8,nan,24,36", "bad-number"),
        ("a_1.jpg,toe drain,24,12,8,36", "zero-size"),
        ("a_1.jpg,toe drain,8,12,90,36", "box-outside"),
        ("lost.jpg,toe drain,8,12,24,36", "label-without-photo"),
        ("../../etc/passwd,toe drain,8,12,24,36", "label-without-photo"),
        (",toe drain,8,12,24,36", "label-without-photo"),
    ],
)
def test_a_bad_row_is_told_with_its_line(folder: Path, read: Read, line: str, kind: str) -> None:
    good = "".join(f"{stem}.jpg,toe drain,8,12,24,36\n" for stem in ("a_1", "b_1", "c_1"))
    (folder / "t.csv").write_text(f"image,class,x1,y1,x2,y2\n{good}{line}\n")
    dataset = read(folder)
    assert [(problem.kind, problem.where) for problem in dataset.problems] == [(kind, "t.csv line 5")]
    assert len(dataset.photos) == 3


@pytest.mark.parametrize(
    ("split", "kind"), [("holdout", "unknown-split"), ("valid", "split-conflict"), ("", "split-conflict")]
)
def test_a_split_that_makes_no_sense_is_told(folder: Path, read: Read, split: str, kind: str) -> None:
    rows = "a_1.jpg,toe drain,8,12,24,36,train\nb_1.jpg,toe drain,8,12,24,36,train\n"
    last = f"a_1.jpg,toe drain,1,2,4,6,{split}\n"
    (folder / "t.csv").write_text("image,class,x1,y1,x2,y2,split\n" + rows + last)
    assert kind in [problem.kind for problem in read(folder).problems]


@pytest.mark.parametrize(
    ("line", "message"), [("{broken", "not valid JSON"), ("[1, 2]", "in braces"), ('"a_1.jpg"', "in braces")]
)
def test_a_bad_json_line_is_told(folder: Path, read: Read, line: str, message: str) -> None:
    good = [json.dumps({"image": f"{s}_1.jpg", "class": "toe drain", "box_xyxy_px": [8, 12, 24, 36]}) for s in "abc"]
    (folder / "t.jsonl").write_text("\n".join([*good, line]))
    (problem,) = read(folder).problems
    assert problem.where == "t.jsonl line 4"
    assert message in problem.what


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("image,class,x1,y1,x2,y2\n".encode("utf-16"), "wrong-encoding"),
        ("image,class,x1,y1,x2,y2\na_1.jpg,Böschung,1,2,3,4\n".encode("latin-1"), "wrong-encoding"),
        (b"photo_id,kind\n1,2\n", "no-data"),
        (b"", "no-data"),
        (b"image,class,x1,y1,x2,y2\n", "no-data"),
    ],
)
def test_a_table_that_cannot_be_used_stops_the_reading(folder: Path, read: Read, content: bytes, kind: str) -> None:
    (folder / "t.csv").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(folder)
    assert kind in [problem.kind for problem in caught.value.problems]


def test_a_row_without_box_and_class_says_that_nothing_is_there() -> None:
    assert parse_row({"image": "a.jpg", "class": "", "x1": "", "y1": " ", "x2": "", "y2": ""}, "t.csv line 2") is None


@pytest.mark.parametrize(("name", "column"), [("t.csv", "flight"), ("t.tsv", "Flight ID")])
def test_a_column_decides_the_flight_and_a_photo_without_it_keeps_that_of_its_name(
    folder: Path, read: Read, name: str, column: str
) -> None:
    flights = {"a": "north", "b": "north", "c": ""}
    rows = [f"{stem}_1.jpg,toe drain blocked,8,12,24,36,{flight}" for stem, flight in flights.items()]
    text = "\n".join([f"image,class,x1,y1,x2,y2,{column}", *rows])
    (folder / name).write_text(text.replace(",", "\t") if name.endswith("tsv") else text)
    dataset = read(folder)
    assert {photo.name[-7:-6]: photo.group for photo in dataset.photos} == {"a": "north", "b": "north", "c": "c"}
    assert dataset.problems == ()


GROUPED = [
    ({"site": "ABB"}, "ABB"),
    (
        {"Flight Date": ["2023-06-14 10:12:00", "2023-06-14T11:00:01", "2023-06-15"]},
        ["2023-06-14"] * 2 + ["2023-06-15"],
    ),
    ({"date": ["14.06.2023 10:12", "14.06.2023", "15.06.2023"]}, ["14.06.2023", "14.06.2023", "15.06.2023"]),
    ({"camera": "112"}, "112"),
    ({"site": "ABB", "flight": "112"}, ["A/1", "B/1", "B/2"]),
    ({"Site ID": "ABB", "date": "112", "camera": "xyz"}, ["A/1", "B/1", "B/2"]),
    ({"site": "AAA"}, "abc"),  # one site tells nothing apart: names do
    ({"camera": "AAA"}, "abc"),
    ({"flight": "AAA"}, "AAA"),
]


@pytest.mark.parametrize(("columns", "groups"), GROUPED)
def test_site_flight_and_date_decide_the_flight_and_a_camera_where_nothing_else_does(
    folder: Path, read: Read, columns: dict[str, Any], groups: Any
) -> None:
    rows = [
        ",".join([f"{stem}_1.jpg,toe drain blocked,8,12,24,36", *(values[place] for values in columns.values())])
        for place, stem in enumerate("abc")
    ]
    (folder / "t.csv").write_text("\n".join([",".join(["image,class,x1,y1,x2,y2", *columns]), *rows]))
    dataset = read(folder)
    assert [photo.group for photo in sorted(dataset.photos, key=lambda photo: photo.name)] == list(groups)
    assert {problem.kind for problem in dataset.problems} <= {"one-flight"}


def test_a_photo_of_two_flights_is_told_with_its_line(folder: Path, read: Read) -> None:
    rows = [f"{stem}_1.jpg,toe drain blocked,8,12,24,36,{stem}" for stem in "abc"]
    (folder / "t.csv").write_text("\n".join(["image,class,x1,y1,x2,y2,flight", *rows, rows[0][:-1] + "north"]))
    (problem,) = read(folder).problems
    assert (problem.kind, problem.where) == ("flight-conflict", "t.csv line 5")
    assert "flight a in an earlier row and of north here" in problem.what
