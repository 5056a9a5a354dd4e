"""From rows to a table and a recommendation: against cases counted by hand, scikit-learn, and simulated studies."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from core.studies import contrasts
from core.studies.ablation import ablation, markdown
from core.studies.contrasts import FEW, HARMS, HELPS, UNCLEAR, PairedBootstrap, verdict
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
    judged = {
        # accuracy 2/4; recall a 1/3, b 1; F1 a 2*1/(3+1) = 1/2, b 2*1/(1+3) = 1/2
        "none": {0: rows("aa ab", "ab bb"), 1: rows("aa ab", "ab bb")},
        # seed 0 all right; seed 1 as none
        "oversampling": {0: rows("aa aa", "aa bb"), 1: rows("aa ab", "ab bb")},
    }
    none, over = ablation(judged)["table"]
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
    truth, said = [one["truth_class"] for one in made], [one["predicted_class"] for one in made]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "d" is answered and never true: that is the point
        expected = balanced_accuracy_score(truth, said)
    accuracy, macro, balanced = PairedBootstrap({"none": {0: made}}).points["none", 0]
    assert accuracy == pytest.approx(accuracy_score(truth, said))
    assert balanced == pytest.approx(expected)
    assert macro == pytest.approx(f1_score(truth, said, labels=sorted(set(truth)), average="macro"))


def test_equal_answers_have_no_difference_and_an_interval_of_nothing() -> None:
    made = rows("aa ab", "bb ba", "aa", "ba bb")
    change = ablation({"none": {0: made, 1: made}, "all": {0: made, 1: made}})["table"][1]["difference"]
    for metric in contrasts.METRICS:
        assert change[metric]["mean"] == 0
        assert change[metric]["interval"] == [0, 0]


def test_the_order_of_rows_and_photos_changes_nothing() -> None:
    before, after = rows("aa ab", "bb ba", "aa aa", "ba bb"), rows("aa aa", "bb bb", "ab aa", "ba bb")
    straight = ablation({"none": {0: before, 1: before}, "all": {0: after, 1: after}})
    turned = ablation({"none": {0: before[::-1], 1: before}, "all": {0: after, 1: after[::-1]}})
    assert straight == turned


def test_photos_are_drawn_whole() -> None:
    """Twenty objects in two photos: the accuracy of a sample is 0, 1/2 or 1, as it would not be of drawn objects."""
    made = rows(" ".join(["aa"] * 10), " ".join(["ab"] * 10))
    assert set(np.unique(PairedBootstrap({"none": {0: made}}).samples["none", 0][:, 0])) == {0.0, 0.5, 1.0}


def test_seeds_on_the_same_photos_share_the_draw_and_seeds_on_other_parts_do_not() -> None:
    one, other = rows("aa", "ab", "aa", "bb"), [{**row, "image": f"x{row['image']}"} for row in rows("aa", "ab", "aa")]
    draws = PairedBootstrap({"none": {0: one, 1: one, 2: other}})
    assert np.array_equal(draws.samples["none", 0], draws.samples["none", 1])
    drawn = {seed: draws.samples["none", seed][:, 0] for seed in (0, 2)}
    assert abs(np.corrcoef(drawn[0], drawn[2])[0, 1]) < 0.1
    # A mean of independent parts is surer than each part; of the same photos twice it is not.
    twice = PairedBootstrap({"none": {0: one, 1: one}}).scores("none")["accuracy"]["interval"]
    assert twice == PairedBootstrap({"none": {0: one}}).scores("none")["accuracy"]["interval"]


def test_luck_of_a_training_widens_the_interval() -> None:
    even = [rows(*["aa ab"] * 30)] * 2
    lucky = [rows(*["aa aa"] * 30), rows(*["ab ab"] * 30)]
    steady, shaken = (
        PairedBootstrap({"none": dict(enumerate(found))}).scores("none")["accuracy"] for found in (even, lucky)
    )
    assert steady["mean"] == shaken["mean"] == 0.5
    assert steady["interval"] == [0.5, 0.5]
    assert shaken["interval"] == [0.0, 1.0]


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
    ("interval", "seeds", "said"),
    [
        ((0.001, 0.1), 3, HELPS),
        ((0.0, 0.1), 3, UNCLEAR),
        ((-0.1, 0.2), 3, UNCLEAR),
        ((-0.1, 0.0), 3, UNCLEAR),
        ((-0.2, -0.001), 3, HARMS),
        ((0.1, 0.2), 5, HELPS),
        ((0.1, 0.2), 2, FEW),
        ((-0.2, -0.1), 1, FEW),
    ],
)
def test_a_verdict_is_where_zero_lies_and_few_trainings_give_none(
    interval: tuple[float, float], seeds: int, said: str
) -> None:
    assert verdict(interval, seeds) == said


def study(right: dict[str, float], seeds: int = 3, photos: int = 60) -> dict[str, dict[int, Rows]]:
    """Variants that judge this share of the photos right, the same photos in every seed, spread over three classes."""
    judged: dict[str, dict[int, Rows]] = {}
    for variant, share in right.items():
        words = ["abc"[i % 3] + ("abc"[i % 3] if i < share * photos else "abc"[(i + 1) % 3]) for i in range(photos)]
        judged[variant] = {seed: rows(*words) for seed in range(seeds)}
    return judged


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
    on = {one for one, switch in found["settings"].items() if switch}
    assert on == {f"enhance.{one}" for one in (ENHANCEMENTS if use == "all" else use.split("+")) if use != "none"}
    assert set(found["settings"]) == {f"enhance.{one}" for one in ENHANCEMENTS}


@pytest.mark.parametrize(("all_right", "said"), [(0.6, HARMS), (0.91, UNCLEAR), (0.99, UNCLEAR), (1.0, HELPS)])
def test_stacking_is_judged_against_the_best_part(all_right: float, said: str) -> None:
    right = {"none": 0.5, "oversampling": 0.9, "class_weighting": 0.6, "all": all_right}
    if all_right == 0.99:
        right["oversampling"] = 0.98
    found = ablation(study(right))["recommendation"]["stacking"]
    assert (found["variant"], found["best_part"], found["verdict"]) == ("all", "oversampling", said)


def test_help_alone_that_was_not_measured_together_is_said_so() -> None:
    right = {"none": 0.4, "oversampling": 0.7, "class_weighting": 0.8}
    said = ablation(study(right))["recommendation"]["said"]
    assert any("together was not measured" in one for one in said)
    assert any(one.startswith("Use class weighting alone") for one in said)


@pytest.mark.parametrize(("taken", "warned"), [(276, True), (182, True), (181, False), (165, False), (None, False)])
def test_whoever_trains_longer_is_told_that_the_steps_may_be_what_helps(taken: int | None, warned: bool) -> None:
    steps = {"none": 165} | ({"oversampling": taken} if taken else {})
    found = ablation(study({"none": 0.5, "oversampling": 0.8}), steps=steps)
    assert [row["steps"] for row in found["table"]] == [165, taken]
    said = [one for one in found["recommendation"]["said"] if "as many steps" in one]
    assert len(said) == warned
    assert all(f"training.max_steps={taken}" in one for one in said)


def test_longer_training_that_is_not_recommended_needs_no_warning() -> None:
    found = ablation(study({"none": 0.8, "oversampling": 0.5}), steps={"none": 165, "oversampling": 276})
    assert not any("as many steps" in one for one in found["recommendation"]["said"])


@pytest.mark.parametrize("seeds", [1, 2])
def test_too_few_trainings_recommend_nothing(seeds: int) -> None:
    found = ablation(study({"none": 0.2, "oversampling": 0.9, "all": 1.0}, seeds=seeds))["recommendation"]
    assert found["use"] == "none"
    assert found["enhancements"] == {"oversampling": FEW}
    assert any("at least 3 times" in one for one in found["said"])


def test_the_table_is_written_as_markdown_with_intervals() -> None:
    lines = markdown(ablation(study({"none": 0.5, "oversampling": 0.8}))["table"])
    assert len(lines) == 4
    assert len({line.count("|") for line in lines}) == 1
    assert "50.0 %" in lines[2] and "80.0 %" in lines[3]
    assert "+0.3" in lines[3] and "recommended" in lines[3]


def simulated(rng: np.random.Generator, effect: float, seeds: int, luck: float) -> str:
    """A study of 40 photos with 4 objects of three uneven classes. Every training's answers lean to some classes by
    chance (`luck`), and photos differ in how hard they are; `effect` makes right answers likelier. The verdict."""
    truth = rng.choice(3, size=(40, 4), p=[0.6, 0.25, 0.15])
    hard = rng.normal(0, 0.7, (40, 1)) + rng.normal(0, 1, (40, 4))

    def judged(more: float) -> Rows:
        logits = rng.normal(0, 0.8, (40, 4, 3)) + rng.normal(0, luck, 3)
        logits[np.arange(40)[:, None], np.arange(4), truth] += 1 + more - 0.7 * hard
        said = logits.argmax(axis=2)
        return [
            {"image": str(i), "object": j, "truth_class": str(truth[i, j]), "predicted_class": str(said[i, j])}
            for i in range(40)
            for j in range(4)
        ]

    made: dict[str, dict[int, Sequence[Any]]] = {
        "none": {seed: judged(0) for seed in range(seeds)},
        "oversampling": {seed: judged(effect) for seed in range(seeds)},
    }
    return str(ablation(made)["table"][1]["verdict"])


@pytest.mark.parametrize(("seeds", "luck"), [(3, 0.0), (3, 0.5), (5, 0.5), (2, 0.5)])
def test_a_useless_enhancement_is_seldom_recommended(seeds: int, luck: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrasts, "SAMPLES", 400)
    rng = np.random.default_rng(7)
    said = Counter(simulated(rng, 0.0, seeds, luck) for _ in range(120))
    assert said[HELPS] <= 0.05 * 120
    assert said[HARMS] <= 0.05 * 120


def test_a_useful_enhancement_is_mostly_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contrasts, "SAMPLES", 400)
    rng = np.random.default_rng(7)
    said = Counter(simulated(rng, 0.8, 3, 0.3) for _ in range(60))
    assert said[HELPS] >= 0.8 * 60
