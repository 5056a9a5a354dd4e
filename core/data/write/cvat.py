"""CVAT for images 1.1: `annotations.xml` with an `image` for each photo in `images/train` and so on, and its subset.

The label is the whole class (`toe drain blocked`). Names are those that CVAT gives the photos of an uploaded `images`.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from core.data.write.base import SPLIT_WORDS, LabelWriter, PlacedPhoto, class_of, classes_of, decimal, pixels

PHOTOS = "images"
ENDS = ("xtl", "ytl", "xbr", "ybr")


def cvat_labels(placed: Sequence[PlacedPhoto]) -> dict[str, str]:
    """annotations.xml with the photos of all splits."""
    labels = "".join(f"<label><name>{escape(name)}</name><attributes/></label>" for name in classes_of(placed))
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        "  <version>1.1</version>",
        f"  <meta><task><size>{len(placed)}</size><mode>annotation</mode><labels>{labels}</labels></task></meta>",
    ]
    for number, one in enumerate(placed):
        wide, high = one.photo.size_wh
        name, subset = quoteattr(one.name.removeprefix(f"{PHOTOS}/")), SPLIT_WORDS[one.photo.split]
        lines.append(f'  <image id="{number}" name={name} subset="{subset}" width="{wide}" height="{high}">')
        for obj in one.photo.objects:
            box = zip(ENDS, pixels(one.photo, obj), strict=True)
            ends = " ".join(f'{end}="{decimal(value)}"' for end, value in box)
            label = quoteattr(class_of(obj))
            lines.append(f'    <box label={label} source="manual" occluded="0" {ends} z_order="0"/>')
        lines.append("  </image>")
    return {"annotations.xml": "\n".join([*lines, "</annotations>", ""])}


WRITER = LabelWriter("cvat", lambda split: f"{PHOTOS}/{SPLIT_WORDS[split]}", cvat_labels)
