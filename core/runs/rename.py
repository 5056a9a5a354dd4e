"""A run or model gets another name, in every file that names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from core.runs import holdings
from core.runs.holdings import Holding
from core.runs.journal import Transaction, transaction
from core.runs.store import Run
from core.runs.workspace import Workspace, check_name, model_label
from core.settings.yaml_text import load_yaml


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
    with transaction(workspace) as change:
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
    change.edit_json(run.folder / "run.json", lambda facts: {**facts, "name": name})


def _move_model(change: Transaction, found: Holding, name: str) -> None:
    workspace, before = change.workspace, found.model
    users = list(holdings.users_of(workspace, before))
    homes = [workspace, *(home for run in [found.run, *users] if run for home in holdings.homes(run))]
    pairs = [zip(holdings.folders_of(home, before), holdings.folders_of(home, name), strict=True) for home in homes]
    moved = {str(old): str(new) for pair in pairs for old, new in pair}

    def move_paths(tree: Any) -> Any:
        return _walked(tree, lambda text: _at_new_place(text, moved))

    def rename_too(facts: Any) -> Any:
        changed = move_paths(facts)
        return {**changed, "name": name} if isinstance(changed, dict) and "name" in changed else changed

    def move_in_settings(config: str) -> str:
        return yaml.safe_dump(move_paths(load_yaml(config)), sort_keys=False, allow_unicode=True)

    for run in users:
        if run.kind == "evaluate" and run.name == before:
            _name_run(change, run, name)
        change.edit(run.config, move_in_settings)
        if run.results.is_file():
            change.edit_json(run.results, move_paths)
    published = holdings.published_of(workspace, before)
    for path in published:
        if path.suffix == ".json":
            change.edit_json(path, move_paths)
    folders = holdings.model_folders(workspace, before)
    for file in [*workspace.experiments.glob("training_info_*.json"), *workspace.models.rglob("damgui.json")]:
        own = file == workspace.training_info(before) or any(file.is_relative_to(folder) for folder in folders)
        if own or holdings.mentions(file, before):
            change.edit_json(file, rename_too if own else move_paths)
    # After the edits, as they lie in what is moved here.
    places = [*published, *folders]
    places += [path for path in (workspace.training_info(before), workspace.training_log(before)) if path.exists()]
    change.moves += [(path, _renamed(path, before, name)) for path in places]


def _renamed(path: Path, before: str, name: str) -> Path:
    """The path of a model's folder or file under the model's new name."""
    heads = [("evaluation_", model_label(before)), ("training_info_", before), ("", before)]
    head, old = next((head, old) for head, old in heads if path.name.startswith(head + old))
    return path.with_name(head + name + path.name.removeprefix(head + old))


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
