"""Runs as folders: created, found and listed; a run's status is derived from its lock and its log."""

from __future__ import annotations

import contextlib
import os.path
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import RunFacts
from core.runs.events import last_event, read_events
from core.runs.files import read_json, remove, write_json, write_text, writing
from core.runs.journal import exclusive
from core.runs.journal import open_workspace as open_workspace  # callers need one module for runs
from core.runs.locks import is_held
from core.runs.workspace import Workspace, check_name, model_label
from core.settings import SHIPPED_MODELS, Settings, load, merge, preset_for, save

PROJECT = Path(__file__).resolve().parent.parent.parent
STUDIES = ("ablate", "crossval")  # many small trainings each
HEAVY = ("baseline", "train", "rehearse", "evaluate", "batch", *STUDIES)
RESUMING = ("train", "batch", *STUDIES)  # kinds that go on where they were stopped
ACTIVE = ("starting", "running")
UNFINISHED = ("stopped", "failed", "crashed")
RUN_KINDS = (*HEAVY, "predict")
STARTING_S = 20.0  # a process needs a moment to take its lock: a younger folder without one is starting, not crashed
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "numpy", "pillow", "gradio")


@dataclass(frozen=True)
class Run:
    """A run, and where its files lie.

    Attributes:
        folder: The run's own folder.
        kind: One of RUN_KINDS.
        name: The name of the model that a training makes; "" for other kinds.
        created: When it was created, in unix seconds.
        workspace: The workspace that it belongs to.
    """

    folder: Path
    kind: str
    name: str
    created: float
    workspace: Workspace

    @property
    def id(self) -> str:
        """The folder's name, which identifies the run in its workspace."""
        return self.folder.name

    @property
    def config(self) -> Path:
        """The complete settings, as YAML."""
        return self.folder / "config.yaml"

    @property
    def plan(self) -> Path:
        """A study's plan: which trainings it consists of."""
        return self.folder / "study.json"

    @property
    def events(self) -> Path:
        """The event log, as JSON lines (`core.runs.events`)."""
        return self.folder / "events.jsonl"

    @property
    def process_log(self) -> Path:
        """What the process printed, with the traceback of an unexpected failure."""
        return self.folder / "process.log"

    @property
    def lock(self) -> Path:
        """The lock that the run's process holds."""
        return self.folder / "run.lock"

    @property
    def stop_file(self) -> Path:
        """The file whose existence asks the run to stop; a prediction service finds in it what for."""
        return self.folder / "stop"

    @property
    def results(self) -> Path:
        """The results (`core.results.Results`); only once the run has some."""
        return self.folder / "results.json"

    @property
    def predictions(self) -> Path:
        """The prediction rows, as JSON lines (`core.records.PredictionRow`)."""
        return self.folder / "predictions.jsonl"

    def settings(self) -> Settings:
        """The complete settings the run was created with; raises UserError when its config is missing or damaged."""
        return load(self.config)


def is_adapter(model: str) -> bool:
    """Whether a model is the folder of an adapter."""
    return os.path.isfile(Path(model) / "adapter_config.json")  # False, not an error, for a text that is no path


def _stored_settings(model: str) -> dict[str, Any]:
    facts_file = Path(model) / "damgui.json"
    stored = (read_json(facts_file) or {}).get("settings")
    if not isinstance(stored, dict):
        fix = "Give an adapter folder that damgui made, such as models/<name>_final."
        raise UserError("this adapter does not say how it was trained", str(facts_file), fix, "model")
    return stored


def base_model(model: str) -> str:
    """The base model of an adapter; `model` itself when it is no adapter.

    Raises:
        UserError: It is an adapter that does not hold its settings.
    """
    if not is_adapter(model):
        return model
    return str(_stored_settings(model).get("model", {}).get("path", "demo"))


def settings_for_model(model: str) -> Settings:
    """The settings to start from for a model: its preset, and for an adapter also those of its training.

    Of an adapter's training the form of the questions is taken over, and how the photos were split, so that a split
    made anew holds out the photos that were held out in training.

    Args:
        model: A shipped name, a hub id, or a folder of a model or an adapter; it becomes `model.path`.

    Raises:
        UserError: It is an adapter that does not hold its settings.
    """
    base = base_model(model)
    preset = preset_for(base)
    settings = load(preset) if preset else Settings()
    if is_adapter(model):
        stored = merge(Settings(), _stored_settings(model), str(Path(model) / "damgui.json"))
        settings = replace(
            settings,
            view=stored.view,
            question=stored.question,
            enhance=stored.enhance,
            lora=stored.lora,
            data=replace(
                settings.data,
                taxonomy=stored.data.taxonomy,
                valid_share=stored.data.valid_share,
                group_rule=stored.data.group_rule,
                drop_duplicates=stored.data.drop_duplicates,
                regroup=stored.data.regroup,
                folds=stored.data.folds,
                fold=stored.data.fold,
                grey_range=stored.data.grey_range,
            ),
            training=replace(settings.training, seed=stored.training.seed),
        )
    return merge(settings, {"model.path": model})


