"""What several test files need and takes long to make: made once a session, by whichever worker comes first."""

from __future__ import annotations

import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
OLD_WORKSPACE = ROOT / "tests" / "fixtures" / "workspace-2c807ba.tar.xz"
TEXT = (".yaml", ".json", ".jsonl", ".log", ".csv", ".html", ".md", ".txt")


def old_workspace(folder: Path) -> Path:
    """The workspace of an earlier version, with runs of all kinds, unpacked there with its placeholders filled in."""
    with tarfile.open(OLD_WORKSPACE) as held:
        held.extractall(folder, filter="data")
    places = {"@WORKSPACE@": str(folder / "workspace"), "@PROJECT@": str(ROOT), "@VENV@": sys.prefix}
    for path in folder.rglob("*"):
        if path.suffix in TEXT and path.is_file():
            content = path.read_text(encoding="utf-8")
            for mark, place in places.items():
                content = content.replace(mark, place)
            path.write_text(content, encoding="utf-8")
    return folder / "workspace"


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, filled by the first who asks, in this process or another, while the others wait."""
    done = folder.with_name(f"{folder.name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a worker left that failed
            folder.mkdir(parents=True)
            make(folder)
            done.touch()
    return folder
