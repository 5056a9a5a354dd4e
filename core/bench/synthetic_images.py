"""The photos that all variants are given: drawn ones, at the size they are shown in, with any number of questions."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from PIL import Image

from core.boxes import BoxXyxy
from core.data.photos import open_photo
from core.data.types import BoxedObject, Photo
from core.runs.files import write_text, writing


def shifted(box_xyxy: BoxXyxy, times: int) -> BoxXyxy:
    """The box moved a little, `times` times as far: another question about the same photo."""
    x1, y1, x2, y2 = box_xyxy
    step = 0.004 * times * (-1 if x2 + y2 > 1 else 1)
    x, y = (min(max(step, -low), 1 - high) for low, high in ((x1, x2), (y1, y2)))
    return x1 + x, y1 + y, x2 + x, y2 + y


def with_questions(photo: Photo, questions: int) -> tuple[BoxedObject, ...]:
    """A number of objects of a photo: its own, then its own again, moved a little.

    Args:
        photo: with at least one object.
        questions: their number; 0 for its own objects alone.
    """
    own = photo.objects
    if not questions:
        return own
    return tuple(
        replace(own[index % len(own)], box_xyxy=shifted(own[index % len(own)].box_xyxy, index // len(own)))
        for index in range(questions)
    )


def _bytes(photo: Photo, side_px: int) -> bytes:
    if not side_px:
        return photo.path.read_bytes()
    shown = open_photo(photo.path).resize((side_px, side_px), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    shown.save(stream, "JPEG", quality=90)
    return stream.getvalue()


def make_images(photos: Sequence[Photo], folder: Path, count: int = 0, side_px: int = 0, questions: int = 0) -> Path:
    """Write a list of photos, and their copies where they need any.

    Beyond the photos there are, copies get other names: the same picture, but a byte more in the file, so another
    digest.

    Args:
        photos: those there are.
        folder: takes list and copies.
        count: photos in the list; 0 for as many as there are.
        side_px: the side of square copies, so that a photo is decoded at the size it is shown in; 0 for the photos as
            they are.
        questions: objects of each photo; 0 for its own.

    Returns:
        The file of the list, as `read_images` takes it.
    """
    kept: list[Photo] = []
    for index in range(count or len(photos)):
        photo = photos[index % len(photos)]
        objects = with_questions(photo, questions)
        if side_px or index >= len(photos):
            again = index // len(photos)
            written = _bytes(photo, side_px) + str(again).encode() * bool(again)
            path = folder / f"{index:06d}.jpg"
            with writing(path):
                folder.mkdir(parents=True, exist_ok=True)
                path.write_bytes(written)
            size_wh = (side_px, side_px) if side_px else photo.size_wh
            digest = hashlib.sha256(written).hexdigest()
            kept.append(replace(photo, path=path, name=path.name, size_wh=size_wh, objects=objects, digest=digest))
        else:
            kept.append(replace(photo, objects=objects))
    file = folder / f"images-{len(kept)}-{side_px}-{questions}.json"
    write_text(file, json.dumps([asdict(photo) | {"path": str(photo.path)} for photo in kept]))
    return file


def read_images(file: Path) -> list[Photo]:
    """The photos of a list that `make_images` wrote."""
    found = []
    for entry in json.loads(file.read_text(encoding="utf-8")):
        objects = tuple(BoxedObject(tuple(each.pop("box_xyxy")), **each) for each in entry.pop("objects"))
        path, size = Path(entry.pop("path")), entry.pop("size_wh")
        found.append(Photo(path=path, size_wh=(size[0], size[1]), objects=objects, **entry))
    return found
