"""All runs and models as lines of a table: what each is, how it ended, its score, and what it takes on disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from core import units
from core.errors import UserError
from core.records import TrainingInfo
from core.results import Results
from core.runs import holdings, store, trash
from core.runs.files import FileStamp, disk_usage, file_stamp, read_record
from core.runs.store import Run
from core.runs.workspace import Workspace, model_label
from damgui import deletions, text
from damgui.components import html
from damgui.markup import TEMPLATES
from damgui.snapshot import Snapshot
from damgui.tabs.history import text as history_text

_HISTORY = TEMPLATES.macros("history.html")
PAGE = 40  # lines shown at first, and how many more each time
MEASURED_AT_ONCE = 2  # sizes that a pulse of the page may take; the rest are taken when the tab is opened
MODELS = "model"  # beside the kinds of runs, what the filter offers
_sizes: dict[Path, tuple[tuple[FileStamp, ...], int]] = {}


@dataclass(frozen=True)
class HistoryEntry:
    """A line: a run with the model that it made, or a model whose training is gone (`run` is None)."""

    id: str
    run: Run | None
    model: str  # the name of the model that belongs to it; "" for none
    created: float
    status: str

    @property
    def kind(self) -> str:
        return self.run.kind if self.run else MODELS

    @property
    def word(self) -> str:
        return text.KIND_WORDS.get(self.kind, deletions.MODEL)

    @property
    def name(self) -> str:
        return self.model or (self.run.name if self.run else "")

    @property
    def when(self) -> str:
        this_year = time.localtime().tm_year == time.localtime(self.created).tm_year
        return time.strftime("%d %b %H:%M" if this_year else "%d %b %Y", time.localtime(self.created))


@dataclass(frozen=True)
class Score:
    """A main score with what stands below it, the model that has it, and on which photos ("" for no split)."""

    value: str
    below: str
    model: str
    photos: str = ""


def entries(now: Snapshot) -> list[HistoryEntry]:
    """Everything, newest first. Nothing but the list of the models' folder is read."""
    names = set(holdings.model_names(now.workspace))
    found, left = [], set(names)
    for run in now.runs():  # newest first: the latest training of a name has the model
        model = run.name if run.kind == "train" and run.name in left else ""
        left.discard(model)
        found.append(HistoryEntry(run.id, run, model, run.created, now.status(run)))
    for name in left:
        stamps = [file_stamp(folder) for folder in holdings.model_folders(now.workspace, name)]
        if any(stamps):  # else it has gone meanwhile
            found.append(HistoryEntry(name, None, name, max(stamps)[0] / 1e9, ""))
    return sorted(found, key=lambda entry: (entry.created, entry.id), reverse=True)


def of_kind(found: Sequence[HistoryEntry], kind: str) -> list[HistoryEntry]:
    """Those of a kind; "" is all, and models are whatever has one."""
    return [entry for entry in found if not kind or entry.kind == kind or (kind == MODELS and entry.model)]


def kinds(found: Sequence[HistoryEntry]) -> list[tuple[str, str]]:
    """What the filter offers, (word, kind): what there is, with how many."""
    choices = [(f"{history_text.ALL} ({len(found)})", "")]
    if models := len(of_kind(found, MODELS)):
        choices.append((f"{history_text.MODELS} ({models})", MODELS))
    for kind, word in text.KIND_WORDS.items():
        if count := sum(entry.kind == kind for entry in found):
            choices.append((f"{word} ({count})", kind))
    return choices


def _folders(entry: HistoryEntry, workspace: Workspace) -> list[Path]:
    own = [entry.run.folder] if entry.run else []
    return [*own, *(holdings.model_folders(workspace, entry.model) if entry.model else ())]


def disk(entry: HistoryEntry, workspace: Workspace, measure: bool = False) -> int | None:
    """The bytes that an entry's folders hold; None when that is not known, or still grows.

    It is measured when `measure` says so, and kept until a folder changes.
    """
    if entry.status in store.ACTIVE:
        return None
    total = 0
    for folder in _folders(entry, workspace):
        stamp = (file_stamp(folder), file_stamp(folder / "events.jsonl"))
        kept = _sizes.get(folder)
        if kept is None or kept[0] != stamp:
            if not measure:
                return None
            kept = _sizes[folder] = (stamp, disk_usage(folder)[1])
        total += kept[1]
    return total


def measure_few(found: Iterable[HistoryEntry], workspace: Workspace, most: int = MEASURED_AT_ONCE) -> int:
    """Measure at most so many that are not known; returns how many are known then."""
    known = 0
    for entry in found:
        size = disk(entry, workspace)
        if size is None and most and entry.status not in store.ACTIVE:
            most -= 1
            size = disk(entry, workspace, measure=True)
        known += size is not None
    return known


