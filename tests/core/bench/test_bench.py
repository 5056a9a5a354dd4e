"""The whole way: processes, turns, ratios, the file and the table, on a model that takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.bench import plans, report, run
from core.bench.measure import ROOT, Timing
from core.bench.plans import Maker
from core.data.types import Photo


@pytest.mark.slow
def test_a_training_bench_measures_every_variant_in_a_process_of_its_own(
    saved: Callable[..., Path], askable_photos: list[Photo], tmp_path: Path
) -> None:
    make = Maker(askable_photos, tmp_path / "scratch", quick=True, model=str(saved()))
    group = next(iter(plans.training(make)))
    jobs = {name: group.jobs[name] for name in ("packed", "cached")}
    group = replace(group, jobs=jobs, plain=(2,), timing=Timing(rounds=2, seconds=0.2, steps=1, warm=1))
    found = run.Bench(make, tmp_path / "logs", time.monotonic()).measure(group)
    assert found["check"]["difference"] < 1e-4
    assert set(found["variants"]) == {"plain", *jobs} and set(found["ratios"]) == set(jobs)
    for row in found["variants"].values():
        assert len(row["turns"]) == 2 and row["questions_per_s"]["low"] > 0
        assert row["peak_mb"] >= row["before_mb"] > 100
    assert found["variants"]["cached"]["fill_s"] > 0 == found["variants"]["packed"]["fill_s"]
    text = "\n".join(report.lines_of({"groups": [json.loads(json.dumps(found))], "notes": []}))
    assert "plain Trainer, 2 a batch" in text


def test_what_starts_the_processes_does_without_torch() -> None:
    # A process inherits nothing of it then, and its high-water mark is its own on every system.
    code = "import sys, core.bench.run, core.bench.report; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
