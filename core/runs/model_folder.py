"""What must lie in the folder of a base model, as the hub or another tool writes it; each fault is one sentence."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import UserError

MAKE_SHIPPED = {
    "demo": "Make it again with: python -m core.demo.base_model",
    "demo-photos": "Make it again with: python -m core.demo.base_model --style photographic",
}
COPY_AGAIN = "Copy the whole model folder again."
LFS_CURE = "Run in that folder: git lfs pull"
# In the order in which transformers looks for them; an index names the files (shards) that the weights are spread over.
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# Weights of other programs, by the ending of their files.
OTHER_WEIGHTS = {
    ".gguf": "GGUF weights (of llama.cpp and Ollama)",
    ".onnx": "ONNX weights",
    ".npz": "MLX weights",
    ".h5": "TensorFlow weights",
    ".msgpack": "Flax weights",
    ".pth": "PyTorch weights without their configuration",
    ".pt": "PyTorch weights without their configuration",
}
ORIGINAL = "Give the folder of the original model, as transformers saves it."
# One of each row must be there: how photos are cut for the model, how text is cut, how questions are put.
PROCESSOR = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer.json", "vocab.json")
CHAT_TEMPLATES = ("chat_template.jinja", "chat_template.json")
GIT_LFS = b"version https://git-lfs"
MOST_HEADER_BYTES = 100_000_000  # of a safetensors file, as its own library has it
UNREADABLE = (OSError, ValueError, RecursionError)


def not_loadable(path: str, cause: str, fix: str = "") -> UserError:
    """The error that says why a model's folder cannot be loaded; `path` is the model as the settings name it."""
    again = MAKE_SHIPPED.get(path, fix or COPY_AGAIN)
    return UserError(f"this model cannot be loaded ({cause})", path, again, "model")


def no_model(place: Path) -> tuple[str, str, str]:
    """What lies at a path instead of a model's folder, the path, and the cure."""
    fix = "Give demo, a hub id such as Qwen/Qwen2-VL-2B-Instruct, or a model folder."
    if not place.exists():
        return "no such folder", str(place), fix
    if place.is_file():
        kind = OTHER_WEIGHTS.get(place.suffix.lower())
        what = f"this is a file of {kind}" if kind else "this is a file, not a model folder"
        return what, str(place), ORIGINAL if kind else "Give the folder in which config.json lies."
    if other := _other_weights(place):
        return f"this folder holds {other} and no config.json", str(place), ORIGINAL
    # As the hub's cache keeps a model (snapshots/COMMIT), and as archives unpack.
    deeper = sorted(file.parent for depth in ("*", "*/*") for file in place.glob(f"{depth}/config.json"))
    if deeper:
        return "this is not a model folder: it has no config.json", str(place), f"Give the folder in it: {deeper[0]}"
    return "this is not a model folder: it has no config.json", str(place), fix


def config_of(folder: Path, path: str) -> dict[str, Any]:
    """A model's config.json; `path` is the model as the settings name it.

    Raises:
        UserError: It cannot be read, or names no kind of model.
    """
    config = _read_json(folder, "config.json", path)
    if not isinstance(config.get("model_type"), str):
        raise not_loadable(path, "its config.json does not say which kind of model it is: model_type is missing")
    return config


def require_files(folder: Path, path: str) -> None:
    """Check that weights, tokenizer, processor and chat template are there and whole.

    Args:
        folder: The model's folder.
        path: The model as the settings name it.

    Raises:
        UserError: One is missing or damaged; it names the file.
    """
    _require_weights(folder, path)
    processor = _require_one(folder, PROCESSOR, path, "how photos are cut for the model")
    _read_json(folder, processor, path)
    tokenizer = _require_one(folder, TOKENIZERS, path, "how text is cut for the model")
    _read_json(folder, tokenizer, path)
    config = _read_json(folder, "tokenizer_config.json", path) if _lies(folder, "tokenizer_config.json") else {}
    if not config.get("chat_template") and not any(_lies(folder, name) for name in CHAT_TEMPLATES):
        raise no_chat_template(path)


def no_chat_template(path: str) -> UserError:
    """The error that a model does not say how questions are put to it; `path` as for `config_of`."""
    fix = "Copy chat_template.jinja or tokenizer_config.json from the original, instruction-tuned model."
    return UserError("the tokenizer has no chat template", path, fix, "model")


