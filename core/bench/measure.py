"""One process for each thing that is measured, readings taken in turns, and the arithmetic of paired ratios."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import Problem, UserError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
        variant: a name of `core.bench.worker.variants`.
        model: "demo", a folder, or a shape's name.
        settings: all settings, as plain values.
        images: the file that lists the photos and their questions (`core.bench.synthetic_images.make_images`).
        batch: how many questions the plain trainers put into one batch.
        layers: of a shape, (language, vision).
        accumulate: whether the plain trainers add up as many questions as a step of ours holds.
        cache_images: whether photos stay in memory, as in a user's run. A comparison opens them anew every time, as it
            is when there are more photos than memory holds.
        steps: the least number of steps of a reading, where that is more than the others'.
        device: of a shape: "cpu" or "cuda".
        workspace: a folder for the process's own files.
    """

    variant: str
    model: str = "demo"
    settings: Mapping[str, Any] = field(default_factory=dict)
    images: str = ""
    batch: int = 1
    layers: tuple[int, int] = (0, 0)
    accumulate: bool = True
    cache_images: bool = False
    steps: int = 0
    device: str = "cpu"
    workspace: str = "."


@dataclass(frozen=True)
class Timing:
    """How long is measured.

    Attributes:
        rounds: readings of each process, taken in turns.
        seconds: that a reading takes at least.
        steps: that a reading takes at least.
        warm: steps before the first reading.
    """

    rounds: int = 3
    seconds: float = 8.0
    steps: int = 2
    warm: int = 2


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of some values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def ratios(rates: Sequence[float], base_rates: Sequence[float]) -> Spread:
    """The spread of the ratios, turn by turn: what slows the whole machine for a while slows both.

    Raises:
        ValueError: the turns differ in number, or there is none.
    """
    return Spread.of([rate / base for rate, base in zip(rates, base_rates, strict=True)])


def rates(readings: Sequence[Mapping[str, float]], unit: str = "questions") -> list[float]:
    """Units per second of each reading.

    Args:
        readings: the replies of a worker.
        unit: "questions", "photos" or "tokens".
    """
    return [reading[unit] / reading["seconds"] for reading in readings]


class Worker:
    """A process that measures one job; requests and replies are lines of JSON on its standard input and output.

    Its other output goes to a file: nobody drains a second pipe, and a full one stops the process.

    Args:
        job: what it measures.
        name: of the job, for people.
        log_folder: takes the file.
    """

    def __init__(self, job: Job, name: str, log_folder: Path) -> None:
        self.job, self.name = job, name
        self.unavailable = ""
        self.ready: dict[str, Any] = {}
        log_folder.mkdir(parents=True, exist_ok=True)
        self.log = log_folder / f"{name.replace(' ', '-').replace('/', '-')}.log"
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "core.bench.worker", json.dumps(asdict(job))],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            )

    def receive(self) -> dict[str, Any]:
        """The next reply.

        Raises:
            UserError: the process reports a problem, or has ended; then the last line of its output is in it.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
            what = f"the process that measured {self.name} ended ({lines[-1][:200]})"
            raise UserError(what, str(self.log), "Read the end of this file.", "bench")
        reply = json.loads(line)
        if "problems" in reply:
            raise UserError.of(Problem(**problem) for problem in reply["problems"])
        return dict(reply)

    def request(self, **message: Any) -> dict[str, Any]:
        """Send a request and wait for its reply; raises like `receive`."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; its log holds the reason
        return self.receive()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def started(jobs: Mapping[str, Job], log_folder: Path) -> Iterator[dict[str, Worker]]:
    """Workers with their models loaded, ended on leaving. Loading is not measured, so they do it side by side."""
    workers: dict[str, Worker] = {}
    try:
        for name, job in jobs.items():
            workers[name] = Worker(job, name, log_folder)
        for worker in workers.values():
            worker.unavailable = worker.receive().get("unavailable", "")
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def warm_up(worker: Worker, timing: Timing) -> dict[str, Any]:
    """A worker's reply when it is warm: its facts, or {"unavailable": why}."""
    if not worker.ready:
        worker.ready = {"unavailable": worker.unavailable} if worker.unavailable else worker.request(warm=timing.warm)
    return worker.ready


def take_turns(workers: Mapping[str, Worker], timing: Timing) -> dict[str, dict[str, Any]]:
    """Warm all workers, then take their readings in turns (a, b, c, a, b, c, …).

    Args:
        workers: by their names.
        timing: how long is measured.

    Returns:
        For each name `ready` (its reply when warm) and `readings`. A worker that cannot do its job (a library is not
        installed) has no readings, and `unavailable` in its `ready`.
    """
    found: dict[str, dict[str, Any]] = {
        name: {"ready": warm_up(worker, timing), "readings": []} for name, worker in workers.items()
    }
    for _ in range(timing.rounds):
        for name, worker in workers.items():
            if "unavailable" not in worker.ready:
                found[name]["readings"].append(
                    worker.request(seconds=timing.seconds, steps=max(timing.steps, worker.job.steps))
                )
    return found


def measure_jobs(jobs: Mapping[str, Job], timing: Timing, log_folder: Path) -> dict[str, dict[str, Any]]:
    """Start a group of jobs, take turns, end them: what `take_turns` returns.

    Args:
        jobs: by name, each done in a process of its own.
        timing: how often and how long each is measured.
        log_folder: takes what the processes print.
    """
    with started(jobs, log_folder) as workers:
        return take_turns(workers, timing)


def summary(found: Mapping[str, Any], units: Sequence[str] = ("questions",)) -> dict[str, Any]:
    """A variant's row: rates per second with their spread, peak memory, and memory before the first step, in MB.

    Args:
        found: `ready` and `readings` of one worker.
        units: the rates wanted; the first gives the row's turns.
    """
    ready, readings = found["ready"], found["readings"]
    if "unavailable" in ready:
        return {"unavailable": ready["unavailable"]}
    row: dict[str, Any] = {f"{unit}_per_s": asdict(Spread.of(rates(readings, unit))) for unit in units}
    row["turns"] = [round(rate, 4) for rate in rates(readings, units[0])]
    row["steps"] = sum(reading["steps"] for reading in readings)
    row["peak_mb"] = readings[-1]["peak_mb"]
    row["before_mb"] = ready["before_mb"]
    row["above_mb"] = max(row["peak_mb"] - row["before_mb"], 0)
    return row | {key: value for key, value in ready.items() if key not in ("before_mb",)}


def compared(rows: Mapping[str, Mapping[str, Any]], base: str) -> dict[str, dict[str, float]]:
    """Each variant's speed over that of the base, turn by turn.

    Args:
        rows: of `summary`, by variant.
        base: a name among them.
    """
    return {
        name: asdict(ratios(row["turns"], rows[base]["turns"]))
        for name, row in rows.items()
        if name != base and "turns" in row
    }
