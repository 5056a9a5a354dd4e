"""One verdict for page, report and command line: every outcome, with its reasons, in all three."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest

from core.metrics import verdict
from core.metrics.compare import BETTER, UNCLEAR, WORSE, outcome
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.metrics.reference_points import LINEAR_PROBE, simpler_is_better
from core.report import sentences
from core.taxonomy import load
from damgui.cli.progress import score_lines
from damgui.scores import scores
from damgui.scores.results import ShownResults

BASE: dict[str, Any] = {
    "correct": 8,
    "total": 10,
    "overall_accuracy": 0.8,
    "accuracy_interval": [0.7, 0.9],
    "macro_f1": 0.6,
    "per_class": {},
    "flights": 12,
    "data": {"photos": 10},
    "lowest_flight": {"flight": "d01", "correct": 5, "total": 10, "accuracy": 0.5},
    "highest_flight": {"flight": "d02", "correct": 9, "total": 10, "accuracy": 0.9},
}
WARNING = simpler_is_better(0.8, {LINEAR_PROBE: 0.95})


def scored(guess: float | None, **more: Any) -> dict[str, Any]:
    return {**BASE, "prior": None if guess is None else {"accuracy": guess, "macro_f1": 0.3}, **more}


OUTCOMES = {
    verdict.ABOVE: scored(0.6),
    verdict.BELOW: scored(0.95),
    verdict.NO_BETTER: scored(0.8),
    verdict.UNKNOWN: scored(None),
    TOO_FEW_FLIGHTS: scored(0.1, accuracy_interval=None, flights=3),
    verdict.SIMPLER: scored(0.6, reference_warnings=[WARNING]),
}


@pytest.mark.parametrize(("expected", "found"), OUTCOMES.items())
def test_page_report_and_console_say_the_same(expected: str, found: Any) -> None:
    proved = verdict.of_score(found)
    assert proved.outcome == expected
    page = unescape(str(scores.headline(ShownResults(found, (), None, load()))))
    report = " ".join([sentences.headline(found), *sentences.warnings(found)])
    console = "\n".join(score_lines(found))
    for shown in (page, report, console):
        assert proved.title in shown
        assert all(reason in shown for reason in (*proved.reasons, proved.warning))
        others = [name for name in OUTCOMES if name not in (expected, verdict.UNKNOWN)]
        titles = [name[:1].upper() + name[1:] for name in others]
        assert [title for title in titles if f"{title}." in shown or f">{title}<" in shown] == []
    assert ("dg-up" in page) == (expected == verdict.ABOVE)


@pytest.mark.parametrize("guess", [0.7, 0.8, 0.9])
def test_an_interval_that_holds_guessing_proves_nothing(guess: float) -> None:
    assert verdict.of_score(scored(guess)).outcome == verdict.NO_BETTER


def test_what_is_worse_than_guessing_stays_so_whatever_else_is_better() -> None:
    assert verdict.of_score(scored(0.95, reference_warnings=[WARNING])).outcome == verdict.BELOW
    assert verdict.of_score(scored(0.8, reference_warnings=[WARNING])).outcome == verdict.NO_BETTER


def test_results_from_before_there_were_warnings_are_judged_by_their_interval() -> None:
    old = scored(0.6, references={LINEAR_PROBE: {"accuracy": 0.95}})
    assert verdict.of_score(old).outcome == verdict.SIMPLER
    assert verdict.of_score({**old, "reference_warnings": []}).outcome == verdict.ABOVE
    assert verdict.of_score({"overall_accuracy": 0.8, "correct": 4, "total": 5}).outcome == verdict.UNKNOWN  # bare


def test_the_flights_behind_a_score_are_told() -> None:
    assert "Counted over 12 flights." in verdict.of_score(scored(0.6)).reasons
    assert "Counted over 1 flight." in verdict.of_score(scored(0.6, flights=1)).reasons


ENDS: dict[str, list[float] | None] = {
    BETTER: [0.1, 0.3],
    WORSE: [-0.3, -0.1],
    UNCLEAR: [-0.1, 0.1],
    TOO_FEW_FLIGHTS: None,
}


@pytest.mark.parametrize("by_itself", OUTCOMES)
@pytest.mark.parametrize(("against", "ends"), ENDS.items())
def test_better_than_before_is_no_success_while_guessing_or_simpler_methods_do_as_well(
    against: str, ends: list[float] | None, by_itself: str
) -> None:
    change: Any = {
        "macro_f1_change": 0.2,
        "macro_f1_change_interval": ends,
        "verdict": outcome(ends),
        "flights": 12,
    }
    found = verdict.of_difference(change, OUTCOMES[by_itself])
    worth = by_itself not in verdict.YET
    assert found.outcome == (against if against != BETTER or worth else verdict.YET[by_itself])
    assert found.tone == {BETTER: "up" if worth else "", WORSE: "down"}.get(against, "")
    if not worth:
        alone = verdict.of_score(OUTCOMES[by_itself])
        why = alone.warning if by_itself == verdict.SIMPLER else alone.reasons[0]
        assert f"The later model by itself: {why[:1].lower()}{why[1:]}" in found.reasons
