"""Trains as the jobs of a JSON file say; started as several processes by test_distributed.py."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from core.engine import models
from core.engine.training.run import train
from core.runs.workspace import Workspace
from core.settings import from_dict


@dataclass
class StopReporter:
    """Remembers the steps; only the process `hears` is reported of the request to stop, at `stop_after`."""

    stop_after: int
    hears: bool
    steps: list[dict[str, Any]] = field(default_factory=list)
    times_asked: int = 0

    def emit(self, kind: str, **fields: Any) -> None:
        if kind == "step":
            self.steps.append(fields)

    def stop_requested(self) -> bool:
        self.times_asked += 1
        return self.hears and bool(self.stop_after) and self.times_asked >= self.stop_after


def main(jobs: Path) -> None:
    torch.set_num_threads(1)
    # Double precision: what is left of a difference is the order of summation.
    models.choose_dtype = lambda wanted, device: torch.float64  # type: ignore[assignment]
    rank = int(os.environ["RANK"])
    for name, job in json.loads(jobs.read_text()).items():
        run_folder = jobs.parent / f"run-{name}"
        run_folder.mkdir(exist_ok=True)
        reporter = StopReporter(job["stop_after"], hears=rank == 0)
        info = train(from_dict(job["settings"]), name, run_folder, Workspace(jobs.parent), reporter, False)
        found = {"info": info, "steps": reporter.steps, "world": torch.distributed.get_world_size()}
        (jobs.parent / f"{name}-{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
