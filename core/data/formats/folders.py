"""One folder for each class: every photo whole, its class the name of the folder in which it lies.

The names of splits and `images` count as no class. Where folders of conditions lie in folders of types, both are read.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from core.boxes import WHOLE_PHOTO
from core.data.files import SPLIT_WORDS, Folder
from core.data.formats.base import SHARE, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.gather import Gathering

NO_CLASS = frozenset((*SPLIT_WORDS, "images", "imgs", "img", "photos", "data", "jpegimages"))


def claims_folders(folder: Folder) -> bool:
    """Whether all photos lie in folders that may be classes, at least two of them."""
    named = [class_folders(name) for name in folder.photos]
    return all(named) and len(set(named)) > 1


def read_folders(folder: Folder) -> RawSet:
    """Every photo whole, with the class of its folder."""
    found = Gathering(folder)
    for name in folder.photos:
        folders = class_folders(name)
        if folders:
            above = (("folder above", folders[1]),) if len(folders) > 1 else ()
            found.add(RawPhoto(name, "", (RawObject(folders[0], WHOLE_PHOTO, SHARE, name, above),), None, name))
            found.notes.inferred("photo", "took the class of the folder, each as a whole", name)
    return found.result("folders")


def class_folders(name: str) -> tuple[str, ...]:
    """The folders of a photo that may name its class, the nearest first."""
    parts = PurePosixPath(name).parts[:-1]
    return tuple(part for part in reversed(parts) if part.lower() not in NO_CLASS)


# Never recognised by itself: photos in folders of flights look the same. Only where no label is found does it count.
FORMAT = LabelFormat("folders", "a folder for each class", (), lambda folder: False, read_folders, claims_folders)
