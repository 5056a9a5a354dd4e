"""A review of the data as HTML: the traffic light, a card for each finding, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from markupsafe import Markup

from core.boxes import BoxXyxy
from core.data.quality.findings import Finding, Review
from core.data.types import Dataset, Photo
from core.errors import Problem
from core.taxonomy import Taxonomy
from damgui import text
from damgui.components import datasets, html
from damgui.components.photos import close_up, small
from damgui.forms import elem_id
from damgui.markup import TEMPLATES

# These are listed line by line already.
LISTED = ("faults", "photo-without-label", "link-folder", "one-flight")
PLAIN = ("rare-to-learn", "rare-to-judge", "rough-to-judge")  # of these no single photo shows anything
PAIRS, PHOTOS = 3, 6  # shown with a finding
TOGETHER = 8  # pairs of classes
PROBLEMS_SHOWN = 60
_DATA = TEMPLATES.macros("data.html")


def light(review: Review) -> Markup:
    """The traffic light with its one sentence."""
    return _DATA.light(review.light)


def problems(listed: Sequence[Problem], kept: bool) -> str:
    """The problems with a line of their own; `kept` means that they are left out and the rest is used."""
    if not listed:
        return ""
    lines = [str(problem) for problem in listed[:PROBLEMS_SHOWN]]
    return _DATA.problems(text.problems_title(len(listed), kept), lines, len(listed) - PROBLEMS_SHOWN)


def shown(review: Review) -> list[Finding]:
    """The findings that get a card."""
    return [finding for finding in review.findings if finding.kind not in LISTED]


def cards(data: Dataset, findings: Sequence[Finding], taxonomy: Taxonomy) -> Markup:
    """One card each; a button with a cure carries the finding's place in `findings`."""
    photos = {photo.name: photo for photo in data.photos}
    return html.row(
        "dg-findings", [_card(i, one, _evidence(one, data, photos, taxonomy)) for i, one in enumerate(findings)]
    )


def _card(place: int, finding: Finding, evidence: str) -> Markup:
    cure = text.cure(finding.cure_setting) if finding.cure_setting else ""
    path, words = text.CURE_BY_HAND.get(finding.kind, ("", "")) if not cure else ("", "")
    return _DATA.finding(place, finding, cure, evidence, elem_id(path) if path else "", words)


def _evidence(finding: Finding, data: Dataset, photos: Mapping[str, Photo], taxonomy: Taxonomy) -> str:
    """Photos that belong together side by side, else the first few with their boxes."""
    if finding.kind in PLAIN:
        return ""
    single: list[str] = []
    sets: list[list[str]] = []
    if finding.boxes:
        shown = finding.boxes[:PHOTOS]
        single = [
            _close_up(photos[name], box, taxonomy)
            for name, box in shown
            if name in photos and photos[name].path.is_file()
        ]
        left, of = len(finding.boxes) - PHOTOS, ("more box", "more boxes")
    elif finding.groups:
        sets = [[_thumb(name, data, photos, taxonomy) for name in group[:3]] for group in finding.groups[:PAIRS]]
        left, of = len(finding.groups) - PAIRS, ("more like these", "more like these")
    else:
        single = [_thumb(name, data, photos, taxonomy) for name in finding.photos[:PHOTOS]]
        left, of = len(finding.photos) - PHOTOS, ("more photo", "more photos")
    return _DATA.evidence(single, sets, text.and_more(left, *of) if left > 0 else "") if any(single) or sets else ""


def _thumb(name: str, data: Dataset, photos: Mapping[str, Photo], taxonomy: Taxonomy) -> str:
    """A photo with its boxes and the split that it is in; one that was left out has neither."""
    photo = photos.get(name)
    path = photo.path if photo else data.root / name
    if not path.is_file():
        return ""
    words = text.split_name(photo.split) if photo else text.LEFT_OUT
    return small(path, datasets.marks(photo, taxonomy) if photo else (), PurePosixPath(name).name, words)


def _close_up(photo: Photo, box: BoxXyxy, taxonomy: Taxonomy) -> str:
    """The box with its surroundings, all classes that it was given under it; a box of no label is another reading."""
    marks = datasets.marks(photo, taxonomy)
    meant = [mark for mark in marks if mark.box_xyxy == box] or [replace(marks[0], box_xyxy=box)]
    names = [f"{obj.object_type} {obj.condition.name}" for obj in meant]
    if not any(mark.box_xyxy == box for mark in marks):
        names = [text.IF_DRAWN_AS_STORED]
    return close_up(photo.path, meant[0], PurePosixPath(photo.name).name, " / ".join(names))


def where(places: Mapping[str, Any], taxonomy: Taxonomy) -> Markup:
    """What lies above what, beside what occurs together."""
    return _DATA.where(order(places["above"]), together(places["together"], taxonomy))


def order(above: Sequence[Mapping[str, Any]]) -> Markup:
    """Who lies above whom, a line for two object types, the clearest order first."""
    if not above:
        return html.empty(text.ABOVE_NONE)
    return _DATA.order([(row, html.bar(row["share"], text.ABOVE)) for row in above])


def together(rows: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> Markup:
    """Which classes are in one photo most often."""
    shown = [{**row, "classes": [taxonomy.shown_class(name) for name in row["classes"]]} for row in rows[:TOGETHER]]
    return _DATA.together(shown) if shown else html.empty(text.ABOVE_NONE)
