"""What a user does on the page, and what the files behind it say: the words in which the browser tests are written."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from playwright.sync_api import Browser, BrowserContext, Locator, Page

from core.runs import store
from core.runs.events import read_events
from core.runs.store import Run
from damgui import changes, text
from damgui.forms import elem_id

ROOT = Path(__file__).resolve().parents[2]
# Chromium asks for its maker's servers at every start; offline these are refused, many at a time.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZE = {"width": 1280, "height": 900}
# Gradio counts the seconds of an answer anew for each frame, and those of its own loading for ever: once a second here.
SLOW_SECONDS = r"""{
    const draw = window.requestAnimationFrame.bind(window);
    const counts = (work) => /^\(\)=>\{\w+\(\w+,\(performance\.now\(\)-/.test(String(work));
    window.requestAnimationFrame = (work) =>
        counts(work) ? setTimeout(() => work(performance.now()), 1000) : draw(work);
}"""
WAIT_MS = 60_000
STEP_S = 300  # for a process to start and take steps, on a busy machine: it loads torch first


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
        """The page ends, and so does everything at work in its workspace: no test leaves a process behind."""
        for run in store.list_runs(store.open_workspace(self.workspace)):
            if store.status(run) in ("running", "starting"):
                store.request_stop(run)
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


@dataclass
class Watch:
    """What went wrong behind a page's back: requests to elsewhere, errors of scripts and in the console."""

    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def over(self, page: Page) -> None:
        page.on("request", lambda sent: self._on_request(sent.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def _on_request(self, url: str) -> None:
        if urlparse(url).hostname not in ("127.0.0.1", None):
            self.elsewhere.append(url)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(workspace: Path) -> App:
    """`python app.py` on a free port, waited for until it answers."""
    port = free_port()
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port), "--workspace", str(workspace)]
    workspace.mkdir(parents=True, exist_ok=True)
    log_file = workspace / "app.log"
    with log_file.open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    app = App(f"http://127.0.0.1:{port}", workspace, process)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(app.url, timeout=5):
                return app
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert process.poll() is None, log_file.read_text()
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"the page did not answer within 60 s: {log_file.read_text()}")


def chromium() -> str | None:
    """The system's Chromium; None lets Playwright take its own."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def until(check: Callable[[], Any], seconds: float = 60, what: str = "it") -> Any:
    """The first true value of `check`, asked ten times a second."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come about within {seconds:.0f} s")


def window(browser: Browser) -> BrowserContext:
    """A window that moves nothing by itself: drawn without a GPU, what pulses takes a third of a core."""
    opened = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    opened.add_init_script(SLOW_SECONDS)
    opened.set_default_timeout(WAIT_MS)
    return opened


# -- On the page -----------------------------------------------------------------------------------------------------
def visit(page: Page, url: str) -> None:
    """Open the page and wait until it is ready: it asks for changes once form, tabs and files are shown."""
    with page.expect_response(lambda answer: urlparse(answer.url).path == changes.PATH):
        page.goto(url)
    page.locator("#go-baseline").wait_for(state="visible")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def field_of(page: Page, name: str) -> Locator:
    """The box to write into of the widget with this element id."""
    return page.locator(f"#{name} :is(input, textarea)").first


def write(page: Page, name: str, value: object) -> None:
    """Write into a box as a user would, leaving it by Tab."""
    box = field_of(page, name)
    box.fill(str(value))
    box.press("Tab")


def unfold(page: Page, name: str, inside: str) -> None:
    """Open an accordion unless the widget inside can already be seen; a click before the page is ready is lost."""
    box = field_of(page, inside)

    def seen() -> bool:
        if not box.is_visible():
            page.locator(f"#{name} button").first.click()
            page.wait_for_timeout(1000)
        return box.is_visible()

    until(seen, WAIT_MS / 1000, inside)


def limit_photos(page: Page, photos: int) -> None:
    """Let the next run take so many photos of each split."""
    tab(page, text.TAB_BASELINE)
    unfold(page, "baseline-options", elem_id("data.limit"))
    write(page, elem_id("data.limit"), photos)


def drop(place: Locator, photo: Path) -> None:
    """Let a file fall onto a place of the page, as from a file manager."""
    carried = place.page.evaluate_handle(
        """([name, bytes]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/jpeg' }));
            return carried;
        }""",
        [photo.name, list(photo.read_bytes())],
    )
    place.dispatch_event("drop", {"dataTransfer": carried})


@contextmanager
def one_page(browser: Browser, url: str) -> Iterator[Page]:
    """One page that many small things are tried on: opening it anew for each would take most of the time."""
    context = window(browser)
    page, watch = context.new_page(), Watch()
    watch.over(page)
    visit(page, url)
    yield page
    context.close()
    assert watch.elsewhere == watch.errors == []


def fill_training(page: Page, name: str, steps_wanted: int, photos: int = 0) -> None:
    """The form of a training; with `photos` it learns from few and is judged on few: what is waited for are steps."""
    if photos:
        limit_photos(page, photos)
    tab(page, text.TAB_TRAINING)
    write(page, "training-name", name)
    unfold(page, "training-more", elem_id("training.max_steps"))
    write(page, elem_id("training.max_steps"), steps_wanted)


def start_training(page: Page, workspace: Path, name: str, steps_wanted: int, photos: int = 0) -> Run:
    """Fill in the form and press the button; returns the run once it steps."""
    fill_training(page, name, steps_wanted, photos)
    page.locator("#training-start").click()
    run: Run = until(lambda: newest(workspace, "train", name), 60, "the run")
    until(lambda: steps(run) or store.status(run) in ("failed", "crashed"), STEP_S, "the first step")
    assert store.status(run) == "running", run.process_log.read_text()
    return run


def points(page: Page) -> int:
    """Points in the live chart's first line, read from the drawing itself."""
    return int(page.evaluate(f"() => {POINTS}"))


POINTS = (
    "(document.querySelector('#training-chart .js-plotly-plot')?.data?.[0].x ?? []).filter(one => one !== null).length"
)


def drawn(page: Page, chart: str) -> list[dict[str, Any]]:
    """The lines or bars of a chart as plotly holds them; waits for the first drawing."""
    page.locator(f"#{chart} .js-plotly-plot .main-svg").first.wait_for()
    script = "one => document.querySelector(`#${one} .js-plotly-plot`).data.map(({ x, y }) => ({ x, y }))"
    found: list[dict[str, Any]] = page.evaluate(script, chart)
    return found


# -- In the workspace ------------------------------------------------------------------------------------------------
def newest(workspace: Path, kind: str, name: str = "") -> Run | None:
    return store.latest(store.open_workspace(workspace), kind, name)


def steps(run: Run) -> list[int]:
    return [event["step"] for event in read_events(run.events) if event["kind"] == "step"]


def ended(run: Run, how: str, seconds: float = 300) -> None:
    """Wait until a run is over; it must have ended as told."""
    until(lambda: store.status(run) not in ("running", "starting"), seconds, f"the end of {run.id}")
    assert store.status(run) == how, run.process_log.read_text()
