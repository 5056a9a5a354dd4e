"""A model's files, read without torch: what a name stands for, and whether all that will be loaded is there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os.path
import re
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.families import FAMILIES
from core.runs.model_folder import MAKE_SHIPPED, config_of, fault_of, no_model, require_files
from core.runs.store import PROJECT, is_adapter
from core.settings import ModelSettings
from core.taxonomy import Taxonomy, restore

DEMO_MODEL = PROJECT / "models" / "demo"


def resolve(path: str) -> str:
    """Find out what a model's name stands for.

    Args:
        path: A shipped name (`demo`, `demo-photos`), a local folder, or a hub id.

    Returns:
        The folder of a shipped model, a local folder as it is, anything else unchanged as a hub id.

    Raises:
        UserError: A local folder is not there or holds no model.
    """
    if not path.strip():
        fix = "Give demo, a hub id such as Qwen/Qwen2-VL-2B-Instruct, or a model folder."
        raise UserError("no model given", "model.path", fix, "model")
    if path in MAKE_SHIPPED:
        shipped = DEMO_MODEL.with_name(path)
        if not (shipped / "config.json").is_file():
            raise UserError(f"the {path} model's folder is missing", str(shipped), MAKE_SHIPPED[path], "model")
        return str(shipped)
    if os.path.exists(path) or path.startswith((".", "/", "~")) or re.match(r"^[A-Za-z]:\\", path):
        folder = Path(path).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(*no_model(folder), kind="model")
        return str(folder)
    return path


def fingerprint(folder: Path) -> str:
    """Fingerprint a model by its config and by name, size, first and last MiB of every weight file.

    Args:
        folder: A model's folder, with config.json in it.

    Returns:
        The first 16 hex digits of a SHA-256.
    """
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        digest.update(f"{file.name} {file.stat().st_size}".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(1 << 20))
            stream.seek(max(0, file.stat().st_size - (1 << 20)))
            digest.update(stream.read(1 << 20))
    return digest.hexdigest()[:16]


def adapter_about(folder: Path) -> dict[str, Any]:
    """Read what damgui wrote beside an adapter: its settings, taxonomy, base model and fingerprints.

    Args:
        folder: An adapter's folder, in which damgui.json lies.

    Raises:
        UserError: damgui.json is missing, unreadable or lacks what questions are made of.
    """
    try:
        about = json.loads((folder / "damgui.json").read_text(encoding="utf-8"))
        if not isinstance(about, dict) or not {"base_model", "settings", "taxonomy"} <= set(about):
            raise ValueError("it lacks what an adapter's questions are made of")
    except (OSError, ValueError) as error:
        raise UserError(
            "this adapter has no readable damgui.json, so its questions are unknown",
            str(folder),
            "Use an adapter that damgui trained.",
            "adapter",
        ) from error
    return about


def base_of_adapter(folder: Path, moved: str = "") -> str:
    """The base model below an adapter: `moved` where that is given, else the one that it was trained on.

    Raises:
        UserError: The adapter's damgui.json cannot be used.
    """
    trained_on = str(adapter_about(folder)["base_model"])
    return moved or trained_on


def require_model(wanted: ModelSettings) -> None:
    """Check all of a model that can be checked without loading it; of an adapter its base too.

    A hub id that may be downloaded is left to whoever loads it.

    Raises:
        UserError: A file is missing, cut short or of another kind; it names the file and the cure.
    """
    if not is_adapter(wanted.path):
        require_base(wanted.path, wanted.offline)
        return
    folder = Path(wanted.path)
    require_adapter(folder)
    base = base_of_adapter(folder, wanted.base)
    try:
        place = require_base(base, wanted.offline)
    except UserError as error:
        if wanted.base:
            raise
        found = error.problems[0]
        where = "" if found.where == base else f" {found.where}:"
        fix = "If the base has moved, say where it is: --base FOLDER, on the page Moved base model "
        fix += "under Fine-tuning, All other settings (model.base)."
        what = f"the base model of this adapter ({base}) cannot be used:{where} {found.what}"
        raise UserError(what, wanted.path, fix, "model") from error
    if place is not None:
        require_same_base(folder, fingerprint(place))


def require_adapter(folder: Path) -> None:
    """Check that a folder holds an adapter's two files, its weights whole.

    Raises:
        UserError: It does not.
    """
    weights = folder / "adapter_model.safetensors"
    if not is_adapter(str(folder)) or not weights.is_file():
        fix = "Give a folder with adapter_config.json and adapter_model.safetensors."
        raise UserError("this is not an adapter folder", str(folder), fix, "adapter")
    if fault := fault_of(weights):
        raise UserError(
            f"this adapter cannot be loaded ({fault})", str(folder), "Copy the whole folder again.", "adapter"
        )


def require_same_base(folder: Path, found: str) -> None:
    """Check that an adapter lies on the base model that it was trained on, so far as damgui.json says which that was.

    A folder is known by its files and a hub id by its commit: where a folder stands in for a hub id the two cannot be
    compared, and the shapes of the weights decide alone.

    Args:
        folder: The adapter's folder.
        found: The fingerprint of the base below it.

    Raises:
        UserError: It is another one.
    """
    if not (folder / "damgui.json").is_file():
        return
    about = adapter_about(folder)
    trained_on = about.get("base_fingerprint")
    if trained_on and len(trained_on) == len(found) and trained_on != found:
        raise UserError(
            f"this adapter was trained on another base model ({about.get('base_model')})",
            str(folder),
            "Load it with the model it was trained on.",
            "adapter",
        )


def require_same_taxonomy(model: str, taxonomy: Taxonomy, given: str) -> None:
    """Check that an adapter is asked by the taxonomy that it learned; any other model may be asked by any.

    Args:
        model: The model's path.
        taxonomy: The one that it is to be asked by.
        given: Where that is from, the setting `data.taxonomy`.

    Raises:
        UserError: It is another one.
    """
    if is_adapter(model) and restore(adapter_about(Path(model))["taxonomy"]).allowed != taxonomy.allowed:
        raise UserError(
            "this is not the taxonomy that the adapter learned",
            given or f"the taxonomy {taxonomy.name!r}",
            "Give the file it was trained with as data.taxonomy, or train again.",
            "taxonomy",
        )


def require_base(path: str, offline: bool) -> Path | None:
    """Check the files of a base model.

    Args:
        path: The model as the settings name it.
        offline: Whether a hub id must already be on this machine.

    Returns:
        The folder that was checked; None for a hub id that may be downloaded.

    Raises:
        UserError: The model is not there, of no known family, quantised, or a file is missing or cut short.
    """
    if is_adapter(path):
        raise UserError("this folder holds an adapter, not a whole model", path, "Give the base model.", "model")
    place = Path(resolve(path))
    if not os.path.exists(place):
        cached = _cached(path) if offline else None
        if cached is None and offline:
            raise not_found(path, offline)
        if cached is None:
            return None
        place = cached
    require_known_kind(config_of(place, path), path)
    require_files(place, path)
    return place


def require_known_kind(config: dict[str, Any], path: str) -> None:
    """Check that a model's config is that of a known family, its weights not quantised; `path` as for `require_base`.

    Raises:
        UserError: It is not.
    """
    kind, quantised = config.get("model_type"), config.get("quantization_config")
    if kind not in FAMILIES:
        fix = f"Choose a model of one of the families {', '.join(FAMILIES)}."
        raise UserError(f"a {kind} model cannot be used here", path, fix, "model")
    method = str(quantised.get("quant_method", "")) if isinstance(quantised, dict) else ""
    if method == "bitsandbytes" and importlib.util.find_spec("bitsandbytes") is None:
        fix = "Install it with pip install '.[four-bit]', or use the original model."
        raise UserError("this model was saved in 4 bits, which needs bitsandbytes", path, fix, "model")
    if quantised and method != "bitsandbytes":  # which transformers loads by itself, and LoRA trains on
        what = f"this model was quantised when it was saved{f' ({method.upper()})' if method else ''}"
        fix = "Use the original model; with model.four_bit=true it takes as little memory."
        raise UserError(f"{what}, and cannot be used here", path, fix, "model")


def not_found(path: str, offline: bool) -> UserError:
    """The error that says that a hub id is not on this machine; `offline` as for `require_base`."""
    cure = (
        "Set model.offline=false to download it, or give the folder it lies in"
        if offline
        else "Check the name and the connection, or give the folder it lies in"
    )
    return UserError("this model is not on this machine and was not found", path, f"{cure}.", "model")


def _cached(hub_id: str) -> Path | None:
    """The folder of a hub id's files on this machine; None where its config is not among them."""
    # Imported late: it reads HF_HUB_OFFLINE when it is imported, and a run sets that.
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(hub_id, "config.json")
    except HFValidationError:  # no hub id at all
        return None
    return Path(config).parent if isinstance(config, str) else None
