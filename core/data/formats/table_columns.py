"""What the columns of a table mean: by their names, or without names by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.data.files import is_photo

IMAGE, CLASS, SPLIT = "image", "class", "split"
# What says which photos show the same place in the same light. A camera alone says so where nothing else does: of one
# drone's lenses all see the same.
SITE, FLIGHT, DATE, CAMERA = "site", "flight", "date", "camera"
GROUPING = (SITE, FLIGHT, DATE, CAMERA)
CORNERS = ("x1", "y1", "x2", "y2")
SIZED = ("x", "y", "width", "height")
CENTRE = ("x_center", "y_center", "width", "height")
QUAD = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4")
PHOTO_SIZE = ("photo_width", "photo_height")
LISTED = "box_xyxy_px"  # one column with all four, in JSON lines

# Names by letters and digits alone. Of several columns with one meaning the one that is named first here is taken.
SPELLED: Mapping[str, tuple[str, ...]] = {
    IMAGE: ("image", "filename", "file", "photo", "imagename", "imagepath", "imagefile", "imageid", "img", "path"),
    CLASS: ("class", "classname", "label", "labelname", "category", "categoryname"),
    SPLIT: ("split", "subset", "set", "partition", "phase"),
    FLIGHT: ("flight", "flightid", "flightname"),
    SITE: ("site", "siteid", "sitename", "dam"),
    DATE: (
        "date",
        "flightdate",
        "surveydate",
        "inspectiondate",
        "capturedate",
        "datetaken",
        "datetime",
        "datetimeoriginal",
    ),
    CAMERA: ("camera", "cameraid", "cameraname", "cameramodel", "drone"),
    "object_type": ("objecttype",),
    "condition": ("condition",),
    "x1": ("x1", "xmin", "xtl", "bboxx1", "bboxxmin", "x0"),
    "y1": ("y1", "ymin", "ytl", "bboxy1", "bboxymin", "y0"),
    "x2": ("x2", "xmax", "xbr", "bboxx2", "bboxxmax"),
    "y2": ("y2", "ymax", "ybr", "bboxy2", "bboxymax"),
    "x3": ("x3",),
    "y3": ("y3",),
    "x4": ("x4",),
    "y4": ("y4",),
    "x_center": ("xcenter", "xcentre", "centerx", "cx", "xc"),
    "y_center": ("ycenter", "ycentre", "centery", "cy", "yc"),
    "x": ("x", "bboxx", "boxx", "left"),
    "y": ("y", "bboxy", "boxy", "top"),
    "width": ("width", "w", "bboxwidth", "boxwidth", "bboxw", "boxw"),
    "height": ("height", "h", "bboxheight", "boxheight", "bboxh", "boxh"),
    "photo_width": ("imagewidth", "imgwidth", "photowidth", "imwidth"),
    "photo_height": ("imageheight", "imgheight", "photoheight", "imheight"),
    LISTED: ("boxxyxy",),
}
UNIT = re.compile(r"[\s_]*[(\[]?(?:px|pixels?)[)\]]?$")
MEANT = {word: meaning for meaning, words in SPELLED.items() for word in words}
RANK = {word: place for words in SPELLED.values() for place, word in enumerate(words)}


@dataclass(frozen=True)
class Columns:
    """The columns of a table.

    Attributes:
        places: the column of each meaning.
        shape: what the box is written as: CORNERS, SIZED, CENTRE, QUAD or (LISTED,); () without a box.
        rest: all other columns by name.
        headless: what the columns were taken for, where the table does not name them.
    """

    places: Mapping[str, str]
    shape: tuple[str, ...]
    rest: tuple[str, ...]
    headless: str = ""

    @property
    def is_table(self) -> bool:
        """Whether they say where which photo has a box."""
        return IMAGE in self.places and bool(self.shape)

    @property
    def grouping(self) -> tuple[str, ...]:
        """The columns that say which photos stay on one side of a split."""
        return tuple(self.places[meaning] for meaning in GROUPING if meaning in self.places)

    def flight_of(self, values: Mapping[str, Any]) -> str:
        """Site, flight and day of a row, those that it states; its camera where it states none of them; else ""."""
        stated = {meaning: str(values.get(self.places.get(meaning, "")) or "").strip() for meaning in GROUPING}
        stated[DATE] = re.split(r"[ T](?=\d)", stated[DATE])[0]  # the day of a moment
        return "/".join(filter(None, (stated[SITE], stated[FLIGHT], stated[DATE]))) or stated[CAMERA]

    @property
    def photo_size(self) -> tuple[str, str] | None:
        """The two columns of the photo's size: with corners `width` and `height` are that."""
        plain = ("width", "height") if self.shape in (CORNERS, QUAD) else PHOTO_SIZE
        for pair in (PHOTO_SIZE, plain):
            if all(name in self.places for name in pair):
                return self.places[pair[0]], self.places[pair[1]]
        return None


