"""A change of several files and folders at once: a kill leaves it undone, or whoever comes next completes it.

What shall happen is prepared in the pending folder of the workspace and listed in its `journal.json`, which commits the
change: before it is written nothing has happened, from then on the change is completed. What the system refuses is
taken back: the journal is renamed to `undo.json` first, so that a kill in between leaves no mixture either. Each step
can be repeated, and takes next to no room: it is the preparation that a full disk stops.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs import locks, workspace
from core.runs.files import copy, plain, read_json, remove, remove_now, replace, system_path, write_json, writing
from core.runs.files import write_text as write_text_file
from core.runs.swap import sync_entry
from core.runs.workspace import Workspace

JOURNAL, UNDO = "journal.json", "undo.json"
PATIENCE_S = 10.0  # of a run that begins: a change takes some milliseconds


@dataclass(frozen=True)
class Edit:
    """A file gets another content; `before` and `after` are the digests of its contents."""

    place: str
    before: str
    after: str


@dataclass(frozen=True)
class Move:
    """A file or folder moves from a place in the workspace to another one; `inode` is its own."""

    source: str
    target: str
    inode: int


@dataclass(frozen=True)
class Steps:
    """What a change consists of, in its order: first the edits, then the moves."""

    edits: Sequence[Edit]
    moves: Sequence[Move]


@dataclass
class Transaction:
    """What shall happen: files get another content, then files and folders move to places that are free.

    Attributes:
        workspace: The workspace; everything lies in it.
        edits: Of each file, its content when it was read, and its new one.
        moves: (from, to), in their order.
    """

    workspace: Workspace
    edits: dict[Path, tuple[bytes, str]] = field(default_factory=dict)
    moves: list[tuple[Path, Path]] = field(default_factory=list)

    def edit(self, path: Path, act: Callable[[str], str]) -> None:
        """Give a text file another content, which `act` makes of its present one.

        Raises:
            UserError: The file cannot be read, or `act` raised a ValueError.
        """
        try:
            before = path.read_bytes()
            now = before.decode("utf-8")
            after = act(now)
        except (OSError, ValueError) as error:
            raise UserError(
                "this file is damaged or cannot be read", str(path), "Remove or mend it.", "disk"
            ) from error
        if after != now:
            self.edits[path] = (before, after)

    def edit_json(self, path: Path, act: Callable[[Any], Any]) -> None:
        """Give a JSON file another content, as `edit`; one that `act` leaves as it is keeps its layout."""

        def changed(text: str) -> str:
            value = json.loads(text)
            made = act(value)
            if made == value:
                return text
            return json.dumps(plain(made), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

        self.edit(path, changed)

    def add_json(self, path: Path, value: Any) -> None:
        """Make a JSON file that was not there."""
        draft = self.workspace.pending / f"new-{len(self.moves)}"
        write_json(draft, value)
        self.moves.append((draft, path))

    def discard(self, path: Path) -> None:
        """Remove a file or folder for good."""
        self.moves.append((path, self.workspace.pending / f"gone-{uuid.uuid4().hex[:8]}"))

    def commit(self) -> None:
        """Make the change, or when the system refuses a part of it, none of it.

        Raises:
            UserError: A file cannot be written or moved, has changed since it was read, or lies outside the workspace;
                then everything is as it was.
        """
        _require_one_disk(self.workspace, self.moves)
        steps = self._prepared()
        journal = self.workspace.pending / JOURNAL
        write_json(journal, asdict(steps))
        done: list[Move] = []
        try:
            with writing(journal):
                sync_entry(journal)
            _carry_out(self.workspace, steps, done)
        except UserError:
            with suppress(UserError):  # what cannot be taken back now is taken back by whoever comes next
                _begin_undo(self.workspace)
                _take_back(self.workspace, Steps(steps.edits, done))
                _tidy(self.workspace)
            raise
        _tidy(self.workspace)

    def _prepared(self) -> Steps:
        """The steps, with what they need in the pending folder."""
        opened, edits = self.workspace, []
        for number, (path, (before, text)) in enumerate(self.edits.items()):
            place, pending = _place_of(opened, path), opened.pending
            copy(path, pending / f"{number}-old")
            write_text_file(pending / f"{number}-new", text)
            edit = Edit(place, *(_digest(pending / f"{number}-{which}") for which in ("old", "new")))
            if edit.before != hashlib.sha256(before).hexdigest():
                raise UserError("this file has just been changed by somebody else", place, "Try again.", "busy")
            edits.append(edit)
        moves = [(_place_of(opened, source), _place_of(opened, target)) for source, target in self.moves]
        return Steps(edits, [Move(*move, _inode(opened.root / move[0])) for move in moves])


@contextmanager
def transaction(opened: Workspace) -> Iterator[Transaction]:
    """A transaction to fill in and to commit; nobody else changes runs or models of the workspace meanwhile.

    Raises:
        UserError: Somebody else is at it.
    """
    with exclusive(opened, locks.PATIENCE_S):
        try:
            yield Transaction(opened)
        finally:
            if not _is_committed(opened):  # what was prepared for a change that was refused
                remove_now(opened.pending)


@contextmanager
def exclusive(opened: Workspace, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Nobody else changes the runs or models of a workspace within the block, and no run begins.

    A change that broke off is completed first.

    Raises:
        UserError: Somebody else is at it for longer than `patience_s` seconds.
    """
    with ExitStack() as held:
        try:
            held.enter_context(locks.hold(opened.history_lock, patience_s=patience_s))
        except locks.Held as error:
            fix = "Try again in a moment."
            raise UserError("another page or command is just changing runs or models here", "", fix, "busy") from error
        _recover(opened)
        yield


