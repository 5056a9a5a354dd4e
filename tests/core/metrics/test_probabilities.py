"""Log-loss, Brier, calibration error and alarms against hand-made cases and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score, roc_curve

from core.metrics import score
from core.metrics.probabilities import alarms, probabilistic, reliability

WORDS = ("normal", "blocked", "damaged")


def row(truth: str, shares: dict[str, float], image: str = "a.jpg", kind: str = "toe drain") -> dict[str, Any]:
    best = max(shares, key=lambda answer: shares[answer])
    return {
        "image": image,
        "object": 0,
        "object_type": kind,
        "truth": truth,
        "predicted": best,
        "question": "condition",
        "truth_class": f"{kind} {truth}",
        "predicted_class": f"{kind} {best}",
        "choices": len(shares),
        "probabilities": shares,
    }


def drawn(seed: int, count: int = 200) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([1, 1, 1], count)
    return [
        row(WORDS[rng.choice(3, p=one)], dict(zip(WORDS, one.tolist(), strict=True)), f"{i // 4}")
        for i, one in enumerate(shares)
    ]


def test_scores_are_as_computed_by_hand() -> None:
    rows = [row("normal", {"normal": 0.8, "damaged": 0.2}), row("damaged", {"normal": 0.6, "damaged": 0.4})]
    found = probabilistic(rows)
    assert found is not None
    assert found["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert found["brier"] == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    # One bin each: 0.8 sure and right, 0.6 sure and wrong.
    assert found["ece"] == pytest.approx((0.2 + 0.6) / 2)


@pytest.mark.parametrize("seed", range(3))
def test_log_loss_and_brier_are_those_of_scikit_learn(seed: int) -> None:
    rows = drawn(seed)
    table = np.array([[one["probabilities"][word] for word in sorted(WORDS)] for one in rows])
    truth = [one["truth"] for one in rows]
    found = probabilistic(rows)
    assert found is not None
    assert found["log_loss"] == pytest.approx(log_loss(truth, table, labels=sorted(WORDS)), rel=1e-6)
    hot = np.array([[one == word for word in sorted(WORDS)] for one in truth])
    assert found["brier"] == pytest.approx(float(((table - hot) ** 2).sum(1).mean()))


def test_the_bins_hold_every_object_once_and_the_last_holds_the_certain_ones() -> None:
    bins = reliability([0.0, 0.05, 0.1, 0.95, 1.0], [False, True, True, True, False])
    assert [one["count"] for one in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins[9]["confidence"] == pytest.approx(0.975) and bins[9]["accuracy"] == 0.5
    assert bins[4]["confidence"] is None and bins[4]["accuracy"] is None


def test_objects_without_a_choice_say_nothing_about_probabilities() -> None:
    only = row("normal", {"normal": 1.0}, kind="vegetation")
    rows = drawn(1)
    assert probabilistic([*rows, only]) == probabilistic(rows)
    assert probabilistic([only]) is None
    assert "probabilistic" not in score([only])


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_alarms_keep_the_false_alarm_rate_and_are_those_of_scikit_learn(rate: float) -> None:
    rows = drawn(4, 400)
    truth = np.array([one["truth"] == "blocked" for one in rows])
    chance = np.array([one["probabilities"]["blocked"] for one in rows])
    found = alarms(rows, ["blocked"], rate)["blocked"]
    raised = chance >= found["threshold"]
    assert (raised & ~truth).sum() / (~truth).sum() == pytest.approx(found["false_alarm_rate"])
    assert found["false_alarm_rate"] <= rate
    assert (raised & truth).sum() / truth.sum() == pytest.approx(found["recall"])
    false, true, _ = roc_curve(truth, chance)
    assert found["recall"] == pytest.approx(true[false <= rate].max())
    assert found["auc"] == pytest.approx(roc_auc_score(truth, chance))
    assert found["recall_interval"][0] < found["recall"] < found["recall_interval"][1]


@pytest.mark.parametrize("truths", [["normal", "normal"], ["blocked", "blocked"]])
def test_without_positives_or_negatives_there_is_no_alarm_to_score(truths: list[str]) -> None:
    rows = [row(one, {"normal": 0.7, "blocked": 0.3}) for one in truths]
    found = alarms(rows, ["blocked"], 0.1)["blocked"]
    assert found["recall"] is None and found["auc"] is None
    assert found["positives"] + found["negatives"] == 2


def test_a_type_that_cannot_be_blocked_raises_no_false_alarm() -> None:
    rows = drawn(5)
    others = [row("damaged", {"normal": 0.5, "damaged": 0.5}, kind="rock toe") for _ in range(20)]
    assert alarms([*rows, *others], ["blocked"], 0.1) == alarms(rows, ["blocked"], 0.1)


def test_a_condition_within_another_ones_name_is_told_apart() -> None:
    shares = {"a normal": 0.3, "a damaged": 0.3, "a badly damaged": 0.2, "b damaged": 0.1, "b badly damaged": 0.1}
    row = {"object_type": "a", "question": "class", "choices": 5, "truth": "damaged", "probabilities": shares}
    other = row | {"truth": "badly damaged", "probabilities": {**shares, "a damaged": 0.2, "a badly damaged": 0.3}}
    found = alarms([row, other], ["damaged", "badly damaged"], 0.1)
    assert found["damaged"]["threshold"] == pytest.approx(0.4)
    assert found["badly damaged"]["threshold"] == pytest.approx(0.4)
    assert found["damaged"]["recall"] == found["badly damaged"]["recall"] == 1
    # Also where the longer name is no alarm.
    assert alarms([row, other], ["damaged"], 0.1)["damaged"] == found["damaged"]
