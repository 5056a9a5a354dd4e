"""Each reader gives back the photos, classes and boxes that its format holds, whatever they are called.

What is written here is each tool's own way, by hand; `write/test_round_trip.py` holds the formats that are written too.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.checks import faults_of
from core.data.files import list_files
from core.data.formats.base import SHARE
from core.data.formats.registry import FORMATS, read_labels, recognise

WIDE, HIGH = 320, 240
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """A photo's name without ending, and its boxes in pixels with their classes."""

    stem: str
    boxes: tuple[tuple[str, Box], ...]

    @property
    def name(self) -> str:
        return f"{self.stem}.jpg"


Files = dict[str, str]
names = st.text(st.characters(categories=("Ll", "Lu", "Nd"), max_codepoint=0x17F), min_size=1, max_size=5)
# A class is a word: commas and the like are the tables' own matter.
classes = st.sampled_from(("toe drain normal", "Böschung", "rock toe damaged", "x"))
ends = st.tuples(st.integers(0, WIDE - 9), st.integers(0, HIGH - 9), st.integers(3, 8), st.integers(3, 8))
boxes = ends.map(lambda end: (end[0], end[1], end[0] + end[2], end[1] + end[3]))
drawn = st.builds(
    Drawn, names.map(lambda name: f"p{name}"), st.lists(st.tuples(classes, boxes), min_size=1, max_size=3).map(tuple)
)
sets = st.lists(drawn, min_size=1, max_size=4, unique_by=lambda one: one.name.casefold())


def sized(box: Box) -> list[int]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def numbered(photos: Sequence[Drawn]) -> list[str]:
    return sorted({name for photo in photos for name, _ in photo.boxes})


def yolo(photos: Sequence[Drawn]) -> Files:
    listed = numbered(photos)

    def row(name: str, box: Box) -> str:
        x, y = (box[0] + box[2]) / 2 / WIDE, (box[1] + box[3]) / 2 / HIGH
        return f"{listed.index(name)} {x} {y} {(box[2] - box[0]) / WIDE} {(box[3] - box[1]) / HIGH}\n"

    texts = {f"labels/{photo.stem}.txt": "".join(row(*found) for found in photo.boxes) for photo in photos}
    return texts | {"data.yaml": f"names: {json.dumps(listed)}\n"}


def labelme(photos: Sequence[Drawn]) -> Files:
    def tree(photo: Drawn) -> Any:
        shapes = [
            {"label": name, "points": [[box[0], box[1]], [box[2], box[3]]], "shape_type": "rectangle"}
            for name, box in photo.boxes
        ]
        return {"shapes": shapes, "imagePath": photo.name, "imageWidth": WIDE, "imageHeight": HIGH}

    return {f"images/{photo.stem}.json": json.dumps(tree(photo)) for photo in photos}


def label_studio(photos: Sequence[Drawn]) -> Files:
    def region(name: str, box: Box) -> Any:
        sides = zip(("x", "y", "width", "height"), sized(box), (WIDE, HIGH) * 2, strict=True)
        value = {key: 100 * end / side for key, end, side in sides} | {"rotation": 0, "rectanglelabels": [name]}
        return {"type": "rectanglelabels", "original_width": WIDE, "original_height": HIGH, "value": value}

    tasks = [
        {
            "data": {"image": f"/data/upload/1/0a1b2c3d-{quote(photo.name)}"},
            "annotations": [{"result": [region(*found) | {"id": str(n)} for n, found in enumerate(photo.boxes)]}],
        }
        for photo in photos
    ]
    return {"project.json": json.dumps(tasks)}


def createml(photos: Sequence[Drawn]) -> Files:
    def entry(name: str, box: Box) -> Any:
        x, y, wide, high = sized(box)
        return {"label": name, "coordinates": {"x": x + wide / 2, "y": y + high / 2, "width": wide, "height": high}}

    listed = [{"image": photo.name, "annotations": [entry(*found) for found in photo.boxes]} for photo in photos]
    return {"labels.json": json.dumps(listed)}


def via(photos: Sequence[Drawn]) -> Files:
    def region(name: str, box: Box) -> Any:
        shape = dict(zip(("x", "y", "width", "height"), sized(box), strict=True)) | {"name": "rect"}
        return {"shape_attributes": shape, "region_attributes": {"class": name}}

    tree = {
        f"{photo.name}-1": {"filename": photo.name, "regions": [region(*found) for found in photo.boxes]}
        for photo in photos
    }
    return {"via.json": json.dumps({"_via_img_metadata": tree})}


def supervisely(photos: Sequence[Drawn]) -> Files:
    def entry(name: str, box: Box) -> Any:
        points = {"exterior": [[box[0], box[1]], [box[2], box[3]]], "interior": []}
        return {"classTitle": name, "geometryType": "rectangle", "points": points, "tags": []}

    size = {"width": WIDE, "height": HIGH}
    return {
        f"ann/{photo.name}.json": json.dumps({"size": size, "objects": [entry(*found) for found in photo.boxes]})
        for photo in photos
    }


