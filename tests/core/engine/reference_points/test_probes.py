"""Probes learn per object type, and what a question gives away is found while an honest question is not accused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from core.data.types import BoxedObject, Photo
from core.engine.reference_points.probes import (
    GRID_C,
    USUAL_C,
    _linear,
    _numbers,
    chosen_c,
    forest_fit,
    probe_rows,
    words_fit,
)
from core.engine.reference_points.rows import Item, prior_rows
from core.engine.reference_points.warnings import above_prior_warning, photos_unused_warning, prompt_leak_warning
from core.prompts import PhotoContext, question_text
from core.settings import EnhanceSettings
from core.taxonomy import Taxonomy, load

KIND = "toe drain"


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load()


def drawn(count: int, seed: int, taxonomy: Taxonomy) -> list[Item]:
    """Objects in random places, conditions by chance; one photo each, ten to a flight."""
    rng = np.random.default_rng(seed)
    items = []
    for number in range(count):
        x, y = rng.uniform(0, 0.8, 2)
        allowed = taxonomy.allowed[KIND]
        truth = allowed[int(rng.choice(len(allowed), p=[0.6, *[0.4 / (len(allowed) - 1)] * (len(allowed) - 1)]))]
        obj = BoxedObject((float(x), float(y), float(x) + 0.2, float(y) + 0.2), KIND, truth)
        name = f"{seed}-{number}"
        items.append(Item(Photo(Path(name), name, (640, 480), "train", f"{seed}-{number // 10}", (obj,)), 0))
    return items


def texts_of(items: list[Item], taxonomy: Taxonomy, leak: str = "") -> np.ndarray:
    context, enhance = PhotoContext("full", (640, 480)), EnhanceSettings(position_encoding=True, spatial_reasoning=True)
    texts = []
    for item in items:
        text = question_text(KIND, item.obj.box_xyxy, [], context, enhance, taxonomy)
        if leak == "word":
            text += f" ({item.obj.condition})"
        elif leak == "order":
            first = item.obj.condition
            others = [answer for answer in taxonomy.allowed[KIND] if answer != first]
            text = text[: text.rindex(":")] + f": {', '.join([first, *others])}."
        elif leak == "number":
            text += f" File {1000 * taxonomy.allowed[KIND].index(item.obj.condition) + len(texts)}."
        texts.append(text)
    return np.array(texts, dtype=object)


@pytest.mark.parametrize("leak", ["word", "order", "number"])
def test_a_planted_leak_is_caught(leak: str, taxonomy: Taxonomy) -> None:
    train, valid = drawn(200, 1, taxonomy), drawn(100, 2, taxonomy)
    rows = probe_rows(
        words_fit, (train, texts_of(train, taxonomy, leak)), (valid, texts_of(valid, taxonomy, leak)), taxonomy
    )
    prior = prior_rows([item.photo for item in train], [item.photo for item in valid], taxonomy)
    warning = prompt_leak_warning(rows, prior)
    assert warning is not None and "gives the true condition away" in warning


@pytest.mark.parametrize("seed", range(5))
def test_an_honest_question_is_not_accused(seed: int, taxonomy: Taxonomy) -> None:
    train, valid = drawn(200, 10 + seed, taxonomy), drawn(100, 20 + seed, taxonomy)
    rows = probe_rows(words_fit, (train, texts_of(train, taxonomy)), (valid, texts_of(valid, taxonomy)), taxonomy)
    prior = prior_rows([item.photo for item in train], [item.photo for item in valid], taxonomy)
    assert prompt_leak_warning(rows, prior) is None


def answers(right: int, total: int, offset: int = 0, choices: int = 2) -> list[dict[str, object]]:
    """`total` rows, a photo each, `right` of them right from `offset` on, round about."""
    return [
        {
            "image": str(n),
            "object": 0,
            "object_type": KIND,
            "truth": "a",
            "truth_class": "a",
            "choices": choices,
            "predicted": "a" if (n - offset) % total < right else "b",
            "predicted_class": "a" if (n - offset) % total < right else "b",
        }
        for n in range(total)
    ]


@pytest.mark.parametrize(
    ("better", "accused"),
    [(6, False), (7, True)],  # 1/2**6 = 0.0156, 1/2**7 = 0.0078: the test's level is 0.01
)
def test_the_leak_test_is_the_one_sided_exact_mcnemar_test(better: int, accused: bool) -> None:
    assert (prompt_leak_warning(answers(20 + better, 40), answers(20, 40)) is not None) == accused
    assert prompt_leak_warning(answers(20, 40), answers(20 + better, 40)) is None
    assert prompt_leak_warning(answers(40, 40, choices=1), answers(0, 40, choices=1)) is None


def test_a_model_that_knows_without_seeing_is_accused_and_one_that_falls_to_guessing_is_not() -> None:
    prior = answers(50, 100)
    assert "blank" in (above_prior_warning(answers(90, 100), prior, "blank photos") or "")
    assert above_prior_warning(answers(52, 100, 7), prior, "blank photos") is None
    assert above_prior_warning(answers(100, 100, choices=1), answers(0, 100, choices=1), "blank photos") is None


def test_a_model_no_better_with_photos_than_without_is_accused() -> None:
    assert photos_unused_warning(answers(90, 100), answers(90, 100)) is not None
    assert photos_unused_warning(answers(50, 100, 30), answers(52, 100)) is not None
    assert photos_unused_warning(answers(90, 100), answers(50, 100)) is None


def test_a_type_is_answered_from_its_own_training_objects_only(taxonomy: Taxonomy) -> None:
    train, valid = drawn(60, 5, taxonomy), drawn(30, 6, taxonomy)
    values = [
        np.array([[taxonomy.allowed[KIND].index(item.obj.condition)] for item in side]) for side in (train, valid)
    ]
    rows = probe_rows(forest_fit(0), (train, values[0]), (valid, values[1]), taxonomy)
    assert all(row["predicted"] == row["truth"] for row in rows)
    assert [row["image"] for row in rows] == [item.photo.name for item in valid]
    assert all(sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5) for row in rows)
    unknown = probe_rows(forest_fit(0), ([], values[0][:0]), (valid, values[1]), taxonomy)
    assert {row["predicted"] for row in unknown} == {taxonomy.allowed[KIND][0]}
    only = [item for item in train if item.obj.condition == "blocked"]
    certain = probe_rows(forest_fit(0), (only, np.zeros((len(only), 1))), (valid, values[1]), taxonomy)
    assert {row["predicted"] for row in certain} == {"blocked"}


def test_the_penalty_is_chosen_on_flights_that_were_left_out() -> None:
    rng = np.random.default_rng(0)
    values, truths = rng.normal(size=(80, 30)), np.array(["a", "b"])[rng.integers(0, 2, 80)]
    values[truths == "a", 0] += 1.5
    flights = np.array([str(n // 10) for n in range(80)])
    scores = []
    for c in GRID_C:
        answer = truths.copy()
        for learn, check in GroupKFold(3).split(values, truths, flights):
            answer[check] = _linear(c).fit(values[learn], truths[learn]).predict(values[check])
        scores.append(f1_score(truths, answer, average="macro"))
    assert chosen_c(values, truths, flights) == GRID_C[int(np.argmax(scores))]
    assert chosen_c(values, truths, np.array(["one"] * 80)) == USUAL_C


def test_numbers_stand_in_their_order_and_missing_ones_are_zero() -> None:
    assert _numbers(["a 3, b 10", "none", "1 2 3"], 2).tolist() == [[3, 10], [0, 0], [1, 2]]
