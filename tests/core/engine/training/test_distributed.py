"""Two processes that share a step learn what one process learns from all of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from core.settings import Settings, merge, to_dict

Trainings = Any  # of conftest.py
JOB = Path(__file__).with_name("two_processes.py")
SHARED = {"training.max_steps": 2, "training.batch_size": 3}
STOPPED = {"training.max_steps": 50, "training.batch_size": 1}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, base: Settings, root: Path) -> Path:
    """Where two processes have trained `shared` to its end and `stopped` until one of them heard a stop."""
    place = tmp_path_factory.mktemp("two")
    jobs = {
        "shared": {"settings": to_dict(merge(base, SHARED)), "stop_after": 0},
        "stopped": {"settings": to_dict(merge(base, STOPPED)), "stop_after": 2},
    }
    (place / "jobs.json").write_text(json.dumps(jobs))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        **os.environ,
        "PYTHONPATH": str(root),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    started = [
        subprocess.Popen(
            [sys.executable, str(JOB), str(place / "jobs.json")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(place / f"errors-{rank}").open("w"),
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    try:
        codes = [process.wait(timeout=240) for process in started]
    finally:
        for process in started:
            process.kill()
    assert codes == [0, 0], (place / "errors-0").read_text()[-2000:] + (place / "errors-1").read_text()[-2000:]
    return place


def reported(folder: Path, name: str) -> list[dict[str, Any]]:
    """What each of the two processes was reported."""
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.usefixtures("double")
def test_two_processes_learn_what_one_learns_from_the_doubled_batch(trainings: Trainings, folder: Path) -> None:
    """Photos of different numbers of questions, so that dividing by each process's own count would show."""
    first, second = reported(folder, "shared")
    alone = trainings.train({**SHARED, "training.batch_size": 6})
    assert first["world"] == second["world"] == 2
    steps = alone.reported.of("step")
    assert [event["loss"] for event in first["steps"]] == pytest.approx(alone.losses, rel=1e-6)
    assert [event["grad_norm"] for event in first["steps"]] == pytest.approx(
        [step["grad_norm"] for step in steps], rel=1e-6
    )
    mine, its = load_file(folder / "models" / "shared_final" / "adapter_model.safetensors"), alone.weights()
    assert set(mine) == set(its)
    for key, value in its.items():
        # Adam divides by the gradient's size, which magnifies rounding where a gradient is almost zero.
        assert ((mine[key] - value).norm() / value.norm()).item() < 1e-5
    assert first["info"]["final"] == second["info"]["final"]


def test_a_stop_that_only_one_process_hears_stops_both(folder: Path) -> None:
    assert [event["info"]["stopped"] for event in reported(folder, "stopped")] == [True, True]
    assert [event["info"]["steps"] for event in reported(folder, "stopped")] == [2, 2]
    assert (folder / "models" / "stopped_checkpoints" / "checkpoint-2" / "trainer_state.json").is_file()
    assert not (folder / "models" / "stopped_final").exists()
