"""Tables: CSV (comma, semicolon, tab or bar) or JSON lines, one object a row.

Columns, in any order, case ignored; `table_columns.py` has all spellings:

- `image` (or filename, file, photo, …): the photo's path in the data folder;
- `class` (or label, category, …), or the two columns `object_type` and `condition`;
- the box: `x1, y1, x2, y2` (or xmin, ymin, xmax, ymax) in pixels of the photo as viewed, or `x, y, width, height` in
  pixels, or `x_center, y_center, width, height` as fractions 0 to 1, or the corners `x1, y1` to `x4, y4` of a turned
  box, or in JSON lines `box_xyxy_px: [x1, y1, x2, y2]`;
- `split` (optional): train, valid or val, test;
- `site`, `flight`, `date`, `camera` (optional): what of them is stated together tells which photos stay on one side.

With corners, `width` and `height` may state the photo's size. A row with an image alone is a photo in which nothing is
to be seen. Every other column is an attribute of its object.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from core.data.files import SPLIT_WORDS, Folder, is_photo, read_text, split_in
from core.data.formats import shapes
from core.data.formats.base import PIXELS, SHARE, LabelFormat, RawObject, RawPhoto, RawSet, without_photo
from core.data.formats.gather import Gathering
from core.data.formats.table_columns import (
    CENTRE,
    CLASS,
    CORNERS,
    FLIGHT,
    IMAGE,
    LISTED,
    QUAD,
    SIZED,
    SPLIT,
    Columns,
    columns_of,
    columns_without_names,
)
from core.errors import Problem
from core.units import counted

TABLES, LINES = (".csv", ".tsv"), (".jsonl", ".ndjson")
BOX_CURE = "Name the columns image, class, x1, y1, x2, y2 (pixels), and split if there is one."
NOTHING = frozenset(("", "nan", "none", "null", "na", "n/a"))
SAMPLE = 100_000  # characters that show whether a file is a table of boxes


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes:
        source: file and line.
        values: by the columns' names as written; a problem where the line cannot be read.
        columns: what they mean.
    """

    source: str
    values: Mapping[str, Any] | Problem
    columns: Columns


def finds_table(folder: Folder) -> bool:
    """Whether a CSV or JSON-lines file of the folder has an image and a box in its columns."""
    return any(_is_table(folder, name) for name in folder.names)


def read_table(folder: Folder) -> RawSet:
    """All photos and labels of the folder's tables, with everything wrong in them."""
    found = Gathering(folder)
    known: dict[str, str | None] = {}
    tables = [name for name in folder.names if _is_table(folder, name)]
    # A file that was meant but is no table of boxes still gets its sentence.
    for name in (name for name in folder.names if name.lower().endswith((*TABLES, *LINES))):
        text = read_text(folder, name)
        if isinstance(text, Problem):
            found.problems.append(text)
        elif tables and name not in tables:
            found.notes.ignored("table", "no photos with boxes in it", name)
        else:
            _read_one(name, text, known, found)
    return found.result("table")


def _read_one(name: str, text: str, known: dict[str, str | None], found: Gathering) -> None:
    """Add the rows of one table; `known` holds photos by the names that were looked up already."""
    rows = 0
    others: dict[str, str] = {}
    earlier = {photo: label.source.rpartition(" line ")[0] for photo, label in found.photos.items()}
    for rows, row in enumerate(read_rows(text, name), 1):
        if isinstance(row.values, Problem):
            found.problems.append(row.values)
            continue
        if row.columns.headless and rows == 1:
            found.notes.inferred("table", f"has no header and was read as {row.columns.headless}", name)
        photo = _photo_of(row, row.values, known, found)
        if photo in earlier:
            others.setdefault(photo, earlier[photo])
        elif photo:
            _add_row(row, row.values, photo, found)
    if others:
        first, other = next(iter(others.items()))
        what = f"{counted(len(others), 'photo')} labelled in another table too ({first} in {other})"
        found.problems.append(Problem(what, name, "Keep one table, or put all rows into one.", "duplicate-photo"))
    if not rows:
        found.problems.append(Problem("this table has no row", name, "Fill it or remove it.", "empty-split"))


