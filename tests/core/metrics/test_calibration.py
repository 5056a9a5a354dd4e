"""Temperature, threshold and prior correction: known truths are found again, promises are kept."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core.metrics.calibration import (
    LEAST_OBJECTS,
    Calibration,
    Threshold,
    choose_threshold,
    fit,
    fit_temperature,
    from_dict,
    risk_coverage,
    unsure_summary,
    with_temperature,
)
from core.metrics.probabilities import probabilistic

WORDS = ("normal", "blocked", "damaged")


def rows_of(temperature: float, count: int, seed: int = 0, kind: str = "condition") -> list[dict[str, Any]]:
    """Objects whose true chances are known; the model gives them sharpened or flattened by a temperature."""
    rng = np.random.default_rng(seed)
    made = []
    for index, chances in enumerate(rng.dirichlet([0.7, 0.7, 0.7], count)):
        truth = WORDS[rng.choice(3, p=chances)]
        shares = with_temperature(dict(zip(WORDS, chances.tolist(), strict=True)), 1 / temperature)
        best = max(shares, key=lambda answer: shares[answer])
        made.append(
            {
                "image": f"{index // 4}",
                "object": index % 4,
                "object_type": "toe drain",
                "question": kind,
                "choices": 3,
                "truth": truth,
                "predicted": best,
                "truth_class": f"toe drain {truth}",
                "predicted_class": f"toe drain {best}",
                "probabilities": shares,
            }
        )
    return made


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_the_temperature_that_was_put_in_is_found_again(temperature: float) -> None:
    rows = rows_of(temperature, 4000)
    found = fit_temperature(rows)
    assert found == pytest.approx(temperature, rel=0.12)
    cooled = [{**row, "calibrated": with_temperature(row["probabilities"], found)} for row in rows]
    before, after = probabilistic(rows), probabilistic(cooled, "calibrated")
    assert before is not None and after is not None
    assert after["log_loss"] <= before["log_loss"]
    assert after["ece"] < 0.03


def test_a_temperature_moves_no_answer_and_keeps_the_sum() -> None:
    for row in rows_of(1.0, 50):
        for temperature in (0.3, 3.0):
            shares = with_temperature(row["probabilities"], temperature)
            assert sum(shares.values()) == pytest.approx(1)
            assert max(shares, key=lambda answer: shares[answer]) == row["predicted"]


@pytest.mark.parametrize("rows", [[], [{"choices": 1, "probabilities": {"normal": 1.0}, "truth": "normal"}]])
def test_nothing_to_fit_leaves_probabilities_as_they_are(rows: list[Any]) -> None:
    assert fit_temperature(rows) == 1.0


def test_certain_and_wrong_answers_do_not_break_the_fit() -> None:
    row = {"choices": 2, "question": "condition", "truth": "damaged", "probabilities": {"normal": 1.0, "damaged": 0.0}}
    assert np.isfinite(fit_temperature([row] * 5))


def test_the_curve_is_as_counted_by_hand() -> None:
    curve = risk_coverage([0.9, 0.6, 0.9, 0.3], [True, False, False, True])
    assert [(point["threshold"], point["answered"], point["wrong"]) for point in curve] == [
        (0.9, 2, 1),
        (0.6, 3, 2),
        (0.3, 4, 2),
    ]
    assert curve[-1]["coverage"] == 1 and curve[-1]["error"] == 0.5
    assert risk_coverage([], []) == []


def test_the_threshold_is_the_lowest_that_keeps_the_error() -> None:
    sure = np.linspace(0.99, 0.5, 100)
    right = [index < 60 or index % 2 == 0 for index in range(100)]
    found = choose_threshold(sure, right, 0.05)
    kept = [
        ok for value, ok in zip(sure, right, strict=True) if found.threshold is not None and value >= found.threshold
    ]
    assert kept.count(False) / len(kept) <= 0.05
    assert (len(kept), kept.count(False)) == (found.answered, found.wrong)
    assert found.error_upper is not None and found.error_upper > found.wrong / found.answered
    assert (kept.count(False) + 1) / (len(kept) + 1) <= 0.05
    for more in range(len(kept) + 1, 101):  # no lower one bears one more wrong answer than it has
        assert (right[:more].count(False) + 1) / (more + 1) > 0.05


def test_a_weak_model_with_few_objects_rarely_makes_a_promise() -> None:
    """Wrong a third of the time, calibrated on 100 objects: the luckiest of a hundred thresholds is no promise."""
    promised = 0
    for seed in range(60):
        rows = rows_of(1.0, 100, seed)
        sure = [max(row["probabilities"].values()) for row in rows]
        promised += (
            choose_threshold(sure, [row["predicted"] == row["truth"] for row in rows], 0.05).threshold is not None
        )
    assert promised <= 12


@pytest.mark.parametrize(
    ("sure", "right"),
    [([], []), ([0.9] * (LEAST_OBJECTS - 1), [True] * (LEAST_OBJECTS - 1)), ([0.9] * 100, [False] * 100)],
)
def test_too_few_or_too_wrong_objects_allow_no_promise(sure: list[float], right: list[bool]) -> None:
    found = choose_threshold(sure, right, 0.05)
    assert found.threshold is None
    calibration = Calibration({"condition": 1.0}, {"condition": found}, 1, 1)
    assert calibration.unsure(1.0, "condition")
    assert calibration.unsure(1.0, "class")  # a kind that was never judged


def test_the_promise_holds_on_other_objects() -> None:
    """Simulated: thresholds chosen on 400 objects, their error on 5,000 others, on average not above the promise by
    more than choosing on the same objects flatters.
    """
    fresh = rows_of(1.0, 5000, seed=99)
    sure = np.array([max(row["probabilities"].values()) for row in fresh])
    right = np.array([row["predicted"] == row["truth"] for row in fresh])
    errors = []
    for seed in range(30):
        few = rows_of(1.0, 400, seed)
        chosen = choose_threshold(
            [max(row["probabilities"].values()) for row in few], [row["predicted"] == row["truth"] for row in few], 0.1
        )
        if chosen.threshold is None:  # bad luck at the top: nothing is promised
            continue
        errors.append(1 - right[sure >= chosen.threshold].mean())
    assert len(errors) >= 25
    assert 0.07 < np.mean(errors) < 0.125


def test_correcting_the_prior_undoes_the_weights_of_training() -> None:
    weighed = {"toe drain normal": 0.25, "toe drain blocked": 0.75}
    plain = {"toe drain normal": 0.75, "toe drain blocked": 0.25}
    found = Calibration({"condition": 1.0}, {}, 1, 1, weighed, plain)
    shares = {"normal": 0.5, "blocked": 0.5}
    assert found.apply(shares, "condition", "toe drain") == pytest.approx(shares)
    # Odds 1 x (0.75 / 0.25) / (0.25 / 0.75) = 9.
    assert found.apply(shares, "condition", "toe drain", "frequencies")["normal"] == pytest.approx(0.9)
    assert found.apply(shares, "condition", "toe drain", "even")["normal"] == pytest.approx(0.75)
    whole = {"toe drain normal": 0.5, "toe drain blocked": 0.5}
    assert found.apply(whole, "class", None, "frequencies")["toe drain normal"] == pytest.approx(0.9)


def test_a_class_that_was_never_learned_is_left_alone() -> None:
    found = Calibration({}, {}, 1, 1, {"toe drain normal": 1.0}, {"toe drain normal": 1.0})
    shares = {"normal": 0.4, "blocked": 0.6}
    assert found.apply(shares, "condition", "toe drain", "frequencies") == pytest.approx(shares)


def test_a_calibration_survives_its_file() -> None:
    made = fit({"condition": rows_of(2.0, 200), "class": []}, 0.1, 50, {"a b": 1.0}, {"a b": 1.0})
    assert from_dict(json.loads(json.dumps(made.to_dict()))) == made
    assert made.objects == 200
    both = fit({"condition": rows_of(2.0, 50), "class": rows_of(2.0, 70)}, 0.1, 50, {}, {})
    assert (both.objects, both.thresholds["class"].total) == (50, 70)
    assert len(made.curve["condition"]) <= 50


@pytest.mark.parametrize("correction", ["none", "frequencies", "even"])
def test_every_correction_has_a_threshold_that_keeps_the_error(correction: str) -> None:
    """A threshold is about the probabilities that will be shown: correcting the prior moves them."""
    rows = rows_of(2.0, 300)
    implied = {"toe drain normal": 0.1, "toe drain blocked": 0.45, "toe drain damaged": 0.45}
    plain = {"toe drain normal": 0.6, "toe drain blocked": 0.2, "toe drain damaged": 0.2}
    made = fit({"condition": rows}, 0.25, 75, implied, plain)
    shares = [made.apply(row["probabilities"], "condition", "toe drain", correction) for row in rows]
    best = [max(share, key=lambda answer: share[answer]) for share in shares]
    kept = [
        answer == row["truth"]
        for row, share, answer in zip(rows, shares, best, strict=True)
        if not made.unsure(share[answer], "condition", correction)
    ]
    rule = made.rule("condition", correction)
    assert rule is not None and rule.threshold is not None
    assert (len(kept), kept.count(False)) == (rule.answered, rule.wrong)
    assert len(kept) >= LEAST_OBJECTS and kept.count(False) <= 0.25 * len(kept)


def test_without_a_threshold_for_a_correction_everything_is_unsure() -> None:
    found = Calibration({"condition": 1.0}, {"condition": Threshold(0.5, 30, 0, 40, 0.05, 0.1)}, 1, 1)
    assert not found.unsure(0.9, "condition") and found.unsure(0.9, "condition", "even")


def test_what_is_told_counts_the_unsure() -> None:
    rule = Threshold(0.8, 30, 1, 40, 0.05, 0.1)
    found = Calibration({"condition": 1.0}, {"condition": rule}, 1, 1)
    rows = [{**row, "calibrated": row["probabilities"]} for row in rows_of(1.0, 100)]
    rows = [row | {"unsure": found.unsure(max(row["calibrated"].values()), "condition")} for row in rows]
    summary = unsure_summary(rows, found, "condition")
    assert summary is not None
    sure = [row for row in rows if max(row["calibrated"].values()) >= 0.8]
    assert (summary["count"], summary["total"], summary["coverage"]) == (100 - len(sure), 100, len(sure) / 100)
    assert summary["accuracy_of_sure"] == sum(row["predicted"] == row["truth"] for row in sure) / len(sure)
    assert unsure_summary([], found, "condition") is None
