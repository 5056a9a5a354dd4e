"""The quality of probabilities: log-loss, Brier score, calibration error.

Only objects with a choice count: where one answer is allowed its probability is 1, whatever the model does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.metrics.counts import share, with_choice
from core.records import PredictionRow, ProbabilityKey
from core.results import Probabilistic, ReliabilityBin

BINS = 10
# A probability of 0 that turned out true would make the log-loss infinite.
LEAST_PROBABILITY = 1e-12


def with_probabilities(rows: Sequence[PredictionRow], key: ProbabilityKey = "probabilities") -> list[PredictionRow]:
    """The rows whose object had more than one allowed answer and that hold probabilities under `key`."""
    return [row for row in with_choice(rows) if row.get(key)]


def right_answer(row: PredictionRow) -> str:
    """The right answer to a row's question: a condition, or a class name for a class question."""
    return str(row["truth_class"] if row.get("question") == "class" else row["truth"])


def probabilistic(rows: Sequence[PredictionRow], key: ProbabilityKey = "probabilities") -> Probabilistic | None:
    """Log-loss, Brier score and expected calibration error (ECE) of the rows with a choice.

    Brier score: squared errors summed over the answers (Brier 1950). ECE: mean gap between the answers' confidence
    and their accuracy, over ten bins (Naeini et al. 2015).

    Args:
        rows: Prediction rows with truth.
        key: Whether raw (`probabilities`) or calibrated probabilities are scored.

    Returns:
        {log_loss (nats), brier, ece, total, reliability (see `reliability`)}; None when no row has a choice.
    """
    scored = with_probabilities(rows, key)
    if not scored:
        return None
    losses, squares, confidences, correct = [], [], [], []
    for row in scored:
        shares: Mapping[str, float] = row[key]
        truth = right_answer(row)
        total = sum(shares.values())
        losses.append(-np.log(max(shares.get(truth, 0.0) / total, LEAST_PROBABILITY)))
        squares.append(sum((value / total - (answer == truth)) ** 2 for answer, value in shares.items()))
        best = max(shares, key=lambda answer: shares[answer])
        confidences.append(shares[best] / total)
        correct.append(best == truth)
    bins = reliability(confidences, correct)
    gaps = [
        entry["count"] * abs(entry["confidence"] - entry["accuracy"])
        for entry in bins
        if entry["confidence"] is not None and entry["accuracy"] is not None
    ]
    return {
        "log_loss": float(np.mean(losses)),
        "brier": float(np.mean(squares)),
        "ece": sum(gaps) / len(scored),
        "total": len(scored),
        "reliability": bins,
    }


def reliability(confidences: Sequence[float], correct: Sequence[bool]) -> list[ReliabilityBin]:
    """The reliability diagram over ten equal bins of the probability.

    Args:
        confidences: (N,) probability of each object's answer.
        correct: (N,) whether that answer is correct.

    Returns:
        [{low, high, count, confidence (mean probability), accuracy}, …]; the last two are None in an empty bin.
    """
    values, hits = np.asarray(confidences, dtype=float), np.asarray(correct, dtype=float)
    place = np.minimum((values * BINS).astype(int), BINS - 1)
    found: list[ReliabilityBin] = []
    for index in range(BINS):
        mine = place == index
        count = int(mine.sum())
        found.append(
            {
                "low": index / BINS,
                "high": (index + 1) / BINS,
                "count": count,
                "confidence": share(float(values[mine].sum()), count),
                "accuracy": share(float(hits[mine].sum()), count),
            }
        )
    return found
