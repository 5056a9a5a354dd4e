"""Photos with their boxes drawn in: the condition's colour, its mark and its word, and a question mark where unsure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path, PurePosixPath

from PIL import Image, ImageDraw, ImageFont

from core.boxes import BoxXyxy, overlap
from core.conditions import MARKS, UNSURE_SIGN, Condition
from core.data.grey import OWN_RANGE
from core.data.photos import UNREADABLE, open_photo, photo_size
from core.records import PredictionRow
from core.report.answers import confidence, shown_condition
from core.runs.files import replacing, system_path, writing
from core.taxonomy import Taxonomy
from core.units import probability

# The longer side of an annotated photo. A small photo is enlarged, or its words would hide what they are about.
LEAST_PX, MOST_PX = 960, 1600
QUALITY = 85
INK, PAPER = "#16222e", "#ffffff"
MAX_QUEUED = 4  # photos that may wait to be drawn: few, so that memory stays small


def annotated_name(photo: str) -> str:
    """The name of a photo's annotated version: its own; after another ending than .jpg comes .jpg."""
    plain = PurePosixPath(photo).as_posix()
    return plain if plain.lower().endswith((".jpg", ".jpeg")) else plain + ".jpg"


def draw(path: Path, rows: Sequence[PredictionRow], taxonomy: Taxonomy, full_size: bool = False) -> Image.Image:
    """A photo with the box of every row and its answer.

    Args:
        path: of the photo.
        rows: predictions about objects of this photo.
        taxonomy: gives each condition its colour and mark.
        full_size: whether the picture has as many pixels as the photo.

    Returns:
        The photo as viewed, RGB, its longer side LEAST_PX to MOST_PX where it need not have its full size.

    Raises:
        OSError: the photo cannot be read; like any of `core.data.photos.UNREADABLE`.
    """
    full_wh = photo_size(path)
    scale = 1.0 if full_size else min(max(*full_wh, LEAST_PX), MOST_PX) / max(full_wh)
    picture = open_photo(path, scale if scale < 1.0 else None, OWN_RANGE)
    size = (max(1, round(full_wh[0] * scale)), max(1, round(full_wh[1] * scale)))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    pen = ImageDraw.Draw(picture)
    stroke = max(2, round(max(size) / 400))
    shapes: list[tuple[PredictionRow, Condition, BoxXyxy]] = []
    for row in rows:
        x1, y1, x2, y2 = (float(value) * scale for value in row["box_xyxy_px"])
        shapes.append((row, shown_condition(row, taxonomy), (x1, y1, x2, y2)))
    for _, condition, box in shapes:
        _draw_box(pen, box, condition.colour, stroke)
    written: list[BoxXyxy] = []
    for row, condition, box in shapes:  # labels last: no box is drawn over them
        label = (condition, _label_text(row, condition))
        written.append(_draw_label(pen, label, box, (size, max(12, round(max(size) / 80))), written))
    return picture


def _draw_box(pen: ImageDraw.ImageDraw, box: Sequence[float], colour: str, stroke: int) -> None:
    x1, y1, x2, y2 = box
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=INK, width=stroke + 2)
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=stroke)


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _label_text(row: PredictionRow, condition: Condition) -> str:
    text = f"{condition.name} {probability(confidence(row))}" if int(row.get("choices") or 1) > 1 else condition.name
    return text + (f"  {UNSURE_SIGN} unsure" if row.get("unsure") else "")


