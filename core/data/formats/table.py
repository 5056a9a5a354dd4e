"""Tables: CSV (comma, semicolon or tab) or JSON lines, one object a row.

Columns, in any order, case ignored:

- `image` (or filename, file_name, file, photo): the photo's path in the data folder;
- `class` (or label, class_name, category), or the two columns `object_type` and `condition`;
- the box: `x1, y1, x2, y2` (or xmin, ymin, xmax, ymax) in pixels of the photo as viewed, or `x_center, y_center, width,
  height` as fractions 0 to 1, or in JSON lines `box_xyxy_px: [x1, y1, x2, y2]`;
- `split` (optional): train, valid or val, test.

With pixel boxes, `width` and `height` may state the photo's size. A row with an image alone is a photo in which nothing
is to be seen.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from core.data.files import SPLIT_WORDS, Folder, read_text, split_in
from core.data.formats.base import (
    PIXELS,
    SHARE,
    LabelFormat,
    RawObject,
    RawPhoto,
    RawSet,
    numbers,
    without_label,
    without_photo,
)
from core.errors import Problem

SPELLED = {
    "filename": "image",
    "file_name": "image",
    "file": "image",
    "photo": "image",
    "label": "class",
    "class_name": "class",
    "category": "class",
    "xmin": "x1",
    "ymin": "y1",
    "xmax": "x2",
    "ymax": "y2",
    "subset": "split",
    "set": "split",
}
CORNERS, CENTRE = ("x1", "y1", "x2", "y2"), ("x_center", "y_center", "width", "height")
TABLES, LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")
COLUMNS = "Name the columns image, class, x1, y1, x2, y2 (pixels), and split if there is one."

Row = Mapping[str, Any]


def finds_table(folder: Folder) -> bool:
    """Whether a CSV or JSON-lines file of the folder has an image and a box in its columns."""
    return any(_is_table(folder, name) for name in folder.names)


def read_table(folder: Folder) -> RawSet:
    """All photos and labels of the folder's tables, with everything wrong in them."""
    problems: list[Problem] = []
    photos: dict[str, RawPhoto] = {}
    files = [name for name in folder.names if _is_table(folder, name)]
    # A file that was meant but is no table of ours still gets its sentence.
    for name in (name for name in folder.names if name.lower().endswith((*TABLES, *LINES))):
        text = read_text(folder, name)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        if files and name not in files:
            continue
        used = len(photos)
        for source, row in _rows(text, name):
            if isinstance(row, Problem):
                problems.append(row)
            else:
                _add_row(folder, row, (name, source), photos, problems)
        if len(photos) == used and not any(problem.where.startswith(name) for problem in problems):
            problems.append(Problem("this table has no row", name, "Fill it or remove it.", "empty-split"))
    problems.extend(without_label(name) for name in folder.photos if name not in photos)
    return RawSet("table", tuple(photos.values()), tuple(problems))


def parse_row(row: Row, source: str) -> RawObject | Problem | None:
    """The object of a row, None for a row that states only that a photo holds nothing, or what is wrong with it.

    Args:
        row: values by the columns' usual names: text, or what JSON has.
        source: file and line.
    """
    kind = " ".join(str(row.get(key) or "").strip() for key in ("object_type", "condition")).strip()
    name = str(row.get("class") or "").strip() or kind
    given = row.get("box_xyxy_px")
    if isinstance(given, list):
        written, unit = given, PIXELS
    elif "x_center" in row:
        written, unit = [row.get(key) for key in CENTRE], SHARE
    else:
        written, unit = [row.get(key) for key in CORNERS], PIXELS
    present = [value for value in written if value is not None and str(value).strip()]
    if not present and not name:
        return None
    if len(present) != 4 or len(written) != 4:
        return Problem(f"the box: 4 numbers expected, {len(present)} found", source, COLUMNS, "wrong-count")
    if not name:
        return Problem("this row has a box but no class", source, "Write its class.", "unknown-class")
    values = numbers(present, source)
    if isinstance(values, Problem):
        return values
    a, b, c, d = values
    box = (a, b, c, d) if unit == PIXELS else (a - c / 2, b - d / 2, a + c / 2, b + d / 2)
    return RawObject(name, box, unit, source)