def columns_of(header: Sequence[str]) -> Columns:
    """The columns of a table that names them."""
    places: dict[str, str] = {}
    for name in sorted(dict.fromkeys(header), key=lambda name: RANK.get(_plain(name), 0)):
        meaning = MEANT.get(_plain(name))
        if meaning and meaning not in places:
            places[meaning] = name
    shapes = ((LISTED,), QUAD, CORNERS, CENTRE, SIZED)
    shape = next((shape for shape in shapes if all(part in places for part in shape)), ())
    if CLASS in places:
        # A type or condition beside the class is an attribute like any other.
        places = {meaning: name for meaning, name in places.items() if meaning not in ("object_type", "condition")}
    used = {
        places[meaning]
        for meaning in (IMAGE, CLASS, SPLIT, *GROUPING, "object_type", "condition", *shape)
        if meaning in places
    }
    columns = Columns(places, shape, ())
    used |= set(columns.photo_size or ())
    rest = (name for name in dict.fromkeys(header) if name not in used and _plain(name))
    return Columns(places, shape, tuple(name for name in rest if not _plain(name).startswith("unnamed")))


def columns_without_names(rows: Sequence[Sequence[str]]) -> Columns | None:
    """The columns of a table that does not name them, called 1, 2, …; None where they cannot be known.

    Common are: photo, x1, y1, x2, y2, class (keras-retinanet); photo, class and the box; and class, x, y, width,
    height, photo, its width and height (makesense.ai).
    """
    wide = max((len(row) for row in rows), default=0)
    full = [row for row in rows if len(row) == wide and all(cell.strip() for cell in row)]
    if not full or wide < 6:
        return None
    kinds = "".join(_kind([row[place] for row in full]) for place in range(wide))
    found = re.fullmatch(r"(pnnnnt|ptnnnn|tnnnnpnn)(.*)", kinds)
    if not found:
        return None
    order: tuple[str, ...] = (CLASS, *SIZED, IMAGE, *PHOTO_SIZE)
    if found[1] != "tnnnnpnn":
        first = 1 if found[1] == "pnnnnt" else 2  # column of the box
        boxes = [[float(cell) for cell in row[first : first + 4]] for row in full]
        shape = SIZED if any(box[2] <= box[0] or box[3] <= box[1] for box in boxes) else CORNERS
        order = (IMAGE, *shape, CLASS) if first == 1 else (IMAGE, CLASS, *shape)
    layout = ", ".join(order).replace(IMAGE, "photo", 1)
    places = {meaning: str(place + 1) for place, meaning in enumerate(order)}
    shape = CORNERS if "x2" in places else SIZED
    return Columns(places, shape, tuple(str(place + 1) for place in range(len(order), wide)), layout)


def _kind(cells: Sequence[str]) -> str:
    """P where all are photos, n where all are numbers, t otherwise."""
    if all(is_photo(cell.strip()) for cell in cells):
        return "p"
    try:
        return "n" if [float(cell) for cell in cells] else "t"
    except ValueError:
        return "t"


def _plain(name: str) -> str:
    """The letters and digits of a column's name, without its unit: `x1 (px)` is x1."""
    return re.sub(r"[^a-z0-9]", "", UNIT.sub("", str(name).lower()))