def _draw_label(
    pen: ImageDraw.ImageDraw,
    label: tuple[Condition, str],
    box: BoxXyxy,
    page: tuple[tuple[int, int], int],
    written: list[BoxXyxy],
) -> BoxXyxy:
    """Draw a strip with mark and text where no other strip lies.

    Args:
        pen: draws on the photo.
        label: condition and text.
        box: of the object, in pixels.
        page: size of the photo and height of the letters, in pixels.
        written: the strips drawn so far.

    Returns:
        Where the strip lies, in pixels.
    """
    (size_wh, tall), (condition, text) = page, label
    font, pad = _font(tall), round(tall * 0.35)
    strip = _place(box, (pen.textlength(text, font=font) + tall + 3 * pad, tall + 2 * pad), size_wh, written)
    ink = _ink_on(condition.colour)
    pen.rectangle(strip, fill=condition.colour, outline=INK)
    middle = (strip[0] + pad + tall / 2, (strip[1] + strip[3]) / 2)
    _draw_mark(pen, condition.mark, middle, tall * 0.38, ink)
    pen.text((strip[0] + 2 * pad + tall, middle[1]), text, fill=ink, font=font, anchor="lm")
    return strip


def _place(box: BoxXyxy, strip_wh: tuple[float, float], size_wh: tuple[int, int], written: list[BoxXyxy]) -> BoxXyxy:
    """The first free place of a strip: above the box, below its upper edge, above its lower edge, below it.

    All within the photo; where none is free of other strips, the first of them.
    """
    wide, high = strip_wh
    left = min(max(box[0], 0), max(size_wh[0] - wide, 0))
    places = [
        (left, top, left + wide, top + high)
        for top in (box[1] - high, box[1], box[3] - high, box[3])
        if 0 <= top <= size_wh[1] - high
    ]
    places = places or [(left, 0.0, left + wide, high)]
    return next((one for one in places if not any(overlap(one, other) for other in written)), places[0])


def _ink_on(colour: str) -> str:
    """Dark or white, whichever can be read on a colour."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else PAPER


def _draw_mark(pen: ImageDraw.ImageDraw, mark: str, at: tuple[float, float], size: float, ink: str) -> None:
    """The condition's mark, drawn: the fonts that come along lack these signs."""
    x, y = at
    _, shapes = MARKS[mark]
    if not shapes:
        pen.ellipse((x - size, y - size, x + size, y + size), fill=ink)
    for corners in shapes:
        pen.polygon([(x + size * across, y + size * down) for across, down in corners], fill=ink)


def save(path: Path, rows: Sequence[PredictionRow], target: Path, taxonomy: Taxonomy) -> None:
    """Draw one annotated photo and write it in one go: the file is whole or not there at all.

    Args:
        path: of the photo; one that cannot be read any more is left out.
        rows: predictions about objects of this photo.
        target: the JPEG to write.
        taxonomy: gives each condition its colour and mark.

    Raises:
        UserError: the disk does not take it.
    """
    try:
        picture = draw(path, rows, taxonomy)
    except UNREADABLE:
        return
    with writing(target), replacing(target) as beside:
        picture.save(system_path(beside), "JPEG", quality=QUALITY)


class Annotator:
    """Draws photos into a folder, in a thread of its own, while the model answers about the next ones.

    At most MAX_QUEUED photos wait.
    """

    def __init__(self, folder: Path, taxonomy: Taxonomy) -> None:
        self.folder, self.taxonomy = folder, taxonomy
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._free_slots = threading.Semaphore(MAX_QUEUED)
        self._drawn: list[Future[None]] = []

    def add(self, path: Path, rows: Sequence[PredictionRow]) -> None:
        """Have one photo drawn; waits while too many are queued.

        Args:
            path: of the photo.
            rows: predictions about its objects, at least one.

        Raises:
            UserError: an earlier one could not be written.
        """
        self._free_slots.acquire()
        self._settle(done_only=True)
        drawn = self._pool.submit(save, path, rows, self.folder / annotated_name(str(rows[0]["image"])), self.taxonomy)
        drawn.add_done_callback(lambda _: self._free_slots.release())
        self._drawn.append(drawn)

    def _settle(self, done_only: bool) -> None:
        ready = [picture for picture in self._drawn if not done_only or picture.done()]
        self._drawn = [picture for picture in self._drawn if picture not in ready]
        for picture in ready:
            picture.result()

    def close(self) -> None:
        """Wait for everything that is queued.

        Raises:
            UserError: something could not be written.
        """
        self._pool.shutdown(wait=True)
        self._settle(done_only=False)
