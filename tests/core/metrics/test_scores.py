"""Figures against cases counted by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.metrics import compare, score, sign_flip
from core.metrics.compare import outcome
from core.metrics.flights import with_flights


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
        "recall_interval": None,  # of two flights
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
    truth, predicted = ([answer[key] for answer in rows] for key in ("truth_class", "predicted_class"))
    found = score(rows)
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    names = sorted(set(truth))
    for name, *theirs in zip(names, *precision_recall_fscore_support(truth, predicted, labels=names), strict=True):
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


def test_always_right_in_few_flights_leaves_doubt() -> None:
    """Flights that do not differ do not tell how much flights differ: each then counts as one object (Wilson)."""
    right = [row("normal", "normal", image=f"{i % 5}", object=i) for i in range(40)]
    found = score(right)
    assert (found["overall_accuracy"], found["macro_f1"]) == (1, 1)
    assert found["accuracy_interval"] == pytest.approx([0.5655, 1.0], abs=1e-4)  # 5 of 5
    assert found["per_class"]["toe drain normal"]["recall_interval"] == found["accuracy_interval"]
    wrong = [answer | {"predicted_class": "toe drain blocked"} for answer in right]
    assert score(wrong)["accuracy_interval"] == pytest.approx([0.0, 0.4345], abs=1e-4)


@pytest.mark.parametrize(("flights", "known"), [(1, False), (3, False), (4, True), (12, True)])
def test_under_four_flights_there_is_no_interval(flights: int, known: bool) -> None:
    rows = [row("normal", ("normal", "blocked")[i % 5 == 0], image=f"d{i % flights}_{i}.jpg") for i in range(60)]
    found = score(rows)
    assert found["flights"] == flights
    for key in ("accuracy_interval", "macro_f1_interval", "balanced_accuracy_interval"):
        assert key in found and (found[key] is not None) == known
        assert (found["with_choice"][key] is not None) == known
    assert (found["per_class"]["toe drain normal"]["recall_interval"] is not None) == known


def test_a_class_that_few_flights_hold_has_no_interval_of_its_own() -> None:
    rows = [row("normal", "normal", image=f"d{i % 8}_{i}.jpg") for i in range(40)]
    rows += [row("blocked", "blocked", image=f"d{i}_90.jpg") for i in range(3)]
    found = score(rows)["per_class"]
    assert found["toe drain blocked"]["recall_interval"] is None
    assert found["toe drain normal"]["recall_interval"] is not None


def test_the_lowest_and_the_highest_flight_are_told() -> None:
    rows = [
        row("normal", "normal" if i < 4 * flight else "blocked", image=f"d{flight}_{i}")
        for flight in range(3)
        for i in range(8)
    ]
    found = score(rows)
    assert found["lowest_flight"] == {"flight": "d0", "correct": 0, "total": 8, "accuracy": 0}
    assert found["highest_flight"] == {"flight": "d2", "correct": 8, "total": 8, "accuracy": 1}


def test_a_row_says_its_flight_and_the_name_of_its_photo_does_where_it_does_not() -> None:
    rows = [row("normal", "normal", image=f"hill_{i}.jpg") for i in range(6)]
    assert score(rows)["flights"] == 1
    assert score([answer | {"flight": answer["image"]} for answer in rows])["flights"] == 6
    assert [flight["flight"] for flight in with_flights(rows[:1])] == ["hill"]
    assert [flight["flight"] for flight in with_flights(rows[:1], "")] == ["hill_0.jpg"]
    assert [flight["flight"] for flight in with_flights([rows[0] | {"flight": "mine"}])] == ["mine"]


def test_nothing_to_score_is_told() -> None:
    with pytest.raises(UserError, match="no object was judged"):
        score([])


def test_intervals_hold_the_figure_and_are_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    rows = [row("normal", "normal" if rng.random() < 0.7 else "blocked", image=f"{i // 3}") for i in range(150)]
    found = score(rows)
    low, high = found["accuracy_interval"]
    assert low < found["overall_accuracy"] < high
    assert 0.1 < high - low < 0.2
    assert score(rows) == found


def test_flights_are_left_out_whole() -> None:
    """Ten objects of a flight that fall together tell as much as one."""
    alike = [
        row("normal", "normal" if flight % 2 else "blocked", image=f"d{flight}_{n}")
        for flight in range(20)
        for n in range(10)
    ]
    single = [answer | {"flight": f"{i}"} for i, answer in enumerate(alike)]
    together, apart = (np.diff(score(rows)["accuracy_interval"])[0] for rows in (alike, single))
    assert together > 2.5 * apart


def test_the_interval_equals_its_slow_twin() -> None:
    """Each flight left out row by row; then Wilson's formula with Student's t and the effective number of objects."""
    rng = np.random.default_rng(3)
    words = ("normal", "blocked", "damaged")
    rows = [row(words[rng.integers(3)], words[rng.integers(3)], image=f"d{i % 7}_{i}") for i in range(90)]
    for name, key in (("overall_accuracy", "accuracy"), ("macro_f1",) * 2, ("balanced_accuracy",) * 2):
        left = [score([answer for answer in rows if not answer["image"].startswith(f"d{f}_")])[name] for f in range(7)]
        value, variance = score(rows)[name], 6 / 7 * sum((value_left - np.mean(left)) ** 2 for value_left in left)
        n, t = min(value * (1 - value) / variance, 90), 2.446912
        slow = [
            (value + t * t / 2 / n + side * t * np.sqrt(value * (1 - value) / n + t * t / 4 / n / n)) / (1 + t * t / n)
            for side in (-1, 1)
        ]
        assert score(rows)[f"{key}_interval"] == pytest.approx(slow, abs=1e-6)


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 0.0625), (0, 5, 0.0625), (8, 2, 0.109375), (3, 1, 0.625), (2000, 2000, 1.0)],
)
def test_of_one_object_a_flight_the_test_is_the_exact_mcnemar_test(better: int, worse: int, p_value: float) -> None:
    assert sign_flip(np.array([1] * better + [-1] * worse + [0] * 7)) == pytest.approx(p_value)


@pytest.mark.parametrize("seed", range(4))
def test_the_sign_flip_test_equals_its_slow_twin(seed: int) -> None:
    changes = np.random.default_rng(seed).integers(-4, 6, 9)
    sums = np.array([np.dot(signs, changes) for signs in itertools.product((-1, 1), repeat=9)])
    assert sign_flip(changes) == pytest.approx((np.abs(sums) >= abs(changes.sum())).mean())
    assert sign_flip(changes, more=True) == pytest.approx((sums >= changes.sum()).mean())


def test_a_comparison_counts_what_turned_right_and_wrong() -> None:
    before = [row("normal", "blocked" if i < 6 else "normal", image=f"{i}", object=i) for i in range(10)]
    after = [row("normal", "blocked" if i == 9 else "normal", image=f"{i}", object=i) for i in range(10)]
    found = compare(before, after[::-1])
    assert (found["better"], found["worse"], found["total"]) == (6, 1, 10)
    assert found["accuracy_change"] == pytest.approx(0.5)
    low, high = found["accuracy_change_interval"]
    assert -0.1 < low < 0.5 < high <= 1
    assert found["p_value"] == pytest.approx(0.125)
    assert compare(before, before)["accuracy_change_interval"] == [0, 0]
    assert compare(before, before)["verdict"] == "no clear difference"


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.01, 0.2), "better"),
        ((-0.2, -0.01), "worse"),
        ((-0.01, 0.2), "no clear difference"),
        ((-0.2, 0.01), "no clear difference"),
        ((0.0, 0.2), "no clear difference"),
        ((0.0, 0.0), "no clear difference"),
        (None, "too few flights"),
    ],
)
def test_nothing_is_called_better_whose_interval_holds_zero(interval: list[float] | None, expected: str) -> None:
    assert outcome(interval) == expected


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


def pair(flights: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All twelve objects turn right, so many flights share them."""
    before = [row("normal", "blocked", object=i, image=f"d{i % flights}_{i}") for i in range(12)]
    return before, [answer | {"predicted_class": answer["truth_class"]} for answer in before]


