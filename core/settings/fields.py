"""What a setting is: a dataclass field that carries its default, unit, range and one sentence of help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


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
    """A dataclass field that carries all that a form, a command line and a manual need to know of a setting."""
    about = {"help": help, "low": low, "high": high, "choices": tuple(choices), "unit": unit, "label": label}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class SettingField:
    """One setting as a form or a manual wants it: `path` is `lora.rank`, `type` one of bool, int, float, str."""

    path: str
    type: type
    default: Any
    help: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    unit: str
    label: str


def convert(one: SettingField, value: Any) -> tuple[Any, str]:
    """(value of the declared type, "") or (None, what is wrong with it)."""
    if one.type is bool:
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
    if one.type in (int, float):
        try:
            # PyYAML reads 1e-4 as a string, and a form hands whole numbers over as floats.
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError, OverflowError):
            return None, f"{value!r} is not a number"
        if not math.isfinite(number):
            return None, f"{value!r} is not a finite number"
        if one.type is int and number != int(number):
            return None, f"{value!r} is not a whole number"
        if (one.low is not None and number < one.low) or (one.high is not None and number > one.high):
            return None, f"{value} is outside {one.low:g} to {one.high:g}"
        return one.type(number), ""
    text = "" if value is None else str(value)
    if one.choices and text not in one.choices:
        return None, f"{text!r} is not one of {', '.join(one.choices)}"
    return text, ""
