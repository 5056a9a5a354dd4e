from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.runs import launcher, locks, store, worker
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge

FAKE = Path(__file__).with_name("fake_damgui.py")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace. Whatever a test leaves at work in it is stopped."""
    opened = store.open_workspace(tmp_path)
    yield opened
    for run in store.list_runs(opened):
        if locks.is_held(run.lock):
            run.stop_file.touch()
            launcher.wait(run, 10)


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers, in this process or in their own, find an engine whose steps only wait."""
    before_jobs, before_entry = dict(worker.JOBS), list(launcher.ENTRY)
    spec = importlib.util.spec_from_file_location("fake_damgui", FAKE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    jobs, entry = dict(worker.JOBS), [sys.executable, str(FAKE)]
    worker.JOBS.update(before_jobs)
    launcher.ENTRY[:] = before_entry
    for kind, job in jobs.items():
        monkeypatch.setitem(worker.JOBS, kind, job)
    monkeypatch.setattr(launcher, "ENTRY", entry)


Steps = Callable[..., Settings]


@pytest.fixture
def steps() -> Steps:
    """Settings that make the fake engine take so many steps of so many seconds."""

    def settings(count: int, seconds_each: float = 0.02) -> Settings:
        return merge(Settings(), {"training.max_steps": count, "training.learning_rate": seconds_each})

    return settings


@pytest.fixture
def training(workspace: Workspace, steps: Steps) -> Run:
    """A training run that nobody has started yet."""
    return store.create(workspace, steps(3), "train", "pilot")
