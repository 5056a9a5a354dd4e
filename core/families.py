"""What differs between model families. It needs no torch: the engine, prompts, data review and presets read it.

Another family whose models are built like Qwen2-VL is one entry in FAMILIES; the architecture itself comes from
transformers. What the engine takes for granted of an architecture:

- Photos are cut into patches by Qwen2-VL's image processor (`engine.models.load`, `engine.vision`).
- The vision tower is `model.visual`, with a patch embedding `patch_embed.proj` (`engine.models.quicken_patches`), and
  stays out of four bits under that name, as `lm_head` does (`engine.four_bit.quantization`).
- `get_image_features` gives what the tower sees, perhaps with `deepstack_features`
  (`engine.feature_cache.FeatureCache.compute`), and the model's forward takes it back (`engine.packing`).
- Positions are triples, and every language layer is attention that obeys a mask (`engine.packing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Qwen2-VL and Qwen3-VL write boxes as thousandths of the photo, Qwen2.5-VL as pixels of the resized photo
# (their technical reports). The wrong convention is a silent loss, so the family decides, not a setting.
THOUSANDTHS, RESIZED_PIXELS = "thousandths", "resized pixels"

_LAYERS = r"language_model\.layers\.\d+\."
_ATTENTION = _LAYERS + r"self_attn\.[qkvo]_proj"
_LANGUAGE = _LAYERS + r"(?:self_attn\.[qkvo]_proj|mlp\.(?:gate|up|down)_proj)"
_MERGER = r"visual\.(?:merger|deepstack_merger_list\.\d+)\.(?:mlp\.[02]|linear_fc[12])"
_TOWER = r"visual\.blocks\.\d+\.(?:attn\.(?:qkv|proj)|mlp\.(?:(?:linear_)?fc[12]|(?:gate|up|down)_proj))"
# Anchored on the layers' own place: a bare suffix list such as q_proj would also match layers of the vision tower.
QWEN_LORA_TARGETS = {
    "attention": rf".*\.{_ATTENTION}",
    "language": rf".*\.{_LANGUAGE}",
    "language+merger": rf".*\.(?:{_LANGUAGE}|{_MERGER})",
    "everything": rf".*\.(?:{_LANGUAGE}|{_MERGER}|{_TOWER})",
}


@dataclass(frozen=True)
class Conversation:
    """The special tokens of a chat template that delimit photos and answers."""

    image_pad: str = "<|image_pad|>"
    image_start: str = "<|vision_start|>"
    image_end: str = "<|vision_end|>"
    answer_end: str = "<|im_end|>"
    # Given to the chat template; a family that thinks before it answers is told here not to.
    template_arguments: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        box_unit: THOUSANDTHS or RESIZED_PIXELS: the unit in which its questions give boxes.
        token_px: Side in pixels of the square of a photo that becomes one token: patches of 14 or 16 pixels, merged two
            by two.
        lora_targets: A regular expression on module names for each choice of the setting `lora.targets`.
        conversation: The special tokens of its chat template.
    """

    box_unit: str
    token_px: int
    lora_targets: Mapping[str, str] = field(default_factory=lambda: QWEN_LORA_TARGETS)
    conversation: Conversation = field(default_factory=Conversation)


# By transformers' model_type, as a model's config.json names it.
FAMILIES: Mapping[str, Family] = {
    "qwen2_vl": Family(THOUSANDTHS, token_px=28),
    "qwen2_5_vl": Family(RESIZED_PIXELS, token_px=28),
    "qwen3_vl": Family(THOUSANDTHS, token_px=32),
}
