"""A model's folder is checked before anything is loaded, and without torch: each fault is one sentence with a cure."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs.model_files import fingerprint, require_base, require_model, resolve
from core.runs.store import PROJECT
from core.settings import ModelSettings

DEMO = PROJECT / "models" / "demo"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


def adapter_on(base: Path, folder: Path) -> Path:
    """The files of an adapter without one weight."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    header = b"{}"
    (folder / "adapter_model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    about = {"base_model": str(base), "settings": {}, "taxonomy": {}, "base_fingerprint": fingerprint(base)}
    (folder / "damgui.json").write_text(json.dumps(about))
    return folder


def config(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        found = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(found | changes))

    return change


def cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def overwrite(content: bytes, name: str = "model.safetensors") -> Callable[[Path], None]:
    return lambda folder: folder.joinpath(name).write_bytes(content) and None


def shards(*, there: bool) -> Callable[[Path], None]:
    """The weights as the hub spreads a large model's: an index, and the files that it names."""

    def change(folder: Path) -> None:
        first = folder / "model.safetensors"
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "part-1.safetensors"}}))
        first.rename(folder / "part-1.safetensors") if there else first.unlink()

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: None,
        shards(there=True),
        config(quantization_config={"quant_method": "bitsandbytes"}),
    ],
)
def test_a_whole_model_passes(model: Path, change: Callable[[Path], None]) -> None:
    change(model)
    assert require_base(str(model), offline=True) == model


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: folder.joinpath("config.json").unlink(), "it has no config.json"),
        (overwrite(b"{", "config.json"), "config.json"),
        (overwrite(b"[]", "config.json"), "config.json"),
        (config(model_type="llama"), "a llama model cannot be used here"),
        (config(quantization_config={"quant_method": "awq"}), "quantised when it was saved (AWQ)"),
        (config(quantization_config={"quant_method": "gptq"}), "quantised when it was saved (GPTQ)"),
        (config(quantization_config="odd"), "quantised when it was saved"),
        (lambda folder: folder.joinpath("model.safetensors").unlink(), "model.safetensors"),
        (cut, "model.safetensors is cut short"),
        (overwrite(b""), "model.safetensors"),
        (overwrite(b"\xff" * 40), "model.safetensors is cut short"),
        (overwrite((9).to_bytes(8, "little") + b"not json!"), "model.safetensors is damaged"),
        (overwrite(b"version https://git-lfs.github.com/spec/v1"), "Git LFS pointer"),
        (shards(there=False), "part-1.safetensors"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_refused_by_what_is_wrong(
    model: Path, change: Callable[[Path], None], words: str
) -> None:
    change(model)
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        require_base(str(model), offline=True)
    (problem,) = caught.value.problems
    assert problem.where == str(model)
    assert problem.fix


def test_what_is_no_model_at_all_is_refused(tmp_path: Path) -> None:
    for path, words in (
        (str(tmp_path / "nowhere"), "no such folder"),
        (str(tmp_path), "it has no config.json"),
        ("Qwen/never-fetched", "not on this machine"),
        ("x" * 5000, "not on this machine"),
    ):
        with pytest.raises(UserError, match=words):
            require_base(path, offline=True)


def test_a_hub_id_that_may_be_fetched_is_left_to_whoever_loads_it() -> None:
    assert require_base("Qwen/never-fetched", offline=False) is None


def test_a_shipped_name_stands_for_its_folder() -> None:
    assert resolve("demo") == str(DEMO)


def test_an_adapter_is_checked_with_its_base(model: Path, tmp_path: Path) -> None:
    adapter = adapter_on(model, tmp_path / "adapter")
    require_model(ModelSettings(path=str(adapter)))
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=r"adapter_model\.safetensors"):
        require_model(ModelSettings(path=str(adapter)))


def test_an_adapter_whose_base_moved_says_so_and_takes_the_new_place(model: Path, tmp_path: Path) -> None:
    adapter = adapter_on(model, tmp_path / "adapter")
    moved = model.rename(tmp_path / "moved")
    with pytest.raises(UserError, match=re.escape(str(model))) as caught:
        require_model(ModelSettings(path=str(adapter)))
    assert "--base" in caught.value.problems[0].fix
    require_model(ModelSettings(path=str(adapter), base=str(moved)))


def test_another_model_is_no_base_for_an_adapter(model: Path, tmp_path: Path) -> None:
    adapter = adapter_on(model, tmp_path / "adapter")
    config(hidden_act="gelu")(model)
    with pytest.raises(UserError, match="trained on another base model"):
        require_model(ModelSettings(path=str(adapter), base=str(model)))
