"""Levers against imbalance, computed from the training split alone: weights in the loss and repeats in an epoch."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from core.data.types import Photo
from core.settings import EnhanceSettings
from core.taxonomy import Taxonomy

Class = tuple[str, str]


def class_counts(photos: Sequence[Photo]) -> Counter[Class]:
    """Count the objects of each (object type, condition) that the photos hold."""
    return Counter((obj.object_type, obj.condition) for photo in photos for obj in photo.objects)


def condition_weights(enhance: EnhanceSettings, taxonomy: Taxonomy) -> dict[str, float]:
    """The weight of each condition: the setting's, else the taxonomy's; all 1 without condition weighting."""
    if not enhance.condition_weighting:
        return dict.fromkeys(taxonomy.conditions, 1.0)
    return {name: enhance.condition_weights.get(name, taxonomy.condition(name).weight) for name in taxonomy.conditions}


def weighting_faults(enhance: EnhanceSettings, taxonomy: Taxonomy) -> list[str]:
    """List what is requested of condition weighting and has no effect, a sentence each."""
    if not enhance.condition_weighting:
        return []
    faults = [
        f"enhance.condition_weights: {name!r} is no condition of {taxonomy.name}, so its weight has no effect. "
        f"Use one of: {', '.join(taxonomy.conditions)}."
        for name in enhance.condition_weights
        if name not in taxonomy.conditions
    ]
    if len(set(condition_weights(enhance, taxonomy).values())) == 1:
        faults.append(
            f"Condition weighting has no effect: all conditions of {taxonomy.name} weigh the same. "
            "Give them a weight in the taxonomy, or set enhance.condition_weights."
        )
    return faults


def class_weights(photos: Sequence[Photo], enhance: EnhanceSettings, taxonomy: Taxonomy) -> dict[Class, float]:
    """Compute the loss weight of each class that occurs: capped, then scaled so that the mean over objects is 1.

    Class weighting is (largest count / count) ** class_weight_power; condition weighting multiplies by the condition's
    weight: the setting's, else the taxonomy's. The cap bounds the ratio of the heaviest to the lightest, so that
    stacked levers cannot run away.

    Args:
        photos: The training photos.
        enhance: Which levers are on, their powers and caps.
        taxonomy: Holds the conditions' weights.

    Returns:
        {(object type, condition): weight}; {} when the photos hold no object.
    """
    counts = class_counts(photos)
    if not counts:
        return {}
    largest = max(counts.values())
    by_condition = condition_weights(enhance, taxonomy)
    raw = {}
    for pair, count in counts.items():
        weight = (largest / count) ** enhance.class_weight_power if enhance.class_weighting else 1.0
        raw[pair] = weight * by_condition[pair[1]]
    lightest = min(raw.values())
    capped = {pair: min(weight, lightest * enhance.weight_cap) for pair, weight in raw.items()}
    mean = sum(capped[pair] * count for pair, count in counts.items()) / sum(counts.values())
    return {pair: weight / mean for pair, weight in capped.items()}


def repeats(photos: Sequence[Photo], enhance: EnhanceSettings) -> list[int]:
    """Compute how often each photo is seen in an epoch: once, or more where it holds a rare class.

    Repeat-factor sampling: sqrt(t / f) for the rarest class of the photo, f being the share of photos with the class
    and t the largest such share; rounded, at most `oversampling_cap`.

    Source: Gupta et al. 2019, LVIS, arXiv:1908.03195.
    """
    if not enhance.oversampling:
        return [1] * len(photos)
    held = [{(obj.object_type, obj.condition) for obj in photo.objects} for photo in photos]
    frequency = Counter(pair for classes in held for pair in classes)
    top = max(frequency.values(), default=1)
    factors = [max((math.sqrt(top / frequency[pair]) for pair in classes), default=1.0) for classes in held]
    return [min(enhance.oversampling_cap, max(1, round(factor))) for factor in factors]
