"""Supervisely: a JSON file for each photo, `ds0/ann/a.jpg.json` for `ds0/img/a.jpg`, with `objects` in pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from core.data.files import Folder
from core.data.formats import shapes
from core.data.formats.base import PIXELS, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem

LEAST_POINTS = {"rectangle": 2, "polygon": 3, "oriented_bbox": 2}


def finds_supervisely(folder: Folder) -> bool:
    """Whether a JSON file of the folder is Supervisely's."""
    return any_head(folder, ".json", r'"objects"', r'"(classTitle|geometryType)"')


def read_supervisely(folder: Folder) -> RawSet:
    """All photos and labels of Supervisely's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, tree in json_files(folder, found.problems):
        if isinstance(tree, dict) and isinstance(tree.get("objects"), list) and isinstance(tree.get("size"), dict):
            found.add(parse_supervisely(tree, name, found), near_label(name, "img", "images"))
    return found.result("supervisely")


def parse_supervisely(tree: Mapping[str, Any], source: str, found: Gathering) -> RawPhoto:
    """The labelled photo of one decoded file, named by the file's name.

    Args:
        tree: the decoded JSON.
        source: the file's name.
        found: takes everything wrong, and what is not used.
    """
    objects = []
    for place, written in enumerate(entries(tree.get("objects"))):
        where = f"{source} object {place + 1}"
        kind = str(written.get("geometryType") or "rectangle")
        if kind not in LEAST_POINTS:
            found.notes.ignored(f"{kind} shape", "no box", where)
            continue
        box = shapes.around(mapping(written.get("points")).get("exterior"), where, LEAST_POINTS[kind])
        if isinstance(box, Problem):
            found.problems.append(box)
            continue
        if kind == "oriented_bbox":
            turn = written.get("angle")
            found.notes.inferred("turned box", "became the box around it", where)
            box = shapes.around_turned(box, math.degrees(turn) if isinstance(turn, int | float) else 0.0)
        objects.append(RawObject(str(written.get("classTitle") or ""), box, PIXELS, where, _tags(written)))
    for tag in entries(tree.get("tags")):
        found.notes.ignored("tag", f"{tag.get('name')!r} is of a whole photo", source)
    size = mapping(tree.get("size"))
    name = PurePosixPath(source).name.removesuffix(".json")
    return RawPhoto(name, "", tuple(objects), shapes.size_wh(size.get("width"), size.get("height")), source)


def _tags(written: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Tags of an object; one without a value says its own name."""
    named = [(str(tag.get("name")), tag.get("value")) for tag in entries(written.get("tags"))]
    return tuple((name, "true" if value in (None, "") else str(value)) for name, value in named)


FORMAT = LabelFormat(
    "supervisely", "Supervisely (JSON)", (".json",), finds_supervisely, read_supervisely, per_photo=True
)
