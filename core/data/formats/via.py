"""VGG Image Annotator: regions of each photo in a CSV or JSON file, shapes in pixels, the class in region attributes.

The class is the only attribute, or one that is called so; where there are several without such a name, the taxonomy
tells which of them says it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.boxes import BoxXyxy
from core.data.files import Folder, read_text
from core.data.formats import shapes
from core.data.formats.base import PIXELS, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem

CLASS_NAMES = ("class", "label", "name", "type", "category", "object")
SHAPE, REGION_ATTRIBUTES = "region_shape_attributes", "region_attributes"
# (where it stands, shape, attributes) of each region of a photo
Regions = list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]


def finds_via(folder: Folder) -> bool:
    """Whether a CSV or JSON file of the folder is VIA's."""
    return any_head(folder, ".csv", SHAPE) or any_head(folder, ".json", r'"(shape_attributes|_via_img_metadata)"')


def read_via(folder: Folder) -> RawSet:
    """All photos and labels of VIA's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, photo, regions in [*_json_regions(found), *_csv_regions(found)]:
        objects = [parse_region(shape, attributes, where, found) for where, shape, attributes in regions]
        source = regions[0][0] if regions else name
        label = RawPhoto(photo, "", tuple(one for one in objects if one), None, source)
        found.add(label, near_label(name, "images"))
    return found.result("via")


def parse_region(
    shape: Mapping[str, Any], attributes: Mapping[str, Any], source: str, found: Gathering
) -> RawObject | None:
    """One object, or None for a shape that is no box; everything wrong goes to `found`."""
    box = _box(shape, source)
    if isinstance(box, Problem):
        found.problems.append(box)
    elif box is None:
        found.notes.ignored(f"{shape.get('name')} shape", "no box", source)
    else:
        words = list(_words(attributes))
        named = [place for place, (name, _) in enumerate(words) if name.lower() in CLASS_NAMES or len(words) == 1]
        class_name = words.pop(named[0])[1] if named else ""
        return RawObject(class_name, box, PIXELS, source, tuple(words))
    return None


def _words(attributes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Attributes as words; a checkbox holds {option: ticked}."""
    for name, value in attributes.items():
        if isinstance(value, dict):
            yield from ((name, str(option)) for option, ticked in value.items() if ticked)
        else:
            yield name, str(value)


def _box(shape: Mapping[str, Any], where: str) -> BoxXyxy | Problem | None:
    kind = shape.get("name")
    if kind == "rect":
        return shapes.from_size([shape.get(key) for key in ("x", "y", "width", "height")], where)
    if kind == "polygon":
        across, down = shape.get("all_points_x"), shape.get("all_points_y")
        pairs: Sequence[Any] = ()
        if isinstance(across, list) and isinstance(down, list) and len(across) == len(down):
            pairs = list(zip(across, down, strict=True))
        return shapes.around(pairs, where)
    if kind in ("circle", "ellipse"):
        radii = [shape.get("r")] * 2 if kind == "circle" else [shape.get("rx"), shape.get("ry")]
        read = shapes.four([shape.get("cx"), shape.get("cy"), *radii], where)
        return read if isinstance(read, Problem) else shapes.from_middle([*read[:2], 2 * read[2], 2 * read[3]], where)
    return None


def _note_photo(attributes: Mapping[str, Any], where: str, found: Gathering) -> None:
    """Note what is said of a photo as a whole."""
    for name, value in _words(attributes):
        if value:
            found.notes.ignored("attribute", f"{name!r} is of a whole photo", where)


def _json_regions(found: Gathering) -> Iterator[tuple[str, str, Regions]]:
    for name, tree in json_files(found.folder, found.problems):
        photos = mapping(mapping(tree).get("_via_img_metadata", tree))
        for photo in photos.values():
            if isinstance(photo, dict) and "regions" in photo and photo.get("filename"):
                _note_photo(mapping(photo.get("file_attributes")), f"{name} {photo['filename']}", found)
                # A dict by number in version 1, a list in version 2.
                given = photo["regions"]
                listed = entries(list(given.values()) if isinstance(given, dict) else given)
                regions = [
                    (
                        f"{name} {photo['filename']} region {place + 1}",
                        mapping(region.get("shape_attributes")),
                        mapping(region.get(REGION_ATTRIBUTES)),
                    )
                    for place, region in enumerate(listed)
                ]
                yield name, str(photo["filename"]), regions


def _csv_regions(found: Gathering) -> Iterator[tuple[str, str, Regions]]:
    for name in found.folder.names:
        if not name.lower().endswith(".csv"):
            continue
        text = read_text(found.folder, name)
        if isinstance(text, Problem):
            found.problems.append(text)
            continue
        if SHAPE not in text[:1000]:
            continue
        photos: dict[str, Regions] = {}
        first = text.partition("\n")[0]
        reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count))
        try:
            for row in reader:
                regions = photos.setdefault(str(row.get("filename") or row.get("#filename") or ""), [])
                where = f"{name} line {reader.line_num}"
                _note_photo(_decoded(row.get("file_attributes"), where, found), where, found)
                shape, attributes = (
                    _decoded(row.get(SHAPE), where, found),
                    _decoded(row.get(REGION_ATTRIBUTES), where, found),
                )
                if shape:
                    regions.append((where, shape, attributes))
        except csv.Error as error:
            what = f"this table cannot be read on ({error})"
            found.problems.append(Problem(what, f"{name} line {reader.line_num + 1}", "Export it again.", "bad-label"))
        yield from ((name, photo, regions) for photo, regions in photos.items() if photo)


def _decoded(written: str | None, where: str, found: Gathering) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(written or "{}"))
    except (ValueError, RecursionError):
        found.problems.append(Problem("this is not valid JSON", where, "Export the labels again.", "bad-label"))
        return {}


FORMAT = LabelFormat("via", "VGG Image Annotator (CSV, JSON)", (".csv", ".json"), finds_via, read_via)
