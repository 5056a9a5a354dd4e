"""Adapters: attaching a fresh one, loading one from disk, and refusing what would silently do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import safe_open
from safetensors.torch import load_file

from core import settings as schema
from core.engine.models import UNREADABLE, Loaded, base_of
from core.errors import UserError
from core.families import FAMILIES
from core.runs.model_files import require_adapter, require_same_base


@contextmanager
def adapters_off(model: Any) -> Iterator[None]:
    """Switch every adapter of `model` off for as long as the context lasts."""
    with model.disable_adapter() if isinstance(model, PeftModel) else nullcontext():
        yield


def adapts_vision(model: Any, adapter: str = "") -> bool:
    """Whether an adapter changes or trains the vision tower or its merger.

    Where one does, features that the base model computed do not hold.

    Args:
        model: A transformers model, wrapped by peft or not.
        adapter: The name of the adapter that is meant; "" means any.
    """
    return isinstance(model, PeftModel) and any(
        ".visual." in name
        and (parameter.requires_grad or (("lora_" in name or "modules_to_save" in name) and f".{adapter}" in name))
        for name, parameter in model.named_parameters()
    )


def attach_lora(model: Any, lora: schema.LoraSettings) -> PeftModel:
    """Put fresh LoRA matrices on the chosen layers of `model` and freeze all else.

    Source: Hu et al. 2021, arXiv:2106.09685.
    """
    targets = FAMILIES[base_of(model).config.model_type].lora_targets[lora.targets]
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=targets, bias="none"
    )
    return get_peft_model(model, config)


def load_adapter(loaded: Loaded, folder: Path, name: str = "default", trainable: bool = False) -> PeftModel:
    """Load an adapter and check it: every tensor arrived, nothing is left over, and it is not empty.

    Args:
        loaded: The base model. peft changes its modules in place, so it carries the adapter from then on.
        folder: Holds adapter_config.json, adapter_model.safetensors and, for one that damgui trained, damgui.json.
        name: What the adapter is called within the model; several may be loaded beside each other.
        trainable: Whether its weights shall receive gradients.

    Returns:
        The model with the adapter on it.

    Raises:
        UserError: The folder holds no adapter, or one of another base model, or one that does nothing. peft would only
            warn and go on.
    """
    require_adapter(folder)
    require_same_base(folder, loaded.fingerprint)
    try:
        if isinstance(loaded.model, PeftModel):
            loaded.model.load_adapter(str(folder), adapter_name=name, is_trainable=trainable)
            model = loaded.model
        else:
            model = PeftModel.from_pretrained(loaded.model, str(folder), adapter_name=name, is_trainable=trainable)
    except UNREADABLE as error:
        cause = str(error).splitlines()[0][:160]
        raise UserError(
            f"this adapter does not fit the model ({cause})",
            str(folder),
            "Load it with the model it was trained on.",
            "adapter",
        ) from error
    check_adapter(model, folder / "adapter_model.safetensors", name)
    return model


def reload_adapter(model: PeftModel, folder: Path) -> None:
    """Give the adapter that `model` carries the weights of a checkpoint of its own.

    Args:
        model: A model whose adapter is named "default".
        folder: Where that same adapter was saved, with adapter_model.safetensors in it.

    Raises:
        UserError: Not every tensor arrived.
    """
    weights = folder / "adapter_model.safetensors"
    set_peft_model_state_dict(model, load_file(weights))
    check_adapter(model, weights, "default")


def check_adapter(model: PeftModel, weights: Path, name: str) -> None:
    """Check that an adapter's file is what the model carries, and that some lora_B is not zero.

    Args:
        model: The model after loading.
        weights: The adapter's safetensors file.
        name: What the adapter is called within the model.

    Raises:
        UserError: A tensor is missing, left over or different, or all matrices are zero.
    """
    have = get_peft_model_state_dict(model, adapter_name=name)
    with safe_open(weights, "pt") as file:
        stored = set(file.keys())
    if stored != set(have):
        missing, left = len(set(have) - stored), len(stored - set(have))
        raise UserError(
            f"the adapter does not fit: {missing} of its layers are missing and {left} have no place in the model",
            str(weights),
            "Load it with the model and the library versions it was trained with.",
            "adapter",
        )
    tensors = load_file(weights)
    if not any("lora_B" in key and bool(value.any()) for key, value in tensors.items()):
        raise UserError("the adapter is empty: all its matrices are zero", str(weights), "Train it again.", "adapter")
    if not all(torch.equal(have[key].cpu().to(value.dtype), value) for key, value in tensors.items()):
        raise UserError("the adapter's weights did not arrive in the model", str(weights), "Train it again.", "adapter")
