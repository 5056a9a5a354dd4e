"""The label formats that are read, and which of them a folder is in. A new format is a file and its line here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from core.data.files import Folder, is_photo, read_text
from core.data.formats import (
    coco,
    createml,
    cvat,
    datumaro,
    folders,
    huggingface,
    label_studio,
    labelme,
    supervisely,
    table,
    via,
    voc,
    yolo,
)
from core.data.formats.base import LabelFormat, RawSet
from core.data.formats.named import named_files, named_problems
from core.data.notes import IGNORED
from core.errors import Problem, UserError
from core.units import counted

# In the order in which a folder is tried: a YOLO folder may carry tables or JSON beside its labels, and COCO takes a
# file by its name, such as _annotations.createml.json.
FORMATS: Mapping[str, LabelFormat] = {
    reader.name: reader
    for reader in (
        yolo.FORMAT,
        labelme.FORMAT,
        label_studio.FORMAT,
        createml.FORMAT,
        via.FORMAT,
        supervisely.FORMAT,
        datumaro.FORMAT,
        coco.FORMAT,
        cvat.FORMAT,
        voc.FORMAT,
        huggingface.FORMAT,
        table.FORMAT,
        folders.FORMAT,
    )
}


ONE_FILE = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".tsv")  # that may hold the labels of all photos


def _listed(titles: list[str]) -> str:
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


FORMATS_TEXT = _listed([reader.title for reader in FORMATS.values()])


def recognise(folder: Folder) -> LabelFormat | None:
    """The format of a folder's labels, or of the file handed over; None when no format recognises it."""
    meant = _only_handed(folder)
    return next((reader for reader in FORMATS.values() if reader.recognises(meant)), None)


def require_format(folder: Folder, wanted: str = "auto") -> LabelFormat:
    """The format of a folder's labels, or of the label file that was handed over.

    Args:
        folder: the folder as listed.
        wanted: a format's name, or "auto" for the one that is recognised.

    Raises:
        UserError: no format is recognised, or the folder has no labels of the one that is wanted.
    """
    meant = _only_handed(folder)
    if wanted != "auto":
        requested = FORMATS[wanted]
        if requested.recognises(meant) or requested.claims(meant):
            return requested
    found = recognise(folder) or next((reader for reader in FORMATS.values() if reader.claims(meant)), None)
    if found is None:
        raise _unknown(meant)
    if wanted != "auto":
        fix = f"Set data.format to auto or {found.name}: that is what lies here."
        raise UserError(f"no labels in {wanted} format", str(folder.root), fix, "no-data")
    return found


def read_labels(folder: Folder, reader: LabelFormat) -> RawSet:
    """All photos and labels of a folder in one format; where a file with all labels was handed over, its alone."""
    return reader.read(folder if reader.per_photo else _only_handed(folder))


def _only_handed(folder: Folder) -> Folder:
    """The folder with the label file that was handed over, photos and split lists alone."""
    ending = PurePosixPath(folder.handed).suffix.lower()
    if ending not in ONE_FILE:
        return folder
    names = (name for name in folder.names if name == folder.handed or is_photo(name) or _is_no_label(name))
    return replace(folder, names=tuple(names))


def _is_no_label(name: str) -> bool:
    return not name.lower().endswith((*ONE_FILE, ".txt", ".yaml", ".yml"))


def _unknown(folder: Folder) -> UserError:
    seen = f"{len(folder.photos)} photos but no labels" if folder.photos else "no photos and no labels"
    endings = tuple(ending for reader in FORMATS.values() for ending in reader.endings)
    texts = [read_text(folder, name) for name in folder.names if name.lower().endswith(endings)]
    unread = [text for text in texts if isinstance(text, Problem)]
    named = named_problems(folder)
    fix = f"Give a folder in {FORMATS_TEXT}."
    last = Problem(f"{seen} that we recognise", str(folder.root), fix, "no-data")
    return UserError.of((*folder.problems, *unread, *named, last))


def not_used(folder: Folder, used: str) -> list[Problem]:
    """Hints of labels and photos in a folder that are not used.

    Args:
        folder: the folder as listed.
        used: the name of the format that is, or another word where the photos are judged whole.
    """
    hints = []
    instead = FORMATS[used].title if used in FORMATS else "the whole photo"
    for reader in FORMATS.values():
        if reader.name != used and reader.recognises(folder):
            said = f"labels in {reader.title} lie here too and are not used: {instead} is"
            hints.append(Problem(said, str(folder.root), f"Set data.format to {reader.name} for these.", IGNORED))
    for known, names in named_files(folder):
        hints.append(Problem(f"{counted(len(names), 'file')} not used: {known.says}", names[0], "", IGNORED))
    endings = Counter(PurePosixPath(name).suffix.lower() for name in folder.unread_photos.values())
    for ending, count in endings.items():
        first = next(name for name in folder.unread_photos.values() if name.lower().endswith(ending))
        said = f"{counted(count, 'file')} {ending} not used: no photo of this ending is read"
        hints.append(Problem(said, first, "Save them as JPEG if they belong here.", IGNORED))
    return hints
