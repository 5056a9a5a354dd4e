"""CVAT for images 1.1: one XML file with an `image` for each photo, shapes in pixels and attributes of each shape.

CVAT for video is read too: its `track` elements hold boxes by the number of the frame, whose photo is `frame_000012`.
A shape that is turned, a polygon, an ellipse or a mask becomes the box around it.
"""

from __future__ import annotations

from xml.parsers import expat

from core.boxes import BoxXyxy
from core.data.files import Folder, read_text
from core.data.formats import shapes
from core.data.formats.base import PIXELS, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering, any_head, near_label
from core.data.formats.xml_nodes import DoctypeFound, Node, parse_xml
from core.errors import Problem

ROOT = "annotations"
FRAME = "frame_{:06d}"


def finds_cvat(folder: Folder) -> bool:
    """Whether an XML file of the folder is CVAT's."""
    return any_head(folder, ".xml", rf"<{ROOT}[\s>]")


def read_cvat(folder: Folder) -> RawSet:
    """All photos and labels of CVAT's XML files, with everything wrong in them."""
    found = Gathering(folder)
    for name in folder.names:
        if name.lower().endswith(".xml"):
            text = read_text(folder, name)
            if isinstance(text, Problem):
                found.problems.append(text)
                continue
            for photo in parse_cvat(text, name, found):
                found.add(photo, near_label(name, "images", photo.split))
    return found.result("cvat")


def parse_cvat(text: str, source: str, found: Gathering) -> list[RawPhoto]:
    """The labelled photos of one XML text, named as the file names them; empty when it is no CVAT file.

    Args:
        text: of the file.
        source: the file's name.
        found: takes everything wrong, and what is not used.
    """
    try:
        root = parse_xml(text)
    except DoctypeFound:
        what = "this XML declares a document type and is not read"
        found.problems.append(Problem(what, source, "Remove its DOCTYPE.", "bad-label"))
        return []
    except expat.ExpatError as error:
        what = f"this is not valid XML ({expat.ErrorString(error.code)})"
        found.problems.append(Problem(what, f"{source} line {error.lineno}", "Export the labels again.", "bad-label"))
        return []
    if root.tag != ROOT:
        return []
    return [*(_image(node, source, found) for node in root.findall("image")), *_frames(root, source, found)]


def _image(node: Node, source: str, found: Gathering) -> RawPhoto:
    where = f"{source} line {node.line}"
    attributes = node.attributes
    read = (_shape(child, child.attributes.get("label", ""), source, found) for child in node.children)
    size = shapes.size_wh(attributes.get("width"), attributes.get("height"))
    split = found.split_of(attributes.get("subset", ""), where)
    return RawPhoto(attributes.get("name", ""), split, tuple(shape for shape in read if shape), size, where)


def _frames(root: Node, source: str, found: Gathering) -> list[RawPhoto]:
    """The photos of tracks, in which an object has a shape of its own in every frame."""
    frames: dict[int, list[RawObject]] = {}
    for track in root.findall("track"):
        for child in track.children:
            frame = child.attributes.get("frame", "")
            if child.attributes.get("outside") == "1" or not frame.isdecimal():
                continue
            if shape := _shape(child, track.attributes.get("label", ""), source, found):
                frames.setdefault(int(frame), []).append(shape)
    return [
        RawPhoto(FRAME.format(frame), "", tuple(objects), None, f"{source} frame {frame}")
        for frame, objects in sorted(frames.items())
    ]


def _shape(node: Node, label: str, source: str, found: Gathering) -> RawObject | None:
    where = f"{source} line {node.line}"
    box = _box(node, where)
    if isinstance(box, Problem):
        found.problems.append(box)
        return None
    if box is None:
        if node.tag == "tag":
            found.notes.ignored("tag", f"{label or node.attributes.get('label')!r} is of a whole photo", where)
        else:
            found.notes.ignored(f"{node.tag} shape", "no box", where)
        return None
    if turn := shapes.turn_of(node.attributes.get("rotation")):
        found.notes.inferred("turned shape", "became the box around it", where)
        box = shapes.around_turned(box, turn)
    attributes = [(child.attributes.get("name", ""), child.text) for child in node.findall("attribute")]
    return RawObject(label, box, PIXELS, where, (("occluded", node.attributes.get("occluded", "")), *attributes))


def _box(node: Node, where: str) -> BoxXyxy | Problem | None:
    attributes = node.attributes
    if node.tag == "box":
        return shapes.four([attributes.get(end) for end in ("xtl", "ytl", "xbr", "ybr")], where)
    if node.tag == "polygon":
        return shapes.around([point.split(",") for point in attributes.get("points", "").split(";")], where)
    if node.tag == "mask":
        return shapes.from_size([attributes.get(key) for key in ("left", "top", "width", "height")], where)
    if node.tag == "ellipse":
        read = shapes.four([attributes.get(key) for key in ("cx", "cy", "rx", "ry")], where)
        return read if isinstance(read, Problem) else shapes.from_middle([*read[:2], 2 * read[2], 2 * read[3]], where)
    return None


FORMAT = LabelFormat("cvat", "CVAT (XML)", (".xml",), finds_cvat, read_cvat)