def _add_row(
    folder: Folder, row: Row, where: tuple[str, str], photos: dict[str, RawPhoto], problems: list[Problem]
) -> None:
    """Add a row's object to its photo in `photos`; `where` is (table, table and line)."""
    table, source = where
    written = str(row.get("image") or "").strip()
    here = str(PurePosixPath(table).parent)
    near = ["" if here == "." else here, f"{here}/images".removeprefix("./"), "images"]
    name = folder.photo_names.find(written, near).photo if written else None
    if name is None:
        lost = {PurePosixPath(refused).name for refused in folder.refused}
        if PurePosixPath(written.replace("\\", "/")).name not in lost:
            what = f"no such photo: {written}" if written else "this row names no photo"
            problems.append(without_photo(source, what))
        return
    stated = str(row.get("split") or "").strip()
    split = SPLIT_WORDS.get(stated.lower(), "")
    if stated and not split:
        problems.append(Problem(f"{stated!r} is no split", source, "Write train, valid or test.", "unknown-split"))
    split = split or split_in(name) or split_in(table) or SPLIT_WORDS.get(PurePosixPath(table).stem.lower(), "")
    photo = photos.get(name) or RawPhoto(name, split, (), _size(row), source)
    if photo.split != split:
        what = f"{name} is in the split {photo.split or 'none'} at {photo.source} and in {split or 'none'} here"
        problems.append(Problem(what, source, "Keep a photo in one split.", "split-conflict"))
    found = parse_row(row, source)
    if isinstance(found, Problem):
        problems.append(found)
    elif found:
        photo = replace(photo, objects=(*photo.objects, found))
    photos[name] = photo


def _size(row: Row) -> tuple[int, int] | None:
    width, height = str(row.get("width") or ""), str(row.get("height") or "")
    if "x_center" in row or not (width.isdecimal() and height.isdecimal()):
        return None
    return int(width), int(height)


def _is_table(folder: Folder, name: str) -> bool:
    if not name.lower().endswith((*TABLES, *LINES)):
        return False
    text = read_text(folder, name)
    if isinstance(text, Problem):
        return False
    first = next((row for _, row in _rows(text[:100_000], name)), None)
    columns: Any = first if isinstance(first, dict) else ()
    if isinstance(first, Problem):
        columns = _header(text)
    return "image" in columns and any(key in columns for key in ("x1", "x_center", "box_xyxy_px"))


def _rows(text: str, name: str) -> Iterator[tuple[str, dict[str, Any] | Problem]]:
    """(`file line n`, row) with the columns' usual names."""
    return _json_rows(text, name) if name.lower().endswith(LINES) else _csv_rows(text, name)


def _usual(column: Any) -> str:
    plain = str(column).strip().lower().replace(" ", "_")
    return SPELLED.get(plain, plain)


def _header(text: str) -> list[str]:
    first = text.partition("\n")[0]
    return [_usual(column) for column in next(csv.reader([first], delimiter=_delimiter(first)), [])]


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count)


def _csv_rows(text: str, name: str) -> Iterator[tuple[str, dict[str, Any] | Problem]]:
    header = _header(text)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0]))
    line = 1
    try:
        next(reader, None)
        for values in reader:
            line = reader.line_num
            source = f"{name} line {line}"
            if not any(value.strip() for value in values):
                continue
            if len(values) != len(header):
                what = f"{len(header)} values expected, {len(values)} found"
                yield source, Problem(what, source, f"Write: {', '.join(header)}.", "wrong-count")
            else:
                yield source, dict(zip(header, values, strict=True))
    except csv.Error as error:
        what = f"this table cannot be read on ({error})"
        yield name, Problem(what, f"{name} line {line + 1}", "Save it as CSV again.", "bad-label")


def _json_rows(text: str, name: str) -> Iterator[tuple[str, dict[str, Any] | Problem]]:
    for number, line in enumerate(text.splitlines(), 1):
        source = f"{name} line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield source, Problem("this line is not valid JSON", source, "Write one object a line.", "bad-label")
            continue
        if isinstance(row, dict):
            yield source, {_usual(key): value for key, value in row.items()}
        else:
            yield source, Problem("an object in braces expected", source, "Write one object a line.", "bad-label")


FORMAT = LabelFormat(
    "table", "a table (CSV, JSON lines)", (".csv", ".tsv", ".jsonl", ".ndjson"), finds_table, read_table
)
