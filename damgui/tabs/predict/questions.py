"""What is asked about a photo, the chosen box or every labelled one, as requests to the prediction service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.boxes import in_pixels
from core.data.types import BoxedObject
from core.errors import UserError
from core.records import PredictionRequest
from core.settings import DataSettings
from damgui.tabs.predict import text


@dataclass(frozen=True)
class ChosenPhoto:
    """The photo that is shown.

    `data` are the settings of the data set that it is from; None for a photo that was dropped.
    """

    path: Path
    size_wh: tuple[int, int]
    objects: tuple[BoxedObject, ...] = ()
    data: DataSettings | None = None

    @property
    def key(self) -> str:
        """Names it among all photos that a page may show."""
        return str(self.path)

    def box_px(self, index: int) -> list[float]:
        """A labelled box in pixels. Not rounded: the answer must be the evaluation's, to the last digit."""
        return list(in_pixels(self.objects[index].box_xyxy, self.size_wh))


@dataclass(frozen=True)
class BoxQuestion:
    """One object to judge: its box in pixels (None: the whole photo), its type where it is known.

    `index` is its place among the labelled boxes; None for a box that somebody drew, and for the whole photo.
    """

    box_xyxy_px: tuple[float, ...] | None
    object_type: str | None
    index: int | None = None


def chosen(photo: ChosenPhoto | None, value: Mapping[str, Any] | None, object_type: str) -> BoxQuestion:
    """The question about what is marked in the photo.

    Args:
        photo: as shown.
        value: of the picker (assets/picker.js).
        object_type: what the user says it is; "" where they are not sure.

    Raises:
        UserError: there is no photo, or nothing is marked in it.
    """
    if photo is None:
        raise UserError(text.NO_PHOTO)
    value, known = value or {}, object_type or None
    if value.get("whole"):
        return BoxQuestion(None, known)
    if (index := labelled_index(photo, value)) is not None:
        return BoxQuestion(tuple(photo.box_px(index)), known, index)
    if not value.get("box"):
        raise UserError(text.NO_BOX)
    return BoxQuestion(tuple(value["box"]), known)


def labelled_index(photo: ChosenPhoto | None, value: Mapping[str, Any] | None) -> int | None:
    """Which labelled box is chosen; None for another choice, or one of a photo that was shown before."""
    index = (value or {}).get("index")
    return index if photo and isinstance(index, int) and 0 <= index < len(photo.objects) else None


def all_labelled(photo: ChosenPhoto | None) -> list[BoxQuestion]:
    """A question about every labelled box, as the type that its label names. Raises UserError without a photo."""
    if photo is None:
        raise UserError(text.NO_PHOTO)
    return [BoxQuestion(tuple(photo.box_px(i)), obj.object_type, i) for i, obj in enumerate(photo.objects)]


def request(photo: ChosenPhoto, question: BoxQuestion, models: Sequence[str]) -> PredictionRequest:
    """The question as the prediction service takes it.

    A labelled box is asked about as in training, with its neighbours; among them a box of one's own has no place.
    """
    others = [i for i in range(len(photo.objects)) if i != question.index] if question.index is not None else []
    return {
        "image": str(photo.path),
        "box_xyxy_px": None if question.box_xyxy_px is None else list(question.box_xyxy_px),
        "object_type": question.object_type,
        "models": list(models),
        "other_boxes_xyxy_px": [photo.box_px(i) for i in others],
    }
