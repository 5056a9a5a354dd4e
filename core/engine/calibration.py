"""Calibration of a tuned model: fitted on photos that it neither learned from nor was chosen by, kept beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.data.types import Photo
from core.engine.questions import PromptBuilder
from core.engine.scoring import judge_photos, read_answer
from core.engine.training.class_balance import class_weights, repeats
from core.errors import UserError
from core.metrics import calibration
from core.metrics.calibration import Calibration, normalised
from core.records import PredictionRow
from core.results import CalibrationFacts
from core.runs.events import Reporter
from core.runs.files import read_record, write_json
from core.settings import EnhanceSettings, Settings
from core.taxonomy import Taxonomy

FILE = "calibration.json"
KINDS = ("condition", "class")


def effective_class_shares(
    photos: Sequence[Photo], enhance: EnhanceSettings, taxonomy: Taxonomy
) -> tuple[dict[str, float], dict[str, float]]:
    """Compute how often each class occurs in what a model learns from, with and without weights and repeats.

    Weights in the loss and repeats in an epoch move the prior that a model takes in.

    Args:
        photos: The photos it learns from.
        enhance: The settings of weights and repeats.
        taxonomy: Names the classes.

    Returns:
        ({class: share as the loss weighed it}, {class: plain share}), each summing to 1.
    """
    weights = class_weights(photos, enhance, taxonomy)
    implied: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    for photo, times in zip(photos, repeats(photos, enhance), strict=True):
        for obj in photo.objects:
            name = taxonomy.class_name(obj.object_type, obj.condition)
            implied[name] += times * weights[(obj.object_type, obj.condition)]  # type: ignore[assignment]
            plain[name] += 1
    return normalised(implied), normalised(plain)


def calibrate(
    model: Any,
    prompt_builder: PromptBuilder,
    calibration_photos: Sequence[Photo],
    learned: Sequence[Photo],
    settings: Settings,
) -> Calibration | None:
    """Judge the calibration photos with both kinds of question, and fit a calibration to the answers.

    Args:
        model: The tuned model, in evaluation mode.
        prompt_builder: Writes its questions.
        calibration_photos: Photos that the model neither learned from nor was chosen by.
        learned: The photos it learned from; they tell the prior that it took in.
        settings: The run's settings: the tolerated error, weights and repeats.

    Returns:
        The calibration; None when the photos hold no object with a choice.
    """
    rows: dict[str, list[PredictionRow]] = {}
    for kind in KINDS:
        rows[kind] = [
            row
            for _photo, found, _loss in judge_photos(model, prompt_builder, calibration_photos, kind)
            for row in found
        ]
    if not any(row["choices"] > 1 for row in rows["condition"]):
        return None
    implied, plain = effective_class_shares(learned, settings.enhance, prompt_builder.taxonomy)
    return calibration.fit(rows, settings.judging.max_error, len(calibration_photos), implied, plain)


def keep(found: Calibration, folder: Path) -> None:
    """Write a calibration into an adapter's folder, in one go."""
    write_json(folder / FILE, found.to_dict())


def load(folder: Path) -> Calibration | None:
    """Read an adapter's calibration; None when it has none.

    Raises:
        UserError: The file is damaged.
    """
    found = read_record(folder / FILE, CalibrationFacts)
    if found is None:
        return None
    try:
        return calibration.from_dict(found)
    except (KeyError, TypeError, AttributeError) as error:
        fix = "Remove it (probabilities are then shown as the model gives them), or train again."
        raise UserError("this calibration is damaged", str(folder / FILE), fix, "adapter") from error


def warn_without(found: Calibration | None, settings: Settings, reporter: Reporter) -> None:
    """Warn that a correction of the prior was requested of a model that has no calibration, hence none to correct.

    Args:
        found: The model's calibration; None where it has none.
        settings: `judging.prior_correction` says what was requested.
        reporter: Takes the warning.
    """
    if found is None and settings.judging.prior_correction != calibration.NONE:
        text = "The prior is not corrected: this model has no calibration, so what it was taught is not known."
        reporter.emit("warning", text=text)


def calibrated_row(row: PredictionRow, found: Calibration | None, correction: str, taxonomy: Taxonomy) -> PredictionRow:
    """Add `calibrated` and `unsure` to a prediction row; what is predicted follows the calibrated probabilities.

    Args:
        row: A prediction row with the model's own probabilities.
        found: The model's calibration; with None the row is returned as it is.
        correction: How the prior is corrected: a value of `judging.prior_correction`.
        taxonomy: Names the classes.
    """
    if found is None:
        return row
    kind = row["question"]
    shares = found.apply(row["probabilities"], kind, str(row["object_type"]), correction)
    best = max(shares, key=lambda answer: shares[answer])
    object_type, condition = read_answer(best, row["object_type"], kind, taxonomy)
    unsure = len(shares) > 1 and found.unsure(shares[best], kind, correction)
    return {
        **row,
        "predicted": condition,
        "predicted_class": taxonomy.class_name(object_type, condition),
        "calibrated": {answer: float(f"{share:.6g}") for answer, share in shares.items()},
        "unsure": unsure,
    }
