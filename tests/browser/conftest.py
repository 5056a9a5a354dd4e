"""A real app on a free port and a real Chromium that clicks on it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
# Chromium asks for its maker's servers at every start; offline these are refused, many at a time.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class App:
    """A served page: its address, its workspace and its process."""

    url: str
    workspace: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """As the system would when memory runs out: no goodbye."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(workspace: Path) -> App:
    """`python app.py` on a free port, waited for until it answers."""
    port = free_port()
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--workspace", str(workspace)]
    workspace.mkdir(parents=True, exist_ok=True)
    with (workspace / "app.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    app = App(f"http://127.0.0.1:{port}", workspace, process)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(app.url, timeout=5):
                return app
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, (workspace / "app.log").read_text()
            time.sleep(0.2)
    raise AssertionError(f"the page did not answer within 60 s: {(workspace / 'app.log').read_text()}")


def chromium() -> str | None:
    """The system's Chromium; None lets Playwright take its own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium(), args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    yield opened
    context.close()
