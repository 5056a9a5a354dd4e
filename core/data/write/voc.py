"""Pascal VOC: `Annotations/a.xml` for `JPEGImages/a.jpg`, and `ImageSets/Main/train.txt` for each split.

Boxes may end between two pixels and count from 0, as most tools write them today; the challenge's own counted from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from core.data.write.base import SPLIT_WORDS, LabelWriter, PlacedPhoto, by_split, class_of, decimal, pixels

PHOTOS = "JPEGImages"
ENDS = ("xmin", "ymin", "xmax", "ymax")


def voc_labels(placed: Sequence[PlacedPhoto]) -> dict[str, str]:
    """An XML file for each photo, and the list of each split, whose lines are paths without an ending."""
    texts = {f"Annotations/{_without_ending(one)}.xml": _annotation(one) for one in placed}
    for split, photos in by_split(placed).items():
        texts[f"ImageSets/Main/{SPLIT_WORDS[split]}.txt"] = "".join(f"{_without_ending(one)}\n" for one in photos)
    return texts


def _without_ending(one: PlacedPhoto) -> str:
    return one.below.rpartition(".")[0]


def _annotation(one: PlacedPhoto) -> str:
    path = PurePosixPath(one.name)
    wide, high = one.photo.size_wh
    lines = [
        "<annotation>",
        f"  <folder>{escape(str(path.parent))}</folder>",
        f"  <filename>{escape(path.name)}</filename>",
        f"  <size><width>{wide}</width><height>{high}</height><depth>3</depth></size>",
        "  <segmented>0</segmented>",
    ]
    for obj in one.photo.objects:
        box = zip(ENDS, pixels(one.photo, obj), strict=True)
        lines += [
            "  <object>",
            f"    <name>{escape(class_of(obj))}</name>",
            "    <pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>",
            "    <bndbox>" + "".join(f"<{end}>{decimal(value)}</{end}>" for end, value in box) + "</bndbox>",
            "  </object>",
        ]
    return "\n".join([*lines, "</annotation>", ""])


WRITER = LabelWriter("voc", lambda split: PHOTOS, voc_labels)
