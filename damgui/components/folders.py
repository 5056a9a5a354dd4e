"""A plain chooser of folders beside a field for a path: folders used before, and a list below one root, never above."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from core.errors import UserError
from damgui import text, theme
from damgui.components import html
from damgui.frame import QUIET, Frame, Updates
from damgui.markup import TEMPLATES
from damgui.snapshot import Snapshot

MOST_SCANNED = 100_000  # entries of a folder; most of a data set's are photos, and passed over
MOST_LISTED = 500
MOST_RECENT = 6
MOST_RUNS = 50  # whose settings are looked at for folders used before
_FOLDERS = TEMPLATES.macros("folders.html")


@dataclass(frozen=True)
class Listing:
    """The folders in one folder.

    `steps` lead to it from the root, `more` says that there are folders which are not listed.
    """

    root: Path
    steps: tuple[str, ...]
    names: tuple[str, ...]
    more: bool = False

    @property
    def folder(self) -> Path:
        return self.root.joinpath(*self.steps)


def list_folders(root: Path, below: object) -> Listing:
    """The folders in a folder below `root`, but for hidden ones and links; sizes are not looked at.

    `below` comes from a browser and may be anything. Raises UserError when it does not lead to a folder below the root.
    """
    root = root.resolve()
    if not isinstance(below, str):
        raise UserError(text.FOLDER_ODD)
    try:
        folder = (root / below).resolve()
        if not folder.is_relative_to(root):
            raise UserError(text.folder_above(root))
        steps = folder.relative_to(root).parts
        if any(step.startswith(".") for step in steps):
            raise UserError(text.folder_above(root))
        with os.scandir(folder) as entries:
            scanned = list(islice(entries, MOST_SCANNED + 1))
    except (OSError, ValueError, RuntimeError) as error:  # gone, closed to us, no path at all, links in a circle
        raise UserError(text.folder_unread(below[:200])) from error
    names = sorted(
        (one.name for one in scanned if not one.name.startswith(".") and one.is_dir(follow_symlinks=False)),
        key=lambda name: (name.casefold(), name),
    )
    more = len(names) > MOST_LISTED or len(scanned) > MOST_SCANNED or not all(map(str.isprintable, names))
    names = [name for name in names if name.isprintable()]  # no page can show another one, nor send it
    return Listing(root, steps, tuple(names[:MOST_LISTED]), more)


def recent(now: Snapshot) -> list[str]:
    """The folders of photos that runs used, the latest first, as far as they are still there."""
    found: dict[str, None] = {}
    for run in now.runs()[:MOST_RUNS]:
        try:
            found[run.settings().data.path] = None
        except UserError:
            continue
    found.pop("demo", None)
    return [path for path in found if path.isprintable() and path and os.path.isdir(path)][:MOST_RECENT]


@dataclass(frozen=True)
class Chooser:
    """The fold with the folders, and the field that a chosen one is written into."""

    fold: gr.Accordion
    place: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.fold, self.place]


def chooser(frame: Frame, field: gr.Textbox, elem_id: str, visible: bool = True) -> Chooser:
    """Draw it here, below the field."""
    with gr.Accordion(text.FOLDER_CHOOSE, open=False, elem_id=f"{elem_id}-folders", visible=visible) as fold:
        place = html.place("", js_on_load=theme.script("folders"), elem_id=f"{elem_id}-folder-list")
    made = Chooser(fold, place)

    def show(below: object) -> Markup:
        """A folder, or what is wrong with it above the root: one is never left without a way on."""
        fault = Markup("")
        try:
            listing = list_folders(frame.root, below)
        except UserError as error:
            fault = html.problem(error)
            try:
                listing = list_folders(frame.root, "")
            except UserError:  # the root itself is gone: a disk that was pulled out
                return fault
        return _FOLDERS.chooser(listing, recent(frame.snapshot()), fault)

    def begin(typed: str | None) -> Markup:
        """Where the typed path lies, if that is below the root."""
        return show(below_root(frame.root, typed or ""))

    def take(event: gr.EventData) -> Updates:
        sent = event._data if isinstance(event._data, Mapping) else {}
        if "recent" in sent:
            if sent["recent"] not in recent(frame.snapshot()):
                return {place: show("") + html.note(text.FOLDER_GONE, "bad")}
            return {field: sent["recent"], fold: gr.Accordion(open=False)}
        if "use" not in sent:
            return {place: show(sent.get("open"))}
        try:
            return {field: str(list_folders(frame.root, sent["use"]).folder), fold: gr.Accordion(open=False)}
        except UserError:
            return {place: show(sent["use"])}

    fold.expand(begin, field, place, **QUIET)
    place.select(take, None, [field, *made.outputs], **QUIET)
    return made


def below_root(root: Path, typed: str) -> str:
    """The nearest folder of a typed path that lies below the root, as `list_folders` takes it; "" for the root."""
    try:
        path = Path(typed.strip()).expanduser()
        nearest = next(folder for folder in (path, *path.parents) if folder.is_dir()).resolve()
        found = nearest.relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError, StopIteration):
        return ""
    return "" if found == Path() else found.as_posix()