def parse_row(values: Mapping[str, Any], source: str, columns: Columns | None = None) -> RawObject | Problem | None:
    """The object of a row, None for a row that states only that a photo holds nothing, or what is wrong with it.

    Args:
        values: by the columns' names: text, or what JSON has.
        source: file and line.
        columns: what they mean; by their names if None.
    """
    columns = columns or columns_of(list(values))
    cells = {meaning: values.get(name) for meaning, name in columns.places.items()}
    kind = " ".join(_text(cells.get(key)) for key in ("object_type", "condition")).strip()
    name = _text(cells.get(CLASS)) or kind
    listed = cells.get(LISTED)
    if columns.shape == (LISTED,):
        written = listed if isinstance(listed, list) else []
    else:
        written = [cells.get(part) for part in columns.shape or ("x1", "y1", "x2", "y2")]
    if all(_is_nothing(value) for value in written) and _is_nothing(name):
        return None
    present = [value for value in written if _text(value)]
    if len(present) != len(written) or not written:
        what = f"the box: {len(written) or 4} numbers expected, {len(present)} found"
        return Problem(what, source, BOX_CURE, "wrong-count")
    if not name:
        return Problem("this row has a box but no class", source, "Write its class.", "unknown-class")
    box = _box(columns.shape, present, source)
    if isinstance(box, Problem):
        return box
    rest = tuple((column, _text(values.get(column))) for column in columns.rest)
    shape = ", ".join(columns.shape if columns.shape in (SIZED, CENTRE) else CORNERS)
    return RawObject(name, box, SHARE if columns.shape == CENTRE else PIXELS, source, rest, shape)


def _box(shape: Sequence[str], written: Sequence[Any], source: str) -> Any:
    if shape == QUAD:
        return shapes.around(written, source)
    if shape == SIZED:
        return shapes.from_size(written, source)
    return shapes.from_middle(written, source) if shape == CENTRE else shapes.four(written, source)


def _photo_of(row: Row, values: Mapping[str, Any], known: dict[str, str | None], found: Gathering) -> str | None:
    """The photo that a row names; None without one, which is reported."""
    table = row.source.rpartition(" line ")[0]
    written = _text(values.get(row.columns.places.get(IMAGE, IMAGE)))
    if not written and all(_is_nothing(values.get(name)) for name in row.columns.places.values()):
        found.notes.ignored("row", "empty", row.source)
        return None
    if not written:
        found.problems.append(Problem("this row names no photo", row.source, "Name it.", "label-without-photo"))
        return None
    if written not in known:
        here = str(PurePosixPath(table).parent)
        near = ["" if here == "." else here, f"{here}/images".removeprefix("./"), "images"]
        known[written] = found.find(written, near, row.source)
    elif known[written] is None:
        found.problems.append(without_photo(row.source, f"no such photo: {written}"))
    return known[written]


def _add_row(row: Row, values: Mapping[str, Any], name: str, found: Gathering) -> None:
    """Add a row's object to the photo called `name`."""
    table = row.source.rpartition(" line ")[0]
    split = _split(row, values, name, table, found)
    size = row.columns.photo_size
    stated = shapes.size_wh(values.get(size[0]), values.get(size[1])) if size else None
    photo = found.photos.get(name) or RawPhoto(name, split, (), stated, row.source)
    if photo.split != split:
        what = f"{name} is in the split {photo.split or 'none'} at {photo.source} and in {split or 'none'} here"
        found.problems.append(Problem(what, row.source, "Keep a photo in one split.", "split-conflict"))
    flight = row.columns.flight_of(values)
    found.has_flights = found.has_flights or FLIGHT in row.columns.places
    if flight and photo.flight and flight != photo.flight:
        what = f"{name} is of the flight {photo.flight} in an earlier row and of {flight} here"
        found.problems.append(Problem(what, row.source, "Keep a photo in one flight.", "flight-conflict"))
    photo = replace(photo, flight=photo.flight or flight)
    read = parse_row(values, row.source, row.columns)
    if isinstance(read, Problem):
        found.problems.append(read)
    elif read:
        if row.columns.shape == QUAD:
            found.notes.inferred("object", "of four corners became the box around them", row.source)
        photo = replace(photo, objects=(*photo.objects, read))
    found.photos[name] = photo


