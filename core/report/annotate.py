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
from core.data.photos import UNREADABLE, open_photo, photo_size
from core.records import PredictionRow
from core.report.answers import shown, sureness
from core.runs.files import replacing, system_path, writing
from core.taxonomy import Taxonomy
from core.units import probability

# The longer side of an annotated photo. A small photo is enlarged, or its words would hide what they are about.
LEAST_PX, MOST_PX = 960, 1600
QUALITY = 85
INK, PAPER = "#16222e", "#ffffff"
WAITING = 4  # photos that may wait for the pen: few, so that memory stays small


def annotated_name(photo: str) -> str:
    """Where a photo's annotated version lies: its own name; another ending than .jpg gets .jpg appended."""
    plain = PurePosixPath(photo).as_posix()
    return plain if plain.lower().endswith((".jpg", ".jpeg")) else plain + ".jpg"


def draw(path: Path, rows: Sequence[PredictionRow], taxonomy: Taxonomy) -> Image.Image:
    """The photo upright, its longer side LEAST_PX to MOST_PX, with every row's box. Raises one of UNREADABLE."""
    full_wh = photo_size(path)
    scale = min(max(*full_wh, LEAST_PX), MOST_PX) / max(full_wh)
    picture = open_photo(path, min(scale, 1.0))
    size = (max(1, round(full_wh[0] * scale)), max(1, round(full_wh[1] * scale)))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    pen = ImageDraw.Draw(picture)
    stroke = max(2, round(max(size) / 400))
    shapes: list[tuple[PredictionRow, Condition, BoxXyxy]] = []
    for row in rows:
        x1, y1, x2, y2 = (float(value) * scale for value in row["box_xyxy_px"])
        shapes.append((row, shown(row, taxonomy), (x1, y1, x2, y2)))
    for _, condition, box in shapes:
        _frame(pen, box, condition.colour, stroke)
    written: list[BoxXyxy] = []
    for row, condition, box in shapes:  # words last: no box is drawn over them
        said = (condition, _words(row, condition))
        written.append(_label(pen, said, box, (size, max(12, round(max(size) / 80))), written))
    return picture


def _frame(pen: ImageDraw.ImageDraw, box: Sequence[float], colour: str, stroke: int) -> None:
    x1, y1, x2, y2 = box
    pen.rectangle((x1 - 1, y1 - 1, x2 + 1, y2 + 1), outline=INK, width=stroke + 2)
    pen.rectangle((x1, y1, x2, y2), outline=colour, width=stroke)


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _words(row: PredictionRow, condition: Condition) -> str:
    said = f"{condition.name} {probability(sureness(row))}" if int(row.get("choices") or 1) > 1 else condition.name
    return said + (f"  {UNSURE_SIGN} unsure" if row.get("unsure") else "")


def _label(
    pen: ImageDraw.ImageDraw,
    told: tuple[Condition, str],
    box: BoxXyxy,
    page: tuple[tuple[int, int], int],
    written: list[BoxXyxy],
) -> BoxXyxy:
    """A strip with mark, condition and how sure, where no other is written; `page` is the photo's size and the height
    of letters. Returns where it lies."""
    (size_wh, tall), (condition, said) = page, told
    font, pad = _font(tall), round(tall * 0.35)
    strip = _place(box, (pen.textlength(said, font=font) + tall + 3 * pad, tall + 2 * pad), size_wh, written)
    ink = _ink_on(condition.colour)
    pen.rectangle(strip, fill=condition.colour, outline=INK)
    middle = (strip[0] + pad + tall / 2, (strip[1] + strip[3]) / 2)
    _mark(pen, condition.mark, middle, tall * 0.38, ink)
    pen.text((strip[0] + 2 * pad + tall, middle[1]), said, fill=ink, font=font, anchor="lm")
    return strip


def _place(box: BoxXyxy, strip_wh: tuple[float, float], size_wh: tuple[int, int], written: list[BoxXyxy]) -> BoxXyxy:
    """Above the box, below its upper edge, above its lower edge or below it: the first place within the photo that is
    free of other words, else the first within the photo."""
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


def _mark(pen: ImageDraw.ImageDraw, mark: str, at: tuple[float, float], size: float, ink: str) -> None:
    """The condition's mark, drawn: the fonts that come along lack these signs."""
    x, y = at
    _, shapes = MARKS[mark]
    if not shapes:
        pen.ellipse((x - size, y - size, x + size, y + size), fill=ink)
    for corners in shapes:
        pen.polygon([(x + size * across, y + size * down) for across, down in corners], fill=ink)


def save(path: Path, rows: Sequence[PredictionRow], target: Path, taxonomy: Taxonomy) -> None:
    """Draw and write one annotated photo in one go: it is whole or not there at all.

    A photo that cannot be read any more is left out. Raises UserError when the disk does not take it.
    """
    try:
        picture = draw(path, rows, taxonomy)
    except UNREADABLE:
        return
    with writing(target), replacing(target) as beside:
        picture.save(system_path(beside), "JPEG", quality=QUALITY)


class Annotator:
    """Draws photos in a thread of its own while the model judges the next ones; a few may wait, no more."""

    def __init__(self, folder: Path, taxonomy: Taxonomy) -> None:
        self.folder, self.taxonomy = folder, taxonomy
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._room = threading.Semaphore(WAITING)
        self._drawn: list[Future[None]] = []

    def add(self, path: Path, rows: Sequence[PredictionRow]) -> None:
        """Have one photo drawn. Raises UserError when an earlier one could not be written."""
        self._room.acquire()
        self._settle(done_only=True)
        drawn = self._pool.submit(save, path, rows, self.folder / annotated_name(str(rows[0]["image"])), self.taxonomy)
        drawn.add_done_callback(lambda _: self._room.release())
        self._drawn.append(drawn)

    def _settle(self, done_only: bool) -> None:
        ready = [picture for picture in self._drawn if not done_only or picture.done()]
        self._drawn = [picture for picture in self._drawn if picture not in ready]
        for picture in ready:
            picture.result()

    def close(self) -> None:
        """Wait for what is being drawn. Raises UserError when something could not be written."""
        self._pool.shutdown(wait=True)
        self._settle(done_only=False)
