"""When a single answer may be believed: temperature, a threshold for "unsure", and the correction of a learned prior.

All of it is fitted on prediction rows of photos that neither taught the model nor chose its checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from core.metrics.alarms import AlarmCurves, alarm_curves
from core.metrics.flights import flights_of
from core.metrics.intervals import share_interval
from core.metrics.probabilities import LEAST, probabilistic, right_answer, with_probabilities
from core.records import PredictionRow, Shares
from core.results import CalibrationFacts, UnsureSummary

NONE, FREQUENCIES, EVEN = "none", "frequencies", "even"
CORRECTIONS = (FREQUENCIES, EVEN)
# Temperatures that are tried; the best of data that are all right or all wrong lies at an end.
COLDEST, HOTTEST = 0.05, 20.0
# Fewer objects than this allow no promise about single answers.
FEWEST = 20
CURVE_POINTS = 50


@dataclass(frozen=True)
class Threshold:
    """From which probability on an answer is told as sure. `threshold` None: no threshold keeps the promise.

    `answered` and `wrong` count the calibration objects at or above it; `error_upper` is the upper end of the 95 %
    interval, over flights, of their error: what the promise is worth with so few. None of too few flights.
    """

    threshold: float | None
    answered: int
    wrong: int
    total: int
    max_error: float
    error_upper: float | None


@dataclass(frozen=True)
class Calibration:
    """How a tuned model's probabilities are to be read. One temperature and threshold for each kind of question.

    `implied` holds the share of each class as the model was taught it (counts x weights x repeats), `frequencies` the
    plain shares among the training objects, both by class name and within the classes. `corrected` holds the thresholds
    for each correction of the prior: a threshold chosen without it promises nothing about probabilities that it moved.
    `alarms` holds, for each kind of question, from which raw probability of a condition on how many sound objects would
    raise an alarm; it is empty in calibrations from before there was one.
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
        """Raw probabilities of an answer list (they sum to 1) as calibrated ones.

        `kind` is condition or class. The prior's correction (Saerens et al. 2002) divides by what training implied and
        multiplies by the wanted frequencies: those of the training objects, or even ones.
        """
        cooled = sharpened(shares, self.temperature.get(kind, 1.0))
        if correction == NONE:
            return cooled
        factors = {}
        for answer in cooled:
            name = f"{object_type} {answer}" if kind == "condition" else answer
            wanted = 1.0 if correction == EVEN else self.frequencies.get(name, 0.0)
            implied = self.implied.get(name, 0.0)
            # A class that was never taught has no prior to correct.
            factors[answer] = wanted / implied if implied > 0 and wanted > 0 else 1.0
        return normalised({answer: share * factors[answer] for answer, share in cooled.items()})

    def rule(self, kind: str, correction: str = NONE) -> Threshold | None:
        """The threshold for a kind of question under a correction of the prior; None where none was looked for."""
        return (self.thresholds if correction == NONE else self.corrected.get(correction, {})).get(kind)

    def unsure(self, probability: float, kind: str, correction: str = NONE) -> bool:
        """Whether an answer of this calibrated probability is better sent to an engineer."""
        rule = self.rule(kind, correction)
        return rule is None or rule.threshold is None or probability < rule.threshold

    def to_dict(self, kind: str = "condition", correction: str = NONE) -> CalibrationFacts:
        """As plain values; `threshold` beside them is the one for this kind of question and correction."""
        rule = self.rule(kind, correction)
        plain: Any = {**asdict(self), "threshold": rule.threshold if rule else None}
        facts: CalibrationFacts = plain
        return facts


def from_dict(tree: Mapping[str, Any]) -> Calibration:
    """What `to_dict` wrote. Raises KeyError or TypeError for anything else."""
    fields = {name: value for name, value in tree.items() if name != "threshold"}
    corrected = {correction: _rules(rules) for correction, rules in tree.get("corrected", {}).items()}
    return Calibration(**{**fields, "thresholds": _rules(tree["thresholds"]), "corrected": corrected})


def _rules(tree: Mapping[str, Any]) -> dict[str, Threshold]:
    return {kind: Threshold(**rule) for kind, rule in tree.items()}


def normalised(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts or weights as shares that sum to 1; {} where there are none."""
    total = sum(counts.values())
    return {name: value / total for name, value in counts.items()} if total else {}


def sharpened(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Probabilities to the power 1 / temperature, summing to 1 again: what dividing the logits by it does."""
    logs = {answer: float(np.log(max(value, LEAST))) / temperature for answer, value in shares.items()}
    top = max(logs.values())
    return normalised({answer: float(np.exp(value - top)) for answer, value in logs.items()})


def fit_temperature(rows: Sequence[PredictionRow]) -> float:
    """The temperature with the least log-loss (Guo et al. 2017); 1.0 where no row has a choice."""
    judged = with_probabilities(rows)
    if not judged:
        return 1.0
    from scipy.optimize import minimize_scalar

    width = max(len(row["probabilities"]) for row in judged)
    logs = np.full((len(judged), width), -np.inf)
    truth = np.zeros(len(judged), dtype=int)
    for index, row in enumerate(judged):
        answers = list(row["probabilities"])
        logs[index, : len(answers)] = np.log(np.maximum([row["probabilities"][answer] for answer in answers], LEAST))
        truth[index] = answers.index(right_answer(row))

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        total = np.logaddexp.reduce(scaled, axis=1)
        return float(np.mean(total - scaled[np.arange(len(truth)), truth]))

    span = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=span, method="bounded").x))


