"""From rows to a table and a recommendation: against cases counted by hand, scikit-learn, and simulated studies."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from core.metrics import score
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.metrics.intervals import METRICS
from core.metrics.verdict import ABOVE, BELOW, NO_BETTER
from core.studies.ablation import ablation, markdown
from core.studies.contrasts import FEW, HARMS, HELPS, UNCLEAR, SeedAverages, effect
from core.studies.plan import ENHANCEMENTS

Rows = list[dict[str, Any]]


def rows(*photos: str) -> Rows:
    """`rows("ab ba", …)`: photos, an object each word, its true class and the answer; objects count on."""
    return [
        {"image": f"{place}.jpg", "object": index, "truth_class": word[0], "predicted_class": word[1]}
        for place, photo in enumerate(photos)
        for index, word in enumerate(photo.split())
    ]


def test_scores_and_differences_are_as_counted_by_hand() -> None:
    answers = {
        # accuracy 2/4; recall a 1/3, b 1; F1 a 2*1/(3+1) = 1/2, b 2*1/(1+3) = 1/2
        "none": {0: rows("aa ab", "ab bb"), 1: rows("aa ab", "ab bb")},
        # seed 0 all right; seed 1 as none
        "oversampling": {0: rows("aa aa", "aa bb"), 1: rows("aa ab", "ab bb")},
    }
    none, over = ablation(answers)["table"]
    assert none["accuracy"]["mean"] == 0.5
    assert none["balanced_accuracy"]["mean"] == pytest.approx(2 / 3)
    assert none["macro_f1"]["mean"] == pytest.approx(0.5)
    assert none["macro_f1"]["spread"] == 0
    assert none["difference"] is None and none["verdict"] is None
    assert over["macro_f1"]["mean"] == pytest.approx(0.75)
    assert over["macro_f1"]["spread"] == pytest.approx(np.sqrt(0.125))
    assert over["difference"]["macro_f1"]["mean"] == pytest.approx(0.25)
    assert over["difference"]["accuracy"]["mean"] == pytest.approx(0.25)
    assert over["difference"]["balanced_accuracy"]["mean"] == pytest.approx(1 / 6)
    assert over["difference"]["macro_f1"]["spread"] == pytest.approx(np.sqrt(0.125))
    assert (over["seeds"], over["enhancements"], over["label"]) == ([0, 1], ["oversampling"], "oversampling alone")


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = [
        {
            "image": f"{i // 4}",
            "object": i % 4,
            "truth_class": str(rng.choice(list("abc"), p=[0.7, 0.2, 0.1])),
            "predicted_class": str(rng.choice(list("abcd"))),
        }
        for i in range(80)
    ]
    truth, predicted = [row["truth_class"] for row in made], [row["predicted_class"] for row in made]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "d" is answered and never true: that is the point
        expected = balanced_accuracy_score(truth, predicted)
    accuracy, macro, balanced = (SeedAverages({"none": {0: made}}).scores("none")[name]["mean"] for name in METRICS)
    assert accuracy == pytest.approx(accuracy_score(truth, predicted))
    assert balanced == pytest.approx(expected)
    assert macro == pytest.approx(f1_score(truth, predicted, labels=sorted(set(truth)), average="macro"))


def test_equal_answers_have_no_difference_and_an_interval_of_nothing() -> None:
    made = rows("aa ab", "bb ba", "aa", "ba bb", "bb")
    change = ablation({"none": {0: made, 1: made}, "all": {0: made, 1: made}})["table"][1]["difference"]
    for metric in METRICS:
        assert change[metric]["mean"] == 0
        assert change[metric]["interval"] == [0, 0]


def test_the_order_of_rows_and_photos_changes_nothing() -> None:
    before, after = rows("aa ab", "bb ba", "aa aa", "ba bb"), rows("aa aa", "bb bb", "ab aa", "ba bb")
    straight = ablation({"none": {0: before, 1: before}, "all": {0: after, 1: after}})
    turned = ablation({"none": {0: before[::-1], 1: before}, "all": {0: after, 1: after[::-1]}})
    assert straight == turned


def in_flights(made: Rows, flights: int, name: str = "d") -> Rows:
    """The rows with their photos dealt to so many flights."""
    return [{**row, "flight": f"{name}{int(row['image'].removesuffix('.jpg')) % flights}"} for row in made]


def test_flights_are_left_out_whole() -> None:
    """Photos of a flight that are judged alike tell as much as one photo."""
    made = rows(*["aa", "ab"] * 20)
    alone = SeedAverages({"none": {0: made}}).scores("none")["accuracy"]["interval"]
    together = SeedAverages({"none": {0: in_flights(made, 8)}}).scores("none")["accuracy"]["interval"]
    assert np.diff(together) > 2 * np.diff(alone)


def test_one_training_has_the_interval_of_its_scores() -> None:
    rng = np.random.default_rng(0)
    made = in_flights(rows(*[f"a{rng.choice(list('ab'))} b{rng.choice(list('abb'))}" for _ in range(30)]), 6)
    found = SeedAverages({"none": {0: made}}).scores("none")
    expected = score([{**row, "object_type": "", "truth": "", "predicted": "", "choices": 2} for row in made])
    for name in METRICS:
        assert found[name]["interval"] == pytest.approx(expected[f"{name}_interval"])


def test_seeds_on_other_flights_tell_more_than_seeds_on_the_same() -> None:
    rng = np.random.default_rng(1)
    first, second = (in_flights(rows(*[f"a{rng.choice(list('aab'))}" for _ in range(40)]), 8, name) for name in "de")
    alone, same, more = (
        SeedAverages({"none": found}) for found in ({0: first}, {0: first, 1: first}, {0: first, 1: second})
    )
    assert same.scores("none") == {name: about | {"spread": 0.0} for name, about in alone.scores("none").items()}
    assert [contrasts.difference("none", "none")["flights"] for contrasts in (alone, same, more)] == [8, 8, 16]  # type: ignore[index]


@pytest.mark.parametrize(("flights", "known"), [(1, False), (3, False), (4, True)])
def test_under_four_flights_there_is_no_interval_and_no_verdict(flights: int, known: bool) -> None:
    answers = study({"none": 0.4, "oversampling": 0.9, "all": 0.95})
    few = {name: {seed: in_flights(made, flights) for seed, made in found.items()} for name, found in answers.items()}
    found = ablation(few)
    for row in found["table"]:
        assert (row["macro_f1"]["interval"] is not None) == known
    over = found["table"][1]
    assert over["difference"]["flights"] == flights
    if not known:
        assert over["verdict"] == TOO_FEW_FLIGHTS
        assert found["recommendation"]["use"] == "none" and not found["recommendation"]["enough"]
        text = " ".join(found["recommendation"]["said"])
        assert "too few flights to tell" in text and "Judge at least 4 flights" in text and "Train each" not in text
    assert any(f"Only {flights} flight" in sentence for sentence in found["recommendation"]["said"])
    assert all(TOO_FEW_FLIGHTS in line for line in markdown(found["table"])[2:]) != known


def test_luck_of_a_training_widens_the_interval() -> None:
    rng = np.random.default_rng(2)
    even = [rows(*[f"a{rng.choice(list('ab'))}" for _ in range(60)])] * 3
    lucky = [even[0], rows(*["aa"] * 60), rows(*["ab"] * 60)]
    steady, shaken = (
        SeedAverages({"none": dict(enumerate(found))}).scores("none")["accuracy"] for found in (even, lucky)
    )
    assert np.diff(steady["interval"]) < 0.3
    assert np.diff(shaken["interval"]) > 0.8


def test_a_study_that_is_not_finished_compares_the_seeds_that_both_have() -> None:
    good, bad = rows("aa aa", "bb bb"), rows("aa ab", "bb ba")
    found = ablation({"none": {0: bad, 1: good}, "oversampling": {0: good}, "all": {}})
    assert [row["variant"] for row in found["table"]] == ["none", "oversampling"]
    assert found["table"][1]["difference"]["seeds"] == [0]
    assert found["table"][1]["difference"]["accuracy"]["mean"] == 0.5
    assert ablation({"none": {}, "all": {0: good}})["table"][0]["difference"] is None
    assert ablation({"none": {0: good}, "all": {}})["recommendation"] is None


def test_variants_judged_on_other_objects_are_not_compared() -> None:
    with pytest.raises(ValueError, match="not judged on the same objects"):
        ablation({"none": {0: rows("aa ab")}, "all": {0: rows("aa", "ab")}})


@pytest.mark.parametrize(
    ("interval", "seeds", "expected"),
    [
        ([0.001, 0.1], 3, HELPS),
        ([0.0, 0.1], 3, UNCLEAR),
        ([-0.1, 0.2], 3, UNCLEAR),
        ([-0.1, 0.0], 3, UNCLEAR),
        ([-0.2, -0.001], 3, HARMS),
        ([0.1, 0.2], 5, HELPS),
        ([0.1, 0.2], 2, FEW),
        ([-0.2, -0.1], 1, FEW),
        (None, 3, TOO_FEW_FLIGHTS),
        (None, 2, FEW),
    ],
)
def test_a_verdict_is_where_zero_lies_and_few_trainings_or_flights_give_none(
    interval: list[float] | None, seeds: int, expected: str
) -> None:
    assert effect({"macro_f1": {"interval": interval}, "seeds": list(range(seeds))}) == expected


def study(right: dict[str, float], seeds: int = 3, photos: int = 60) -> dict[str, dict[int, Rows]]:
    """Variants that judge this share of the photos right, the same photos in every seed, spread over three classes."""
    answers: dict[str, dict[int, Rows]] = {}
    for variant, share in right.items():
        words = ["abc"[i % 3] + ("abc"[i % 3] if i < share * photos else "abc"[(i + 1) % 3]) for i in range(photos)]
        answers[variant] = {seed: rows(*words) for seed in range(seeds)}
    return answers


@pytest.mark.parametrize(
    ("right", "use", "alone"),
    [
        ({"none": 0.5, "oversampling": 0.8}, "oversampling", {"oversampling": HELPS}),
        ({"none": 0.5, "oversampling": 0.51}, "none", {"oversampling": UNCLEAR}),
        ({"none": 0.8, "oversampling": 0.5}, "none", {"oversampling": HARMS}),
        (
            {"none": 0.5, "oversampling": 0.7, "class_weighting": 0.8},
            "class_weighting",
            {"oversampling": HELPS, "class_weighting": HELPS},
        ),
        ({"none": 0.5, "oversampling": 0.8, "all": 0.81}, "oversampling", {"oversampling": HELPS}),  # simplest wins
        ({"none": 0.5, "oversampling": 0.7, "all": 0.95}, "all", {"oversampling": HELPS}),
        ({"none": 0.5, "oversampling": 0.52, "all": 0.9}, "all", {"oversampling": UNCLEAR}),
        ({"none": 0.5, "oversampling": 0.9, "all": 0.6}, "oversampling", {"oversampling": HELPS}),
        (
            {
                "none": 0.5,
                "class_weighting": 0.7,
                "oversampling": 0.7,
                "class_weighting+oversampling": 0.9,
                "all": 0.91,
            },
            "class_weighting+oversampling",
            {"class_weighting": HELPS, "oversampling": HELPS},
        ),
    ],
)
def test_what_is_clearly_better_is_recommended_and_the_simplest_wins(
    right: dict[str, float], use: str, alone: dict[str, str]
) -> None:
    found = ablation(study(right))["recommendation"]
    assert found["use"] == use
    assert found["enhancements"] == alone
    on = {name for name, switch in found["settings"].items() if switch}
    assert on == {
        f"enhance.{enhancement}" for enhancement in (ENHANCEMENTS if use == "all" else use.split("+")) if use != "none"
    }
    assert set(found["settings"]) == {f"enhance.{enhancement}" for enhancement in ENHANCEMENTS}


@pytest.mark.parametrize(("all_right", "expected"), [(0.6, HARMS), (0.91, UNCLEAR), (0.99, UNCLEAR), (1.0, HELPS)])
def test_stacking_is_judged_against_the_best_part(all_right: float, expected: str) -> None:
    right = {"none": 0.5, "oversampling": 0.9, "class_weighting": 0.6, "all": all_right}
    if all_right == 0.99:
        right["oversampling"] = 0.98
    found = ablation(study(right))["recommendation"]["stacking"]
    assert (found["variant"], found["best_part"], found["verdict"]) == ("all", "oversampling", expected)


@pytest.mark.parametrize(
    ("guess", "worth", "sentence"),
    [
        (0.5, ABOVE, "so the model is better than guessing"),
        (0.8, NO_BETTER, "which lies within the interval"),
        (0.99, BELOW, "so the model is worse than guessing"),
    ],
)
def test_what_helps_is_compared_with_guessing_too(guess: float, worth: str, sentence: str) -> None:
    found = ablation(study({"none": 0.5, "oversampling": 0.8}), guess=guess)["recommendation"]
    assert (found["use"], found["worth"]) == ("oversampling", worth)
    assert found["said"][-1].startswith("With oversampling alone: ") and sentence in found["said"][-1]


def test_where_guessing_is_not_known_nothing_is_said_of_it() -> None:
    found = ablation(study({"none": 0.5, "oversampling": 0.8}))["recommendation"]
    assert found["worth"] is None
    assert not any("guess" in sentence for sentence in found["said"])


def test_help_alone_that_was_not_measured_together_is_said_so() -> None:
    right = {"none": 0.4, "oversampling": 0.7, "class_weighting": 0.8}
    advice = ablation(study(right))["recommendation"]["said"]
    assert any("together was not measured" in sentence for sentence in advice)
    assert any(sentence.startswith("Use class weighting alone") for sentence in advice)


@pytest.mark.parametrize(("taken", "warned"), [(276, True), (182, True), (181, False), (165, False), (None, False)])
def test_whoever_trains_longer_is_told_that_the_steps_may_be_what_helps(taken: int | None, warned: bool) -> None:
    steps = {"none": 165} | ({"oversampling": taken} if taken else {})
    found = ablation(study({"none": 0.5, "oversampling": 0.8}), steps=steps)
    assert [row["steps"] for row in found["table"]] == [165, taken]
    warnings = [sentence for sentence in found["recommendation"]["said"] if "as many steps" in sentence]
    assert len(warnings) == warned
    assert all(f"training.max_steps={taken}" in sentence for sentence in warnings)


def test_longer_training_that_is_not_recommended_needs_no_warning() -> None:
    found = ablation(study({"none": 0.8, "oversampling": 0.5}), steps={"none": 165, "oversampling": 276})
    assert not any("as many steps" in sentence for sentence in found["recommendation"]["said"])


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_trainings_recommend_nothing(seeds: int) -> None:
    found = ablation(study({"none": 0.2, "oversampling": 0.9, "all": 1.0}, seeds=seeds))["recommendation"]
    assert found["use"] == "none"
    assert found["enhancements"] == {"oversampling": FEW}
    assert any("at least 3 times" in sentence for sentence in found["said"])


def test_the_table_is_written_as_markdown_with_intervals() -> None:
    lines = markdown(ablation(study({"none": 0.5, "oversampling": 0.8}))["table"])
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "50.0 %" in lines[2] and "80.0 %" in lines[3]
    assert "+0.3" in lines[3] and "recommended" in lines[3]


def simulated(rng: np.random.Generator, gain: float, seeds: int, luck: float, flights: int = 12) -> dict[str, Any]:
    """A study of so many flights of 4 photos with 4 objects of three uneven classes. Every training's answers lean to
    some classes by chance (`luck`), flights and photos differ in how hard they are, and flights in what the enhancement
    does; `gain` makes right answers likelier. The row of the table.
    """
    photos = 4 * flights
    truth = rng.choice(3, size=(photos, 4), p=[0.6, 0.25, 0.15])
    hard = np.repeat(rng.normal(0, 0.7, (flights, 1)), 4, axis=0) + rng.normal(0, 1, (photos, 4))
    uneven = np.repeat(rng.normal(1, 0.3, (flights, 1)), 4, axis=0)

    def answered(more: float) -> Rows:
        logits = rng.normal(0, 0.8, (photos, 4, 3)) + rng.normal(0, luck, 3)
        logits[np.arange(photos)[:, None], np.arange(4), truth] += 1 + more * uneven - 0.7 * hard
        predicted = logits.argmax(axis=2)
        return [
            {
                "image": f"d{i // 4}_{i}",
                "object": j,
                "truth_class": str(truth[i, j]),
                "predicted_class": str(predicted[i, j]),
            }
            for i in range(photos)
            for j in range(4)
        ]

    made: dict[str, dict[int, Sequence[Any]]] = {
        "none": {seed: answered(0) for seed in range(seeds)},
        "oversampling": {seed: answered(gain) for seed in range(seeds)},
    }
    found: dict[str, Any] = ablation(made)["table"][1]
    return found


@pytest.mark.parametrize(
    ("seeds", "luck", "flights"), [(3, 0.0, 12), (3, 0.5, 12), (3, 0.5, 5), (5, 0.2, 5), (2, 0.5, 12)]
)
def test_a_useless_enhancement_is_seldom_recommended(seeds: int, luck: float, flights: int) -> None:
    rng = np.random.default_rng(7)
    outcomes = Counter(simulated(rng, 0.0, seeds, luck, flights)["verdict"] for _ in range(60))
    assert outcomes[HELPS] <= 0.05 * 60
    assert outcomes[HARMS] <= 0.05 * 60


@pytest.mark.parametrize(("gain", "luck", "flights"), [(0.8, 0.3, 12), (1.2, 0.1, 5)])
def test_a_useful_enhancement_is_mostly_found(gain: float, luck: float, flights: int) -> None:
    rng = np.random.default_rng(7)
    outcomes = Counter(simulated(rng, gain, 3, luck, flights)["verdict"] for _ in range(40))
    assert outcomes[HELPS] >= 0.8 * 40
