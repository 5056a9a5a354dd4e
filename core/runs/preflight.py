"""What a run needs, checked before its process starts: within seconds, without torch.

Whoever starts a run hears at once what its process would say after it had loaded torch. The process checks again, for
the world may change in between. Photos are read here for BUDGET_S at most, on the thread of a button: of more than can
be read in that time only the folder and the kind of its labels are checked, and their process tells the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from core import taxonomy as taxonomies
from core.data.archives import is_archive
from core.data.checks import require_clean
from core.data.dataset import DEMO, handed_over, read_dataset
from core.data.examined import examine
from core.data.files import ASKED_ABOVE, MANY_FILES, Folder, list_files
from core.data.formats.registry import require_format
from core.data.grey import range_of
from core.data.splits import SPLIT_FILE, apply_split, read_split
from core.data.types import Dataset
from core.data.unlabelled import label_format, read_unlabelled, require_judgeable
from core.errors import Problem, UserError
from core.runs import store
from core.runs.files import is_unchanged
from core.runs.model_files import require_model, require_same_taxonomy
from core.runs.store import STUDIES, Run
from core.runs.workspace import OUTCOME, Workspace
from core.settings import DataSettings, Settings, merge

BUDGET_S = 3.0
AT_ONCE = 32  # photos read between two looks at the clock
MOST_PHOTOS = 2_000  # reading the labels of more takes too long by itself


def require_ready(workspace: Workspace, settings: Settings, kind: str) -> None:
    """Check model, taxonomy and photos of a run.

    Args:
        workspace: Where the run will be.
        settings: Its settings, their paths absolute.
        kind: One of `store.RUN_KINDS`; for "predict" only the model is needed.

    Raises:
        UserError: The run would be refused; it names all that was found.
    """
    checks: list[Callable[[], None]] = [lambda: require_model(settings.model)]
    if kind != "predict":
        checks += [lambda: _require_taxonomy(settings), lambda: _require_photos(workspace, settings, kind)]
    problems = [problem for check in checks for problem in _problems_of(check)]
    if problems:
        raise UserError.of(dict.fromkeys(problems))


def require_resumable(run: Run) -> None:
    """Check what a run needs to go on: what it needed to begin, and photos and labels as they were then.

    Raises:
        UserError: The run cannot go on as it began.
    """
    store.resumable(run)
    if run.kind == "train" and (run.folder / OUTCOME).is_file():
        return  # it has learned all, and needs nothing to be published
    settings = run.settings()
    if run.kind == "batch":  # which began, so that its photos may be judged whole; it may be older than the setting
        settings = merge(settings, {"batch.whole_photo": True})
    require_ready(run.workspace, settings, run.kind)
    data = settings.data
    if run.kind != "train" or not (run.folder / SPLIT_FILE).is_file() or not _is_quickly_read(run.workspace, data):
        return
    dataset = read_dataset(data, run.workspace.sample_data, settings.training.seed)
    require_same_photos(apply_split(dataset, read_split(run.folder / SPLIT_FILE)), run.folder)


def require_same_photos(dataset: Dataset, folder: Path) -> None:
    """Check that a run that goes on has the photos and labels with which it began.

    Args:
        dataset: The run's photos, divided as it divides them.
        folder: The run's folder, which keeps the fingerprint of its first start.

    Raises:
        UserError: They have changed.
    """
    if not is_unchanged(folder / "photos.json", dataset.fingerprint):
        fix = "Put them back as they were, or start a new run."
        raise UserError("photos or labels have changed since this run began", str(dataset.root), fix, "changed")


def _is_quickly_read(workspace: Workspace, data: DataSettings) -> bool:
    """Whether `data` are a folder, all photos of which can be read in time."""
    if data.path == DEMO or Path(data.path).is_file():
        return False
    try:
        folder = list_files(*handed_over(data, workspace.sample_data), most=ASKED_ABOVE)
    except UserError as error:
        if error.problems[0].kind == MANY_FILES:
            return False
        raise
    return _read_in_time(folder, data)


def _problems_of(check: Callable[[], None]) -> Iterable[Problem]:
    try:
        check()
    except UserError as error:
        return error.problems
    return ()


def _require_taxonomy(settings: Settings) -> None:
    """The taxonomy's file is sound, and what an adapter learned."""
    require_same_taxonomy(settings.model.path, taxonomies.load(settings.data.taxonomy), settings.data.taxonomy)


def _require_photos(workspace: Workspace, settings: Settings, kind: str) -> None:
    """The folder is there with labels that are recognised; where time allows, each photo and label is sound."""
    data = settings.data
    if data.path == DEMO:
        return  # drawn by the run where it is not there yet
    if is_archive(Path(data.path)) and Path(data.path).is_file():
        return  # opened by the run, which may take minutes
    try:
        folder = list_files(*handed_over(data, workspace.sample_data), most=ASKED_ABOVE)
    except UserError as error:
        if error.problems[0].kind == MANY_FILES:
            return  # listed and counted by the run, which may take minutes
        raise
    if kind == "batch":
        whole_photo = settings.batch.whole_photo
        label_format(folder, data.format, whole_photo)
        if _read_in_time(folder, data):
            require_judgeable(read_unlabelled(data, workspace.sample_data, whole_photo), data)
        return
    require_format(folder, data.format)
    if _read_in_time(folder, data):
        if kind in STUDIES:  # they make their own splits
            data = replace(data, split="train", folds=0, fold=0)
        require_clean(read_dataset(data, workspace.sample_data, settings.training.seed), data)


def _read_in_time(folder: Folder, data: DataSettings) -> bool:
    """Whether all photos could be read within BUDGET_S; what was read is kept (`core.data.examined`)."""
    names = folder.photos
    deadline = time.monotonic() + BUDGET_S
    for start in range(0, len(names), AT_ONCE):
        if len(names) > MOST_PHOTOS or time.monotonic() > deadline:
            return False
        examine(folder.root, names[start : start + AT_ONCE], grey_range=range_of(data.grey_range))
    return True
