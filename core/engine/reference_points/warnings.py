"""When reference points say that a score must not be believed: sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.engine.reference_points.rows import with_choice
from core.metrics import compare, score

# The chance at which a words-only probe counts as better than guessing: rarer than 1 in 100 by luck alone.
LEAK_P = 0.01
# A words-only probe that is right this often has read the truth.
GIVEN_AWAY = 0.95

Row = Mapping[str, Any]


def pct(share: float) -> str:
    return f"{100 * share:.0f} %"


def prompt_leak_warning(words: Sequence[Row], prior: Sequence[Row]) -> str | None:
    """A sentence when the question's words alone answer better than guessing, on objects with a choice; else None.

    One-sided exact McNemar test (McNemar, 1947): of the objects that only one of the two got right, more than chance
    allows went to the words. Both must be about the same objects in the same order.
    """
    from scipy.stats import binomtest

    read, guessed = _right(with_choice(words)), _right(with_choice(prior))
    better = sum(mine and not its for mine, its in zip(read, guessed, strict=True))
    worse = sum(its and not mine for mine, its in zip(read, guessed, strict=True))
    if not better or binomtest(better, better + worse, 0.5, alternative="greater").pvalue >= LEAK_P:
        return None
    share, least = sum(read) / len(read), sum(guessed) / len(guessed)
    said = (
        f"The words of the question alone, without any photo, are right for {pct(share)} of the objects with a choice; "
        f"always naming the most frequent condition is right for {pct(least)}. "
    )
    if share >= GIVEN_AWAY:
        return said + "That is nearly all: the question itself gives the true condition away. Do not trust this score."
    return said + (
        "Where a box lies can honestly tell a little about its condition, but the model may know it from there and not "
        "from the photo. To find out, switch the position encoding and the spatial reasoning off."
    )


def above_prior_warning(rows: Sequence[Row], prior: Sequence[Row], shown: str) -> str | None:
    """A sentence when the model does better than guessing on photos that cannot tell the answer; `shown` names them.

    The 95 % interval of its accuracy on objects with a choice must lie wholly above that of guessing.
    """
    mine, its = with_choice(rows), _right(with_choice(prior))
    if not mine or not its:
        return None
    found, least = score(mine), sum(its) / len(its)
    if found["accuracy_interval"][0] <= least:
        return None
    return (
        f"With {shown} in place of its own the model is still right for {pct(found['overall_accuracy'])} of the "
        f"objects with a choice, more than always naming the most frequent condition ({pct(least)}). What it knows "
        "there it did not see in the object: the question or the position of the box tells it."
    )


def not_looking_warning(rows: Sequence[Row], blank: Sequence[Row]) -> str | None:
    """A sentence when the model is not clearly better with photos than without, on objects with a choice.

    Paired bootstrap over photos: the 95 % interval of the change in accuracy reaches 0 or below.
    """
    seen, unseen = with_choice(rows), with_choice(blank)
    if not seen or not unseen:
        return None
    if compare(unseen, seen)["accuracy_change_interval"][0] > 0:
        return None
    right, blind = _right(seen), _right(unseen)
    return (
        f"With the photos the model is right for {pct(sum(right) / len(right))} of the objects with a choice, with "
        f"blank grey photos for {pct(sum(blind) / len(blind))}: no clear difference. "
        "Nothing shows that it uses the photos."
    )


def simpler_is_better_warning(rows: Sequence[Row], probes: Mapping[str, Sequence[Row]]) -> str | None:
    """A sentence that names the probes ({what they are: their rows}) which are clearly better than the model.

    Paired bootstrap over photos: the 95 % interval of the difference in accuracy on objects with a choice lies above 0.
    """
    seen, named = with_choice(rows), []
    for name, answers in probes.items():
        its = with_choice(answers)
        if its and compare(seen, its)["accuracy_change_interval"][0] > 0:
            named.append(f"{name} ({pct(sum(_right(its)) / len(its))})")
    if not named:
        return None
    return (
        f"The model is right for {pct(sum(_right(seen)) / len(seen))} of the objects with a choice. Simpler methods "
        f"that learned from the training photos do clearly better: {', '.join(named)}. Until the model beats them it "
        "is not worth its price."
    )


def _right(rows: Sequence[Row]) -> list[bool]:
    return [row["truth_class"] == row["predicted_class"] for row in rows]
