"""How good predictions are: accuracy, macro-F1 and confusion, with intervals that respect that a photo's objects go
together, and whether one model is better than another on the same objects. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import UserError

SAMPLES = 2000  # bootstrap samples: the interval's ends then move by less than a point between seeds
CHUNK = 250
LOW, HIGH = 2.5, 97.5

Row = Mapping[str, Any]


def score(rows: Sequence[Row], labels: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """All figures of a set of prediction rows, as plain values for JSON.

    A row has image, object_type, truth, predicted (conditions), truth_class, predicted_class and choices (how many
    answers the type allows). Right means that the whole class is right. `labels` orders the confusion matrix; classes
    it lacks come after. macro_f1 is the mean F1 over the classes that occur in the truth. Intervals are 95 %, by
    bootstrap over photos. Raises UserError when there is no row.
    """
    if not rows:
        raise UserError("no object was judged, so there is nothing to score", fix="Choose a split with objects.")
    truths = [str(row["truth_class"]) for row in rows]
    guesses = [str(row["predicted_class"]) for row in rows]
    names = _ordered((*truths, *guesses), labels)
    counts = confusion(truths, guesses, names)
    accuracy, macro = bootstrap(rows, names, seed)
    right = [truth == guess for truth, guess in zip(truths, guesses, strict=True)]
    conditions = ([str(row["truth"]) for row in rows], [str(row["predicted"]) for row in rows])
    asked = _ordered((*conditions[0], *conditions[1]), ())
    types = _ordered((str(row["object_type"]) for row in rows), ())
    return {
        "overall_accuracy": _share(sum(right), len(right)),
        "correct": sum(right),
        "total": len(right),
        "accuracy_interval": accuracy,
        "macro_f1": macro_f1(counts),
        "macro_f1_interval": macro,
        "per_class": by_label(counts, names),
        "per_condition": by_label(confusion(*conditions, asked), asked),
        "per_object_type": {
            kind: _tally(one for one, row in zip(right, rows, strict=True) if str(row["object_type"]) == kind)
            for kind in types
        },
        "confusion": {"labels": list(names), "counts": counts.astype(int).tolist()},
        "with_choice": _tally(one for one, row in zip(right, rows, strict=True) if int(row["choices"]) > 1),
    }


def confusion(truths: Sequence[str], guesses: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """(K, K) counts, rows the truth, columns the answer, both in the order of `names`."""
    place = {name: index for index, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for truth, guess in zip(truths, guesses, strict=True):
        counts[place[truth], place[guess]] += 1
    return counts


def f1_of(counts: np.ndarray) -> np.ndarray:
    """F1 of each class, (…, K), from confusion counts (…, K, K); 0 where a class is neither true nor answered."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    return 2 * hits / np.maximum(both, 1)


def macro_f1(counts: np.ndarray) -> float:
    """Mean F1 over the classes that occur in the truth; 0.0 when none does."""
    return float(_macro(counts[None])[0])


def _macro(counts: np.ndarray) -> np.ndarray:
    occurs = counts.sum(axis=-1) > 0
    return (f1_of(counts) * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)


