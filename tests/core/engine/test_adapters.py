"""An adapter either arrives whole on the model it was trained on, or is refused with one clear sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.engine.adapters import attach_lora, load_adapter
from core.engine.models import Loaded, load
from core.errors import UserError
from core.runs.model_files import adapter_about
from core.settings import LoraSettings, ModelSettings

Tensors = dict[str, torch.Tensor]
# peft only warns where damgui refuses.
pytestmark = pytest.mark.filterwarnings("ignore:Found missing adapter keys", "ignore:Unexpected keyword arguments")


@pytest.fixture
def fresh(saved: Callable[..., Path]) -> Loaded:
    return load(ModelSettings(path=str(saved()), device="cpu"))


@pytest.fixture(scope="module")
def trained(saved: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter whose matrices are not zero, with what damgui writes beside it."""
    folder = tmp_path_factory.mktemp("adapters") / "a_final"
    loaded = load(ModelSettings(path=str(saved()), device="cpu"))
    model = attach_lora(loaded.model, LoraSettings(rank=2, targets="language"))
    torch.manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    about = {"base_model": str(saved()), "base_fingerprint": loaded.fingerprint, "settings": {}, "taxonomy": {}}
    (folder / "damgui.json").write_text(json.dumps(about))
    return folder


@pytest.fixture
def adapter(trained: Path, tmp_path: Path) -> Path:
    """An adapter folder of one's own, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "a_final"))


def change(folder: Path, how: Callable[[Tensors], Tensors]) -> None:
    path = folder / "adapter_model.safetensors"
    save_file(how(load_file(path)), path, {"format": "pt"})


def refused(loaded: Loaded, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_adapter(loaded, folder)
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].kind == "adapter"
    assert caught.value.problems[0].fix
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_tensor_of_a_sound_adapter_arrives(fresh: Loaded, adapter: Path) -> None:
    model = load_adapter(fresh, adapter)
    held = dict(model.named_parameters())
    stored = load_file(adapter / "adapter_model.safetensors")
    assert len(stored) == 2 * 2 * 7
    for key, value in stored.items():
        assert torch.equal(held[key.replace(".weight", ".default.weight")], value)
    assert not any(parameter.requires_grad for parameter in held.values())


def test_an_empty_adapter_is_refused(fresh: Loaded, adapter: Path) -> None:
    change(adapter, lambda tensors: {k: v.zero_() if "lora_B" in k else v for k, v in tensors.items()})
    assert "the adapter is empty" in refused(fresh, adapter)


def test_an_adapter_of_another_base_model_is_refused(fresh: Loaded, adapter: Path) -> None:
    about = json.loads((adapter / "damgui.json").read_text())
    (adapter / "damgui.json").write_text(json.dumps({**about, "base_fingerprint": "0" * 16, "base_model": "other/one"}))
    assert "this adapter was trained on another base model (other/one)" in refused(fresh, adapter)


@pytest.mark.parametrize(
    ("old", "new"), [("model.language_model.layers", "model.layers"), ("lora_A.weight", "lora_A.default.weight.old")]
)
def test_keys_of_an_older_layout_are_refused_and_not_silently_dropped(
    fresh: Loaded, adapter: Path, old: str, new: str
) -> None:
    change(adapter, lambda tensors: {key.replace(old, new): value for key, value in tensors.items()})
    assert "does not fit" in refused(fresh, adapter)


def test_a_single_missing_tensor_is_refused(fresh: Loaded, adapter: Path) -> None:
    change(adapter, lambda tensors: dict(list(tensors.items())[1:]))
    assert "1 of its layers are missing and 0 have no place" in refused(fresh, adapter)


def test_a_single_tensor_too_many_is_refused(fresh: Loaded, adapter: Path) -> None:
    change(adapter, lambda tensors: {**tensors, "base_model.model.model.visual.odd.lora_A.weight": torch.ones(2, 2)})
    assert "0 of its layers are missing and 1 have no place" in refused(fresh, adapter)


def test_tensors_of_another_rank_are_refused(fresh: Loaded, adapter: Path) -> None:
    change(adapter, lambda tensors: {k: v[:1] if "lora_A" in k else v[:, :1].contiguous() for k, v in tensors.items()})
    refused(fresh, adapter)


@pytest.mark.parametrize("keep", [0, 7, 1000])
def test_a_truncated_file_is_refused(fresh: Loaded, adapter: Path, keep: int) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "adapter_model.safetensors is cut short" in refused(fresh, adapter)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", "null", '{"peft_type": "LORA", "rank": "many"}'])
def test_a_damaged_adapter_config_is_refused(fresh: Loaded, adapter: Path, text: str) -> None:
    (adapter / "adapter_config.json").write_text(text)
    refused(fresh, adapter)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_that_lacks_a_part_is_no_adapter(fresh: Loaded, adapter: Path, name: str) -> None:
    (adapter / name).unlink()
    assert "this is not an adapter folder" in refused(fresh, adapter)


@pytest.mark.parametrize("text", [None, "{", "[1, 2]", "null", '{"base_model": "demo"}'])
def test_an_adapter_without_readable_damgui_json_cannot_say_its_questions(adapter: Path, text: str | None) -> None:
    path = adapter / "damgui.json"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=r"no readable damgui\.json"):
        adapter_about(adapter)


def test_an_adapter_is_no_base_model(adapter: Path) -> None:
    (adapter / "config.json").write_text("{}")
    with pytest.raises(UserError, match="an adapter, not a whole model"):
        load(ModelSettings(path=str(adapter), device="cpu"))
