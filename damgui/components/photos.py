"""Photos for the page: small JPEGs inside the HTML (no folder of the user is served), boxes drawn over them as SVG."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from core.boxes import BoxXyxy, in_pixels
from core.conditions import Condition
from core.data import photos
from core.data.grey import OWN_RANGE
from core.data.refusals import unreadable
from core.report import pictures
from core.report.pictures import Place, data_uri
from core.runs.files import FileStamp, file_stamp
from damgui.components import html
from damgui.components.downloads import offer
from damgui.markup import TEMPLATES

THUMB_PX, SMALL_PX, CROP_PX, ANNOTATED_PX = 460, 320, 300, 640
# What is sent of a photo at first. One of more pixels follows in its full size when somebody looks closer, up to what a
# browser can show.
PREVIEW_PX, MOST_PIXELS = 2048, 64_000_000
LEAST_SEEN = 0.5  # per cent of a picture: a narrower box is drawn so wide
LEAST_PX = 8  # a box counts as at least so wide
_PHOTOS = TEMPLATES.macros("photos.html")


@dataclass(frozen=True)
class Mark:
    """A box to draw, in fractions of the picture, with its words."""

    box_xyxy: BoxXyxy
    object_type: str
    condition: Condition

    @property
    def words(self) -> str:
        return f"{self.object_type}: {self.condition.name}"


@dataclass(frozen=True)
class DrawnBox:
    """A box over a picture: its place, the condition whose colour and mark it has, and its tooltip."""

    place: Place
    condition: Condition
    title: str


def _drawn(box_xyxy: BoxXyxy, condition: Condition, title: str) -> DrawnBox:
    return DrawnBox(Place.of(box_xyxy, LEAST_SEEN), condition, title)


def _all_drawn(marks: Sequence[Mark]) -> list[DrawnBox]:
    return [_drawn(mark.box_xyxy, mark.condition, mark.words) for mark in marks]


def photo_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright photo in pixels. Raises UserError when it cannot be read."""
    try:
        return photos.photo_size(path)
    except photos.UNREADABLE as error:
        raise unreadable(Path(path.name), error) from error


def whole(path: Path, longest_px: int = THUMB_PX) -> str:
    """The photo as a data URI, its longer side at most `longest_px`. Raises UserError when it cannot be read."""
    return _whole(path, longest_px, file_stamp(path))


def preview(path: Path) -> str:
    """As `whole`, large enough to work on; few are kept. Raises UserError when it cannot be read."""
    return _preview(path, file_stamp(path))


@lru_cache(maxsize=256)
def _whole(path: Path, longest_px: int, _stamp: FileStamp) -> str:
    return _encoded(path, longest_px)


@lru_cache(maxsize=8)
def _preview(path: Path, _stamp: FileStamp) -> str:
    return _encoded(path, PREVIEW_PX)


def _encoded(path: Path, longest_px: int) -> str:
    size_wh = photo_size(path)
    try:
        picture = photos.open_photo(path, min(1.0, longest_px / max(size_wh)), OWN_RANGE)
    except photos.UNREADABLE as error:
        raise unreadable(Path(path.name), error) from error
    picture.thumbnail((longest_px, longest_px))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=82)
    return data_uri(stream.getvalue())


def is_larger(size_wh: tuple[int, int]) -> bool:
    """Whether a photo's `full_size` shows more than its preview and can be shown."""
    return max(size_wh) > PREVIEW_PX and size_wh[0] * size_wh[1] <= MOST_PIXELS


def full_size(path: Path) -> str:
    """The photo as viewed in all its pixels, as a JPEG: the path of a copy that the page may serve.

    Raises UserError when it cannot be read.
    """
    try:
        picture = photos.open_photo(path, None, OWN_RANGE)
    except photos.UNREADABLE as error:
        raise unreadable(Path(path.name), error) from error
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{path.stem}.jpg"
        picture.save(file, "JPEG", quality=90)
        return offer(file)


@lru_cache(maxsize=512)
def _crop(path: Path, box_px: BoxXyxy, least_px: float, _stamp: FileStamp) -> tuple[str, BoxXyxy]:
    """The object with surroundings as a data URI, and its box in fractions of that crop."""
    try:
        (found,) = pictures.crop_objects(path, [box_px], CROP_PX, least_px)
    except photos.UNREADABLE as error:
        raise unreadable(Path(path.name), error) from error
    return data_uri(found.jpeg), found.box_xyxy


def boxed(path: Path, marks: Sequence[Mark], caption: str = "") -> Markup:
    """A thumbnail with boxes in the conditions' colours, and the words under it."""
    counts = Counter(mark.condition for mark in marks).most_common()
    return _PHOTOS.counted(whole(path), _all_drawn(marks), counts, caption, f"{caption}: {len(marks)} objects")


def small(path: Path, marks: Sequence[Mark], name: str, words: str) -> Markup:
    """A small photo with its boxes; the words and its file name under it."""
    return _PHOTOS.named(whole(path, SMALL_PX), _all_drawn(marks), words, name, f"{name}: {words}")


def close_up(path: Path, mark: Mark, name: str, words: str) -> Markup:
    """A box of a photo with enough around it to find it again."""
    wide, high = photo_size(path)
    picture, box = _crop(path, in_pixels(mark.box_xyxy, (wide, high)), 0.2 * min(wide, high), file_stamp(path))
    return _PHOTOS.named(picture, [_drawn(box, mark.condition, words)], words, name, f"{words} in {name}")


def object_card(path: Path, box_px: BoxXyxy, kind: str, lines: Sequence[tuple[str, Condition, str]]) -> Markup:
    """An object cut out of its photo, with lines of (who, condition, note) under it; the first line is the truth."""
    picture, box = _crop(path, box_px, LEAST_PX, file_stamp(path))
    truth = lines[0][1]
    return _PHOTOS.object_card(picture, [_drawn(box, truth, f"{kind}: {truth.name}")], kind, lines, path.name)


def annotated(path: Path, counts: Counter[Condition], name: str) -> Markup:
    """A photo into which its boxes are drawn already, with how many there are of each condition."""
    tally = ", ".join(f"{number} {condition.name}" for condition, number in counts.most_common())
    return _PHOTOS.annotated(whole(path, ANNOTATED_PX), counts.most_common(), name, f"{name}: {tally}")


def gallery(cards: Sequence[str], css_class: str = "") -> Markup:
    return html.row(f"dg-gallery {css_class}".strip(), cards)
