"""The photos that all variants are given: drawn scenes, in the size they are shown, with as many questions as asked."""

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


def moved(box_xyxy: BoxXyxy, times: int) -> BoxXyxy:
    """The box moved a little, and another little for every further time: another question about the same photo."""
    x1, y1, x2, y2 = box_xyxy
    step = 0.004 * times * (-1 if x2 + y2 > 1 else 1)
    x, y = (min(max(step, -low), 1 - high) for low, high in ((x1, x2), (y1, y2)))
    return x1 + x, y1 + y, x2 + x, y2 + y


def asked(photo: Photo, questions: int) -> tuple[BoxedObject, ...]:
    """That many objects of a photo: its own, then its own again, moved a little (0: its own)."""
    own = photo.objects
    if not questions:
        return own
    return tuple(
        replace(own[index % len(own)], box_xyxy=moved(own[index % len(own)].box_xyxy, index // len(own)))
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
    """A list of `count` photos (0: as many as there are) in `folder`, whose path is returned.

    `side_px` writes square copies of that size, so that a photo is decoded at the size it is shown in. Beyond the
    photos there are, copies under other names: the same picture, but a byte more in the file, so another digest.
    """
    kept: list[Photo] = []
    for index in range(count or len(photos)):
        photo = photos[index % len(photos)]
        objects = asked(photo, questions)
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
    file = folder / f"album-{len(kept)}-{side_px}-{questions}.json"
    write_text(file, json.dumps([asdict(photo) | {"path": str(photo.path)} for photo in kept]))
    return file


def read_images(file: Path) -> list[Photo]:
    found = []
    for entry in json.loads(file.read_text(encoding="utf-8")):
        objects = tuple(BoxedObject(tuple(each.pop("box_xyxy")), **each) for each in entry.pop("objects"))
        path, size = Path(entry.pop("path")), entry.pop("size_wh")
        found.append(Photo(path=path, size_wh=(size[0], size[1]), objects=objects, **entry))
    return found
