"""A model that would give wrong numbers is refused with one clear sentence; the right one loads whole."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.engine import models
from core.engine.adapters import attach_lora
from core.engine.models import Loaded, load
from core.errors import UserError
from core.families import FAMILIES
from core.runs.model_files import DEMO_MODEL, fingerprint
from core.settings import LoraSettings, ModelSettings

Saved = Callable[..., Path]


@pytest.fixture
def copied(saved: Saved, tmp_path: Path) -> Path:
    """A model folder of one's own, to be damaged."""
    return Path(shutil.copytree(saved(), tmp_path / "model"))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def refused(path: Path | str, **settings: object) -> UserError:
    with pytest.raises(UserError) as caught:
        load(ModelSettings(path=str(path), **{"device": "cpu", **settings}))  # type: ignore[arg-type]
    assert len(caught.value.problems) == 1
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".") or "python -m" in sentence
    assert caught.value.problems[0].fix
    return caught.value


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_saved_model_loads_with_every_weight_and_knows_its_family(saved: Saved, family: str) -> None:
    folder = saved(family)
    found = load(ModelSettings(path=str(folder), device="cpu", dtype="float32"))
    stored = load_file(folder / "model.safetensors")
    held = found.model.state_dict()
    assert found.family == family
    assert not found.model.training
    assert found.parameters == sum(parameter.numel() for parameter in found.model.parameters()) > 100_000
    assert sum(value.numel() for value in stored.values()) == found.parameters
    renamed = {re.sub(r"^model\.(?!language_model|visual)|^visual", "model.language_model.", key) for key in stored}
    assert len(renamed) == len(stored)
    assert {value.dtype for value in held.values()} == {torch.float32}


def test_the_fingerprint_tells_weights_and_config_apart(saved: Saved, copied: Path) -> None:
    before = fingerprint(saved())
    assert fingerprint(copied) == before
    assert fingerprint(saved(seed=1)) != before
    change_weights(copied, lambda tensors: next(iter(tensors.values())).add_(0.01))
    assert fingerprint(copied) != before
    again = Path(shutil.copytree(saved(), copied.with_name("other")))
    config = json.loads((again / "config.json").read_text())
    (again / "config.json").write_text(json.dumps({**config, "note": 1}))
    assert fingerprint(again) != before


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in str(refused(tmp_path / "gone"))


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "this is a file, not a model folder" in str(refused(tmp_path / "file"))


def test_a_folder_without_config_is_refused(tmp_path: Path) -> None:
    assert "it has no config.json" in str(refused(tmp_path))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_type": "nonsense"}'])
def test_a_config_that_cannot_be_read_is_refused(copied: Path, text: str) -> None:
    (copied / "config.json").write_text(text)
    refused(copied)


def test_a_model_of_another_family_is_refused_and_the_families_are_named(copied: Path) -> None:
    (copied / "config.json").write_text(json.dumps({"model_type": "bert"}))
    sentence = str(refused(copied))
    assert "a bert model cannot be used here" in sentence
    assert all(family in sentence for family in FAMILIES)


def test_missing_weights_are_named_and_counted(copied: Path) -> None:
    name = "model.language_model.layers.1.mlp.up_proj.weight"
    stored = load_file(copied / "model.safetensors")
    key = next(key for key in stored if key.endswith("layers.1.mlp.up_proj.weight"))
    change_weights(copied, lambda tensors: tensors.pop(key))
    assert f"1 weights are missing, among them {name}" in str(refused(copied))


def test_weights_of_another_shape_are_refused(copied: Path) -> None:
    stored = load_file(copied / "model.safetensors")
    key = next(key for key in stored if key.endswith("layers.1.mlp.up_proj.weight"))
    change_weights(copied, lambda tensors: tensors.update({key: torch.zeros(3, 3)}))
    refused(copied)


@pytest.mark.parametrize("keep", [0, 100, 10_000])
def test_a_truncated_weight_file_is_refused(copied: Path, keep: int) -> None:
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "this model cannot be loaded" in str(refused(copied))


@pytest.mark.parametrize("name", ["model.safetensors", "preprocessor_config.json"])
def test_a_missing_file_is_refused(copied: Path, name: str) -> None:
    (copied / name).unlink()
    assert "this model cannot be loaded" in str(refused(copied))


