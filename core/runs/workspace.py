"""The layout of a workspace: every path that users and programs may rely on."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.runs.files import writing

OUTCOME = "outcome.json"  # in a training's run folder: what is to be said of it, once all its steps are taken


@dataclass(frozen=True)
class Workspace:
    """A folder with everything that a user makes. Users rely on its paths; `open_workspace` checks its folder."""

    root: Path

    @property
    def experiments(self) -> Path:
        """Runs, results and logs."""
        return self.root / "experiments"

    @property
    def runs(self) -> Path:
        """A folder for each run."""
        return self.experiments / "runs"

    @property
    def models(self) -> Path:
        """Tuned models and checkpoints."""
        return self.root / "models"

    @property
    def sample_data(self) -> Path:
        """The drawn sample set."""
        return self.root / "sample-data"

    @property
    def feature_cache(self) -> Path:
        """The cached vision features."""
        return self.root / "cache" / "features"

    @property
    def window_profile(self) -> Path:
        """What the browser keeps that shows the page in a window of its own."""
        return self.root / "cache" / "window"

    @property
    def engine_lock(self) -> Path:
        """The lock that a heavy run holds: one at a time in a workspace."""
        return self.experiments / "engine.lock"

    @property
    def trash(self) -> Path:
        """Deleted runs and models, a folder for each deletion."""
        return self.experiments / "trash"

    @property
    def pending(self) -> Path:
        """A change of runs or models that is under way (`core.runs.journal`)."""
        return self.experiments / "pending"

    @property
    def history_lock(self) -> Path:
        """The lock of whoever renames, deletes or brings back runs and models."""
        return self.experiments / "history.lock"

    def report(self, run: str) -> Path:
        """The report about a run, by its id."""
        return self.experiments / "reports" / f"{run}.html"

    @property
    def zeroshot_results(self) -> Path:
        """The results of the latest zero-shot baseline."""
        return self.experiments / "zeroshot_results.json"

    @property
    def zeroshot_predictions(self) -> Path:
        """The prediction rows of the latest zero-shot baseline."""
        return self.experiments / "zeroshot_predictions.jsonl"

    def training_info(self, name: str) -> Path:
        """The outcome of a training (`core.records.TrainingInfo`)."""
        return self.experiments / f"training_info_{name}.json"

    def training_log(self, name: str) -> Path:
        """The events of a training that are kept beyond its run's folder, as JSON lines."""
        return self.experiments / "training_logs" / f"{name}.jsonl"

    def evaluation(self, model: str, split: str) -> Path:
        """The results of the latest evaluation of a model (a path or a hub id) on a split."""
        return self.experiments / f"evaluation_{model_label(model)}_{split}.json"

    def evaluation_predictions(self, model: str, split: str) -> Path:
        """The prediction rows of that evaluation."""
        return self.experiments / f"evaluation_{model_label(model)}_{split}_predictions.jsonl"

    def study(self, kind: str, run: str) -> Path:
        """The results of an ablation or a cross-validation; `run` is its run's id."""
        return self.experiments / f"{'ablation' if kind == 'ablate' else kind}_{run}.json"

    def study_predictions(self, kind: str, run: str) -> Path:
        """The prediction rows of that study."""
        return self.study(kind, run).with_suffix("").with_name(f"{self.study(kind, run).stem}_predictions.jsonl")

    def final(self, name: str) -> Path:
        """The folder of the tuned model `name`."""
        return self.models / f"{name}_final"

    def checkpoints(self, name: str) -> Path:
        """The folder of the checkpoints of a training."""
        return self.models / f"{name}_checkpoints"


@dataclass(frozen=True)
class Nested(Workspace):
    """A workspace inside a run's folder, for the trainings of a study.

    It has its own results and models but shares the sample set and the vision features of the `outer` one.
    """

    outer: Workspace

    @property
    def sample_data(self) -> Path:
        """The drawn sample set of the outer workspace."""
        return self.outer.sample_data

    @property
    def feature_cache(self) -> Path:
        """The cached vision features of the outer workspace."""
        return self.outer.feature_cache


def open_workspace(folder: str | Path = ".") -> Workspace:
    """Open the workspace in a folder, which must exist; its subfolders are made.

    Raises:
        UserError: The folder does not exist or cannot be written.
    """
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
    """Check that a name can be part of file names on every system, and return it.

    Raises:
        UserError: It cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) or name.endswith("."):
        fix = "Use up to 64 letters, digits, - _ . and begin with a letter or digit."
        raise UserError(f"{name!r} cannot be a name", "", fix, "name")
    return name


def model_label(model: str) -> str:
    """A short name for a model, fit for file names: x for `models/x_final`, the last part of a hub id."""
    last = Path(model.rstrip("/\\")).name.removesuffix("_final")
    if last == "best" or re.fullmatch(r"checkpoint-\d+", last):
        last = f"{Path(model).parent.name.removesuffix('_checkpoints')}-{last}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip(".-") or "model"
