"""COCO: JSON files with `images`, `annotations` (bbox: [x, y, width, height] in pixels) and `categories`.

One file for each split (`train/_annotations.coco.json` as Roboflow writes them, `annotations/instances_val.json`) or
one for all. An annotation without a bbox is boxed around its polygons. Faults are placed by annotation id, for such a
file is often a single line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from core.data.files import SPLIT_WORDS, Folder, read_text, split_in
from core.data.formats.base import (
    PIXELS,
    SIZED,
    LabelFormat,
    RawObject,
    RawPhoto,
    RawSet,
    numbers,
    without_photo,
)
from core.data.formats.gather import Gathering, decode_json, mapping
from core.data.formats.shapes import size_wh
from core.data.notes import Notes
from core.errors import Problem

COCO_NAME = re.compile(r"coco|instances|_annotations")
KEYS = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation", "keypoints", "num_keypoints")
NOT_READ = {"segmentation": "segmentation", "keypoints": "keypoint list"}  # beside a bbox
FILE_NAMES = ("file_name", "filename", "path", "coco_url")  # of a photo; the first is COCO's own
MOST_DIGITS = 18
BOX = "Write bbox: [x, y, width, height] in pixels."


def finds_coco(folder: Folder) -> bool:
    """Whether any JSON file of the folder holds images and annotations."""
    return bool(_files(folder, []))


def read_coco(folder: Folder) -> RawSet:
    """All photos and labels of a COCO folder, with everything wrong in it."""
    found = Gathering(folder)
    trees = {name: decode_json(text, name) for name, text in _files(folder, found.problems).items()}
    named = any(isinstance(tree, dict) and tree.get("categories") for tree in trees.values())
    for name, tree in trees.items():
        if isinstance(tree, Problem):
            found.problems.append(tree)
            continue
        if named and isinstance(tree, dict) and "categories" not in tree:
            found.notes.ignored("file", "no categories in it, as in captions", name)
            continue
        near, split = _places(name)
        photos, wrong = parse_coco(tree, name)
        found.problems.extend(wrong)
        for photo in photos:
            found.add(replace(photo, split=split), near)
        if not photos:
            what = f"the split {split} has no photo" if split else "this file names no photo"
            found.problems.append(Problem(what, name, "Add its photos, or remove the file.", "empty-split"))
    return found.result("coco")


def parse_coco(tree: Any, source: str) -> tuple[list[RawPhoto], list[Problem]]:
    """Photos and problems of one COCO file.

    Args:
        tree: the decoded JSON.
        source: the file's name.

    Returns:
        Photos named as the file names them, without a split; and everything wrong.
    """
    if not isinstance(tree, dict):
        return [], [Problem("a COCO file holds one object", source, "Export the labels again.", "bad-label")]
    problems: list[Problem] = []
    notes = Notes()
    images = _by_id(tree.get("images"), f"{source} images", problems)
    categories = _by_id(tree.get("categories"), f"{source} categories", problems)
    objects: dict[Any, list[RawObject]] = {key: [] for key in images}
    entries = tree.get("annotations")
    if not isinstance(entries, list):
        problems.append(Problem("annotations: a list expected", source, "Export the labels again.", "bad-label"))
        entries = []
    for index, entry in enumerate(entries):
        where = f"{source} annotation {entry.get('id', index) if isinstance(entry, dict) else index}"
        if not isinstance(entry, dict):
            problems.append(Problem("an annotation is an object", where, "Remove it.", "bad-label"))
        elif entry.get("iscrowd") in (1, "1", True):
            notes.ignored("crowd region", "no single object is marked", where)
        elif _key(entry.get("image_id")) not in images:
            problems.append(without_photo(where, f"no image has the id {entry.get('image_id')!r}"))
        else:
            found = _object(entry, categories, where)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                objects[_key(entry["image_id"])].append(found)
                for key, noun in NOT_READ.items():
                    if entry.get(key) and entry.get("bbox"):
                        notes.ignored(noun, "the bbox is", where)
    photos = []
    for key, image in images.items():
        where = f"{source} image {key}"
        named = next((image[name] for name in FILE_NAMES if image.get(name) and isinstance(image[name], str)), "")
        if named:
            size = size_wh(image.get("width"), image.get("height"))
            photos.append(RawPhoto(named, "", tuple(objects[key]), size, where))
        else:
            problems.append(Problem("this image has no file_name", where, "Name its photo.", "bad-label"))
    return photos, [*problems, *notes.problems()]


def _files(folder: Folder, problems: list[Problem]) -> dict[str, str]:
    """The text of every COCO file by its name; JSON of other kinds is passed over."""
    found = {}
    for name in folder.names:
        if name.lower().endswith(".json"):
            text = read_text(folder, name)
            if isinstance(text, Problem):
                problems.append(text)
            elif _is_coco(name, text):
                found[name] = text
    return found


def _is_coco(name: str, text: str) -> bool:
    if '"annotations"' in text and '"images"' in text:
        return True
    # A file that is cut off may have lost one of the two words: its name counts as well.
    return bool(COCO_NAME.search(PurePosixPath(name).name.lower())) and not text.lstrip().startswith("[")


def _places(name: str) -> tuple[list[str], str]:
    """Folders in which the photos of a COCO file may lie, nearest first, and its split."""
    path = PurePosixPath(name)
    here = "" if str(path.parent) == "." else str(path.parent)
    above = str(PurePosixPath(here).parent) if here else ""
    above = "" if above == "." else above
    words = re.split(r"[^a-z]+", path.stem.lower())
    split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "") or split_in(name)
    own = path.stem.removeprefix("instances_")
    folders = [here, *(f"{base}/{part}".strip("/") for base in (here, above) for part in ("images", own))]
    folders += [f"{above}/images/{own}".strip("/")]
    for word in (word for word, meant in SPLIT_WORDS.items() if split and meant == split):
        folders += [f"{above}/{place}".strip("/") for place in (word, f"{word}/images", f"images/{word}")]
    return list(dict.fromkeys((*folders, above))), split


def _by_id(given: Any, where: str, problems: list[Problem]) -> dict[Any, Mapping[str, Any]]:
    found: dict[Any, Mapping[str, Any]] = {}
    if not isinstance(given, list):
        problems.append(Problem("a list expected", where, "Export the labels again.", "bad-label"))
        return found
    for index, entry in enumerate(given):
        key = _key(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            problems.append(Problem(f"entry {index} has no id", where, "Export the labels again.", "bad-label"))
        elif key in found:
            problems.append(Problem(f"the id {key} comes twice", where, "Give every entry its own id.", "bad-label"))
        else:
            found[key] = entry
    return found


def _key(value: Any) -> int | str | None:
    """An id, so that 1, 1.0, "1" and "0001" are one: other tools write them as text, pandas with a decimal point."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() and value.isascii() and len(value) < MOST_DIGITS else value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _object(entry: Mapping[str, Any], categories: Mapping[Any, Mapping[str, Any]], where: str) -> RawObject | Problem:
    number = entry.get("category_id")
    category = categories.get(_key(number))
    if category is None:
        what = "this annotation has no category_id" if number is None else f"no category has the id {number!r}"
        return Problem(what, where, "Add it to categories.", "unknown-class")
    name = category.get("name")
    if not isinstance(name, str) or not name:
        return Problem(f"the category {number!r} has no name", where, "Name it in categories.", "unknown-class")
    box = entry.get("bbox")
    if box is None or box == []:
        return _box_of_polygons(entry, category, where)
    if not isinstance(box, list) or len(box) != 4:
        found = len(box) if isinstance(box, list) else "none"
        return Problem(f"bbox: 4 numbers expected, {found} found", where, BOX, "wrong-count")
    values = numbers(box, where)
    if isinstance(values, Problem):
        return values
    x, y, width, height = values
    return RawObject(name, (x, y, x + width, y + height), PIXELS, where, _attributes(entry, category), SIZED)


