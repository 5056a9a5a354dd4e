"""What a terminal shows of a run's events."""

from __future__ import annotations

import io
from typing import Any

import pytest

from core.runs.events import event
from damgui.cli.progress import ProgressBars

SUMMARY: dict[str, Any] = {"overall_accuracy": 0.75, "correct": 3, "total": 4, "macro_f1": 0.5}


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (
            {"follows": "reference points"},
            ["Overall accuracy  75.0 % (3/4), macro-F1 0.500; reference points follow"],
        ),
        ({}, []),  # the last results are printed once, when the run is over
    ],
)
def test_a_first_score_is_a_line_that_says_what_follows(more: dict[str, str], lines: list[str]) -> None:
    out = io.StringIO()
    ProgressBars(out)(event("result", path="results.json", summary=SUMMARY, **more))
    assert out.getvalue().splitlines() == lines
