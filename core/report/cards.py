"""Objects as cards (picture with its box, truth, answer, confidence), and the order in which they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from core import units
from core.boxes import BoxXyxy
from core.conditions import Condition
from core.records import PredictionRow
from core.report.answers import Entry, is_wrong, shown_condition
from core.report.html import TEMPLATES
from core.report.pictures import Place
from core.taxonomy import Taxonomy

_HTML = TEMPLATES.macros("cards.html")
_PARTS = TEMPLATES.macros("parts.html")


@dataclass(frozen=True)
class Picture:
    """An object cut out of its photo (`source` is a data URI), and where its box lies in that crop."""

    source: str
    place: Place


@dataclass(frozen=True)
class Card:
    """One object as its template takes it.

    Attributes:
        kind: its type as labelled, else as answered.
        number: of the object in its photo, counted from 1.
        answer: the condition answered.
        truth: the true condition; None where it is not known.
        wrong: whether the answer is not the truth.
        unsure: whether the answer counts as unsure.
        other_kind: the answered type where it differs from `kind`, else "".
        chances: the probabilities as a text.
        picture: cut out of its photo, if it gets one.
        photo: its name, where the title above the cards does not name it.
        anchor: the id by which another place of the report points here.
    """

    kind: str
    number: int
    answer: Condition
    truth: Condition | None
    wrong: bool
    unsure: bool
    other_kind: str = ""
    chances: str = ""
    picture: Picture | None = None
    photo: str = ""
    anchor: str = ""


@dataclass(frozen=True)
class CardGroup:
    """Objects that are shown together under one title."""

    title: str
    entries: Sequence[Entry]


def mistakes(entries: Iterable[Entry], taxonomy: Taxonomy) -> list[CardGroup]:
    """Mistakes by true and predicted class: missed faults first, the gravest of them first, then the most frequent.

    Args:
        entries: of a run with truth.
        taxonomy: decides which conditions raise an alarm, and how grave they are.
    """
    urgent = taxonomy.alarming[::-1]
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.wrong:
            found[entry.true_class, entry.predicted_class].append(entry)

    def rank(item: tuple[tuple[str, str], list[Entry]]) -> tuple[int, int, str]:
        first = item[1][0]
        missed = first.true_condition in urgent and first.condition not in urgent
        return (urgent.index(first.true_condition) if missed else len(urgent), -len(item[1]), first.true_class)

    return [
        CardGroup(_mistake_title(truth, answer, taxonomy), sorted(ones, key=lambda entry: -entry.confidence))
        for (truth, answer), ones in sorted(found.items(), key=rank)
    ]


def _mistake_title(truth: str, answer: str, taxonomy: Taxonomy) -> str:
    return f"{taxonomy.shown_class(truth)}, called {taxonomy.shown_class(answer)}"


def most_urgent(entries: Sequence[Entry], urgent: Sequence[str]) -> list[CardGroup]:
    """Answers that need an inspector: faults, the gravest and surest first, then unsure answers.

    Args:
        entries: of a run without truth.
        urgent: the conditions that raise an alarm, the gravest first.
    """
    groups = [
        CardGroup(
            name, sorted((entry for entry in entries if entry.condition == name), key=lambda entry: -entry.confidence)
        )
        for name in urgent
    ]
    rest = [entry for entry in entries if entry.unsure and entry.condition not in urgent]
    groups.append(CardGroup("unsure, though no alarm", sorted(rest, key=lambda entry: entry.confidence)))
    return [group for group in groups if group.entries]


def by_photo(entries: Iterable[Entry]) -> list[CardGroup]:
    """All entries by their photo, in the order of the file."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.image].append(entry)
    return [CardGroup(image, ones) for image, ones in found.items()]


def card(
    row: PredictionRow, picture: tuple[str, BoxXyxy] | None, taxonomy: Taxonomy, with_photo: bool, anchor: str = ""
) -> Markup:
    """One object as HTML.

    Args:
        row: its prediction.
        picture: (data URI, the box in fractions of it); without one the card is a single line.
        taxonomy: of the results.
        with_photo: whether the card names the photo.
        anchor: an id for pointers to this card.
    """
    drawn = Picture(picture[0], Place.of(picture[1])) if picture else None
    return _HTML.card(
        replace(_card(row, taxonomy), picture=drawn, anchor=anchor, photo=str(row["image"]) if with_photo else "")
    )


def pointer(row: PredictionRow, taxonomy: Taxonomy, anchor: str) -> Markup:
    """An object whose picture is elsewhere in the report, at `anchor`, as HTML.

    Args:
        row: the object's prediction.
        taxonomy: names and colours its conditions.
        anchor: the id of the card that has the picture.
    """
    return _HTML.pointer(replace(_card(row, taxonomy), anchor=anchor))


def photo_name(path: str) -> Markup:
    """A photo's name as HTML; a line may break after each folder in it."""
    return _PARTS.photo_name(path)


def _card(row: PredictionRow, taxonomy: Taxonomy) -> Card:
    kind = str(row.get("object_type") or row.get("predicted_type") or "object")
    answered = str(row.get("predicted_class") or "").removesuffix(f" {row.get('predicted')}")
    return Card(
        kind,
        int(row["object"]) + 1,
        shown_condition(row, taxonomy),
        None if row.get("truth") is None else shown_condition(row, taxonomy, "truth"),
        wrong=bool(is_wrong(row)),
        unsure=bool(row.get("unsure")),
        other_kind=answered if answered != kind else "",
        chances=_chances(row, taxonomy),
    )


def _chances(row: PredictionRow, taxonomy: Taxonomy) -> str:
    """The probabilities, the calibrated ones where there are any; small ones of long lists are left out."""
    calibrated = row.get("calibrated")
    found: dict[str, Any] = dict(calibrated or row.get("probabilities") or {})
    if len(found) < 2:
        return "only one answer is possible" if found else ""
    ranked = sorted(found.items(), key=lambda pair: -pair[1]) if len(found) > 4 else list(found.items())
    text = ", ".join(f"{taxonomy.shown_class(name)} {units.probability(float(share))}" for name, share in ranked[:4])
    return f"calibrated: {text}" if calibrated else text