def score(entry: HistoryEntry, now: Snapshot) -> Score | None:
    """The main score of an entry; None when it has none. A damaged file has none either."""
    run, workspace = entry.run, now.workspace
    try:
        if entry.model:
            path = workspace.training_info(entry.model)
            return _trained(path, file_stamp(path)) if path.is_file() else None
        if run is None or run.kind not in ("baseline", "evaluate", "crossval", "batch", "ablate"):
            return None
        return _judged(run.results, file_stamp(run.results)) if run.results.is_file() else None
    except (UserError, AttributeError, LookupError, TypeError, ValueError):
        return None


@lru_cache(maxsize=2048)
def _trained(path: Path, _stamp: FileStamp) -> Score | None:
    best = (read_record(path, TrainingInfo) or {}).get("best") or {}
    if best.get("accuracy") is None:
        return None
    return Score(units.percent(best["accuracy"]), history_text.ON_VALIDATION, "")


@lru_cache(maxsize=2048)
def _judged(path: Path, _stamp: FileStamp) -> Score | None:
    found: Any = read_record(path, Results) or {}
    about = found.get("model") or {}
    used = about.get("adapter") or about.get("path")
    model = model_label(str(used)) if used else ""
    if found.get("overall_accuracy") is not None:
        photos = text.split_name(str((found.get("data") or {}).get("split") or "")).lower()
        return Score(units.percent(found["overall_accuracy"]), html.interval(found, "accuracy_interval"), model, photos)
    if "cells_total" in found:
        return Score("", f"{found['cells_done']} of {units.counted(found['cells_total'], 'training')}", model)
    return Score("", units.counted(found["objects"], "object") if found.get("objects") else "", model)


def table(found: Sequence[HistoryEntry], now: Snapshot, chosen: str) -> Markup:
    """The lines, each with a button that chooses it."""
    rows = []
    for entry in found:
        size, scored = disk(entry, now.workspace), score(entry, now)
        shown = units.file_size(size) if size is not None else history_text.UNMEASURED
        rows.append((entry, scored, "" if entry.status in store.ACTIVE else shown, _holds(entry, now.workspace)))
    return _HISTORY.table(history_text.COLUMNS, rows, chosen)


def _holds(entry: HistoryEntry, workspace: Workspace) -> str:
    if entry.run is None or not entry.model:
        return ""
    return history_text.MODEL_HERE if workspace.final(entry.model).is_dir() else history_text.CHECKPOINTS_HERE


def about(entry: HistoryEntry, now: Snapshot) -> Markup:
    """What is chosen: where its files are and what came of it."""
    workspace, scored = now.workspace, score(entry, now)
    size = disk(entry, workspace, measure=True)
    facts = [("When", time.strftime("%d %b %Y, %H:%M", time.localtime(entry.created)))]
    if scored and (scored.value or scored.below):
        facts.append(("Score", " · ".join(filter(None, [scored.value, scored.below]))))
    if scored and scored.model:
        facts.append((deletions.MODEL, scored.model))
    if scored and scored.photos:
        facts.append((history_text.PHOTOS, scored.photos))
    facts.append(("On disk", units.file_size(size) if size is not None else "still at work"))
    state = now.state(entry.id)
    why = html.ended(state) if state is not None and not state.active else Markup("")
    places = [path.relative_to(workspace.root).as_posix() for path in _folders(entry, workspace)]
    return _HISTORY.about(entry, facts, why, places)


def in_trash(workspace: Workspace) -> Markup:
    """What was deleted and can be brought back."""
    rows = [
        (
            gone.id,
            deletions.title(gone.kind, gone.name or gone.run),
            time.strftime("%d %b %H:%M", time.localtime(gone.deleted)),
            units.count(gone.files),
            units.file_size(gone.bytes),
            units.counted(gone.days_left, "more day"),
        )
        for gone in trash.listed(workspace)
    ]
    if not rows:
        return html.small(history_text.TRASH_EMPTY)
    return _HISTORY.trash(history_text.TRASH_COLUMNS, rows, history_text.BACK) + html.small(history_text.TRASH_HINT)


def in_short(found: Sequence[HistoryEntry], shown: int, workspace: Workspace) -> str:
    """As in "40 of 400 shown, 1.2 GB."."""
    sizes = [size for entry in found[:shown] if (size := disk(entry, workspace)) is not None]
    count = (
        f"{min(shown, len(found))} of {len(found)} shown"
        if shown < len(found)
        else units.counted(len(found), "entry", "entries")
    )
    return f"{count}, {units.file_size(sum(sizes))}" if sizes else count
