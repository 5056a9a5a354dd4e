"""Calibration of probabilities: temperature, a threshold for "unsure", and correction of the prior learned in training.

All of it is fitted on prediction rows of photos that were used neither for training nor for choosing the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from core.metrics.alarms import AlarmCurves, alarm_curves
from core.metrics.flights import flights_of
from core.metrics.intervals import share_interval
from core.metrics.probabilities import LEAST_PROBABILITY, probabilistic, right_answer, with_probabilities
from core.records import PredictionRow, ProbabilityKey
from core.results import CalibrationFacts, UnsureSummary

NONE, FREQUENCIES, EVEN = "none", "frequencies", "even"
CORRECTIONS = (FREQUENCIES, EVEN)
# The range of temperatures; where all answers are right, or all wrong, the best one lies at an end of it.
LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
# Fewer objects than this allow no statement about the error of single answers.
LEAST_OBJECTS = 20
CURVE_POINTS = 50


@dataclass(frozen=True)
class Threshold:
    """The probability from which on an answer counts as sure.

    Attributes:
        threshold: From 0 to 1; None when no threshold keeps the error at or below `max_error`.
        answered: Number of calibration objects at or above the threshold.
        wrong: How many of those were answered wrongly.
        total: Number of all calibration objects.
        max_error: The tolerated share of wrong answers among the sure ones.
        error_upper: Upper end of the 95 % interval, over flights, of that share; None of too few flights.
    """

    threshold: float | None
    answered: int
    wrong: int
    total: int
    max_error: float
    error_upper: float | None


@dataclass(frozen=True)
class Calibration:
    """The calibration of a tuned model.

    Where nothing else is stated, dictionaries are by kind of question: `condition` or `class`.

    Attributes:
        temperature: See `with_temperature`.
        thresholds: For uncorrected probabilities.
        photos: Number of calibration photos.
        objects: Number of their objects that have a choice.
        implied: Share of each class in the training loss (counts x weights x repeats), by class name.
        frequencies: Share of each class among the training objects, by class name.
        before: log_loss, brier and ece of the raw probabilities.
        after: The same of the calibrated ones.
        curve: Points of `risk_coverage`, thinned to at most CURVE_POINTS.
        corrected: Thresholds by correction of the prior, then by kind of question: one chosen without the correction
            says nothing about corrected probabilities.
        alarms: Alarm curves by condition, on raw probabilities; {} in files of versions that had none.
    """

    temperature: dict[str, float]
    thresholds: dict[str, Threshold]
    photos: int
    objects: int
    implied: dict[str, float] = field(default_factory=dict)
    frequencies: dict[str, float] = field(default_factory=dict)
    before: dict[str, dict[str, float]] = field(default_factory=dict)
    after: dict[str, dict[str, float]] = field(default_factory=dict)
    curve: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    corrected: dict[str, dict[str, Threshold]] = field(default_factory=dict)
    alarms: dict[str, AlarmCurves] = field(default_factory=dict)

    def apply(
        self, shares: Mapping[str, float], kind: str, object_type: str | None, correction: str = NONE
    ) -> dict[str, float]:
        """Calibrate the probabilities of one object's answers.

        The prior's correction (Saerens et al. 2002) divides by the shares that training implied and multiplies by the
        wanted ones: those of the training objects, or even ones.

        Args:
            shares: {answer: raw probability}; they sum to 1.
            kind: The kind of question, condition or class.
            object_type: The object's type; a class question does not use it.
            correction: NONE, FREQUENCIES or EVEN.

        Returns:
            {answer: calibrated probability}; they sum to 1.
        """
        scaled = with_temperature(shares, self.temperature.get(kind, 1.0))
        if correction == NONE:
            return scaled
        factors = {}
        for answer in scaled:
            name = f"{object_type} {answer}" if kind == "condition" else answer
            wanted = 1.0 if correction == EVEN else self.frequencies.get(name, 0.0)
            implied = self.implied.get(name, 0.0)
            # A class that was not in training has no prior to correct.
            factors[answer] = wanted / implied if implied > 0 and wanted > 0 else 1.0
        return normalised({answer: share * factors[answer] for answer, share in scaled.items()})

    def rule(self, kind: str, correction: str = NONE) -> Threshold | None:
        """The threshold for a kind of question under a correction of the prior; None where none was fitted."""
        return (self.thresholds if correction == NONE else self.corrected.get(correction, {})).get(kind)

    def unsure(self, probability: float, kind: str, correction: str = NONE) -> bool:
        """Whether an answer of this calibrated probability lies below the threshold, or there is none to rely on.

        Args:
            probability: The answer's, calibrated under the same correction.
            kind: What was asked: `condition` or `class`.
            correction: How the prior was corrected: a value of `judging.prior_correction`.
        """
        rule = self.rule(kind, correction)
        return rule is None or rule.threshold is None or probability < rule.threshold

    def to_dict(self, kind: str = "condition", correction: str = NONE) -> CalibrationFacts:
        """As plain values for JSON; the added `threshold` is the one for this kind of question and correction."""
        rule = self.rule(kind, correction)
        plain: Any = {**asdict(self), "threshold": rule.threshold if rule else None}
        facts: CalibrationFacts = plain
        return facts


def from_dict(tree: Mapping[str, Any]) -> Calibration:
    """The calibration that `to_dict` made `tree` of.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is unknown, or is missing too.
    """
    fields = {name: value for name, value in tree.items() if name != "threshold"}
    corrected = {correction: _rules(rules) for correction, rules in tree.get("corrected", {}).items()}
    return Calibration(**{**fields, "thresholds": _rules(tree["thresholds"]), "corrected": corrected})


def _rules(tree: Mapping[str, Any]) -> dict[str, Threshold]:
    return {kind: Threshold(**rule) for kind, rule in tree.items()}


def normalised(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts or weights as shares that sum to 1; {} when they sum to 0."""
    total = sum(counts.values())
    return {name: value / total for name, value in counts.items()} if total else {}


