"""Hugging Face image folders: `metadata.jsonl` or `metadata.csv` beside the photos.

A line holds `file_name` and `objects` with lists of `bbox` (x, y, width, height in pixels) and `categories`, or a
`label` for the whole photo. Numbered categories are named in the README.md of the data set.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from core.boxes import WHOLE_PHOTO
from core.data.files import Folder, read_text, split_in
from core.data.formats import shapes
from core.data.formats.base import PIXELS, SHARE, SIZED, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, decode_json, entries, mapping, near_label
from core.data.formats.table_columns import FLIGHT, columns_of
from core.errors import Problem
from core.settings.yaml_text import load_yaml

FILES = ("metadata.jsonl", "metadata.csv")
BOXES, CLASSES = ("bbox", "bboxes", "boxes"), ("categories", "category", "labels", "label", "class", "classes")
PHOTO_KEYS = ("file_name", "image_id", "width", "height", "split")
NAMES_CURE = "Add the names to README.md, as Hugging Face writes them, or write names in place of numbers."


def finds_huggingface(folder: Folder) -> bool:
    """Whether the folder has a metadata file that names photos with objects or a label."""
    return any(_is_metadata(row) for name in _files(folder) for row in _first(folder, name))


def read_huggingface(folder: Folder) -> RawSet:
    """All photos and labels of the metadata files, with everything wrong in them."""
    found = Gathering(folder)
    names = _names(folder)
    numbered: dict[str, str] = {}
    for file in _files(folder):
        for source, row in _rows(folder, file, found.problems):
            photo = str(row.get("file_name") or "")
            if photo:
                objects = parse_row(row, names, source, found)
                numbered |= {one.class_name: file for one in objects if one.class_name.isdecimal()}
                columns = columns_of(list(row))
                found.has_flights = found.has_flights or FLIGHT in columns.places
                size = shapes.size_wh(row.get("width"), row.get("height"))
                split = found.split_of(str(row.get("split") or ""), source) or split_in(file)
                flight = columns.flight_of(row)
                found.add(RawPhoto(photo, split, tuple(objects), size, source, flight), near_label(file))
    for file in dict.fromkeys(numbered.values()):
        listed = ", ".join(sorted(number for number, where in numbered.items() if where == file))
        found.problems.append(Problem(f"the classes {listed} have no names", file, NAMES_CURE, "bad-config"))
    return found.result("huggingface")


def parse_row(row: Mapping[str, Any], names: Mapping[str, str], source: str, found: Gathering) -> list[RawObject]:
    """The objects of one photo.

    Args:
        row: as the file has it.
        names: of classes that are numbers.
        source: file and line.
        found: takes everything wrong.
    """
    objects, grouping = _as_lists(row.get("objects")), columns_of(list(row)).grouping
    if not objects:
        label = next((row[key] for key in CLASSES if row.get(key) not in (None, "")), None)
        rest = tuple(
            (key, str(value))
            for key, value in row.items()
            if key not in (*CLASSES, *PHOTO_KEYS, *grouping) and _is_word(value)
        )
        return [] if label is None else [RawObject(_named(label, names), WHOLE_PHOTO, SHARE, source, rest)]
    for key, value in row.items():
        if key not in (*PHOTO_KEYS, *grouping) and _is_word(value):
            found.notes.ignored("value", f"{key!r} is of a whole photo", source)
    boxes: list[Any] = next((objects[key] for key in BOXES if isinstance(objects.get(key), list)), [])
    labels: list[Any] = next((objects[key] for key in CLASSES if isinstance(objects.get(key), list)), [])
    if len(boxes) != len(labels):
        what = f"{len(boxes)} boxes and {len(labels)} categories"
        found.problems.append(Problem(what, source, "Give every box its category.", "wrong-count"))
        return []
    read = []
    for place, (given, label) in enumerate(zip(boxes, labels, strict=True)):
        where = f"{source} box {place + 1}"
        box = shapes.from_size(given if isinstance(given, list) else [], where)
        if isinstance(box, Problem):
            found.problems.append(box)
            continue
        rest = tuple(
            (key, str(values[place]))
            for key, values in objects.items()
            if key not in (*BOXES, *CLASSES) and isinstance(values, list) and len(values) == len(boxes)
        )
        read.append(RawObject(_named(label, names), box, PIXELS, where, rest, SIZED))
    return read


def _as_lists(objects: Any) -> Mapping[str, Any]:
    """Objects as lists by key; as a list of objects, each with its keys, they are turned over."""
    listed = entries(objects)
    return {key: [one.get(key) for one in listed] for one in listed for key in one} or mapping(objects)


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _named(label: Any, names: Mapping[str, str]) -> str:
    return names.get(str(label), str(label))


def _files(folder: Folder) -> list[str]:
    return [name for name in folder.names if name.lower().rpartition("/")[2] in FILES]


def _is_metadata(row: Mapping[str, Any]) -> bool:
    boxed = _as_lists(row.get("objects")).keys() & set(BOXES)
    labelled = row.keys() & set(CLASSES) and not row.keys() & {"x1", "xmin", "x", "x_center"}
    return "file_name" in row and bool(boxed or labelled)


def _first(folder: Folder, name: str) -> list[Mapping[str, Any]]:
    return [row for _, row in _rows(folder, name, [])][:1]


def _rows(folder: Folder, name: str, problems: list[Problem]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    text = read_text(folder, name)
    if isinstance(text, Problem):
        problems.append(text)
        return
    if name.lower().endswith(".csv"):
        reader = csv.DictReader(io.StringIO(text))
        try:
            for written in reader:
                yield f"{name} line {reader.line_num}", {str(key): value for key, value in written.items()}
        except csv.Error as error:
            what = f"this table cannot be read on ({error})"
            problems.append(Problem(what, name, "Save it as CSV again.", "bad-label"))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        row = decode_json(line, f"{name} line {number}")
        if isinstance(row, Problem):
            problems.append(Problem(row.what, f"{name} line {number}", "Write one object a line.", "bad-label"))
        elif isinstance(row, dict):
            yield f"{name} line {number}", row


def _names(folder: Folder) -> dict[str, str]:
    """Class names by number from the head of README.md; none where it is absent or says nothing of them."""
    name = next((name for name in folder.names if name.lower() == "readme.md"), None)
    text = read_text(folder, name) if name else ""
    if not isinstance(text, str) or not text.startswith("---"):
        return {}
    try:
        tree = load_yaml(text.split("---")[1], as_text=True)
    except yaml.YAMLError:
        return {}
    return _find_names(tree, 0)


def _find_names(tree: Any, depth: int) -> dict[str, str]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        if key == "names" and isinstance(value, dict):
            return {str(number): str(name) for number, name in value.items() if isinstance(name, str)}
        if key == "names" and isinstance(value, list):
            return {str(number): name for number, name in enumerate(value) if isinstance(name, str)}
        if depth < 8 and (found := _find_names(value, depth + 1)):
            return found
    return {}


FORMAT = LabelFormat(
    "huggingface", "Hugging Face (metadata.jsonl)", (".jsonl", ".csv"), finds_huggingface, read_huggingface
)
