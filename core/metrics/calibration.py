"""When a single answer may be believed: temperature, a threshold for "unsure", and the correction of a learned prior.

All of it is fitted on prediction rows of photos that neither taught the model nor chose its checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from core.metrics.counts import Row, wilson
from core.metrics.probabilities import LEAST, probabilistic, right_answer, with_choice

NONE, FREQUENCIES, EVEN = "none", "frequencies", "even"
# Temperatures that are tried; the best of data that are all right or all wrong lies at an end.
COLDEST, HOTTEST = 0.05, 20.0
# Fewer objects than this allow no promise about single answers.
FEWEST = 20
CURVE_POINTS = 50


@dataclass(frozen=True)
class Threshold:
    """From which probability on an answer is told as sure. `threshold` None: no threshold keeps the promise.

    `answered` and `wrong` count the calibration objects at or above it; `error_upper` is the upper end of the 95 %
    interval (Wilson) of their error: what the promise is worth with so few objects.
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
    plain shares among the training objects, both by class name and within the classes.
    """

    temperature: dict[str, float]
    thresholds: dict[str, Threshold]
    photos: int
    objects: int
    implied: dict[str, float] = field(default_factory=dict)
    frequencies: dict[str, float] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    curve: dict[str, list[dict[str, float]]] = field(default_factory=dict)

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
        return _normalised({answer: share * factors[answer] for answer, share in cooled.items()})

    def unsure(self, probability: float, kind: str) -> bool:
        """Whether an answer of this calibrated probability is better sent to an engineer."""
        rule = self.thresholds.get(kind)
        return rule is None or rule.threshold is None or probability < rule.threshold

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def from_dict(tree: Mapping[str, Any]) -> Calibration:
    """What `to_dict` wrote. Raises KeyError or TypeError for anything else."""
    rules = {kind: Threshold(**rule) for kind, rule in tree["thresholds"].items()}
    return Calibration(**{**tree, "thresholds": rules})


def _normalised(shares: Mapping[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    return {answer: value / total for answer, value in shares.items()}


def sharpened(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Probabilities to the power 1 / temperature, summing to 1 again: what dividing the logits by it does."""
    logs = {answer: float(np.log(max(value, LEAST))) / temperature for answer, value in shares.items()}
    top = max(logs.values())
    return _normalised({answer: float(np.exp(value - top)) for answer, value in logs.items()})


def fit_temperature(rows: Sequence[Row]) -> float:
    """The temperature with the least log-loss (Guo et al. 2017); 1.0 where no row has a choice."""
    judged = with_choice(rows)
    if not judged:
        return 1.0
    from scipy.optimize import minimize_scalar

    width = max(len(row["probabilities"]) for row in judged)
    logs = np.full((len(judged), width), -np.inf)
    truth = np.zeros(len(judged), dtype=int)
    for index, row in enumerate(judged):
        answers = list(row["probabilities"])
        logs[index, : len(answers)] = np.log(np.maximum([row["probabilities"][one] for one in answers], LEAST))
        truth[index] = answers.index(right_answer(row))

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        total = np.logaddexp.reduce(scaled, axis=1)
        return float(np.mean(total - scaled[np.arange(len(truth)), truth]))

    span = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=span, method="bounded").x))


def choose_threshold(sure: Sequence[float], right: Sequence[bool], max_error: float) -> Threshold:
    """The lowest threshold whose answers are wrong at most `max_error` of the time (selective classification: El-Yaniv
    and Wiener 2010, Geifman and El-Yaniv 2017), chosen on the risk-coverage curve.

    Only thresholds that at least FEWEST objects reach are considered.
    """
    found = Threshold(None, 0, 0, len(sure), max_error, None)
    for point in risk_coverage(sure, right):
        answered, wrong = int(point["answered"]), int(point["wrong"])
        if answered >= FEWEST and wrong <= max_error * answered:
            interval = wilson(wrong, answered)
            upper = interval[1] if interval else None
            found = Threshold(float(point["threshold"]), answered, wrong, len(sure), max_error, upper)
    return found


def risk_coverage(sure: Sequence[float], right: Sequence[bool]) -> list[dict[str, float]]:
    """For every probability that occurs, highest first: {threshold, answered, wrong, coverage, error}."""
    values, wrongs = np.asarray(sure, dtype=float), ~np.asarray(right, dtype=bool)
    order = np.argsort(-values, kind="stable")
    values, wrong = values[order], np.cumsum(wrongs[order])
    # Objects of one probability are answered together.
    last = np.flatnonzero(np.r_[values[1:] != values[:-1], True]) if len(values) else np.array([], dtype=int)
    return [
        {
            "threshold": float(values[at]), "answered": int(at + 1), "wrong": int(wrong[at]),
            "coverage": float((at + 1) / len(values)), "error": float(wrong[at] / (at + 1)),
        }
        for at in last
    ]  # fmt: skip


def fit(
    rows: Mapping[str, Sequence[Row]], max_error: float, photos: int, implied: Mapping[str, float],
    frequencies: Mapping[str, float],
) -> Calibration:  # fmt: skip
    """A calibration from the rows of each kind of question ({"condition": rows, "class": rows})."""
    temperature, thresholds, curve = {}, {}, {}
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for kind, mine in rows.items():
        judged = with_choice(mine)
        temperature[kind] = fit_temperature(judged)
        cooled = [{**row, "calibrated": sharpened(row["probabilities"], temperature[kind])} for row in judged]
        sure = [max(row["calibrated"].values()) for row in cooled]
        right = [max(row["calibrated"], key=row["calibrated"].get) == right_answer(row) for row in cooled]
        thresholds[kind] = choose_threshold(sure, right, max_error)
        points = risk_coverage(sure, right)
        curve[kind] = points[:: max(1, -(-len(points) // CURVE_POINTS))]
        for told, key in ((before, "probabilities"), (after, "calibrated")):
            scores = probabilistic(cooled, key) or {}
            told[kind] = {name: scores[name] for name in ("log_loss", "brier", "ece") if name in scores}
    objects = max((len(with_choice(mine)) for mine in rows.values()), default=0)
    return Calibration(temperature, thresholds, photos, objects, dict(implied), dict(frequencies), before, after, curve)


def told(rows: Sequence[Row], calibration: Calibration, kind: str) -> dict[str, Any] | None:
    """How many of the rows with a choice are unsure, and how right the sure ones are; None when there is no row.

    {threshold, count, total, coverage, accuracy_of_sure, max_error}.
    """
    judged = with_choice(rows, "calibrated")
    rule = calibration.thresholds.get(kind)
    if not judged or rule is None:
        return None
    sure = [row for row in judged if not row["unsure"]]
    right = sum(row["truth_class"] == row["predicted_class"] for row in sure)
    return {
        "threshold": rule.threshold, "count": len(judged) - len(sure), "total": len(judged),
        "coverage": len(sure) / len(judged), "accuracy_of_sure": right / len(sure) if sure else None,
        "max_error": rule.max_error,
    }  # fmt: skip
