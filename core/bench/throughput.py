"""How fast a real architecture trains on this device, and what share of the device's arithmetic that is."""

from __future__ import annotations

import torch

from core.bench import ours
from core.bench.measure import Job
from core.bench.step_meter import StepMeter
from core.bench.subjects import Subject
from core.engine.training import throughput
from core.engine.training.trainer import PackedTrainer


def weights_of(subject: Subject) -> dict[str, int]:
    """How many weights multiply each token of the language layers, and each patch of the vision tower."""
    config = subject.loaded.model.config
    text, tower = config.text_config, config.vision_config
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    attention = text.hidden_size * head * (2 * text.num_attention_heads + 2 * text.num_key_value_heads)
    layer = attention + 3 * text.hidden_size * text.intermediate_size
    block = tower.embed_dim**2 * (4 + 2 * tower.mlp_ratio)
    return {"language": int(layer * text.num_hidden_layers), "vision": int(block * tower.depth)}


def train(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Train until the meter ends it; before, measure the best that the device can do.

    The operations needed are counted from below: 4 per language weight and token (forward, and back through frozen
    weights), 2 per vision weight and patch (four patches a photo token); attention and LoRA itself are left out.
    """
    device = subject.loaded.device
    peak = throughput.peak_flops_per_s(device, subject.loaded.model.dtype)
    trainer = ours.trainer_of(job, subject, meter)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    meter.ready |= {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "best_flops": peak,
        "weights": weights_of(subject),
        "parameters": subject.loaded.parameters,
        "photo_tokens": _photo_tokens(trainer),
        "dtype": str(subject.loaded.model.dtype).removeprefix("torch."),
    }
    trainer.train()


def _photo_tokens(trainer: PackedTrainer) -> int:
    image_encoder, photo = trainer.prompt_builder.image_encoder, trainer.training_data.photos[0]
    return int(image_encoder.photo(photo.path).tokens(image_encoder.merge))
