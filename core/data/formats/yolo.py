"""YOLO: one text file a photo, `class x_center y_center width height` or `class x1 y1 x2 y2 x3 y3 …` (a polygon).

All numbers are fractions of the photo as viewed. A polygon becomes the box around it. What stands after a box, such as
confidences, track numbers and keypoints, is decided over all rows of the folder (`yolo_rows.py`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import PurePosixPath

from core.data.files import Folder, is_photo, read_text
from core.data.formats.base import LabelFormat, RawObject, RawPhoto, RawSet, unread_photo, without_label, without_photo
from core.data.formats.gather import Gathering
from core.data.formats.named import is_other_text
from core.data.formats.yolo_config import find_class_lists, find_config, holds_rows, read_yolo_config
from core.data.formats.yolo_rows import PLAIN, RowLayout, layout_of_rows, parse_line
from core.data.names import NameIndex
from core.errors import Problem

NOT_LABELS = ("readme.txt", "readme.roboflow.txt", "readme.dataset.txt", "notes.txt")


def parse_yolo(
    text: str, names: Mapping[int, str], source: str, columns: RowLayout = PLAIN
) -> tuple[list[RawObject], list[Problem]]:
    """Objects and problems of one label file.

    Args:
        text: of the file.
        names: of the classes, by number.
        source: the file's name.
        columns: what the rows of the folder hold.
    """
    found: list[RawObject] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if words := line.split():
            parsed = parse_line(words, names, f"{source} line {number}", columns)
            (found if isinstance(parsed, RawObject) else problems).append(parsed)  # type: ignore[arg-type]
    return found, problems


def finds_yolo(folder: Folder) -> bool:
    """Whether a folder is YOLO: text files in a labels folder, or beside the photos with names for the classes."""
    texts = {name.lower() for name in folder.names if name.lower().endswith(".txt")}
    labels = [name for name in folder.names if name.lower().endswith(".txt") and "/labels/" in f"/{name}".lower()]
    if labels:
        return not is_other_text(folder, labels[0])
    beside = any(label.lower() in texts for name in folder.photos for label in label_names(name))
    return beside and bool(find_config(folder) or find_class_lists(folder))


def claims_yolo(folder: Folder) -> bool:
    """Whether a folder means to be YOLO: by its data.yaml, or by rows of numbers beside photos."""
    if find_config(folder) is not None:
        return True
    beside = [label for name in folder.photos for label in label_names(name)[:1] if label in folder.known]
    texts = [read_text(folder, name) for name in beside[:20]]
    rows = [line.split() for text in texts if isinstance(text, str) for line in text.splitlines()[:1]]
    if rows and all(len(words) == 5 and words[0].isdecimal() for words in rows):
        return True
    stems = {PurePosixPath(name).stem for name in folder.photos} if find_class_lists(folder) else set()
    texts_of_photos = [name for name in folder.names if name.lower().endswith(".txt")]
    return any(PurePosixPath(name).stem in stems and holds_rows(folder, name) for name in texts_of_photos)


def read_yolo(folder: Folder) -> RawSet:
    """All photos and labels of a YOLO folder, with everything wrong in it."""
    found = Gathering(folder)
    config = read_yolo_config(found)
    if not config.names:
        return RawSet("yolo", (), tuple(found.problems))
    labels = _label_files(found, config.splits, config.files)
    texts: dict[str, str] = {}
    for label in dict.fromkeys(labels.values()):
        text = read_text(folder, label)
        if isinstance(text, Problem):
            found.problems.append(text)
        else:
            texts[label] = text
    columns = layout_of_rows(texts, config.keypoints, found)
    if columns is None:
        return RawSet("yolo", (), tuple(found.problems))
    if texts and not any(text.strip() for text in texts.values()):
        what = f"all {len(texts)} label files are empty"
        found.problems.append(Problem(what, next(iter(texts)), "Export the labels again.", "empty-labels"))
    photos = []
    for name, label in labels.items():
        if label in texts:
            objects, wrong = parse_yolo(texts[label], config.names, label, columns)
            found.problems.extend(wrong)
            photos.append(RawPhoto(name, config.splits[name], tuple(objects), source=label))
    return RawSet("yolo", tuple(photos), (*found.problems, *found.notes.problems()))


def label_names(photo: str) -> tuple[str, ...]:
    """Where a photo's labels may lie: labels/ in place of images/, else beside the photo."""
    path = PurePosixPath(photo).with_suffix(".txt")
    parts = list(path.parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index].lower() == "images":
            swapped = [*parts[:index], "labels", *parts[index + 1 :]]
            return ("/".join(swapped), path.as_posix())
    return (path.as_posix(), (path.parent / "labels" / path.name).as_posix())


