"""`write_dataset`: a data set as a folder that stands alone, made aside and put in place whole."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from core.data.readings import ONE
from core.data.types import Dataset
from core.data.write.base import pixels
from core.data.write.places import places
from core.data.write.registry import require_writer
from core.errors import Problem, UserError


def write_dataset(dataset: Dataset, to: str, out: Path) -> None:
    """Write photos and labels. Until all is written, `out` is not there, or empty.

    Args:
        dataset: as read.
        to: the name of a format in WRITERS.
        out: a folder that does not exist or is empty.

    Raises:
        UserError: the format is not written, the folder holds something or lies among the photos, a photo is gone, or
            a box cannot be written in pixels.
        OSError: the disk does not take it; nothing is left then.
    """
    writer = require_writer(to)
    out = require_new(out)
    if out.is_relative_to(dataset.root.resolve()):
        raise UserError("this lies within the folder of photos", str(out), "Choose a folder elsewhere.", "convert")
    if writer.in_pixels and (unclear := _like_fractions(dataset)):
        raise UserError.of(unclear)
    out.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".converting-", dir=out.parent))
    try:
        placed = places(dataset.photos, writer)
        for one in placed:
            _copy(one.photo.path, one.photo.name, aside / one.name)
        for name, text in writer.labels(placed).items():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).write_text(text, encoding="utf-8", newline="")
        aside.chmod(0o755)
        require_new(out)
        if out.exists():
            out.rmdir()
        os.rename(aside, out)
    except OSError as error:
        if str(error.filename).startswith(str(aside)):  # a folder of ours that is gone when the sentence is read
            error.filename = str(out)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def require_new(out: Path) -> Path:
    """A folder that may be written to, as an absolute path.

    Raises:
        UserError: it is a file, or holds something.
        OSError: it cannot be looked into.
    """
    # expanduser and resolve of a Path raise for an unknown ~name and for links that lead in a circle.
    out = Path(os.path.realpath(os.path.expanduser(out)))
    if os.path.lexists(out) and (not out.is_dir() or any(out.iterdir())):
        raise UserError("this is not an empty folder", str(out), "Give a new folder with --out.", "convert")
    return out


def _copy(source: Path, name: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        if source.exists():
            raise
        raise UserError(
            "this photo is gone since it was read", name, "Put it back, then try again.", "convert"
        ) from error


def _like_fractions(dataset: Dataset) -> list[Problem]:
    """Boxes in the first pixel of their photo, whose pixels would be taken for fractions."""
    fix = "Write YOLO, or remove this box."
    what = "this box is smaller than a pixel and lies in the upper left corner, where pixels look like fractions"
    return [
        Problem(what, obj.source or photo.name, fix, "convert")
        for photo in dataset.photos
        for obj in photo.objects
        if max(pixels(photo, obj)[2:]) <= ONE
    ]
