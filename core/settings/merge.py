"""Settings from nested or dotted mappings, and back again; all problems are reported at once, each with its cure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from core.errors import Problem, UserError
from core.settings import weights
from core.settings.fields import convert, cure, number
from core.settings.schema import FIELDS, Settings


def flatten(tree: Mapping[str, Any], where: str = "") -> tuple[dict[str, Any], list[Problem]]:
    """Turn a nested or dotted mapping into a dotted one.

    Args:
        tree: Such as {"lora": {"rank": 8}} or {"lora.rank": 8}; names are not checked.
        where: The file or flag that it is from, for the problems.

    Returns:
        ({"lora.rank": 8, …}, a problem for every group that is not a mapping).
    """
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
        known for known in FIELDS if difflib.get_close_matches(path.split(".")[-1], [known.split(".")[-1]], cutoff=0.75)
    ]
    fix = f"Did you mean {near[0]}?" if near else "List all settings with: damgui train --help-settings"
    return Problem(f"{path}: no such setting", where, fix, "setting")


def merge(base: Settings, changes: Mapping[str, Any], where: str = "") -> Settings:
    """`base` with changes.

    Args:
        base: The settings to start from.
        changes: A nested or dotted mapping (see `flatten`); values may be text.
        where: The file or flag that the changes are from, for the error's text.

    Raises:
        UserError: A name is unknown or a value not allowed; it names all problems at once.
    """
    flat, problems = flatten(changes, where)
    good: dict[str, Any] = {}
    single: dict[str, float] = {}
    for path, value in flat.items():
        named = weights.name_in(path)
        field = FIELDS.get(weights.PATH if named else path)
        if field is None:
            problems.append(_unknown(path, where))
            continue
        converted, fault = number(field, value) if named else convert(field, value)
        if fault:
            problems.append(Problem(f"{path}: {fault}", where, cure(field, float if named else field.type), "setting"))
        elif named:
            single[path] = converted
        else:
            good[path] = converted
    if problems:
        raise UserError.of(problems)
    given = good.get(weights.PATH, base.enhance.condition_weights)
    good[weights.PATH] = weights.joined(given, single, not good.get("data.taxonomy", base.data.taxonomy))
    sections = {}
    for entry in dataclasses.fields(Settings):
        mine = {path.split(".", 1)[1]: value for path, value in good.items() if path.startswith(entry.name + ".")}
        sections[entry.name] = dataclasses.replace(getattr(base, entry.name), **mine)
    return Settings(**sections)


def from_dict(tree: Mapping[str, Any], where: str = "") -> Settings:
    """The default settings with the changes in `tree`; arguments and errors as for `merge`."""
    return merge(Settings(), tree, where)


def to_dict(settings: Settings) -> dict[str, dict[str, Any]]:
    """The settings as nested plain values, as files hold them."""
    tree = dataclasses.asdict(settings)
    stored = weights.to_stored(settings.enhance.condition_weights, not settings.data.taxonomy)
    enhance: dict[str, Any] = {}
    for name, value in tree["enhance"].items():
        enhance |= stored if name == "condition_weights" else {name: value}
    return tree | {"enhance": enhance}


def to_flat(settings: Settings) -> dict[str, Any]:
    """All settings as {"lora.rank": 16, …}."""
    return flatten(dataclasses.asdict(settings))[0]


def stored_flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file as {"lora.rank": 16, …}; another version may have written it, so nothing is checked."""
    flat, _ = flatten(tree)
    former = {path: flat.pop(path) for path in weights.FORMER if path in flat}
    if former or weights.PATH in flat:
        flat[weights.PATH] = weights.joined(flat.get(weights.PATH) or {}, former, not flat.get("data.taxonomy"))
    return flat
