"""Prediction: one photo and one box, answered by the base model, a tuned one, or both side by side."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

from core.boxes import BoxXyxy, box_fractions, stored_px
from core.data.photos import require_size
from core.engine import adapters
from core.engine.questions import ObjectQuery
from core.engine.scoring import AnswerProbabilities, PhotoQueries, judge, read_answer
from core.engine.warm_models import WarmModels
from core.errors import UserError
from core.metrics.calibration import NONE, Calibration
from core.records import ModelAnswer, Prediction, PredictionRequest
from core.runs.store import is_adapter
from core.settings import Settings
from core.taxonomy import Taxonomy, key_of


class Predictor:
    """Answers requests about single photos; models stay in memory between them (see `WarmModels`).

    Args:
        settings: How base models are asked, and how a prior is corrected; an adapter is asked as it was trained.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._models = WarmModels(settings)

    def predict(self, request: PredictionRequest) -> Prediction:
        """Answer one request.

        Args:
            request: The photo, the box and the object's type, and the models that shall answer.

        Returns:
            The request as it was understood, with an entry in `answers` for each model (see `described`).

        Raises:
            UserError: The photo, box, type or a model cannot be used.
        """
        began = time.monotonic()
        path = Path(request["image"])
        size_wh = require_size(path)
        box = box_fractions(request.get("box_xyxy_px"), size_wh)
        others = [box_fractions(other, size_wh) for other in request.get("other_boxes_xyxy_px") or []]
        wanted = request.get("models") or [self.settings.model.path]
        answers = [self._answer(model, path, [box, *others], request.get("object_type") or None) for model in wanted]
        return {
            "image": str(path),
            "size_wh": list(size_wh),
            "box_xyxy_px": stored_px(box, size_wh),
            "object_type": request.get("object_type") or None,
            "question": "condition" if request.get("object_type") else "class",
            "answers": answers,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _answer(self, model: str, path: Path, boxes: list[BoxXyxy], object_type: str | None) -> ModelAnswer:
        warm = self._models.get(model)
        loaded, adapter, prompt_builder = warm.loaded, warm.adapter, warm.prompt_builder
        taxonomy = prompt_builder.taxonomy
        object_type = next(
            (kind for kind in taxonomy.object_types if object_type and key_of(kind) == key_of(object_type)), object_type
        )
        if object_type is not None and object_type not in taxonomy.allowed:
            raise UserError(
                f"{object_type!r} is no known object type",
                "object",
                f"Choose one of: {', '.join(taxonomy.object_types)}.",
                "object-type",
            )
        queries = PhotoQueries(path, boxes, [ObjectQuery(boxes[0], object_type)])
        if adapter is not None:
            loaded.model.set_adapter(adapter)
        with adapters.adapters_off(loaded.model) if adapter is None else nullcontext():
            answer = judge(loaded.model, prompt_builder, queries)[0]
        correction = self.settings.judging.prior_correction
        found = described(answer, object_type, taxonomy, warm.calibration, correction)
        return cast(ModelAnswer, {"model": model, "label": label(model), **found})


def label(model: str) -> str:
    """Name a model as people do."""
    if is_adapter(model):
        return f"Tuned: {Path(model).name.removesuffix('_final')}"
    return "Base model"


def described(
    answer: AnswerProbabilities,
    object_type: str | None,
    taxonomy: Taxonomy,
    calibration: Calibration | None = None,
    correction: str = NONE,
) -> dict[str, Any]:
    """Describe an answer as a mapping; that of a class question is summed up over conditions too.

    With a calibration the answer is the most probable one after it, and it is `unsure` where the calibration photos do
    not support it; without one `unsure` is None.

    Args:
        answer: The model's own probabilities.
        object_type: The type that was given; None where the class was asked.
        taxonomy: Names the classes.
        calibration: The model's calibration, or None.
        correction: How the prior is corrected: a value of `judging.prior_correction`.
    """
    kind = "condition" if object_type else "class"
    raw = answer.probabilities
    shares = raw if calibration is None else calibration.apply(raw, kind, object_type, correction)
    best = max(shares, key=lambda name: shares[name])
    predicted_type, predicted = read_answer(best, object_type, kind, taxonomy)
    found: dict[str, Any] = {"predicted_type": predicted_type, "predicted": predicted}
    found["probabilities"] = raw if object_type else by_condition(raw, taxonomy)
    if not object_type:
        found["class_probabilities"] = raw
    found["probability"] = raw[best]
    if calibration is None:
        note = "not calibrated" + ("; the prior is not corrected" if correction != NONE else "")
        return found | {"unsure": None, "note": note}
    rule = calibration.rule(kind, correction)
    threshold = rule.threshold if rule else None
    note = f"calibrated on {rule.total if rule else calibration.objects} objects of {calibration.photos} photos"
    if threshold is None and len(shares) > 1:
        note += "; they support no promise about single answers, so every answer is unsure"
    return found | {
        "calibrated": shares if object_type else by_condition(shares, taxonomy),
        "calibrated_probability": shares[best],
        "unsure": len(shares) > 1 and calibration.unsure(shares[best], kind, correction),
        "threshold": threshold,
        "note": note,
        **({} if object_type else {"calibrated_classes": shares}),
    }


def by_condition(shares: dict[str, float], taxonomy: Taxonomy) -> dict[str, float]:
    """Sum the probabilities of classes up over object types, to {condition: probability}."""
    found: dict[str, float] = defaultdict(float)
    for answer, share in shares.items():
        found[read_answer(answer, None, "class", taxonomy)[1]] += share
    return dict(found)
