"""Real architectures with random weights: nothing is downloaded, and time does not depend on the values of weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessorPil

from core.demo.base_model import SPECIAL, build_tokenizer
from core.engine.four_bit import require_only_language
from core.engine.models import Loaded
from core.taxonomy import load as load_taxonomy

# A head's width, its rotary sections and a patch's side are the same in all of them (configs on the hub).
HEAD, SECTION, PATCH = 128, (16, 24, 24), 14


@dataclass(frozen=True)
class Shape:
    """A Qwen2-VL's sizes: language model, then vision tower."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    tied: bool
    tower_depth: int = 32
    tower_width: int = 1280
    tower_heads: int = 16
    tower_ratio: float = 4
    head: int = HEAD
    section: tuple[int, int, int] = SECTION


SHAPES: Mapping[str, Shape] = {
    "qwen2-vl-2b": Shape(1536, 28, 12, 2, 8960, 151_936, tied=True),
    "qwen2-vl-7b": Shape(3584, 28, 28, 4, 18_944, 152_064, tied=False),
    "qwen2-vl-72b": Shape(8192, 80, 64, 8, 29_568, 152_064, tied=False),
}


def config_of(shape: Shape, layers: int, tower_layers: int, ids: Mapping[str, int]) -> Qwen2VLConfig:
    """Qwen2-VL's configuration at a shape.

    Args:
        shape: its sizes.
        layers: of the language model.
        tower_layers: of the vision tower.
        ids: the tokenizer's special tokens, by their text.
    """
    special = {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"]}
    text = {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "max_position_embeddings": 32_768,
        "tie_word_embeddings": shape.tied,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": list(shape.section)},
        **special,
        "pad_token_id": ids["<|endoftext|>"],
    }
    tower = {
        "depth": tower_layers,
        "embed_dim": shape.tower_width,
        "hidden_size": shape.hidden,
        "num_heads": shape.tower_heads,
        "mlp_ratio": shape.tower_ratio,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
    }
    return Qwen2VLConfig(
        text_config=text,
        vision_config=tower,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=shape.tied,
    )


def quantise(block: torch.nn.Module, device: torch.device) -> torch.nn.Module:
    """A block with its linear layers in 4 bits (NF4), as bitsandbytes loads them; the block is changed in place."""
    import bitsandbytes

    for name, layer in list(block.named_modules()):
        if isinstance(layer, torch.nn.Linear):
            small = bitsandbytes.nn.Linear4bit(
                layer.in_features,
                layer.out_features,
                bias=layer.bias is not None,
                compute_dtype=layer.weight.dtype,
                quant_type="nf4",
                quant_storage=torch.uint8,
                device="meta",
            )
            values = layer.weight.detach().to("cpu")
            small.weight = bitsandbytes.nn.Params4bit(values, requires_grad=False, quant_type="nf4", module=small)
            if layer.bias is not None:
                small.bias = torch.nn.Parameter(layer.bias.detach(), requires_grad=False)
            block.set_submodule(name, small.to(device))
    return block


@contextmanager
def made_as(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Within, new layers are made in this dtype on this device: a 7B model never exists twice."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def random_model(
    shape: Shape, layers: tuple[int, ...], device: torch.device, four_bit: bool = False, seed: int = 0
) -> Loaded:
    """A model with random weights and the demo's tokenizer, bfloat16 on a GPU, float32 elsewhere.

    Args:
        shape: its sizes.
        layers: (language, vision); 0 for all of them.
        device: where it is made.
        four_bit: whether the language layers are quantised, one by one as they are made.
        seed: of the weights.
    """
    depth, tower_depth = layers[0] or shape.layers, layers[1] or shape.tower_depth
    tokenizer = build_tokenizer(load_taxonomy())
    ids = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in SPECIAL}
    config = config_of(shape, depth, tower_depth, ids)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    torch.manual_seed(seed)
    with made_as(dtype, device):
        # Made with one language layer; the others follow one at a time, so that a quantised model never exists whole.
        config.text_config.num_hidden_layers = 1
        model = Qwen2VLForConditionalGeneration(config).eval()
        config.text_config.num_hidden_layers = depth
        blocks = model.model.language_model.layers
        first = blocks[0]
        if four_bit:
            quantise(first, device)
            # What peft asks for before it puts LoRA on a quantised layer.
            model.is_loaded_in_4bit = True
        for index in range(1, depth):
            another = type(first)(config.text_config, index)
            another.apply(model._init_weights)
            blocks.append(quantise(another, device) if four_bit else another)
    model.config.use_cache = False
    model.requires_grad_(False)
    if four_bit:
        require_only_language(model)
    name = f"random-{shape.hidden}-{depth}-{tower_depth}-{seed}"
    return Loaded(model, tokenizer, Qwen2VLImageProcessorPil(), name, "qwen2_vl", name, device)