def by_label(counts: np.ndarray, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each label that is true or answered: correct, total, predicted, accuracy, precision, recall and f1.

    Accuracy is the share of the label's own objects that were answered right, and so equals recall. A share of nothing
    (precision of a label that was never answered) is None.
    """
    scores = f1_of(counts)
    found = {}
    for index, name in enumerate(names):
        hits, total, answered = (int(n) for n in (counts[index, index], counts[index].sum(), counts[:, index].sum()))
        if total or answered:
            found[name] = {
                **_portion(hits, total),
                "predicted": answered,
                "precision": _share(hits, answered),
                "recall": _share(hits, total),
                "f1": float(scores[index]) if total else None,
            }
    return found


def bootstrap(rows: Sequence[Row], names: Sequence[str], seed: int = 0) -> tuple[list[float], list[float]]:
    """95 % intervals [low, high] of accuracy and of macro-F1, photos drawn with replacement.

    Objects of one photo are judged alike; drawing objects one by one would make the intervals too narrow.
    """
    photos = _by_photo(rows, names)
    draws = np.concatenate([_resampled(photos, weights) for weights in _weights(len(photos), seed)])
    low, high = np.percentile(draws, [LOW, HIGH], axis=0)
    return [float(low[0]), float(high[0])], [float(low[1]), float(high[1])]


def compare(before: Sequence[Row], after: Sequence[Row], seed: int = 0) -> dict[str, Any]:
    """What changed from one set of answers to another about the same objects.

    {better, worse (objects that turned right, wrong), accuracy_change, accuracy_change_interval, macro_f1_change,
    macro_f1_change_interval (95 %, paired bootstrap over photos), p_value (exact McNemar: chance of so uneven a
    change if both were equally good)}. Raises UserError when the two are not about the same objects.
    """
    keys = [[(str(row["image"]), int(row["object"])) for row in rows] for rows in (before, after)]
    if not before or sorted(keys[0]) != sorted(keys[1]) or len(set(keys[0])) != len(keys[0]):
        raise UserError("the two results are not about the same objects", fix="Evaluate both on the same split.")
    found = dict(zip(keys[1], after, strict=True))
    paired = [found[key] for key in keys[0]]
    right = np.array([[row["truth_class"] == row["predicted_class"] for row in rows] for rows in (before, paired)])
    better, worse = int((~right[0] & right[1]).sum()), int((right[0] & ~right[1]).sum())
    names = _ordered((str(row[key]) for row in (*before, *paired) for key in ("truth_class", "predicted_class")), ())
    sides = (_by_photo(before, names), _by_photo(paired, names))
    change = np.diff([_resampled(side, np.ones((1, len(side))))[0] for side in sides], axis=0)[0]
    draws = [_resampled(sides[1], w) - _resampled(sides[0], w) for w in _weights(len(sides[0]), seed)]
    low, high = np.percentile(np.concatenate(draws), [LOW, HIGH], axis=0)
    return {
        "better": better,
        "worse": worse,
        "total": len(before),
        "accuracy_change": float(change[0]),
        "accuracy_change_interval": [float(low[0]), float(high[0])],
        "macro_f1_change": float(change[1]),
        "macro_f1_change_interval": [float(low[1]), float(high[1])],
        "p_value": mcnemar(better, worse),
    }


def mcnemar(better: int, worse: int) -> float:
    """Two-sided exact McNemar test: the binomial chance of a split at least this uneven between equals."""
    changed, few = better + worse, min(better, worse)
    if changed == 0:
        return 1.0
    tail = sum(math.comb(changed, k) for k in range(few + 1))
    return min(1.0, 2 * tail / 2**changed)


def _by_photo(rows: Sequence[Row], names: Sequence[str]) -> np.ndarray:
    """(P, K, K) confusion counts of each photo, in order of first appearance."""
    place = {name: index for index, name in enumerate(names)}
    photo: dict[str, int] = {}
    for row in rows:
        photo.setdefault(str(row["image"]), len(photo))
    counts = np.zeros((len(photo), len(names), len(names)))
    for row in rows:
        counts[photo[str(row["image"])], place[str(row["truth_class"])], place[str(row["predicted_class"])]] += 1
    return counts


def _weights(photos: int, seed: int) -> Iterable[np.ndarray]:
    """How often each photo is drawn, (CHUNK, P) at a time, SAMPLES in all."""
    rng = np.random.default_rng([seed, 0xB007])
    for _ in range(SAMPLES // CHUNK):
        yield rng.multinomial(photos, np.full(photos, 1 / photos), size=CHUNK).astype(float)


def _resampled(photos: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(B, 2): accuracy and macro-F1 of each weighting (B, P) of the photos (P, K, K)."""
    kinds = photos.shape[1]
    counts = (weights @ photos.reshape(len(photos), -1)).reshape(-1, kinds, kinds)
    hits = np.trace(counts, axis1=-2, axis2=-1)
    return np.stack([hits / np.maximum(counts.sum(axis=(-2, -1)), 1), _macro(counts)], axis=1)


def _ordered(found: Iterable[str], first: Sequence[str]) -> tuple[str, ...]:
    """`first`, then what else occurs, in alphabetical order."""
    return (*first, *sorted(set(found) - set(first)))


def _tally(right: Iterable[bool]) -> dict[str, Any]:
    answers = list(right)
    return _portion(sum(answers), len(answers))


def _portion(correct: int, total: int) -> dict[str, Any]:
    return {"correct": correct, "total": total, "accuracy": _share(correct, total)}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
