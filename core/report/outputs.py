"""What a batch run leaves for its inspector: files in the run's folder, and a copy elsewhere on request."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from core.errors import UserError
from core.runs.files import writing
from core.runs.store import Run

FILES = {"report": "report.html", "table": "predictions.csv", "answers": "predictions.jsonl", "photos": "annotated"}


def files_of(run: Run) -> dict[str, Path]:
    """Those of the files that are there: {"report", "table", "answers", "photos": path}."""
    return {what: run.folder / name for what, name in FILES.items() if (run.folder / name).exists()}


def require_new(out: Path, data_path: str) -> Path:
    """The folder for a copy, as an absolute path.

    Args:
        out: the folder that the user names; it need not exist.
        data_path: the folder of photos: a copy among them would be judged with them the next time.

    Raises:
        UserError: the folder holds something, or lies within the folder of photos.
    """
    target = out.expanduser().resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError("this is not an empty folder", str(out), "Give a new folder with --out.", "report")
    data = Path(data_path).expanduser().resolve()
    if data.is_dir() and target.is_relative_to(data):
        fix = "Choose a folder elsewhere: what is judged is never written to."
        raise UserError("this lies within the folder of photos", str(out), fix, "report")
    return target


def copy_to(run: Run, target: Path) -> Mapping[str, Path]:
    """Copy the files of a run.

    Args:
        run: a batch run.
        target: a folder that `require_new` accepted.

    Returns:
        The copies, by the same keys as `files_of`.

    Raises:
        UserError: the disk does not take them.
    """
    copied = {}
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        for what, source in files_of(run).items():
            copied[what] = target / source.name
            shutil.copytree(source, copied[what]) if source.is_dir() else shutil.copyfile(source, copied[what])
    return copied
