from __future__ import annotations

import errno
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.runs import locks

HOLDER = """
import sys, time
from pathlib import Path
from core.runs import locks
with locks.hold(Path(sys.argv[1]), {"run": "r1"}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_asking_about_a_lock_creates_nothing(tmp_path: Path) -> None:
    assert not locks.is_held(tmp_path / "x.lock")
    assert locks.holder(tmp_path / "x.lock") is None
    assert list(tmp_path.iterdir()) == []


def test_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with locks.hold(lock, {"run": "r1"}):
        assert locks.is_held(lock)
        note = locks.holder(lock)
        assert note is not None
        assert note["run"] == "r1"
        assert abs(note["since"] - time.time()) < 5
    assert not locks.is_held(lock)
    assert locks.holder(lock) is None


def test_second_taker_is_refused_at_once(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    began = time.monotonic()
    with locks.hold(lock), pytest.raises(locks.Held), locks.hold(lock):
        pass
    assert time.monotonic() - began < 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    assert locks.is_held(lock)
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not locks.is_held(lock)
    assert locks.note_path(lock).exists()
    with locks.hold(lock):
        assert locks.holder(lock) == {}, "its note is not taken for that of the next holder"


def test_between_taking_a_lock_and_its_note_nobody_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, write, seen = tmp_path / "x.lock", locks.write_json, []

    def look_first(path: Path, note: object) -> None:
        seen.append(locks.holder(lock))
        write(path, note)

    monkeypatch.setattr(locks, "write_json", look_first)
    for run in ("r1", "r2"):
        with locks.hold(lock, {"run": run}):
            assert (locks.holder(lock) or {}).get("run") == run
        assert not locks.note_path(lock).exists()
    assert seen == [{}, {}]


def test_those_who_ask_about_a_free_lock_never_take_each_other_for_a_holder(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.touch()
    with ThreadPoolExecutor(16) as lookers:
        assert not any(lookers.map(lambda _: locks.is_held(lock), range(3000)))
        with locks.hold(lock):
            assert all(lookers.map(lambda _: locks.is_held(lock), range(3000)))


def test_a_file_system_without_locks_is_asked_as_filelock_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: int) -> bool:
        raise OSError(errno.ENOSYS, "Function not implemented")

    lock = tmp_path / "x.lock"
    lock.touch()
    monkeypatch.setattr(locks, "_share", missing)
    assert not locks.is_held(lock)
    with locks.hold(lock):
        assert locks.is_held(lock)
