"""Base models: finding and loading them, and refusing those that would give wrong numbers."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoTokenizer, Qwen2VLImageProcessorPil
from transformers.utils import logging

from core import settings as schema
from core.engine import four_bit
from core.errors import UserError
from core.families import FAMILIES
from core.runs.store import is_adapter

# Transformers warns of its own use of names that it is about to drop; nobody here can cure that.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")

DEMO_MODEL = Path(__file__).resolve().parents[2] / "models" / "demo"
# What the libraries raise for files that are damaged, cut short or of another kind.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError)
MAKE_SHIPPED = {
    "demo": "Make it again with: python -m core.demo.base_model",
    "demo-photos": "Make it again with: python -m core.demo.base_model --style photographic",
}


@dataclass
class Loaded:
    """A base model that is ready to answer.

    Attributes:
        model: The transformers model in evaluation mode; later perhaps wrapped by peft.
        tokenizer: Its tokenizer, which has a chat template.
        processor: Cuts images into patches.
        path: The model as the settings name it.
        family: transformers' model type, a key of `core.families.FAMILIES`.
        fingerprint: Names the weights: see `fingerprint`.
        device: Where it computes.
    """

    model: Any
    tokenizer: Any
    processor: Qwen2VLImageProcessorPil
    path: str
    family: str
    fingerprint: str
    device: torch.device

    @property
    def parameters(self) -> int:
        """How many parameters the base model has, adapters left out."""
        return int(base_of(self.model).num_parameters())


def choose_device(wanted: str) -> torch.device:
    """Choose the device to compute on.

    Args:
        wanted: "auto", "cpu", "cuda" or "mps".

    Raises:
        UserError: The wanted device is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        wanted = next((name for name in ("cuda", "mps") if there[name]), "cpu")
    if not there.get(wanted):
        found = ", ".join(name for name, present in there.items() if present)
        raise UserError(
            f"the device {wanted} is not there (found: {found})", "model.device", "Choose auto or cpu.", "device"
        )
    if wanted == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Choose the number format: bfloat16 where a GPU has it, else float32; never float16, in which 7B models overflow.

    Args:
        wanted: "auto", "float32" or "bfloat16".
        device: Where the model will compute.
    """
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def resolve(path: str) -> str:
    """Find out what a model's name stands for.

    Args:
        path: A shipped name (`demo`, `demo-photos`), a local folder, or a hub id.

    Returns:
        The folder of a shipped model, a local folder as it is, anything else unchanged as a hub id.

    Raises:
        UserError: A local folder is not there or holds no model.
    """
    if path in MAKE_SHIPPED:
        shipped = DEMO_MODEL.with_name(path)
        if not (shipped / "config.json").is_file():
            raise UserError(f"the {path} model's folder is missing", str(shipped), MAKE_SHIPPED[path], "model")
        return str(shipped)
    if Path(path).exists() or path.startswith((".", "/", "~")) or re.match(r"^[A-Za-z]:\\", path):
        folder = Path(path).expanduser()
        if not (folder / "config.json").is_file():
            what = "no such folder" if not folder.exists() else "this is not a model folder: it has no config.json"
            cure = "Give demo, a hub id such as Qwen/Qwen2-VL-2B-Instruct, or a model folder."
            raise UserError(what, path, cure, "model")
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


def load(wanted: schema.ModelSettings) -> Loaded:
    """Load the base model of `wanted.path`, in evaluation mode.

    Raises:
        UserError: It cannot be found or loaded, is not of a known family, or lacks weights or its tokenizer.
    """
    logging.disable_progress_bar()
    device = choose_device(wanted.device)
    if is_adapter(wanted.path):
        raise UserError("this folder holds an adapter, not a whole model", wanted.path, "Give the base model.", "model")
    place = resolve(wanted.path)
    local = wanted.offline or wanted.path in MAKE_SHIPPED
    try:
        config = AutoConfig.from_pretrained(place, local_files_only=local)
        if config.model_type not in FAMILIES:
            raise UserError(
                f"a {config.model_type} model cannot be used here",
                wanted.path,
                f"Choose a model of one of the families {', '.join(FAMILIES)}.",
                "model",
            )
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=local)
        processor = Qwen2VLImageProcessorPil.from_pretrained(place, local_files_only=local)
        dtype = choose_dtype(wanted.dtype, device)
        small: dict[str, Any] = {}
        if wanted.four_bit:
            small = {"quantization_config": four_bit.quantization(dtype), "device_map": {"": device}}
        model, info = AutoModelForImageTextToText.from_pretrained(
            place, dtype=dtype, attn_implementation="sdpa", local_files_only=local, output_loading_info=True, **small
        )
    except UserError:
        raise
    except UNREADABLE as error:
        raise _not_loadable(wanted, place, error) from error
    lacking = sorted(info["missing_keys"])
    if lacking:
        raise UserError(
            f"{len(lacking)} weights are missing, among them {lacking[0]}",
            wanted.path,
            MAKE_SHIPPED.get(wanted.path, "Copy the whole model folder again."),
            "model",
        )
    if tokenizer.convert_tokens_to_ids(FAMILIES[config.model_type].conversation.image_pad) != config.image_token_id:
        # transformers makes an empty tokenizer where tokenizer.json is missing, and says nothing.
        raise UserError(
            "the tokenizer is missing or belongs to another model",
            wanted.path,
            MAKE_SHIPPED.get(wanted.path, "Copy the whole model folder again."),
            "model",
        )
    if tokenizer.chat_template is None:
        raise UserError("the tokenizer has no chat template", wanted.path, "Use an instruction-tuned model.", "model")
    # On H100 and H200 cuDNN's attention gives NaN gradients with a mask (torch 2.11 to 2.13).
    torch.backends.cuda.enable_cudnn_sdp(False)
    if wanted.four_bit:
        four_bit.require_only_language(model)
    else:
        model.to(device)
    quicken_patches(model)
    model.eval()
    model.config.use_cache = False
    folder = Path(getattr(config, "_name_or_path", place))
    mark = fingerprint(folder) if folder.is_dir() else str(getattr(config, "_commit_hash", place))
    return Loaded(model, tokenizer, processor, wanted.path, config.model_type, mark, device)


def _not_loadable(wanted: schema.ModelSettings, place: str, error: Exception) -> UserError:
    if Path(place).is_dir():
        cause = str(error).splitlines()[0][:160]
        again = MAKE_SHIPPED.get(wanted.path, "Copy the whole model folder again.")
        return UserError(f"this model cannot be loaded ({cause})", wanted.path, again, "model")
    cure = (
        "Set model.offline=false to download it, or give the folder it lies in"
        if wanted.offline
        else "Check the name and the connection, or give the folder it lies in"
    )
    return UserError("this model is not on this machine and was not found", wanted.path, f"{cure}.", "model")


class PatchMatmul(torch.nn.Conv3d):
    """A patch embedding computed as one matrix product.

    Patches do not overlap, so the convolution is such a product, and several times faster as one (7x on two CPU cores).
    Weights, names and results stay the same.
    """

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Embed patches: (N, 3, 2, side, side) -> (N, width, 1, 1, 1)."""
        seen = torch.nn.functional.linear(patches.flatten(1), self.weight.flatten(1), self.bias)
        return seen[:, :, None, None, None]


