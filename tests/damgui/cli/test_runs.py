"""`damgui runs`: rename, delete and restore, asked first, and refused in a sentence."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from core.runs import store
from core.runs.workspace import Workspace
from core.units import file_size
from damgui.cli import commands
from tests.inspector import contents, inspected

Runs = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    opened = store.open_workspace(tmp_path)
    inspected(opened)
    return opened


@pytest.fixture
def runs(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Runs:
    """runs(words): `damgui runs WORDS` in a workspace with a history: (exit code, stdout, stderr)."""

    def command(*words: str) -> tuple[int, str, str]:
        code = commands.main(["runs", *words, "--workspace", str(workspace.root)])
        return code, *capsys.readouterr()

    return command


def typing(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)


def test_a_model_is_deleted_and_comes_back(runs: Runs, workspace: Workspace) -> None:
    before = contents(workspace)
    code, out, _ = runs("delete", "small", "--yes")
    assert code == 0 and "damgui runs restore" in out
    assert not workspace.final("small").exists()
    assert "30 days left" in runs("trash")[1]
    assert runs("restore", "small")[:2] == (0, "Fine-tuning small is back.\n")
    assert contents(workspace) == before
    assert runs("trash")[1] == "The trash is empty.\n"


@pytest.mark.parametrize(("answer", "goes"), [("y\n", True), ("n\n", False), ("", False)])
def test_deleting_is_asked_first_and_says_what_goes(
    runs: Runs, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, answer: str, goes: bool
) -> None:
    typing(monkeypatch, answer)
    code, _, err = runs("delete", "small")
    assert "19 files" in err and "the model small, the evaluation that Compare shows of it and its report" in err
    assert "1 batch that it judged stays" in err
    assert workspace.final("small").exists() != goes
    assert code == (0 if goes else 2)


def test_without_a_terminal_nothing_is_deleted_unless_yes_is_given(runs: Runs, workspace: Workspace) -> None:
    before = contents(workspace)
    code, _, err = runs("delete", "small")
    assert code == 2 and "--yes" in err
    assert contents(workspace) == before


def test_the_trash_is_emptied(runs: Runs, workspace: Workspace) -> None:
    runs("delete", "small", "--yes")
    code, out, _ = runs("empty", "--yes", "--json")
    assert code == 0 and json.loads(out)["files"] > 10
    assert not workspace.trash.exists()
    assert runs("empty")[1] == "It was empty.\n"


def test_a_model_is_renamed(runs: Runs, workspace: Workspace) -> None:
    assert runs("rename", "small", "big")[:2] == (0, "small is called big now.\n")
    assert workspace.final("big").is_dir()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["rename", "small"], "damgui runs rename RUN NAME"),
        (["rename"], "rename what"),
        (["rename", "small", "a b"], "cannot be a name"),
        (["rename", "nobody", "big"], "no such run"),
        (["delete"], "delete what"),
        (["delete", "small", "big", "--yes"], "one word too many"),
        (["restore", "small"], "not in the trash"),
        (["trash", "small"], "one word too many"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(runs: Runs, workspace: Workspace, words: list[str], sentence: str) -> None:
    before = contents(workspace)
    code, _, err = runs(*words)
    assert code == 2 and sentence in err and len(err.splitlines()) == 1
    assert contents(workspace) == before


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_499, "1 kB"),
        (999_900, "1.0 MB"),
        (1_440_000, "1.4 MB"),
        (120_000_000, "120 MB"),
        (3_240_000_000, "3.2 GB"),
        (5e12, "5000 GB"),
    ],
)
def test_a_size_has_two_or_three_digits_and_a_unit(size: int, words: str) -> None:
    assert file_size(int(size)) == words
