"""A run or model gets another name, in every file that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from core.runs import holdings
from core.runs.files import read_json
from core.runs.holdings import Holding
from core.runs.journal import Transaction, transaction
from core.runs.store import Run
from core.runs.workspace import Workspace, check_name


def rename(workspace: Workspace, wanted: str, name: str) -> None:
    """Give a run another name; of a training, or of a model whose training is gone, the model is renamed with it.

    The id of a run stays. A model's name is changed wherever it is written: its folders, its training's record and
    log, its evaluations and their published results, and the settings of every run that uses it.

    Args:
        workspace: Where the run or model is.
        wanted: The run's id or name, or the model's name.
        name: The new name.

    Raises:
        UserError: The name is not allowed or taken; or the run or model is at work, in use or gone; or somebody else
            changes the history. All stays as it was then.
    """
    check_name(name)
    with transaction(workspace) as change, holdings.engine_at_rest(workspace):
        found = holdings.find(workspace, wanted)
        before = found.model or (found.run.name if found.run else "")
        if name == before:
            return
        holdings.require_at_rest(found, workspace)
        holdings.require_free(workspace, name, lambda run: found.run is not None and run.id == found.run.id)
        if found.run is not None:
            _name_run(change, found.run, name)
        if found.model:
            _move_model(change, found, name)
        change.commit()


def _name_run(change: Transaction, run: Run, name: str) -> None:
    file = run.folder / "run.json"
    change.edit_json(file, {**(read_json(file) or {}), "name": name})


def _move_model(change: Transaction, found: Holding, name: str) -> None:
    workspace, before = change.workspace, found.model
    moved = dict(zip(*(map(str, holdings.folders_of(workspace, which)) for which in (before, name)), strict=True))
    for run in holdings.users_of(workspace, before):
        if run.kind == "evaluate" and run.name == before:
            _name_run(change, run, name)
        config = yaml.safe_load(run.config.read_text(encoding="utf-8"))
        changed = _walked(config, lambda text: _at_new_place(text, moved))
        change.edits[run.config] = yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
        _edit(change, run.results, moved)
    for path in holdings.published_of(workspace, before):
        if path.suffix == ".json":
            _edit(change, path, moved)
    facts = [*workspace.experiments.glob("training_info_*.json"), *workspace.models.rglob("damgui.json")]
    folders = holdings.model_folders(workspace, before)
    for file in facts:
        own = file == workspace.training_info(before) or any(file.is_relative_to(folder) for folder in folders)
        if own or holdings.mentions(file, before):
            _edit(change, file, moved, name if own else "")
    # After the edits, as they lie in what is moved here.
    places = [*holdings.published_of(workspace, before), *folders]
    places += [path for path in (workspace.training_info(before), workspace.training_log(before)) if path.exists()]
    change.moves += [(path, _renamed(path, before, name)) for path in places]


def _renamed(path: Path, before: str, name: str) -> Path:
    """The path of a model's folder or file under the model's new name."""
    head = next(head for head in ("evaluation_", "training_info_", "") if path.name.startswith(head + before))
    return path.with_name(head + name + path.name.removeprefix(head + before))


def _edit(change: Transaction, file: Path, moved: Mapping[str, str], name: str = "") -> None:
    """Transaction what a JSON file says of the model's place, and with `name` of its own name."""
    found = read_json(file)
    if not isinstance(found, dict):
        return
    changed = _walked(found, lambda text: _at_new_place(text, moved))
    if name and "name" in changed:
        changed["name"] = name
    if changed != found:
        change.edit_json(file, changed)


def _walked(tree: Any, act: Callable[[str], str]) -> Any:
    if isinstance(tree, dict):
        return {key: _walked(value, act) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_walked(value, act) for value in tree]
    return act(tree) if isinstance(tree, str) else tree


def _at_new_place(text: str, moved: Mapping[str, str]) -> str:
    for before, now in moved.items():
        if text == before or text.startswith((f"{before}/", f"{before}\\")):
            return now + text.removeprefix(before)
    return text
