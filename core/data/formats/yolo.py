"""YOLO: one text file a photo, `class x_center y_center width height` or `class x1 y1 x2 y2 x3 y3 …` (a polygon).

All numbers are fractions of the photo as viewed. The classes' names stand in `data.yaml` (Ultralytics, Roboflow) or in
`classes.txt`, one a line. A polygon becomes the box around it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from core.data.files import SPLIT_WORDS, Folder, is_photo, read_text, split_in, tidy
from core.data.formats.base import (
    SHARE,
    LabelFormat,
    RawObject,
    RawPhoto,
    RawSet,
    numbers,
    without_label,
    without_photo,
)
from core.errors import Problem

NAME_FILES = ("classes.txt", "obj.names", "classes.names")
NOT_LABELS = (*NAME_FILES, "readme.txt", "readme.roboflow.txt", "readme.dataset.txt", "notes.txt")
LINE = "Write: class x_center y_center width height, or class and at least 3 points."


def parse_yolo(text: str, names: Mapping[int, str], source: str) -> tuple[list[RawObject], list[Problem]]:
    """Objects and problems of one label file.

    Args:
        text: of the file.
        names: of the classes, by their number.
        source: the file's name.
    """
    found: list[RawObject] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.split():
            parsed = parse_line(words, names, f"{source} line {number}")
            (found if isinstance(parsed, RawObject) else problems).append(parsed)  # type: ignore[arg-type]
    return found, problems


def parse_line(words: list[str], names: Mapping[int, str], source: str) -> RawObject | Problem:
    """The object of one line, or what is wrong with it.

    Args:
        words: the line's numbers as text: a class, then a box or at least three points.
        names: of the classes, by their number.
        source: file and line.
    """
    if len(words) != 5 and (len(words) < 7 or len(words) % 2 == 0):
        expected = "5 numbers (or a class and at least 3 points)"
        return Problem(f"{expected} expected, {len(words)} found", source, LINE, "wrong-count")
    values = numbers(words, source)
    if isinstance(values, Problem):
        return values
    if not math.isfinite(values[0]) or values[0] != int(values[0]):
        return Problem(f"the class must be a whole number, not {words[0]}", source, LINE, "bad-number")
    name = names.get(int(values[0]))
    if name is None:
        fix = f"Use {min(names)} to {max(names)}, or name the class." if names else "Name the classes."
        return Problem(f"class {int(values[0])} has no name in data.yaml", source, fix, "unknown-class")
    if len(values) == 5:
        _, x, y, width, height = values
        return RawObject(name, (x - width / 2, y - height / 2, x + width / 2, y + height / 2), SHARE, source)
    if not all(map(math.isfinite, values)):
        return Problem("a number is not finite", source, "Write numbers from 0 to 1.", "bad-number")
    return RawObject(name, (min(values[1::2]), min(values[2::2]), max(values[1::2]), max(values[2::2])), SHARE, source)


def find_config(folder: Folder) -> str | None:
    """The name of the YAML file that names classes: data.yaml, or another one at the top."""
    top = [name for name in folder.names if "/" not in name and name.lower().endswith((".yaml", ".yml"))]
    for name in sorted(top, key=lambda name: (PurePosixPath(name).stem != "data", name)):
        text = read_text(folder, name)
        if isinstance(text, str) and any(line.startswith("names") for line in text.splitlines()):
            return name
    return next((name for name in top if PurePosixPath(name).stem == "data"), None)


def find_names(folder: Folder) -> str | None:
    """The name of the text file that lists the classes, one a line, if there is one."""
    return next((name for name in folder.names if PurePosixPath(name).name.lower() in NAME_FILES), None)


def finds_yolo(folder: Folder) -> bool:
    """Whether a folder is YOLO: text files in a labels folder, or beside the photos with names for the classes."""
    texts = {name for name in folder.names if name.endswith(".txt")}
    if any("/labels/" in f"/{name}".lower() for name in texts):
        return True
    named = find_config(folder) or find_names(folder)
    return bool(named) and any(label in texts for name in folder.photos for label in label_names(name))


def read_yolo(folder: Folder) -> RawSet:
    """All photos and labels of a YOLO folder, with everything wrong in it."""
    problems: list[Problem] = []
    config_name = find_config(folder)
    config = _read_config(folder, config_name, problems) if config_name else {}
    names = _names(config.get("names"), config_name or "", problems)
    if not names and (listed := find_names(folder)):
        text = read_text(folder, listed)
        if isinstance(text, str):
            names = dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
        else:
            problems.append(text)
    if not names:
        where = config_name or str(folder.root)
        fix = "Add a data.yaml with a line like names: [first class, second class]."
        problems.append(Problem("the classes have no names", where, fix, "bad-config"))
        return RawSet("yolo", (), tuple(problems))
    splits = _splits(folder, config, config_name or "", problems)
    photos = _read_labels(folder, names, splits, problems)
    return RawSet("yolo", tuple(photos), tuple(problems))


def _read_config(folder: Folder, name: str, problems: list[Problem]) -> dict[str, Any]:
    text = read_text(folder, name)
    if isinstance(text, Problem):
        problems.append(text)
        return {}
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name} line {mark.line + 1}" if mark else name
        problems.append(Problem("this is not valid YAML", where, "Check indentation and quotes.", "bad-config"))
        return {}
    if isinstance(tree, dict):
        return tree
    problems.append(Problem("settings expected, something else found", name, "Write names: [...].", "bad-config"))
    return {}


def _names(given: Any, where: str, problems: list[Problem]) -> dict[int, str]:
    """Class names by number, from a list or from {0: name, …}."""
    if isinstance(given, (list, tuple)):
        return {number: str(name) for number, name in enumerate(given)}
    found: dict[int, str] = {}
    for key, name in given.items() if isinstance(given, dict) else ():
        try:
            found[int(key)] = str(name)
        except (TypeError, ValueError):
            fix = "Write names as 0: first class, 1: second class, …"
            problems.append(Problem(f"names: {key!r} is not a class number", where, fix, "bad-config"))
    return found


def _splits(folder: Folder, config: dict[str, Any], where: str, problems: list[Problem]) -> dict[str, str]:
    """{photo: split}: as data.yaml states, then as the folders are called; every photo in "" when neither does."""
    splits: dict[str, str] = {}
    for key, split in SPLIT_WORDS.items():
        given = config.get(key) or []
        for entry in given if isinstance(given, list) else [given]:
            for name in _photos_of(folder, config, str(entry), (where, key), problems):
                splits.setdefault(name, split)
    stated = set(splits.values())
    for name in folder.photos:
        if name not in splits and (split := split_in(name)) and split not in stated:
            splits[name] = split
    return splits or dict.fromkeys(folder.photos, "")


def _photos_of(
    folder: Folder, config: dict[str, Any], entry: str, where: tuple[str, str], problems: list[Problem]
) -> tuple[str, ...]:
    """The photos that one line of data.yaml means: a folder, or a text file that lists photos.

    Roboflow writes `../train/images` for a folder beside data.yaml, and Ultralytics puts `path:` before it.
    """
    given = entry.replace("\\", "/")
    base = str(config.get("path") or "").replace("\\", "/")
    plain = given
    while plain.startswith(("../", "./")):
        plain = plain.split("/", 1)[1]
    if given.startswith("/") and tidy(given).startswith(folder.root.as_posix() + "/"):
        plain = tidy(given)[len(folder.root.as_posix()) + 1 :]
    for candidate in dict.fromkeys((tidy(f"{base}/{plain}") if base else tidy(plain), tidy(plain))):
        if candidate.endswith(".txt") and candidate in folder.known:
            return _listed(folder, candidate, problems)
        if found := folder.under("" if candidate == "." else candidate):
            return found
    outside = given.startswith("/") or os.path.isdir(folder.root / given)
    what = f"{where[1]}: {entry} lies outside the data folder" if outside else f"{where[1]}: {entry} holds no photo"
    fix = "Put the photos there, or remove the line."
    problems.append(Problem(what, where[0], fix, "path-outside" if outside else "empty-split"))
    return ()


def _listed(folder: Folder, name: str, problems: list[Problem]) -> tuple[str, ...]:
    text = read_text(folder, name)
    if isinstance(text, Problem):
        problems.append(text)
        return ()
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            near = (PurePosixPath(name).parent.as_posix(),)
            photo = folder.photo_names.find(line.strip(), near).photo
            if photo:
                found.append(photo)
            else:
                problems.append(without_photo(f"{name} line {number}", f"no such photo: {line.strip()}"))
    return tuple(found)


def label_names(photo: str) -> tuple[str, ...]:
    """Where a photo's labels may lie: labels/ in place of images/, else beside the photo."""
    path = PurePosixPath(photo).with_suffix(".txt")
    parts = list(path.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            swapped = [*parts[:index], "labels", *parts[index + 1 :]]
            return ("/".join(swapped), path.as_posix())
    return (path.as_posix(), (path.parent / "labels" / path.name).as_posix())


def _read_labels(
    folder: Folder, names: Mapping[int, str], splits: Mapping[str, str], problems: list[Problem]
) -> list[RawPhoto]:
    photos = []
    # A photo that is refused is reported once; its label is no second fault.
    used = {label for name in folder.refused if is_photo(name) for label in label_names(name)}
    for name in sorted(splits):
        label = next((file for file in label_names(name) if file in folder.known), None)
        if label is None:
            if not any(file in folder.refused for file in label_names(name)):
                problems.append(without_label(name))
            continue
        used.add(label)
        text = read_text(folder, label)
        if isinstance(text, Problem):
            problems.append(text)
            continue
        objects, wrong = parse_yolo(text, names, label)
        problems.extend(wrong)
        photos.append(RawPhoto(name, splits[name], tuple(objects), source=label))
    places = {str(PurePosixPath(file).parent) for name in splits for file in label_names(name)[:1]} | {
        str(PurePosixPath(file).parent) for file in used
    }
    elsewhere = {label for name in set(folder.photos) - set(splits) for label in label_names(name)}
    for name in folder.names:
        path = PurePosixPath(name)
        is_label = name.endswith(".txt") and str(path.parent) in places and path.name.lower() not in NOT_LABELS
        if is_label and name not in used and name not in elsewhere:
            problems.append(without_photo(name))
    return photos


FORMAT = LabelFormat(
    "yolo",
    "YOLO (data.yaml)",
    (".yaml", ".yml", ".txt"),
    finds_yolo,
    read_yolo,
    lambda folder: find_config(folder) is not None,
)
