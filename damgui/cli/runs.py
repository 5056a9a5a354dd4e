"""`damgui runs`: the list of runs, one of them, and what is done with it: stop, resume, rename, delete, restore."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from core.errors import UserError
from core.runs import launcher, rename, store, trash
from core.runs.events import read_events
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import to_flat
from core.units import counted, file_size
from damgui import deletions
from damgui.cli.console import outcome
from damgui.cli.progress import score_lines

WITHOUT_ID = (None, "trash", "empty")
Answer = tuple[Any, str]  # (the document for --json, the text)


def do(workspace: Workspace, action: str | None, words: list[str], yes: bool) -> Answer:
    """The list of runs, or what was done with one of them or with the trash.

    Raises UserError when it is refused. `words` are what follows the action: a run, and for rename its new name.
    """
    expected = 2 if action == "rename" else 0 if action in WITHOUT_ID else 1
    if len(words) < expected:
        fix = "Write: damgui runs rename RUN NAME" if words else "Give a run's id; damgui runs lists them."
        raise UserError(f"{action} what?", "damgui runs", fix, "command")
    if len(words) > expected:
        fix = f"Write: damgui runs {action or ''}".rstrip() + " RUN" * min(expected, 1) + " NAME" * (expected - 1)
        raise UserError(f"{words[expected]!r} is one word too many", "damgui runs", fix, "command")
    if action is None:
        return _listed(workspace)
    if action == "trash":
        return _in_trash(workspace)
    if action == "empty":
        return _empty(workspace, yes)
    if action == "rename":
        rename.rename(workspace, *words)
        return {"renamed": words[0], "name": words[1]}, f"{words[0]} is called {words[1]} now."
    if action == "delete":
        return _delete(workspace, words[0], yes)
    if action == "restore":
        back = trash.restore(workspace, words[0])
        return {"restored": asdict(back)}, f"{deletions.title(back.kind, back.name or back.run)} is back."
    return _one(workspace, action, words[0])


def _listed(workspace: Workspace) -> Answer:
    listed = [dict(store.summary(run)) for run in store.list_runs(workspace)]
    lines = [f"{row['status']:<10}{_when(row['created'])}  {row['id']}" for row in listed]
    return listed, "\n".join(lines) or "No runs yet."


def _one(workspace: Workspace, action: str, identity: str) -> Answer:
    run = store.find_run(workspace, identity)
    if action == "stop":
        launcher.stop(run)
        return dict(store.summary(run)), f"{run.id} was told to stop; it saves first."
    if action == "resume":
        launcher.resume(run)
        return dict(store.summary(run)), f"{run.id} goes on in the background. See: damgui runs show {run.id}"
    document = dict(store.summary(run)) | {"outcome": outcome(run), "settings": to_flat(run.settings())}
    events = read_events(run.events)
    document["latest"] = next((event for event in reversed(events) if event["kind"] in ("step", "progress")), None)
    return document, "\n".join(_described(run, document))


def _delete(workspace: Workspace, identity: str, yes: bool) -> Answer:
    found = trash.plan(workspace, identity)
    _confirm(f"Delete {found.id}? {deletions.what_goes(found)}", yes)
    gone = trash.delete(workspace, found.id)
    back = f"It stays in the trash for {trash.KEPT_DAYS} days. Bring it back with: damgui runs restore {gone.id}"
    return {"deleted": asdict(gone)}, f"{found.id} was deleted. {back}"


def _in_trash(workspace: Workspace) -> Answer:
    found = trash.listed(workspace)
    lines = [
        f"{_when(gone.deleted)}  {file_size(gone.bytes):>8}  {gone.days_left:>2} days left  {gone.id}" for gone in found
    ]
    return [asdict(gone) for gone in found], "\n".join(lines) or "The trash is empty."


def _empty(workspace: Workspace, yes: bool) -> Answer:
    found = trash.listed(workspace)
    size = file_size(sum(gone.bytes for gone in found))
    _confirm(f"Remove {counted(len(found), 'deletion')}, {size}, for good?", yes or not found)
    files, held = trash.empty(workspace)
    document = {"files": files, "bytes": held}
    return document, f"Removed for good: {counted(files, 'file')}, {file_size(held)}." if found else "It was empty."


def _confirm(question: str, yes: bool) -> None:
    """Ask on the terminal. Raises UserError when there is nobody to ask, or the answer is no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"this wants a yes: {question}", "damgui runs", "Give --yes.", "command")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UserError("nothing was changed", "", "Answer y to go on.", "command")


def _when(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s).strftime("%Y-%m-%d %H:%M")


def _described(run: Run, document: dict[str, Any]) -> list[str]:
    lines = [f"{run.id}: {document['status']}", f"  made {_when(run.created)}", f"  folder {run.folder}"]
    latest = document["latest"]
    if latest is not None and latest["kind"] == "step":
        lines.append(f"  step {latest['step']} of {latest['total_steps']}, loss {latest['loss']}")
    elif latest is not None:
        lines.append(f"  {latest['done']} of {latest['total']} {latest.get('unit', 'photos')}")
    lines += [f"  {line}" for line in launcher.error_of(run).splitlines()]
    if "overall_accuracy" in document["outcome"]:
        lines += [f"  {line}" for line in score_lines(document["outcome"])]
    if run.kind in store.RESUMING and document["status"] in store.UNFINISHED:
        lines.append(f"  go on with: damgui runs resume {run.id}")
    return lines
