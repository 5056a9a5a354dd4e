"""A log is folded once, as it grows, and a long one lets nobody wait."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from core.runs.events import read_events
from damgui import loss_series, run_log
from damgui.charts import training
from damgui.run_log import RunLog, digest_of, fold
from damgui.run_state import learning


def step(number: int, **more: Any) -> dict[str, Any]:
    return {"t": float(number), "kind": "step", "step": number, "total_steps": 10**6, "loss": 1 / (number + 1), **more}


def write(log: Path, *events: dict[str, Any]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


EVENTS = [
    {"kind": "started"},
    {"kind": "stage", "text": "Reading"},
    *(step(n) for n in range(1, 30)),
    {"kind": "evaluation", "step": 29, "loss": 0.5},
    {"kind": "ended", "how": "stopped"},
    {"kind": "started"},
    *(step(n) for n in range(20, 25)),
    {"kind": "warning", "text": "Warm"},
]


def same(digest: run_log.LogDigest, other: run_log.LogDigest) -> bool:
    plain = [(d.mark, d.last, d.since_start, d.places, d.kept, d.recent) for d in (digest, other)]
    lines = [np.array([d.curve.steps, d.curve.raw, d.curve.smoothed]) for d in (digest, other)]
    return plain[0] == plain[1] and np.allclose(*lines, rtol=1e-12)


def test_a_log_followed_event_by_event_says_what_one_read_at_once_says(log: Path) -> None:
    followed = RunLog(log)
    for event in EVENTS:
        write(log, event)
        followed.digest()
    assert same(followed.digest(), RunLog(log).digest())
    assert same(followed.digest(), fold(read_events(log)))


def test_what_was_said_before_the_last_start_is_told_apart() -> None:
    found = fold(EVENTS)
    assert found.last["stage"]["text"] == "Reading" and "stage" not in found.since_start
    assert [event["step"] for event in found.recent] == [20, 21, 22, 23, 24]
    assert found.curve.steps.tolist() == list(range(1, 25)), "a resume takes back the steps that it repeats"


def test_an_unchanged_log_is_not_folded_again_and_looks_the_same(log: Path) -> None:
    write(log, *EVENTS)
    assert digest_of(log) is digest_of(log)


def test_a_log_replaced_by_a_shorter_one_is_folded_from_its_beginning(log: Path) -> None:
    write(log, *EVENTS)
    followed = RunLog(log)
    followed.digest()
    log.unlink()
    write(log, step(1))
    assert same(followed.digest(), RunLog(log).digest())


def test_logs_kept_in_memory_are_few(tmp_path: Path) -> None:
    for number in range(run_log.MAX_LOGS + 5):
        digest_of(tmp_path / f"{number}.jsonl")
    assert len(run_log._LOGS.values()) <= run_log.MAX_LOGS


def test_a_long_log_tells_its_end_at_once_and_its_curve_when_it_was_read(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "AT_ONCE_BYTES", 10_000)
    monkeypatch.setattr(run_log, "BLOCK_BYTES", 5_000)
    monkeypatch.setattr(run_log, "TAIL_BYTES", 2_000)
    last = {"kind": "evaluation", "step": 2000, "loss": 0.5}
    write(log, {"kind": "started"}, *(step(n) for n in range(1, 2001)), last)
    followed = RunLog(log)
    first = followed.digest()
    assert first.last["step"]["step"] == 2000 and first.last["evaluation"] == last
    assert first.recent[-1]["step"] == 2000 and len(first.curve) < 2000
    deadline = time.monotonic() + 60
    while (now := followed.digest()).mark[1] and time.monotonic() < deadline:
        assert now.kept["evaluation"] in ((), (last,)), "nothing is told twice on the way"
        time.sleep(0.001)
    assert same(followed.digest(), fold(read_events(log)))
    write(log, step(2001))
    assert len(followed.digest().curve) == 2001


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "tick_s", "memory_mb"), [(100_000, 0.1, 30), (1_000_000, 0.1, 100)])
def test_a_long_log_costs_little(log: Path, steps: int, tick_s: float, memory_mb: float) -> None:
    """What a page pays when it opens beside a long training, and then for every step that comes."""
    write(log, {"kind": "started"}, *(step(n) for n in range(1, steps + 1)))
    tracemalloc.start()
    followed, began = RunLog(log), time.monotonic()
    followed.digest()
    opened_s = time.monotonic() - began
    while followed.digest().mark[1]:
        time.sleep(0.05)
    held_mb = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    assert len(followed.digest().curve) == steps
    began = time.monotonic()
    shown = learning("run", followed.digest())
    assert shown is not None and len(training.training(shown)["data"][0]["x"]) <= loss_series.MAX_POINTS + 4
    figure_s, ticks = time.monotonic() - began, []
    for number in range(steps + 1, steps + 21):
        write(log, step(number))
        began = time.monotonic()
        shown = learning("run", followed.digest())
        assert shown is not None and training.more(shown, steps) is not None
        ticks.append(time.monotonic() - began)
    print(
        f"{steps} steps: page opens after {opened_s:.2f} s, whole chart {1000 * figure_s:.0f} ms, "
        f"tick {1000 * median(ticks):.1f} ms, {held_mb:.0f} MB"
    )
    assert opened_s < 2 and median(ticks) < tick_s and held_mb < memory_mb
