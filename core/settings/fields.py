"""Settings as dataclass fields that carry their default, unit, range and a help text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import yaml

from core.settings.yaml_text import load_yaml


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    unit: str = "",
    label: str = "",
) -> Any:
    """Declare a setting: a dataclass field with all that a form, a command line and a manual need.

    Args:
        default: Its value when nothing else is given; also decides its type.
        help: One or two sentences for the user.
        low: The smallest number allowed; None for no limit.
        high: The largest number allowed; None for no limit.
        choices: The texts allowed; () for any.
        unit: The unit of a number, such as px.
        label: Its name in a form; "" derives one from the field's name.
    """
    metadata = {"help": help, "low": low, "high": high, "choices": tuple(choices), "unit": unit, "label": label}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class SettingField:
    """One setting as a form, a command line or a manual needs it; other fields as for `setting`.

    Attributes:
        path: Its dotted name, such as `lora.rank`.
        type: bool, int, float, str or dict; a dict holds a number for each name, within `low` and `high`.
    """

    path: str
    type: type
    default: Any
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    label: str


def fields_of(settings: type) -> Iterator[SettingField]:
    """Every setting of a dataclass whose fields are groups of settings, in the order of declaration."""
    for group in dataclasses.fields(settings):
        section = get_type_hints(settings)[group.name]
        hints, defaults = get_type_hints(section), section()
        for entry in dataclasses.fields(section):
            metadata = dict(entry.metadata)
            metadata["label"] = metadata["label"] or entry.name.replace("_", " ").capitalize()
            default = getattr(defaults, entry.name)
            kind = dict if isinstance(default, dict) else hints[entry.name]
            yield SettingField(path=f"{group.name}.{entry.name}", type=kind, default=default, **metadata)


def convert(setting_field: SettingField, value: Any) -> tuple[Any, str]:
    """Convert a value from a file, a form or a command line to a setting's type.

    Returns:
        (converted value, ""), or (None, what is wrong with it).
    """
    if setting_field.type is dict:
        return _numbers(setting_field, value)
    if setting_field.type is bool:
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
        if isinstance(value, bool):
            return value, ""
        found = words.get(str(value).strip().lower())
        return (found, "") if found is not None else (None, f"{value!r} is neither true nor false")
    if setting_field.type in (int, float):
        return (None, "no number is given") if value is None or value == "" else number(setting_field, value)
    text = "" if value is None else str(value)
    if setting_field.choices and text not in setting_field.choices:
        return None, f"{text!r} is not one of {', '.join(setting_field.choices)}"
    return text, ""


def fault_of(setting_field: SettingField, value: Any) -> str:
    """What is wrong with a value and how to cure it, as a form says it under the field; "" when it is allowed."""
    fault = convert(setting_field, value)[1]
    return f"{fault[:1].upper()}{fault[1:]}. {cure(setting_field, setting_field.type)}" if fault else ""


def cure(setting_field: SettingField, kind: type) -> str:
    """The values that a setting allows, as a sentence; `kind` is its type, or that of one of a dict's numbers."""
    if setting_field.choices:
        return f"Give one of {', '.join(setting_field.choices)}."
    low, high = setting_field.low, setting_field.high
    span = f" between {low:g} and {high:g}" if low is not None and high is not None else ""
    plain = {int: "a whole number", float: "a number", str: "a text", bool: "a true or false"}
    plain[dict] = "names with a number each, such as {name: 2, other name: 4}, each"
    return f"Give {plain[kind]}{span}."


def number(setting_field: SettingField, value: Any) -> tuple[Any, str]:
    """What `convert` does for a number; for a setting that is a dict, of one of its numbers."""
    try:
        # PyYAML reads 1e-4 as a string, and a form hands whole numbers over as floats.
        found = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        return None, f"{value!r} is not a number"
    if not math.isfinite(found):
        return None, f"{value!r} is not a finite number"
    if setting_field.type is int and found != int(found):
        return None, f"{value!r} is not a whole number"
    if (setting_field.low is not None and found < setting_field.low) or (
        setting_field.high is not None and found > setting_field.high
    ):
        return None, f"{value} is outside {setting_field.low:g} to {setting_field.high:g}"
    return (int(found) if setting_field.type is int else found), ""


def _numbers(setting_field: SettingField, value: Any) -> tuple[Any, str]:
    """What `convert` does for a dict: from a mapping, or from text such as `loose: 2, broken: 4`."""
    if isinstance(value, str):
        try:
            value = load_yaml(value if value.strip().startswith("{") else f"{{{value}}}")
        except yaml.YAMLError:
            return None, f"{value!r} is no list of names with numbers"
    if not isinstance(value, Mapping):
        return None, f"{value!r} is no list of names with numbers"
    found = {str(name): number(setting_field, given) for name, given in value.items()}
    faults = [f"{name}: {fault}" for name, (_, fault) in found.items() if fault]
    return (None, "; ".join(faults)) if faults else ({name: given for name, (given, _) in found.items()}, "")


def words_of(numbers: Mapping[str, float]) -> str:
    """A dict of numbers as text that `convert` reads: `loose: 2, broken: 4`."""
    return ", ".join(f"{name}: {value:g}" for name, value in numbers.items())
