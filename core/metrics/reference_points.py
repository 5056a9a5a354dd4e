"""Reference points that a model must beat: their names and explanations for page, report, command line and engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from core.results import ReferenceScore, Results
from core.units import percent


@dataclass(frozen=True)
class ReferencePoint:
    """A reference point.

    Attributes:
        key: Its name in results files.
        label: Its name in tables and charts.
        named: Its name within a sentence.
        note: A sentence or two that explain it.
        simpler: Whether it learned to judge photos without a large model, so that a model that does no better is not
            worth its price. (Not so the question's words alone: when they reach a high score, the question gives the
            answer away, which is a warning of its own.)
    """

    key: str
    label: str
    named: str
    note: str
    simpler: bool = False


PRIOR, PROMPT_ONLY, TEXTURE_FOREST, LINEAR_PROBE = "prior", "prompt_only", "texture_forest", "linear_probe"
BLANK, SHUFFLED = "blank", "shuffled"
NOT_WORTH_IT = "Until the model beats them it is not worth its price."
POINTS = (
    ReferencePoint(
        PRIOR,
        "Always the most frequent condition",
        "always naming the most frequent condition",
        "Answers each object type with its most frequent training condition. Looks at nothing.",
    ),
    ReferencePoint(
        PROMPT_ONLY,
        "The question's words alone",
        "the question's words alone",
        "Logistic regression on the words and numbers of the question. Sees no photo.",
    ),
    ReferencePoint(
        TEXTURE_FOREST,
        "Colour and texture (random forest)",
        "a random forest on colour and texture",
        "Random forest on colours and texture of the crop. Knows no language and no large model.",
        simpler=True,
    ),
    ReferencePoint(
        LINEAR_PROBE,
        "Untaught vision features (linear probe)",
        "a linear probe on untaught vision features",
        "Logistic regression on what the base model sees inside the box, before any teaching.",
        simpler=True,
    ),
    ReferencePoint(
        BLANK,
        "The model on blank photos",
        "blank grey photos",
        "The same model, every photo and crop uniformly grey. Should fall to guessing.",
    ),
    ReferencePoint(
        SHUFFLED,
        "The model on other photos",
        "other photos",
        "The same model, shown another photo of this split at the same boxes. Should fall to about guessing.",
    ),
)
BY_KEY = {point.key: point for point in POINTS}


def label_of(key: str, results: Mapping[str, object] | None = None) -> str:
    """The label of a reference point; where it is unknown here, the label in its `results`, or the key as words."""
    return BY_KEY[key].label if key in BY_KEY else str((results or {}).get("label") or key.replace("_", " "))


def references_of(results: Results) -> dict[str, ReferenceScore]:
    """The reference points that results hold, by name; guessing too where files of older versions have it apart."""
    known = {name: score for name, score in (results.get("references") or {}).items() if score}
    prior = results.get("prior")
    if prior and PRIOR not in known:
        guessing = {"label": BY_KEY[PRIOR].label, "note": BY_KEY[PRIOR].note, **prior}
        return {PRIOR: cast(ReferenceScore, guessing), **known}
    return known


def simpler_is_better(accuracy: float, better: Mapping[str, float], objects: str = "objects") -> str | None:
    """The warning that simpler methods beat a model; None when none does.

    Args:
        accuracy: The model's, from 0 to 1.
        better: {key: accuracy} of the reference points that beat it.
        objects: A plural noun for what all of them judged.
    """
    named = ", ".join(f"{BY_KEY[key].named} ({percent(share, 0)})" for key, share in better.items())
    if not named:
        return None
    return (
        f"The model is right for {percent(accuracy, 0)} of the {objects}. Simpler methods that learned from the "
        f"training photos do clearly better: {named}. {NOT_WORTH_IT}"
    )
