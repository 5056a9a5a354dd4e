"""The label formats that are read, and which of them a folder is in. A new format is a file and its line here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
from core.data.formats.named import described, named_files, named_problems
from core.data.formats.split_lists import is_split_list, with_listed_splits
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


COMPANIONS = ("meta.json", "notes.json")  # of Supervisely and Label Studio: the classes, without labels
ONE_FILE = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".tsv")  # that may hold the labels of all photos


def _listed(titles: list[str]) -> str:
    return f"{', '.join(titles[:-1])} or {titles[-1]}"


FORMATS_NAMES = _listed([reader.title.partition(" (")[0] for reader in FORMATS.values()])
FORMATS_TEXT = _listed([reader.title for reader in FORMATS.values()])


def recognise(folder: Folder) -> LabelFormat | None:
    """The format of a folder's labels, or of the file handed over; None when no format recognises it."""
    meant = _only_handed(folder)
    return next((reader for reader in FORMATS.values() if reader.recognises(meant)), None)


def claimed(folder: Folder) -> LabelFormat | None:
    """The format of which a folder means to be though its labels cannot be read; a folder of photos alone is none."""
    readers = (reader for reader in FORMATS.values() if reader.endings)
    return next((reader for reader in readers if reader.claims(_only_handed(folder))), None)


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
    meant = folder if reader.per_photo else _only_handed(folder)
    raw = reader.read(meant)
    return raw if reader.reads_lists else with_listed_splits(raw, meant)


def _only_handed(folder: Folder) -> Folder:
    """The folder with the label file that was handed over, photos and split lists alone."""
    ending = PurePosixPath(folder.handed).suffix.lower()
    if ending not in ONE_FILE:
        return folder
    names = (name for name in folder.names if name == folder.handed or is_photo(name) or _is_no_label(name))
    return replace(folder, names=tuple(names))


def _is_no_label(name: str) -> bool:
    return is_split_list(name) or not name.lower().endswith((*ONE_FILE, ".txt", ".yaml", ".yml"))


def _sources(raw: RawSet, names: set[str]) -> set[str]:
    """The files among `names` in which something stands that was read: sources are a file's name and a place in it."""
    if not names:
        return set()
    places = {place for photo in raw.photos for place in (photo.source, *(one.source for one in photo.objects))}
    found = set()
    for place in (*places, *(problem.where for problem in raw.problems)):
        while place and place not in names:
            place = place.rpartition(" ")[0]
        found.add(place)
    return found


def _unknown(folder: Folder) -> UserError:
    seen = f"{len(folder.photos)} photos but no labels" if folder.photos else "no photos and no labels"
    endings = tuple(ending for reader in FORMATS.values() for ending in reader.endings)
    texts = [read_text(folder, name) for name in folder.names if name.lower().endswith(endings)]
    unread = [text for text in texts if isinstance(text, Problem)]
    named = named_problems(folder) or described(folder)
    fix = f"Give a folder in {FORMATS_TEXT}."
    if folder.handed and not folder.photos:
        fix = "Give the folder that holds both photos and labels."
    last = Problem(f"{seen} that we recognise", str(folder.root), fix, "no-data")
    return UserError.of((*folder.problems, *unread, *named, last))


def recognised_beside(folder: Folder, used: str) -> list[LabelFormat]:
    """The other formats in which labels lie in a folder."""
    return [reader for reader in FORMATS.values() if reader.name != used and reader.recognises(folder)]


def not_used(folder: Folder, raw: RawSet, beside: Sequence[LabelFormat] = ()) -> list[Problem]:
    """Hints of labels, other files and photos in a folder that are not used.

    Args:
        folder: the folder as listed.
        raw: what was read in it.
        beside: other formats in which labels lie there.
    """
    hints = []
    for reader in beside:
        what = f"labels in {reader.title} lie here too and are not used: {FORMATS[raw.format].title} is"
        hints.append(Problem(what, str(folder.root), f"Set data.format to {reader.name} for these.", IGNORED))
    named: set[str] = set()
    for known, names in named_files(folder):
        hints.append(Problem(f"{counted(len(names), 'file')} not used: {known.says}", names[0], "", IGNORED))
        named.update(names)
    covered = {ending for reader in beside for ending in reader.endings} | {""}
    others = {name for name in folder.names if name.lower().endswith(ONE_FILE)} - named
    others = {name for name in others if PurePosixPath(name).suffix.lower() not in covered} - _sources(raw, others)
    others = {name for name in others if PurePosixPath(name).name.lower() not in COMPANIONS}
    if others:
        what = f"{counted(len(others), 'file')} not used: no labels of a format that is read"
        hints.append(Problem(what, min(others), "", IGNORED))
    endings = Counter(PurePosixPath(name).suffix.lower() for name in folder.unread_photos.values())
    for ending, count in endings.items():
        first = next(name for name in folder.unread_photos.values() if name.lower().endswith(ending))
        what = f"{counted(count, 'file')} {ending} not used: no photo of this ending is read"
        hints.append(Problem(what, first, "Save them as JPEG if they belong here.", IGNORED))
    return hints
