from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from core.errors import UserError
from core.runs import files


def test_json_survives_numpy_paths_and_numbers_that_are_not_finite(tmp_path: Path) -> None:
    target = tmp_path / "new" / "x.json"
    files.write_json(target, {"a": np.float32(0.5), "b": np.arange(2), "c": float("nan"), "d": Path("x"), 3: (1,)})
    assert json.loads(target.read_text()) == {"a": 0.5, "b": [0, 1], "c": None, "d": "x", "3": [1]}


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
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EACCES, "cannot be written"),
        (errno.EROFS, "cannot be written"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_what_a_disk_does_wrong_becomes_one_sentence_with_a_cure(tmp_path: Path, number: int, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught, files.writing(tmp_path / "x"):
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
