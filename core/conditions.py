"""The conditions of an object: how grave they are, which raise an alarm, and their colour, mark and weight."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEYS = ("alarm", "colour", "mark", "weight")
LEAST_WEIGHT, MOST_WEIGHT = 0.1, 100.0
UNSURE_SIGN = "?"

# Each mark as a sign for text and as corners for photos (the fonts that come along lack these signs). Corners lie in a
# square from -1 to 1, y down; several shapes make one mark; none is a disc.
Corners = tuple[tuple[float, float], ...]
_SQUARE: Corners = ((-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85))
_STROKE: Corners = ((-1, -0.7), (-0.7, -1), (1, 0.7), (0.7, 1))
MARKS: Mapping[str, tuple[str, tuple[Corners, ...]]] = {
    "disc": ("●", ()),
    "triangle": ("▲", (((0, -1), (1, 1), (-1, 1)),)),
    "cross": ("✕", (_STROKE, tuple((-x, y) for x, y in _STROKE))),
    "square": ("■", (_SQUARE,)),
    "diamond": ("◆", (((1, 0), (0, 1), (-1, 0), (0, -1)),)),
    "wedge": ("▼", (((-1, -1), (1, -1), (0, 1)),)),
    "bar": ("▬", (((-1, -0.4), (1, -0.4), (1, 0.4), (-1, 0.4)),)),
    "pointer": ("▶", (((-1, -1), (1, 0), (-1, 1)),)),
}
# For conditions that name none: distinct by lightness for colour-blind readers, legible on light and dark alike.
COLOURS = ("#14918a", "#e0a11b", "#c9374a", "#7d5fc4", "#2f8fc9", "#a8602c", "#c45c9b", "#6f8f2f")


@dataclass(frozen=True)
class Condition:
    """One condition and how it is shown everywhere.

    Attributes:
        name: The name that the taxonomy gives it.
        alarm: Whether an object in this condition needs attention.
        colour: `#rrggbb`.
        mark: A key of MARKS.
        weight: Its factor in the training loss when condition weighting is on.
    """

    name: str
    alarm: bool
    colour: str
    mark: str
    weight: float = 1.0

    @property
    def sign(self) -> str:
        """The mark as one character of text."""
        return MARKS[self.mark][0]


# How a type is shown that is only observed (it has no good or bad state), and a name that no taxonomy knows.
PRESENT = Condition("present", False, "#7b8794", "bar")


def unknown(name: str) -> Condition:
    """A condition that no taxonomy knows: shown in grey, raises no alarm."""
    return Condition(name, False, "#7b8794", "diamond")


def from_names(names: Sequence[str], defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Condition]:
    """Build conditions from names alone, from the least grave to the gravest; `defaults` as for `read_conditions`."""
    return read_conditions({name: {} for name in names}, defaults, lambda what, fix: None)


def read_conditions(
    given: Mapping[str, Mapping[str, Any]],
    defaults: Mapping[str, Mapping[str, Any]],
    report: Callable[[str, str], None],
) -> dict[str, Condition]:
    """Build conditions from {name: {alarm, colour, mark, weight}} and fill in what is left out.

    Where `alarm` is left out, every condition but the first raises one.

    Args:
        given: The conditions as a taxonomy file holds them, from the least grave to the gravest.
        defaults: Colours, marks and weights for conditions of the same name that leave them out.
        report: Called with (what is wrong, how to cure it) for every fault; faulty values count as left out.

    Returns:
        {name: condition} in the order of `given`. Colours and marks are distinct as long as there are enough of them.
    """
    checked = {name: _checked(name, details, report) for name, details in given.items()}
    for key in ("colour", "mark"):
        values = [details[key] for details in checked.values() if key in details]
        for value in sorted({value for value in values if values.count(value) > 1}):
            same = [name for name, details in checked.items() if details.get(key) == value]
            report(f"{' and '.join(same)} have the same {key}", f"Give each a {key} of its own.")
    styles = {
        name: {key: value for key, value in defaults.get(name, {}).items() if key in KEYS and key != "alarm"} | details
        for name, details in checked.items()
    }
    colours = _chosen([details.get("colour") for details in styles.values()], COLOURS)
    marks = _chosen([details.get("mark") for details in styles.values()], tuple(MARKS))
    return {
        name: Condition(name, details.get("alarm", place > 0), colours[place], marks[place], details.get("weight", 1.0))
        for place, (name, details) in enumerate(styles.items())
    }


def _checked(name: str, details: Mapping[str, Any], report: Callable[[str, str], None]) -> dict[str, Any]:
    """The valid values; `report` is called for each of the others."""
    valid: dict[str, Any] = {}
    for key, value in details.items():
        if key == "alarm" and not isinstance(value, bool):
            report(f"{name}: alarm is {value!r}, neither true nor false", "Write alarm: true or alarm: false.")
        elif key == "colour" and not re.fullmatch(r"#[0-9a-fA-F]{6}", str(value)):
            report(
                f"{name}: {value!r} is no colour", 'Write colour: "#14918a", in quotes: red, green, blue as hex digits.'
            )
        elif key == "mark" and not (isinstance(value, str) and value in MARKS):
            report(f"{name}: {value!r} is no mark", f"Use one of: {', '.join(MARKS)}.")
        elif key == "weight" and not _is_weight(value):
            cure = f"Give a number between {LEAST_WEIGHT:g} and {MOST_WEIGHT:g}."
            report(f"{name}: the weight {value!r} is no number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}", cure)
        elif key in KEYS:
            valid[key] = float(value) if key == "weight" else value.lower() if key == "colour" else value
        elif key != "spellings":
            report(f"{name}: nothing is known of {key!r}", f"A condition has: spellings, {', '.join(KEYS)}.")
    return valid


def _is_weight(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and LEAST_WEIGHT <= value <= MOST_WEIGHT


def _chosen(given: Sequence[str | None], choices: Sequence[str]) -> list[str]:
    """`given` with each None replaced by an unused choice; once all choices are used, they are reused in turn."""
    free = [choice for choice in choices if choice not in given]
    gaps = [place for place, entry in enumerate(given) if entry is None]
    fill = {place: (free or choices)[number % len(free or choices)] for number, place in enumerate(gaps)}
    return [fill.get(place) or str(entry) for place, entry in enumerate(given)]
