"""What a run is doing, read from its status and its log: how far it is, how fast, and how long still.

A page remembers a `Stamp` and redraws when it differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.records import DryRunDone, Evaluated, Planned, Resulted, Saved, Stepped
from core.runs import store
from core.runs.store import Run
from damgui.loss_series import LossCurve
from damgui.run_log import KeptEvents, LogDigest, NewestEvents

LOG_TAIL_BYTES = 6_000
LOG_TAIL_LINES = 40
Stamp = tuple[Any, ...]


@dataclass(frozen=True)
class RunState:
    """A run at one moment: compare `stamp` to know whether anything changed."""

    run: Run
    status: str
    log: LogDigest

    @property
    def active(self) -> bool:
        return self.status in store.ACTIVE

    @property
    def left_off(self) -> bool:
        """Whether it ended before it was done."""
        return self.status in store.UNFINISHED

    @property
    def stamp(self) -> Stamp:
        return (self.run.id, self.status, self.log.mark, self.stopping, self.run.name)

    @property
    def kept(self) -> KeptEvents:
        return self.log.kept

    @property
    def last(self) -> NewestEvents:
        return self.log.last

    @property
    def stopping(self) -> bool:
        return self.active and self.run.stop_file.exists()


@dataclass(frozen=True)
class RunProgress:
    """How far and how fast. `share` is 0 to 1; `left_s` is None while it is not known."""

    done: int
    total: int
    share: float
    per_s: float
    left_s: float | None
    elapsed_s: float


def baseline_progress(found: RunState) -> RunProgress | None:
    """Photos judged so far; None before the first, and while other work goes on after the last (reference points)."""
    event, stage_event = found.last.get("progress"), found.last.get("stage")
    if event is None:
        return None
    places = found.log.places
    if event["done"] >= event["total"] and stage_event is not None and places["stage"] > places["progress"]:
        return None
    done, total, elapsed = int(event["done"]), int(event["total"]), float(event["elapsed_s"])
    # A batch that goes on did its first photos (`before`) at another time.
    rate = (done - int(event.get("before") or 0)) / elapsed if elapsed > 0 else 0.0
    return RunProgress(
        done, total, done / total if total else 0.0, rate, (total - done) / rate if rate else None, elapsed
    )


def training_progress(found: RunState) -> RunProgress | None:
    """Steps taken so far, with the speed of the last ones since the run last started; None before the first.

    One step alone has no speed: the time left comes from the dry run until there are two.
    """
    recent = found.log.recent
    if not recent:
        return None
    newest = recent[-1]
    done, total = int(newest["step"]), int(newest["total_steps"])
    span = float(newest["t"]) - float(recent[0]["t"])
    rate = (len(recent) - 1) / span if span > 0 else 0.0
    left = (total - done) / rate if rate else None
    tried = dry_run(found)
    if left is None and tried is not None and (steps := tried.get("steps")):
        left = float(tried["total_s"]) * (total - done) / int(steps)
    return RunProgress(done, total, done / total if total else 0.0, rate, left, float(newest.get("elapsed_s") or 0.0))


def study_progress(found: RunState) -> RunProgress | None:
    """Trainings done, with the part of the one at work; None before the first word about it."""
    event = found.log.since_start.get("progress")
    if event is None:
        return None
    done, total = int(event["done"]), int(event["total"])
    share = (done + float(event.get("part") or 0.0)) / max(total, 1)
    return RunProgress(done, total, share, 0.0, event.get("left_s"), float(event["elapsed_s"]))


def progress_of(found: RunState) -> RunProgress | None:
    """How far a run of any heavy kind is."""
    if found.run.kind in store.STUDIES:
        return study_progress(found)
    return training_progress(found) if found.run.kind == "train" else baseline_progress(found)


def dry_run(found: RunState) -> DryRunDone | None:
    """What the two steps measured that were tried when the run last started; None before they are over."""
    return found.log.since_start.get("rehearsal")


def stage(found: RunState) -> str:
    """The stage that the run reported last, in its own words; "" before the first."""
    event = found.log.since_start.get("stage")
    return str(event["text"]) if event else ""


def first_score(found: RunState) -> Resulted | None:
    """The score of a run that is still measuring what follows it; None before all photos are judged."""
    event = found.log.since_start.get("result")
    return event if found.active and event is not None and "follows" in event else None


@dataclass(frozen=True)
class Learning:
    """What the chart of a training shows. `run` names it: while that stays the same the reader's zoom is kept."""

    run: str
    loss: LossCurve
    evaluations: Sequence[Evaluated]
    checkpoints: Sequence[Saved]
    total_steps: int = 0

    @property
    def frame(self) -> tuple[Any, ...]:
        """All that is drawn besides the points of the loss; with the same frame these can be appended."""
        at = [len(self.evaluations), len(self.checkpoints)]
        return (self.run, self.total_steps, self.top, *at)

    @property
    def top(self) -> float:
        """Where the axis of the loss ends: in steps of a half, so that it does not move with every step."""
        losses = [float(event["loss"]) for event in self.evaluations if event.get("loss") is not None]
        return math.ceil(2 * max([self.loss.top, *losses, 0.1])) / 2


def learning(run: str, log: LogDigest) -> Learning | None:
    """What the chart of a training shows; None before there is anything."""
    newest: list[Planned | Stepped | None] = [log.last.get("plan"), log.last.get("step")]
    planned = [event for event in newest if event and event.get("total_steps")]
    total = int(max(planned, key=lambda event: log.places[event["kind"]])["total_steps"]) if planned else 0
    shown = Learning(run, log.curve, log.kept.get("evaluation", ()), log.kept.get("checkpoint", ()), total)
    return shown if len(shown.loss) or shown.evaluations else None


def log_tail(run: Run) -> str:
    """The last lines of the process's own output, without the bars' carriage returns."""
    try:
        with run.process_log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            block = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in block.replace("\r\n", "\n").split("\n")]
    return "\n".join([line for line in lines if line][-LOG_TAIL_LINES:])
