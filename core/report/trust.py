"""How far a model's probabilities can be believed: reliability, unsure answers, and faults found at a price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.report import sentences, svg, words
from core.report.about import ReportSubject
from core.report.sections import badge, facts, listed, number, plain, recall, section, share, table
from core.report.svg import percent

SIDES = (("As the model says", "probabilistic"), ("After calibration", "probabilistic_calibrated"))


def calibration(about: ReportSubject) -> str:
    """All of it; "" where the results hold nothing of the kind."""
    results = about.results
    cells = "".join(_side(title, found) for title, key in SIDES if (found := results.get(key)))
    body = ""
    if cells:
        body += section("Can its probabilities be believed?", f'<div class="two">{cells}</div>', words.RELIABILITY_SAYS)
    return body + _sure(results) + _alarms(about)


def _side(title: str, found: Mapping[str, Any]) -> str:
    told = facts(
        [
            ("Expected calibration error", _three(found.get("ece"))),
            ("Brier score", _three(found.get("brier"))),
            ("Log loss", _three(found.get("log_loss"))),
            ("Objects", number(found.get("total"))),
        ]
    )
    return f"<div><h3>{title}</h3>{svg.reliability(found.get('reliability') or [], title)}{told}</div>"


def _three(value: Any) -> str:
    return "–" if value is None else f"{float(value):.3f}"


def _sure(results: Mapping[str, Any]) -> str:
    found = results.get("unsure")
    if not isinstance(found, Mapping) or "threshold" not in found:
        return ""
    kept = found["threshold"] is not None
    told = [
        ("Threshold", percent(float(found["threshold"])) if kept else words.NO_THRESHOLD),
        ("Unsure", f"{found.get('count', 0):,} of {found.get('total', 0):,}"),
    ]
    more = (
        ("Answered surely", "coverage"),
        ("Right among the sure ones", "accuracy_of_sure"),
        ("Tolerated error", "max_error"),
    )
    told += [(label, share(found[key])) for label, key in more if found.get(key) is not None]
    learned = results.get("calibration") or {}
    if learned.get("objects"):
        told.append(("Calibrated on", f"{learned['objects']:,} objects of {learned.get('photos') or 0:,} photos"))
    broken = listed([one] if (one := sentences.broken_promise(found)) else [], "warned")
    return section("Sure and unsure answers", broken + facts(told), words.TERMS["Unsure"])


def _alarms(about: ReportSubject) -> str:
    rate = about.settings.judging.false_alarm_rate
    rows = [
        (
            badge(about.taxonomy.condition(name)),
            f"{one.get('positives') or 0:,}",
            recall(one),
            share(one.get("false_alarm_rate")),
            plain(one.get("auc")),
        )
        for name, one in (about.results.get("alarms") or {}).items()
    ]
    if not rows:
        return ""
    head = ("Condition", "Objects", f"Found at {percent(rate, 0)} false alarms", "False alarms", "AUC")
    return section("Faults found, at a price", table(head, rows, "numbers"), words.ALARMS_SAY)
