from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from core.data import progress
from core.records import EVENTS, Event
from core.runs.events import EventReader, append, as_stages, event, last_event, read_events, tail_events


def stepped(step: int, loss: float = 1.0) -> Event:
    return event("step", step=step, total_steps=2000, epoch=0.0, loss=loss)


def test_event_reads_back_as_it_was_written(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    written = event("checkpoint", step=1, path=Path("models/x"), best=True)
    append(log, written)
    assert read_events(log) == [{**written, "path": str(Path("models/x"))}]


def test_kind_that_no_reader_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind of event"):
        event("stpe", step=1)


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("stage", {}, "missing: text"),
        ("stage", {"text": "Learning", "txt": "x"}, "unknown: txt"),
        ("step", {"step": 1, "loss": 1.0}, "missing: epoch, total_steps"),
        ("ended", {"error": ""}, "missing: how"),
        ("checkpoint", {"step": 1, "path": "x", "best": False, "kept": True}, "unknown: kept"),
    ],
)
def test_field_that_no_reader_knows_or_a_missing_one_is_refused(kind: str, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        event(kind, **fields)


def test_what_may_be_left_out_is_left_out_by_some_writer() -> None:
    assert EVENTS["progress"].__required_keys__ == {"t", "kind", "done", "total", "unit", "elapsed_s"}
    assert "left_s" in EVENTS["progress"].__optional_keys__


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_number_that_is_not_finite_stays_valid_json(tmp_path: Path, value: float) -> None:
    log = tmp_path / "events.jsonl"
    append(log, stepped(1, value))
    assert "NaN" not in log.read_text()
    assert read_events(log)[0]["loss"] is None


def test_reader_gives_every_event_exactly_once(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    reader = EventReader(log)
    seen = [reader.new()]
    for number in range(3):
        append(log, stepped(number))
        seen += [reader.new(), reader.new()]
    assert [[found["step"] for found in block] for block in seen] == [[], [0], [], [1], [], [2], []]


def test_half_written_line_waits_for_its_other_half(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    line = json.dumps(event("stage", text="Prüfung …"), ensure_ascii=False).encode() + b"\n"
    reader = EventReader(log)
    for cut in range(1, len(line)):
        log.write_bytes(line[:cut])
        assert EventReader(log).new() == []
    log.write_bytes(line[:-5])
    assert reader.new() == []
    log.write_bytes(line)
    assert [found["text"] for found in reader.new()] == ["Prüfung …"]


def test_half_line_of_a_killed_process_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    append(log, stepped(1))
    with log.open("ab") as file:
        file.write(b'{"t": 1, "kind": "st')
    append(log, stepped(2))
    assert [found["step"] for found in read_events(log)] == [1, 2]


def test_log_that_became_shorter_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    for number in range(5):
        append(log, stepped(number))
    reader = EventReader(log)
    reader.new()
    log.unlink()
    append(log, stepped(7))
    assert [found["step"] for found in reader.new()] == [7]


def test_last_event_is_found_behind_a_half_line_and_in_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    assert last_event(log) is None
    for number in range(2000):
        with log.open("a") as file:
            file.write(json.dumps(event("stage", text=f"{number} " + "x" * 60)) + "\n")
    with log.open("a") as file:
        file.write('{"t": 1, "ki')
    found = last_event(log)
    assert found is not None
    assert found["text"].startswith("1999 ")


def steps_written(log: Path, count: int) -> None:
    with log.open("a") as file:
        file.writelines(json.dumps(stepped(step)) + "\n" for step in range(count))


@pytest.mark.parametrize("most_bytes", [1, 50, 1000, 10**9])
def test_a_log_read_in_blocks_gives_every_event_exactly_once(tmp_path: Path, most_bytes: int) -> None:
    log = tmp_path / "events.jsonl"
    steps_written(log, 100)
    reader, seen = EventReader(log), []
    while reader.unread():
        block = reader.new(most_bytes)
        assert block
        seen += block
    assert seen == read_events(log) and len(seen) == 100


def test_a_tail_holds_the_last_whole_events(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    assert tail_events(log) == []
    steps_written(log, 100)
    assert tail_events(log) == read_events(log)
    assert [entry["step"] for entry in tail_events(log, 200)] == list(range(100))[-len(tail_events(log, 200)) :]
    assert 0 < len(tail_events(log, 200)) < 10


def test_a_log_that_began_anew_is_counted(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    steps_written(log, 5)
    reader = EventReader(log)
    reader.new()
    log.write_bytes(b"")
    assert reader.unread() == 0 and reader.restarts == 1


def test_progress_becomes_a_stage_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, texts = [100.0], []

    class Keeping:
        def emit(self, kind: str, **fields: Any) -> None:
            texts.append(f"{kind}: {fields['text']}")

        def stop_requested(self) -> bool:
            return False

    monkeypatch.setattr("core.runs.events.time.monotonic", lambda: now[0])
    report = as_stages(Keeping())
    for done in range(10):
        report(progress.photos(done, 10))
        now[0] += 0.9
    assert texts == [f"stage: Reading the photos: {done} of 10" for done in (3, 6, 9)]
