"""Contexts within which a trainer works otherwise than usual, and after which it is exactly as it was."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from core.engine.training import throughput


@contextmanager
def unchanged(trainer: Any) -> Iterator[None]:
    """Take steps without a trace.

    Afterwards gradients, modes, random numbers, the trainer's counters and the photos that are remembered are as
    before.
    """
    model, device, prompt_builder = trainer.model, trainer.args.device, trainer.prompt_builder
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    counters = {name: value for name, value in vars(trainer).items() if isinstance(value, int | float)}
    meter, trainer.meter = trainer.meter, throughput.ThroughputMeter()
    # Features computed one by one differ in their last digits from those computed together: none may stay.
    image_encoder, prompt_builder.image_encoder = (
        prompt_builder.image_encoder,
        prompt_builder.image_encoder.anew(),
    )
    rng = random.getstate(), np.random.get_state(), torch.get_rng_state()
    gpu_rng = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, training in modes:
            module.training = training
        vars(trainer).update(counters)
        trainer.meter, prompt_builder.image_encoder = meter, image_encoder
        random.setstate(rng[0])
        np.random.set_state(rng[1])
        torch.set_rng_state(rng[2])
        if gpu_rng is not None:
            torch.cuda.set_rng_state(gpu_rng, device)


@contextmanager
def with_checkpointing(trainer: Any) -> Iterator[None]:
    """Switch the model's gradient checkpointing on for as long as the context lasts, if the trainer will do so."""
    if not trainer.args.activation_checkpointing:
        yield
        return
    base = trainer.model.get_base_model()
    base.activation_checkpointing_enable(trainer.args.activation_checkpointing_kwargs)
    try:
        yield
    finally:
        base.activation_checkpointing_disable()
