"""Datumaro: `annotations/train.json` with `items`, each a photo with annotations, and classes by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from core.boxes import BoxXyxy
from core.data.files import SPLIT_WORDS, Folder
from core.data.formats import shapes
from core.data.formats.base import CORNERS, PIXELS, SIZED, LabelFormat, RawObject, RawPhoto, RawSet, numbers
from core.data.formats.gather import Gathering, any_head, entries, json_files, mapping, near_label
from core.errors import Problem

MOST_CLASSES = 100_000


def finds_datumaro(folder: Folder) -> bool:
    """Whether a JSON file of the folder is Datumaro's."""
    return any_head(folder, ".json", r'"categories"\s*:\s*\{', r'"(label|items|infos|dm_format_version)"\s*:\s*[\{\["]')


def read_datumaro(folder: Folder) -> RawSet:
    """All photos and labels of Datumaro's files, with everything wrong in them."""
    found = Gathering(folder)
    for name, tree in json_files(folder, found.problems):
        if not isinstance(tree, dict) or not isinstance(tree.get("items"), list):
            continue
        label = mapping(mapping(tree.get("categories")).get("label"))
        names = [str(entry.get("name")) for entry in entries(label.get("labels"))]
        split = SPLIT_WORDS.get(PurePosixPath(name).stem.lower(), "")
        near = near_label(name, "images", *(f"images/{word}" for word in (PurePosixPath(name).stem, "default")))
        for place, item in enumerate(entries(tree["items"])):
            found.add(parse_item(item, names, (f"{name} item {place + 1}", split), found), near)
    return found.result("datumaro")


def parse_item(item: Mapping[str, Any], names: Sequence[str], where: tuple[str, str], found: Gathering) -> RawPhoto:
    """One photo of a decoded file, named as the file names it.

    Args:
        item: the entry.
        names: of the classes, by number.
        where: file and place in it, and the split of the file.
        found: takes everything wrong, and what is not used.
    """
    source, split = where
    objects = []
    for place, written in enumerate(entries(item.get("annotations"))):
        here = f"{source} annotation {written.get('id', place + 1)}"
        box = _box(written, here)
        number = _number(written.get("label_id"))
        if isinstance(box, Problem):
            found.problems.append(box)
        elif box is None:
            found.notes.ignored(f"{written.get('type')} shape", "no box", here)
        elif number is None or not 0 <= number < len(names):
            what = f"no class has the number {written.get('label_id')!r}"
            found.problems.append(Problem(what, here, "Add it to categories.", "unknown-class"))
        else:
            given = mapping(written.get("attributes"))
            attributes = tuple((str(key), str(value)) for key, value in given.items() if value is not None)
            objects.append(
                RawObject(
                    names[number], box, PIXELS, here, attributes, SIZED if written.get("type") == "bbox" else CORNERS
                )
            )
    image = mapping(item.get("image"))
    sides = image.get("size")
    size = shapes.size_wh(sides[1], sides[0]) if isinstance(sides, list) and len(sides) == 2 else None
    return RawPhoto(str(image.get("path") or item.get("id") or ""), split, tuple(objects), size, source)


def _number(value: Any) -> int | None:
    """The number of a class, written 1, 1.0 or "1"."""
    read = numbers([value], "")
    return int(read[0]) if not isinstance(read, Problem) and read[0] in range(MOST_CLASSES) else None


def _box(written: Mapping[str, Any], where: str) -> BoxXyxy | Problem | None:
    if written.get("type") == "bbox":
        given = written.get("bbox")
        return shapes.from_size(given if isinstance(given, list) else [], where)
    if written.get("type") == "polygon":
        return shapes.around(written.get("points"), where)
    return None


FORMAT = LabelFormat("datumaro", "Datumaro (JSON)", (".json",), finds_datumaro, read_datumaro)
