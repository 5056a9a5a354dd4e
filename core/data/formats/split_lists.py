"""Lists of photos called train.txt, val.txt and the like, which state the splits beside labels of any format.

A line is a path or a name of a photo, with or without its ending; VOC's lists of one class have -1, 0 or 1 behind it.
A list that somebody made is never passed over: what it names and is not here is a fault, as is a photo in two of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from core.data.files import SPLIT_WORDS, Folder, read_text
from core.data.formats.base import RawSet
from core.data.formats.gather import Gathering
from core.data.formats.named import is_other_text
from core.data.names import NameMatch
from core.errors import Problem
from core.units import counted

BESIDE = frozenset(("list", "lists", "set", "split", "images", "photos", "files"))  # words beside that of the split
YEAR = re.compile(r"(?:19|20)\d\d$")  # train2017.txt
NEAR = ("JPEGImages", "images", "Images", "")
SIGNS = ("-1", "0", "1")


def find_split_lists(folder: Folder) -> Iterator[tuple[str, str]]:
    """(split, file) of every list of photos."""
    for name in filter(is_split_list, folder.names):
        text = read_text(folder, name)
        lines = [line.split() for line in text.splitlines() if line.strip()] if isinstance(text, str) else []
        in_sets = "/imagesets/" in f"/{name}".lower()
        rows = all(len(words) >= 5 and is_number(words[0]) for words in lines)
        if in_sets or not (rows or is_other_text(folder, name)):
            yield _split_of(name), name


def is_split_list(name: str) -> bool:
    """Whether a file is called as lists of splits are."""
    return bool(_split_of(name))


def listed_photos(name: str, found: Gathering) -> tuple[str, ...]:
    """The photos of a list; those that are not here are one fault."""
    text = read_text(found.folder, name)
    if isinstance(text, Problem):
        found.problems.append(text)
        return ()
    photos: list[str] = []
    lost: list[tuple[int, str]] = []
    near = (PurePosixPath(name).parent.as_posix().removeprefix("."), *NEAR)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, line in lines:
        match = _match(line, near, found.folder)
        words = line.rsplit(None, 1)
        if match.photo is None and words[-1] in SIGNS:
            match = _match(words[0], near, found.folder)
        if not match.photo:
            lost.append((number, line))
            continue
        photos.append(match.photo)
        if match.difference:
            found.notes.inferred("name", match.difference, f"{name} line {number}")
    if not lines:
        what = f"the split {_split_of(name) or 'of this list'} has no photo"
        found.problems.append(Problem(what, name, "List its photos, or remove the file.", "empty-split"))
    if lost:
        many = f" (as {len(lost) - 1} other of {len(lines)} lines)" if len(lost) > 1 else ""
        what = f"no such photo: {lost[0][1]}{many}"
        fix = "Add the photos or remove their lines."
        found.problems.append(Problem(what, f"{name} line {lost[0][0]}", fix, "label-without-photo"))
    return tuple(photos)


def with_listed_splits(raw: RawSet, folder: Folder) -> RawSet:
    """The labels with the splits that lists state; where a list and a photo's folder disagree, that is a fault."""
    found = Gathering(folder)
    listed = _listed_splits(found)
    if not listed and not found.problems:
        return raw
    unlike = [photo for photo in raw.photos if listed.get(photo.name, photo.split) != photo.split and photo.split]
    if unlike:
        splits = (unlike[0].split, listed[unlike[0].name])
        found.problems.append(in_two_splits([photo.name for photo in unlike], splits, "split lists"))
    photos = tuple(replace(photo, split=photo.split or listed.get(photo.name, "")) for photo in raw.photos)
    for photo in photos:
        if not photo.split:
            found.notes.inferred("photo", "in no list of a split: taken for training", photo.name)
    return replace(raw, photos=photos, problems=(*raw.problems, *found.problems, *found.notes.problems()))


def _listed_splits(found: Gathering) -> dict[str, str]:
    """The split of every photo in a list; a photo in the lists of two splits is a fault."""
    splits: dict[str, str] = {}
    for split, name in find_split_lists(found.folder):
        photos = listed_photos(name, found)
        both = [photo for photo in photos if splits.get(photo, split) != split]
        if both:
            found.problems.append(in_two_splits(both, (splits[both[0]], split), name))
        for photo in photos:
            splits.setdefault(photo, split)
    return splits


def in_two_splits(photos: list[str], splits: tuple[str, str], where: str) -> Problem:
    """The fault of photos that are in two splits.

    Args:
        photos: at least one.
        splits: the one in which they are already, and the one in which they are here.
        where: the file that says so.
    """
    verb = "is" if len(photos) == 1 else "are"
    what = f"{counted(len(photos), 'photo')} {verb} in {splits[0]} and in {splits[1]} ({photos[0]})"
    return Problem(what, where, "Keep a photo in one split.", "split-conflict")


def _match(line: str, near: Sequence[str], folder: Folder) -> NameMatch:
    """The photo of a line; VOC's lists name photos without their endings, which is no difference then."""
    match = folder.photo_names.find(line, near)
    if match.photo and not match.difference:
        return match
    path = PurePosixPath(line)
    own = folder.photo_in([str(PurePosixPath(place) / path.parent) for place in near], path.name)
    return NameMatch(own) if own else match


def _split_of(name: str) -> str:
    path = PurePosixPath(name)
    stem = YEAR.sub("", path.stem.lower())
    words = [word for word in re.split(r"[^a-z0-9]+", stem) if word and word not in BESIDE]
    return SPLIT_WORDS.get(words[0], "") if len(words) == 1 and path.suffix.lower() == ".txt" else ""


def is_number(word: str) -> bool:
    """Whether a word of a text file is a number."""
    try:
        float(word)
    except ValueError:
        return False
    return True
