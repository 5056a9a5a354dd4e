"""What belongs to a run or a model, what uses a model, and what must not be changed now."""

from __future__ import annotations

import filecmp
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.runs import locks, store, swap
from core.runs.files import disk_usage, read_json
from core.runs.prediction_server import requests_folder
from core.runs.store import Run
from core.runs.workspace import Workspace

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Holding:
    """A run or a model, with all that goes when it is deleted.

    Attributes:
        run: The run; None for a model whose training is gone.
        model: The name of the model that goes; "" for none.
        paths: All files and folders that go.
        copies: Those of them that only repeat what a run's own folder holds.
        evaluations: Other runs that go: they judged the model.
        batches: Runs that stay though the model judged for them.
    """

    run: Run | None
    model: str
    paths: tuple[Path, ...]
    copies: tuple[Path, ...] = ()
    evaluations: tuple[Run, ...] = ()
    batches: tuple[Run, ...] = ()

    @property
    def id(self) -> str:
        """The run's id, else the model's name: what `find` finds it by."""
        return self.run.id if self.run else self.model

    def size(self) -> tuple[int, int]:
        """(number of files, their bytes)."""
        sizes = [disk_usage(path) for path in self.paths]
        return sum(files for files, _ in sizes), sum(held for _, held in sizes)


def model_names(workspace: Workspace) -> list[str]:
    """The names of all models and unfinished trainings that have a folder among the models.

    Others may lie there too: a name that no terminal shows, or that is no text at all, is none of damgui's.
    """
    folders = workspace.models.iterdir() if workspace.models.is_dir() else ()
    found = {match[1] for path in folders if (match := re.fullmatch(r"(.+)_(?:final|checkpoints)", path.name))}
    return sorted(name for name in found if name.isprintable())


def model_folders(workspace: Workspace, name: str) -> list[Path]:
    """The folders of a model and its checkpoints that are there, with what a killed training left beside the model."""
    final = workspace.final(name)
    beside = [final.with_name(f"{final.name}.{ending}") for ending in swap.ENDINGS]
    return [path for path in (final, *beside, workspace.checkpoints(name)) if path.exists()]


def owns_model(run: Run) -> bool:
    """Whether the model of a training's name is the work of this training: the latest one under the name."""
    return run.kind == "train" and bool(model_folders(run.workspace, run.name)) and _is_latest(run)


def _is_latest(run: Run) -> bool:
    latest = store.latest(run.workspace, run.kind, run.name)
    return latest is not None and latest.id == run.id


def find(workspace: Workspace, wanted: str) -> Holding:
    """The run of this id, name or part of an id (`store.find_run`), or the model of this name.

    Raises:
        UserError: There is none, or there are several.
    """
    if wanted in model_names(workspace):
        return _with_model(workspace, store.latest(workspace, "train", wanted), wanted)
    run = store.find_run(workspace, wanted)
    if owns_model(run):
        return _with_model(workspace, run, run.name)
    return Holding(run, "", *_of_run(run))


def _with_model(workspace: Workspace, run: Run | None, name: str) -> Holding:
    judged = list(users_of(workspace, name, "evaluate", "baseline"))
    paths = [*model_folders(workspace, name), workspace.training_info(name), workspace.training_log(name)]
    paths += published_of(workspace, name)
    copies: list[Path] = []
    for one in [*([run] if run else []), *judged]:
        own, repeated = _of_run(one)
        paths += own
        copies += repeated
    there = tuple(dict.fromkeys(path for path in paths if path.exists()))
    batches = tuple(users_of(workspace, name, "batch"))
    return Holding(run, name, there, tuple(dict.fromkeys(copies)), tuple(judged), batches)


def _of_run(run: Run) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """(all that goes with a run, those files of it that repeat what its folder holds)."""
    workspace = run.workspace
    copies: list[Path] = []
    own = [run.folder]
    if run.kind == "train" and not model_folders(workspace, run.name) and _is_latest(run):
        own += [workspace.training_info(run.name), workspace.training_log(run.name)]
    if run.kind in store.STUDIES:
        copies = [workspace.study(run.kind, run.id), workspace.study_predictions(run.kind, run.id)]
    elif run.kind in ("baseline", "evaluate"):
        with suppress(UserError):
            copies = _published_by(run)
    copies = [path for path in copies if path.is_file()]
    return tuple(path for path in [*own, *copies, workspace.report(run.id)] if path.exists()), tuple(copies)


