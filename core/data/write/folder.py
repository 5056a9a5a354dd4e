"""`write_dataset`: a data set as a folder that stands alone, made aside and put in place whole."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from core.data.types import Dataset
from core.data.write.texts import WRITERS, Placed
from core.errors import UserError


def write_dataset(dataset: Dataset, to: str, out: Path) -> None:
    """Write photos and labels.

    Args:
        dataset: as read.
        to: a name among WRITERS.
        out: a folder that does not exist or is empty.

    Raises:
        UserError: the folder holds something, or lies among the photos.
        OSError: the disk does not take it; nothing is left then.
    """
    out = out.expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("this is not an empty folder", str(out), "Give a new folder with --out.", "convert")
    if out.is_relative_to(dataset.root.resolve()):
        raise UserError("this lies within the folder of photos", str(out), "Choose a folder elsewhere.", "convert")
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".converting-", dir=out.parent))
    try:
        placed = places(dataset)
        for name, photo in placed:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(photo.path, aside / name)
        for name, text in WRITERS[to](placed).items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_text(text, encoding="utf-8", newline="")
        aside.chmod(0o755)
        if out.exists():
            out.rmdir()
        os.rename(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def places(dataset: Dataset) -> Placed:
    """Every photo with its name in the new folder; names that only case or ending tells apart get a number."""
    taken: set[str] = set()
    placed = []
    for photo in dataset.photos:
        path = PurePosixPath(photo.name)
        stem = re.sub(r"[^\w.() -]", "_", path.stem).strip(" .") or "photo"
        unique, number = stem, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{stem}-{number}"
        taken.add(unique.casefold())
        placed.append((f"{photo.split}/images/{unique}{path.suffix.lower()}", photo))
    return placed