def open_workspace(folder: str | Path = ".") -> Workspace:
    """Open the workspace in a folder, which must exist; a change that broke off is completed.

    Raises:
        UserError: The folder does not exist or cannot be written, or that change cannot be completed.
    """
    opened = workspace.open_workspace(folder)
    if os.path.lexists(opened.pending):
        with suppress(locks.Held), locks.hold(opened.history_lock, patience_s=0.0):  # whoever holds it is at it
            _recover(opened)
    return opened


def inside(opened: Workspace, place: object) -> Path:
    """The path of a place in the workspace, as a file of the workspace names it: a copied one may name anything.

    Raises:
        UserError: It lies outside, be it by a link on the way.
    """
    path = opened.root / str(place)
    if isinstance(place, str) and place.isprintable() and ".." not in Path(place).parts and not Path(place).anchor:
        with suppress(OSError, RuntimeError):  # a loop of links, a name that is too long
            if path.parent.resolve().is_relative_to(opened.root.resolve()):
                return path
    fix = "Put the folder itself in the place of the link; what lies outside is left alone."
    raise UserError("this lies outside the workspace", str(place), fix, "workspace")


def _place_of(opened: Workspace, path: Path) -> str:
    place = path.relative_to(opened.root).as_posix() if path.is_relative_to(opened.root) else str(path)
    inside(opened, place)
    return place


def _is_committed(opened: Workspace) -> bool:
    return any(_exists(opened.pending / name) for name in (JOURNAL, UNDO))


def _recover(opened: Workspace) -> None:
    """Complete what the journal lists and is not done yet; what was prepared without one is thrown away."""
    if os.path.islink(system_path(opened.pending)):
        raise UserError("this is a link, and no folder of damgui", str(opened.pending), "Remove the link.", "workspace")
    if not _exists(opened.pending):
        return
    undo = _listed(opened, UNDO)
    steps = None if undo else _listed(opened, JOURNAL)
    if steps:
        try:
            _carry_out(opened, steps, [])
        except _PlaceTakenError:
            _begin_undo(opened)
            undo = steps
    if undo:
        _take_back(opened, undo)
    _tidy(opened)


def _listed(opened: Workspace, name: str) -> Steps | None:
    """The steps that a journal lists, each inside the workspace; None when there is no such journal."""
    file = opened.pending / name
    found = read_json(file)
    if found is None:
        return None
    try:
        steps = Steps([Edit(**edit) for edit in found["edits"]], [Move(**move) for move in found["moves"]])
    except (TypeError, KeyError) as error:
        fix = "See what is in that folder, then move the folder away."
        raise UserError("the list of a change that broke off is damaged", str(file), fix, "workspace") from error
    places = [edit.place for edit in steps.edits]
    for place in [*places, *(end for move in steps.moves for end in (move.source, move.target))]:
        inside(opened, place)
    return steps


def _carry_out(opened: Workspace, steps: Steps, done: list[Move]) -> None:
    """Do what is not done yet; `done` gets each move that was made."""
    for number, edit in enumerate(steps.edits):
        _put(opened, f"{number}-new", edit.place, edit.before)
    for move in steps.moves:
        source, target = inside(opened, move.source), inside(opened, move.target)
        if _exists(source) and _exists(target):
            if _inode(target) != move.inode:
                raise _PlaceTakenError("something else has its place by now", move.target, "Move or delete that first.")
        elif _exists(source):
            done.append(move)  # first: a move whose flush is refused has happened all the same
            _move(source, target)


class _PlaceTakenError(UserError):
    """A move would overwrite something."""


def _begin_undo(opened: Workspace) -> None:
    journal = opened.pending / JOURNAL
    with writing(journal):
        replace(journal, opened.pending / UNDO)
        sync_entry(journal)


def _take_back(opened: Workspace, steps: Steps) -> None:
    for move in reversed(steps.moves):
        source, target = inside(opened, move.source), inside(opened, move.target)
        if _exists(target) and not _exists(source):
            _move(target, source)
    for number, edit in enumerate(steps.edits):
        _put(opened, f"{number}-old", edit.place, edit.after)


def _put(opened: Workspace, draft: str, place: str, instead_of: str) -> None:
    """Give a file its content, unless it has another one than expected by now: then somebody else has written it."""
    path = inside(opened, place)
    if _digest(path) == instead_of:
        with writing(path):
            replace(opened.pending / draft, path)
            sync_entry(path)


def _move(source: Path, target: Path) -> None:
    with writing(target):
        os.makedirs(system_path(target.parent), exist_ok=True)
        replace(source, target)
        sync_entry(target)


def _tidy(opened: Workspace) -> None:
    """Forget a change that is over. What cannot be removed now, as it is open elsewhere, is removed next time."""
    for name in (JOURNAL, UNDO):
        with writing(opened.pending / name):
            remove(opened.pending / name)
    remove_now(opened.pending)


def _require_one_disk(opened: Workspace, moves: Sequence[tuple[Path, Path]]) -> None:
    """Raise UserError when something lies on another disk: it cannot be moved in one go."""
    disk = os.stat(system_path(opened.experiments)).st_dev
    for source, _ in moves:
        if _exists(source) and os.lstat(system_path(source)).st_dev != disk:
            fix = f"Move or remove it by hand, or keep it on the disk of {opened.experiments}."
            raise UserError("this lies on another disk than the workspace's experiments", str(source), fix, "disk")


def _digest(path: Path) -> str:
    """The digest of a file's content; "" when it cannot be read."""
    try:
        return hashlib.sha256(Path(system_path(path)).read_bytes()).hexdigest()
    except OSError:
        return ""


def _inode(path: Path) -> int:
    try:
        return os.lstat(system_path(path)).st_ino
    except OSError:
        return 0


def _exists(path: Path) -> bool:
    return os.path.lexists(system_path(path))
