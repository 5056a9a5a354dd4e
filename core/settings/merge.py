"""Settings from mappings, nested or dotted, and back again: every problem is told at once, with its cure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from core.errors import Problem, UserError
from core.settings.fields import convert
from core.settings.schema import FIELDS, Settings


def flatten(tree: Mapping[str, Any], where: str = "") -> tuple[dict[str, Any], list[Problem]]:
    """A nested or dotted mapping as {"lora.rank": 8, …}, with a problem for every group that is not a mapping."""
    flat: dict[str, Any] = {}
    problems: list[Problem] = []
    groups = {entry.name for entry in dataclasses.fields(Settings)}
    for key, value in tree.items():
        name = str(key)
        if name in groups and isinstance(value, Mapping):
            flat.update({f"{name}.{inner}": deep for inner, deep in value.items()})
        elif name in groups:
            problems.append(
                Problem(
                    f"{name} holds {value!r}, not a group of settings",
                    where,
                    f"Write {name}: and its settings indented below it.",
                    "setting",
                )
            )
        else:
            flat[name] = value
    return flat, problems


def _unknown(path: str, where: str) -> Problem:
    near = difflib.get_close_matches(path, FIELDS, n=1) or [
        one for one in FIELDS if difflib.get_close_matches(path.split(".")[-1], [one.split(".")[-1]], cutoff=0.75)
    ]
    fix = f"Did you mean {near[0]}?" if near else "List all settings with: damgui train --help-settings"
    return Problem(f"{path}: no such setting", where, fix, "setting")


def merge(base: Settings, changes: Mapping[str, Any], where: str = "") -> Settings:
    """`base` with `changes` (nested or dotted). Raises UserError naming every problem at once."""
    flat, problems = flatten(changes, where)
    good: dict[str, Any] = {}
    for path, value in flat.items():
        one = FIELDS.get(path)
        if one is None:
            problems.append(_unknown(path, where))
            continue
        converted, wrong = convert(one, value)
        if wrong:
            span = f" between {one.low:g} and {one.high:g}" if one.low is not None and one.high is not None else ""
            plain = {int: "whole number", float: "number", str: "text", bool: "true or false"}[one.type]
            cure = f"one of {', '.join(one.choices)}" if one.choices else f"a {plain}{span}"
            problems.append(Problem(f"{path}: {wrong}", where, f"Give {cure}.", "setting"))
        else:
            good[path] = converted
    if problems:
        raise UserError.of(problems)
    sections = {}
    for entry in dataclasses.fields(Settings):
        mine = {path.split(".", 1)[1]: value for path, value in good.items() if path.startswith(entry.name + ".")}
        sections[entry.name] = dataclasses.replace(getattr(base, entry.name), **mine)
    return Settings(**sections)


def from_dict(tree: Mapping[str, Any], where: str = "") -> Settings:
    return merge(Settings(), tree, where)


def to_dict(settings: Settings) -> dict[str, dict[str, Any]]:
    return dataclasses.asdict(settings)


def to_flat(settings: Settings) -> dict[str, Any]:
    """{"lora.rank": 16, …} for every setting."""
    return flatten(to_dict(settings))[0]
