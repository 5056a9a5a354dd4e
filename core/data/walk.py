"""The walk through a data folder: every file is named, none is opened, and nothing leads out or round in circles."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from core.data.notes import Notes
from core.errors import Problem, UserError

# They hold no files but doors into the kernel, some of which never end.
SYSTEM_FOLDERS = ("/proc", "/sys")
LONGEST_SHOWN = 120  # characters of a path in a sentence
NO_FOLDER = ("no such folder", "Give the folder of photos and labels.")
# What the system says of a path that cannot be looked at, and what a user does about it.
UNUSABLE = {
    errno.ENAMETOOLONG: ("this path is too long", "Give the folder of photos and labels."),
    errno.ELOOP: ("these links lead round in a circle", "Give the folder itself."),
    errno.EACCES: ("this folder may not be read", "Check its permissions."),
    errno.ENOENT: NO_FOLDER,
    errno.ENOTDIR: NO_FOLDER,
}


def usable_path(text: str) -> Path:
    """The path of a file or folder that may be read.

    Args:
        text: as somebody typed it; `~` is the home folder.

    Raises:
        UserError: there is none, or it is a pipe, a device or a folder of the system: these are never opened.
    """
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}… ({len(text):,} letters)"
    try:
        path = Path(text).expanduser()
        mode = path.stat().st_mode
        resolved = str(path.resolve())
    except (RuntimeError, ValueError) as error:  # ~nobody, or a zero byte
        raise UserError("this is no path", shown, NO_FOLDER[1], "no-data") from error
    except OSError as error:
        what, fix = UNUSABLE.get(error.errno or 0, (f"this path cannot be read ({error.strerror})", "Check it."))
        raise UserError(what, shown, fix, "no-data") from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UserError("this is a pipe or a device, not a folder", shown, NO_FOLDER[1], "no-data")
    if any(resolved == folder or resolved.startswith(f"{folder}/") for folder in SYSTEM_FOLDERS):
        raise UserError("this folder belongs to the system and holds no photos", shown, NO_FOLDER[1], "no-data")
    return path


class Walk:
    """A walk below a folder.

    Attributes:
        base: the folder, resolved.
        refused: names of links that lead out of it, so far.
    """

    def __init__(self, base: Path) -> None:
        """Begin; nothing is read yet."""
        self.base = base
        self.refused: list[str] = []
        self._problems: list[Problem] = []
        self._notes = Notes()
        self._entered: set[tuple[int, int]] = set()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Links and folders that could not be followed or read, and a hint of what is no file."""
        return (*sorted(self._problems, key=lambda problem: problem.where), *self._notes.problems())

    def names(self) -> Iterator[str]:
        """The files as paths inside the folder, in no order; hidden ones are left out."""
        ahead = [""]
        while ahead:
            inside = ahead.pop()
            try:
                if self._is_new(self.base / inside):
                    yield from self._listed(inside, ahead)
            except OSError:
                fix = "Check its permissions."
                self._problems.append(Problem("this folder cannot be read", inside, fix, "unreadable-folder"))

    def _is_new(self, folder: Path) -> bool:
        """Whether a folder was not walked through yet: a mount can hold a folder that it lies in."""
        found = folder.stat()
        known = len(self._entered)
        self._entered.add((found.st_dev, found.st_ino))
        return len(self._entered) > known and str(folder) not in SYSTEM_FOLDERS

    def _listed(self, inside: str, ahead: list[str]) -> Iterator[str]:
        with os.scandir(self.base / inside) as entries:
            for entry in entries:
                name = f"{inside}/{entry.name}" if inside else entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_symlink() and (bad := self._bad_link(name)):
                    self._problems.append(bad)
                    self.refused.append(name)
                elif entry.is_file():
                    yield name
                elif not entry.is_dir():
                    self._notes.ignored("special file", "a pipe or device is never opened", name)
                elif not entry.name.startswith("__MACOSX"):
                    ahead.append(name)

    def _bad_link(self, name: str) -> Problem | None:
        fix = "Copy what it points to into the data folder."
        try:
            target = (self.base / name).resolve(strict=True)
        except (OSError, RuntimeError):
            cure = "Remove it, or put the file there."
            return Problem("this symbolic link leads nowhere", name, cure, "link-outside")
        if not target.is_relative_to(self.base):
            what = "this symbolic link leads out of the data folder and is not followed"
            return Problem(what, name, fix, "link-outside")
        if target.is_dir():
            return Problem("linked folders are not followed", name, fix, "link-folder")
        return None