@pytest.mark.parametrize(
    ("flights", "expected"),
    [
        (1, "too few flights"),
        (3, "too few flights"),
        (4, "no clear difference"),
        (5, "no clear difference"),
        (12, "better"),
    ],
)
def test_a_handful_of_flights_proves_nothing(flights: int, expected: str) -> None:
    found = compare(*pair(flights))
    assert found["verdict"] == expected
    assert (found["macro_f1_change_interval"] is None) == (flights < 4)
    assert (found["p_value"] is None) == (flights < 10)
    assert found["flights"] == flights


def test_a_comparison_tells_the_flights_that_gained_least_and_most() -> None:
    before, after = pair(3)
    after = [
        answer | {"predicted_class": "toe drain blocked"} if answer["image"].startswith("d1") else answer
        for answer in after
    ]
    found = compare(before, after)
    assert found["lowest_flight"] == {"flight": "d1", "accuracy_change": 0, "total": 4}
    assert found["highest_flight"]["accuracy_change"] == 1


def test_old_answers_are_compared_with_new_ones_by_the_flights_of_the_new() -> None:
    before, after = pair(12)
    joined = [answer | {"flight": f"joined{i // 3}"} for i, answer in enumerate(after)]
    assert compare(before, joined)["flights"] == compare(joined, before)["flights"] == 4