def test_a_missing_tokenizer_is_not_taken_for_an_empty_one(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    assert "tokenizer.json is missing" in str(refused(copied))
    (copied / "vocab.json").write_text("{}")
    (copied / "merges.txt").write_text("#version: 0.2\n")
    assert "the tokenizer is missing or belongs to another model" in str(refused(copied))


def test_a_tokenizer_that_its_library_cannot_read_is_one_sentence(copied: Path) -> None:
    (copied / "tokenizer.json").write_text('{"model": {"type": "none"}}')
    assert "this model cannot be loaded (its tokenizer cannot be read" in str(refused(copied))


def test_a_chat_template_where_processors_once_kept_it_is_used(copied: Path) -> None:
    template = (copied / "chat_template.jinja").read_text()
    (copied / "chat_template.jinja").unlink()
    (copied / "chat_template.json").write_text(json.dumps({"chat_template": template}))
    assert load(ModelSettings(path=str(copied), device="cpu", dtype="float32")).tokenizer.chat_template == template


def test_a_tokenizer_without_chat_template_is_refused(copied: Path) -> None:
    (copied / "chat_template.jinja").unlink()
    assert "the tokenizer has no chat template" in str(refused(copied))


def test_a_device_that_is_not_there_is_refused_and_those_there_are_named(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    error = refused(saved(), device="cuda")
    assert "the device cuda is not there (found: cpu" in str(error)
    assert error.problems[0].kind == "device"
    assert models.choose_device("auto").type in ("cpu", "mps")


@pytest.mark.parametrize(("offline", "cure"), [(True, "Set model.offline=false"), (False, "Check the name")])
def test_a_hub_id_that_is_not_here_says_how_to_get_it(offline: bool, cure: str) -> None:
    sentence = str(refused("nobody/no-such-model", offline=offline))
    assert "this model is not on this machine" in sentence
    assert cure in sentence


def test_a_missing_demo_model_says_how_to_make_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.model_files.DEMO_MODEL", tmp_path / "models" / "demo")
    sentence = str(refused("demo"))
    assert "the demo model's folder is missing" in sentence
    assert "python -m core.demo.base_model" in sentence
    assert "download" not in sentence


def test_a_damaged_demo_model_says_how_to_make_it_again(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.runs.model_files.DEMO_MODEL", copied)
    (copied / "model.safetensors").unlink()
    assert "python -m core.demo.base_model" in str(refused("demo"))


ATTENTION = {"q_proj", "k_proj", "v_proj", "o_proj"}
MLP = {"gate_proj", "up_proj", "down_proj"}
# Names of the layers in the vision tower's blocks and in its merger, as each family's code has them.
TOWER = {
    "qwen2_vl": {"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"},
    "qwen2_5_vl": {"attn.qkv", "attn.proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"},
    "qwen3_vl": {"attn.qkv", "attn.proj", "mlp.linear_fc1", "mlp.linear_fc2"},
}
MERGER = {
    "qwen2_vl": {"merger.mlp.0", "merger.mlp.2"},
    "qwen2_5_vl": {"merger.mlp.0", "merger.mlp.2"},
    "qwen3_vl": {
        "merger.linear_fc1",
        "merger.linear_fc2",
        "deepstack_merger_list.0.linear_fc1",
        "deepstack_merger_list.0.linear_fc2",
    },
}


def intended(family: str, targets: str) -> set[str]:
    found = {f"language_model.layers.{layer}.self_attn.{name}" for layer in (0, 1) for name in ATTENTION}
    if targets != "attention":
        found |= {f"language_model.layers.{layer}.mlp.{name}" for layer in (0, 1) for name in MLP}
    if targets in ("language+merger", "everything"):
        found |= {f"visual.{name}" for name in MERGER[family]}
    if targets == "everything":
        found |= {f"visual.blocks.{block}.{name}" for block in (0, 1) for name in TOWER[family]}
    return found


@pytest.mark.parametrize("family", list(TOWER))
@pytest.mark.parametrize("targets", list(FAMILIES["qwen2_vl"].lora_targets))
def test_lora_sits_on_exactly_the_layers_asked_for(loaded: Loaded, family: str, targets: str) -> None:
    linear = {
        name.removeprefix("model.")
        for name, module in loaded.model.named_modules()
        if isinstance(module, torch.nn.Linear) and name != "lm_head"
    }
    model = attach_lora(loaded.model, LoraSettings(rank=2, targets=targets))
    learning = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    reached = {name.split(".lora_")[0].removeprefix("base_model.model.model.") for name in learning}
    assert all("lora_" in name for name in learning)
    assert reached == intended(family, targets)
    assert (reached == linear) == (targets == "everything")
    if targets in ("attention", "language"):
        assert not any("visual" in name for name in reached)


def four_bit(folder: Path) -> Loaded:
    pytest.importorskip("bitsandbytes", reason="4-bit weights need the extra .[four-bit]")
    return load(ModelSettings(path=str(folder), device="cpu", dtype="float32", four_bit=True))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_in_four_bits_only_the_language_layers_are(saved: Saved, family: str) -> None:
    small, whole = four_bit(saved(family)), load(ModelSettings(path=str(saved(family)), device="cpu", dtype="float32"))
    held = {name: parameter.dtype for name, parameter in small.model.named_parameters()}
    layers = {name for name in held if re.search(r"language_model\.layers\.\d+\.(self_attn|mlp).*_proj\.weight", name)}
    assert layers and {held[name] for name in layers} == {torch.uint8}
    assert {kind for name, kind in held.items() if name not in layers} == {torch.float32}
    assert small.parameters == whole.parameters
    assert small.fingerprint == whole.fingerprint


def test_four_bit_answers_stay_near_the_whole_models() -> None:
    small, whole = four_bit(DEMO_MODEL), load(ModelSettings(path="demo", device="cpu", dtype="float32"))
    tokens = torch.arange(20, 40)[None]
    places = torch.arange(20).expand(3, 1, 20)
    with torch.no_grad():
        first, second = (each.model(input_ids=tokens, position_ids=places).logits for each in (small, whole))
    assert torch.isfinite(first).all()
    assert 0 < (first - second).norm() / second.norm() < 0.5


def test_lora_learns_on_four_bit_layers(saved: Saved) -> None:
    model = attach_lora(four_bit(saved()).model, LoraSettings(rank=4, targets="language"))
    logits = model(input_ids=torch.arange(20, 40)[None], position_ids=torch.arange(20).expand(3, 1, 20)).logits
    logits.square().mean().backward()
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert learning and all("lora_" in name for name in learning)
    assert all(
        parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in learning.items()
        if "lora_B" in name
    )


def test_a_quantised_vision_tower_is_refused(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens when the names of the spared layers do not match: libraries quantise without a word."""
    pytest.importorskip("bitsandbytes", reason="4-bit weights need the extra .[four-bit]")
    right = models.four_bit.quantization(torch.float32)
    right.llm_int8_skip_modules = ["visual", "lm_head"]
    monkeypatch.setattr(models.four_bit, "quantization", lambda dtype: right)
    assert "is in 4 bits, and should not be" in str(refused(saved(), four_bit=True, dtype="float32"))


def test_without_bitsandbytes_four_bits_are_refused_with_the_line_that_installs_it(
    saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert "pip install '.[four-bit]'" in str(refused(saved(), four_bit=True))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_patches_embedded_by_a_product_are_those_of_the_convolution(saved: Saved, family: str) -> None:
    loaded = load(ModelSettings(path=str(saved(family)), device="cpu", dtype="float32"))
    quick = loaded.model.model.visual.patch_embed.proj
    assert isinstance(quick, models.PatchMatmul)
    slow = torch.nn.Conv3d(
        quick.in_channels, quick.out_channels, quick.kernel_size, quick.stride, bias=quick.bias is not None
    )
    slow.load_state_dict(quick.state_dict())
    patches = torch.randn(37, 3, *quick.kernel_size, dtype=torch.float64)
    torch.testing.assert_close(quick.double()(patches), slow.double()(patches), rtol=1e-12, atol=1e-12)
    stored = load_file(saved(family) / "model.safetensors")
    (name,) = [key for key in stored if key.endswith("patch_embed.proj.weight")]
    assert torch.equal(quick.weight.float(), stored[name])


@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_token_is_as_large_as_the_family_says(loaded: Loaded, family: str) -> None:
    assert loaded.processor.patch_size * loaded.processor.merge_size == FAMILIES[family].token_px
