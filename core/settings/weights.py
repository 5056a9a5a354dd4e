"""The setting of condition weights: given all at once or one by one, and under the keys of older files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PATH = "enhance.condition_weights"
# Once these were two settings of the dam, with these defaults. Files with the shipped taxonomy keep them, so that older
# versions read newer files. A value at its default means the taxonomy's own weight.
FORMER = {"enhance.blocked_weight": ("blocked", 2.0), "enhance.damaged_weight": ("damaged", 1.5)}
DEFAULTS = dict(FORMER.values())


def name_in(path: str) -> str:
    """The condition whose weight a path sets (`enhance.condition_weights.loose`, a former key); "" for other paths."""
    return FORMER[path][0] if path in FORMER else path[len(PATH) + 1 :] if path.startswith(f"{PATH}.") else ""


def joined(weights: Mapping[str, float], single: Mapping[str, float], shipped_taxonomy: bool) -> dict[str, float]:
    """`weights` with single ones set, without those that only repeat the taxonomy's own.

    Args:
        weights: {condition: weight}.
        single: {path: weight}, each path as for `name_in`.
        shipped_taxonomy: Whether the settings use the shipped taxonomy, to whose conditions former defaults apply.
    """
    found = {**weights, **{name_in(path): weight for path, weight in single.items()}}
    same = DEFAULTS if shipped_taxonomy else dict(FORMER[path] for path in single if path in FORMER)
    return {name: weight for name, weight in found.items() if same.get(name) != weight}


def to_stored(weights: Mapping[str, float], shipped_taxonomy: bool) -> dict[str, Any]:
    """The weights as entries of the group `enhance` in a file; with the shipped taxonomy, former keys are used."""
    if not shipped_taxonomy:
        return {"condition_weights": dict(weights)}
    former = {path.split(".")[1]: weights.get(name, default) for path, (name, default) in FORMER.items()}
    others = {name: weight for name, weight in weights.items() if name not in DEFAULTS}
    return former | ({"condition_weights": others} if others else {})
