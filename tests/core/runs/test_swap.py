"""Whoever is killed between any two file operations of a replacement finds the old folder or the new one, whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.runs import swap

KilledAfter = Callable[[int, Callable[[], object]], bool]


def fill(folder: Path, text: str) -> None:
    (folder / "inner").mkdir(parents=True, exist_ok=True)
    for name in ("a", "b", "inner/c"):
        (folder / name).write_text(text)


def read(folder: Path) -> set[str]:
    return {(folder / name).read_text() for name in ("a", "b", "inner/c")}


def replace(folder: Path, text: str) -> None:
    fill(swap.begin(folder), text)
    swap.finish(folder)


@pytest.mark.parametrize("before", ["old", ""])
def test_a_kill_before_any_operation_loses_neither_the_old_nor_a_finished_new(
    tmp_path: Path, killed_after: KilledAfter, before: str
) -> None:
    seen: list[set[str]] = []
    for count in range(1000):
        folder = tmp_path / str(count) / "best"
        folder.parent.mkdir()
        if before:
            fill(folder, before)
        killed = killed_after(count, lambda folder=folder: replace(folder, "new"))  # type: ignore[misc]
        committed = (folder.parent / "best.new").exists()
        swap.recover(folder)
        found = read(folder) if folder.exists() else {""}
        assert found in ({before}, {"new"})
        assert found == {"new"} or not committed
        assert [path.name for path in folder.parent.iterdir()] == (["best"] if folder.exists() else [])
        seen.append(found)
        if not killed:
            break
    assert seen.index({"new"}) > 5  # a kill while it is written
    assert seen[seen.index({"new"}) :] == [{"new"}] * (len(seen) - seen.index({"new"}))
    assert len(seen) - seen.index({"new"}) > 2  # a kill between the renames


def test_a_kill_while_recovering_is_recovered_from(tmp_path: Path, killed_after: KilledAfter) -> None:
    for count in range(1000):
        folder = tmp_path / str(count) / "best"
        fill(folder, "old")
        fill(folder.with_name("best.new"), "new")
        fill(folder.with_name("best.part"), "half")
        killed = killed_after(count, lambda folder=folder: swap.recover(folder))  # type: ignore[misc]
        swap.recover(folder)
        assert read(folder) == {"new"}
        if not killed:
            assert count > 5
            return


def test_a_replacement_waits_for_whoever_has_the_folder_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows a scanner that has one file open holds the whole folder."""
    folder = tmp_path / "best"
    fill(folder, "old")
    refusals = {"replace": 2, "rmtree": 2}

    def refusing(name: str, act: Callable[..., None]) -> Callable[..., None]:
        def act_or_refuse(*given: Any) -> None:
            if refusals[name]:
                refusals[name] -= 1
                error = PermissionError(errno.EACCES, "The process cannot access the file")
                error.winerror = 32  # type: ignore[attr-defined]
                raise error
            act(*given)

        return act_or_refuse

    monkeypatch.setattr(os, "replace", refusing("replace", os.replace))
    monkeypatch.setattr(shutil, "rmtree", refusing("rmtree", shutil.rmtree))
    replace(folder, "new")
    assert read(folder) == {"new"} and refusals == {"replace": 0, "rmtree": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_half_written_folder_is_taken_back(tmp_path: Path) -> None:
    folder = tmp_path / "best"
    fill(folder, "old")
    fill(swap.begin(folder), "half")
    swap.recover(folder)
    assert read(folder) == {"old"}