def _label_files(found: Gathering, splits: Mapping[str, str], not_labels: Iterable[str]) -> dict[str, str]:
    """{photo: label file} of the photos that are used; labels and photos without each other are reported."""
    folder = found.folder
    others = set(not_labels)
    by_case = {name.lower(): name for name in folder.names if name.lower().endswith(".txt") and name not in others}
    labels: dict[str, str] = {}
    bare: dict[str, None] = {}
    named = {name: label_names(name) for name in sorted(splits)}
    for name, wanted in named.items():
        exact = next((file for file in wanted if file in folder.known and file not in others), None)
        label = exact or next((by_case[file.lower()] for file in wanted if file.lower() in by_case), None)
        if label and not exact:
            found.notes.inferred("name", "differ in case only", label)
        if label:
            labels[name] = label
        elif not any(file in folder.refused for file in wanted):
            bare[name] = None
    if bare:
        _look_elsewhere(labels, bare, by_case.values(), found)
    _report_shared(labels, found)
    # A photo that is refused is reported once; its label is no second fault.
    used = {label for name in folder.refused if is_photo(name) for label in label_names(name)} | set(labels.values())
    places = {str(PurePosixPath(file).parent).lower() for files in named.values() for file in files[:1]} | {
        str(PurePosixPath(file).parent).lower() for file in used
    }
    elsewhere = {label for name in set(folder.photos) - set(splits) for label in label_names(name)}
    for name in by_case.values():
        path = PurePosixPath(name)
        is_label = str(path.parent).lower() in places and path.name.lower() not in NOT_LABELS
        if is_label and name not in used and name not in elsewhere:
            photo = _photo_of_stray(name, bare, found)
            if photo and photo not in labels:
                labels[photo] = name
            elif unread := folder.unread_photos.get(path.stem.lower()):
                found.problems.append(unread_photo(unread, name))
            else:
                found.problems.append(without_photo(name))
    found.problems.extend(without_label(name) for name in bare if name not in labels)
    return {name: labels[name] for name in sorted(labels)}


def _look_elsewhere(labels: dict[str, str], bare: Iterable[str], texts: Iterable[str], found: Gathering) -> None:
    """Labels in folders called otherwise, as `label` or `annotations`, for photos that have none where they belong."""
    taken = set(labels.values())
    left = NameIndex([name for name in texts if name not in taken])
    for photo in bare:
        path = PurePosixPath(photo).with_suffix(".txt")
        label = left.find(path.name, [str(parent) for parent in path.parents][1:-1]).photo
        if label and PurePosixPath(label).name == path.name and holds_rows(found.folder, label):
            labels[photo] = label
            found.notes.inferred("label file", "found in a folder that is not called labels", label)


def _report_shared(labels: Mapping[str, str], found: Gathering) -> None:
    """One fault for each label file that several photos have, as a shot of two cameras."""
    owners: dict[str, list[str]] = {}
    for name, label in labels.items():
        owners.setdefault(label, []).append(name)
    for label, names in owners.items():
        if len(names) > 1:
            what = f"one label for {len(names)} photos: {' and '.join(names)}"
            fix = "Move the photo that was not labelled out of the folder."
            found.problems.append(Problem(what, label, fix, "shared-label"))


def _photo_of_stray(label: str, bare: Container[str], found: Gathering) -> str | None:
    """The photo without a label that a label file means whose name is a little different."""
    path = PurePosixPath(label)
    parts = ["images" if part.lower() == "labels" else part for part in path.parent.parts]
    match = found.folder.photo_names.find(path.with_suffix("").name, ("/".join(parts), str(path.parent)))
    if match.photo is None or match.photo not in bare:
        return None
    found.notes.inferred("name", match.difference or "differ in their ending", label)
    return match.photo


FORMAT = LabelFormat(
    "yolo", "YOLO (data.yaml)", (".yaml", ".yml", ".txt"), finds_yolo, read_yolo, claims_yolo, reads_lists=True
)
