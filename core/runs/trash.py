"""Deleted runs and models: kept in the workspace's trash for a while, from where they can be brought back."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.errors import UserError
from core.runs import holdings, store
from core.runs.files import read_json
from core.runs.holdings import Holding
from core.runs.journal import inside, transaction
from core.runs.workspace import Workspace

KEPT_DAYS = 30
FACTS = "deleted.json"
LABEL_LETTERS = 48  # of what was deleted: a name of 255 bytes is the longest that systems take
MAKE_WAY = "Rename or delete that first."


@dataclass(frozen=True)
class Deleted:
    """One deletion, and what went with it.

    Attributes:
        id: The name of its folder in the trash.
        run: The id of the run that was deleted; "" for a model whose training was gone.
        kind: The run's kind; "" as above.
        name: The name of the run or model; may be "".
        deleted: When, in unix seconds.
        files: How many files went.
        bytes: How large they are.
        paths: What went, as paths in the workspace.
        copies: Those of `paths` that only repeat what a run's own folder holds.
    """

    id: str
    run: str
    kind: str
    name: str
    deleted: float
    files: int
    bytes: int
    paths: Sequence[str]
    copies: Sequence[str]

    @property
    def days_left(self) -> int:
        """Days until it is removed for good."""
        return max(0, math.ceil(KEPT_DAYS - (time.time() - self.deleted) / 86_400))


def plan(workspace: Workspace, wanted: str) -> Holding:
    """What a deletion would take along; nothing happens yet.

    Raises:
        UserError: There is no such run or model, or it is at work or in use.
    """
    found = holdings.find(workspace, wanted)
    holdings.require_at_rest(found, workspace)
    return found


def delete(workspace: Workspace, wanted: str) -> Deleted:
    """Move a run or a model, with what belongs to it, to the trash; what has lain there for too long is removed.

    Raises:
        UserError: As of `plan`; or somebody else changes the history; or a file cannot be moved, and all stays.
    """
    files, size = plan(workspace, wanted).size()  # before others are held up: many files take a while
    with transaction(workspace) as change:
        found = plan(workspace, wanted)
        run, now = found.run, time.time()
        deletion = Deleted(
            id=_free_folder(workspace, found.id, now).name,
            run=run.id if run else "",
            kind=run.kind if run else "",
            name=found.model or (run.name if run else ""),
            deleted=now,
            files=files,
            bytes=size,
            paths=[_place(workspace, path) for path in found.paths],
            copies=[_place(workspace, path) for path in found.copies],
        )
        folder = workspace.trash / deletion.id
        change.moves += [(path, folder / place) for path, place in zip(found.paths, deletion.paths, strict=True)]
        change.add_json(folder / FACTS, asdict(deletion))
        change.commit()
    with suppress(UserError):  # the deletion is done
        remove_expired(workspace)
    return deletion


def _place(workspace: Workspace, path: Path) -> str:
    return path.relative_to(workspace.root).as_posix() if path.is_relative_to(workspace.root) else str(path)


def _free_folder(workspace: Workspace, label: str, now: float) -> Path:
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + f"-{label[:LABEL_LETTERS]}"
    number = 1
    while (folder := workspace.trash / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return folder


def listed(workspace: Workspace) -> list[Deleted]:
    """What lies in the trash, the latest deletion first. Damaged folders are left out."""
    found = []
    for file in workspace.trash.glob(f"*/{FACTS}"):
        try:
            deletion = Deleted(**{**read_json(file), "id": file.parent.name})
            deletion = replace(
                deletion, deleted=float(deletion.deleted), files=int(deletion.files), bytes=int(deletion.bytes)
            )
            if not all(isinstance(listing, list) for listing in (deletion.paths, deletion.copies)):
                continue
        except (UserError, TypeError, ValueError):
            continue
        found.append(deletion)
    return sorted(found, key=lambda deletion: (deletion.deleted, deletion.id), reverse=True)


def entry(workspace: Workspace, wanted: str) -> Deleted:
    """The deletion of this id, or the latest one of this run or name.

    Raises:
        UserError: There is none.
    """
    for deletion in listed(workspace):
        if wanted and wanted in (deletion.id, deletion.run, deletion.name):
            return deletion
    raise UserError("this is not in the trash", wanted, "Look there with: damgui runs trash", "run")


def restore(workspace: Workspace, wanted: str) -> Deleted:
    """Bring back what a deletion took, to where it was.

    Raises:
        UserError: It is not in the trash; or its place or name was taken since, or lies outside the workspace; or
            somebody else changes the history.
    """
    with transaction(workspace) as change:
        deletion = entry(workspace, wanted)
        folder = workspace.trash / deletion.id
        for place in deletion.paths:
            taken = os.path.lexists(inside(workspace, place))
            if taken and place not in deletion.copies:
                raise UserError("something else has its place by now", place, MAKE_WAY, "name-taken")
            if not taken:  # a newer run has published its results: those stay
                change.moves.append((folder / place, workspace.root / place))
        with_model = any(place.startswith("models/") for place in deletion.paths)
        if with_model and store.latest(workspace, "train", deletion.name) is not None:
            raise UserError("another training has this name by now", deletion.name, MAKE_WAY, "name-taken")
        change.discard(folder)
        change.commit()
    return deletion


def empty(workspace: Workspace) -> tuple[int, int]:
    """Remove all that lies in the trash for good; returns (number of files, bytes) removed.

    Raises:
        UserError: Somebody else changes the history, or a file cannot be removed.
    """
    with transaction(workspace) as change:
        gone = listed(workspace)
        if workspace.trash.exists():
            change.discard(workspace.trash)
        change.commit()
    return sum(deletion.files for deletion in gone), sum(deletion.bytes for deletion in gone)


def remove_expired(workspace: Workspace) -> None:
    """Remove for good what has lain in the trash for KEPT_DAYS.

    Raises:
        UserError: As of `empty`.
    """
    old = [deletion.id for deletion in listed(workspace) if time.time() - deletion.deleted > KEPT_DAYS * 86_400]
    if old:
        with transaction(workspace) as change:
            for name in old:
                change.discard(workspace.trash / name)
            change.commit()
