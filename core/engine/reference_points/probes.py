"""Classical classifiers as probes, one for each object type.

They learn from the training objects what a description of an object (its question's words, its colours, its vision
features) holds about the condition.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from core.engine.reference_points.rows import Item, Rows, reference_row
from core.records import PredictionRow
from core.taxonomy import Taxonomy

TREES = 400
# Inverse strengths of the L2 penalty, tried where there are flights enough to choose by; otherwise USUAL_C.
GRID_C = (0.003, 0.03, 0.3)
USUAL_C = 0.03
FEWEST_FLIGHTS = 5
NUMBER = re.compile(r"\d+")

# fit(descriptions, conditions, flights): a fitted classifier with classes_ and predict_proba.
Fit = Callable[[Any, np.ndarray, np.ndarray], Any]


def probe_rows(
    fit: Fit, train: tuple[Sequence[Item], Any], evaluated: tuple[Sequence[Item], Any], taxonomy: Taxonomy
) -> Rows:
    """Answer for the evaluated objects by one classifier per object type.

    Where training knows one condition only that is the answer; a type that training lacks is answered with the first
    condition that it allows.

    Args:
        fit: Called with a type's descriptions, conditions and flights, returns a fitted classifier.
        train: The training objects and their descriptions: an array (N, F), or an array of texts (N,).
        evaluated: The objects to answer for, described in the same way.
        taxonomy: The conditions that each type allows.

    Returns:
        Prediction rows in the order of the evaluated objects.
    """
    (train_items, descriptions), (items, wanted) = train, evaluated
    train_types = np.array([item.obj.object_type for item in train_items])
    truths = np.array([item.obj.condition for item in train_items])
    flights = np.array([item.photo.group for item in train_items])
    wanted_types = np.array([item.obj.object_type for item in items])
    rows: dict[int, PredictionRow] = {}
    for kind in dict.fromkeys(wanted_types.tolist()):
        mine, its = np.flatnonzero(train_types == kind), np.flatnonzero(wanted_types == kind)
        allowed = taxonomy.allowed[kind]
        found = sorted(set(truths[mine].tolist()))
        if len(allowed) < 2 or len(found) < 2:
            names, shares = (found or [allowed[0]])[:1], np.ones((len(its), 1))
        else:
            model = fit(descriptions[mine], truths[mine], flights[mine])
            names, shares = model.classes_.tolist(), model.predict_proba(wanted[its])
        for number, share in zip(its.tolist(), shares, strict=True):
            by_name = dict(zip(names, share.tolist(), strict=True))
            best = max(by_name, key=lambda name: by_name[name])
            full = {answer: by_name.get(answer, 0.0) for answer in allowed}
            rows[number] = reference_row(items[number], full, best, taxonomy)
    return [rows[number] for number in range(len(items))]


def words_fit(texts: np.ndarray, truths: np.ndarray, _flights: np.ndarray) -> Any:
    """Fit a logistic regression on a question's words, neighbouring pairs of them, and its numbers as numbers.

    Args:
        texts: (N,) questions.
        truths: (N,) conditions.
        _flights: Not used.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    # A word seen once tells nothing of others. Pairs show an order: the answers listed with the true one first.
    words = CountVectorizer(token_pattern=r"\d+|[^\W\d_]+", ngram_range=(1, 2), min_df=2)
    most = max(len(NUMBER.findall(text)) for text in texts)
    if most == 0:
        return make_pipeline(words, LogisticRegression(max_iter=1000)).fit(texts, truths)
    numbers = make_pipeline(FunctionTransformer(_numbers, kw_args={"most": most}), StandardScaler())
    return make_pipeline(make_union(words, numbers), LogisticRegression(max_iter=1000)).fit(texts, truths)


def _numbers(texts: Sequence[str], most: int) -> np.ndarray:
    """(N, most): the numbers of each text in their order, zeros after them."""
    found = np.zeros((len(texts), most))
    for row, text in enumerate(texts):
        values = [float(number) for number in NUMBER.findall(text)[:most]]
        found[row, : len(values)] = values
    return found


def forest_fit(seed: int) -> Fit:
    """Make the fit of a random forest.

    Source: Breiman, 2001.
    """

    def fit(descriptions: np.ndarray, truths: np.ndarray, _flights: np.ndarray) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(TREES, n_jobs=1, random_state=seed).fit(descriptions, truths)

    return fit


def linear_fit(descriptions: np.ndarray, truths: np.ndarray, flights: np.ndarray) -> Any:
    """Fit a logistic regression on scaled features; the penalty is chosen by folds that keep flights together.

    Args:
        descriptions: (N, F) features.
        truths: (N,) conditions.
        flights: (N,) names of the flights.
    """
    return _linear(chosen_c(descriptions, truths, flights)).fit(descriptions, truths)


def _linear(c: float) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))


def chosen_c(descriptions: np.ndarray, truths: np.ndarray, flights: np.ndarray) -> float:
    """Choose the C of GRID_C with the best macro-F1 on left-out flights.

    Args:
        descriptions: (N, F) features.
        truths: (N,) conditions.
        flights: (N,) names of the flights.

    Returns:
        The inverse strength of the penalty; USUAL_C where there are too few flights to choose by.
    """
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold

    folds = 3
    if len(set(flights.tolist())) < FEWEST_FLIGHTS:
        return USUAL_C
    answers = {c: truths.copy() for c in GRID_C}
    for learn, check in GroupKFold(folds).split(descriptions, truths, flights):
        if len(set(truths[learn].tolist())) < 2:
            return USUAL_C
        for c, answer in answers.items():
            answer[check] = _linear(c).fit(descriptions[learn], truths[learn]).predict(descriptions[check])
    scores = {c: f1_score(truths, answer, average="macro") for c, answer in answers.items()}
    return max(GRID_C, key=lambda c: scores[c])
