"""Confusion counts and the scores that follow from them.

The functions take many count matrices at a time, because an interval needs the scores without each flight.

Legend for shapes: K classes; rows are the truth, columns the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from core.records import PredictionRow
from core.results import LabelScore, Portion


def ordered(found: Iterable[str], first: Sequence[str] = ()) -> tuple[str, ...]:
    """`first`, then the other names that occur in `found`, in alphabetical order."""
    return (*first, *sorted(set(found) - set(first)))


def confusion(truths: Sequence[str], guesses: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Count how often each label was given each answer.

    Args:
        truths: (N,) the true label of each object.
        guesses: (N,) the answer given for it.
        names: The K labels; every truth and every answer is among them.

    Returns:
        (K, K) float64 counts, rows the truth, columns the answer, both in the order of `names`.
    """
    place = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for truth, guess in zip(truths, guesses, strict=True):
        counts[place[truth], place[guess]] += 1
    return counts


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of right answers (…) from counts (…, K, K); 0 where there are no objects."""
    share: np.ndarray = np.trace(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum(axis=(-2, -1)), 1)
    return share


def f1_of(counts: np.ndarray) -> np.ndarray:
    """F1 of each class, (…, K), from confusion counts (…, K, K); 0 where a class is neither true nor answered."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    found: np.ndarray = 2 * hits / np.maximum(both, 1)
    return found


def macro(counts: np.ndarray) -> np.ndarray:
    """Mean F1 (…) over the classes that occur in the truth, from counts (…, K, K); 0 where none does."""
    return _mean_over_true(f1_of(counts), counts)


def balanced(counts: np.ndarray) -> np.ndarray:
    """Balanced accuracy (…), the mean recall over the classes that occur in the truth, from counts (…, K, K)."""
    recall = np.diagonal(counts, axis1=-2, axis2=-1) / np.maximum(counts.sum(axis=-1), 1)
    return _mean_over_true(recall, counts)


def _mean_over_true(of_class: np.ndarray, counts: np.ndarray) -> np.ndarray:
    occurs = counts.sum(axis=-1) > 0
    mean: np.ndarray = (of_class * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return mean


def macro_f1(counts: np.ndarray) -> float:
    """`macro` of a single matrix of counts (K, K), as a number."""
    return float(macro(counts[None])[0])


def class_names(rows: Iterable[PredictionRow]) -> tuple[str, ...]:
    """Every class that is true or answered, in alphabetical order."""
    return ordered(str(row[key]) for row in rows for key in ("truth_class", "predicted_class"))


def with_choice(rows: Sequence[PredictionRow]) -> list[PredictionRow]:
    """The rows of objects whose type allows more than one answer."""
    return [row for row in rows if int(row["choices"]) > 1]


def share(part: float, whole: float) -> float | None:
    """The share `part / whole`; None when `whole` is 0."""
    return part / whole if whole else None


def portion(correct: int, total: int) -> Portion:
    """The record of `correct` right answers out of `total`."""
    return {"correct": correct, "total": total, "accuracy": share(correct, total)}


def by_label(counts: np.ndarray, names: Sequence[str]) -> dict[str, LabelScore]:
    """The scores of each label from confusion counts (K, K); labels that are neither true nor answered are left out.

    Accuracy is the share of the label's own objects that were answered right, and so equals recall. A share of nothing
    (such as the precision of a label that was never answered) is None.
    """
    scores = f1_of(counts)
    found: dict[str, LabelScore] = {}
    for index, name in enumerate(names):
        hits, total, answered = (int(n) for n in (counts[index, index], counts[index].sum(), counts[:, index].sum()))
        if total or answered:
            found[name] = {
                "correct": hits,
                "total": total,
                "accuracy": share(hits, total),
                "predicted": answered,
                "precision": share(hits, answered),
                "recall": share(hits, total),
                "f1": float(scores[index]) if total else None,
            }
    return found
