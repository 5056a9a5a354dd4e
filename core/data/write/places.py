"""Where photos lie in a new folder: names that every system takes, never two alike, flights as they were.

Below its split's folder a photo keeps the folders that say its flight, and its base name. What a system or a label
format does not take is replaced letter by letter by a full-width or pictured one (`a?` becomes `a？`), never by one
letter for all: two flights stay two.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import sha256
from pathlib import PurePosixPath

from core.data.flights import flight_folder
from core.data.types import SPLITS, Photo
from core.data.write.base import LabelWriter, PlacedPhoto

FULL_WIDTH, CONTROL_PICTURES = (
    0xFEE0,
    0x2400,
)  # from a letter of ASCII to its full-width form; from a control to its picture
NOT_IN_NAMES = frozenset('<>:"|?*\\')
# Names of devices on Windows, up to the first point. Those with a number are taken with every number, so that COM9 and
# COM10 stay one flight. Beside labels of YOLO classes.txt and the like are lists of classes.
RESERVED = re.compile(
    r"(?:con|prn|aux|nul)(?=\.|$)|(?:com|lpt)[ _-]*\d|(?:classes|labels|names|predefined_classes)$", re.IGNORECASE
)
MOST_BYTES = 255  # of a name, on every common file system
KEPT_END = 60  # characters at the end of a name that is too long: the frame's number is among them
APART = "photos"  # a folder that says nothing of a flight


def places(photos: Sequence[Photo], writer: LabelWriter) -> list[PlacedPhoto]:
    """Photos with their places in the new folder, by split and name.

    Two that would differ in case, Unicode form or ending only lie in different folders: labels are named after photos.

    Args:
        photos: all of a data set.
        writer: of the format.
    """
    placed = []
    taken: set[str] = set()
    for photo in sorted(photos, key=lambda photo: (SPLITS.index(photo.split), photo.name)):
        path = PurePosixPath(photo.name)
        folders = [portable(part) for part in PurePosixPath(flight_folder(photo.name)).parts if part.strip("/")]
        ending = path.suffix.lower()
        stem = portable(path.stem, MOST_BYTES - len(ending))
        top = writer.photo_folder(photo.split)
        while (key := _blind("/".join((top, *folders, stem)))) in taken:
            folders.append(APART)
        taken.add(key)
        below = "/".join((*folders, stem + ending))
        placed.append(PlacedPhoto(f"{top}/{below}", below, photo))
    return placed


def portable(part: str, most_bytes: int = MOST_BYTES) -> str:
    """A folder's or a file's name, without ending, that Windows, macOS, Linux and every label format take.

    Args:
        part: the name as it was.
        most_bytes: of the new name in UTF-8.
    """
    letters = [_portable_letter(letter) for letter in part]
    for place, others in ((0, "."), (-1, ".")):
        if letters and (letters[place] in others or letters[place].isspace()):
            letters[place] = _picture(letters[place])
    name = "".join(letters) or "_"
    if RESERVED.match(name):
        name = _picture(name[0]) + name[1:]
    if len(name.encode()) > most_bytes:
        name = sha256(name[:-KEPT_END].encode()).hexdigest()[:8] + name[-KEPT_END:]
    return name


def _portable_letter(letter: str) -> str:
    if letter in NOT_IN_NAMES:
        return _picture(letter)
    kind = unicodedata.category(letter)
    if kind in ("Cc", "Zl", "Zp"):  # they end a line of a list, and XML takes most of them not at all
        return _picture(letter)
    return "\ufffd" if kind in ("Cs", "Cn") else letter  # bytes that are no UTF-8, and no characters


def _picture(letter: str) -> str:
    """The letter that looks like one that is not taken."""
    code = ord(letter)
    if 0x21 <= code <= 0x7E:
        return chr(code + FULL_WIDTH)
    return chr(code + CONTROL_PICTURES) if code <= 0x20 else "\u2420"


def _blind(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
