"""How far a model's probabilities can be believed: reliability, unsure answers, and faults found at a price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from core import units
from core.report import sentences, svg, words
from core.report.about import ReportSubject
from core.report.html import TEMPLATES
from core.report.sections import number, recall_ends
from core.results import CalibrationFacts, Probabilistic, UnsureSummary

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Side:
    """Probabilities as they are, or as calibration made them."""

    title: str
    chart: Markup
    facts: Facts


def calibration(subject: ReportSubject) -> Markup:
    """Reliability, unsure answers and alarms as HTML; "" where the results hold nothing of the kind."""
    results = subject.results
    sides = (
        ("As the model says", results.get("probabilistic")),
        ("After calibration", results.get("probabilistic_calibrated")),
    )
    unsure = results.get("unsure")
    unsure = unsure if isinstance(unsure, Mapping) and "threshold" in unsure else {}
    broken = sentences.broken_promise(unsure)
    return TEMPLATES.render(
        "trust.html",
        words=words,
        sides=[_side(title, found) for title, found in sides if found],
        sure=_sure(unsure, results.get("calibration") or {}),
        broken=[broken] if broken else [],
        alarms=[
            (subject.taxonomy.condition(name), alarm, recall_ends(alarm))
            for name, alarm in (results.get("alarms") or {}).items()
        ],
        rate=subject.settings.judging.false_alarm_rate,
    )


def _side(title: str, found: Probabilistic) -> Side:
    facts = [
        ("Expected calibration error", units.decimal(found.get("ece"), 3)),
        ("Brier score", units.decimal(found.get("brier"), 3)),
        ("Log loss", units.decimal(found.get("log_loss"), 3)),
        ("Objects", number(found.get("total"))),
    ]
    return Side(title, svg.reliability(found.get("reliability") or [], title), facts)


def _sure(found: UnsureSummary, calibration: CalibrationFacts) -> Facts:
    if not found:
        return []
    threshold = found["threshold"]
    facts = [
        ("Threshold", words.NO_THRESHOLD if threshold is None else units.percent(threshold)),
        ("Unsure", f"{found.get('count', 0):,} of {found.get('total', 0):,}"),
    ]
    more = (
        ("Answered surely", found.get("coverage")),
        ("Right among the sure ones", found.get("accuracy_of_sure")),
        ("Tolerated error", found.get("max_error")),
    )
    facts += [(label, units.percent(value)) for label, value in more if value is not None]
    if calibration.get("objects"):
        of = f"{calibration['objects']:,} objects of {calibration.get('photos') or 0:,} photos"
        facts.append(("Calibrated on", of))
    return facts