def kept_chat_template(folder: Path) -> str | None:
    """The chat template of chat_template.json, where processors once kept it; None without one."""
    try:
        found = json.loads((folder / "chat_template.json").read_text(encoding="utf-8"))["chat_template"]
    except (*UNREADABLE, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _lies(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _require_one(folder: Path, names: Sequence[str], path: str, what_for: str) -> str:
    """The first of the files that is there."""
    found = next((name for name in names if _lies(folder, name)), None)
    if found is None:
        raise not_loadable(
            path, f"{names[0]} is missing, which says {what_for}", f"Copy {names[0]} from the original model."
        )
    return found


def _read_json(folder: Path, name: str, path: str) -> dict[str, Any]:
    """The content of one of the model's JSON files."""
    try:
        content = (folder / name).read_bytes()
        if content.startswith(GIT_LFS):
            raise not_loadable(path, f"{name} is a Git LFS pointer: the file itself was not fetched", LFS_CURE)
        found = json.loads(content)
    except UNREADABLE as error:
        cause = f"its {name} cannot be read: {str(error).splitlines()[0][:100]}"
        raise not_loadable(path, cause, f"Copy {name} from the original model again.") from error
    if not isinstance(found, dict):
        raise not_loadable(path, f"its {name} does not hold what it should")
    return found


def _other_weights(folder: Path) -> str:
    """What weights of another program are called that lie in a folder; "" where there are none."""
    endings = {file.suffix.lower() for file in folder.iterdir()} if folder.is_dir() else set()
    return next((kind for ending, kind in OTHER_WEIGHTS.items() if ending in endings), "")


def _require_weights(folder: Path, path: str) -> None:
    first = next((name for name in WEIGHTS if _lies(folder, name)), None)
    if first is None:
        link = next((name for name in WEIGHTS if (folder / name).is_symlink()), None)
        if link:
            fix = "Copy the model with the files that its links mean (cp -L)."
            raise not_loadable(path, f"{link} is a link to a file that is not here", fix)
        other = _other_weights(folder)
        cause = f"its weights are missing: there is no {WEIGHTS[0]}{f', only {other}' if other else ''}"
        raise not_loadable(path, cause, ORIGINAL if other else "")
    files = [first]
    if first.endswith(".index.json"):
        shards = _read_json(folder, first, path).get("weight_map")
        if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
            raise not_loadable(path, f"{first} cannot be read: it names no files")
        files = sorted(set(shards.values()))
    missing = [name for name in files if not _lies(folder, name)]
    if missing:
        others = f" and {len(missing) - 1} other files of its weights" if len(missing) > 1 else ""
        raise not_loadable(path, f"{missing[0]}{others}, named by {first}: missing")
    for name in files:
        if fault := fault_of(folder / name):
            raise not_loadable(path, fault, LFS_CURE if "Git LFS" in fault else "")


def fault_of(weights: Path) -> str:
    """What is wrong with a file of weights by its header and its size; "" where nothing is."""
    try:
        return _fault_of(weights)
    except OSError as error:
        return f"{weights.name} cannot be read: {error.strerror}"


def _fault_of(weights: Path) -> str:
    size = weights.stat().st_size
    with weights.open("rb") as file:
        head = file.read(len(GIT_LFS))
        if head == GIT_LFS:
            return f"{weights.name} is a Git LFS pointer: the weights themselves were not fetched"
        if weights.suffix != ".safetensors":
            # What torch saves is a zip, whose list of contents is its end.
            cut = head.startswith(b"PK") and not zipfile.is_zipfile(file)
            return f"{weights.name} is cut short" if cut else "" if size else f"{weights.name} is empty"
        length = int.from_bytes(head[:8], "little")
        if size < 8 or 8 + length > size or length > MOST_HEADER_BYTES:
            return f"{weights.name} is cut short"
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            ends = [int(about["data_offsets"][1]) for name, about in header.items() if name != "__metadata__"]
        except (*UNREADABLE, KeyError, TypeError, AttributeError, IndexError):
            return f"{weights.name} is damaged"
    return "" if size == 8 + length + max(ends, default=0) else f"{weights.name} is cut short"
