"""All figures of one set of prediction rows, with intervals that respect that a photo's objects go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.errors import UserError
from core.metrics.counts import Row, balanced, by_label, class_names, confusion, macro_f1, ordered, portion
from core.metrics.probabilities import alarms, probabilistic
from core.metrics.resampling import bootstrap


def score(
    rows: Sequence[Row],
    labels: Sequence[str] = (),
    seed: int = 0,
    *,
    intervals: bool = True,
    false_alarm_rate: float = 0.1,
    alarming: Sequence[str] = (),
) -> dict[str, Any]:
    """All figures of a set of prediction rows, as plain values for JSON.

    A row has image, object_type, truth, predicted (conditions), truth_class, predicted_class, choices (how many answers
    the type allows) and, for what is said of probabilities, question, probabilities and perhaps calibrated. Right means
    that the whole class is right. `labels` orders the confusion matrix; classes it lacks come after. macro_f1 is the
    mean F1, balanced_accuracy the mean recall over the classes that occur in the truth. Objects whose type allows one
    answer are told apart (`single_answer`; all others: `with_choice`), for they are right by themselves. Intervals are
    95 %, by bootstrap over photos; `intervals` False leaves them and all that is slow out. Raises UserError when there
    is no row.

    `alarming` are the conditions whose alarms are scored, as the taxonomy says; without any there are no `alarms`.
    """
    if not rows:
        raise UserError("no object was judged, so there is nothing to score", fix="Choose a split with objects.")
    names = ordered(class_names(rows), labels)
    counts = _class_counts(rows, names)
    conditions = ([str(row["truth"]) for row in rows], [str(row["predicted"]) for row in rows])
    asked = ordered((*conditions[0], *conditions[1]))
    types = ordered(str(row["object_type"]) for row in rows)
    of_type = {kind: [row for row in rows if str(row["object_type"]) == kind] for kind in types}
    open_rows = [row for row in rows if int(row["choices"]) > 1]
    only = [row for row in rows if int(row["choices"]) <= 1]
    whole = _figures(rows, seed, intervals)
    found = {
        "overall_accuracy": whole["accuracy"],
        "correct": whole["correct"],
        "total": whole["total"],
        **{key: value for key, value in whole.items() if key not in ("accuracy", "correct", "total")},
        "per_class": by_label(counts, names, intervals),
        "per_condition": by_label(confusion(*conditions, asked), asked, intervals),
        "per_object_type": {
            kind: {**portion(_right(mine), len(mine)), "macro_f1": macro_f1(_class_counts(mine, class_names(mine)))}
            for kind, mine in of_type.items()
        },
        "confusion": {"labels": list(names), "counts": counts.astype(int).tolist()},
        "with_choice": _figures(open_rows, seed, intervals),
        "single_answer": {
            **portion(_right(only), len(only)),
            "types": list(ordered(str(row["object_type"]) for row in only)),
        },
    }
    if not intervals:
        return found
    found["probabilistic"] = probabilistic(rows)
    found["probabilistic_calibrated"] = probabilistic(rows, "calibrated")
    found["alarms"] = alarms(rows, alarming, false_alarm_rate) if alarming else None
    return {key: value for key, value in found.items() if value is not None}


def _figures(rows: Sequence[Row], seed: int, intervals: bool) -> dict[str, Any]:
    """Accuracy, balanced accuracy and macro-F1, each with its interval; the figures are None where there is no row."""
    told: dict[str, Any] = portion(_right(rows), len(rows))
    if not rows:
        return told | {"balanced_accuracy": None, "macro_f1": None}
    names = class_names(rows)
    counts = _class_counts(rows, names)
    told |= {"balanced_accuracy": float(balanced(counts[None])[0]), "macro_f1": macro_f1(counts)}
    if intervals:
        accurate, macro, even = bootstrap(rows, names, seed)
        told |= {"accuracy_interval": accurate, "macro_f1_interval": macro, "balanced_accuracy_interval": even}
    return told


def _class_counts(rows: Sequence[Row], names: Sequence[str]) -> Any:
    return confusion([str(row["truth_class"]) for row in rows], [str(row["predicted_class"]) for row in rows], names)


def _right(rows: Sequence[Row]) -> int:
    return sum(str(row["truth_class"]) == str(row["predicted_class"]) for row in rows)
