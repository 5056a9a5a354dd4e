"""A change of several files and folders at once: a kill leaves it undone, or whoever comes next completes it.

What shall happen is prepared in the pending folder of the workspace and listed in its `journal.json`, which commits the
change: before it is written nothing has happened, from then on the change is completed. Each step can be repeated.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs import locks, workspace
from core.runs.files import copy, plain, read_json, remove, replace, system_path, write_json, write_text, writing
from core.runs.swap import sync_entry
from core.runs.workspace import Workspace


@dataclass
class Transaction:
    """What shall happen: files get another content, then files and folders move to places that are free.

    Attributes:
        workspace: The workspace; everything lies in it.
        edits: The new content of files.
        moves: (from, to), in their order.
    """

    workspace: Workspace
    edits: dict[Path, str] = field(default_factory=dict)
    moves: list[tuple[Path, Path]] = field(default_factory=list)

    @property
    def pending(self) -> Path:
        """The folder in which the change is prepared, and which is removed at its end."""
        return self.workspace.pending

    def edit_json(self, path: Path, value: Any) -> None:
        """Give a JSON file another content."""
        self.edits[path] = json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def add_json(self, path: Path, value: Any) -> None:
        """Make a JSON file that was not there."""
        draft = self.pending / f"new-{len(self.moves)}"
        write_json(draft, value)
        self.moves.append((draft, path))

    def discard(self, path: Path) -> None:
        """Remove a file or folder for good."""
        self.moves.append((path, self.pending / f"gone-{len(self.moves)}"))

    def commit(self) -> None:
        """Make the change, or when the system refuses a part of it, none of it.

        Raises:
            UserError: A file cannot be written or moved; then everything is as it was.
        """
        root = self.workspace.root
        _require_one_disk(self.workspace, self.moves)
        for number, (path, text) in enumerate(self.edits.items()):
            copy(path, self.pending / f"{number}-old")
            write_text(self.pending / f"{number}-new", text)
        steps: dict[str, Any] = {
            "edits": [str(path.relative_to(root)) for path in self.edits],
            "moves": [[str(end.relative_to(root)) for end in move] for move in self.moves],
        }
        write_json(_journal(self.workspace), steps)
        try:
            _complete(self.workspace)
        except UserError:
            with suppress(UserError):  # what cannot be taken back now is completed by whoever comes next
                _take_back(self.workspace, steps)
            raise


@contextmanager
def transaction(opened: Workspace) -> Iterator[Transaction]:
    """A transaction to fill in and to commit; nobody else changes runs or models of the workspace meanwhile.

    Raises:
        UserError: Somebody else is at it.
    """
    try:
        with locks.hold(opened.history_lock):
            _complete(opened)
            yield Transaction(opened)
    except locks.Held as error:
        fix = "Try again in a moment."
        raise UserError("another page or command is just changing runs or models here", "", fix, "busy") from error


def open_workspace(folder: str | Path = ".") -> Workspace:
    """Open the workspace in a folder, which must exist; a change that broke off is completed.

    Raises:
        UserError: The folder does not exist or cannot be written.
    """
    opened = workspace.open_workspace(folder)
    if opened.pending.exists():
        with suppress(locks.Held), locks.hold(opened.history_lock, patience_s=0.0):  # whoever holds it is at it
            _complete(opened)
    return opened


def _journal(opened: Workspace) -> Path:
    return opened.pending / "journal.json"


def _complete(opened: Workspace) -> None:
    """Do what the journal lists and is not done yet; what was prepared without one is thrown away."""
    steps = read_json(_journal(opened))
    if steps is not None:
        for number, path in enumerate(steps["edits"]):
            _put(opened, f"{number}-new", path)
        for source, target in steps["moves"]:
            _move(opened.root / source, opened.root / target)
    with writing(opened.pending):
        remove(_journal(opened))
        remove(opened.pending)


def _take_back(opened: Workspace, steps: Mapping[str, Sequence[Any]]) -> None:
    for source, target in reversed(steps["moves"]):
        _move(opened.root / target, opened.root / source)
    for number, path in enumerate(steps["edits"]):
        _put(opened, f"{number}-old", path)
    with writing(opened.pending):
        remove(_journal(opened))
        remove(opened.pending)


def _put(opened: Workspace, draft: str, path: str) -> None:
    """Give a file its content, unless it has moved on with it."""
    if _exists(opened.root / path):
        put = opened.pending / "put"  # not beside the file: a kill would leave it there
        copy(opened.pending / draft, put)
        with writing(opened.root / path):
            replace(put, opened.root / path)


def _move(source: Path, target: Path) -> None:
    """Move what is still there; what came to its old place after it had moved stays."""
    if _exists(source) and not _exists(target):
        with writing(target):
            os.makedirs(system_path(target.parent), exist_ok=True)
            replace(source, target)
            sync_entry(target)


def _require_one_disk(opened: Workspace, moves: Sequence[tuple[Path, Path]]) -> None:
    """Raise UserError when something lies on another disk: it cannot be moved in one go."""
    disk = os.stat(system_path(opened.experiments)).st_dev
    for source, _ in moves:
        if _exists(source) and os.lstat(system_path(source)).st_dev != disk:
            fix = f"Move or remove it by hand, or keep it on the disk of {opened.experiments}."
            raise UserError("this lies on another disk than the workspace's experiments", str(source), fix, "disk")


def _exists(path: Path) -> bool:
    return os.path.lexists(system_path(path))
