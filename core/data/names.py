"""Which photo a label means: names as people mean them, where case, Unicode form, folders or endings differ.

A name is compared in steps, each blinder than the one before. The first step that fits one photo alone decides, and
tells in which way the names differ; where a step fits several, their folders must tell them apart.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

# Label Studio puts letters and a hyphen before what is uploaded.
UPLOAD_CODE = re.compile(r"^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[-_]|[0-9a-f]{5,32}-)(?=.)")
BLANKS = re.compile(r"(?:[^\w.-]|_)+")  # what a server makes an underscore of, or leaves out
ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
MOST_DIGITS = 18  # of a name that is a number
ENDINGS = re.compile(r"(\.(jpe?g|png|bmp|webp|tiff?|heic|heif|avif|gif|mpo|jfif))+$")


def _as_written(name: str) -> str:
    return name


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _without_case(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _decoded(name: str) -> str:
    return _without_case(unquote(name))


def _without_code(name: str) -> str:
    return UPLOAD_CODE.sub("", _decoded(name))


def _stem(name: str) -> str:
    return ENDINGS.sub("", _decoded(name))


def _stem_without_code(name: str) -> str:
    return UPLOAD_CODE.sub("", _stem(name))


def _without_blanks(name: str) -> str:
    return BLANKS.sub("_", _stem(name)).strip("_")


def _without_code_and_blanks(name: str) -> str:
    return BLANKS.sub("_", _stem_without_code(name)).strip("_")


def _number(name: str) -> str:
    """The number that a name is; a spreadsheet takes the zeros before it away, and pandas makes 12.0 of it."""
    stem = _stem(name).removesuffix(".0")
    return str(int(stem)) if stem.isdecimal() and stem.isascii() and len(stem) < MOST_DIGITS else ""


MARKS = "differ in blanks and marks"
ENDING = "differ in their ending"
CODE = "carry an upload's code in front"
Key = Callable[[str], str]
# (what of the written name is compared, with what of the photo's, in which way names differ that only then are the
# same). A code is taken off one side only: 20230614-1.jpg is not 20230615-1.jpg.
STEPS: tuple[tuple[Key, Key, str], ...] = (
    (_as_written, _as_written, ""),
    (_composed, _composed, "differ in Unicode form only"),
    (_without_case, _without_case, "differ in case only"),
    (_decoded, _decoded, "are written with % codes"),
    (_without_code, _decoded, CODE),
    (_decoded, _without_code, CODE),
    (_stem, _stem, ENDING),
    (_stem_without_code, _stem, CODE),
    (_stem, _stem_without_code, CODE),
    (_without_blanks, _without_blanks, MARKS),
    (_without_code_and_blanks, _without_blanks, MARKS),
    (_without_blanks, _without_code_and_blanks, MARKS),
    (_number, _number, "are numbers without their zeros"),
)
OTHER_FOLDERS = "are written with folders that are not here"


@dataclass(frozen=True)
class NameMatch:
    """The photo that a written name means.

    Attributes:
        photo: its name in the data set; None without one.
        difference: in which way the two names differ, as the end of a sentence; "" where they do not.
        rivals: photos between which nothing decides.
    """

    photo: str | None
    difference: str = ""
    rivals: tuple[str, ...] = ()


class NameIndex:
    """Finds photos by names; built once for a folder."""

    def __init__(self, photos: Sequence[str]) -> None:
        """Index the names of a folder's photos."""
        self._photos = tuple(photos)
        self._keys: dict[Key, dict[str, list[str]]] = {}

    def find(self, written: str, near: Iterable[str] = ()) -> NameMatch:
        """The photo that a label means.

        Args:
            written: its path, address or name as the label has it, with slashes of either kind; the ending may be
                missing.
            near: folders of the data set in which it is looked for first, in this order; "" is its top.
        """
        plain = path_of(written)
        places = list(dict.fromkeys((*near, "")))
        for place in places:
            # The name below a place may climb out of it again, as in ../images/a.jpg.
            name = os.path.normpath(f"{place}/{plain}" if place else plain)
            if name in self._known:
                return NameMatch(name)
        base = PurePosixPath(plain).name
        for key, photo_key, difference in STEPS:
            same = self._by(photo_key).get(wanted, []) if (wanted := key(base)) else []
            if same:
                return self._decide(same, plain, places, difference)
        return NameMatch(None)

    def _decide(self, same: list[str], plain: str, places: Sequence[str], difference: str) -> NameMatch:
        """The one of several photos whose folders fit best, or all of them as rivals."""
        wanted = _folders(plain)
        fitting = [_common_end(_folders(name), wanted) for name in same]
        best = [name for name, fits in zip(same, fitting, strict=True) if fits == max(fitting)]
        for place in places:
            below = [name for name in best if not place or name.startswith(f"{place}/")]
            if len(below) == 1:
                lost = len(wanted) > max(fitting) and not difference
                return NameMatch(below[0], OTHER_FOLDERS if lost else difference)
        return NameMatch(None, rivals=tuple(best))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._photos)

    def _by(self, key: Key) -> dict[str, list[str]]:
        if key not in self._keys:
            found: dict[str, list[str]] = {}
            for name in self._photos:
                found.setdefault(key(PurePosixPath(name).name), []).append(name)
            self._keys[key] = found
        return self._keys[key]


def path_of(written: str) -> str:
    """The path that a label means, with slashes: as written, or the one in an address such as Label Studio writes."""
    plain = written.strip().replace("\\", "/")
    if not (ADDRESS.match(plain) or "?d=" in plain):
        return plain
    try:
        parts = urlsplit(plain)
    except ValueError:  # brackets where a host is expected
        return plain
    return parse_qs(parts.query).get("d", [parts.path])[0]


def _folders(name: str) -> list[str]:
    return [_decoded(part) for part in PurePosixPath(name).parts[:-1] if part not in ("/", ".", "..")]


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    """How many folders, counted from the file upwards, are the same."""
    count = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
