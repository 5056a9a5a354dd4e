"""Prediction rows that another run of the workspace computed from the very same inputs, so that none is computed twice.

A run notes in inputs.json of its folder what each of its files of rows was computed from, as digests. Nothing is kept
apart: a run whose folder was removed is simply computed again. It needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.data.examined import examine
from core.data.grey import range_of
from core.data.photos import PhotoFacts
from core.data.types import Photo
from core.errors import UserError
from core.records import PredictionRow
from core.results import Source
from core.runs import store
from core.runs.files import read_json, read_lines, write_json
from core.runs.model_files import base_of_adapter, require_base
from core.runs.store import PROJECT, Run, is_adapter
from core.runs.workspace import Workspace
from core.settings import ModelSettings, Settings, to_flat
from core.taxonomy import Taxonomy

FILE = "inputs.json"  # in a run's folder: {file of rows: {"inputs": Inputs, "sha256": of that file}}
Inputs = Mapping[str, str]
LIBRARIES = (
    *("torch", "transformers", "tokenizers", "peft", "safetensors", "accelerate", "bitsandbytes"),
    *("numpy", "scipy", "pillow", "scikit-learn"),
)
# Settings whose effect on answers stands in other inputs (model, adapter, machine, photos, taxonomy, calibration), or
# that have none. A setting that is not among them counts, as a new one does until it is listed here.
COVERED = (
    ("model.path", "model.base", "model.device", "model.dtype", "model.offline", "model.cache_gb")
    + ("data.path", "data.format", "data.taxonomy")
    + ("data.split", "data.valid_share", "data.group_rule", "data.drop_duplicates", "data.regroup", "data.folds")
    + ("data.fold", "data.calibration_share", "data.use_good", "data.strict", "data.limit", "question.class_share")
    + ("lora.", "enhance.class_weight", "enhance.oversampling", "enhance.condition_weight", "enhance.weight_cap")
    + ("training.", "judging.", "batch.")
)
# How questions are packed: it moves the last digits of an answer.
PACKING = ("training.tokens_per_pass", "training.questions_per_sequence")


@dataclass(frozen=True)
class KnownRows:
    """Prediction rows that a run has left.

    Attributes:
        run: The run.
        rows: Its rows.
    """

    run: Run
    rows: list[PredictionRow]

    @property
    def source(self) -> Source:
        """What results say of rows that were taken over."""
        return {"run": self.run.id, "kind": self.run.kind, "created": self.run.created}


def find(workspace: Workspace, name: str, inputs: Inputs) -> KnownRows | None:
    """Find the newest run that computed a file of rows from these inputs, and left it as it was.

    Args:
        workspace: Where runs are looked for.
        name: The file's path in a run's folder.
        inputs: What the rows would be computed from.

    Returns:
        The rows; None where they have to be computed.
    """
    for run in store.list_runs(workspace):
        try:
            known = (read_json(run.folder / FILE) or {}).get(name)
            if known and known["inputs"] == inputs and known["sha256"] == file_digest(run.folder / name):
                return KnownRows(run, read_lines(run.folder / name))
        except (UserError, OSError, KeyError, TypeError, AttributeError):
            continue  # removed, damaged, or not written by us
    return None


def note(run_folder: Path, name: str, inputs: Inputs) -> None:
    """Note what a file of rows was computed from, when it is complete.

    Args:
        run_folder: The run's folder.
        name: The file's path in it.
        inputs: What it was computed from.

    Raises:
        UserError: It cannot be noted.
    """
    try:
        known = read_json(run_folder / FILE) or {}
    except UserError:
        known = {}
    entry = {"inputs": dict(inputs), "sha256": file_digest(run_folder / name)}
    write_json(run_folder / FILE, {**known, name: entry})


def are_unchanged(root: Path, photos: Sequence[Photo], grey_range: str) -> bool:
    """Whether the files of photos are still those that were read: they are read again where they were touched."""
    now = examine(root, [photo.name for photo in photos], grey_range=range_of(grey_range))
    return all(isinstance(facts := now[photo.name], PhotoFacts) and facts.digest == photo.digest for photo in photos)


def file_digest(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of a value for JSON; numbers count to their last digit."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def model_inputs(wanted: ModelSettings) -> dict[str, str] | None:
    """What a model's answers follow from: its base and the adapter on it ("" for none), as their files are now.

    The weights of a base are not read: a file that was written since has another time of change (ctime), whatever
    somebody made of its time of modification.

    Returns:
        `model` and `adapter`; None where the files do not lie on this machine yet.
    """
    adapter = Path(wanted.path) if is_adapter(wanted.path) else None
    place = require_base(base_of_adapter(adapter, wanted.base) if adapter else wanted.path, wanted.offline)
    if place is None:
        return None
    files = [(file, file.stat()) for file in sorted(place.iterdir()) if file.is_file()]
    stamps = [[file.name, at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino] for file, at in files]
    return {"model": digest_of([str(place.resolve()), stamps]), "adapter": adapter_digest(adapter) if adapter else ""}


def adapter_digest(folder: Path) -> str:
    """A digest of an adapter's config and weights, the same for every copy of them."""
    return digest_of([file_digest(folder / name) for name in ("adapter_config.json", "adapter_model.safetensors")])


def answer_inputs(
    files: Mapping[str, str], machine: str, photos: Sequence[Photo], settings: Settings, taxonomy: Taxonomy
) -> dict[str, str]:
    """All that a model's own answers follow from.

    Args:
        files: The model's files, see `model_inputs`.
        machine: On what it computes: `models.Loaded.machine`.
        photos: The photos that are judged, in their order.
        settings: How it is asked.
        taxonomy: What it may answer.
    """
    counts = {
        path: value for path, value in to_flat(settings).items() if path in PACKING or not path.startswith(COVERED)
    }
    asked = {"settings": digest_of(counts), "taxonomy": digest_of(asdict(taxonomy)), "code": _code_digest()}
    return {**files, **asked, "machine": machine, "photos": photos_digest(photos)}


def photos_digest(photos: Sequence[Photo]) -> str:
    """A digest of photos in their order: their bytes, sizes, flights and labels, whatever folder they lie in."""
    return digest_of(
        [
            [photo.name, photo.digest, photo.size_wh, photo.group]
            + [[obj.object_type, obj.condition, *obj.box_xyxy] for obj in photo.objects]
            for photo in photos
        ]
    )


@cache
def _code_digest() -> str:
    """Of the code that asks, answers and measures, and the versions of the libraries below it."""
    sources = sorted((PROJECT / "core").rglob("*.py"))
    code = [[path.relative_to(PROJECT).as_posix(), file_digest(path)] for path in sources]
    return digest_of([code, {library: store.version_of(library) for library in LIBRARIES}])
