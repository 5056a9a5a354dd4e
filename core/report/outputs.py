"""What a judged folder leaves for its inspector: files in the run's folder, and a copy elsewhere when asked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from core.runs.files import writing
from core.runs.store import Run

FILES = {"report": "report.html", "table": "predictions.csv", "answers": "predictions.jsonl", "photos": "annotated"}


def files_of(run: Run) -> dict[str, Path]:
    """{report, table, answers, photos: path} of what is there."""
    return {what: run.folder / name for what, name in FILES.items() if (run.folder / name).exists()}


def require_new(out: Path, data_path: str) -> Path:
    """The folder for a copy. Raises UserError when it holds something, or lies among the photos (it would be judged
    with them the next time)."""
    target = out.expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError("this is not an empty folder", str(out), "Give a new folder with --out.", "report")
    data = Path(data_path).expanduser().resolve()
    if data.is_dir() and target.is_relative_to(data):
        fix = "Choose a folder elsewhere: what is judged is never written to."
        raise UserError("this lies within the folder of photos", str(out), fix, "report")
    return target


def copy_to(run: Run, target: Path) -> Mapping[str, Path]:
    """Copy the files of a run into `target`, made by `require_new`. Raises UserError when the disk does not take it."""
    copied = {}
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        for what, source in files_of(run).items():
            copied[what] = target / source.name
            shutil.copytree(source, copied[what]) if source.is_dir() else shutil.copyfile(source, copied[what])
    return copied
