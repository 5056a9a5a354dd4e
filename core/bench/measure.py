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
    """What one process does. `model` is demo, a folder, or a shape's name with `layers` (language, vision).

    `album` lists the photos and their questions, `batch` is how many questions the plain trainers look at together.
    With `accumulate` they add up as many questions as a step of ours holds. `remember` keeps photos in memory as a
    user's run does; a comparison opens them anew every time, as it is when there are more photos than memory holds.
    `steps` asks for readings of more steps than the others'.
    """

    variant: str
    model: str = "demo"
    settings: Mapping[str, Any] = field(default_factory=dict)
    album: str = ""
    batch: int = 1
    layers: tuple[int, int] = (0, 0)
    accumulate: bool = True
    remember: bool = False
    steps: int = 0
    device: str = "cpu"
    workspace: str = "."


@dataclass(frozen=True)
class Timing:
    """How long is measured: `rounds` turns of at least `seconds` and `steps` steps, after `warm` steps unmeasured."""

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
        return cls(statistics.median(values), min(values), max(values))


def ratios(mine: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Mine over theirs, turn by turn: what slows the whole machine for a while slows both. Raises ValueError when the
    turns differ in number or there is none."""
    return Spread.of([first / second for first, second in zip(mine, theirs, strict=True)])


def rates(readings: Sequence[Mapping[str, float]], unit: str = "questions") -> list[float]:
    """Units per second of each reading."""
    return [reading[unit] / reading["seconds"] for reading in readings]


class Worker:
    """A process that measures one job, asked by lines on its standard input and answering by lines on its output.

    Its complaints go to a file: nobody drains a second pipe, and a full one stops the process.
    """

    def __init__(self, job: Job, name: str, log_folder: Path) -> None:
        self.job, self.name = job, name
        self.cannot = ""
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

    def hear(self) -> dict[str, Any]:
        """The next answer. Raises UserError with what the process complained of, or the words it ended with."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            said = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no word"]
            what = f"the process that measured {self.name} ended ({said[-1][:200]})"
            raise UserError(what, str(self.log), "Read the end of this file.", "bench")
        answer = json.loads(line)
        if "problems" in answer:
            raise UserError.of(Problem(**problem) for problem in answer["problems"])
        return dict(answer)

    def ask(self, **words: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(words).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended; why is told by what it said last
        return self.hear()

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
            worker.cannot = worker.hear().get("unavailable", "")
        yield workers
    finally:
        for worker in workers.values():
            worker.close()


def warmed(worker: Worker, pace: Timing) -> dict[str, Any]:
    """A worker's answer when it is ready to be read: what it told of itself, or `unavailable` and why."""
    if not worker.ready:
        worker.ready = {"unavailable": worker.cannot} if worker.cannot else worker.ask(warm=pace.warm)
    return worker.ready


def take_turns(workers: Mapping[str, Worker], pace: Timing) -> dict[str, dict[str, Any]]:
    """Every worker made ready (unless it is), then read in turns: a, b, c, a, b, c, …

    For each: `ready` (what it said when warm) and `readings`. A worker that cannot do its job (a library that is not
    installed) has only `ready` with `unavailable`.
    """
    found: dict[str, dict[str, Any]] = {
        name: {"ready": warmed(worker, pace), "readings": []} for name, worker in workers.items()
    }
    for _ in range(pace.rounds):
        for name, worker in workers.items():
            if "unavailable" not in worker.ready:
                found[name]["readings"].append(
                    worker.ask(seconds=pace.seconds, steps=max(pace.steps, worker.job.steps))
                )
    return found


def measured(jobs: Mapping[str, Job], pace: Timing, log_folder: Path) -> dict[str, dict[str, Any]]:
    """Start, warm, read in turns, end: what a group of jobs gives."""
    with started(jobs, log_folder) as workers:
        return take_turns(workers, pace)


def summary(found: Mapping[str, Any], units: Sequence[str] = ("questions",)) -> dict[str, Any]:
    """A variant's row: rates per second (median, spread), peak memory and what it was before the first step, in MB."""
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
    """Each variant's speed over that of `base`, turn by turn."""
    return {
        name: asdict(ratios(row["turns"], rows[base]["turns"]))
        for name, row in rows.items()
        if name != base and "turns" in row
    }