def with_temperature(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Probabilities to the power 1 / temperature, scaled to sum to 1: the same as logits divided by the temperature.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks". Above 1 the probabilities become more even.
    """
    logs = {answer: float(np.log(max(value, LEAST_PROBABILITY))) / temperature for answer, value in shares.items()}
    top = max(logs.values())
    return normalised({answer: float(np.exp(value - top)) for answer, value in logs.items()})


def fit_temperature(rows: Sequence[PredictionRow]) -> float:
    """The temperature with the least log-loss on these rows (Guo et al. 2017); 1.0 when no row has a choice."""
    scored = with_probabilities(rows)
    if not scored:
        return 1.0
    from scipy.optimize import minimize_scalar

    width = max(len(row["probabilities"]) for row in scored)
    logs = np.full((len(scored), width), -np.inf)
    truth = np.zeros(len(scored), dtype=int)
    for index, row in enumerate(scored):
        answers = list(row["probabilities"])
        probabilities = np.array(list(row["probabilities"].values()))
        logs[index, : len(answers)] = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
        truth[index] = answers.index(right_answer(row))

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        total = np.logaddexp.reduce(scaled, axis=1)
        return float(np.mean(total - scaled[np.arange(len(truth)), truth]))

    span = (np.log(LEAST_TEMPERATURE), np.log(MOST_TEMPERATURE))
    return float(np.exp(minimize_scalar(loss, bounds=span, method="bounded").x))


def choose_threshold(
    confidences: Sequence[float], correct: Sequence[bool], max_error: float, flights: np.ndarray | None = None
) -> Threshold:
    """The lowest threshold on the risk-coverage curve whose answers are wrong at most `max_error` of the time.

    Source: selective classification (El-Yaniv and Wiener 2010, Geifman and El-Yaniv 2017).

    Only thresholds that at least LEAST_OBJECTS objects reach are considered, and the error must stay within `max_error`
    with one more wrong answer than was counted (as in conformal risk control: Angelopoulos et al. 2022). A search over
    many thresholds finds a lucky one: without that margin, thresholds from a weak model's 100 objects broke the limit
    three times as often (simulated).

    Args:
        confidences: (N,) calibrated probability of each object's answer.
        correct: (N,) whether that answer is correct.
        max_error: The tolerated share of wrong answers, from 0 to 1.
        flights: (N,) number of each object's flight; None counts every object as a flight of its own.

    Returns:
        The threshold; its `threshold` is None when none qualifies.
    """
    kept = [
        point
        for point in risk_coverage(confidences, correct)
        if point["answered"] >= LEAST_OBJECTS and point["wrong"] + 1 <= max_error * (point["answered"] + 1)
    ]
    if not kept:
        return Threshold(None, 0, 0, len(confidences), max_error, None)
    threshold, answered, wrong = kept[-1]["threshold"], int(kept[-1]["answered"]), int(kept[-1]["wrong"])
    there = np.asarray(confidences) >= threshold
    numbers = np.arange(len(confidences)) if flights is None else flights
    interval = share_interval(~np.asarray(correct, dtype=bool)[there], numbers[there])
    return Threshold(threshold, answered, wrong, len(confidences), max_error, interval[1] if interval else None)


def risk_coverage(confidences: Sequence[float], correct: Sequence[bool]) -> list[dict[str, float]]:
    """The risk-coverage curve: a point for every probability that occurs, highest first.

    Args:
        confidences: (N,) probability of each object's answer.
        correct: (N,) whether that answer is correct.

    Returns:
        [{threshold, answered and wrong (objects at or above it), coverage (share of N), error (wrong / answered)}, …].
    """
    values, wrongs = np.asarray(confidences, dtype=float), ~np.asarray(correct, dtype=bool)
    order = np.argsort(-values, kind="stable")
    values, wrong = values[order], np.cumsum(wrongs[order])
    # Objects of one probability are answered together.
    last = np.flatnonzero(np.r_[values[1:] != values[:-1], True]) if len(values) else np.array([], dtype=int)
    return [
        {
            "threshold": float(values[at]),
            "answered": int(at + 1),
            "wrong": int(wrong[at]),
            "coverage": float((at + 1) / len(values)),
            "error": float(wrong[at] / (at + 1)),
        }
        for at in last
    ]


def fit(
    rows: Mapping[str, Sequence[PredictionRow]],
    max_error: float,
    photos: int,
    implied: Mapping[str, float],
    frequencies: Mapping[str, float],
) -> Calibration:
    """Fit a calibration on the prediction rows of calibration photos.

    Args:
        rows: The rows of each kind of question, {"condition": rows, "class": rows}; one kind may be missing.
        max_error: The tolerated share of wrong answers among the sure ones, from 0 to 1.
        photos: Number of calibration photos, only recorded.
        implied: See `Calibration`.
        frequencies: See `Calibration`.
    """
    scored = {kind: with_probabilities(mine) for kind, mine in rows.items()}
    temperature = {kind: fit_temperature(mine) for kind, mine in scored.items()}
    # The class question has more: it also asks about types with one condition.
    objects = len(scored["condition"]) if "condition" in scored else max(map(len, scored.values()), default=0)
    found = Calibration(temperature, {}, photos, objects, dict(implied), dict(frequencies))
    rules: dict[str, dict[str, Threshold]] = {}
    flights = {kind: flights_of(mine)[0] for kind, mine in scored.items()}
    for correction in (NONE, *CORRECTIONS):
        sides = {kind: _confidences(mine, found, correction) for kind, mine in scored.items()}
        rules[correction] = {kind: choose_threshold(*side, max_error, flights[kind]) for kind, side in sides.items()}
    curve, before, after = {}, {}, {}
    for kind, mine in scored.items():
        points = risk_coverage(*_confidences(mine, found, NONE))
        curve[kind] = points[:: max(1, -(-len(points) // CURVE_POINTS))]
        calibrated: list[PredictionRow] = [
            {**row, "calibrated": with_temperature(row["probabilities"], temperature[kind])} for row in mine
        ]
        before[kind], after[kind] = _summary(calibrated, "probabilities"), _summary(calibrated, "calibrated")
    return replace(
        found,
        thresholds=rules.pop(NONE),
        corrected=rules,
        alarms={kind: alarm_curves(mine) for kind, mine in scored.items()},
        curve=curve,
        before=before,
        after=after,
    )


def _confidences(rows: Sequence[PredictionRow], found: Calibration, correction: str) -> tuple[list[float], list[bool]]:
    """The calibrated probability of each row's most probable answer, and whether that answer is correct."""
    confidences, correct = [], []
    for row in rows:
        shares = found.apply(row["probabilities"], str(row["question"]), str(row["object_type"]), correction)
        best = max(shares, key=lambda answer: shares[answer])
        confidences.append(shares[best])
        correct.append(best == right_answer(row))
    return confidences, correct


def _summary(rows: Sequence[PredictionRow], key: ProbabilityKey) -> dict[str, float]:
    scores = probabilistic(rows, key)
    return {"log_loss": scores["log_loss"], "brier": scores["brier"], "ece": scores["ece"]} if scores else {}


def unsure_summary(
    rows: Sequence[PredictionRow], calibration: Calibration, kind: str, correction: str = NONE
) -> UnsureSummary | None:
    """How many of the rows with a choice are unsure, and how many of the sure ones are right.

    Args:
        rows: Prediction rows with truth, calibrated probabilities and `unsure`.
        calibration: The calibration that the rows were made with.
        kind: The kind of question, condition or class.
        correction: NONE, FREQUENCIES or EVEN.

    Returns:
        {threshold, count (of unsure rows), total, coverage (share of sure rows), accuracy_of_sure, max_error}; None
        when there is no such row or no threshold was fitted for this kind.
    """
    scored = with_probabilities(rows, "calibrated")
    rule = calibration.rule(kind, correction)
    if not scored or rule is None:
        return None
    sure = [row for row in scored if not row["unsure"]]
    right = sum(row["truth_class"] == row["predicted_class"] for row in sure)
    return {
        "threshold": rule.threshold,
        "count": len(scored) - len(sure),
        "total": len(scored),
        "coverage": len(sure) / len(scored),
        "accuracy_of_sure": right / len(sure) if sure else None,
        "max_error": rule.max_error,
    }
