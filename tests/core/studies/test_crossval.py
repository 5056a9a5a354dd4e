"""Pooled answers of all parts: against cases counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import UserError
from core.metrics import compare, score
from core.studies.crossval import FoldPredictions, cross_validation, lines, pooled_rows


def sure(answer: str) -> dict[str, float]:
    return {name: 0.8 if name == answer else 0.1 for name in ("normal", "blocked", "damaged")}


def rows(photo: str, *words: str) -> list[dict[str, Any]]:
    """`rows("a", "nb", …)`: objects of a photo, each its truth and the answer by first letters."""
    names = {"n": "normal", "b": "blocked", "d": "damaged"}
    return [
        {
            "image": f"{photo}.jpg",
            "object": index,
            "object_type": "drain",
            "choices": 3,
            "question": "condition",
            "truth": names[word[0]],
            "predicted": names[word[1]],
            "probabilities": sure(names[word[1]]),
            "truth_class": f"drain {names[word[0]]}",
            "predicted_class": f"drain {names[word[1]]}",
        }
        for index, word in enumerate(words)
    ]


def part(fold: int, seed: int, answers: list[dict[str, Any]], **references: list[dict[str, Any]]) -> FoldPredictions:
    return FoldPredictions(fold, seed, answers, references)


ONE, TWO = rows("a", "nn", "nb", "bb"), rows("b", "nn", "db")
GUESS_ONE, GUESS_TWO = rows("a", "nn", "nn", "bn"), rows("b", "nn", "dn")


def test_all_parts_are_scored_together_and_each_for_itself() -> None:
    found = cross_validation([part(0, 0, ONE), part(1, 0, TWO)])
    assert (found["correct"], found["total"]) == (3, 5)
    expected = score([*ONE, *TWO])
    assert {key: found[key] for key in expected} == expected
    assert [(fold["fold"], fold["correct"], fold["total"]) for fold in found["folds"]] == [(0, 2, 3), (1, 1, 2)]
    assert found["folds"][1]["macro_f1"] == pytest.approx((1 + 0) / 2)
    assert found["spread"] is None


def test_pooled_rows_hold_every_object_once_and_say_which_part_it_was() -> None:
    pooled = pooled_rows([part(0, 3, ONE), part(1, 3, TWO), part(0, 4, ONE), part(1, 4, TWO)])
    assert [(row["image"], row["object"], row["fold"], row["seed"]) for row in pooled] == [
        ("a.jpg", 0, 0, 3),
        ("a.jpg", 1, 0, 3),
        ("a.jpg", 2, 0, 3),
        ("b.jpg", 0, 1, 3),
        ("b.jpg", 1, 1, 3),
    ]


def test_further_seeds_show_the_spread_and_do_not_count_twice() -> None:
    better = rows("b", "nn", "dd")
    found = cross_validation([part(0, 0, ONE), part(1, 0, TWO), part(0, 1, ONE), part(1, 1, better)])
    assert found["total"] == 5
    assert [seed["correct"] for seed in found["seeds"]] == [3, 4]
    marks = [seed["macro_f1"] for seed in found["seeds"]]
    assert found["spread"] == pytest.approx(abs(marks[1] - marks[0]) / 2**0.5)


def test_references_are_pooled_and_the_model_is_compared_with_them_on_the_same_objects() -> None:
    found = cross_validation([part(0, 0, ONE, prior=GUESS_ONE), part(1, 0, TWO, prior=GUESS_TWO)])
    prior = found["references"]["prior"]
    assert prior["accuracy"] == 3 / 5
    assert prior["label"].startswith("Always the most frequent")
    assert prior["model_against_it"] == compare([*GUESS_ONE, *GUESS_TWO], [*ONE, *TWO])
    assert any("Always the most frequent condition" in line and "+" in line for line in lines(found))


def test_a_reference_that_a_part_lacks_is_left_out() -> None:
    found = cross_validation([part(0, 0, ONE, prior=GUESS_ONE, probe=ONE), part(1, 0, TWO, prior=GUESS_TWO)])
    assert list(found["references"]) == ["prior"]


def test_a_reference_about_other_objects_is_refused() -> None:
    with pytest.raises(UserError, match="not about the same objects"):
        cross_validation([part(0, 0, ONE, prior=GUESS_TWO)])
