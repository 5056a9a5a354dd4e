"""Figures against cases counted by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.metrics import bootstrap, compare, confusion, macro_f1, mcnemar, score


def row(truth: str, predicted: str, kind: str = "toe drain", image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    return {
        "image": image, "object": more.pop("object", 0), "object_type": kind, "truth": truth, "predicted": predicted,
        "truth_class": f"{kind} {truth}", "predicted_class": f"{kind} {predicted}", "choices": 3, **more,
    }  # fmt: skip


# Toe drains: 2 of 3 normal right, 1 of 2 blocked right; vegetation: 1 of 1, without a choice.
ROWS = [
    row("normal", "normal", image="a.jpg"),
    row("normal", "normal", image="a.jpg"),
    row("normal", "blocked", image="b.jpg"),
    row("blocked", "blocked", image="b.jpg"),
    row("blocked", "damaged", image="c.jpg"),
    row("normal", "normal", "vegetation", image="c.jpg", choices=1),
]


def test_accuracy_and_macro_f1_are_as_counted_by_hand() -> None:
    found = score(ROWS)
    assert (found["correct"], found["total"], found["overall_accuracy"]) == (4, 6, 4 / 6)
    # F1: normal 2*2/(3+2) = 0.8, blocked 2*1/(2+2) = 0.5, vegetation 1; damaged is no true class and does not count.
    assert found["macro_f1"] == pytest.approx((0.8 + 0.5 + 1) / 3)
    assert found["with_choice"] == {"correct": 3, "total": 5, "accuracy": 3 / 5}


def test_each_class_condition_and_type_is_as_counted_by_hand() -> None:
    found = score(ROWS)
    assert found["per_class"]["toe drain normal"] == {
        "correct": 2, "total": 3, "accuracy": 2 / 3, "predicted": 2, "precision": 1.0, "recall": 2 / 3,
        "f1": pytest.approx(0.8),
    }  # fmt: skip
    assert found["per_class"]["toe drain damaged"] == {
        "correct": 0, "total": 0, "accuracy": None, "predicted": 1, "precision": 0.0, "recall": None, "f1": None,
    }  # fmt: skip
    assert found["per_condition"]["normal"]["correct"] == 3
    assert found["per_condition"]["normal"]["accuracy"] == 3 / 4
    assert found["per_condition"]["blocked"]["precision"] == 1 / 2
    assert found["per_object_type"] == {
        "toe drain": {"correct": 3, "total": 5, "accuracy": 3 / 5},
        "vegetation": {"correct": 1, "total": 1, "accuracy": 1.0},
    }


def test_confusion_has_the_truth_in_rows_and_the_order_asked_for() -> None:
    labels = ("vegetation normal", "toe drain normal", "rock toe normal", "toe drain blocked")
    found = score(ROWS, labels)["confusion"]
    assert found["labels"] == [*labels, "toe drain damaged"]
    assert found["counts"] == [[1, 0, 0, 0, 0], [0, 2, 0, 1, 0], [0] * 5, [0, 0, 0, 1, 1], [0] * 5]
    assert score(ROWS, labels)["macro_f1"] == score(ROWS)["macro_f1"]


def test_figures_are_plain_json() -> None:
    assert json.loads(json.dumps(score(ROWS))) == score(ROWS)


def test_a_class_question_is_right_only_when_the_type_is_right_too() -> None:
    wrong = row("normal", "normal") | {"predicted_class": "rock toe normal", "question": "class"}
    found = score([wrong])
    assert (found["correct"], found["per_condition"]["normal"]["correct"]) == (0, 1)


def test_always_right_and_always_wrong_have_no_doubt() -> None:
    right, wrong = score(ROWS[:2]), score([ROWS[2], ROWS[4]])
    assert (right["overall_accuracy"], right["accuracy_interval"], right["macro_f1"]) == (1, [1, 1], 1)
    assert (wrong["overall_accuracy"], wrong["accuracy_interval"], wrong["macro_f1"]) == (0, [0, 0], 0)


def test_nothing_to_score_is_told() -> None:
    with pytest.raises(UserError, match="no object was judged"):
        score([])


def test_intervals_hold_the_figure_and_repeat_with_the_seed() -> None:
    rng = np.random.default_rng(0)
    rows = [row("normal", "normal" if rng.random() < 0.7 else "blocked", image=f"{i // 3}") for i in range(150)]
    found = score(rows)
    low, high = found["accuracy_interval"]
    assert low < found["overall_accuracy"] < high
    assert 0.1 < high - low < 0.2
    assert score(rows) == found
    assert score(rows, seed=1)["accuracy_interval"] != found["accuracy_interval"]


def test_the_bootstrap_draws_photos_not_objects() -> None:
    alike = [
        row("normal", "normal" if photo % 2 else "blocked", image=f"{photo}") for photo in range(20) for _ in range(10)
    ]
    single = [one | {"image": f"{i}"} for i, one in enumerate(alike)]
    names = ("toe drain blocked", "toe drain normal")
    widths = [np.diff(bootstrap(rows, names)[0])[0] for rows in (alike, single)]
    assert widths[0] > 2.5 * widths[1]  # ten objects of a photo that fall together tell as much as one


def test_the_bootstrap_equals_its_slow_twin() -> None:
    """Every possible draw of three photos, each as likely as the others, gives the same interval."""
    names = sorted({str(one[key]) for one in ROWS for key in ("truth_class", "predicted_class")})
    figures = []
    for draw in itertools.product(("a.jpg", "b.jpg", "c.jpg"), repeat=3):
        drawn = [one for image in draw for one in ROWS if one["image"] == image]
        counts = confusion([one["truth_class"] for one in drawn], [one["predicted_class"] for one in drawn], names)
        figures.append((np.trace(counts) / counts.sum(), macro_f1(counts)))
    slow = np.percentile(np.repeat(figures, 100, axis=0), [2.5, 97.5], axis=0)
    fast = np.array(bootstrap(ROWS, names)).T
    assert fast == pytest.approx(slow, abs=0.02)


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 0.0625), (0, 5, 0.0625), (8, 2, 0.109375), (3, 1, 0.625), (2000, 2000, 1.0)],
)
def test_mcnemar_is_the_binomial_tail(better: int, worse: int, p_value: float) -> None:
    assert mcnemar(better, worse) == pytest.approx(p_value)


def test_a_comparison_counts_what_turned_right_and_wrong() -> None:
    before = [row("normal", "blocked" if i < 6 else "normal", image=f"{i}", object=i) for i in range(10)]
    after = [row("normal", "blocked" if i == 9 else "normal", image=f"{i}", object=i) for i in range(10)]
    found = compare(before, after[::-1])
    assert (found["better"], found["worse"], found["total"]) == (6, 1, 10)
    assert found["accuracy_change"] == pytest.approx(0.5)
    low, high = found["accuracy_change_interval"]
    assert 0 <= low < 0.5 < high <= 1
    assert found["p_value"] == pytest.approx(0.125)
    assert compare(before, before)["accuracy_change_interval"] == [0, 0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([], []),
        ([row("normal", "normal")], []),
        ([row("normal", "normal")], [row("normal", "normal", image="z.jpg")]),
        ([row("normal", "normal")], [row("normal", "normal", object=4)]),
        ([row("normal", "normal")] * 2, [row("normal", "normal")] * 2),
    ],
)
def test_results_about_other_objects_are_not_compared(before: list[Any], after: list[Any]) -> None:
    with pytest.raises(UserError, match="not about the same objects"):
        compare(before, after)
