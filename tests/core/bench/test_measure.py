"""Readings, ratios and spreads by hand; workers that cannot or will not do their job."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch

from core.bench import measure
from core.bench.measure import Job, Spread, Timing
from core.bench.step_meter import StepMeter, peak_mb
from core.errors import UserError


def found(*rates: float) -> dict[str, object]:
    """A variant that did `rate` questions in a second, then as many in two, and so on."""
    readings = [
        {"questions": rate * seconds, "seconds": seconds, "steps": 3, "peak_mb": 500.0 + seconds}
        for seconds, rate in enumerate(rates, 1)
    ]
    return {"ready": {"before_mb": 400.0, "fill_s": 1.5}, "readings": readings}


def test_a_spread_is_the_median_and_what_lies_outermost() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([1.0, 4.0]) == Spread(2.5, 1.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)


def test_ratios_are_taken_turn_by_turn() -> None:
    # A machine that was twice as slow in the second turn was so for both.
    assert measure.ratios([20.0, 10.0, 22.0], [10.0, 5.0, 10.0]) == Spread(2.0, 2.0, 2.2)
    with pytest.raises(ValueError):
        measure.ratios([1.0, 2.0], [1.0])


def test_a_row_holds_rates_steps_and_memory_above_the_process_before_its_first_step() -> None:
    row = measure.summary(found(10.0, 30.0, 20.0))
    assert row["questions_per_s"] == {"median": 20.0, "low": 10.0, "high": 30.0}
    assert row["turns"] == [10.0, 30.0, 20.0]
    assert (row["steps"], row["peak_mb"], row["before_mb"], row["above_mb"]) == (9, 503.0, 400.0, 103.0)
    assert row["fill_s"] == 1.5


def test_variants_are_compared_with_the_base_and_those_that_could_not_run_are_left_out() -> None:
    rows = {
        "plain": measure.summary(found(10.0, 20.0)),
        "packed": measure.summary(found(30.0, 80.0)),
        "trl": measure.summary({"ready": {"unavailable": "not installed"}, "readings": []}),
    }
    assert measure.compared(rows, "plain") == {"packed": {"median": 3.5, "low": 3.0, "high": 4.0}}
    assert rows["trl"] == {"unavailable": "not installed"}


def meter_with(*requests: dict[str, float], warm: int) -> tuple[StepMeter, io.StringIO]:
    replies = io.StringIO()
    return StepMeter(
        io.StringIO("".join(json.dumps(line) + "\n" for line in requests)), replies, torch.device("cpu"), warm
    ), replies


def test_warm_up_is_not_in_a_reading_and_a_reading_ends_after_its_steps() -> None:
    meter, replies = meter_with({"seconds": 0.0, "steps": 2}, warm=2)
    meter.begin(fill_s=1.0)
    answers = [meter(questions=5.0 * step) for step in range(1, 5)]
    readings = [json.loads(line) for line in replies.getvalue().splitlines()]
    assert answers == [True, True, True, False]  # nobody asks for a third reading
    assert readings[0]["fill_s"] == 1.0 and readings[0]["before_mb"] > 0
    assert (readings[1]["questions"], readings[1]["steps"]) == (10.0, 2)


def test_a_reading_lasts_as_long_as_asked() -> None:
    meter, replies = meter_with({"seconds": 0.05, "steps": 1}, warm=1)
    meter.begin()
    steps = 0
    while meter(questions=steps):
        steps += 1
    assert json.loads(replies.getvalue().splitlines()[1])["seconds"] >= 0.05


def test_the_peak_is_the_process_s_own_and_not_its_parent_s() -> None:
    before = peak_mb(torch.device("cpu"))
    held = torch.ones(16 << 20, dtype=torch.float32)
    # What was held before and let go may hide it in a process that has done much else: never in a fresh one.
    assert peak_mb(torch.device("cpu")) >= max(before, held.nbytes / 1e6)


def test_a_process_that_ends_unasked_is_told_with_its_last_word(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="no such folder"),
        measure.started({"plain": Job("plain", "x", {"model.path": str(tmp_path / "none")})}, tmp_path),
    ):
        pass


def test_a_variant_that_is_not_there_is_told_and_not_read() -> None:
    class Absent:
        def __init__(self) -> None:
            self.job, self.unavailable, self.ready = Job("trl"), "not installed", dict[str, object]()

    row = measure.take_turns({"trl": Absent()}, Timing(rounds=2))["trl"]  # type: ignore[dict-item]
    assert measure.summary(row) == {"unavailable": "not installed"}
