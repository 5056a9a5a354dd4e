"""`damgui convert`: what was understood of a data set, written in a format that other tools open."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.data.checks import require_clean
from core.data.types import SPLITS
from core.data.write.folder import require_new, write_dataset
from core.data.write.registry import require_writer
from core.runs.files import writing
from core.runs.store import open_workspace
from core.settings import Settings
from core.units import counted
from damgui.cli.reading import read


def convert(settings: Settings, workspace: str, to: str, out: str, many_files: bool = False) -> dict[str, Any]:
    """Read, refuse faults, write; the document of --json. `many_files` as in `reading.read`.

    Raises:
        UserError: the format is unknown, `out` is not to be written to, or the data have faults.
    """
    require_writer(to)  # said before thousands of photos are read
    with writing(Path(out), "--out"):
        require_new(Path(out))
    dataset = read(settings, open_workspace(workspace), many_files)
    require_clean(dataset, settings.data)
    with writing(Path(out), "--out"):
        write_dataset(dataset, to, Path(out))
    counts = {split: len(dataset.split(split)) for split in SPLITS}
    objects = sum(len(photo.objects) for photo in dataset.photos)
    problems = [asdict(problem) for problem in dataset.problems]
    about = {"data": str(dataset.root), "format": dataset.format, "problems": problems}
    return {"read": about, "written": {"out": out, "format": to, "photos": counts, "objects": objects}}


def summary(document: dict[str, Any]) -> str:
    """One line for a terminal: what was written where."""
    written = document["written"]
    photos = ", ".join(f"{count} {split}" for split, count in written["photos"].items() if count)
    total = counted(sum(written["photos"].values()), "photo")
    return f"{total} ({photos}) with {counted(written['objects'], 'object')} written to {written['out']}"
