"""Classes too rare to train on or to evaluate, and how uneven they are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

from core.data.quality.findings import AMBER, NOTE, Finding, tally, words
from core.data.statistics import class_counts, imbalance
from core.data.types import Dataset, Photo
from core.settings import Settings
from core.taxonomy import Taxonomy

OVERSAMPLE = "Oversampling (enhance.oversampling=true) shows the few more often, no more."
MIN_TRAIN = 20  # training objects; a rule of thumb: below it a class is learned by heart rather than understood
MIN_VALID = 10  # validation objects: below it a single answer moves the class's recall by more than ten points
MAX_IMBALANCE = 10.0  # how many times the most frequent class outnumbers the rarest
HALF_WIDTH = 0.1  # the half-width of an interval that still separates ninety from eighty per cent


def objects_needed(share: float, half_width: float = HALF_WIDTH) -> int:
    """How many objects make a 95 % interval of ± `half_width` around a share of right answers (normal approximation).

    97 where half of the answers are right (the worst case), 35 where nine in ten are.

    Args:
        share: of right answers, 0 to 1.
        half_width: of the interval, 0 to 1.
    """
    return math.ceil(1.96**2 * share * (1 - share) / half_width**2)


def rare_classes(dataset: Dataset, settings: Settings, taxonomy: Taxonomy) -> list[Finding]:
    """Findings about classes: too rare to train on or to evaluate, roughly evaluated, never there, very uneven.

    Args:
        dataset: the data set, with its splits.
        settings: what of them already helps rare classes is not advised again.
        taxonomy: names the classes.
    """
    counts = class_counts(dataset)
    everywhere: Counter[str] = Counter()
    for of_class in counts.values():
        everywhere.update(of_class)
    names = [name for name in taxonomy.class_names if everywhere[name]]
    train, valid = counts.get("train", {}), counts.get("valid", {})
    worst, good = objects_needed(0.5), objects_needed(0.9)
    oversampled = settings.enhance.oversampling

    def shown(counts: Mapping[str, int]) -> dict[str, int]:
        return {taxonomy.shown_class(name): count for name, count in counts.items()}

    found = []
    if few := {name: train.get(name, 0) for name in names if train and train.get(name, 0) < MIN_TRAIN}:
        found.append(
            Finding(
                "rare-to-learn",
                AMBER,
                f"{words(list(shown(few)))} too rare to learn",
                f"Fewer than {MIN_TRAIN} training objects (a rule of thumb) are learned by heart rather than understood"
                f": {tally(shown(few))}.",
                _photos(dataset.split("train"), few),
                "Box more of them." if oversampled else f"Box more of them. {OVERSAMPLE}",
                {} if oversampled else {"enhance.oversampling": True},
            )
        )
    if few := {name: valid.get(name, 0) for name in names if valid and valid.get(name, 0) < MIN_VALID}:
        found.append(
            Finding(
                "rare-to-judge",
                AMBER,
                f"{words(list(shown(few)))} too rare to judge",
                f"With fewer than {MIN_VALID} validation objects a single answer moves the class's recall by more than "
                f"ten points: {tally(shown(few))}. For a 95\u00a0% interval of ±10 points it takes {good} objects "
                f"where nine of ten answers are right, and {worst} where half of them are.",
                _photos(dataset.split("valid"), few),
                "Box more of them, put more photos aside (data.valid_share), or judge by cross-validation "
                "(data.folds=5), where every photo is judged once.",
            )
        )
    if rough := {name: valid[name] for name in names if MIN_VALID <= valid.get(name, 0) < worst}:
        spans = [f"{name} ±{100 * 0.98 / math.sqrt(count):.0f} points" for name, count in shown(rough).items()]
        found.append(
            Finding(
                "rough-to-judge",
                NOTE,
                "Scores of single classes will be rough",
                "This far the truth may lie from a class's recall, 95\u00a0% of the time, where half of the answers "
                f"are right (less where more are): {words(spans, 12)}. {worst} validation objects give ±10 points.",
            )
        )
    return found + _uneven(shown(counts.get("train", {})), settings) + _absent(names, taxonomy)


def _uneven(train: dict[str, int], settings: Settings) -> list[Finding]:
    ratio, enhance = imbalance(train), settings.enhance
    if ratio < MAX_IMBALANCE or enhance.class_weighting or enhance.oversampling:
        return []
    most, least = max(train, key=lambda name: train[name]), min(train, key=lambda name: train[name])
    detail = (
        f"{most} has {train[most]:,} training objects and {least} {train[least]:,}, {ratio:.0f} times fewer. Answering "
        "what is frequent then pays off, and rare conditions are missed."
    )
    return [
        Finding(
            "imbalance",
            AMBER,
            "Classes are very uneven",
            detail,
            cure_words="Let rare classes count more.",
            cure_setting={"enhance.class_weighting": True},
        )
    ]


def _absent(names: list[str], taxonomy: Taxonomy) -> list[Finding]:
    absent = [taxonomy.shown_class(name) for name in taxonomy.class_names if name not in names]
    if not absent or not names:
        return []
    detail = f"They are among the allowed answers, but there is nothing to learn or judge them by: {words(absent, 12)}."
    cure = "Box some, or give a taxonomy without them (data.taxonomy)."
    return [Finding("absent", NOTE, "Some classes never occur", detail, cure_words=cure)]


def _photos(photos: tuple[Photo, ...], classes: dict[str, int]) -> tuple[str, ...]:
    held = (photo.name for photo in photos if any(f"{o.object_type} {o.condition}" in classes for o in photo.objects))
    return tuple(held)
