"""Log-loss, Brier, calibration error and alarms against hand-made cases and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from core.metrics import score
from core.metrics.probabilities import probabilistic, reliability
from tests.core.metrics.rows import WORDS, row


def drawn(seed: int, count: int = 200) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet([1, 1, 1], count)
    return [
        row(WORDS[rng.choice(3, p=share)], dict(zip(WORDS, share.tolist(), strict=True)), f"{i // 4}")
        for i, share in enumerate(shares)
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
    table = np.array([[answer["probabilities"][word] for word in sorted(WORDS)] for answer in rows])
    truth = [answer["truth"] for answer in rows]
    found = probabilistic(rows)
    assert found is not None
    assert found["log_loss"] == pytest.approx(log_loss(truth, table, labels=sorted(WORDS)), rel=1e-6)
    hot = np.array([[label == word for word in sorted(WORDS)] for label in truth])
    assert found["brier"] == pytest.approx(float(((table - hot) ** 2).sum(1).mean()))


def test_the_bins_hold_every_object_once_and_the_last_holds_the_certain_ones() -> None:
    bins = reliability([0.0, 0.05, 0.1, 0.95, 1.0], [False, True, True, True, False])
    assert [entry["count"] for entry in bins] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert bins[9]["confidence"] == pytest.approx(0.975) and bins[9]["accuracy"] == 0.5
    assert bins[4]["confidence"] is None and bins[4]["accuracy"] is None


def test_objects_without_a_choice_say_nothing_about_probabilities() -> None:
    only = row("normal", {"normal": 1.0}, kind="vegetation")
    rows = drawn(1)
    assert probabilistic([*rows, only]) == probabilistic(rows)
    assert probabilistic([only]) is None
    assert "probabilistic" not in score([only])
