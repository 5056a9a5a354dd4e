"""CreateML: a JSON list of photos, each with annotations of a `label` and the middle and size of a box in pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.data.files import Folder, split_in
from core.data.formats import shapes
from core.data.formats.base import CENTRED, PIXELS, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem


def finds_createml(folder: Folder) -> bool:
    """Whether a JSON file of the folder is CreateML's."""
    return any_head(folder, ".json", r'"image(filename)?"', r'"annotations?"', r'"coordinates"')


def read_createml(folder: Folder) -> RawSet:
    """All photos and labels of CreateML's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, tree in json_files(folder, found.problems):
        listed = [entry for entry in entries(tree) if _photo_name(entry) and _written(entry) is not None]
        for place, entry in enumerate(listed):
            photo = parse_entry(entry, f"{name} photo {place + 1}", found)
            found.add(photo, near_label(name, "images", split_in(name)))
    return found.result("createml")


def parse_entry(entry: Mapping[str, Any], source: str, found: Gathering) -> RawPhoto:
    """One photo of a decoded file, named as the file names it; everything wrong goes to `found`."""
    objects = []
    for place, written in enumerate(entries(_written(entry))):
        where = f"{source} annotation {place + 1}"
        given = mapping(written.get("coordinates"))
        box = shapes.from_middle([given.get(key) for key in ("x", "y", "width", "height")], where)
        if isinstance(box, Problem):
            found.problems.append(box)
        else:
            others = {key: value for key, value in written.items() if key not in ("label", "coordinates")}
            rest = tuple((key, str(value)) for key, value in others.items() if isinstance(value, str | int | float))
            objects.append(RawObject(str(written.get("label") or ""), box, PIXELS, where, rest, CENTRED))
    return RawPhoto(_photo_name(entry), "", tuple(objects), None, source)


def _photo_name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("image") or entry.get("imagefilename") or "")


def _written(entry: Mapping[str, Any]) -> Any:
    return entry.get("annotations", entry.get("annotation"))


FORMAT = LabelFormat("createml", "CreateML (JSON)", (".json",), finds_createml, read_createml)
