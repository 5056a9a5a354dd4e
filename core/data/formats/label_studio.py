"""Label Studio: a JSON list of tasks, each a photo with the regions drawn in it, in per cent of its width and height.

Both of its exports are read: JSON, with `annotations` of `result`s, and JSON-MIN, with a list of regions for each tool.
Choices made for a region are its attributes. Shapes that are turned and polygons become the box around them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from core.boxes import BoxXyxy
from core.data.files import Folder, is_photo
from core.data.formats import shapes
from core.data.formats.base import SHARE, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem

REGION = ("x", "y", "width", "height")


def finds_label_studio(folder: Folder) -> bool:
    """Whether a JSON file of the folder is Label Studio's."""
    return any_head(folder, ".json", r'"(original_width|rectanglelabels|polygonlabels)"') or any_head(
        folder, ".json", r'"(annotations|completions)"', r'"result"', r'"data"'
    )


def read_label_studio(folder: Folder) -> RawSet:
    """All photos and labels of Label Studio's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, tree in json_files(folder, found.problems):
        tasks = entries(tree) if isinstance(tree, list) else [tree] if isinstance(tree, dict) else []
        for place, task in enumerate(tasks):
            photo = _photo_name(mapping(task.get("data")) or task)
            if photo:
                source = f"{name} task {task.get('id', place + 1)}"
                label = parse_task(task, photo, source, found)
                if label:
                    found.add(label, near_label(name, "images"))
    return found.result("label_studio")


def parse_task(task: Mapping[str, Any], photo: str, source: str, found: Gathering) -> RawPhoto | None:
    """One photo with its regions; None where nobody labelled it.

    Args:
        task: the entry of the decoded file.
        photo: its photo, as named in it.
        source: file and place in it.
        found: takes everything wrong, and what is not used.
    """
    results = _results(task, source, found)
    if results is None:
        return None
    regions: dict[str, list[Mapping[str, Any]]] = {}
    for place, result in enumerate(results):
        # A region's shape, its labels and its choices are results with one id.
        regions.setdefault(str(result.get("id") or place), []).append(result)
    read = (_region(parts, f"{source} region {place + 1}", found) for place, parts in enumerate(regions.values()))
    return RawPhoto(photo, "", tuple(region for region in read if region), None, source)


def _results(task: Mapping[str, Any], source: str, found: Gathering) -> list[Mapping[str, Any]] | None:
    """What was drawn and chosen in a photo; None where nobody labelled it."""
    if any(prediction.get("result") for prediction in entries(task.get("predictions"))):
        found.notes.ignored("prediction", "no label", source)
    given = task.get("annotations", task.get("completions"))
    if given is None:
        return [region for value in task.values() for region in entries(value) if set(REGION) <= region.keys()] or None
    made = [entry for entry in entries(given) if not entry.get("was_cancelled")]
    if len(made) > 1:
        what = f"this photo was labelled {len(made)} times"
        found.problems.append(Problem(what, source, "Keep one of its annotations.", "duplicate-photo"))
    return entries(made[0].get("result")) if made else None


def _region(parts: list[Mapping[str, Any]], where: str, found: Gathering) -> RawObject | None:
    drawn = next((part for part in parts if _value(part).keys() & {"x", "points"}), None)
    kind = str((drawn or parts[0]).get("type") or "rectangle")
    box = _box(drawn, kind, where) if drawn else None
    if isinstance(box, Problem):
        found.problems.append(box)
        return None
    if drawn is None or box is None:
        drawing = drawn or any("rle" in _value(part) for part in parts)
        found.notes.ignored(f"{kind.removesuffix('labels')} region", "no box" if drawing else "of a whole photo", where)
        return None
    if shapes.turn_of(_value(drawn).get("rotation")):
        found.notes.inferred("turned shape", "became the box around it", where)
    words = [
        (key.endswith("labels"), str(part.get("from_name") or key), str(word))
        for part in parts
        for key, value in _value(part).items()
        if isinstance(value, list) and key != "points"
        for word in value
    ]
    name = next((word for is_label, _, word in words if is_label), "")
    rest = tuple((tool, word) for is_label, tool, word in words if not (is_label and word == name))
    return RawObject(name, box, SHARE, where, rest)


def _value(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a result holds; in JSON-MIN the result is its own value."""
    return mapping(part["value"]) if "value" in part else part


def _box(drawn: Mapping[str, Any], kind: str, where: str) -> BoxXyxy | Problem | None:
    value = _value(drawn)
    if drawn.get("image_rotation"):
        what = f"this photo was turned by {drawn['image_rotation']} degrees in Label Studio"
        return Problem(what, where, "Turn the photo itself, and label it again.", "turned-photo")
    size = shapes.size_wh(drawn.get("original_width"), drawn.get("original_height"))
    if "points" in value:
        box = shapes.around(value["points"], where) if kind.startswith("polygon") else None
    elif kind.startswith("ellipse"):
        read = shapes.four([value.get(key) for key in ("x", "y", "radiusX", "radiusY")], where)
        box = read if isinstance(read, Problem) else shapes.from_middle([*read[:2], 2 * read[2], 2 * read[3]], where)
    elif kind.startswith(("rectangle", "label")):
        box = shapes.from_size([value.get(key) for key in REGION], where)
    else:
        return None
    if box is None or isinstance(box, Problem):
        return box
    turn = shapes.turn_of(value.get("rotation"))
    if turn:
        # Per cent of width and of height are not equally long, so that it is turned in pixels.
        wide, high = size or (1, 1)
        pixels = (box[0] * wide, box[1] * high, box[2] * wide, box[3] * high)
        pivot = None if kind.startswith("ellipse") else pixels[:2]
        x0, y0, x1, y1 = shapes.around_turned(pixels, turn, pivot)
        box = (x0 / wide, y0 / high, x1 / wide, y1 / high)
    return box[0] / 100, box[1] / 100, box[2] / 100, box[3] / 100


def _photo_name(data: Mapping[str, Any]) -> str:
    """The photo of a task: a path, or the one in an address."""
    for written in data.values():
        if not isinstance(written, str):
            continue
        parts = urlsplit(written.replace("\\", "/"))
        given = parse_qs(parts.query).get("d", [parts.path if parts.scheme in ("http", "https", "s3", "gs") else ""])[0]
        name = given or unquote(written.split("?")[0])
        if is_photo(name):
            return name
    return ""


FORMAT = LabelFormat("label_studio", "Label Studio (JSON)", (".json",), finds_label_studio, read_label_studio)
