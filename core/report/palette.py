"""Colour and mark of every condition, the same on the page, in reports and on annotated photos."""

from __future__ import annotations

from collections.abc import Sequence

# Fill colours of the conditions: told apart by colour-blind eyes through lightness, readable on light and dark alike.
CONDITION_FILL = {"normal": "#14918a", "blocked": "#e0a11b", "damaged": "#c9374a"}
CONDITION_MARK = {"normal": "●", "blocked": "▲", "damaged": "✕"}
OTHER_FILL = "#7b8794"  # a condition of another inspection domain
OTHER_MARK = "◆"
UNSURE_MARK = "?"


def condition_fill(condition: str) -> str:
    return CONDITION_FILL.get(condition, OTHER_FILL)


def condition_mark(condition: str) -> str:
    return CONDITION_MARK.get(condition, OTHER_MARK)


def condition_of(class_name: str, conditions: Sequence[str] = tuple(CONDITION_FILL)) -> str:
    """The condition in "toe drain blocked"; its last word where none is known."""
    return next((one for one in conditions if class_name.endswith(f" {one}")), class_name.rsplit(" ", 1)[-1])
