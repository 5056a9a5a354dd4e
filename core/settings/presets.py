"""Settings as YAML files: the shipped presets, by name, and users' own files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from core.errors import UserError
from core.settings.merge import merge, to_dict
from core.settings.schema import Settings
from core.settings.yaml_text import MOST_CHARACTERS, YamlLimitError, load_yaml

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# Models that come along, by name; each has a preset of its own.
SHIPPED_MODELS = ("demo", "demo-photos")
# From these on a model takes the preset of the 7B models. Widths: 2B and 3B have 1,536 to 2,048, 4B 2,560, 7B 3,584.
LARGE_HIDDEN_SIZE, LARGE_BILLIONS = 3584, 7


def config_path(name: str | Path) -> Path:
    """The path of a config file, given as a path or as the name of a shipped config.

    Raises:
        UserError: There is no such file.
    """
    given = Path(name)
    for candidate in (given, CONFIGS / given, CONFIGS / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    shipped = ", ".join(presets())
    raise UserError("no such config file", str(name), f"Give a YAML file, or one of: {shipped}.", "setting")


def presets() -> tuple[str, ...]:
    """Names of the shipped presets, the demo's first."""
    names = sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem != "taxonomy")
    return tuple(sorted(names, key=lambda name: (name != "demo", name)))


def preset_for(model: str) -> str:
    """The name of the preset that suits a model (a shipped name, a hub id or a folder); "" when it is not shipped."""
    name = model if model in SHIPPED_MODELS else f"qwen2vl-{'7b' if _is_large(model) else '2b'}-lora"
    return name if name in presets() else ""


def _is_large(model: str) -> bool:
    """Whether a model has about 7 billion weights or more: by the width in its config, else by its name."""
    width = _hidden_size(Path(model).expanduser() / "config.json")
    if width is not None:
        return width >= LARGE_HIDDEN_SIZE
    # A size stands by itself in a name: Qwen2-VL-7B-Instruct, qwen2vl-7b. Of 30B-A3B the first counts: all are stored.
    sizes = re.findall(
        r"(?<![a-z0-9.])(\d+(?:\.\d+)?)b(?![a-z0-9])", model.replace("\\", "/").rsplit("/", 1)[-1].lower()
    )
    return bool(sizes) and float(sizes[0]) >= LARGE_BILLIONS


def _hidden_size(config: Path) -> int | None:
    """The width of a model's language layers from its config.json; None when the file lacks it or does not exist."""
    try:
        found = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    language = found.get("text_config", found) if isinstance(found, dict) else {}
    width = language.get("hidden_size") if isinstance(language, dict) else None
    return width if isinstance(width, int) else None


def read_yaml(path: Path, as_text: bool = False) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Args:
        path: Of the file.
        as_text: Whether every value stays the text that it is written as: no, null and 1.10 are names as well.

    Raises:
        UserError: It cannot be read, is not valid YAML (names the line), exceeds a limit of `load_yaml`, or holds
            something else.
    """
    try:
        with path.open(encoding="utf-8") as file:
            tree = load_yaml(file.read(MOST_CHARACTERS + 1), as_text)
    except YamlLimitError as error:
        raise UserError(str(error), str(path), "Write it out, with less of it.", "setting") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path} line {mark.line + 1}" if mark else str(path)
        raise UserError("this is not valid YAML", where, "Check the indentation and the quotes.", "setting") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("this file cannot be read", str(path), "Save it as UTF-8 text.", "setting") from error
    if not isinstance(tree, dict | None):
        raise UserError("settings expected, something else found", str(path), "Write lines like lora: {rank: 8}.")
    return tree or {}


def load(name: str | Path, base: Settings | None = None) -> Settings:
    """Read settings from a YAML file.

    Args:
        name: The file, or a preset's name.
        base: The settings that the file changes; None means the defaults.

    Raises:
        UserError: There is no such file, or something in it is wrong.
    """
    path = config_path(name)
    return merge(base or Settings(), read_yaml(path), str(path))


def save(settings: Settings, path: Path) -> None:
    """Write the complete settings as YAML.

    Raises:
        OSError: The file cannot be written.
    """
    path.write_text(yaml.safe_dump(to_dict(settings), sort_keys=False, allow_unicode=True), encoding="utf-8")
