"""The loss as a chart needs it: smoothed, thinned without losing a spike, grown without being made anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

from damgui.loss_series import MAX_POINTS, SMOOTHING, LossCurve, LossSeries, bucket_width, drawn


def smoothed(losses: list[float]) -> list[float]:
    """The slow twin: every loss so far, weighted by its age."""
    found = []
    for count in range(1, len(losses) + 1):
        weights = [SMOOTHING ** (count - 1 - place) for place in range(count)]
        found.append(sum(w * loss for w, loss in zip(weights, losses, strict=False)) / sum(weights))
    return found


def mean_of(losses: list[float]) -> list[float]:
    series = LossSeries()
    series.extend(list(range(len(losses))), losses)
    return series.curve().smoothed.tolist()


@pytest.mark.parametrize(("values", "expected"), [([], []), ([2.0], [2.0]), ([3.0, 3.0, 3.0], [3.0, 3.0, 3.0])])
def test_smoothing_keeps_constants_and_has_no_pull_from_its_start(values: list[float], expected: list[float]) -> None:
    assert mean_of(values) == pytest.approx(expected)


def test_smoothing_lies_between_the_extremes() -> None:
    assert all(1 <= value <= 5 for value in mean_of([5, 1, 5, 1, 5]))


@pytest.mark.parametrize("count", [0, 1, 10, 1500, 1501, 1502, 3000, 3001, 9999, 100_000])
def test_first_last_lowest_and_highest_are_drawn_and_no_more_than_a_chart_is_wide(count: int) -> None:
    values = np.random.default_rng(count).random(count)
    kept = drawn(values)
    assert len(kept) <= MAX_POINTS + 4 and list(kept) == sorted(set(kept))
    if count:
        assert {0, count - 1, int(values.argmin()), int(values.argmax())} <= set(kept.tolist())


@pytest.mark.parametrize("spike", [0, 1, 777, 54_321, 99_998, 99_999])
def test_no_spike_of_a_long_training_is_lost(spike: int) -> None:
    values = np.ones(100_000)
    values[spike] = 50.0
    assert spike in drawn(values)


def test_a_gap_hides_no_spike_beside_it() -> None:
    values = np.ones(10_000)
    values[1::2], values[5000] = math.nan, 9.0
    assert 5000 in drawn(values)


def test_the_width_of_a_bucket_changes_rarely() -> None:
    widths = [bucket_width(count) for count in range(1, 100_000, 7)]
    assert widths == sorted(widths) and set(widths) == {1, 4, 8, 16, 32, 64, 128, 256}


def grown(*blocks: list[tuple[int, float]]) -> LossCurve:
    series = LossSeries()
    for block in blocks:
        series.extend([step for step, _ in block], [loss for _, loss in block])
    return series.curve()


def test_a_series_that_grew_equals_one_made_at_once_and_the_plain_smoothing() -> None:
    losses = np.random.default_rng(0).random(5000).tolist()
    pairs = list(enumerate(losses, start=1))
    whole, parts = grown(pairs), grown(*(pairs[n : n + 37] for n in range(0, 5000, 37)))
    for digest in (whole, parts):
        assert digest.steps.tolist() == list(range(1, 5001))
        assert digest.raw.tolist() == losses
        assert digest.smoothed.tolist() == pytest.approx(smoothed(losses))


@pytest.mark.parametrize("split", [0, 1, 2, 3, 4])
def test_after_a_resume_the_newer_step_holds(split: int) -> None:
    log = [(1, 1.0), (2, 9.0), (3, 9.0), (2, 0.5)]
    found = grown(log[:split], log[split:])
    assert found.steps.tolist() == [1, 2] and found.raw.tolist() == [1.0, 0.5]
    assert found.smoothed.tolist() == pytest.approx(smoothed([1.0, 0.5]))


def test_a_curve_stays_as_it_is_while_its_series_grows_and_goes_back() -> None:
    series = LossSeries()
    series.extend([1, 2, 3], [1.0, 2.0, 3.0])
    before = series.curve()
    series.extend([2, 3, 4], [7.0, 7.0, 7.0])
    assert before.raw.tolist() == [1.0, 2.0, 3.0]
    assert series.curve().raw.tolist() == [1.0, 7.0, 7.0, 7.0]
