"""A workspace with a history, written by hand and without torch: a trained model, what judged it, what it judged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core import metrics
from core.runs import store
from core.runs.events import append, event
from core.runs.files import copy, write_json, write_lines
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge, to_dict

SURE = {"normal": 0.1, "blocked": 0.8, "damaged": 0.1}
ROW = {
    "image": "a.jpg",
    "object": 0,
    "box_xyxy_px": [4, 4, 20, 12],
    "object_type": "toe drain",
    "truth": "blocked",
    "predicted": "blocked",
    "truth_class": "toe drain blocked",
    "predicted_class": "toe drain blocked",
    "question": "condition",
    "choices": 3,
    "probabilities": SURE,
}


def finished(workspace: Workspace, kind: str, name: str = "", how: str = "finished", **settings: Any) -> Run:
    """A run of this kind that is over."""
    used = merge(Settings(), {key.replace("__", "."): value for key, value in settings.items()})
    run = store.create(workspace, used, kind, name)
    append(run.events, event("started", run=run.id, pid=1, job=kind, parent=1))
    append(run.events, event("ended", how=how, error="", problems=[], seconds=1.0))
    return run


def results(run: Run, adapter: Path | None = None, accuracy: float = 0.8) -> None:
    """The results of a run, as a baseline, an evaluation or a batch leaves them."""
    found = metrics.score([ROW], intervals=False) | {
        "overall_accuracy": accuracy,
        "accuracy_interval": [accuracy - 0.1, accuracy + 0.1],
        "macro_f1": accuracy,
        "correct": 8,
        "total": 10,
        "seconds": 1.0,
        "complete": True,
        "model": {"path": "demo", "adapter": str(adapter) if adapter else None},
        "data": {"path": "demo", "split": run.settings().data.split, "photos": 3, "objects": 10},
        "settings": to_dict(run.settings()),
    }
    write_json(run.results, found)
    write_lines(run.predictions, [ROW])


def trained(workspace: Workspace, name: str) -> Run:
    """A finished training and its model."""
    run = finished(workspace, "train", name)
    for folder in (workspace.final(name), workspace.checkpoints(name) / "best"):
        write_json(folder / "damgui.json", {"name": name, "settings": to_dict(run.settings())})
        write_json(folder / "adapter_config.json", {})
        (folder / "adapter_model.safetensors").write_bytes(bytes(5000))
    best = {"step": 2, "accuracy": 0.9, "macro_f1": 0.85, "path": str(workspace.checkpoints(name) / "best")}
    info = {"name": name, "adapter": str(workspace.final(name)), "seconds": 60.0, "best": best}
    write_json(workspace.training_info(name), info)
    workspace.training_log(name).parent.mkdir(exist_ok=True)
    append(workspace.training_log(name), event("stage", text="learned"))
    return run


def judged(workspace: Workspace, name: str, split: str = "valid") -> Run:
    """An evaluation of the model `name`, with its published results; "" is a baseline."""
    kind, model = ("evaluate", str(workspace.final(name))) if name else ("baseline", "demo")
    run = finished(workspace, kind, name, model__path=model, data__split=split)
    results(run, workspace.final(name) if name else None)
    places = (workspace.zeroshot_results, workspace.zeroshot_predictions)
    if name:
        places = (workspace.evaluation(model, split), workspace.evaluation_predictions(model, split))
    copy(run.results, places[0])
    copy(run.predictions, places[1])
    return run


def batch(workspace: Workspace, name: str) -> Run:
    """A batch of one object that the model `name` judged."""
    run = finished(workspace, "batch", model__path=str(workspace.final(name)))
    found = {
        "objects": 1,
        "conditions": {"normal": 0, "blocked": 1, "damaged": 0},
        "classes": {"toe drain blocked": 1},
        "type_unknown": 0,
        "unsure": {"count": 0, "total": 0, "threshold": None, "max_error": 0.05},
        "complete": True,
        "photos": 1,
        "whole_photos": False,
        "left_out": [],
        "seconds": 1.0,
        "model": {"path": "demo", "adapter": str(workspace.final(name))},
        "data": {"path": "demo", "photos": 1, "objects": 1},
        "settings": to_dict(run.settings()),
        "calibration": None,
    }
    write_json(run.results, found)
    write_lines(run.predictions, [ROW])
    return run


def inspected(workspace: Workspace, name: str = "small") -> dict[str, Run]:
    """A run of every kind that matters here: baseline, train, evaluate, batch; and a report of the evaluation."""
    made = {
        "baseline": judged(workspace, ""),
        "train": trained(workspace, name),
        "evaluate": judged(workspace, name),
        "batch": batch(workspace, name),
    }
    workspace.report(made["evaluate"].id).parent.mkdir(exist_ok=True)
    workspace.report(made["evaluate"].id).write_text("a report", encoding="utf-8")
    return made


def kept_for_kills(workspace: Workspace) -> Callable[[], None]:
    """Returns a call that makes the workspace again as it is now, quicker than by its makers."""
    kept = workspace.root.with_name(f"{workspace.root.name}-kept")
    shutil.copytree(workspace.root, kept)

    def again() -> None:
        shutil.rmtree(workspace.root)
        shutil.copytree(kept, workspace.root)

    return again


def contents(workspace: Workspace) -> dict[str, str]:
    """All that lies in a workspace, but for locks and the trash's own notes: path -> content."""
    files = [path for path in workspace.root.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.relative_to(workspace.root).as_posix(): path.read_bytes().decode("latin-1") for path in files}


def mentions(workspace: Workspace, word: str) -> list[str]:
    """The files that a word stands in, but for logs, which keep what was."""
    return [place for place, text in contents(workspace).items() if word in text and not place.endswith(".jsonl")]


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
