"""A review of the data as HTML: the traffic light, a card for each finding, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from core import units
from core.data.quality.findings import Finding, Review
from core.data.types import Dataset, Photo
from core.taxonomy import Taxonomy
from damgui import text
from damgui.components import datasets
from damgui.components import html as parts
from damgui.components import photos as pictures
from damgui.text import escape

# These are listed line by line already.
LISTED = ("faults", "photo-without-label", "link-folder", "one-flight")
PLAIN = ("rare-to-learn", "rare-to-judge", "rough-to-judge")  # of these no single photo shows anything
PAIRS, PHOTOS = 3, 6  # shown with a finding
TOGETHER = 8  # pairs of classes


def light(review: Review) -> str:
    """The traffic light with its one sentence."""
    lamps = "".join(
        f'<i class="dg-lamp{" dg-on" if one == review.light else ""} dg-lamp-{one}"></i>' for one in text.LIGHTS
    )
    word, said = text.LIGHTS[review.light]
    return (
        f'<div class="dg-light dg-light-{review.light}" role="status"><span class="dg-lamps" aria-hidden="true">{lamps}'
        f"</span><div><strong>{escape(word)}</strong><p>{escape(said)}</p></div></div>"
    )


def shown(review: Review) -> list[Finding]:
    """The findings that get a card."""
    return [one for one in review.findings if one.kind not in LISTED]


def cards(data: Dataset, findings: Sequence[Finding], taxonomy: Taxonomy) -> str:
    """One card each; a button with a cure carries the finding's place in `findings`."""
    photos = {photo.name: photo for photo in data.photos}
    shown = "".join(_card(place, one, _evidence(one, data, photos, taxonomy)) for place, one in enumerate(findings))
    return f'<div class="dg-findings">{shown}</div>'


def _card(place: int, one: Finding, evidence: str) -> str:
    mark, word = text.LEVELS[one.level]
    button = ""
    if one.cure_setting:
        button = (
            f'<button class="dg-cure" type="button" data-index="{place}">{escape(text.cure(one.cure_setting))}</button>'
        )
    cure = f"<footer><p>{escape(one.cure_words)}</p>{button}</footer>" if one.cure_words else ""
    return (
        f'<article class="dg-finding dg-f-{one.level}" data-kind="{one.kind}"><header><span class="dg-level">'
        f'<i aria-hidden="true">{mark}</i>{escape(word)}</span><h4>{escape(one.title)}</h4></header>'
        f"<p>{escape(one.detail)}</p>{evidence}{cure}</article>"
    )


def _evidence(one: Finding, data: Dataset, photos: Mapping[str, Photo], taxonomy: Taxonomy) -> str:
    """Photos that belong together side by side, else the first few with their boxes."""
    if one.kind in PLAIN:
        return ""
    if one.boxes:
        shown = one.boxes[:PHOTOS]
        body = "".join(
            _close_up(photos[name], box, taxonomy)
            for name, box in shown
            if name in photos and photos[name].path.is_file()
        )
        left = len(one.boxes) - PHOTOS
        more = text.more_boxes(left)
    elif one.groups:
        sets = ["".join(_thumb(name, data, photos, taxonomy) for name in group[:3]) for group in one.groups[:PAIRS]]
        body, left = "".join(f'<div class="dg-pair">{inside}</div>' for inside in sets), len(one.groups) - PAIRS
        more = text.more_sets(left)
    else:
        body, left = (
            "".join(_thumb(name, data, photos, taxonomy) for name in one.photos[:PHOTOS]),
            len(one.photos) - PHOTOS,
        )
        more = text.more_photos(left)
    tail = f'<p class="dg-small">{escape(more)}</p>' if left > 0 else ""
    return f'<div class="dg-evidence">{body}</div>{tail}' if body else ""


def _thumb(name: str, data: Dataset, photos: Mapping[str, Photo], taxonomy: Taxonomy) -> str:
    """A photo with its boxes and the split that it is in; one that was left out has neither."""
    photo = photos.get(name)
    path = photo.path if photo else data.root / name
    if not path.is_file():
        return ""
    words = text.SPLIT_WORDS.get(photo.split, photo.split) if photo else text.LEFT_OUT
    return pictures.small(path, datasets.marks(photo, taxonomy) if photo else (), PurePosixPath(name).name, words)


def _close_up(photo: Photo, box: tuple[float, float, float, float], taxonomy: Taxonomy) -> str:
    """The box with its surroundings; all classes that it was given under it."""
    meant = [mark for mark in datasets.marks(photo, taxonomy) if mark.box_xyxy == box]
    names = [f"{one.object_type} {one.condition.name}" for one in meant]
    return pictures.close_up(photo.path, meant[0], PurePosixPath(photo.name).name, " / ".join(names))


def order(above: Sequence[Mapping[str, Any]]) -> str:
    """Who lies above whom, a line for two object types, the clearest order first."""
    lines = "".join(
        f"<tr><td>{escape(row['upper'])}</td><td>above</td><td>{escape(row['lower'])}</td>"
        f"<td>{parts.bar(row['share'], text.ABOVE)}</td><td>{units.percent(row['share'], 0)}</td>"
        f"<td>of {row['pairs']:,} pairs</td></tr>"
        for row in above
    )
    return f'<table class="dg-order"><tbody>{lines}</tbody></table>' if lines else parts.empty(text.ABOVE_NONE)


def together(rows: Sequence[Mapping[str, Any]], taxonomy: Taxonomy) -> str:
    """Which classes are in one photo most often."""
    lines = "".join(
        f"<tr><td>{escape(one)}</td><td>with</td><td>{escape(other)}</td><td>{row['photos']:,} photos</td></tr>"
        for row in rows[:TOGETHER]
        for one, other in [map(taxonomy.shown_class, row["classes"])]
    )
    return f'<table class="dg-order"><tbody>{lines}</tbody></table>' if lines else parts.empty(text.ABOVE_NONE)
