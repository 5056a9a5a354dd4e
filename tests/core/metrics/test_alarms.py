"""Alarms: a threshold never comes from the rows that it scores, and keeps its rate where it was chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.metrics import score
from core.metrics.alarms import alarm_curve, alarm_curves, alarms, lowest_threshold, threshold_on
from tests.core.metrics.rows import WORDS, row


def drawn(seed: int, count: int = 200, flights: int = 8, name: str = "d") -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([1, 1, 1], count)
    return [
        row(
            WORDS[rng.choice(3, p=share)], dict(zip(WORDS, share.tolist(), strict=True)), f"{name}{i % flights}_{i}.jpg"
        )
        for i, share in enumerate(shares)
    ]


def blocked(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """(chances of being blocked, whether they are)."""
    chances = np.array([answer["probabilities"]["blocked"] for answer in rows])
    return chances, np.array([answer["truth"] == "blocked" for answer in rows])


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_a_calibrated_models_threshold_keeps_the_rate_on_the_calibration_photos(rate: float) -> None:
    calibration_rows, rows = drawn(4, 150, name="aside"), drawn(5, 400)
    curves = alarm_curves(calibration_rows)
    found = alarms(rows, ["blocked"], rate, lambda _: curves)["blocked"]
    assert found["threshold_from"] == "calibration"
    chances, truth = blocked(calibration_rows)
    assert (chances >= found["threshold"])[~truth].mean() <= rate
    lower = np.nextafter(found["threshold"], 0)
    assert (chances >= lower)[~truth].mean() > rate  # a lower one would not
    chances, truth = blocked(rows)
    raised = chances >= found["threshold"]
    assert found["false_alarm_rate"] == pytest.approx(raised[~truth].mean())
    assert found["recall"] == pytest.approx(raised[truth].mean())
    assert found["auc"] == pytest.approx(roc_auc_score(truth, chances))
    assert found["recall_interval"][0] < found["recall"] < found["recall_interval"][1]


def test_the_judged_rows_do_not_move_a_calibrated_models_threshold() -> None:
    curves = alarm_curves(drawn(4, 150))
    thresholds = {
        alarms(drawn(seed, 100), ["blocked"], 0.1, lambda _: curves)["blocked"]["threshold"] for seed in range(4)
    }
    assert len(thresholds) == 1


def test_without_calibration_each_flights_threshold_comes_from_the_other_flights() -> None:
    rows = drawn(6, 240)
    found = alarms(rows, ["blocked"], 0.1)["blocked"]
    assert found["threshold_from"] == "other flights"
    hits = false = 0
    for flight in range(8):  # by hand
        mine = [answer for answer in rows if answer["image"].startswith(f"d{flight}_")]
        chances, truth = blocked([answer for answer in rows if not answer["image"].startswith(f"d{flight}_")])
        others = np.sort(chances[~truth])[::-1]
        raised = blocked(mine)[0] > others[int(0.1 * len(others))]
        hits, false = hits + (raised & blocked(mine)[1]).sum(), false + (raised & ~blocked(mine)[1]).sum()
    assert found["recall"] == pytest.approx(hits / found["positives"])
    assert found["false_alarm_rate"] == pytest.approx(false / found["negatives"])


def test_a_threshold_from_the_rows_that_it_scores_would_promise_too_much() -> None:
    """Few others: the threshold that just keeps the rate on them is the luckiest, and on new ones it does not."""
    rng = np.random.default_rng(0)
    own, new = [], []
    for _ in range(80):
        rows = drawn(int(rng.integers(1 << 30)), 60, 5)
        chances, truth = blocked(rows)
        own.append((chances >= lowest_threshold(chances[~truth], 0.1))[~truth].mean())
        new.append(alarms(rows, ["blocked"], 0.1)["blocked"]["false_alarm_rate"])
    assert max(own) <= 0.1
    assert np.mean(new) > np.mean(own) + 0.01


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rate", [0.001, 0.1, 0.5])
def test_the_quick_threshold_is_that_of_the_curve(rate: float, seed: int) -> None:
    others = np.random.default_rng(seed).integers(0, 12, 40) / 12  # with ties
    assert lowest_threshold(others, rate) == threshold_on(alarm_curve(others), rate)


def test_a_thinned_curve_promises_no_more() -> None:
    others = np.random.default_rng(1).random(5000)
    thin = alarm_curve(others, 200)
    assert len(thin) == 200
    for rate in (0.01, 0.1, 0.33):
        assert (others >= threshold_on(thin, rate)).mean() <= rate
        assert (others >= threshold_on(thin, rate)).mean() >= rate - 0.006


@pytest.mark.parametrize("truths", [["normal", "normal"], ["blocked", "blocked"]])
def test_without_positives_or_negatives_there_is_no_alarm_to_score(truths: list[str]) -> None:
    rows = [row(truth, {"normal": 0.7, "blocked": 0.3}) for truth in truths]
    found = alarms(rows, ["blocked"], 0.1)["blocked"]
    assert found["recall"] is None and found["auc"] is None
    assert found["positives"] + found["negatives"] == 2


def test_one_flight_alone_has_nobody_to_take_a_threshold_from() -> None:
    rows = drawn(7, 60, flights=1)
    found = alarms(rows, ["blocked"], 0.1)["blocked"]
    assert (found["recall"], found["threshold"], found["threshold_from"]) == (None, None, None)
    assert found["auc"] is not None and found["positives"] and found["negatives"]
    curves = alarm_curves(drawn(8))
    assert alarms(rows, ["blocked"], 0.1, lambda _: curves)["blocked"]["recall"] is not None


def test_a_type_that_cannot_be_blocked_raises_no_false_alarm() -> None:
    rows = drawn(5)
    others = [row("damaged", {"normal": 0.5, "damaged": 0.5}, f"d1_{i}.jpg", "rock toe") for i in range(20)]
    assert alarms([*rows, *others], ["blocked"], 0.1) == alarms(rows, ["blocked"], 0.1)


def test_a_condition_within_another_ones_name_is_told_apart() -> None:
    shares = {"a normal": 0.3, "a damaged": 0.3, "a badly damaged": 0.2, "b damaged": 0.1, "b badly damaged": 0.1}
    answer = {"object_type": "a", "question": "class", "choices": 5, "truth": "damaged", "probabilities": shares}
    other = answer | {"truth": "badly damaged", "probabilities": {**shares, "a damaged": 0.2, "a badly damaged": 0.3}}
    both = [answer | {"image": "x"}, other | {"image": "y"}]
    curves = alarm_curves(both)
    assert set(curves) == {"normal", "damaged", "badly damaged"}
    found = alarms(both, ["damaged", "badly damaged"], 0.1, lambda _: curves)
    assert found["damaged"]["threshold"] == pytest.approx(0.3)  # just above what the badly damaged one was given
    assert found["badly damaged"]["threshold"] == pytest.approx(0.3)
    assert found["damaged"]["recall"] == found["badly damaged"]["recall"] == 1


def test_alarms_are_scored_for_the_conditions_that_are_asked_for() -> None:
    assert set(score(drawn(1), alarming=("blocked", "damaged"))["alarms"]) == {"blocked", "damaged"}
    assert "alarms" not in score(drawn(1))
