"""Every evaluated run of a workspace: its model, its objects and settings, and which runs can be compared."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import PredictionRow
from core.results import Results
from core.runs.files import file_stamp, read_json, read_record
from core.runs.workspace import Workspace
from core.settings import FIELDS, stored_flat
from damgui import text
from damgui.scores import results, sentences
from damgui.scores.results import ShownResults
from damgui.snapshot import Snapshot

# Without these a file holds no result; all others may be missing.
NEEDED = ("overall_accuracy", "correct", "total", "macro_f1", "per_class")
# They have columns of their own, or change nothing in the answers.
OWN_COLUMN = ("model.path", "data.path", "data.split")
WITHOUT_EFFECT = (
    "model.cache_features",
    "model.cache_gb",
    "training.save_steps",
    "training.keep_checkpoints",
    "training.gradient_checkpointing",
)
# What only a training reads: of a base model these settings say nothing.
TUNED_PATHS = ("lora.", "training.", "question.class_share", "data.calibration_share", "enhance.")
ASKED_PATHS = ("enhance.spatial_reasoning", "enhance.position_encoding")  # these shape the question, tuned or not


@dataclass(frozen=True, eq=False)  # a file is opened once, so one and the same is what equal means here
class EvaluatedRun:
    """One set of answers: `id` names it (a run's id, or a file's name), `settings` are those that made the answers."""

    id: str
    path: Path
    created: float
    workspace: Workspace
    found: Results  # the results file
    content: str  # equal for two files that hold the same, such as a run's results and their published copy
    objects: str  # equal for two runs about the same objects with the same truth
    settings: Mapping[str, Any]

    @property
    def shown(self) -> ShownResults:
        """With every single answer, which only the runs that are looked at need. Raises UserError when it is gone."""
        shown = results.load(self.workspace, self.path)
        if shown is None:
            raise UserError("these results are gone", str(self.path), "Judge the model again.", "run")
        return shown

    @property
    def name(self) -> str:
        """The tuned model's name, or the model itself."""
        about = self.found.get("model") or {}
        if about.get("adapter"):
            return Path(str(about["adapter"])).name.removesuffix("_final")
        return Path(str(about.get("path", "–"))).name

    @property
    def tuned(self) -> bool:
        return bool((self.found.get("model") or {}).get("adapter"))

    @property
    def fingerprint(self) -> str:
        return str((self.found.get("data") or {}).get("fingerprint") or "")

    @property
    def split(self) -> str:
        return str((self.found.get("data") or {}).get("split", ""))

    @property
    def when(self) -> str:
        return time.strftime("%d %b %H:%M", time.localtime(self.created))

    @property
    def label(self) -> str:
        """As in "short, tuned · validation · 25 Nov 05:58"."""
        state = sentences.TUNED if self.tuned else sentences.BASE
        return f"{self.name}, {state} · {text.split_name(self.split).lower()} · {self.when}"


def evaluated_runs(now: Snapshot) -> list[EvaluatedRun]:
    """Every finished baseline and evaluation, newest first. What is damaged or was stopped half-way is left out.

    Published results whose run folder is gone are among them.
    """
    workspace, found = now.workspace, []
    for run in now.runs("baseline", "evaluate"):
        if now.status(run) == "finished" and run.results.is_file():
            found.append(_opened(workspace, run.id, run.results, run.created))
    known = {entry.content for entry in found if entry}
    for path in (workspace.zeroshot_results, *sorted(workspace.experiments.glob("evaluation_*.json"))):
        if path.is_file():
            opened = _opened(workspace, path.stem, path, path.stat().st_mtime)
            if opened is not None and opened.content not in known:
                found.append(opened)
    return sorted((run for run in found if run), key=lambda run: (run.created, run.id), reverse=True)


def _opened(workspace: Workspace, identity: str, path: Path, created: float) -> EvaluatedRun | None:
    try:
        return _kept(workspace, identity, path, created, file_stamp(path))
    except UserError:
        return None


@lru_cache(maxsize=2048)  # more than a workspace has: fewer than it has would be none
def _kept(
    workspace: Workspace, identity: str, path: Path, created: float, _changed: tuple[int, int]
) -> EvaluatedRun | None:
    found = read_record(path, Results)
    if not isinstance(found, dict) or not {*NEEDED} <= set(found):
        return None
    objects, content = objects_of(found, results.answers(path)), digest(json.dumps(found, sort_keys=True))
    return EvaluatedRun(identity, path, created, workspace, found, content, objects, settings_of(found))


def objects_of(found: Results, rows: Iterable[PredictionRow]) -> str:
    """A digest of which objects were judged and what is true of them; without answers, of what the file says of them.

    The photos that were not judged do not matter: two runs may be compared whose training photos differ.
    """
    about = found.get("data") or {}
    identities = [f"{row['image']} {row['object']} {row['box_xyxy_px']} {row['truth_class']}" for row in rows]
    if not identities:
        identities = [str(about.get(key)) for key in ("fingerprint", "split", "photos", "objects")]
    return digest("\n".join(sorted(identities)))


def digest(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def settings_of(found: Results) -> dict[str, Any]:
    """The settings that made these answers, {"lora.rank": 16, …}; of a tuned model those of its training as well.

    A base model has no settings of a training.
    """
    flat = stored_flat(found.get("settings") or {})
    adapter = (found.get("model") or {}).get("adapter")
    if not adapter:
        return {path: value for path, value in flat.items() if path in ASKED_PATHS or not path.startswith(TUNED_PATHS)}
    try:
        tuned = stored_flat((read_json(Path(str(adapter)) / "damgui.json") or {}).get("settings") or {})
    except UserError:
        tuned = {}
    return flat | {path: value for path, value in tuned.items() if path.startswith(TUNED_PATHS)}


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Paths of the settings in which these differ, in the order of declaration.

    A setting that one of them does not have (another version, no training) counts only if the others differ in it.
    """
    paths = [path for path in FIELDS if path not in (*OWN_COLUMN, *WITHOUT_EFFECT)]
    return [path for path in paths if len({repr(setting[path]) for setting in settings if path in setting}) > 1]


def defaults(runs: Sequence[EvaluatedRun]) -> tuple[EvaluatedRun | None, EvaluatedRun | None]:
    """(before, after): the newest tuned model, against the newest base model that judged the same objects."""
    after = next((run for run in runs if run.tuned), None)
    plain = [run for run in runs if not run.tuned]
    same = [run for run in plain if after and run.objects == after.objects]
    return next(iter(same or plain), None), after


def chosen(
    runs: Sequence[EvaluatedRun], fresh: EvaluatedRun | None, before: EvaluatedRun | None, after: EvaluatedRun | None
) -> tuple[EvaluatedRun | None, EvaluatedRun | None]:
    """(before, after) once `fresh` has come to the runs: what was just judged is shown, the rest of the choice stays.

    `before` is kept while it judged the same objects, else the newest run of a base model that did takes its place.
    """
    if before is None or after is None or fresh is None:
        return defaults(runs)
    if not fresh.tuned:
        return (fresh if fresh.objects == after.objects else before), after
    same = [run for run in runs if not run.tuned and run.objects == fresh.objects]
    kept = before.objects == fresh.objects and before.id != fresh.id
    return (before if kept else next(iter(same), before)), fresh
