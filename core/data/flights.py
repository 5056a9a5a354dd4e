"""Which flight a photo is of, which frames are neighbours, and which photos must stay on one side of a split."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import PurePosixPath

from core.data.duplicates import connected, duplicate_groups
from core.data.files import SPLIT_WORDS
from core.data.moments import bursts
from core.data.types import Photo
from core.errors import UserError
from core.settings import DataSettings

# Of a frame's usual name: its first group is the text before the number.
FRAME = re.compile(DataSettings().group_rule)
NUMBER = re.compile(r"\d+")
LENS = re.compile(r"(?i)(?<=\d)_[WZTSV](?=$|[._]jpe?g|[._]tiff?|\.rf\.)")  # wide, zoom, thermal, screen, visible
# What Roboflow adds to the name of each version that it makes of a photo; the end of its code is no frame's number.
ROBOFLOW = re.compile(r"(?i)[._](?:jpe?g|png|tiff?|bmp|webp)\.rf\.[0-9a-z]+$")
DJI = re.compile(r"^(DJI_\d{8})\d{6}(_\d{4})")  # date, time of day, number
NO_FLIGHT = frozenset(
    (*SPLIT_WORDS, "images", "labels", "annotations", "jpegimages", "img", "ann", "photos", "data")
    + tuple(f"obj_{split}_data" for split in SPLIT_WORDS)
)
NEAR_FRAMES = 5  # frames of a flight whose numbers differ by no more are taken for views of the same place


def flight_of(name: str, rule: re.Pattern[str] | None, is_class: Callable[[str], bool]) -> str:
    """The flight of a photo: the folder below its split's, and what the rule finds in its base name.

    Args:
        name: of the photo, its path inside the data set.
        rule: as for `group_of`.
        is_class: whether a folder's name is that of a class; such a folder is no flight.

    Returns:
        Folder and what the rule finds, or the one of them that is there. Without either the photo's own name; of
        Roboflow's versions of a photo the name that it had, so that they stay together.
    """
    folder = flight_folder(name, is_class)
    found = group_of(name, rule)
    if found == name:
        stem = PurePosixPath(name).stem
        return folder or (ROBOFLOW.sub("", stem) if ROBOFLOW.search(stem) else name)
    return f"{folder}/{found}" if folder else found


def flight_folder(name: str, is_class: Callable[[str], bool] = lambda word: False) -> str:
    """The folders of a photo but those of splits, of photos and labels, and of classes."""
    parts = PurePosixPath(name).parts[:-1]
    return "/".join(part for part in parts if part.lower() not in NO_FLIGHT and not is_class(part))


def plain_stem(name: str) -> str:
    """A frame's base name without what DJI and Roboflow add: shots of one moment and versions of a photo are alike.

    That is the lens and the time of day by DJI, and the former ending and code by Roboflow.
    """
    return DJI.sub(r"\1\2", LENS.sub("", ROBOFLOW.sub("", PurePosixPath(name).stem)))


def group_of(name: str, rule: re.Pattern[str] | None) -> str:
    """The flight or site that a photo's name states; the photo's own name where it states none.

    Args:
        name: of the photo, its path inside the data set.
        rule: matched from the start of the base name without ending; its first group is the flight.
    """
    if rule is None:
        return name
    # A rule of the user's own sees the name as it is.
    found = rule.match(plain_stem(name) if rule.pattern == FRAME.pattern else PurePosixPath(name).stem)
    return (found.group(1) if found else "") or name


def compile_rule(rule: str) -> re.Pattern[str] | None:
    """The regular expression of `data.group_rule`, or None for an empty one.

    Raises:
        UserError: it is no regular expression, or has no group.
    """
    if not rule:
        return None
    fix = r"Write one with a group around the flight, such as ^(.*?)_\d+$, or leave it empty."
    try:
        compiled = re.compile(rule)
    except re.error as error:
        what = f"{rule!r} is no regular expression ({error})"
        raise UserError(what, "data.group_rule", fix, "setting") from error
    if not compiled.groups:
        raise UserError(f"{rule!r} has no group", "data.group_rule", fix, "setting")
    return compiled


def frame_of(name: str) -> tuple[str, int] | None:
    """(text before the number, number) of a frame's file name; None for a name without either."""
    stem = plain_stem(name)
    found = FRAME.match(stem)
    number = NUMBER.search(stem, found.end(1)) if found and found.group(1) else None
    return (found.group(1), int(number.group())) if found and number else None


def neighbours(photos: Sequence[Photo]) -> list[tuple[Photo, Photo]]:
    """Pairs of frames that follow each other in a flight, at most NEAR_FRAMES apart, nearest first."""
    numbered = sorted(
        (f"{flight_folder(photo.name)}/{frame[0]}", frame[1], place)
        for place, photo in enumerate(photos)
        if (frame := frame_of(photo.name))
    )
    steps = [
        (later[1] - earlier[1], photos[earlier[2]], photos[later[2]])
        for earlier, later in pairwise(numbered)
        if earlier[0] == later[0] and later[1] - earlier[1] <= NEAR_FRAMES
    ]
    return [(photo, other) for _, photo, other in sorted(steps, key=lambda step: step[0])]


def same_moments(photos: Sequence[Photo]) -> list[tuple[Photo, Photo]]:
    """Pairs of photos of one burst, see `moments.bursts`."""
    return [(photos[one], photos[other]) for one, other in bursts(photo.moment for photo in photos)]


def with_bursts(photos: Sequence[Photo]) -> tuple[Photo, ...]:
    """The photos with one group for all flights that share a burst; as they are where that would leave one flight."""
    place = {photo.name: index for index, photo in enumerate(photos)}
    pairs = [(one, other) for one, other in same_moments(photos) if one.group != other.group]
    joined = _regrouped(photos, [(place[one.name], place[other.name]) for one, other in pairs], True)
    return joined if len({photo.group for photo in joined}) > 1 else tuple(photos)


def linked(photos: Sequence[Photo]) -> tuple[Photo, ...]:
    """The photos regrouped: duplicates, neighbouring frames and bursts share a group, as frames of one flight do.

    Where all photos are of one flight their groups divide nothing: then neighbours and duplicates alone are joined.

    Returns:
        The photos in the same order; `group` is the first of the joined groups' names, or with one flight of the
        photos'.
    """
    place = {photo.name: index for index, photo in enumerate(photos)}
    pairs = (*neighbours(photos), *same_moments(photos))
    links = [(place[photo.name], place[other.name]) for photo, other in pairs]
    links += [(place[group[0].name], place[photo.name]) for group in duplicate_groups(photos) for photo in group[1:]]
    return _regrouped(photos, links, len({photo.group for photo in photos}) > 1)


def _regrouped(photos: Sequence[Photo], links: list[tuple[int, int]], by_flight: bool) -> tuple[Photo, ...]:
    """The photos with a group for all that are linked, and where `by_flight` for all of one group too."""
    if by_flight:
        first: dict[str, int] = {}
        links = links + [(first.setdefault(photo.group, index), index) for index, photo in enumerate(photos)]
    regrouped = list(photos)
    for group in connected(len(photos), links):
        name = min(photos[index].group if by_flight else photos[index].name for index in group)
        for index in group:
            regrouped[index] = replace(photos[index], group=name)
    return tuple(regrouped)
