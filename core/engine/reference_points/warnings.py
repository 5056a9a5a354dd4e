"""Sentences for people, for when reference points show that a score must not be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.metrics import compare, score, sign_flip
from core.metrics.counts import with_choice
from core.metrics.flights import FEW_FLIGHTS, flights_of
from core.metrics.reference_points import BY_KEY, PRIOR, simpler_is_better
from core.records import PredictionRow
from core.units import percent

# The chance at which a words-only probe counts as better than guessing: rarer than 1 in 100 by luck alone.
LEAK_P = 0.01
# A words-only probe that is right this often has read the truth.
GIVEN_AWAY = 0.95


def prompt_leak_warning(words: Sequence[PredictionRow], prior: Sequence[PredictionRow]) -> str | None:
    """Warn when the question's words alone answer better than guessing, on objects with a choice.

    One-sided exact test, signs flipped by flight: more of the objects that only one of the two got right than chance
    allows went to the words. Under ten flights the interval of the difference must lie above 0. Where the words are
    nearly always right the objects alone decide: such a question gives the truth away whatever the flight.

    Args:
        words: Rows of the probe on the question's words.
        prior: Rows of guessing by the most frequent condition, about the same objects in the same order.

    Returns:
        A sentence, or None.
    """
    mine, its = with_choice(words), with_choice(prior)
    if not mine:
        return None
    read, guessed = _right(mine), _right(its)
    share, least = float(read.mean()), float(guessed.mean())
    turned = read.astype(int) - guessed.astype(int)
    given_away = share >= GIVEN_AWAY and sign_flip(turned, more=True) < LEAK_P
    if not given_away and not _clearly_better(mine, its, turned):
        return None
    text = (
        f"The words of the question alone, without any photo, are right for {percent(share, 0)} of the objects with a "
        f"choice; {BY_KEY[PRIOR].named} is right for {percent(least, 0)}. "
    )
    if given_away:
        return text + "That is nearly all: the question itself gives the true condition away. Do not trust this score."
    return text + (
        "Where a box lies can honestly tell a little about its condition, but the model may know it from there and not "
        "from the photo. To find out, switch the position encoding and the spatial reasoning off."
    )


def _clearly_better(mine: Sequence[PredictionRow], its: Sequence[PredictionRow], turned: np.ndarray) -> bool:
    numbers, flights = flights_of(mine)
    if len(flights) >= FEW_FLIGHTS:
        return sign_flip(np.bincount(numbers, weights=turned), more=True) < LEAK_P
    interval = compare(its, mine)["accuracy_change_interval"]
    return interval is not None and interval[0] > 0


def above_prior_warning(rows: Sequence[PredictionRow], prior: Sequence[PredictionRow], shown: str) -> str | None:
    """Warn when the model does better than guessing on photos that cannot show the answer.

    The 95 % interval of its accuracy on objects with a choice must lie wholly above that of guessing; with too few
    flights there is no warning.

    Args:
        rows: The model's rows about those photos.
        prior: Rows of guessing by the most frequent condition.
        shown: Names what was shown in place of the photos.

    Returns:
        A sentence, or None.
    """
    mine, its = with_choice(rows), with_choice(prior)
    if not mine or not its:
        return None
    found, least = score(mine), float(_right(its).mean())
    interval = found["accuracy_interval"]
    if interval is None or interval[0] <= least:
        return None
    return (
        f"With {shown} in place of its own the model is still right for {percent(found['overall_accuracy'], 0)} of the "
        f"objects with a choice, more than {BY_KEY[PRIOR].named} ({percent(least, 0)}). What it knows "
        "there it did not see in the object: the question or the position of the box tells it."
    )


def photos_unused_warning(rows: Sequence[PredictionRow], blank: Sequence[PredictionRow]) -> str | None:
    """Warn when the model is not clearly better with photos than without, on objects with a choice.

    The 95 % interval, over flights, of the change in accuracy reaches 0 or below; with too few flights there is no
    warning.

    Args:
        rows: The model's rows with the photos.
        blank: Its rows with blank ones, about the same objects in the same order.

    Returns:
        A sentence, or None.
    """
    seen, unseen = with_choice(rows), with_choice(blank)
    if not seen or not unseen:
        return None
    interval = compare(unseen, seen)["accuracy_change_interval"]
    if interval is None or interval[0] > 0:
        return None
    return (
        f"With the photos the model is right for {percent(_right(seen).mean(), 0)} of the objects with a choice, with "
        f"blank grey photos for {percent(_right(unseen).mean(), 0)}: no clear difference. "
        "Nothing shows that it uses the photos."
    )


def simpler_is_better_warning(
    rows: Sequence[PredictionRow], simpler: Mapping[str, Sequence[PredictionRow]]
) -> str | None:
    """Name the simpler methods that are clearly better than the model.

    The 95 % interval, over flights, of the difference in accuracy on objects with a choice lies above 0.

    Args:
        rows: The model's rows.
        simpler: {key of a method: its rows}, about the same objects in the same order.

    Returns:
        A sentence, or None.
    """
    seen, better = with_choice(rows), {}
    for key, answers in simpler.items():
        its = with_choice(answers)
        interval = compare(seen, its)["accuracy_change_interval"] if its else None
        if interval is not None and interval[0] > 0:
            better[key] = float(_right(its).mean())
    return simpler_is_better(float(_right(seen).mean()), better, "objects with a choice") if better else None


def _right(rows: Sequence[PredictionRow]) -> np.ndarray:
    """(N,) whether each answer is right."""
    return np.array([row["truth_class"] == row["predicted_class"] for row in rows])
