"""Language layers in 4 bits, so that a 7B model trains on a small GPU.

Source: NF4, Dettmers et al. 2023, arXiv:2305.14314.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import BitsAndBytesConfig

from core.errors import UserError

CURE = "Install it with pip install '.[four-bit]', or set model.four_bit=false."


def quantization(dtype: torch.dtype) -> BitsAndBytesConfig:
    """Describe to transformers how the weights are to be loaded.

    Args:
        dtype: The number format in which the layers compute.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise UserError("4-bit weights need bitsandbytes", "model.four_bit", CURE, "model") from error
    # The names are patterns from the start of a module's path: a bare "visual" would spare nothing.
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=["model.visual", "lm_head"],
    )


def require_only_language(model: Any) -> None:
    """Check that the language layers are in 4 bits and nothing else is.

    A quantised vision tower or output layer loses much, and libraries have quantised them unrequested.

    Raises:
        UserError: A layer is quantised that should not be, or the other way round.
    """
    import bitsandbytes

    for name, layer in model.named_modules():
        small = isinstance(layer, bitsandbytes.nn.Linear4bit)
        if isinstance(layer, torch.nn.Linear) and small != ("language_model.layers." in name):
            what = f"{name} is {'' if small else 'not '}in 4 bits, and should{' not' if small else ''} be"
            raise UserError(what, "model.four_bit", "Set model.four_bit=false, and report it.", "model")
