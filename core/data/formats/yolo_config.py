"""What a YOLO folder says beside its labels: names of the classes, splits, and what its columns are.

Names stand in a YAML file (Ultralytics, Roboflow), or one a line in `classes.txt`, `obj.names`, `labels.txt`,
`_darknet.labels` and the like, where the number of the line is the class. Splits are folders or lists of photos, named
by the YAML file or by Darknet's `obj.data`, or else lists called `train.txt` and so on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from core.data.files import SPLIT_WORDS, Folder, read_text, split_in, tidy
from core.data.formats.gather import Gathering
from core.data.formats.split_lists import find_split_lists, in_two_splits, is_number, listed_photos
from core.data.names import OTHER_FOLDERS, NameIndex
from core.errors import Problem
from core.settings.yaml_text import YamlLimitError, load_yaml

CLASS_LISTS = ("classes.txt", "labels.txt", "names.txt", "predefined_classes.txt", "_darknet.labels")
CLASS_ENDINGS = (".names",)
DARKNET, YAML = ".data", (".yaml", ".yml")
NO_VALUE = ("", "null", "~", "none")
NAMES_CURE = "Add a data.yaml with a line like names: [first class, second class]."
LIST_CURE = "Put the photos there, or remove the line."


@dataclass(frozen=True)
class YoloConfig:
    """What a folder says beside its labels.

    Attributes:
        names: of the classes, by number; empty where they could not be read.
        splits: the split of every photo that is used, "" where none is given.
        keypoints: how many values follow each box, by `kpt_shape`.
        files: those that were read here, which are no labels.
    """

    names: Mapping[int, str]
    splits: Mapping[str, str]
    keypoints: int = 0
    files: frozenset[str] = frozenset()


def find_config(folder: Folder) -> str | None:
    """The name of the YAML file that names classes: data.yaml or another at the top, else the only one below."""
    yamls = [name for name in folder.names if name.lower().endswith(YAML)]
    if folder.handed in yamls:
        return folder.handed
    top = [name for name in yamls if "/" not in name]
    for name in sorted(top, key=lambda name: (PurePosixPath(name).stem != "data", name)):
        if _names_classes(folder, name):
            return name
    if found := next((name for name in top if PurePosixPath(name).stem == "data"), None):
        return found
    below = [name for name in yamls if "/" in name and _names_classes(folder, name)]
    return below[0] if len(below) == 1 else None


def find_class_lists(folder: Folder) -> list[str]:
    """Files with a class on each line; a label of the same name, which holds numbers, is none."""
    named = [name for name in folder.names if is_class_list(name)]
    if folder.handed in named:
        return [folder.handed]
    return [name for name in named if not holds_rows(folder, name)]


def is_class_list(name: str) -> bool:
    """Whether a file is called as lists of classes are."""
    low = name.lower()
    return low.rpartition("/")[2] in CLASS_LISTS or low.endswith(CLASS_ENDINGS)


def read_yolo_config(found: Gathering) -> YoloConfig:
    """Classes, splits and columns of a folder, with everything wrong in them."""
    folder = found.folder
    file = find_config(folder)
    tree = _yaml(file, found) if file else {}
    # The file that was handed over decides alone.
    lists = find_class_lists(folder) if folder.handed != file else []
    if folder.handed in lists:
        file, tree = None, {key: value for key, value in tree.items() if key != "names"}
    darknet = next((name for name in folder.names if name.lower().endswith(DARKNET)), None)
    stated = _darknet(darknet, found) if darknet else {}
    given = {file or "": tree.get("names")} | {name: _yaml(name, found).get("names") for name in _others(file, found)}
    names = _class_names(given, lists, found)
    for where, count in ((file, tree.get("nc")), (darknet, stated.get("classes"))):
        names = _counted(names, count, where or "", found)
    splits, used = _splits(tree or stated, file or darknet or "", found)
    unread = [name for name in folder.names if is_class_list(name) and not holds_rows(folder, name)]
    files = frozenset((*lists, *unread, *used, *(name for name in (file, darknet) if name)))
    return YoloConfig(names, splits, _keypoints(tree.get("kpt_shape")), files)


def _names_classes(folder: Folder, name: str) -> bool:
    text = read_text(folder, name)
    return isinstance(text, str) and any(line.startswith("names") for line in text.splitlines())


def holds_rows(folder: Folder, name: str) -> bool:
    """Whether a text file holds rows of numbers alone, as labels do."""
    text = read_text(folder, name)
    lines = [line.split() for line in text.splitlines() if line.strip()] if isinstance(text, str) else []
    return bool(lines) and all(len(words) >= 5 and is_number(words[0]) and is_number(words[1]) for words in lines)


def _yaml(name: str, found: Gathering) -> dict[str, Any]:
    """The settings of a YAML file, all of them text: a class may be called no, null or 1.10."""
    text = read_text(found.folder, name)
    if isinstance(text, Problem):
        found.problems.append(text)
        return {}
    try:
        tree = load_yaml(text, as_text=True)
    except YamlLimitError as error:
        found.problems.append(Problem(str(error), name, "Write names: [...] out.", "bad-config"))
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name} line {mark.line + 1}" if mark else name
        found.problems.append(Problem("this is not valid YAML", where, "Check indentation and quotes.", "bad-config"))
        return {}
    if isinstance(tree, dict):
        return {str(key): value for key, value in tree.items()}
    what = "settings expected, something else found"
    found.problems.append(Problem(what, name, "Write names: [...].", "bad-config"))
    return {}


def _darknet(name: str, found: Gathering) -> dict[str, Any]:
    """The lines `train = data/train.txt` of Darknet's data file."""
    text = read_text(found.folder, name)
    if isinstance(text, Problem):
        found.problems.append(text)
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _others(file: str | None, found: Gathering) -> list[str]:
    """Other YAML files at the top that name classes; none where one was handed over, which then decides."""
    yamls = [name for name in found.folder.names if name.lower().endswith(YAML) and "/" not in name and name != file]
    return [name for name in yamls if file != found.folder.handed and _names_classes(found.folder, name)]


