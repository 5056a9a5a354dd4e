"""Columns and attributes beside the class name: those that name type or condition are used, the others listed.

It is decided over all objects of a data set, never for one of them: a column counts where at least half of its values
are types, conditions or classes of the taxonomy. What class name and columns say together must be one thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.data.formats.base import RawObject
from core.data.notes import IGNORED, INFERRED, Notes
from core.errors import Problem
from core.taxonomy import Taxonomy, key_of
from core.units import counted

# What tools write about the drawing, not about the thing drawn; a word like "no" in them is no condition.
ABOUT_DRAWING = frozenset(
    ("occluded", "truncated", "difficult", "iscrowd", "outside", "keyframe", "rotation", "pose", "zorder", "trackid")
    + ("groupid", "id", "ignore", "area", "confidence", "score", "source", "depth")
)
SAYS_NOTHING = frozenset(("", "0", "0.0", "-1", "false", "none", "nan", "null", "unspecified", "__undefined__"))
NOT_TICKED = frozenset(("0", "0.0", "false"))
ENOUGH = 0.5  # of a column's values must mean something in the taxonomy
SHOWN = 4  # values that a sentence quotes


@dataclass(frozen=True)
class Meaning:
    """What a text says of an object: its type, its condition, or both."""

    object_type: str | None
    condition: str | None


def meaning_of(text: str, taxonomy: Taxonomy) -> Meaning | None:
    """What a class name or a value says; None when it is no word of the taxonomy."""
    if kind := taxonomy.read_type(text):
        return Meaning(kind, None)
    if pair := taxonomy.read_class(text):
        return Meaning(*pair)
    condition = taxonomy.read_condition(text)
    return Meaning(None, condition) if condition else None


class AttributeReader:
    """Reads classes from class names and attributes.

    Attributes:
        used: names of the attributes that say type or condition.
    """

    def __init__(self, objects: Iterable[RawObject], taxonomy: Taxonomy) -> None:
        """Decide over all objects of a data set which attributes count."""
        self._taxonomy = taxonomy
        self._known: dict[str, Meaning | None] = {}
        values: dict[str, Counter[str]] = {}
        first: dict[str, str] = {}
        for obj in objects:
            for name, value in obj.attributes:
                if value.strip().casefold() not in SAYS_NOTHING:
                    values.setdefault(name, Counter())[value.strip()] += 1
                    first.setdefault(name, obj.source)
        self.used = tuple(name for name, found in values.items() if self._counts(name, found))
        self._of_columns = tuple(_note(name, values[name], first[name], name in self.used) for name in values)
        self._stated = frozenset(
            name for name in self.used for value in values[name] if _condition(self._value(name, value))
        )
        self._assumed = Notes()

    @property
    def notes(self) -> tuple[Problem, ...]:
        """A hint for each attribute, used or not, and for objects of which the attributes left the condition open."""
        return (*self._of_columns, *self._assumed.problems())

    def read(self, obj: RawObject) -> tuple[str, str] | Problem | None:
        """Type and condition of an object.

        Args:
            obj: as its label file has it.

        Returns:
            Both; None when its class name is no class and no attribute tells; a problem when class name and attributes
            disagree, or one of them is unknown.
        """
        meanings = {"class": self._meaning(obj.class_name)}
        words = {"class": obj.class_name}
        for name, value in obj.attributes:
            value = value.strip()
            if name not in self.used or value.casefold() in SAYS_NOTHING:
                continue
            words[name], meanings[name] = value, self._value(name, value)
            if meanings[name] is None:
                what = f"{value!r} in {name} is no condition of {self._taxonomy.name}"
                return Problem(
                    what, obj.source, f"Use one of: {', '.join(self._taxonomy.conditions)}.", "unknown-class"
                )
        if meanings["class"] is None and obj.class_name:
            return None
        kinds = {found.object_type for found in meanings.values() if found and found.object_type}
        conditions = {found.condition for found in meanings.values() if found and found.condition}
        if len(kinds) > 1 or len(conditions) > 1:
            listed = " and ".join(f"{name} says {word!r}" for name, word in words.items() if word)
            return Problem(listed, obj.source, "Correct the one that is wrong.", "contradiction")
        if not kinds:
            return None
        kind = kinds.pop()
        if not conditions and self._leaves_open(obj) and len(self._taxonomy.allowed[kind]) > 1:
            how = f"without a condition, taken as {self._taxonomy.allowed[kind][0]}"
            self._assumed.inferred("object", how, obj.source)
        condition = conditions.pop() if conditions else self._taxonomy.allowed[kind][0]
        if condition not in self._taxonomy.allowed[kind]:
            fix = f"Use one of: {', '.join(self._taxonomy.allowed[kind])}."
            return Problem(f"{kind} is never {condition}", obj.source, fix, "unknown-class")
        return kind, condition

    def _leaves_open(self, obj: RawObject) -> bool:
        """Whether attributes that state conditions say nothing of an object; one that is not ticked says no."""
        values = [value.strip().casefold() for name, value in obj.attributes if name in self._stated]
        return bool(self._stated) and not any(value in NOT_TICKED for value in values)

    def _counts(self, name: str, found: Mapping[str, int]) -> bool:
        if key_of(name) in ABOUT_DRAWING:
            return False
        known = sum(count for value, count in found.items() if self._value(name, value))
        return known >= ENOUGH * sum(found.values())

    def _value(self, name: str, value: str) -> Meaning | None:
        # A tick at an attribute `blocked` says blocked.
        return self._meaning(name if value.casefold() in ("true", "yes", "1") else value) or self._meaning(value)

    def _meaning(self, text: str) -> Meaning | None:
        if text not in self._known:
            self._known[text] = meaning_of(text, self._taxonomy)
        return self._known[text]


def _condition(meaning: Meaning | None) -> str | None:
    return meaning.condition if meaning else None


def _note(name: str, values: Counter[str], where: str, used: bool) -> Problem:
    quoted = ", ".join(value[:30] for value, _ in values.most_common(SHOWN)) + (" …" if len(values) > SHOWN else "")
    objects = counted(sum(values.values()), "object")
    if used:
        return Problem(f"{name} gives the class of {objects} ({quoted})", where, "", INFERRED)
    return Problem(f"{name} is not used ({objects}: {quoted})", where, "", IGNORED)
