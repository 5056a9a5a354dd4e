"""The cost of a step is arithmetic on its shape, and telling it costs nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.engine.training import throughput
from core.engine.training.dry_run import DryRunState, take_step
from core.engine.training.memory import MachineMemory, PeakMemory
from core.engine.training.setup import set_up
from core.engine.training.sizes import largest, sequence_sizes
from core.engine.training.trainer_state import unchanged, with_checkpointing
from core.runs.events import SilentReporter

Trainings = Any  # of conftest.py


@pytest.mark.parametrize("costs", [(3.0, 0.5, 20.0, 7.0), (3.0, 0.0, 0.0, 0.0), (0.0, 2.0, 5.0, 0.0)])
def test_costs_that_hold_exactly_are_found(costs: tuple[float, ...]) -> None:
    shapes = np.array([[100, 1e4, 40, 3], [300, 9e4, 80, 9], [50, 2e3, 0, 0], [700, 4e5, 200, 5], [90, 9e3, 60, 8.0]])
    found = throughput.fit([(shape, float(shape @ np.array(costs))) for shape in shapes])
    assert found.each == pytest.approx(costs, abs=1e-6)


def test_no_cost_is_negative() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        shapes = rng.uniform(1, 100, (4, 4))
        assert min(throughput.fit([(shape, float(rng.uniform(1, 100))) for shape in shapes]).each) >= 0


def test_without_counted_steps_there_are_no_costs() -> None:
    with pytest.raises(ValueError, match="counted steps"):
        throughput.fit([])


def test_a_matrix_product_and_an_attention_are_counted_by_hand() -> None:
    first, second = torch.zeros(3, 5), torch.zeros(5, 7)
    with throughput.counting() as found:
        first @ second
    assert found.flops == 2 * 3 * 5 * 7
    query = torch.zeros(2, 4, 10, 8)
    mask = torch.ones(2, 1, 10, 10, dtype=torch.bool)
    with throughput.counting() as found:
        torch.nn.functional.scaled_dot_product_attention(query, query, query, attn_mask=mask)
    assert found.flops == 2 * (2 * 4) * (2 * 10 * 10 * 8)


def state_of(trainings: Trainings, changes: dict[str, Any]) -> DryRunState:
    folder = trainings.folder("dry-run")
    setup = set_up(trainings.settings(changes), "", folder / "c", folder, trainings.workspace, SilentReporter())
    state = DryRunState(
        setup.trainer, MachineMemory(), sequence_sizes(setup.training_data), PeakMemory(setup.trainer.args.device)
    )
    state.largest = largest(setup.trainer, state.sizes, state.per_step)
    return state


@pytest.mark.parametrize("targets", ["attention", "everything"])
@pytest.mark.parametrize("changes", [{}, {"view.mode": "full"}, {"training.gradient_checkpointing": True}])
def test_the_cost_of_unseen_batches_is_told_within_ten_percent(
    trainings: Trainings, targets: str, changes: dict[str, Any]
) -> None:
    """Learned from the steps of a dry run, held against the counter on every other photo and pair of photos."""
    state = state_of(trainings, {"lora.targets": targets, **changes})
    with unchanged(state.trainer), with_checkpointing(state.trainer):
        for chosen in (state.largest[:1], state.largest, state.usual, state.sizes[-1:]):
            state.count(chosen)
        costs = throughput.fit(state.counted)
        unseen = [[size] for size in state.sizes[1:-1]] + [[state.sizes[0], state.sizes[-1]], state.sizes[2:]]
        for chosen in unseen:
            shape = state.count(chosen)
            assert costs(shape) == pytest.approx(state.counted[-1][1], rel=0.1)


def test_a_frozen_vision_tower_costs_less_than_a_learning_one_and_known_features_cost_nothing(
    trainings: Trainings,
) -> None:
    costs = {}
    for targets in ("attention", "everything"):
        state = state_of(trainings, {"lora.targets": targets})
        with unchanged(state.trainer):
            for chosen in (state.largest[:1], state.largest, state.usual, state.sizes[-1:]):
                shape = state.count(chosen)
        costs[targets] = throughput.fit(state.counted)(shape * [0, 0, 1, 1])
    assert 0 < costs["attention"] < 0.7 * costs["everything"]
    batch = {"input_ids": torch.zeros(2, 10), "image_grid_thw": torch.zeros(3, 3), "image_features": torch.zeros(1)}
    assert throughput.shape_of(batch).tolist() == [20, 200, 0, 0]


def test_a_reading_tells_the_step_and_starts_anew() -> None:
    meter = throughput.ThroughputMeter(throughput.FlopCosts((10.0, 0.0, 0.0, 0.0)), peak_flops_per_s=1000.0)
    for tokens in (15, 9):
        meter.count({"input_ids": torch.zeros(2, 8), "tokens": torch.tensor(tokens)})
    reported = meter.reading(2.0)
    assert reported == {"tokens_per_s": 12.0, "padding": 0.25, "flops_per_s": 160, "peak_share": 0.16}
    assert meter.reading(2.0) == {}


def test_without_costs_only_tokens_are_told() -> None:
    meter = throughput.ThroughputMeter()
    meter.count({"input_ids": torch.zeros(1, 8), "tokens": torch.tensor(8)})
    assert meter.reading(1.0) == {"tokens_per_s": 8.0, "padding": 0.0}


def test_steps_of_a_training_tell_tokens_operations_and_share_of_the_peak(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 3})
    for step in found.reported.of("step"):
        assert step["tokens_per_s"] > step["questions_per_s"]
        assert 0 <= step["padding"] < 1
        assert step["flops_per_s"] > 1e6
        assert 0 < step["peak_share"] < 1


def test_the_peak_is_measured_once_and_leaves_the_random_numbers_alone() -> None:
    device = torch.device("cpu")
    before = torch.get_rng_state()
    began = time.monotonic()
    first = throughput.peak_flops_per_s(device, torch.float32)
    assert time.monotonic() - began < 10
    began = time.monotonic()
    assert throughput.peak_flops_per_s(device, torch.float32) == first > 1e8
    assert time.monotonic() - began < 0.1
    assert torch.equal(torch.get_rng_state(), before)


def test_telling_costs_less_than_a_hundredth_of_a_step(trainings: Trainings, tmp_path: Path) -> None:
    """Held against a step of the tiny model, which is the shortest there is."""
    state = state_of(trainings, {})
    with unchanged(state.trainer):
        take_step(state.trainer, state.usual)
        step_s = min(take_step(state.trainer, state.usual) for _ in range(3))
    batch = state.trainer.data_collator([size.key for size in state.usual]).batches()[0]
    meter = throughput.ThroughputMeter(throughput.FlopCosts((1.0, 1.0, 1.0, 1.0)), 1e9)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(20):
            meter.count(batch)
            meter.reading(step_s)
        times.append((time.perf_counter() - began) / 20)
    assert min(times) < 0.01 * step_s
