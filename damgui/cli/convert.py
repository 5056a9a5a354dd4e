"""`damgui convert`: what was understood of a data set, written in a format that other tools open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.data.checks import require_clean
from core.data.dataset import read_dataset
from core.data.types import SPLITS
from core.data.write.folder import write_dataset
from core.demo.sample_set import ready
from core.runs.files import writing
from core.runs.store import open_workspace
from core.settings import Settings


def convert(settings: Settings, workspace: str, to: str, out: str) -> dict[str, Any]:
    """Read, refuse faults, write; the document of --json."""
    sample = ready(settings.data, open_workspace(workspace).sample_data)
    dataset = read_dataset(settings.data, sample, settings.training.seed)
    require_clean(dataset, settings.data)
    with writing(Path(out)):
        write_dataset(dataset, to, Path(out))
    counts = {split: len(dataset.split(split)) for split in SPLITS}
    objects = sum(len(photo.objects) for photo in dataset.photos)
    read = {"data": str(dataset.root), "format": dataset.format, "problems": [str(one) for one in dataset.problems]}
    return {"read": read, "written": {"out": out, "format": to, "photos": counts, "objects": objects}}
