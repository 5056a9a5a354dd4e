"""`review`: what is in a data set and what is wrong with it, before anything is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from core.data.checks import HINTS, SAME_FILE, TURNED, faults_of
from core.data.examined import examine
from core.data.grey import GreyRange, range_of
from core.data.notes import IGNORED, INFERRED
from core.data.photos import PhotoFacts
from core.data.quality.boxes import disagreements, too_small
from core.data.quality.class_support import rare_classes
from core.data.quality.findings import NOTE, RED, Finding, Review, tally, weigh
from core.data.quality.leakage import same_files, same_pictures, shared_flights
from core.data.quality.photo_quality import poor_photos
from core.data.quality.positions import where_things_lie
from core.data.quality.turned import turned_photos
from core.data.statistics import summary
from core.data.types import Dataset
from core.errors import Problem
from core.settings import Settings
from core.taxonomy import Taxonomy
from core.units import counted

HINT_TITLES = {
    "photo-without-label": "photos without a label",
    "link-folder": "links to folders",
    "one-flight": "one flight",
    "duplicates-left-out": "duplicates left out",
    IGNORED: "input that is not used",
    INFERRED: "how unusual input was understood",
}


def review(dataset: Dataset, settings: Settings, taxonomy: Taxonomy) -> Review:
    """Everything worth knowing before a run, with a traffic light.

    The light is red where a run would not start, amber where its numbers would mislead, green otherwise.

    Args:
        dataset: the data set as read; photos without statistics are decoded once more.
        settings: of the run: they decide what is a fault, what is too small to be seen, and which cure is advised.
        taxonomy: names the classes.
    """
    seen = with_image_stats(dataset, range_of(settings.data.grey_range))
    photos = seen.photos
    found = [
        *_faults(dataset.problems, settings.data.use_good),
        *same_files(dataset.problems, settings.data.use_good),
        *same_pictures(photos),
        *shared_flights(photos),
        *disagreements(photos),
        *rare_classes(dataset, settings, taxonomy),
        *too_small(photos, settings.view),
        *poor_photos(photos),
        *turned_photos(dataset),
        *_hints(dataset.problems),
    ]
    statistics = {**summary(dataset), "photo_facts": _photo_facts(seen), "positions": where_things_lie(photos)}
    return weigh(found, statistics)


def with_image_stats(dataset: Dataset, grey_range: GreyRange | None = None) -> Dataset:
    """The data set with the statistics of every photo; a photo whose file is broken by now stays without."""
    without = {photo.name for photo in dataset.photos if photo.stats is None}
    if not without:
        return dataset
    facts = examine(dataset.root, without, with_stats=True, grey_range=grey_range)
    measured = {name: fact.stats for name, fact in facts.items() if isinstance(fact, PhotoFacts)}
    photos = (replace(photo, stats=photo.stats or measured.get(photo.name)) for photo in dataset.photos)
    return replace(dataset, photos=tuple(photos))


def _faults(problems: Sequence[Problem], use_good: bool) -> list[Finding]:
    """One finding for all that reading could not use; each has its own line among the problems."""
    faults = [fault for fault in faults_of(problems) if not fault.what.startswith(SAME_FILE)]
    if not faults:
        return []
    kinds = tally(Counter(fault.kind.replace("-", " ") for fault in faults))
    return [
        Finding(
            "faults",
            NOTE if use_good else RED,
            f"{counted(len(faults), 'thing')} wrong with photos or labels",
            f"By kind: {kinds}. "
            + (
                "They are left out, and the good rest is used."
                if use_good
                else "A run does not start before they are cured or left out."
            ),
            cure_words="" if use_good else "Cure them one by one, as listed, or go on with the good rest.",
            cure_setting={} if use_good else {"data.use_good": True},
        )
    ]


def _hints(problems: Sequence[Problem]) -> list[Finding]:
    return [
        Finding(
            kind,
            NOTE,
            f"{counted(len(which), 'hint')}: {HINT_TITLES[kind]}",
            " ".join(f"{str(hint).rstrip('.')}." for hint in (which if kind in (IGNORED, INFERRED) else which[:1])),
            cure_words="",
        )
        for kind in sorted(HINTS - {TURNED})
        if (which := [problem for problem in problems if problem.kind == kind])
    ]


def _photo_facts(dataset: Dataset) -> dict[str, Any]:
    """Medians over the photos that have statistics: brightness 0 to 1, sharpness, size in pixels."""
    measured = [photo.stats for photo in dataset.photos if photo.stats is not None]
    if not measured:
        return {}
    return {
        "bright": round(median(stats.bright for stats in measured), 4),
        "sharp": round(median(stats.sharp for stats in measured), 4),
        "width": median(photo.size_wh[0] for photo in dataset.photos),
        "height": median(photo.size_wh[1] for photo in dataset.photos),
    }
