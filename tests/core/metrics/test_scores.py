"""Figures against cases counted by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.metrics import bootstrap, compare, confusion, macro_f1, mcnemar, score
from core.metrics.compare import verdict
from core.metrics.counts import balanced


def row(truth: str, predicted: str, kind: str = "toe drain", image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    return {
        "image": image,
        "object": more.pop("object", 0),
        "object_type": kind,
        "truth": truth,
        "predicted": predicted,
        "truth_class": f"{kind} {truth}",
        "predicted_class": f"{kind} {predicted}",
        "choices": 3,
        **more,
    }


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
    # Recall: normal 2/3, blocked 1/2, vegetation 1.
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_each_class_condition_and_type_is_as_counted_by_hand() -> None:
    found = score(ROWS)
    assert found["per_class"]["toe drain normal"] == {
        "correct": 2,
        "total": 3,
        "accuracy": 2 / 3,
        "predicted": 2,
        "precision": 1.0,
        "recall": 2 / 3,
        # Wilson by hand for 2 of 3.
        "recall_interval": [pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4)],
        "f1": pytest.approx(0.8),
    }
    assert found["per_class"]["toe drain damaged"] == {
        "correct": 0,
        "total": 0,
        "accuracy": None,
        "predicted": 1,
        "precision": 0.0,
        "recall": None,
        "f1": None,
        "recall_interval": None,
    }
    assert found["per_condition"]["normal"]["correct"] == 3
    assert found["per_condition"]["normal"]["accuracy"] == 3 / 4
    assert found["per_condition"]["blocked"]["precision"] == 1 / 2
    assert found["per_object_type"] == {
        "toe drain": {"correct": 3, "total": 5, "accuracy": 3 / 5, "macro_f1": pytest.approx((0.8 + 0.5) / 2)},
        "vegetation": {"correct": 1, "total": 1, "accuracy": 1.0, "macro_f1": 1.0},
    }


def test_objects_with_one_possible_answer_are_told_apart_and_flatter_nothing() -> None:
    found = score(ROWS)
    assert found["single_answer"] == {"correct": 1, "total": 1, "accuracy": 1.0, "types": ["vegetation"]}
    apart = found["with_choice"]
    assert (apart["correct"], apart["total"], apart["accuracy"]) == (3, 5, 3 / 5)
    assert apart["macro_f1"] == pytest.approx((0.8 + 0.5) / 2) == pytest.approx(score(ROWS[:5])["macro_f1"])
    assert apart["accuracy_interval"] == score(ROWS[:5])["accuracy_interval"]


def test_during_training_the_figures_are_the_same_and_the_slow_ones_left_out() -> None:
    whole, light = score(ROWS), score(ROWS, intervals=False)
    for key in ("overall_accuracy", "macro_f1", "balanced_accuracy", "confusion"):
        assert light[key] == whole[key]
    assert not any(key.endswith("_interval") for key in light)


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn.metrics import balanced_accuracy_score, f1_score, precision_recall_fscore_support

    rng = np.random.default_rng(seed)
    words = ("normal", "blocked", "damaged")
    rows = [row(words[rng.integers(3)], words[rng.integers(3)], image=f"{i // 4}") for i in range(60)]
    truth, said = ([one[key] for one in rows] for key in ("truth_class", "predicted_class"))
    found = score(rows)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, said))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    names = sorted(set(truth))
    for name, *theirs in zip(names, *precision_recall_fscore_support(truth, said, labels=names), strict=True):
        mine = found["per_class"][name]
        assert [mine[key] for key in ("precision", "recall", "f1", "total")] == pytest.approx(theirs)


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
        figures.append((np.trace(counts) / counts.sum(), macro_f1(counts), balanced(counts)))
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
    assert compare(before, before)["verdict"] == "no clear difference"


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        ((0.01, 0.2), "better"),
        ((-0.2, -0.01), "worse"),
        ((-0.01, 0.2), "no clear difference"),
        ((-0.2, 0.01), "no clear difference"),
        ((0.0, 0.2), "no clear difference"),
        ((0.0, 0.0), "no clear difference"),
    ],
)
def test_nothing_is_called_better_whose_interval_holds_zero(interval: tuple[float, float], said: str) -> None:
    assert verdict(interval) == said


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


def test_a_handful_of_photos_proves_nothing() -> None:
    """All ten objects of one photo turn right: the interval over one photo has no width and means nothing."""
    before = [row("normal", "blocked", object=i) for i in range(10)]
    after = [row("normal", "normal", object=i) for i in range(10)]
    assert compare(before, after)["macro_f1_change_interval"] == [1.0, 1.0]
    assert compare(before, after)["verdict"] == "no clear difference"
    spread = [[one | {"image": f"{i}"} for i, one in enumerate(rows)] for rows in (before, after)]
    assert compare(*spread)["verdict"] == "better"
