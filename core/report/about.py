"""What a report is about: the run, its results, its settings, and where its photos lie."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.data.dataset import DEMO
from core.errors import UserError
from core.results import Results
from core.runs import store
from core.runs.files import read_json, read_record
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import FIELDS, Settings, to_flat
from core.taxonomy import Taxonomy, of_results

REPORTED = ("baseline", "evaluate", "batch")


@dataclass(frozen=True)
class ReportSubject:
    """Everything that a report is made from.

    Attributes:
        run: the run.
        results: its results.json.
        settings: its settings.
        made: how and when it was made (run.json).
        root: the folder in which its photos are looked up by their names.
        taxonomy: the taxonomy that the results name.
        evaluated: for a run without truth, the results of the same model on labelled photos, if there are any.
    """

    run: Run
    results: Results
    settings: Settings
    made: Mapping[str, Any]
    root: Path
    taxonomy: Taxonomy
    evaluated: Results | None = None

    @property
    def kind(self) -> str:
        """The kind of the run, one of REPORTED."""
        return self.run.kind

    @property
    def urgent(self) -> tuple[str, ...]:
        """The conditions that raise an alarm, the gravest (last of the taxonomy) first."""
        return self.taxonomy.alarming[::-1]

    @property
    def date(self) -> str:
        """When the run was made, in local time: 03 May 2026, 14:30."""
        return time.strftime("%d %B %Y, %H:%M", time.localtime(self.run.created))

    @property
    def changed_settings(self) -> dict[str, Any]:
        """The settings that differ from their defaults, by their paths."""
        return {path: value for path, value in to_flat(self.settings).items() if value != FIELDS[path].default}


def photo_root(workspace: Workspace, data_path: str) -> Path:
    """The folder in which a run's photos are looked up by their names.

    Args:
        workspace: holds the sample photos, and is where relative paths start.
        data_path: `data.path` of the run: "demo", a folder, or a file in it.
    """
    if data_path == DEMO:
        return workspace.sample_data
    given = Path(data_path).expanduser()
    given = given if given.is_absolute() else workspace.root / given
    return given.parent if given.is_file() else given


def gather(run: Run) -> ReportSubject:
    """Everything that the report of a run is made from.

    Raises:
        UserError: the run's kind has no predictions to report on, or it has no results yet.
    """
    if run.kind not in REPORTED:
        fix = "Make a report of a baseline, an evaluation or a batch: damgui runs lists them."
        raise UserError(f"a {run.kind} run judged nothing to report on", run.id, fix, "run")
    results = read_record(run.results, Results)
    if not isinstance(results, dict) or not run.predictions.is_file():
        now = store.status(run)
        fix = "Wait until it is done." if now in store.ACTIVE else "Run it again to its end."
        raise UserError(f"this run has no results to report on, it is {now}", run.id, fix, "run")
    settings = run.settings()
    taxonomy = of_results(settings.data.taxonomy, results)
    made = read_json(run.folder / "run.json") or {}
    root = photo_root(run.workspace, settings.data.path)
    evaluated = _evaluated(run, results) if run.kind == "batch" else None
    return ReportSubject(run, results, settings, made, root, taxonomy, evaluated)


def _evaluated(run: Run, results: Results) -> Results | None:
    """Results of the same model on labelled photos: test photos before validation photos; None where there are none."""
    own_model = results.get("model") or {}
    path = str(own_model.get("adapter") or own_model.get("path") or "")
    places = [run.workspace.evaluation(path, split) for split in ("test", "valid")]
    for place in (*places, run.workspace.zeroshot_results):
        found = read_record(place, Results)
        model = (found or {}).get("model") or {}
        if found and all(model.get(key) == own_model.get(key) for key in ("path", "adapter", "fingerprint")):
            return found
    return None
