"""Photos for the page: small JPEGs inside the HTML (no folder of the user is served), boxes drawn over them as SVG."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from core.conditions import Condition
from core.errors import UserError
from damgui.components.html import badge
from damgui.text import escape

THUMB_PX, SMALL_PX, CROP_PX, VIEW_PX, ANNOTATED_PX = 460, 320, 300, 1280, 640
CROP_CONTEXT = 0.9  # surroundings of an object in the gallery, as a share of its longer side
MAX_PIXELS = 200_000_000  # a photo beyond this is no photo
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """A box to draw, in fractions of the picture, with its words."""

    box_xyxy: Box
    object_type: str
    condition: Condition

    @property
    def words(self) -> str:
        return f"{self.object_type}: {self.condition.name}"


def open_photo(path: Path) -> Image.Image:
    """The photo, upright, RGB. Raises UserError when it cannot be read."""
    fix = "Choose a JPEG or PNG photo."
    try:
        picture = Image.open(path)
        if picture.width * picture.height > MAX_PIXELS:
            raise UserError("this photo is absurdly large", path.name, fix)
        picture.draft("RGB", (VIEW_PX, VIEW_PX)) if picture.getexif().get(0x0112, 1) == 1 else None
        return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UserError("this photo cannot be read", path.name, fix) from error


def photo_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright photo in pixels. Raises UserError when it cannot be read."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return (picture.height, picture.width) if turned else picture.size
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UserError("this photo cannot be read", path.name, "Choose a JPEG or PNG photo.") from error


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def whole(path: Path, longest_px: int = THUMB_PX) -> str:
    """The photo as a data URI, its longer side at most `longest_px`."""
    return _whole(path, longest_px, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=256)
def _whole(path: Path, longest_px: int, _changed: int) -> str:
    picture = open_photo(path)
    picture.thumbnail((longest_px, longest_px))
    return _data_uri(picture)


def square_around(box_px: Box, size_wh: tuple[int, int], least_px: float = 8) -> tuple[int, int, int, int]:
    """A square around a box with surroundings, moved inside the photo; all in pixels. A box counts as `least_px`."""
    x1, y1, x2, y2 = box_px
    side = max(x2 - x1, y2 - y1, least_px) * (1 + CROP_CONTEXT)
    side = min(side, *size_wh)
    left = min(max((x1 + x2 - side) / 2, 0), size_wh[0] - side)
    top = min(max((y1 + y2 - side) / 2, 0), size_wh[1] - side)
    return int(left), int(top), int(left + side), int(top + side)


@lru_cache(maxsize=512)
def _crop(path: Path, box_px: Box, size_wh: tuple[int, int], _changed: int, least_px: float = 8) -> tuple[str, Box]:
    """The object with surroundings as a data URI, and its box in fractions of that crop."""
    picture = open_photo(path)
    scale_x, scale_y = picture.width / size_wh[0], picture.height / size_wh[1]  # JPEG drafts are smaller
    left, top, right, bottom = square_around(box_px, size_wh, least_px)
    cut = picture.crop((int(left * scale_x), int(top * scale_y), int(right * scale_x), int(bottom * scale_y)))
    side = right - left
    x1, y1, x2, y2 = box_px
    box = (x1 - left) / side, (y1 - top) / side, (x2 - left) / side, (y2 - top) / side
    return _data_uri(cut.resize((CROP_PX, CROP_PX))), box


def boxed(path: Path, marks: Sequence[Mark], caption: str = "") -> str:
    """A thumbnail with boxes in the conditions' colours, and the words under it."""
    shapes = "".join(_rect(mark.box_xyxy, mark.condition, mark.words) for mark in marks)
    found = Counter(mark.condition for mark in marks)
    words = "".join(f"<li>{badge(name, str(n), short=True)}</li>" for name, n in found.most_common())
    caption_html = f"<figcaption><ul class='dg-inline'>{words}</ul><code>{escape(caption)}</code></figcaption>"
    return _card(whole(path), shapes, caption_html, f"{caption}: {len(marks)} objects")


def small(path: Path, marks: Sequence[Mark], name: str, words: str) -> str:
    """A small photo with its boxes; the words and its file name under it."""
    shapes = "".join(_rect(mark.box_xyxy, mark.condition, mark.words) for mark in marks)
    said = f"<figcaption><strong>{escape(words)}</strong><code>{escape(name)}</code></figcaption>"
    return _card(whole(path, SMALL_PX), shapes, said, f"{name}: {words}")


def close_up(path: Path, mark: Mark, name: str, words: str) -> str:
    """A box of a photo with enough around it to find it again."""
    size_wh = photo_size(path)
    box_px = tuple(end * side for end, side in zip(mark.box_xyxy, size_wh * 2, strict=True))
    stamp = path.stat().st_mtime_ns
    picture, box = _crop(path, box_px, size_wh, stamp, 0.2 * min(size_wh))
    said = f"<figcaption><strong>{escape(words)}</strong><code>{escape(name)}</code></figcaption>"
    return _card(picture, _rect(box, mark.condition, words), said, f"{words} in {name}")


def judged(path: Path, box_px: Box, kind: str, lines: Sequence[tuple[str, Condition, str]]) -> str:
    """An object cut out of its photo, with lines of (who, condition, note) under it; the first line is the truth."""
    stamp = path.stat().st_mtime_ns if path.exists() else 0
    picture, box = _crop(path, box_px, photo_size(path), stamp)
    shape = _rect(box, lines[0][1], f"{kind}: {lines[0][1].name}")
    said = "".join(
        f"<div><dt>{escape(who)}</dt><dd>{badge(condition)}<small>{escape(note)}</small></dd></div>"
        for who, condition, note in lines
    )
    words = f"<figcaption><strong>{escape(kind)}</strong><dl>{said}</dl><code>{escape(path.name)}</code></figcaption>"
    return _card(picture, shape, words, f"{kind} in {path.name}")


def _rect(box: Box, condition: Condition, title: str) -> str:
    x1, y1, x2, y2 = (100 * value for value in box)
    at = f'x="{x1:.2f}%" y="{y1:.2f}%" width="{max(x2 - x1, 0.5):.2f}%" height="{max(y2 - y1, 0.5):.2f}%"'
    return (
        f'<g><title>{escape(title)}</title><rect {at} class="dg-halo"/>'
        f'<rect {at} stroke="{condition.colour}" class="dg-box"/></g>'
        f'<text x="{x1:.2f}%" y="{y1:.2f}%" dx="3" dy="13" class="dg-boxmark">{condition.sign}</text>'
    )


def _card(source: str, shapes: str, words: str, about: str) -> str:
    return (
        f'<figure class="dg-card"><div class="dg-photo"><img src="{source}" alt="{escape(about)}">'
        f'<svg aria-hidden="true">{shapes}</svg></div>{words}</figure>'
    )


def gallery(cards: Sequence[str]) -> str:
    return f'<div class="dg-gallery">{"".join(cards)}</div>'
