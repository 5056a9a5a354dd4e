"""Base models: finding and loading them, and refusing those that would give wrong numbers."""

from __future__ import annotations

import os
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
from core.runs.model_files import fingerprint, not_found, require_base, require_known_kind, resolve
from core.runs.model_folder import COPY_AGAIN, MAKE_SHIPPED, kept_chat_template, no_chat_template, not_loadable

# Transformers warns of its own use of names that it is about to drop; nobody here can cure that.
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")

# What the libraries raise for files that are damaged, cut short or of another kind.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)


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

    @property
    def machine(self) -> str:
        """On what it computes, in words, as far as that moves an answer's last digits."""
        where = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else self.device.type
        return f"{where} {base_of(self.model).dtype} {torch.get_num_threads()} threads"


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


def load(wanted: schema.ModelSettings) -> Loaded:
    """Load the base model of `wanted.path`, in evaluation mode.

    Raises:
        UserError: It cannot be found or loaded, is not of a known family, or lacks weights or its tokenizer.
    """
    logging.disable_progress_bar()
    device = choose_device(wanted.device)
    require_base(wanted.path, wanted.offline)
    place = resolve(wanted.path)
    local = wanted.offline or wanted.path in MAKE_SHIPPED
    try:
        config = AutoConfig.from_pretrained(place, local_files_only=local)
        require_known_kind(config.to_dict(), wanted.path)  # of a hub id that was downloaded just now
        tokenizer = _tokenizer(place, local)
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
        if Path(place).is_dir():
            raise not_loadable(wanted.path, (str(error) or type(error).__name__).splitlines()[0][:160]) from error
        raise not_found(wanted.path, wanted.offline) from error
    lacking = sorted(info["missing_keys"])
    if lacking:
        raise UserError(
            f"{len(lacking)} weights are missing, among them {lacking[0]}",
            wanted.path,
            MAKE_SHIPPED.get(wanted.path, COPY_AGAIN),
            "model",
        )
    if tokenizer.convert_tokens_to_ids(FAMILIES[config.model_type].conversation.image_pad) != config.image_token_id:
        # transformers makes an empty tokenizer where tokenizer.json is missing, and says nothing.
        raise UserError(
            "the tokenizer is missing or belongs to another model",
            wanted.path,
            MAKE_SHIPPED.get(wanted.path, COPY_AGAIN),
            "model",
        )
    if not tokenizer.chat_template:
        raise no_chat_template(wanted.path)
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


def _tokenizer(place: str, local: bool) -> Any:
    """The tokenizer, its chat template from wherever the model keeps it.

    Raises:
        OSError: Its files are not there.
        ValueError: They cannot be read.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=local)
    except OSError:
        raise
    except Exception as error:  # the tokenizers library raises nothing narrower
        raise ValueError(f"its tokenizer cannot be read: {error}") from error
    if not tokenizer.chat_template:
        tokenizer.chat_template = kept_chat_template(Path(place))
    return tokenizer


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
