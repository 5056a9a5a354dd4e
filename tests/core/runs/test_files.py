from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import UserError
from core.runs import files


def test_json_survives_numpy_paths_and_numbers_that_are_not_finite(tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.json"
    files.write_json(target, {"a": np.float32(0.5), "b": np.arange(2), "c": float("nan"), "d": Path("x"), 3: (1,)})
    assert json.loads(target.read_text()) == {"a": 0.5, "b": [0, 1], "c": None, "d": "x", "3": [1]}


@pytest.mark.parametrize("odd", ["a\u2028b.jpg", "a\u0085b.jpg", "a\x0cb.jpg"])
def test_a_name_with_a_line_separator_does_not_break_a_row(tmp_path: Path, odd: str) -> None:
    files.write_lines(tmp_path / "x.jsonl", [{"image": odd}, {"image": "b"}])
    assert files.read_lines(tmp_path / "x.jsonl") == [{"image": odd}, {"image": "b"}]


def test_replacing_a_file_leaves_no_other_file_behind(tmp_path: Path) -> None:
    for number in range(3):
        files.write_json(tmp_path / "x.json", number)
    files.copy(tmp_path / "x.json", tmp_path / "y.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.json", "y.json"]


def test_failed_write_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write_json(tmp_path / "x.json", "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="the disk is full"):
        files.write_json(tmp_path / "x.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert files.read_json(tmp_path / "x.json") == "old"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_what_a_disk_does_wrong_becomes_one_sentence_with_a_cure(tmp_path: Path, number: int, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught, files.writing(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    (problem,) = caught.value.problems
    assert problem.kind == "disk"
    assert problem.where == str(tmp_path / "x")
    assert problem.fix


def test_damaged_json_is_said_and_missing_json_is_none(tmp_path: Path) -> None:
    assert files.read_json(tmp_path / "none.json") is None
    (tmp_path / "bad.json").write_text('{"a": ')
    with pytest.raises(UserError, match=r"bad\.json"):
        files.read_json(tmp_path / "bad.json")


def sharing_violation(number: int) -> PermissionError:
    """What Windows says while somebody else has a file open."""
    error = PermissionError(errno.EACCES, "The process cannot access the file")
    error.winerror = number  # type: ignore[attr-defined]
    return error


class Busy:
    """Stands in for a call of the system that fails `times` times first."""

    def __init__(self, then: Callable[..., None], times: float, number: int | None) -> None:
        self.then, self.times, self.number, self.calls = then, times, number, 0

    def __call__(self, *given: Any, **more: Any) -> None:
        self.calls += 1
        if self.calls <= self.times:
            raise PermissionError(errno.EACCES, "no") if self.number is None else sharing_violation(self.number)
        self.then(*given, **more)


@pytest.mark.parametrize("number", files.SHARING_VIOLATIONS)
def test_replacing_waits_for_whoever_has_the_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    files.write_json(tmp_path / "x.json", "old")
    busy = Busy(os.replace, 3, number)
    monkeypatch.setattr(os, "replace", busy)
    files.write_json(tmp_path / "x.json", "new")
    assert files.read_json(tmp_path / "x.json") == "new" and busy.calls == 4
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_removing_waits_for_whoever_has_the_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    monkeypatch.setattr(shutil, "rmtree", Busy(shutil.rmtree, 2, 32))
    files.remove(tmp_path / "folder")
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "unlink", Busy(os.unlink, 2, 5))
    files.remove(tmp_path / "file")
    files.remove(tmp_path / "never there")
    assert list(tmp_path.iterdir()) == []


def test_what_replaces_a_file_is_on_disk_before_it_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    flush, move = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append("flushed"), flush(number)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("in place"), move(*paths)))
    files.write_json(tmp_path / "x.json", 1)
    assert order == ["flushed", "in place"]


def test_removing_at_once_waits_for_nobody_and_says_what_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    assert files.remove_now(tmp_path / "folder") and files.remove_now(tmp_path / "never there")
    (tmp_path / "file").touch()
    busy = Busy(os.unlink, 1, 32)
    monkeypatch.setattr(os, "unlink", busy)
    assert not files.remove_now(tmp_path / "file") and busy.calls == 1
    assert files.remove_now(tmp_path / "file")


def test_a_file_that_stays_open_is_one_sentence_in_the_end_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "RETRY_FOR_S", 0.1)
    files.write_json(tmp_path / "x.json", "old")
    monkeypatch.setattr(os, "replace", Busy(os.replace, math.inf, 32))
    with pytest.raises(UserError, match="cannot be written"):
        files.write_json(tmp_path / "x.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert files.read_json(tmp_path / "x.json") == "old"


def test_a_refusal_that_is_no_sharing_violation_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = Busy(os.replace, math.inf, None)
    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(UserError, match="cannot be written"):
        files.write_json(tmp_path / "x.json", 1)
    assert refused.calls == 1


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/w/x.json", "/w/x.json"),
        ("/" + "d" * 300, "\\\\?\\/" + "d" * 300),
        ("//server/" + "d" * 300, "\\\\?\\/server/" + "d" * 300),
    ],
)
def test_only_a_long_path_is_given_to_windows_with_its_prefix(path: str, given: str) -> None:
    assert files.system_path(Path(path), windows=False) == path
    assert files.system_path(Path(path), windows=True).replace("//", "/") == given


def test_a_share_has_a_prefix_of_its_own_and_none_gets_it_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "abspath", str)
    share = "\\\\server\\" + "d" * 300
    whole = "\\\\?\\UNC\\server\\" + "d" * 300
    assert files.system_path(Path(share), windows=True) == whole
    assert files.system_path(Path(whole), windows=True) == whole
