"""What a case of this folder is made of: files as people have them, and what is to be understood of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("toe drain normal", "toe drain blocked", "slope drain normal", "rock toe damaged", "vegetation")
WIDE, HIGH = 320, 240
LISTED = "\n".join(CLASSES) + "\n"  # as classes.txt has them
BOX = (100, 80, 140, 140)  # in pixels of a photo of WIDE x HIGH, if a case does not say otherwise
MIDDLE = "{0} 0.5 0.5 0.2 0.2\n"  # a YOLO row
MIDDLE_PX = (128, 96, 192, 144)


@dataclass(frozen=True)
class Reads:
    """The set is used. `box` is the first object of the first photo that has one, in pixels; `told` are patterns, each
    of which a hint must match.
    """

    format: str
    class_name: str = ""
    box: Sequence[float] = ()
    objects: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    flights: int | None = None
    told: Sequence[str] = ()


@dataclass(frozen=True)
class Refused:
    """No run starts, and every pattern is in what is said; `not_said` are patterns that must not be."""

    said: Sequence[str]
    not_said: Sequence[str] = ()


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    expected: Reads | Refused
    write: Callable[[Path], Path | None]
    settings: Mapping[str, Any]


CASES: dict[str, Case] = {}


def case(kind: str, expected: Reads | Refused, **settings: Any) -> Callable[..., Any]:
    """Registers a function that writes a case into a folder; it returns what is handed over where that is another."""

    def register(write: Callable[[Path], Path | None]) -> Callable[[Path], Path | None]:
        assert write.__name__ not in CASES
        CASES[write.__name__] = Case(write.__name__, kind, expected, write, settings)
        return write

    return register


def photo(path: Path, size: tuple[int, int] = (WIDE, HIGH), turn: int = 0, **how: Any) -> Path:
    """A photo whose coarse pattern follows from its path, so that no two look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32("/".join(path.parts[-3:]).encode()))
    coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    if turn:
        exif = Image.Exif()
        exif[0x0112] = turn
        how["exif"] = exif
    coarse.resize(size, Image.Resampling.BICUBIC).save(path, **how)
    return path


def text(path: Path, said: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(said.encode(encoding))
    return path


def tree(path: Path, value: Any) -> Path:
    return text(path, json.dumps(value, ensure_ascii=False))


def photos(root: Path, count: int, stem: str = "A_{:03d}.jpg") -> list[str]:
    names = [stem.format(number) for number in range(count)]
    for name in names:
        photo(root / name)
    return names


def pairs(root: Path, place: str, labels: str, count: int, stem: str = "A_{:03d}", ending: str = ".jpg") -> None:
    """Photos in one folder and their YOLO labels, by the same stems, in another."""
    for number in range(count):
        photo(root / place / (stem.format(number) + ending))
        text(root / labels / (stem.format(number) + ".txt"), middle(number))


def names_yaml(**lines: str) -> str:
    return "".join(f"{key}: {value}\n" for key, value in lines.items()) + f"names: {list(CLASSES)!r}\n"


def yolo(root: Path, row: Callable[[int], str], config: str | None = None, counts: Sequence[int] = (4, 3)) -> None:
    """train/images/A_000.jpg …, valid/images/B_000.jpg … with labels beside, and data.yaml."""
    number = 0
    for split, letter, count in zip(("train", "valid"), "AB", counts, strict=True):
        for place in range(count):
            photo(root / split / "images" / f"{letter}_{place:03d}.jpg")
            text(root / split / "labels" / f"{letter}_{place:03d}.txt", row(number))
            number += 1
    config = config if config is not None else names_yaml(train="train/images", val="valid/images")
    if config:
        text(root / "data.yaml", config)


def middle(number: int) -> str:
    return MIDDLE.format(number % 5)


def coco(
    names: Iterable[str], box: Sequence[Any] = (100, 80, 40, 60), size: tuple[Any, Any] = (WIDE, HIGH)
) -> dict[str, Any]:
    """A COCO tree: one object in each photo, classes in turn."""
    named = list(names)
    return {
        "images": [
            {"id": place, "file_name": name, "width": size[0], "height": size[1]} for place, name in enumerate(named)
        ],
        "annotations": [
            {"id": place + 1, "image_id": place, "category_id": 1 + place % 5, "bbox": list(box), "iscrowd": 0}
            for place in range(len(named))
        ],
        "categories": [{"id": place + 1, "name": name} for place, name in enumerate(CLASSES)],
    }


def voc(filename: str, objects: str, size: tuple[Any, Any] | None = (WIDE, HIGH)) -> str:
    said = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>" if size else ""
    return f"<annotation>\n<filename>{filename}</filename>\n{said}\n{objects}\n</annotation>\n"


def voc_object(name: str, ends: Sequence[Any], more: str = "") -> str:
    box = "".join(f"<{tag}>{end}</{tag}>" for tag, end in zip(("xmin", "ymin", "xmax", "ymax"), ends, strict=True))
    return f"<object><name>{name}</name><bndbox>{box}</bndbox>{more}</object>"


def rows(header: str, names: Sequence[str], row: str) -> str:
    """A table: `row` is formatted with the photo's name, a class and the number."""
    lines = [row.format(name, CLASSES[place % 5], place) for place, name in enumerate(names)]
    return "\n".join([header] * bool(header) + lines) + "\n"
