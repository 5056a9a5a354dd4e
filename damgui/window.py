"""The page in a window of its own, like any other program: a browser in app mode, else pywebview, else nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Those that know --app: by the names under which PATH has them, and where Windows and macOS keep them.
ON_PATH = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
    "brave-browser",
)
ON_WINDOWS = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
PROGRAM_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")
ON_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# A window for one local page needs neither a welcome nor its maker's servers.
FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A browser that ends sooner was closed by nobody: it could not open a window, or gave the page to one that is open.
SETTLED_AFTER_S = 3.0
SIZE = (1280, 900)
# What became of the window: its user closed it; one that was open already took the page; none could be opened.
CLOSED, WAS_OPEN, NOWHERE = "closed", "was open", "nowhere"


def browsers() -> Iterator[str]:
    """The browsers of this machine that have an app mode, the likeliest first."""
    yield from filter(None, map(shutil.which, ON_PATH))
    folders = [os.environ[name] for name in PROGRAM_FOLDERS if os.environ.get(name)]
    kept = [os.path.join(folder, place) for place in ON_WINDOWS for folder in folders]
    yield from filter(os.path.isfile, [*kept, *(ON_MACOS if sys.platform == "darwin" else ())])


def show(url: str, profile: Path) -> str:
    """Show the page in a window and wait until it is CLOSED; NOWHERE and WAS_OPEN are told at once.

    `profile` is a folder for the browser alone: without it a browser that is at work would take the page, and nobody
    could tell when its window is closed.
    """
    for browser in browsers():
        began = time.monotonic()
        command = [browser, f"--app={url}", f"--user-data-dir={profile}", f"--window-size={SIZE[0]},{SIZE[1]}", *FLAGS]
        try:
            window = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError:
            continue
        try:
            code = window.wait()
        finally:
            window.terminate() if window.poll() is None else None
        if time.monotonic() - began >= SETTLED_AFTER_S:
            return CLOSED
        if code == 0:
            return WAS_OPEN
    return _show_in_webview(url)


def _show_in_webview(url: str) -> str:
    """The same through pywebview, which is an extra; NOWHERE where it is not there or finds nothing to draw with."""
    try:
        import webview

        webview.create_window("damgui", url, width=SIZE[0], height=SIZE[1])
        webview.start()
    except Exception:  # whatever a toolkit raises: the page is served, and an ordinary tab shows it
        return NOWHERE
    return CLOSED