def _split(row: Row, values: Mapping[str, Any], name: str, table: str, found: Gathering) -> str:
    stated = _text(values.get(row.columns.places.get(SPLIT, SPLIT)))
    split = SPLIT_WORDS.get(stated.lower(), "")
    if stated and not split:
        what = f"{stated!r} is no split"
        found.problems.append(Problem(what, row.source, "Write train, valid or test.", "unknown-split"))
    return split or split_in(name) or split_in(table) or SPLIT_WORDS.get(PurePosixPath(table).stem.lower(), "")


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _is_nothing(value: Any) -> bool:
    return _text(value).lower() in NOTHING


def _is_table(folder: Folder, name: str) -> bool:
    if not name.lower().endswith((*TABLES, *LINES)):
        return False
    text = read_text(folder, name)
    if isinstance(text, Problem):
        return False
    text = _body(_with_plain_lines(text))
    if not name.lower().endswith(LINES) and columns_of(_header(text)).is_table:
        return True
    return any(row.columns.is_table for row, _ in zip(read_rows(text[:SAMPLE], name), range(1), strict=False))


def read_rows(text: str, name: str) -> Iterator[Row]:
    """The rows of a table; `name` is its file's."""
    yield from _json_rows(text, name) if name.lower().endswith(LINES) else _csv_rows(_with_plain_lines(text), name)


def _with_plain_lines(text: str) -> str:
    """The text with lines that end alike; some spreadsheets end them with a carriage return alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _body(text: str) -> str:
    """The text without Excel's first line, which names the delimiter."""
    first, _, rest = text.partition("\n")
    return rest if first.strip().lower().startswith("sep=") else text


def _header(text: str) -> list[str]:
    first = text.partition("\n")[0]
    try:
        names = [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(first)), [])]
    except csv.Error:
        return []
    # A second column of a name is another one, whose values count as well.
    return [
        f"{name} {names[:place].count(name) + 1}" if name in names[:place] else name for place, name in enumerate(names)
    ]


def _delimiter(first: str) -> str:
    return max(",;\t|", key=first.count)


def _csv_rows(text: str, name: str) -> Iterator[Row]:
    body = _body(text)
    skipped = text.count("\n") - body.count("\n")
    header = _header(body)
    columns = columns_of(header)
    delimiter = _delimiter(body.partition("\n")[0])
    headless = None
    if IMAGE not in columns.places and any(is_photo(cell) for cell in header):
        headless = columns_without_names(list(_parsed(body, delimiter)))
    if headless:
        columns, header = headless, [str(place + 1) for place in range(len(header))]
    reader = csv.reader(io.StringIO(body), delimiter=delimiter, skipinitialspace=True)
    line = 1
    try:
        for values in reader:
            first = line == 1 and not headless
            line = reader.line_num + 1
            source = f"{name} line {reader.line_num + skipped}"
            if first or not any(value.strip() for value in values):
                continue
            if len(values) == len(header):
                yield Row(source, dict(zip(header, values, strict=True)), columns)
            elif sum(bool(value.strip()) for value in values) > 1:
                what = f"{len(header)} values expected, {len(values)} found"
                yield Row(source, Problem(what, source, f"Write: {', '.join(header)}.", "wrong-count"), columns)
    except csv.Error as error:
        what = f"this table cannot be read on ({error})"
        where = f"{name} line {line + skipped}"
        yield Row(name, Problem(what, where, "Save it as CSV again.", "bad-label"), columns)


def _parsed(text: str, delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    except csv.Error:
        return


def _json_rows(text: str, name: str) -> Iterator[Row]:
    meant: dict[tuple[str, ...], Columns] = {}
    none = columns_of([])
    for number, line in enumerate(text.splitlines(), 1):
        source = f"{name} line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            wrong = Problem("this line is not valid JSON", source, "Write one object a line.", "bad-label")
            yield Row(source, wrong, none)
            continue
        if isinstance(row, dict):
            keys = tuple(row)
            if keys not in meant:
                meant[keys] = columns_of(keys)
            yield Row(source, row, meant[keys])
        else:
            wrong = Problem("an object in braces expected", source, "Write one object a line.", "bad-label")
            yield Row(source, wrong, none)


FORMAT = LabelFormat(
    "table", "a table (CSV, JSON lines)", (".csv", ".tsv", ".jsonl", ".ndjson"), finds_table, read_table
)
