"""The fixed texts of a report: titles, explanations, names of things."""

from __future__ import annotations

from collections.abc import Sequence

from core import glossary

KINDS = {"baseline": glossary.BASELINE, "evaluate": "Evaluation of a model", "batch": "Judgement of a photo folder"}
SPLITS = {name: f"{word.lower()} photos" for name, word in glossary.SPLITS.items()}

SCORES_NOTE = (
    "A dot is a score, the line through it its 95 % interval. Hollow dots are reference points: what can be had "
    "without this model, or without looking at the photo. A model earns trust by being clearly to the right of them."
)
CLASSES_NOTE = (
    "Support: how many objects truly are of the class. Recall: the share of them that was found (with its 95 % "
    "interval). Precision: the share of the answers with this class that were right. F1: both in one number, 1 is "
    "perfect. The thin line on a bar is the interval of the recall. " + glossary.RECALL_WITHOUT_PRICE
)
CONFUSION_NOTE = (
    "Rows: what was true. Columns: what was answered. Framed: right. The darker, the larger its row's share."
)
RELIABILITY_NOTE = (
    "On the dashed line the model is right as often as it says. Dots below it: too sure of itself; above it: too "
    "modest. The larger a dot, the more objects stand behind it."
)
ALARMS_NOTE = (
    "If the model's probability of the condition alone raised the alarm, with a threshold at which this share of other "
    "objects raises a false one: how much of what truly is so would be found. The threshold comes from "
    "the calibration photos; of a model without any, each flight's from the other flights. " + glossary.FOUND_AT_A_PRICE
)
MISTAKES_NOTE = "Objects judged wrong, missed faults first, and among them the surest first. The box is the object."
URGENT_NOTE = "The surest first. These are a model's answers, not findings: look at the object before acting on one."


def observed_note(types: Sequence[str], condition: str) -> str:
    """A note about types of which only the presence is recorded.

    Args:
        types: their names.
        condition: the condition under which their objects are counted.
    """
    return f"Of {', '.join(types)} it is only said that it is present; its objects count as {condition} here."


NO_THRESHOLD = "none keeps the promise on the calibration photos, so every answer counts as unsure"

TERMS = glossary.REPORT_TERMS
