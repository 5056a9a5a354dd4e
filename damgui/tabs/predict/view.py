"""Answers about a photo as they are shown: cards, the table of several boxes, words at each box, probabilities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from core import units
from core.conditions import UNSURE_SIGN, Condition
from core.data.dataset import DEMO
from core.data.types import BoxedObject, Dataset, Photo
from core.errors import UserError
from core.records import ModelAnswer, Prediction, PredictionRefused, PredictionRow
from core.results import CalibrationFacts
from core.runs import store
from core.runs.files import read_json, read_record
from core.settings import DataSettings
from core.taxonomy import Taxonomy, restore
from damgui import text as page_text
from damgui import theme
from damgui.components import datasets, html
from damgui.components.photos import whole
from damgui.markup import TEMPLATES
from damgui.scores import sentences
from damgui.tabs.predict import text
from damgui.tabs.predict.questions import BoxQuestion, ChosenPhoto

EXAMPLE_PX = 220
_PREDICT = TEMPLATES.macros("predict.html")


@dataclass(frozen=True)
class Answered:
    """A question and what came of it."""

    question: BoxQuestion
    found: Prediction | PredictionRefused

    @property
    def answers(self) -> list[ModelAnswer]:
        """What each model says; none where the question was refused."""
        if "error" in self.found:
            return []
        return self.found["answers"]

    @property
    def refused(self) -> str:
        """Why there is no answer; "" where there is one."""
        return str(self.found.get("error") or "")

    def kind(self, answer: ModelAnswer) -> str:
        """The object's type, as it was given or as the model names it."""
        return self.question.object_type or answer["predicted_type"]


def picker() -> str:
    """The HTML that assets/picker.js works."""
    return str(_PREDICT.picker(text))


def strip(photos: Sequence[Photo]) -> Markup:
    return _PREDICT.strip([(whole(photo.path, EXAMPLE_PX), photo.path.name, len(photo.objects)) for photo in photos])


def set_title(data: DataSettings) -> Markup:
    """Which set the examples are from."""
    return html.section(text.EXAMPLES, text.SAMPLE_SET if data.path == DEMO else f"from {data.path}")


def examples(data: Dataset, most: int) -> tuple[Photo, ...]:
    """Validation photos (any, where there are none) with the most kinds of condition."""
    photos = [photo for photo in data.split("valid") or data.photos if photo.objects]
    return tuple(sorted(photos, key=lambda photo: -len({obj.condition for obj in photo.objects}))[:most])


def boxes(photo: ChosenPhoto) -> list[dict[str, Any]]:
    """The labelled boxes as the picker draws them, in pixels."""
    return [{"box": photo.box_px(i), "label": obj.object_type} for i, obj in enumerate(photo.objects)]


def taxonomy(answered: Sequence[Answered], path: str) -> Taxonomy:
    """What the answers mean: what the tuned model among them learned, else the file of the form."""
    models = [str(answer.get("model") or "") for item in answered for answer in item.answers]
    about = next((read_json(Path(name) / "damgui.json") for name in models if name and store.is_adapter(name)), None)
    return restore(about["taxonomy"]) if about else datasets.taxonomy(path)


def truth(photo: ChosenPhoto | None, question: BoxQuestion, known: Taxonomy) -> Condition | None:
    """What the labels say of the object."""
    if photo is None or question.index is None:
        return None
    labelled: BoxedObject = photo.objects[question.index]
    return known.shown(labelled.object_type, labelled.condition)


def cards(item: Answered, labelled: Condition | None, known: Taxonomy) -> Markup:
    """What each model says of one object."""
    each = [answer_card(answer, item.kind(answer), known) for answer in item.answers]
    alone = text.BASE_ONLY if len(each) == 1 else ""
    return _PREDICT.answered(each, labelled, alone, float(cast(Prediction, item.found).get("seconds") or 0))


def answer_card(answer: ModelAnswer, kind: str, known: Taxonomy) -> Markup:
    """What one model says: the condition with its probability, or that an engineer has to look."""
    about = calibration(str(answer.get("model") or ""))
    rule = (about.get("thresholds") or {}).get("class" if "class_probabilities" in answer else "condition")
    trust = sentences.calibrated_on(about) if "calibrated" in answer else sentences.NOT_CALIBRATED
    shown = known.shown(kind, answer["predicted"])
    if answer.get("unsure"):
        why = sentences.why_unsure(answer, shown.name, rule)
        return _PREDICT.answer_card(answer, shown, kind, "", sentences.UNSURE, why, trust)
    sure = units.percent(sentences.sureness(answer), 0)
    return _PREDICT.answer_card(answer, shown, kind, sure, "", "", f"{trust} {sentences.promise(rule)}".rstrip())


