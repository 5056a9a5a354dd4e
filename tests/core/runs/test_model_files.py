"""A model's folder is checked before anything is loaded, and without torch: each fault is one sentence with a cure."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import model_folder
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


def without(*names: str) -> Callable[[Path], None]:
    return lambda folder: [folder.joinpath(name).unlink() for name in names] and None


def index(content: object) -> Callable[[Path], None]:
    """An index of shards that says this."""

    def change(folder: Path) -> None:
        without("model.safetensors")(folder)
        (folder / "model.safetensors.index.json").write_text(json.dumps(content))

    return change


def both(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda folder: [change(folder) for change in changes] and None


def link(folder: Path) -> None:
    """As a copy of the hub's cache without its blobs."""
    without("model.safetensors")(folder)
    (folder / "model.safetensors").symlink_to("../../blobs/0a1b")


def header(**tensors: object) -> bytes:
    content = json.dumps(tensors).encode()
    return len(content).to_bytes(8, "little") + content


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
PICKLE, ZIPPED = b"\x80\x02}q\x00.", b"PK\x05\x06" + bytes(18)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: None,
        shards(there=True),
        both(without("model.safetensors"), overwrite(PICKLE, "pytorch_model.bin")),
        both(without("model.safetensors"), overwrite(ZIPPED, "pytorch_model.bin")),
        both(without("preprocessor_config.json"), overwrite(b'{"image_processor": {}}', "processor_config.json")),
        both(without("chat_template.jinja"), overwrite(b'{"chat_template": "x"}', "chat_template.json")),
        both(without("chat_template.jinja"), overwrite(b'{"chat_template": "x"}', "tokenizer_config.json")),
        both(without("tokenizer.json"), overwrite(b"{}", "vocab.json")),
        without("generation_config.json"),
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
        (overwrite(header(a={"data_offsets": [0, "x"]})), "model.safetensors is damaged"),
        (overwrite(header(a={"data_offsets": [0, 9]})), "model.safetensors is cut short"),
        (overwrite(header(a=[])), "model.safetensors is damaged"),
        (link, "a link to a file that is not here"),
        (shards(there=False), "part-1.safetensors"),
        (index({}), "it names no files"),
        (index([]), "index.json does not hold what it should"),
        (index({"weight_map": {"a": 5}}), "it names no files"),
        (index({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}), "1.safetensors and 1 other files"),
        (both(without("model.safetensors"), overwrite(LFS, "pytorch_model.bin")), "Git LFS pointer"),
        (both(without("model.safetensors"), overwrite(b"PK\x03\x04", "pytorch_model.bin")), "cut short"),
        (both(without("model.safetensors"), overwrite(b"", "pytorch_model.bin")), "empty"),
        (both(without("model.safetensors"), overwrite(b"GGUF", "q4.gguf")), "GGUF"),
        (both(without("model.safetensors"), overwrite(b"", "model.onnx")), "ONNX"),
        (both(without("model.safetensors", "config.json"), overwrite(b"GGUF", "q4.GGUF")), "GGUF"),
        (without("preprocessor_config.json"), "preprocessor_config.json is missing"),
        (overwrite(LFS, "preprocessor_config.json"), "Git LFS pointer"),
        (overwrite(b"[1]", "preprocessor_config.json"), "preprocessor_config.json"),
        (overwrite(b"", "preprocessor_config.json"), "preprocessor_config.json cannot be read"),
        (without("tokenizer.json"), "tokenizer.json is missing"),
        (overwrite(LFS, "tokenizer.json"), "tokenizer.json is a Git LFS pointer"),
        (overwrite(b"{", "tokenizer.json"), "tokenizer.json cannot be read"),
        (overwrite(b"{", "tokenizer_config.json"), "tokenizer_config.json cannot be read"),
        (without("chat_template.jinja"), "no chat template"),
        (overwrite(LFS, "config.json"), "config.json is a Git LFS pointer"),
        (overwrite(b"[" * 100_000, "config.json"), "config.json"),
        (overwrite(b"\xff\xfe{", "config.json"), "config.json"),
        (config(model_type=None), "model_type is missing"),
        (config(quantization_config={"quant_method": "fp8"}), "quantised when it was saved (FP8)"),
        (config(quantization_config={"bits": 4}), "quantised when it was saved"),
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
        ("", "no model given"),
        ("x" * 5000, "not on this machine"),
    ):
        with pytest.raises(UserError, match=words):
            require_base(path, offline=True)


def test_a_file_or_the_folder_above_says_what_to_give(model: Path, tmp_path: Path) -> None:
    (tmp_path / "q4.gguf").write_bytes(b"GGUF")
    snapshot = tmp_path / "models--Qwen--Qwen2-VL-2B-Instruct" / "snapshots" / "0a1b"
    shutil.copytree(model, snapshot)
    for path, words in (
        (model / "model.safetensors", "Give the folder in which config.json lies"),
        (tmp_path / "q4.gguf", "a file of GGUF weights"),
        (snapshot.parent.parent, f"Give the folder in it: {snapshot}"),
        (snapshot.parent, f"Give the folder in it: {snapshot}"),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            require_base(str(path), offline=True)


def test_weights_that_may_not_be_read_are_one_sentence(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(model_folder, "_fault_of", refuse)
    with pytest.raises(UserError, match=r"model\.safetensors cannot be read: Permission denied"):
        require_base(str(model), offline=True)


def test_four_bits_without_their_library_say_so(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config(quantization_config={"quant_method": "bitsandbytes"})(model)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs bitsandbytes"):
        require_base(str(model), offline=True)


def test_a_chat_template_is_found_where_processors_once_kept_it(model: Path) -> None:
    assert model_folder.kept_chat_template(model) is None
    (model / "chat_template.json").write_text('{"chat_template": "{{ messages }}"}')
    assert model_folder.kept_chat_template(model) == "{{ messages }}"
    (model / "chat_template.json").write_text("[]")
    assert model_folder.kept_chat_template(model) is None


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