def datumaro(photos: Sequence[Drawn]) -> Files:
    listed = numbered(photos)

    def entry(name: str, box: Box) -> Any:
        return {"id": 0, "type": "bbox", "label_id": listed.index(name), "bbox": sized(box)}

    items = [
        {"id": photo.stem, "annotations": [entry(*found) for found in photo.boxes], "image": {"size": [HIGH, WIDE]}}
        for photo in photos
    ]
    labels = {"label": {"labels": [{"name": name} for name in listed]}}
    return {"annotations/train.json": json.dumps({"infos": {}, "categories": labels, "items": items})}


def coco(photos: Sequence[Drawn]) -> Files:
    listed = numbered(photos)
    images = [{"id": n, "file_name": photo.name, "width": WIDE, "height": HIGH} for n, photo in enumerate(photos)]
    found = [
        {"image_id": n, "category_id": listed.index(name), "bbox": sized(box)}
        for n, photo in enumerate(photos)
        for name, box in photo.boxes
    ]
    annotations = [{"id": n} | entry for n, entry in enumerate(found)]
    categories = [{"id": n, "name": name} for n, name in enumerate(listed)]
    return {"labels.json": json.dumps({"images": images, "annotations": annotations, "categories": categories})}


def cvat(photos: Sequence[Drawn]) -> Files:
    def shape(name: str, box: Box) -> str:
        corners = "".join(f' {key}="{end}"' for key, end in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True))
        return f"<box label={quoteattr(name)}{corners}/>"

    images = (
        f'<image name={quoteattr(photo.name)} width="{WIDE}" height="{HIGH}">'
        f"{''.join(shape(*found) for found in photo.boxes)}</image>"
        for photo in photos
    )
    return {"annotations.xml": f"<annotations>{''.join(images)}</annotations>"}


def voc(photos: Sequence[Drawn]) -> Files:
    def entry(name: str, box: Box) -> str:
        corners = (f"<{key}>{end}</{key}>" for key, end in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        return f"<object><name>{name}</name><bndbox>{''.join(corners)}</bndbox></object>"

    return {
        f"Annotations/{photo.stem}.xml": f"<annotation>{''.join(entry(*found) for found in photo.boxes)}</annotation>"
        for photo in photos
    }


def huggingface(photos: Sequence[Drawn]) -> Files:
    lines = [
        {
            "file_name": photo.name,
            "objects": {
                "bbox": [sized(box) for _, box in photo.boxes],
                "categories": [name for name, _ in photo.boxes],
            },
        }
        for photo in photos
    ]
    return {"images/metadata.jsonl": "\n".join(json.dumps(line) for line in lines)}


def table(photos: Sequence[Drawn]) -> Files:
    rows = [f"{photo.name};{name};{';'.join(map(str, box))}" for photo in photos for name, box in photo.boxes]
    return {"labels.csv": "\n".join(["image;class;x1;y1;x2;y2", *rows])}


WRITTEN: dict[str, Callable[[Sequence[Drawn]], Files]] = {
    writer.__name__: writer
    for writer in (yolo, labelme, label_studio, createml, via, supervisely, datumaro, coco, cvat, voc, huggingface)
    + (table,)
}


def test_every_format_with_boxes_is_here() -> None:
    assert set(WRITTEN) == set(FORMATS) - {"folders"}


@pytest.mark.parametrize("format_name", WRITTEN)
@settings(derandomize=True, max_examples=12, database=None, deadline=None)
@given(photos=sets)
def test_a_reader_gives_back_what_its_format_holds(format_name: str, photos: list[Drawn]) -> None:
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        files = WRITTEN[format_name](photos) | {f"images/{photo.name}": "" for photo in photos}
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        folder = list_files(root)
        assert recognise(folder) is FORMATS[format_name]
        raw = read_labels(folder, FORMATS[format_name])
    assert faults_of(raw.problems) == ()
    found = {photo.name: photo for photo in raw.photos}
    assert set(found) == {f"images/{photo.name}" for photo in photos}
    for photo in photos:
        objects = found[f"images/{photo.name}"].objects
        assert [one.class_name for one in objects] == [name for name, _ in photo.boxes]
        for one, (_, box) in zip(objects, photo.boxes, strict=True):
            sides = (WIDE, HIGH) * 2 if one.unit == SHARE else (1,) * 4
            ends = [end * side for end, side in zip(one.box_xyxy, sides, strict=True)]
            assert ends == pytest.approx(box, abs=1e-6)


@given(stems=st.dictionaries(names, classes, min_size=2, max_size=5))
@settings(derandomize=True, max_examples=12, database=None, deadline=None)
def test_a_folder_is_the_class_of_its_photos(stems: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        for stem, name in stems.items():
            (Path(made) / name).mkdir(exist_ok=True)
            (Path(made) / name / f"p{stem}.jpg").touch()
        raw = read_labels(list_files(Path(made)), FORMATS["folders"])
    assert {photo.name: photo.objects[0].class_name for photo in raw.photos} == {
        f"{name}/p{stem}.jpg": name for stem, name in stems.items()
    }