def _class_names(given: Mapping[str, Any], lists: list[str], found: Gathering) -> dict[int, str]:
    """Names by number; where several files give them, all must agree."""
    before = len(found.problems)
    read = {where: _yaml_names(names, where, lists, found) for where, names in given.items()}
    read |= {name: _listed_names(name, found) for name in lists}
    named = {name: names for name, names in read.items() if names}
    if not named:
        if len(found.problems) == before and not any(problem.kind == "bad-config" for problem in found.problems):
            where = next(iter(given)) or str(found.folder.root)
            found.problems.append(Problem("the classes have no names", where, NAMES_CURE, "bad-config"))
        return {}
    first, *others = named
    for other in others:
        unlike = [n for n in named[first] if _plain(named[first][n]) != _plain(named[other].get(n, ""))]
        if unlike or len(named[first]) != len(named[other]):
            number = unlike[0] if unlike else min(set(named[other]) - set(named[first]))
            what = (
                f"class {number} is {named[first].get(number, 'not there')!r} in {first} "
                f"and {named[other].get(number, 'not there')!r} in {other}"
            )
            found.problems.append(Problem(what, other, "Keep the one that the labels follow.", "bad-config"))
            return {}
    return named[first]


def _counted(names: dict[int, str], count: Any, where: str, found: Gathering) -> dict[int, str]:
    """The names, unless their number is not the stated one; numbers that are left out count."""
    if not names or not str(count).strip().isdecimal():
        return names
    stated, last = int(count), max(names)
    if last < stated and (last + 1 == stated or len(names) <= last):
        return names
    what = f"{stated} classes are stated and {len(names)} are named"
    found.problems.append(Problem(what, where, "Name every class that the labels count.", "bad-config"))
    return {}


def _yaml_names(given: Any, where: str, lists: list[str], found: Gathering) -> dict[int, str]:
    """Class names by number, from a list or from {0: name, …}; a text may be the path of a list that is here."""
    if isinstance(given, str) and given.strip().lower() not in NO_VALUE:
        if not any(name.endswith(PurePosixPath(given.replace("\\", "/")).name) for name in lists):
            what = "names: a list expected, one text found"
            found.problems.append(Problem(what, where, "Write names: [first class, second class].", "bad-config"))
        return {}
    if isinstance(given, list):
        given = dict(enumerate(given))
    names: dict[int, str] = {}
    for key, name in given.items() if isinstance(given, dict) else ():
        try:
            number = int(key)
        except ValueError:
            fix = "Write names as 0: first class, 1: second class, …"
            found.problems.append(Problem(f"names: {key!r} is not a class number", where, fix, "bad-config"))
            continue
        if isinstance(name, str):
            names[number] = name
        else:
            what = f"names: class {number} is no name"
            found.problems.append(Problem(what, where, "Write one name for each class.", "bad-config"))
    return names


def _listed_names(name: str, found: Gathering) -> dict[int, str]:
    """Class names by the number of their line."""
    text = read_text(found.folder, name)
    if isinstance(text, Problem):
        found.problems.append(text)
        return {}
    lines = [line.strip() for line in text.rstrip().splitlines()]
    for number, line in enumerate(lines):
        if not line:
            what = "this line is empty, and the number of a line is its class"
            fix = "Remove the line or name the class, as the labels count."
            found.problems.append(Problem(what, f"{name} line {number + 1}", fix, "bad-config"))
            return {}
    return dict(enumerate(lines))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _keypoints(shape: Any) -> int:
    """How many values follow a box: kpt_shape: [17, 3] are 51."""
    if isinstance(shape, list) and len(shape) == 2 and all(str(side).strip().isdecimal() for side in shape):
        return int(shape[0]) * int(shape[1])
    return 0


