"""How good the probabilities are, not the answers alone: log-loss, Brier score, calibration error, alarms.

Only objects with a choice count: the probability of an only answer is 1 and says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.metrics.counts import Row, share, wilson

BINS = 10
# A probability of 0 that turned out true would make the log-loss infinite.
LEAST = 1e-12


def with_choice(rows: Sequence[Row], key: str = "probabilities") -> list[Row]:
    """The rows whose object had more than one allowed answer and whose probabilities were kept."""
    return [row for row in rows if int(row["choices"]) > 1 and row.get(key)]


def right_answer(row: Row) -> str:
    """The answer that would have been right: a condition, or a class where the class was asked."""
    return str(row["truth_class"] if row.get("question") == "class" else row["truth"])


def probabilistic(rows: Sequence[Row], key: str = "probabilities") -> dict[str, Any] | None:
    """{log_loss (nats), brier, ece, total, reliability} of the rows with a choice; None when there are none.

    Brier score: squared errors summed over the answers (Brier 1950). ECE: mean gap between how sure the answers were
    and how often they were right, over ten bins (Naeini et al. 2015). `key` chooses raw or calibrated probabilities.
    """
    judged = with_choice(rows, key)
    if not judged:
        return None
    losses, squares, sure, right = [], [], [], []
    for row in judged:
        shares: Mapping[str, float] = row[key]
        truth = right_answer(row)
        total = sum(shares.values())
        losses.append(-np.log(max(shares.get(truth, 0.0) / total, LEAST)))
        squares.append(sum((value / total - (answer == truth)) ** 2 for answer, value in shares.items()))
        best = max(shares, key=lambda answer: shares[answer])
        sure.append(shares[best] / total)
        right.append(best == truth)
    bins = reliability(sure, right)
    gaps = [one["count"] * abs(one["confidence"] - one["accuracy"]) for one in bins if one["count"]]
    return {
        "log_loss": float(np.mean(losses)),
        "brier": float(np.mean(squares)),
        "ece": sum(gaps) / len(judged),
        "total": len(judged),
        "reliability": bins,
    }


def reliability(sure: Sequence[float], right: Sequence[bool]) -> list[dict[str, Any]]:
    """The reliability diagram: for each of ten equal bins of the probability, {low, high, count, confidence (mean
    probability), accuracy}; the last two are None in an empty bin."""
    values, hits = np.asarray(sure, dtype=float), np.asarray(right, dtype=float)
    place = np.minimum((values * BINS).astype(int), BINS - 1)
    found = []
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


def alarms(rows: Sequence[Row], conditions: Sequence[str], false_alarm_rate: float) -> dict[str, dict[str, Any]]:
    """How many objects of a condition are found when at most `false_alarm_rate` of the others raise a false alarm.

    An object raises an alarm when the condition's probability reaches a threshold; only objects count whose type allows
    the condition. {condition: {false_alarm_rate (reached), recall, recall_interval (Wilson, the threshold taken as
    given), threshold, positives, negatives, auc}}; the figures are None without positives or negatives.
    """
    found = {}
    for condition in conditions:
        scores, truths = [], []
        for row in with_choice(rows):
            chance = _chance(row, condition, conditions)
            if chance is not None:
                scores.append(chance)
                truths.append(row["truth"] == condition)
        found[condition] = _alarm(np.array(scores), np.array(truths, dtype=bool), false_alarm_rate)
    return found


def _chance(row: Row, condition: str, conditions: Sequence[str]) -> float | None:
    """The probability that an object is in a condition; None when its type does not allow it.

    Where the class was asked, that of all classes of the condition; `conditions` and those of the object's own type
    tell `badly damaged` from `damaged`.
    """
    shares: Mapping[str, float] = row["probabilities"]
    if row.get("question") != "class":
        return shares.get(condition)
    kind = f"{row['object_type']} "
    if f"{kind}{condition}" not in shares:
        return None
    known = (*conditions, *(answer.removeprefix(kind) for answer in shares if answer.startswith(kind)))
    longer = tuple(f" {other}" for other in known if other.endswith(f" {condition}"))
    return sum(
        value for answer, value in shares.items() if answer.endswith(f" {condition}") and not answer.endswith(longer)
    )


def _alarm(scores: np.ndarray, truths: np.ndarray, rate: float) -> dict[str, Any]:
    positives, negatives = int(truths.sum()), int((~truths).sum())
    told: dict[str, Any] = {
        "false_alarm_rate": None,
        "recall": None,
        "recall_interval": None,
        "threshold": None,
        "auc": None,
        "positives": positives,
        "negatives": negatives,
    }
    if not positives or not negatives:
        return told
    from sklearn.metrics import roc_auc_score, roc_curve

    false, true, thresholds = roc_curve(truths, scores, drop_intermediate=False)
    place = int(np.flatnonzero(false <= rate + 1e-12)[-1])
    hits = round(float(true[place]) * positives)
    return told | {
        "false_alarm_rate": float(false[place]),
        "recall": hits / positives,
        "recall_interval": wilson(hits, positives),
        # Nothing reaches the first threshold, which is infinite.
        "threshold": float(thresholds[place]) if np.isfinite(thresholds[place]) else None,
        "auc": float(roc_auc_score(truths, scores)),
    }