def _published_by(run: Run) -> list[Path]:
    """The published results, as long as they are this run's and not those of one that came later."""
    workspace = run.workspace
    if run.kind == "baseline":
        results, rows = workspace.zeroshot_results, workspace.zeroshot_predictions
    else:
        settings = run.settings()
        about = settings.model.path, settings.data.split
        results, rows = workspace.evaluation(*about), workspace.evaluation_predictions(*about)
    same = run.results.is_file() and results.is_file() and filecmp.cmp(run.results, results, shallow=False)
    return [results, rows] if same else []


def published_of(workspace: Workspace, name: str) -> list[Path]:
    """The published evaluations of a model and of its checkpoints."""
    places = [workspace.final(name), *(path for path in workspace.checkpoints(name).glob("*") if path.is_dir())]
    found = [
        place(str(path), split)
        for path in places
        for split in SPLITS
        for place in (workspace.evaluation, workspace.evaluation_predictions)
    ]
    return [path for path in found if path.is_file()]


def users_of(workspace: Workspace, name: str, *kinds: str) -> Iterator[Run]:
    """The runs that work with a model or a checkpoint of it, newest first."""
    for run in store.list_runs(workspace, *kinds):
        if mentions(run.config, name) and _works_with(run, name):
            yield run


def _works_with(run: Run, name: str) -> bool:
    with suppress(UserError):
        model = run.settings().model
        return _names(run, name, [model.path, model.base])
    return False


def _names(run: Run, name: str, tree: Any) -> bool:
    """Whether a text in a JSON value of a run is the path of a model, or of something in its folders."""
    if isinstance(tree, dict | list):
        return any(_names(run, name, inner) for inner in (tree.values() if isinstance(tree, dict) else tree))
    folders = [folder for home in homes(run) for folder in folders_of(home, name)]
    return isinstance(tree, str) and any(Path(tree).is_relative_to(folder) for folder in folders)


def homes(run: Run) -> list[Workspace]:
    """A run's workspace, and where that was when the run was made: its paths still lead there after a move."""
    made_in = (read_json(run.folder / "run.json") or {}).get("workspace")
    return [run.workspace, *([Workspace(Path(made_in))] if isinstance(made_in, str) and made_in else [])]


def folders_of(workspace: Workspace, name: str) -> tuple[Path, Path]:
    """The folders of a model's name, whether they are there or not."""
    return workspace.final(name), workspace.checkpoints(name)


def mentions(file: Path, name: str) -> bool:
    """Whether a file may speak of a model: quicker than to read the settings of every run."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return f"{name}_final" in text or f"{name}_checkpoints" in text


def require_at_rest(found: Holding, workspace: Workspace) -> None:
    """Raise UserError when a run of the holding is at work, or a run at work uses its model."""
    for run in [*([found.run] if found.run else []), *found.evaluations]:
        now = store.status(run)
        if now in store.ACTIVE or locks.is_held(run.lock):
            what = f"this run is {now}" if now in store.ACTIVE else "the process of this run is still at work"
            raise UserError(what, run.id, f"Stop it first, and wait for its end: damgui runs stop {run.id}", "busy")
    if not found.model:
        return
    for run in store.list_runs(workspace):
        if store.status(run) in store.ACTIVE and _uses(run, found.model):
            fix = f"Wait for its end, or stop it: damgui runs stop {run.id}"
            raise UserError(f"the model {found.model} is in use", run.id, fix, "busy")


def _uses(run: Run, name: str) -> bool:
    """Whether a run at work uses a model: by its settings, or a prediction service by a question that waits."""
    if (run.kind == "train" and run.name == name) or _works_with(run, name):
        return True
    return run.kind == "predict" and any(_asks(run, file, name) for file in requests_folder(run).glob("*.json"))


def _asks(run: Run, question: Path, name: str) -> bool:
    with suppress(UserError):
        return _names(run, name, read_json(question))
    return False


def require_free(workspace: Workspace, name: str, but: Callable[[Run], bool]) -> None:
    """Raise UserError when a run, but for some, or a model has this name."""
    taken = [run.id for run in store.list_runs(workspace) if run.name == name and not but(run)]
    taken += [str(path) for path in folders_of(workspace, name) if path.exists()]
    if taken:
        raise UserError(f"the name {name} is taken", taken[0], "Give another name.", "name-taken")