def quicken_patches(model: Any) -> None:
    """Let the vision tower of `model` embed its patches by a matrix product, where that gives the same result."""
    embed = model.model.visual.patch_embed
    slow = embed.proj
    if type(slow) is not torch.nn.Conv3d or slow.kernel_size != slow.stride or slow.groups != 1:
        return
    size, step = cast(tuple[int, int, int], slow.kernel_size), cast(tuple[int, int, int], slow.stride)
    embed.proj = PatchMatmul(slow.in_channels, slow.out_channels, size, step, bias=slow.bias is not None, device="meta")
    # Nothing is copied: the same weights, multiplied in another way.
    embed.proj.weight, embed.proj.bias = slow.weight, slow.bias


class ClosedHead(torch.nn.Linear):
    """An output layer for some tokens only: logits (…, C) instead of (…, vocabulary).

    Args:
        whole: The model's own output layer, whose rows are copied.
        ids: The C tokens, in the order of the logits.
    """

    def __init__(self, whole: torch.nn.Linear, ids: Sequence[int]) -> None:
        super().__init__(whole.in_features, len(ids), bias=False, device="meta")
        self.ids = tuple(ids)
        rows = whole.weight.detach()[torch.tensor(self.ids, device=whole.weight.device)]
        self.weight = torch.nn.Parameter(rows.clone(), requires_grad=False)


def base_of(model: Any) -> Any:
    """The transformers model inside peft's wrapping, or the model itself."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def close_head(model: Any, ids: Sequence[int]) -> torch.nn.Module:
    """Let the model compute the logits of some tokens only, from now on.

    A real vocabulary has 150,000 rows; closed questions need a dozen.

    Args:
        model: A transformers model, wrapped by peft or not.
        ids: The tokens, in the order of the logits; () changes nothing.

    Returns:
        The output layer that was there before.
    """
    base = base_of(model)
    whole: torch.nn.Module = base.get_output_embeddings()
    if ids and not (isinstance(whole, ClosedHead) and whole.ids == tuple(ids)):
        base.set_output_embeddings(ClosedHead(cast(torch.nn.Linear, whole), ids))
    return whole


@contextmanager
def closed_head(model: Any, ids: Sequence[int]) -> Iterator[None]:
    """Close the model's output layer (see `close_head`) for as long as the context lasts.

    A model that answers for several adapters may need several lists of tokens.
    """
    whole = close_head(model, ids)
    try:
        yield
    finally:
        base_of(model).set_output_embeddings(whole)