def _splits(config: Mapping[str, Any], where: str, found: Gathering) -> tuple[dict[str, str], set[str]]:
    """The split of every photo: as settings state, then as folders are called; and the lists that were read."""
    splits: dict[str, str] = {}
    used: set[str] = set()
    entries = list(_entries(config)) or [(split, name, split) for split, name in find_split_lists(found.folder)]
    for key, entry, split in entries:
        photos = _photos_of(config, entry, (where, key), used, found)
        if taken := [name for name in photos if splits.get(name, split) != split]:
            other = splits[taken[0]]
            if set(photos) == {name for name, known in splits.items() if known == other}:
                found.notes.inferred(f"line {key}: {entry}", f"names the photos of {other} and is not used", where)
            else:
                found.problems.append(in_two_splits(taken, (other, split), f"{where} {key}".strip()))
        for name in photos:
            splits.setdefault(name, split)
    stated = set(splits.values())
    for name in found.folder.photos:
        if name not in splits and (split := split_in(name)) and split not in stated:
            splits[name] = split
    if splits:
        for name in found.folder.photos:
            if name not in splits:
                found.notes.ignored("photo", f"in no split of {where or 'the lists'}", name)
    return splits or dict.fromkeys(found.folder.photos, ""), used


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(key, path, split) for each path under train, val, test and the like."""
    for key, split in SPLIT_WORDS.items():
        given = config.get(key) or []
        for entry in given if isinstance(given, list) else [given]:
            if isinstance(entry, str) and entry.strip().lower() not in NO_VALUE:
                yield key, entry.strip(), split


def _photos_of(
    config: Mapping[str, Any], entry: str, where: tuple[str, str], used: set[str], found: Gathering
) -> tuple[str, ...]:
    """The photos that one path means: a folder, or a text file that lists photos.

    Roboflow writes `../train/images` for a folder beside data.yaml, and Ultralytics puts `path:` before it. A path of
    another machine is found by its end.
    """
    folder = found.folder
    given = entry.replace("\\", "/")
    base = str(config.get("path") or "").replace("\\", "/") if isinstance(config.get("path"), str) else ""
    here = str(PurePosixPath(where[0]).parent)
    plain = given
    while plain.startswith(("../", "./")):
        plain = plain.split("/", 1)[1]
    root = folder.root.as_posix() + "/"
    if tidy(given).startswith(root):
        plain = tidy(given)[len(root) :]
    candidates = [tidy(f"{base}/{plain}") if base else tidy(plain), tidy(plain), tidy(f"{here}/{plain}")]
    for candidate in dict.fromkeys(candidates):
        if candidate.lower().endswith(".txt") and candidate in folder.known:
            return _listed(candidate, used, found)
        if photos := folder.under("" if candidate == "." else candidate):
            return photos
    if _exists_empty(folder, plain):
        what = f"{where[1]}: {entry} is empty"
        found.problems.append(Problem(what, where[0], LIST_CURE, "empty-split"))
        return ()
    if photos := _by_its_end(plain, used, found):
        found.notes.inferred("path", OTHER_FOLDERS, where[0])
        return photos
    outside = given.startswith("/") or os.path.isdir(folder.root / given)
    what = f"{where[1]}: {entry} lies outside the data folder" if outside else f"{where[1]}: {entry} holds no photo"
    found.problems.append(Problem(what, where[0], LIST_CURE, "path-outside" if outside else "empty-split"))
    return ()


def _exists_empty(folder: Folder, plain: str) -> bool:
    inside = folder.root / plain
    return not plain.startswith("/") and ".." not in PurePosixPath(plain).parts and os.path.isdir(inside)


def _by_its_end(plain: str, used: set[str], found: Gathering) -> tuple[str, ...]:
    """The photos of a path without the folders that are not here, at least its last two parts, or a list by name."""
    if plain.lower().endswith(".txt"):
        texts = [name for name in found.folder.names if name.lower().endswith(".txt")]
        listed = NameIndex(texts).find(plain).photo
        return _listed(listed, used, found) if listed else ()
    parts = [part for part in PurePosixPath(plain).parts if part != "/"]
    for start in range(1, len(parts) - 1):
        if photos := found.folder.under("/".join(parts[start:])):
            return photos
    return ()


def _listed(name: str, used: set[str], found: Gathering) -> tuple[str, ...]:
    used.add(name)
    return listed_photos(name, found)
