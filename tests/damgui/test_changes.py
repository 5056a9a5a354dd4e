"""The route that a page asks again and again: one word that changes with the workspace, at a price one can afford."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.runs import store
from core.runs.events import append, event
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import Settings
from damgui import changes, snapshot

PAGES, SECONDS, MOST_OF_A_CORE = 10, 8, 0.02
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def browser(workspace: Workspace) -> TestClient:
    return TestClient(Starlette(routes=[changes.route(workspace)]))


def test_the_word_stays_until_something_changes(
    workspace: Workspace, browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SHARED_FOR_S", 0.0)
    monkeypatch.setattr(changes, "SHARED_FOR_S", 0.0)
    first = browser.get(changes.PATH)
    assert first.status_code == 200 and first.headers["cache-control"] == "no-store"
    assert browser.get(changes.PATH).text == first.text
    store.create(workspace, Settings(), "baseline")
    assert browser.get(changes.PATH).text != first.text


def test_the_word_is_that_of_the_snapshot_by_which_a_page_is_drawn(workspace: Workspace, browser: TestClient) -> None:
    assert browser.get(changes.PATH).text.split()[0] == snapshot.take_snapshot(workspace, 30.0).token


def test_while_something_is_at_work_a_page_asks_again_sooner(workspace: Workspace, browser: TestClient) -> None:
    assert browser.get(changes.PATH).text.split()[1] == str(changes.AT_REST_MS)
    store.create(workspace, Settings(), "baseline")
    time.sleep(snapshot.SHARED_FOR_S)
    assert browser.get(changes.PATH).text.split()[1] == str(changes.AT_WORK_MS) < str(changes.AT_REST_MS)


def test_it_is_only_read(browser: TestClient) -> None:
    assert browser.post(changes.PATH).status_code == 405


def history(root: Path, runs: int) -> Workspace:
    """A workspace with so many finished baselines of 60 events each."""
    root.mkdir()
    workspace = store.open_workspace(root)
    first = store.create(workspace, Settings(), "baseline")
    append(first.events, event("started", run=first.id, pid=1, job="baseline", parent=1))
    for done in range(60):
        append(first.events, event("progress", done=done, total=60, unit="photo", elapsed_s=float(done)))
    append(first.events, event("ended", how="finished", error="", problems=[], seconds=1.0))
    write_json(first.results, {"kind": "baseline", "complete": True})
    about = json.loads((first.folder / "run.json").read_text())
    for number in range(runs - 1):
        folder = workspace.runs / f"{first.id}-{number}"
        folder.mkdir()
        for file in first.folder.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        (folder / "run.json").write_text(json.dumps({**about, "created": about["created"] - number}))
    return workspace


@contextmanager
def served(workspace: Path) -> Iterator[tuple[int, int]]:
    """(port, process id) of `python app.py`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    line = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--workspace", str(workspace)]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def idle_cost(port: int, pid: int) -> float:
    """Share of a core that PAGES take which ask as assets/pulse.js does, over connections that are kept open."""
    over = threading.Event()

    def page(number: int) -> None:
        over.wait(number / PAGES)
        link = http.client.HTTPConnection("127.0.0.1", port)
        pause_s = 1.0
        while not over.wait(pause_s):
            link.request("GET", changes.PATH)
            pause_s = int(link.getresponse().read().split()[1]) / 1000

    pages = [threading.Thread(target=page, args=(number,)) for number in range(PAGES)]
    for visitor in pages:
        visitor.start()
    time.sleep(2.0)  # the first snapshots read the history
    before, began = cpu_seconds(pid), time.monotonic()
    time.sleep(SECONDS)
    cost = (cpu_seconds(pid) - before) / (time.monotonic() - began)
    over.set()
    for visitor in pages:
        visitor.join()
    return cost


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processor time is read from /proc")
@pytest.mark.parametrize("runs", [pytest.param(1, marks=pytest.mark.slow), 400])
def test_ten_idle_pages_cost_under_two_per_cent_of_a_core_whatever_the_history(tmp_path: Path, runs: int) -> None:
    with served(history(tmp_path / "work", runs).root) as (port, pid):
        cost = idle_cost(port, pid)
    print(f"{PAGES} idle pages, {runs} runs: {100 * cost:.1f} % of a core")
    assert cost < MOST_OF_A_CORE
