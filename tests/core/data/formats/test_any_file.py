"""Whatever stands in a label file, a reader hands over a set with its problems: it never fails, and never hangs."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.data.files import list_files
from core.data.formats.base import RawSet
from core.data.formats.registry import FORMATS

TRIES = 150
ODD: tuple[Any, ...] = (
    None,
    True,
    "",
    "x",
    -1,
    0,
    1e400,
    "nan",
    "../..",
    [],
    [[]],
    {},
    {"x": []},
    [None],
    10**40,
    "0,5",
)
BOX = [8, 12, 16, 24]
LABELLED: dict[str, dict[str, Any]] = {
    "labelme": {
        "a.json": {
            "shapes": [
                {
                    "label": "toe drain",
                    "points": [[8, 12], [24, 36]],
                    "shape_type": "rectangle",
                    "flags": {"x": True},
                    "attributes": {"y": "z"},
                }
            ],
            "imagePath": "a.jpg",
            "imageWidth": 64,
            "imageHeight": 48,
            "flags": {},
        }
    },
    "label_studio": {
        "e.json": [
            {
                "id": 1,
                "data": {"image": "/data/a.jpg"},
                "annotations": [
                    {
                        "result": [
                            {
                                "id": "r",
                                "type": "rectanglelabels",
                                "original_width": 64,
                                "original_height": 48,
                                "from_name": "b",
                                "value": {
                                    "x": 1,
                                    "y": 2,
                                    "width": 3,
                                    "height": 4,
                                    "rotation": 5,
                                    "rectanglelabels": ["toe drain"],
                                },
                            },
                            {"id": "r", "type": "choices", "value": {"choices": ["blocked"]}},
                        ]
                    }
                ],
                "predictions": [],
            }
        ]
    },
    "createml": {
        "c.json": [
            {
                "image": "a.jpg",
                "annotations": [{"label": "toe drain", "coordinates": {"x": 16, "y": 24, "width": 16, "height": 24}}],
            }
        ]
    },
    "via": {
        "v.json": {
            "a.jpg1": {
                "filename": "a.jpg",
                "regions": [
                    {
                        "shape_attributes": {"name": "rect", "x": 1, "y": 1, "width": 9, "height": 9},
                        "region_attributes": {"class": "toe drain", "state": {"blocked": True}},
                    }
                ],
            }
        }
    },
    "supervisely": {
        "ann/a.jpg.json": {
            "size": {"width": 64, "height": 48},
            "objects": [
                {
                    "classTitle": "toe drain",
                    "geometryType": "rectangle",
                    "points": {"exterior": [[8, 12], [24, 36]], "interior": []},
                    "tags": [{"name": "state", "value": "blocked"}],
                }
            ],
            "tags": [],
        }
    },
    "datumaro": {
        "annotations/train.json": {
            "categories": {"label": {"labels": [{"name": "toe drain"}]}},
            "items": [
                {
                    "id": "a",
                    "annotations": [{"id": 1, "type": "bbox", "label_id": 0, "bbox": BOX, "attributes": {}}],
                    "image": {"path": "a.jpg", "size": [48, 64]},
                }
            ],
        }
    },
    "huggingface": {
        "metadata.jsonl": {
            "file_name": "a.jpg",
            "objects": {"bbox": [BOX], "categories": ["toe drain"], "state": ["blocked"]},
        }
    },
    "coco": {
        "c.json": {
            "images": [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "bbox": BOX, "segmentation": [[1, 2, 3, 4, 5, 6]]}
            ],
            "categories": [{"id": 1, "name": "toe drain"}],
        }
    },
}
TEXTS: dict[str, dict[str, str]] = {
    "yolo": {"labels/a.txt": "0 0.5 0.5 0.2 0.2\n1 .1 .1 .2 .1 .2 .2\n", "data.yaml": "names: [a, b]\ntrain: images\n"},
    "voc": {
        "a.xml": "<annotation><filename>a.jpg</filename><size><width>64</width><height>48</height></size><object>"
        "<name>x</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>"
        "</annotation>"
    },
    "cvat": {
        "a.xml": '<annotations><image id="0" name="a.jpg" width="64" height="48"><box label="x" xtl="1" ytl="2" '
        'xbr="3" ybr="4" rotation="5"><attribute name="s">blocked</attribute></box></image></annotations>'
    },
    "table": {"t.csv": 'image,class,x1,y1,x2,y2,split\na.jpg,"toe drain",8,12,24,36,train\n'},
    "via": {
        "v.csv": 'filename,region_shape_attributes,region_attributes\na.jpg,"{""name"":""rect"",""x"":1,""y"":1,'
        '""width"":9,""height"":9}","{""class"":""x""}"\n'
    },
}


def places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a decoded JSON."""
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree))) if isinstance(tree, list) else []
    for key in keys:
        yield tree, key
        yield from places(tree[key])


def spoiled(tree: Any, chance: random.Random) -> Any:
    """The tree with one or two values changed, removed or wrapped."""
    made = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 2))):
        if not (listed := list(places(made))):
            return made
        container, key = chance.choice(listed)
        if isinstance(container, dict) and chance.random() < 0.2:
            del container[key]
        else:
            changed = chance.choice((*ODD, [container[key]], {"x": container[key]}, str(container[key])))
            container[key] = copy.deepcopy(changed)
    return made


def garbled(text: str, chance: random.Random) -> str:
    """The text with a piece cut out, doubled, or something odd put in."""
    start, end = sorted(chance.choices(range(len(text) + 1), k=2))
    piece = chance.choice(("", text[start:end] * 2, "\x00", ",", "-1", "nan", "1e400", '"', "<", "\n", "é", "9" * 400))
    return text[:start] + piece + text[end if chance.random() < 0.5 else start :]


def read_with(root: Path, format_name: str, files: dict[str, str]) -> RawSet:
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8", newline="")
    folder = list_files(root)
    for reader in FORMATS.values():
        reader.recognises(folder)
        reader.claims(folder)
    return FORMATS[format_name].read(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("annotations", "ann", "img", "labels", "images"):
        (tmp_path / folder).mkdir()
    for name in ("a.jpg", "img/a.jpg", "images/a.jpg"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("format_name", LABELLED)
def test_no_value_in_json_makes_a_reader_fail(root: Path, format_name: str) -> None:
    chance = random.Random(format_name)
    for _ in range(TRIES):
        files = {name: json.dumps(spoiled(tree, chance)) for name, tree in LABELLED[format_name].items()}
        assert isinstance(read_with(root, format_name, files), RawSet), files


@pytest.mark.parametrize("format_name", TEXTS)
def test_no_text_makes_a_reader_fail(root: Path, format_name: str) -> None:
    chance = random.Random(format_name)
    for _ in range(TRIES):
        files = {name: garbled(text, chance) for name, text in TEXTS[format_name].items()}
        assert isinstance(read_with(root, format_name, files), RawSet), files


@pytest.mark.parametrize("format_name", FORMATS)
def test_nesting_without_end_is_a_problem(root: Path, format_name: str) -> None:
    files = {"deep.json": "[" * 100_000, "deep.xml": "<annotation>" * 20_000, "deep.csv": '"' * 100_000}
    assert isinstance(read_with(root, format_name, files), RawSet)
