"""What was inferred is a hint, and a fault where `data.strict` is set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.checks import faults_of, require_clean
from core.data.notes import IGNORED, INFERRED, REFUSED, refuse_inferences
from core.data.types import Dataset
from core.data.unlabelled import read_unlabelled
from core.errors import Problem, UserError
from core.settings import DataSettings


@pytest.fixture
def inferred(tmp_path: Path, write_photo: Callable[..., Path]) -> Path:
    """A table that names two photos in another case than their files have."""
    root = tmp_path / "inferred"
    rows = ["image,x1,y1,x2,y2,class"]
    for stem in ("a", "b"):
        write_photo(root / f"{stem}.jpg")
        rows.append(f"{stem.upper()}.JPG,8,12,24,36,toe drain")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


def test_an_inference_is_a_hint_and_with_strict_a_fault(inferred: Path, read: Callable[..., Dataset]) -> None:
    lenient, strict = read(inferred), read(inferred, strict=True)
    assert INFERRED in {problem.kind for problem in lenient.problems} and not faults_of(lenient.problems)
    assert [problem.kind for problem in faults_of(strict.problems)] == [REFUSED]
    with pytest.raises(UserError, match="--strict"):
        require_clean(strict, DataSettings(strict=True))
    assert strict.photos == lenient.photos


def test_the_boxes_of_a_batch_are_refused_alike(inferred: Path, tmp_path: Path) -> None:
    found = [read_unlabelled(DataSettings(path=str(inferred), strict=strict), tmp_path) for strict in (False, True)]
    assert [[fault.kind for fault in one.faults] for one in found] == [[], [REFUSED]]


def test_with_strict_a_set_without_inferences_is_sound(yolo: Path, read: Callable[..., Dataset]) -> None:
    assert read(yolo, strict=True).problems == ()


def test_other_hints_stay_and_a_cure_is_kept() -> None:
    other, cured = Problem("2 rows are not used", "a.csv", "", IGNORED), Problem("x", "a", "Do y.", INFERRED)
    assert refuse_inferences([other, cured]) == (other, Problem("x", "a", "Do y.", REFUSED))
