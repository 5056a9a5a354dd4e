"""Attributes beside a class name: over the whole set, those that say the class are used and the others told."""

from __future__ import annotations

import itertools

import pytest

from core import taxonomy as taxonomies
from core.data.attributes import AttributeReader
from core.data.formats.base import PIXELS, RawObject
from core.errors import Problem

TAXONOMY = taxonomies.load()


def obj(class_name: str, **attributes: str) -> RawObject:
    return RawObject(class_name, (0, 0, 9, 9), PIXELS, "t.csv line 2", tuple(attributes.items()))


def read(*objects: RawObject) -> list[tuple[str, str] | str | None]:
    reader = AttributeReader(objects, TAXONOMY)
    found = [reader.read(one) for one in objects]
    return [f"{one.kind}: {one.what}" if isinstance(one, Problem) else one for one in found]


@pytest.mark.parametrize(
    ("objects", "classes"),
    [
        ([obj("toe drain", status="blocked")], [("toe drain", "blocked")]),
        ([obj("Toe Drain", Zustand="Clogged")], [("toe drain", "blocked")]),
        ([obj("toe drain blocked", status="blocked")], [("toe drain", "blocked")]),
        ([obj("damaged", object="rock toe")], [("rock toe", "damaged")]),
        ([obj("", object="rock toe", state="damaged")], [("rock toe", "damaged")]),
        ([obj("toe drain", category="toe drain blocked")], [("toe drain", "blocked")]),
        ([obj("toe drain", blocked="true")], [("toe drain", "blocked")]),
        ([obj("toe drain", blocked="false")], [("toe drain", "normal")]),
        ([obj("toe drain", status="nan")], [("toe drain", "normal")]),
        ([obj("toe drain", occluded="damaged")], [("toe drain", "normal")]),
        (
            [obj("toe drain", crew="north"), obj("toe drain", crew="blocked"), obj("toe drain", crew="south")],
            [("toe drain", "normal")] * 3,
        ),
        ([obj("spillway", status="blocked")], [None]),
        ([obj("blocked", crew="north")], [None]),
    ],
)
def test_class_and_attributes_are_read_together(
    objects: list[RawObject], classes: list[tuple[str, str] | None]
) -> None:
    assert read(*objects) == classes


@pytest.mark.parametrize(
    ("objects", "said"),
    [
        ([obj("toe drain normal", status="blocked")], ["class says 'toe drain normal'", "status says 'blocked'"]),
        ([obj("toe drain normal", category="toe drain blocked")], ["category says 'toe drain blocked'"]),
        ([obj("toe drain", a="blocked", b="damaged")], ["a says 'blocked' and b says 'damaged'"]),
        ([obj("toe drain", object="rock toe")], ["object says 'rock toe'"]),
        ([obj("rock toe", status="blocked")], ["rock toe is never blocked"]),
        ([obj("toe drain", status="blocked"), obj("toe drain", status="lost")], ["'lost' in status is no condition"]),
    ],
)
def test_what_disagrees_is_told_with_both_words(objects: list[RawObject], said: list[str]) -> None:
    last = str(read(*objects)[-1])
    assert [part for part in said if part not in last] == []


def test_every_attribute_is_told_once_with_its_values() -> None:
    objects = [obj("toe drain", status="blocked", crew=crew, truncated="0") for crew in ("north", "south", "north")]
    notes = {note.what: note.kind for note in AttributeReader(objects, TAXONOMY).notes}
    assert notes == {
        "status gives the class of 3 objects (blocked)": "inferred",
        "crew is not used (3 objects: north, south)": "ignored-input",
    }


@pytest.mark.parametrize(("kind", "condition"), TAXONOMY.classes)
def test_wherever_the_condition_stands_the_class_is_the_same(kind: str, condition: str) -> None:
    """All ways of writing one class over name and column: none of them may give another class."""
    words = {"class": (kind, f"{kind} {condition}", ""), "a": (kind, condition, f"{condition} {kind}", "")}
    for name, value in itertools.product(*words.values()):
        if kind in f"{name}{value}" and condition in f"{name}{value}":
            assert read(obj(name, a=value)) == [(kind, condition)], (name, value)
