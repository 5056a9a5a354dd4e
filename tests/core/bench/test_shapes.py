"""The real architectures' code path, at sizes a processor can hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.bench import plans, subjects, throughput
from core.bench.plans import Maker
from core.bench.shapes import SHAPES, Shape, random_model
from core.bench.subjects import Unavailable, open_subject
from core.data.types import Photo
from damgui.cli import commands

TINY = Shape(
    64,
    3,
    2,
    1,
    96,
    700,
    tied=False,
    tower_depth=2,
    tower_width=64,
    tower_heads=2,
    tower_ratio=2,
    head=32,
    section=(4, 6, 6),
)


def test_a_shape_has_the_layers_asked_for_and_untied_weights_of_its_own() -> None:
    whole = random_model(TINY, (0, 0), torch.device("cpu")).model
    cut = random_model(TINY, (1, 1), torch.device("cpu")).model
    assert (len(whole.model.language_model.layers), len(whole.model.visual.blocks)) == (3, 2)
    assert (len(cut.model.language_model.layers), len(cut.model.visual.blocks)) == (1, 1)
    assert whole.lm_head.weight is not whole.get_input_embeddings().weight
    assert whole.lm_head.weight.shape == (700, 64)
    assert not any(parameter.requires_grad for parameter in whole.parameters())


def test_the_same_seed_makes_the_same_weights() -> None:
    first, second = (random_model(TINY, (0, 0), torch.device("cpu")).model.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_layers_that_were_made_apart_count_like_the_others() -> None:
    layers = random_model(TINY, (0, 0), torch.device("cpu")).model.model.language_model.layers
    assert [layer.self_attn.layer_idx for layer in layers] == [0, 1, 2]
    assert [layer.self_attn.q_proj.weight.std().item() for layer in layers] == pytest.approx([0.02] * 3, rel=0.1)


@pytest.mark.parametrize(("name", "billions"), [("qwen2-vl-2b", 2.2), ("qwen2-vl-7b", 8.3), ("qwen2-vl-72b", 73.4)])
def test_the_sizes_are_the_real_ones(name: str, billions: float) -> None:
    shape = SHAPES[name]
    attention = shape.hidden * shape.head * (2 * shape.heads + 2 * shape.kv_heads)
    language = shape.layers * (attention + 3 * shape.hidden * shape.inner)
    embedding = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    tower = shape.tower_depth * 12 * shape.tower_width**2
    assert (language + embedding + tower) / 1e9 == pytest.approx(billions, rel=0.02)


def test_a_shape_trains_on_the_processor_and_tells_what_the_share_needs(
    photos: list[Photo], tmp_path: Path, counter: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subjects, "SHAPES", {"qwen2-vl-2b": TINY})
    group = plans.shape(Maker(photos, tmp_path, True), "qwen2-vl-2b", 2, "cpu")
    for name in ("shape", "shape cached"):
        settings = {**group.jobs[name].settings, "view": {**group.jobs[name].settings["view"], "photo_px": 112}}
        job = replace(group.jobs[name], settings=settings)
        counter.calls = []  # type: ignore[attr-defined]
        throughput.train(job, open_subject(job), counter)  # type: ignore[arg-type]
        first, last = counter.calls  # type: ignore[attr-defined]
        assert all(last[unit] > first[unit] > 0 for unit in ("questions", "photos", "tokens"))
        ready = counter.ready  # type: ignore[attr-defined]
        assert ready["best_flops"] > 0 and ready["photo_tokens"] == 16
        assert ready["weights"]["language"] == 2 * (64 * 32 * 6 + 3 * 64 * 96)


def test_four_bits_need_bitsandbytes(photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = plans.shape(Maker(photos, tmp_path, True), "qwen2-vl-2b", 1, "cpu")
    monkeypatch.setattr(subjects, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="bitsandbytes"):
        open_subject(group.jobs["shape 4-bit"])


def test_only_the_language_layers_are_put_into_four_bits() -> None:
    small = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    model = random_model(TINY, (0, 0), torch.device("cpu"), four_bit=True).model
    kinds = {name: isinstance(module, small.nn.Linear4bit) for name, module in model.named_modules()}
    assert kinds["model.language_model.layers.2.mlp.up_proj"]
    assert not any(is_small for name, is_small in kinds.items() if ".visual." in name or "lm_head" in name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_a_shape_is_refused_with_a_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["bench", "--shape", "qwen2-vl-7b", "--workspace", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert "not measured: no CUDA device" in printed and "--device cpu --layers 1" in printed