def absolute_path(text: str, *roots: Path) -> str:
    """A path made absolute, resolved against the first of `roots` in which it exists.

    Text that names nothing there is returned as it is: a shipped model, a hub id, or a mistake to be reported in the
    user's own words.
    """
    if text in ("", *SHIPPED_MODELS):
        return text
    path = Path(text).expanduser()
    found = next((root / path for root in roots if os.path.exists(root / path)), None)
    return text if found is None else str(found.resolve())


def with_absolute_paths(settings: Settings, *roots: Path) -> Settings:
    """`settings` with paths made absolute (see `absolute_path`): the run's process may have another current folder."""
    given = {
        "data.path": settings.data.path,
        "model.path": settings.model.path,
        "model.base": settings.model.base,
        "data.taxonomy": settings.data.taxonomy,
    }
    return merge(settings, {key: absolute_path(text, *roots) for key, text in given.items()})


def _commit() -> str:
    if not (PROJECT / ".git").exists():
        return ""
    command = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def version_of(library: str) -> str:
    """A library's version without importing it; "" when it is not installed."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""


def _new_folder(workspace: Workspace, kind: str, name: str, created: float) -> Path:
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(created)) + f"-{kind}" + (f"-{name}" if name else "")
    number = 1
    while True:
        folder = workspace.runs / (stem if number == 1 else f"{stem}-{number}")
        with writing(folder):
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                number += 1


def create(
    workspace: Workspace, settings: Settings, kind: str, name: str = "", plan: Mapping[str, Any] | None = None
) -> Run:
    """Create a run's folder with its config, and with its plan when it is a study. Nothing starts yet.

    Args:
        workspace: Where the run is created.
        settings: The complete settings; their paths are made absolute.
        kind: One of RUN_KINDS.
        name: The name of the model that a training makes; "" for other kinds.
        plan: A study's plan as a mapping for JSON; None for other kinds.

    Raises:
        UserError: A training's name is not allowed or already taken, or the folder cannot be written.
        ValueError: `kind` is not one of RUN_KINDS.
    """
    if kind not in RUN_KINDS:
        raise ValueError(f"{kind!r} is no kind of run")
    settings = with_absolute_paths(settings, Path.cwd(), workspace.root)
    created = time.time()
    facts: RunFacts = {
        "kind": kind,
        "name": name,
        "created": created,
        "workspace": str(workspace.root),
        "damgui": version_of("damgui"),
        "git_commit": _commit(),
        "libraries": {library: version_of(library) for library in LIBRARIES},
        "python": sys.version.split()[0],
        "platform": platform.platform(),
    }
    with exclusive(workspace):  # else a model may get the name of this training meanwhile
        if kind == "train":
            require_free_name(workspace, check_name(name))
        run = Run(_new_folder(workspace, kind, name, created), kind, name, created, workspace)
        _write(run, settings, facts, plan)
    return run


def _write(run: Run, settings: Settings, facts: RunFacts, plan: Mapping[str, Any] | None) -> None:
    try:
        with writing(run.config):
            save(settings, run.config)
        if plan is not None:
            write_json(run.plan, plan)
        write_json(run.folder / "run.json", facts)
    except UserError:
        with contextlib.suppress(OSError):
            remove(run.folder)
        raise


def discard(run: Run) -> None:
    """Remove the folder of a run that never started; one that did is kept."""
    if not is_held(run.lock) and not any(event["kind"] == "started" for event in read_events(run.events)):
        with contextlib.suppress(OSError):  # what cannot be removed is listed as a run that crashed
            remove(run.folder)


def open_run(folder: Path) -> Run:
    """The run in a folder; raises UserError when there is none."""
    facts: RunFacts | None = read_json(folder / "run.json")
    created = facts.get("created") if isinstance(facts, dict) and facts.get("kind") in RUN_KINDS else None
    if facts is None or not isinstance(created, int | float):
        raise UserError("there is no run in this folder", str(folder), "List the runs with: damgui runs", "run")
    folder = folder.resolve()
    # The folder's place decides, not the workspace noted at its creation: a workspace may be moved.
    return Run(folder, facts["kind"], str(facts.get("name") or ""), float(created), Workspace(folder.parents[2]))


def list_runs(workspace: Workspace, *kinds: str) -> list[Run]:
    """The runs of a workspace, newest first; only those of `kinds` when given. Damaged folders are left out."""
    found = []
    for file in workspace.runs.glob("*/run.json"):
        with contextlib.suppress(UserError):
            run = open_run(file.parent)
            if not kinds or run.kind in kinds:
                found.append(run)
    return sorted(found, key=lambda run: (run.created, run.id), reverse=True)


def find_run(workspace: Workspace, wanted: str) -> Run:
    """The run whose id is `wanted`, the newest run of that name, or the only run whose id contains it.

    Raises:
        UserError: There is no such run, or there are several.
    """
    runs = list_runs(workspace)
    exact = [run for run in runs if run.id == wanted] or [run for run in runs if run.name and run.name == wanted]
    hits = exact[:1] or [run for run in runs if wanted in run.id]
    if len(hits) == 1:
        return hits[0]
    what = "several runs match this" if hits else "there is no such run"
    fix = "Write more of one: " + ", ".join(run.id for run in hits[:5]) if hits else "List the runs with: damgui runs"
    raise UserError(what, wanted, fix, "run")


def latest(workspace: Workspace, kind: str, name: str = "") -> Run | None:
    """The newest run of a kind, and of a name when one is given; None when there is none."""
    return next((run for run in list_runs(workspace, kind) if not name or run.name == name), None)


def status(run: Run) -> str:
    """The status of a run: starting, running, finished, stopped, failed or crashed.

    It is derived from log and lock, not stored. The log's last event decides first: after `ended` the run is over,
    though its process may exist for another moment. A resumed run emits `started` after it, and then its lock decides.
    """
    while True:
        last = last_event(run.events)
        if last is not None and last["kind"] == "ended":
            return str(last.get("how", "failed"))
        if is_held(run.lock):
            return "running"
        if last_event(run.events) == last:  # else it wrote an event in between: look again
            return "starting" if last is None and time.time() - run.created < STARTING_S else "crashed"


def require_free_name(workspace: Workspace, name: str) -> None:
    """Raise UserError when a training under `name` would overwrite a model or checkpoints."""
    run = latest(workspace, "train", name)
    unfinished = run is not None and status(run) != "finished"
    taken = [path for path in (workspace.final(name), workspace.checkpoints(name)) if path.exists()]
    if taken:
        fix = "Give another name." if not unfinished else "Give another name, or go on with it by --resume."
        raise UserError(f"a model named {name} is already there", str(taken[0]), fix, "name-taken")


def free_name(workspace: Workspace, model: str) -> str:
    """A name for a training of `model` that no run, model or checkpoint has: demo-tuned, demo-tuned-2 and so on."""
    stem = f"{model_label(base_model(model))}-tuned"[:56]
    used = {run.name for run in list_runs(workspace, "train")}
    number = 1
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        if name not in used and not workspace.final(name).exists() and not workspace.checkpoints(name).exists():
            return name
        number += 1


def request_stop(run: Run, why: str = "") -> None:
    """Ask a run to save and end, and leave word what for; raises UserError when it is not at work."""
    now = status(run)
    if now not in ACTIVE:
        raise UserError(f"this run is not at work, it is {now}", run.id, "List the runs with: damgui runs", "run")
    write_text(run.stop_file, why)


def resumable(run: Run) -> None:
    """Check that a run can be resumed.

    Raises:
        UserError: It cannot: it is of another kind, at work, or finished.
    """
    now = status(run)
    if run.kind not in RESUMING:
        fix = "Start it again; only training, studies and batches resume."
        raise UserError(f"a {run.kind} run cannot go on", run.id, fix, "run")
    if now in ACTIVE:
        raise UserError(f"this run is {now}", run.id, f"Stop it first: damgui runs stop {run.id}", "busy")
    if now == "finished":
        fix = "Train under another name to train more." if run.kind == "train" else "Start another one."
        raise UserError("this run is finished", run.id, fix, "run")


def summary(run: Run) -> Mapping[str, Any]:
    """What a list of runs shows of each run, as plain values for JSON."""
    return {
        "id": run.id,
        "kind": run.kind,
        "name": run.name,
        "created": run.created,
        "status": status(run),
        "folder": str(run.folder),
    }
