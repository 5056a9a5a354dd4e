"""Objects as cards: picture with its box, what was true, what was said, how sure; and the order in which they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from core.conditions import UNSURE_SIGN, Condition
from core.report.answers import Entry, Row, shown, sure_words
from core.report.pictures import Box
from core.report.sections import badge
from core.taxonomy import Taxonomy

Picture = tuple[str, Box]


@dataclass(frozen=True)
class Group:
    """Objects that are shown together under one title."""

    title: str
    entries: Sequence[Entry]


def mistakes(entries: Iterable[Entry], taxonomy: Taxonomy) -> list[Group]:
    """Mistakes by what was taken for what: missed faults first, the gravest of them first, then by number."""
    urgent = taxonomy.alarming[::-1]
    found: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for one in entries:
        if one.wrong:
            found[one.truth, one.said].append(one)

    def rank(item: tuple[tuple[str, str], list[Entry]]) -> tuple[int, int, str]:
        first = item[1][0]
        missed = first.true_condition in urgent and first.condition not in urgent
        return (urgent.index(first.true_condition) if missed else len(urgent), -len(item[1]), first.truth)

    return [
        Group(_mistaken(truth, said, taxonomy), sorted(ones, key=lambda one: -one.sure))
        for (truth, said), ones in sorted(found.items(), key=rank)
    ]


def _mistaken(truth: str, said: str, taxonomy: Taxonomy) -> str:
    return f"{taxonomy.shown_class(truth)}, called {taxonomy.shown_class(said)}"


def most_urgent(entries: Sequence[Entry], urgent: Sequence[str]) -> list[Group]:
    """Answers that ask for somebody: faults, the gravest and surest first, then what is unsure."""
    groups = [
        Group(name, sorted((one for one in entries if one.condition == name), key=lambda one: -one.sure))
        for name in urgent
    ]
    rest = [one for one in entries if one.unsure and one.condition not in urgent]
    groups.append(Group("unsure, though no alarm", sorted(rest, key=lambda one: one.sure)))
    return [group for group in groups if group.entries]


def by_photo(entries: Iterable[Entry]) -> list[Group]:
    """All entries by their photo, in the order of the file."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        found[one.image].append(one)
    return [Group(image, ones) for image, ones in found.items()]


def card(row: Row, picture: Picture | None, taxonomy: Taxonomy, with_photo: bool, anchor: str = "") -> str:
    """One object. Without a picture a single line; `with_photo` names its photo (where the title does not)."""
    drawn = _shape(picture, shown(row, taxonomy)) if picture else ""
    name = f"<code>{path_words(str(row['image']))}</code>" if with_photo else ""
    number = f'<span class="no">no. {int(row["object"]) + 1}</span>'
    look = "card" if picture else "card flat"
    wrong = row.get("truth_class") is not None and row["truth_class"] != row.get("predicted_class")
    look += " wrong" if wrong else ""
    at = f' id="{anchor}"' if anchor else ""
    return (
        f'<figure class="{look}"{at}>{drawn}<figcaption><strong>{escape(_kind(row))}</strong> {number}'
        f"{_verdict(row, wrong, taxonomy)}{_chances(row, taxonomy)}{name}</figcaption></figure>"
    )


def pointer(row: Row, taxonomy: Taxonomy, anchor: str) -> str:
    """An object whose picture stands elsewhere in the report."""
    return (
        f'<figure class="card flat"><figcaption><strong>{escape(_kind(row))}</strong> '
        f'<span class="no">no. {int(row["object"]) + 1}</span> {badge(shown(row, taxonomy))} '
        f'<a href="#{anchor}">see above</a></figcaption></figure>'
    )


def path_words(path: str) -> str:
    """A photo's name as HTML, which may break after a folder."""
    return escape(path).replace("/", "/<wbr>")


def _kind(row: Row) -> str:
    """The object's type: as labelled, else as answered."""
    return str(row.get("object_type") or row.get("predicted_type") or "object")


def _verdict(row: Row, wrong: bool, taxonomy: Taxonomy) -> str:
    said, truth = badge(shown(row, taxonomy)), row.get("truth")
    typed = str(row.get("predicted_class") or "").removesuffix(f" {row.get('predicted')}")
    other = f" <small>as {escape(typed)}</small>" if typed and typed != _kind(row) else ""
    unsure = f' <span class="badge unsure"><i>{UNSURE_SIGN}</i>unsure</span>' if row.get("unsure") else ""
    answer = f"<div><dt>Said</dt><dd>{said}{unsure}{other}</dd></div>"
    if truth is None:
        return f"<dl>{answer}</dl>"
    if not wrong:
        return f'<dl><div><dt class="right">Right</dt><dd>{said}{unsure}</dd></div></dl>'
    return f"<dl><div><dt>True</dt><dd>{badge(shown(row, taxonomy, 'truth'))}</dd></div>{answer}</dl>"


def _chances(row: Row, taxonomy: Taxonomy) -> str:
    """The probabilities, the calibrated ones where there are any; small ones of long lists are left out."""
    calibrated = row.get("calibrated")
    found: dict[str, Any] = dict(calibrated or row.get("probabilities") or {})
    if len(found) < 2:
        return '<p class="chances">only one answer is possible</p>' if found else ""
    ranked = sorted(found.items(), key=lambda pair: -pair[1]) if len(found) > 4 else list(found.items())
    told = ", ".join(f"{escape(taxonomy.shown_class(name))} {sure_words(float(share))}" for name, share in ranked[:4])
    return f'<p class="chances">{"calibrated: " if calibrated else ""}{told}</p>'


def _shape(picture: Picture, condition: Condition) -> str:
    source, box = picture
    x1, y1, x2, y2 = (100 * value for value in box)
    at = f'x="{x1:.1f}%" y="{y1:.1f}%" width="{x2 - x1:.1f}%" height="{y2 - y1:.1f}%"'
    return (
        f'<div class="photo"><img src="{source}" alt=""><svg aria-hidden="true"><rect {at} class="halo"/>'
        f'<rect {at} class="box" stroke="{condition.colour}"/></svg></div>'
    )