def shares(answer: ModelAnswer, object_type: str | None, known: Taxonomy) -> Mapping[str, float]:
    """The probabilities of the conditions that the answer speaks of, by the names that they are shown with."""
    if not object_type and known.observed and "class_probabilities" in answer:
        found: defaultdict[str, float] = defaultdict(float)
        for name, share in (answer.get("calibrated_classes") or answer["class_probabilities"]).items():
            found[known.of_class(name).name] += share
        return found
    calibrated = answer.get("calibrated") or {}
    given = calibrated if set(calibrated) == set(answer["probabilities"]) else answer["probabilities"]
    return {known.shown(object_type or "", name).name: share for name, share in given.items()}


def calibration(model: str) -> CalibrationFacts:
    """What lies beside an adapter about how sure it may be; empty for a model without."""
    try:
        found = read_record(Path(model) / "calibration.json", CalibrationFacts) if model else None
    except UserError:
        return {}
    return found if isinstance(found, dict) else {}


def table(
    photo: ChosenPhoto, questions: Sequence[BoxQuestion], answered: Mapping[int, Answered], known: Taxonomy
) -> Markup:
    """Several boxes, a row each: what the labels say and what each model says, as far as they were answered.

    Args:
        photo: as shown.
        questions: about its boxes.
        answered: those that were, by their place among the questions.
        known: what the answers mean.
    """
    models = next(([answer["label"] for answer in item.answers] for item in answered.values() if item.answers), [])
    rows = []
    for place, question in enumerate(questions):
        item = answered.get(place)
        said = [] if item is None else [_cell(item, answer, known) for answer in item.answers]
        refused = item.refused if item else ""
        number = (question.index or 0) + 1
        rows.append((number, question.object_type or "", truth(photo, question, known), said, refused))
    done, total = len(answered), len(questions)
    note = text.drawn_at_boxes(models[-1]) if models and done == total else ""
    alone = text.BASE_ONLY if len(models) == 1 and done == total else ""
    waits = html.bar(done / total, "Progress") + html.stage(text.progress(done, total)) if done < total else ""
    columns = (text.NUMBER, text.KIND, text.LABEL, *models)
    return _PREDICT.table(text, columns, rows, len(models), html.joined([waits]), note, alone)


def _cell(item: Answered, answer: ModelAnswer, known: Taxonomy) -> tuple[Condition, str, str]:
    """(condition, its percentage where there was a choice, or in place of both that the model is unsure)."""
    shown = known.shown(item.kind(answer), answer["predicted"])
    if answer.get("unsure"):
        return shown, "", f"{UNSURE_SIGN} {page_text.UNSURE_SHORT}"
    choices = answer.get("class_probabilities") or answer["probabilities"]
    return shown, units.probability(sentences.sureness(answer)) if len(choices) > 1 else "", ""


def verdicts_at_boxes(answered: Sequence[Answered], known: Taxonomy) -> list[dict[str, Any]]:
    """What the picker writes at the boxes: the verdict of the last model, which is the tuned one where there is one."""
    found = []
    for item in answered:
        if not item.answers:
            continue
        condition, sure, unsure = _cell(item, item.answers[-1], known)
        words = unsure or f"{condition.sign} {condition.name} {sure}".rstrip()
        box = cast(Prediction, item.found)["box_xyxy_px"]
        look = {"style": "" if unsure else theme.badge_style(condition), "unsure": bool(unsure)}
        found.append({"box": box, "index": item.question.index, "words": words, **look})
    return found


def prediction_row(photo: ChosenPhoto, item: Answered, answer: ModelAnswer, known: Taxonomy) -> PredictionRow:
    """One model's answer as a line of a predictions file, which pictures and tables are made from."""
    raw = answer.get("class_probabilities") or answer["probabilities"]
    kind, predicted = item.kind(answer), answer["predicted"]
    row: PredictionRow = {
        "image": photo.path.name,
        "object": item.question.index or 0,
        "box_xyxy_px": cast(Prediction, item.found)["box_xyxy_px"],
        "object_type": item.question.object_type,
        "predicted": predicted,
        "predicted_class": known.class_name(kind, predicted),
        "predicted_type": kind,
        "question": "condition" if item.question.object_type else "class",
        "choices": len(raw),
        "probabilities": raw,
    }
    if calibrated := answer.get("calibrated_classes") or answer.get("calibrated"):
        row["calibrated"] = calibrated
    if answer["unsure"] is not None:
        row["unsure"] = answer["unsure"]
    return row
