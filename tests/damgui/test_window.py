"""The page in a window of its own: which browser is called and how, and what comes of it. The browsers are false."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.runs import store
from damgui import page, window
from damgui.cli import commands

URL = "http://127.0.0.1:7860"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the false browsers are shell scripts")


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of our own, with no other browser on it, and no pywebview."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(window, "ON_MACOS", ())
    for name in window.PROGRAM_FOLDERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "webview", None)
    return folder


def put(folder: Path, name: str, does: str) -> None:
    """A false browser: it notes its arguments, a line each, and does what is said."""
    made = folder / name
    made.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/{name}.called"\n{does}\n')
    made.chmod(0o755)


HANDS_OVER, FAILS = "exit 0", "exit 1"  # at once


@pytest.fixture
def stays(monkeypatch: pytest.MonkeyPatch) -> str:
    """What a browser does that shows its window for a while: here every while is long enough."""
    monkeypatch.setattr(window, "SETTLED_AFTER_S", 0)
    return "exit 0"


def called(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.called").read_text().splitlines()


def test_a_browser_shows_the_page_in_app_mode_with_a_profile_of_its_own(
    on_path: Path, tmp_path: Path, stays: str
) -> None:
    put(on_path, "chromium", stays)
    profile = store.open_workspace(tmp_path).window_profile
    assert window.show(URL, profile) == window.CLOSED
    given = called(on_path, "chromium")
    assert given[:2] == [f"--app={URL}", f"--user-data-dir={profile}"]
    assert profile.is_relative_to(tmp_path / "cache")
    assert not any(word.startswith("--no-sandbox") for word in given)


@pytest.mark.parametrize("name", window.ON_PATH)
def test_every_browser_with_an_app_mode_is_found(on_path: Path, name: str) -> None:
    put(on_path, name, HANDS_OVER)
    assert list(window.browsers()) == [str(on_path / name)]


def test_a_browser_where_windows_keeps_it_is_found(
    on_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "edge.exe"
    kept.touch()
    monkeypatch.setattr(window, "ON_WINDOWS", ("edge.exe", "gone.exe"))
    monkeypatch.setenv("PROGRAMFILES", str(tmp_path))
    assert list(window.browsers()) == [str(kept)]


def test_a_window_that_was_open_already_takes_the_page_and_no_other_browser_is_asked(on_path: Path) -> None:
    put(on_path, "chromium", HANDS_OVER)
    put(on_path, "google-chrome", HANDS_OVER)
    assert window.show(URL, on_path / "profile") == window.WAS_OPEN
    assert not (on_path / "google-chrome.called").exists()


def test_a_browser_that_cannot_open_a_window_is_passed_over(on_path: Path) -> None:
    put(on_path, "chromium", FAILS)
    (on_path / "chrome").write_text("no program at all")
    (on_path / "chrome").chmod(0o755)
    put(on_path, "msedge", HANDS_OVER)
    assert window.show(URL, on_path / "profile") == window.WAS_OPEN
    assert called(on_path, "msedge")[0] == f"--app={URL}"


def test_without_a_browser_pywebview_shows_the_page(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []
    toolkit = SimpleNamespace(create_window=lambda *about, **_: made.append(about), start=lambda: made.append("shown"))
    monkeypatch.setitem(sys.modules, "webview", toolkit)
    assert window.show(URL, on_path / "profile") == window.CLOSED
    assert made == [("damgui", URL), "shown"]


def test_a_toolkit_without_a_display_is_no_traceback(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def start() -> None:
        raise RuntimeError("no display")

    monkeypatch.setitem(sys.modules, "webview", SimpleNamespace(create_window=lambda *_, **__: None, start=start))
    assert window.show(URL, on_path / "profile") == window.NOWHERE


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the page does beside its window: tabs that it opens, and that it waits."""
    found: list[str] = []
    for_ever = SimpleNamespace(Event=lambda: SimpleNamespace(wait=lambda: found.append("waits")))
    monkeypatch.setattr(page, "threading", for_ever)
    monkeypatch.setattr(page.webbrowser, "open", found.append)
    return found


def test_closing_the_window_ends_the_page(
    on_path: Path, seen: list[str], stays: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(on_path, "chromium", stays)
    page._show(URL, on_path / "profile", open_browser=True)
    assert seen == []
    assert "damgui ends; runs go on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("does", "expected", "words"),
    [
        (HANDS_OVER, ["waits"], "was open already"),
        (FAILS, [URL, "waits"], "an ordinary tab shows the page"),
    ],
)
def test_without_a_window_to_follow_the_page_stays_and_says_where_it_is(
    on_path: Path, seen: list[str], capsys: pytest.CaptureFixture[str], does: str, expected: list[str], words: str
) -> None:
    put(on_path, "chromium", does)
    page._show(URL, on_path / "profile", open_browser=True)
    assert seen == expected
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--window"], ["app", "--window"]])
def test_the_command_line_asks_for_the_window(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(page, "serve", lambda *given: asked.append(given))
    assert commands.main([*words, "--workspace", str(tmp_path)]) == 0
    assert asked == [(tmp_path, "127.0.0.1", 7860, True, True, None)]


def test_a_window_and_no_browser_at_all_are_not_asked_for_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["app", "--window", "--no-browser", "--json"]) == 2
    assert "not allowed with" in json.loads(capsys.readouterr().out)["errors"][0]["what"]


def test_the_root_of_the_list_of_folders_is_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(page, "serve", lambda *given: asked.append(given))
    given = ["app", "--workspace", str(tmp_path)]
    assert commands.main([*given, "--root", str(tmp_path / "gone")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    monkeypatch.setenv("HOME", str(tmp_path))
    assert commands.main([*given, "--root", "~"]) == 0
    assert [one[-1] for one in asked] == [tmp_path.resolve()]
