"""Where things lie in a workspace: every path that users and programs may rely on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.runs.files import writing


@dataclass(frozen=True)
class Workspace:
    """A folder with all that a user makes. The paths are promises; `open_workspace` checks that it can be used."""

    root: Path

    @property
    def experiments(self) -> Path:
        return self.root / "experiments"

    @property
    def runs(self) -> Path:
        return self.experiments / "runs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def sample_data(self) -> Path:
        return self.root / "sample-data"

    @property
    def feature_cache(self) -> Path:
        return self.root / "cache" / "features"

    @property
    def engine_lock(self) -> Path:
        return self.experiments / "engine.lock"

    @property
    def zeroshot_results(self) -> Path:
        return self.experiments / "zeroshot_results.json"

    @property
    def zeroshot_predictions(self) -> Path:
        return self.experiments / "zeroshot_predictions.jsonl"

    def training_info(self, name: str) -> Path:
        return self.experiments / f"training_info_{name}.json"

    def training_log(self, name: str) -> Path:
        return self.experiments / "training_logs" / f"{name}.jsonl"

    def evaluation(self, model: str, split: str) -> Path:
        """`model` is a path or a hub id; its short name goes into the file's."""
        return self.experiments / f"evaluation_{model_label(model)}_{split}.json"

    def evaluation_predictions(self, model: str, split: str) -> Path:
        return self.experiments / f"evaluation_{model_label(model)}_{split}_predictions.jsonl"

    def study(self, kind: str, run: str) -> Path:
        """What came of an ablation or a cross-validation; `run` is its run's id."""
        return self.experiments / f"{'ablation' if kind == 'ablate' else kind}_{run}.json"

    def study_predictions(self, kind: str, run: str) -> Path:
        return self.study(kind, run).with_suffix("").with_name(f"{self.study(kind, run).stem}_predictions.jsonl")

    def final(self, name: str) -> Path:
        return self.models / f"{name}_final"

    def checkpoints(self, name: str) -> Path:
        return self.models / f"{name}_checkpoints"


@dataclass(frozen=True)
class Nested(Workspace):
    """A workspace inside a run's folder: it keeps its own results and models, and shares the sample set and the vision
    features of the outer one."""

    outer: Workspace

    @property
    def sample_data(self) -> Path:
        return self.outer.sample_data

    @property
    def feature_cache(self) -> Path:
        return self.outer.feature_cache


def open_workspace(folder: str | Path = ".") -> Workspace:
    """A workspace that is there and can be written. Raises UserError when it is not."""
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        what = "the workspace is a file, not a folder" if root.exists() else "there is no such workspace folder"
        raise UserError(what, str(root), "Make the folder, or choose another one with --workspace.", "workspace")
    workspace = Workspace(root)
    with writing(workspace.runs):
        workspace.runs.mkdir(parents=True, exist_ok=True)
    if not os.access(workspace.runs, os.W_OK | os.X_OK):
        fix = "Allow writing there, or choose another folder with --workspace."
        raise UserError("this cannot be written", str(workspace.runs), fix, "disk")
    return workspace


def check_name(name: str) -> str:
    """`name` when it can be part of file names on every system. Raises UserError otherwise."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith("."):
        fix = "Use up to 64 letters, digits, - _ . and begin with a letter or digit."
        raise UserError(f"{name!r} cannot be a name", "", fix, "name")
    return name


def model_label(model: str) -> str:
    """A short name for a model: `models/x_final` is x, `Qwen/Qwen2-VL-2B-Instruct` its last part."""
    last = Path(model.rstrip("/\\")).name.removesuffix("_final")
    if last == "best" or re.fullmatch(r"checkpoint-\d+", last):
        last = f"{Path(model).parent.name.removesuffix('_checkpoints')}-{last}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "model"
