"""Pascal VOC: one XML file a photo, with `object` entries of a `name` and a `bndbox` in pixels.

Beside the photo as Roboflow writes them (`train/a.jpg`, `train/a.xml`), or in `Annotations/` with `JPEGImages/` and
`ImageSets/Main/train.txt`.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import PurePosixPath
from xml.parsers import expat

from core.data.files import Folder, read_text
from core.data.formats.base import (
    PIXELS,
    LabelFormat,
    RawObject,
    RawPhoto,
    RawSet,
    numbers,
    without_photo,
)
from core.data.formats.gather import Gathering
from core.data.formats.shapes import around, around_turned, from_middle, size_wh, turn_of
from core.data.formats.xml_nodes import DoctypeFound, Node, parse_xml
from core.data.notes import Notes
from core.errors import Problem

ENDS = ("xmin", "ymin", "xmax", "ymax")
BOX = "Write bndbox with xmin, ymin, xmax and ymax."
ROOT = "annotation"
ROOT_TAG = re.compile(r"<annotation[\s>/]")  # CVAT's own XML begins with <annotations>
SHAPES = ("bndbox", "robndbox")
# What a child of `object` says that is read as something else, or that only draws it.
NOT_ATTRIBUTES = frozenset(("name", "bndbox", "robndbox", "polygon", "segm", "attributes", "part"))
PHOTO_FOLDERS = ("JPEGImages", "images", "Images")


def finds_voc(folder: Folder) -> bool:
    """Whether an XML file of the folder is an annotation."""
    for name in folder.names:
        if name.lower().endswith(".xml"):
            text = read_text(folder, name)
            if isinstance(text, str) and ROOT_TAG.search(text):
                return True
    return False


def read_voc(folder: Folder) -> RawSet:
    """All photos and labels of a VOC folder, with everything wrong in it."""
    found = Gathering(folder)
    for name in folder.names:
        if not name.lower().endswith(".xml"):
            continue
        text = read_text(folder, name)
        if isinstance(text, Problem):
            found.problems.append(text)
            continue
        label, wrong = parse_voc(text, name, found.notes)
        found.problems.extend(wrong)
        photo = label and _photo_of(found, name, label.name)
        if label and photo:
            found.add(replace(label, name=photo))
    return found.result("voc")


def parse_voc(text: str, source: str, notes: Notes) -> tuple[RawPhoto | None, list[Problem]]:
    """The labelled photo of one XML text, and everything wrong.

    Args:
        text: of the file.
        source: the file's name.
        notes: takes what is not used.

    Returns:
        The photo, named as the file names it (perhaps ""), without a split; None when the text is no annotation.
    """
    try:
        root = parse_xml(text)
    except DoctypeFound:
        what = "this XML declares a document type and is not read"
        return None, [Problem(what, source, "Remove its DOCTYPE.", "bad-label")]
    except expat.ExpatError as error:
        what = f"this is not valid XML ({expat.ErrorString(error.code)})"
        return None, [Problem(what, f"{source} line {error.lineno}", "Export the label again.", "bad-label")]
    if root.tag != ROOT:
        return None, []
    objects: list[RawObject] = []
    problems: list[Problem] = []
    for node in root.findall("object"):
        found = _object(node, f"{source} line {node.line}")
        (objects if isinstance(found, RawObject) else problems).append(found)  # type: ignore[arg-type]
        for part in node.findall("part"):
            notes.ignored("part", "an object counts as one, with its own box", f"{source} line {part.line}")
    read = {size_wh(node.findtext("width"), node.findtext("height")) for node in root.findall("size")} - {None}
    if len(read) > 1:
        what = f"the photo's size is stated twice: {' and '.join(f'{size[0]} x {size[1]}' for size in read if size)}"
        problems.append(Problem(what, source, "Keep the one that is right.", "size-mismatch"))
    declared = read.pop() if len(read) == 1 else None
    return RawPhoto(root.findtext("filename"), "", tuple(objects), declared, source), problems


def _object(node: Node, source: str) -> RawObject | Problem:
    if turned := next(node.findall("robndbox"), None):
        return _turned(node, turned, source)
    box = next(node.findall("bndbox"), None)
    if box is None and (polygon := next(node.findall("polygon"), None)):
        ends = around([leaf.text.strip() for leaf in polygon.leaves()], source)
        return (
            ends
            if isinstance(ends, Problem)
            else RawObject(node.findtext("name"), ends, PIXELS, source, _attributes(node))
        )
    if box and turn_of(box.findtext("angle")):
        what = f"this box is turned by {box.findtext('angle')}, and nothing tells about what and in which unit"
        return Problem(what, source, "Write robndbox with cx, cy, w, h and angle, or the box around it.", "bad-label")
    written = [box.findtext(end) for end in ENDS] if box else []
    if not all(written) or not written:
        what = f"bndbox: 4 numbers expected, {sum(map(bool, written))} found"
        return Problem(what, source, BOX, "wrong-count")
    values = numbers(written, source)
    if isinstance(values, Problem):
        return values
    ends = (values[0], values[1], values[2], values[3])
    return RawObject(node.findtext("name"), ends, PIXELS, source, _attributes(node))


def _turned(node: Node, turned: Node, source: str) -> RawObject | Problem:
    """The box around roLabelImg's turned one, whose angle is in radians."""
    written = [turned.findtext(key) for key in ("cx", "cy", "w", "h")]
    box = from_middle(written, source)
    if isinstance(box, Problem):
        return box
    angle = numbers([turned.findtext("angle") or "0"], source)
    if isinstance(angle, Problem):
        return angle
    if abs(angle[0]) > 2 * math.pi:
        what = f"the angle {angle[0]:g} is more than a whole turn, so it is not in radians"
        return Problem(what, source, "Write the angle in radians.", "bad-number")
    degrees = math.degrees(angle[0]) if math.isfinite(angle[0]) else 0.0
    return RawObject(node.findtext("name"), around_turned(box, degrees), PIXELS, source, _attributes(node))


def _attributes(node: Node) -> tuple[tuple[str, str], ...]:
    """Everything else that an object says: of each child that holds text alone, and of CVAT's <attributes>."""
    stated = [
        (child.tag, child.text.strip())
        for child in node.children
        if not child.children and child.tag not in NOT_ATTRIBUTES and child.text.strip() not in SHAPES
    ]
    for group in node.findall("attributes"):
        stated += [(child.findtext("name"), child.findtext("value")) for child in group.findall("attribute")]
    return tuple(stated)


def _photo_of(found: Gathering, label: str, written: str) -> str | None:
    """The photo of a label file: by the label's own name first, for written names are often of another machine.

    None without one, which is then reported.
    """
    path = PurePosixPath(label)
    here = path.parent
    places = [here, *(here.parent / name for name in PHOTO_FOLDERS), *(here / name for name in PHOTO_FOLDERS)]
    parts = list(here.parts)
    for index, part in enumerate(parts):
        if part.lower() in ("annotations", "labels"):
            swapped = (PurePosixPath(*parts[:index], name, *parts[index + 1 :]) for name in PHOTO_FOLDERS)
            places = [*swapped, *places]
    near = ["" if str(place) == "." else str(place) for place in places]
    if own := found.folder.photo_in(near, path.stem):
        return own
    if written:
        return found.find(written, near, label)
    found.problems.append(without_photo(label))
    return None


FORMAT = LabelFormat("voc", "Pascal VOC (XML)", (".xml",), finds_voc, read_voc, per_photo=True)
