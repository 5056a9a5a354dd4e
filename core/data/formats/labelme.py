"""labelme: a JSON file beside each photo, with `shapes` of two corners or many points in pixels.

X-AnyLabeling writes the same, with attributes. A polygon, a circle, a mask or a turned box becomes the box around it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from core.boxes import BoxXyxy
from core.data.files import Folder
from core.data.formats import shapes
from core.data.formats.base import PIXELS, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem

AROUND = ("polygon", "oriented_rectangle", "rotation")
ATTRIBUTES = ("description", "difficult")


def finds_labelme(folder: Folder) -> bool:
    """Whether a JSON file of the folder is labelme's."""
    return any_head(folder, ".json", r'"shapes"', r'"(imagePath|imageHeight|shape_type)"')


def read_labelme(folder: Folder) -> RawSet:
    """All photos and labels of labelme's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, tree in json_files(folder, found.problems):
        if isinstance(tree, dict) and isinstance(tree.get("shapes"), list):
            label = parse_labelme(tree, name, found)
            near = near_label(name, "images")
            # By the label's own name first: photos are renamed together with their label, the path in it stays.
            own = found.folder.photo_in(near, PurePosixPath(name).stem)
            found.add(replace(label, name=own) if own else label, near)
    return found.result("labelme")


def parse_labelme(tree: Mapping[str, Any], source: str, found: Gathering) -> RawPhoto:
    """The labelled photo of one decoded file, named as the file names it.

    Args:
        tree: the decoded JSON.
        source: the file's name.
        found: takes everything wrong, and what is not used.
    """
    objects = []
    for place, shape in enumerate(entries(tree.get("shapes"))):
        where = f"{source} shape {place + 1}"
        box = _box(str(shape.get("shape_type") or "polygon"), shape.get("points"), where)
        if isinstance(box, Problem):
            found.problems.append(box)
        elif box is None:
            found.notes.ignored(f"{shape['shape_type']} shape", "no box", where)
        else:
            objects.append(RawObject(str(shape.get("label") or ""), box, PIXELS, where, _attributes(shape)))
    for flag, ticked in mapping(tree.get("flags")).items():
        if ticked is True:
            found.notes.ignored("flag", f"{flag!r} is of a whole photo", source)
    size = shapes.size_wh(tree.get("imageWidth"), tree.get("imageHeight"))
    return RawPhoto(str(tree.get("imagePath") or PurePosixPath(source).stem), "", tuple(objects), size, source)


def _box(kind: str, points: Any, where: str) -> BoxXyxy | Problem | None:
    listed = points if isinstance(points, list) else []
    if kind in ("rectangle", "mask") and len(listed) == 2:
        return shapes.around(listed, where, least=2)
    if kind == "circle" and len(listed) == 2:
        # The middle, and a point on the rim.
        ends = shapes.four([end for point in listed if isinstance(point, list) for end in point], where)
        if isinstance(ends, Problem):
            return ends
        radius = math.hypot(ends[2] - ends[0], ends[3] - ends[1])
        return ends[0] - radius, ends[1] - radius, ends[0] + radius, ends[1] + radius
    return shapes.around(listed, where) if kind in (*AROUND, "rectangle", "mask", "circle") else None


def _attributes(shape: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    stated = {key: shape.get(key) for key in ATTRIBUTES} | dict(mapping(shape.get("flags")))
    stated |= mapping(shape.get("attributes"))
    return tuple((str(key), str(value)) for key, value in stated.items() if value not in (None, False, ""))


FORMAT = LabelFormat("labelme", "labelme (JSON)", (".json",), finds_labelme, read_labelme, per_photo=True)
