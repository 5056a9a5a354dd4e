"""What lies in a data folder: its files, with links out of it refused, and the text in them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from core.data import progress
from core.data.names import NameIndex
from core.data.progress import OnProgress
from core.data.walk import Walk
from core.errors import Problem, UserError

PHOTO_ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
UNREAD_PHOTO_ENDINGS = (".heic", ".heif", ".avif", ".gif", ".jp2", ".jxl", ".psd", ".pdf", ".svg", ".eps") + (
    ".dng",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".raw",
    ".mp4",
    ".mov",
    ".avi",
    ".mkv",
)
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
MOST_FILES = 2_000_000  # more is somebody's whole disk, not a data set
# Above it somebody is asked: 50,000 photos with a label each, of which a survey of a dam has a tenth, while a system's
# disk holds several times as many; and they are listed within seconds.
ASKED_ABOVE = 100_000
MANY_FILES = "many-files"  # the kind of that question
COUNT_S = 3.0
COUNTED_EVERY = 1_000
MOST_TEXT_BYTES = 1 << 29  # a label file above half a gigabyte is none


@dataclass(frozen=True)
class Folder:
    """The files of a data set; nothing else is ever opened.

    Attributes:
        root: the folder, resolved.
        names: of its files, sorted, as paths inside it (`train/images/a.jpg`).
        problems: links and folders that could not be followed or read.
        refused: names of the links among them that lead out of the folder.
        handed: the file that was handed over in place of the folder; "" for none.
    """

    root: Path
    names: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    refused: tuple[str, ...] = ()
    handed: str = ""

    @cached_property
    def known(self) -> frozenset[str]:
        """The names as a set."""
        return frozenset(self.names)

    @cached_property
    def photos(self) -> tuple[str, ...]:
        """The names of photos among the files, by their ending."""
        return tuple(name for name in self.names if is_photo(name))

    @cached_property
    def by_stem(self) -> dict[str, list[str]]:
        """Photo names by their base name without ending."""
        found: dict[str, list[str]] = {}
        for name in self.photos:
            found.setdefault(PurePosixPath(name).stem, []).append(name)
        return found

    def photo_in(self, places: Iterable[str], stem: str) -> str | None:
        """The photo with a base name without ending, directly in the first of some folders that has one."""
        for place in places:
            for name in self.by_stem.get(stem, ()):
                if str(PurePosixPath(name).parent) == (place or "."):
                    return name
        return None

    def under(self, prefix: str) -> tuple[str, ...]:
        """The photos below a folder's name; "" is the whole data set."""
        return self.photos if not prefix else tuple(name for name in self.photos if name.startswith(prefix + "/"))

    @cached_property
    def unread_photos(self) -> dict[str, str]:
        """Photos of formats that are not read, by base name without ending, in lower case."""
        return {
            PurePosixPath(name).stem.lower(): name for name in self.names if name.lower().endswith(UNREAD_PHOTO_ENDINGS)
        }

    @cached_property
    def photo_names(self) -> NameIndex:
        """Finds photos by the names that labels give them."""
        return NameIndex(self.photos)


def list_files(
    root: Path, handed: str = "", most: int = MOST_FILES, on_progress: OnProgress = progress.silent
) -> Folder:
    """Everything below a folder, hidden files left out; links that lead out of it are not followed.

    Args:
        root: the folder.
        handed: the file in it that was handed over; "" for none.
        most: the most files that are read without a question.
        on_progress: called with the number of files so far.

    Raises:
        UserError: `root` is no folder, or holds more than `most` files; its kind is MANY_FILES where they may be read
            all the same.
    """
    if not root.is_dir():
        raise UserError("no such folder", str(root), "Give the folder of photos and labels.", "no-data")
    walk = Walk(root.resolve())
    names: list[str] = []
    on_progress(progress.listing(0))
    found = walk.names()
    for name in found:
        names.append(name)
        if len(names) % COUNTED_EVERY == 0:
            on_progress(progress.listing(len(names)))
        if len(names) > most:
            raise _too_many(root, names, found)
    return Folder(walk.base, tuple(sorted(names)), walk.problems, tuple(sorted(walk.refused)), handed)


def _too_many(root: Path, names: list[str], found: Iterator[str]) -> UserError:
    """The question whether so many files are meant: they are counted on for COUNT_S seconds, and not kept."""
    files, photos = len(names), sum(map(is_photo, names))
    ends = time.monotonic() + COUNT_S
    more = "more than "
    while files < MOST_FILES and time.monotonic() < ends:
        if not (name := next(found, "")):
            more = ""
            break
        files, photos = files + 1, photos + is_photo(name)
    what = f"{more}{files:,} files, {photos:,} of them photos"
    if files >= MOST_FILES:
        return UserError(what, str(root), "Give the folder of one data set.", "no-data")
    return UserError(what, str(root), "Is this the folder? Give another, or read it all the same.", MANY_FILES)


def is_photo(name: str) -> bool:
    """Whether a file is a photo by the ending of its name."""
    return name.lower().endswith(PHOTO_ENDINGS)


def tidy(name: str) -> str:
    """A path inside the data set without `.` and `..`; what leads out keeps its `..` and so matches no file."""
    return os.path.normpath(name).replace("\\", "/")


def split_in(name: str) -> str:
    """The split that one of a path's folders names (`valid/images/a.jpg`, `images/val/a.jpg`), or ""."""
    for part in PurePosixPath(name).parts[:-1]:
        if found := SPLIT_WORDS.get(part.lower()):
            return found
    return ""


def read_text(folder: Folder, name: str) -> str | Problem:
    """The text of a label file: UTF-8, with or without a byte order mark; anything else is a Problem."""
    path = folder.root / name
    try:
        if path.stat().st_size > MOST_TEXT_BYTES:
            return Problem("this file is too large for a label file", name, "Remove it or split it.", "bad-label")
        raw = path.read_bytes()
    except OSError as error:
        return Problem(f"this file cannot be read ({error.strerror})", name, "Check its permissions.", "bad-label")
    fix = "Save it as UTF-8."
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem("this text is UTF-16, not UTF-8", name, fix, "wrong-encoding")
    if (zero := raw.find(0)) >= 0:
        where = f"{name} line {raw.count(10, 0, zero) + 1}"
        return Problem("this is not UTF-8 text (it holds zero bytes)", where, fix, "wrong-encoding")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = raw[error.start]
        where = f"{name} line {raw.count(10, 0, error.start) + 1}"
        return Problem(f"this is not UTF-8 text (byte 0x{byte:02X})", where, fix, "wrong-encoding")
