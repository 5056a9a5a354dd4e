"""What every reader of one label file after another does alike: find its files, and put labels to photos."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from core.data.files import SPLIT_WORDS, Folder, read_text, split_in
from core.data.formats.base import RawPhoto, RawSet, unread_photo, without_label, without_photo
from core.data.notes import Notes
from core.errors import Problem

HEAD = 1 << 16  # characters in which a label file shows its format
MOST_HEADS = 200  # files are looked at to recognise a format, evenly over the listing


class Gathering:
    """Photos with their labels, as a reader adds them one by one.

    Attributes:
        folder: the data set's files.
        problems: everything wrong so far.
        notes: what was not used or inferred so far.
        photos: by name, with what was added so far.
        has_flights: whether a column names the flight, beside others that tell flights apart.
    """

    def __init__(self, folder: Folder) -> None:
        """Begin with no photo."""
        self.folder = folder
        self.problems: list[Problem] = []
        self.notes = Notes()
        self.photos: dict[str, RawPhoto] = {}
        self.has_flights = False

    def add(self, label: RawPhoto, near: Iterable[str] = ()) -> None:
        """Put a label to its photo, or report that there is none, or that it has a label already.

        Args:
            label: named as its file names it; its split may be "" and is then that of the photo's folder.
            near: folders in which the photo is looked for first.
        """
        name = self.find(label.name, near, label.source)
        if name in self.photos:
            what = f"this photo is labelled already at {self.photos[name].source}"
            self.problems.append(Problem(what, label.source, "Keep one of the two labels.", "duplicate-photo"))
        elif name:
            self.photos[name] = replace(label, name=name, split=label.split or split_in(name))

    def find(self, written: str, near: Iterable[str], source: str) -> str | None:
        """The photo that a label names, in which way the names differ noted; None when that is reported instead."""
        found = self.folder.photo_names.find(written, near)
        if found.photo and found.difference:
            self.notes.inferred("name", found.difference, source)
        if found.rivals:
            what = f"{len(found.rivals)} photos are called {written}: {' and '.join(found.rivals[:2])}"
            self.problems.append(Problem(what, source, "Write which by its folder.", "label-without-photo"))
        elif not found.photo:
            base = PurePosixPath(written.replace("\\", "/")).name
            if unread := self.folder.unread_photos.get(PurePosixPath(base).stem.lower()):
                self.problems.append(unread_photo(unread, source))
            elif not any(base in (PurePosixPath(lost).name, PurePosixPath(lost).stem) for lost in self.folder.refused):
                self.problems.append(without_photo(source, f"no such photo: {written}"))
        return found.photo

    def split_of(self, written: str, where: str) -> str:
        """The split that a label file names by a word; "" for none, and for an unknown one, which is noted."""
        word = written.strip().lower()
        if word and word not in SPLIT_WORDS and word not in ("default", "none", "all"):
            self.notes.ignored("subset", f"{written!r} is none of train, valid and test", where)
        return SPLIT_WORDS.get(word, "")

    def result(self, format_name: str) -> RawSet:
        """Everything that was added, and a hint for each photo without a label."""
        missing = (without_label(name) for name in self.folder.photos if name not in self.photos)
        problems = (*self.problems, *missing, *self.notes.problems())
        photos = tuple(self.photos.values())
        if len({photo.flight for photo in photos}) == 1 and not self.has_flights:
            # One site, day or camera of all photos tells no flights apart: their names may.
            photos = tuple(replace(photo, flight="") for photo in photos)
        return RawSet(format_name, photos, problems)


def near_label(name: str, *folders: str) -> list[str]:
    """Where the photos of a label file may lie: beside it, then in `folders` beside it and one level up."""
    here = PurePosixPath(name).parent
    places = [here, *(base / folder for folder in folders for base in (here, here.parent)), here.parent]
    return list(dict.fromkeys("" if str(place) == "." else str(place) for place in places))


def heads(folder: Folder, endings: Sequence[str]) -> Iterator[str]:
    """The beginnings of up to MOST_HEADS label files, for recognising their format."""
    names = [name for name in folder.names if name.lower().endswith(tuple(endings))]
    for name in names[:: max(1, -(-len(names) // MOST_HEADS))]:
        yield head_of(folder, name)


def head_of(folder: Folder, name: str) -> str:
    """The beginning of a text file; "" where it cannot be read."""
    try:
        with (folder.root / name).open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(HEAD)
    except OSError:
        return ""


def any_head(folder: Folder, ending: str, *patterns: str) -> bool:
    """Whether some label file with this ending begins with all of the patterns in it, in any order."""
    wanted = [re.compile(pattern) for pattern in patterns]
    return any(all(pattern.search(head) for pattern in wanted) for head in heads(folder, (ending,)))


def json_files(folder: Folder, problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    """(name, decoded JSON) of every JSON file; those that cannot be read go to `problems`."""
    for name in folder.names:
        if not name.lower().endswith(".json"):
            continue
        text = read_text(folder, name)
        tree = text if isinstance(text, Problem) else decode_json(text, name)
        if isinstance(tree, Problem):
            problems.append(tree)
        else:
            yield name, tree


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, or an empty one where something else stands."""
    return value if isinstance(value, dict) else {}


def entries(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a JSON list; what else stands in it, or in its place, is none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def decode_json(text: str, name: str) -> Any | Problem:
    """The JSON of a label file, or what is wrong with it; `name` is the file's."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f"{name} line {line}" if line else name
        return Problem("this is not valid JSON", where, "Export the labels again.", "bad-label")