def choose_threshold(
    sure: Sequence[float], right: Sequence[bool], max_error: float, flights: np.ndarray | None = None
) -> Threshold:
    """The lowest threshold whose answers are wrong at most `max_error` of the time (selective classification: El-Yaniv
    and Wiener 2010, Geifman and El-Yaniv 2017), chosen on the risk-coverage curve.

    Only thresholds that at least FEWEST objects reach are considered, and one more wrong answer than was seen must be
    bearable (as in conformal risk control: Angelopoulos et al. 2022). Among many thresholds the luckiest is found:
    without that, a weak model's 100 objects gave a promise that did not hold three times as often (simulated).
    `flights` are the numbers of the objects' flights; without them each is its own.
    """
    kept = [
        point
        for point in risk_coverage(sure, right)
        if point["answered"] >= FEWEST and point["wrong"] + 1 <= max_error * (point["answered"] + 1)
    ]
    if not kept:
        return Threshold(None, 0, 0, len(sure), max_error, None)
    threshold, answered, wrong = kept[-1]["threshold"], int(kept[-1]["answered"]), int(kept[-1]["wrong"])
    there = np.asarray(sure) >= threshold
    numbers = np.arange(len(sure)) if flights is None else flights
    interval = share_interval(~np.asarray(right, dtype=bool)[there], numbers[there])
    return Threshold(threshold, answered, wrong, len(sure), max_error, interval[1] if interval else None)


def risk_coverage(sure: Sequence[float], right: Sequence[bool]) -> list[dict[str, float]]:
    """For every probability that occurs, highest first: {threshold, answered, wrong, coverage, error}."""
    values, wrongs = np.asarray(sure, dtype=float), ~np.asarray(right, dtype=bool)
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
    """A calibration from the rows of each kind of question ({"condition": rows, "class": rows})."""
    judged = {kind: with_probabilities(mine) for kind, mine in rows.items()}
    temperature = {kind: fit_temperature(mine) for kind, mine in judged.items()}
    # The class question has more: it also asks about types with one condition.
    objects = len(judged["condition"]) if "condition" in judged else max(map(len, judged.values()), default=0)
    found = Calibration(temperature, {}, photos, objects, dict(implied), dict(frequencies))
    rules: dict[str, dict[str, Threshold]] = {}
    flights = {kind: flights_of(mine)[0] for kind, mine in judged.items()}
    for correction in (NONE, *CORRECTIONS):
        sides = {kind: _sureness(mine, found, correction) for kind, mine in judged.items()}
        rules[correction] = {kind: choose_threshold(*side, max_error, flights[kind]) for kind, side in sides.items()}
    curve, before, after = {}, {}, {}
    for kind, mine in judged.items():
        points = risk_coverage(*_sureness(mine, found, NONE))
        curve[kind] = points[:: max(1, -(-len(points) // CURVE_POINTS))]
        cooled: list[PredictionRow] = [
            {**row, "calibrated": sharpened(row["probabilities"], temperature[kind])} for row in mine
        ]
        before[kind], after[kind] = _summary(cooled, "probabilities"), _summary(cooled, "calibrated")
    return replace(
        found,
        thresholds=rules.pop(NONE),
        corrected=rules,
        alarms={kind: alarm_curves(mine) for kind, mine in judged.items()},
        curve=curve,
        before=before,
        after=after,
    )


def _sureness(rows: Sequence[PredictionRow], found: Calibration, correction: str) -> tuple[list[float], list[bool]]:
    """How sure each row's answer is once calibrated, and whether it is right."""
    sure, right = [], []
    for row in rows:
        shares = found.apply(row["probabilities"], str(row["question"]), str(row["object_type"]), correction)
        best = max(shares, key=lambda answer: shares[answer])
        sure.append(shares[best])
        right.append(best == right_answer(row))
    return sure, right


def _summary(rows: Sequence[PredictionRow], key: Shares) -> dict[str, float]:
    scores = probabilistic(rows, key)
    return {"log_loss": scores["log_loss"], "brier": scores["brier"], "ece": scores["ece"]} if scores else {}


def unsure_summary(
    rows: Sequence[PredictionRow], calibration: Calibration, kind: str, correction: str = NONE
) -> UnsureSummary | None:
    """How many of the rows with a choice are unsure, and how right the sure ones are; None when there is no row.

    {threshold, count, total, coverage, accuracy_of_sure, max_error}.
    """
    judged = with_probabilities(rows, "calibrated")
    rule = calibration.rule(kind, correction)
    if not judged or rule is None:
        return None
    sure = [row for row in judged if not row["unsure"]]
    right = sum(row["truth_class"] == row["predicted_class"] for row in sure)
    return {
        "threshold": rule.threshold,
        "count": len(judged) - len(sure),
        "total": len(judged),
        "coverage": len(sure) / len(judged),
        "accuracy_of_sure": right / len(sure) if sure else None,
        "max_error": rule.max_error,
    }