def _attributes(entry: Mapping[str, Any], category: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """CVAT's and Datumaro's `attributes`, whatever else an annotation says in a word, and the class's own class."""
    stated = {key: value for key, value in entry.items() if key not in KEYS and isinstance(value, str | int | float)}
    above = category.get("supercategory")
    if isinstance(above, str) and above not in (category.get("name"), "none"):
        stated["supercategory"] = above
    return tuple((str(key), str(value)) for key, value in {**stated, **mapping(entry.get("attributes"))}.items())


def _box_of_polygons(entry: Mapping[str, Any], category: Mapping[str, Any], where: str) -> RawObject | Problem:
    """The box around polygons [[x1, y1, x2, y2, …], …]."""
    segmentation = entry.get("segmentation")
    flat = (
        [value for part in segmentation if isinstance(part, list) for value in part]
        if segmentation and isinstance(segmentation, list)
        else []
    )
    if isinstance(segmentation, dict) and "counts" in segmentation:
        return Problem("a mask (RLE) and neither a bbox nor a polygon", where, BOX, "wrong-count")
    if len(flat) < 6 or len(flat) % 2:
        return Problem("neither a bbox nor a polygon", where, BOX, "wrong-count")
    values = numbers(flat, where)
    if isinstance(values, Problem):
        return values
    box = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    return RawObject(str(category.get("name")), box, PIXELS, where, _attributes(entry, category))


FORMAT = LabelFormat("coco", "COCO (JSON)", (".json",), finds_coco, read_coco)
