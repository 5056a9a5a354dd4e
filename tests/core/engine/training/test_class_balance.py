"""Levers against imbalance keep the loss's scale and know their limits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from core.data.types import BoxedObject, Photo
from core.engine.training.class_balance import (
    class_counts,
    class_weights,
    condition_weights,
    repeats,
    weighting_faults,
)
from core.settings import EnhanceSettings
from core.taxonomy import from_dict, load

NORMAL, BLOCKED, DAMAGED = (("toe drain", condition) for condition in ("normal", "blocked", "damaged"))
DAMS = load()
ON = EnhanceSettings(condition_weighting=True)
ROOFS = from_dict(
    {
        "name": "roofs",
        "conditions": {"sound": {}, "loose": {"weight": 3}, "lost": {"weight": 5}},
        "object_types": ["tile"],
    }
)
OFF = EnhanceSettings(class_weighting=False, condition_weighting=False)


def photo(*classes: tuple[str, str]) -> Photo:
    objects = tuple(BoxedObject((0, 0, 1, 1), *pair) for pair in classes)
    return Photo(Path("x.jpg"), "x.jpg", (10, 10), "train", "g", objects)


# 16 normal, 4 blocked, 1 damaged
SKEWED = [photo(*[NORMAL] * 8), photo(*[NORMAL] * 8, BLOCKED), photo(*[BLOCKED] * 3), photo(DAMAGED)]


def test_counts_are_of_objects_and_by_class() -> None:
    assert class_counts(SKEWED) == {NORMAL: 16, BLOCKED: 4, DAMAGED: 1}


@pytest.mark.parametrize(
    "enhance",
    [
        OFF,
        EnhanceSettings(),
        EnhanceSettings(class_weight_power=1.0),
        EnhanceSettings(condition_weighting=True),
        EnhanceSettings(
            class_weighting=False, condition_weighting=True, condition_weights={"blocked": 7, "damaged": 0.3}
        ),
        EnhanceSettings(
            class_weight_power=1.0, condition_weighting=True, condition_weights={"blocked": 100}, weight_cap=1000
        ),
    ],
)
def test_weights_have_mean_one_over_objects_and_keep_under_the_cap(enhance: EnhanceSettings) -> None:
    weights = class_weights(SKEWED, enhance, DAMS)
    counts = class_counts(SKEWED)
    assert sum(weights[key] * counts[key] for key in counts) / sum(counts.values()) == pytest.approx(1)
    assert max(weights.values()) / min(weights.values()) <= enhance.weight_cap * (1 + 1e-12)


def test_without_weighting_all_weigh_one() -> None:
    assert class_weights(SKEWED, OFF, DAMS) == {NORMAL: 1.0, BLOCKED: 1.0, DAMAGED: 1.0}


def test_no_photos_have_no_weights() -> None:
    assert class_weights([], EnhanceSettings(), DAMS) == {}


@pytest.mark.parametrize(
    ("enhance", "ratios"),
    [
        (EnhanceSettings(class_weighting=True), (1, 2, 4)),  # square roots of 16/16, 16/4, 16/1
        (EnhanceSettings(class_weighting=True, class_weight_power=1.0, weight_cap=1000), (1, 4, 16)),
        (EnhanceSettings(class_weighting=True, class_weight_power=1.0, weight_cap=3.0), (1, 3, 3)),
        (EnhanceSettings(class_weighting=True, class_weight_power=0.0), (1, 1, 1)),
        (
            EnhanceSettings(class_weighting=True, condition_weighting=True),
            (1, 4, 6),
        ),
        (
            EnhanceSettings(class_weighting=False, condition_weighting=True, condition_weights={"damaged": 0.5}),
            (2, 4, 1),
        ),
        (
            EnhanceSettings(
                class_weighting=False, condition_weighting=True, condition_weights={"damaged": 0.01}, weight_cap=10
            ),
            (10, 10, 1),
        ),
    ],
)
def test_weights_stand_in_the_ratio_worked_out_by_hand(enhance: EnhanceSettings, ratios: tuple[float, ...]) -> None:
    mean = (16 * ratios[0] + 4 * ratios[1] + ratios[2]) / 21
    weights = class_weights(SKEWED, enhance, DAMS)
    assert [weights[key] for key in (NORMAL, BLOCKED, DAMAGED)] == pytest.approx([ratio / mean for ratio in ratios])


def test_weights_are_the_taxonomys_where_no_setting_says_otherwise() -> None:
    assert condition_weights(ON, DAMS) == {"normal": 1.0, "blocked": 2.0, "damaged": 1.5}
    changed = EnhanceSettings(condition_weighting=True, condition_weights={"loose": 9.0})
    assert condition_weights(changed, ROOFS) == {"sound": 1.0, "loose": 9.0, "lost": 5.0}
    assert set(condition_weights(OFF, ROOFS).values()) == {1.0}


@pytest.mark.parametrize(
    ("weights", "conditions", "messages"),
    [
        ({}, {"sound": {}, "lost": {"weight": 2}}, []),
        ({"lost": 2.0}, {"sound": {}, "lost": {}}, []),
        ({}, {"sound": {}, "lost": {}}, ["all conditions of roofs weigh the same"]),
        ({"blocked": 2.0}, {"sound": {}, "lost": {"weight": 2}}, ["'blocked' is no condition of roofs"]),
        ({"blocked": 2.0}, {"sound": {}, "lost": {}}, ["'blocked' is no condition of roofs", "weigh the same"]),
    ],
)
def test_weights_without_effect_are_told(weights: dict, conditions: dict, messages: list[str]) -> None:
    taxonomy = from_dict({"name": "roofs", "conditions": conditions, "object_types": ["tile"]})
    found = weighting_faults(EnhanceSettings(condition_weighting=True, condition_weights=weights), taxonomy)
    assert len(found) == len(messages) and all(words in line for words, line in zip(messages, found, strict=True))
    assert weighting_faults(EnhanceSettings(condition_weights=weights), taxonomy) == []


def test_without_oversampling_every_photo_is_seen_once() -> None:
    assert repeats(SKEWED, EnhanceSettings(oversampling=False)) == [1, 1, 1, 1]


# Of 50 photos all hold normal, 8 blocked, 2 damaged too.
FIFTY = [photo(NORMAL)] * 40 + [photo(NORMAL, BLOCKED)] * 8 + [photo(NORMAL, DAMAGED, DAMAGED)] * 2


@pytest.mark.parametrize(("cap", "expected"), [(1, (1, 1, 1)), (3, (1, 2, 3)), (100, (1, 2, 5))])
def test_repeats_are_lvis_factors_of_the_rarest_class_up_to_the_cap(cap: int, expected: tuple[int, int, int]) -> None:
    assert (round(math.sqrt(50 / 8)), round(math.sqrt(50 / 2))) == (2, 5)
    found = repeats(FIFTY, EnhanceSettings(oversampling=True, oversampling_cap=cap))
    assert found == [expected[0]] * 40 + [expected[1]] * 8 + [expected[2]] * 2


def test_a_photo_without_objects_is_seen_once() -> None:
    assert repeats([photo(), photo(NORMAL)], EnhanceSettings(oversampling=True)) == [1, 1]
