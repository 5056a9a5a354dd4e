"""The text of the questions to the model, made from geometry alone so that no label can leak into it.

No function here receives a true condition: they take boxes and an object type. The same object in another condition
yields the same question, byte for byte, and the other objects of the photo contribute nothing but their boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.boxes import BoxXyxy, overlap
from core.families import RESIZED_PIXELS, THOUSANDTHS
from core.settings import EnhanceSettings
from core.taxonomy import Taxonomy


@dataclass(frozen=True)
class PhotoContext:
    """How the object is shown to the model.

    Attributes:
        view: The setting `view.mode`: full, full+crop or crop.
        resized_wh: (width, height) in pixels of the photo after it was resized for the model.
        box_unit: The family's unit for boxes (`core.families.Family.box_unit`).
    """

    view: str
    resized_wh: tuple[int, int]
    box_unit: str = THOUSANDTHS


def box_text(box_xyxy: BoxXyxy, context: PhotoContext) -> str:
    """The box as the model family writes it; `box_xyxy` is in fractions of the photo."""
    wide, high = (1000, 1000) if context.box_unit == THOUSANDTHS else context.resized_wh
    x1, y1, x2, y2 = (
        round(min(max(value, 0.0), 1.0) * scale)
        for value, scale in zip(box_xyxy, (wide, high, wide, high), strict=True)
    )
    if context.box_unit == RESIZED_PIXELS:
        return f"[{x1}, {y1}, {x2}, {y2}]"
    return f"<|box_start|>({x1},{y1}),({x2},{y2})<|box_end|>"


def height_text(box_xyxy: BoxXyxy) -> str:
    """The text of position encoding: how high in the photo the box's centre lies; `box_xyxy` is in fractions of it."""
    centre = min(max((box_xyxy[1] + box_xyxy[3]) / 2, 0.0), 1.0)
    word = "high" if centre < 1 / 3 else "at mid-height" if centre < 2 / 3 else "low"
    return f"It lies {word}, {round(centre * 100)} % from the top."


def neighbour_text(box_xyxy: BoxXyxy, others: Sequence[BoxXyxy]) -> str:
    """The text of spatial reasoning: how the box lies among the photo's other boxes, whatever those contain."""
    if not others:
        return "No other boxes."
    centre = box_xyxy[1] + box_xyxy[3]
    above = sum(other[1] + other[3] < centre for other in others)
    touching = sum(overlap(box_xyxy, other) for other in others)
    return f"Of {len(others)} other boxes {above} lie above it, {touching} overlap it."


def question_text(
    object_type: str | None,
    box_xyxy: BoxXyxy,
    others: Sequence[BoxXyxy],
    context: PhotoContext,
    enhance: EnhanceSettings,
    taxonomy: Taxonomy,
) -> str:
    """The question about one object.

    Args:
        object_type: The type that the question names; None asks for the class instead of the condition.
        box_xyxy: The object's box in fractions of the photo.
        others: The boxes of the photo's other objects, in the same unit.
        context: How the object is shown.
        enhance: Of these settings only `position_encoding` and `spatial_reasoning` add to the text.
        taxonomy: Provides the name of the scene and the allowed answers.

    Returns:
        One line of text that ends with the allowed answers.
    """
    name = object_type or "object"
    scene = taxonomy.question_scene
    if context.view == "crop":
        parts = [f"A boxed {name} on a {scene}."]
    elif context.box_unit == THOUSANDTHS:
        parts = [f"A {scene} with the <|object_ref_start|>{name}<|object_ref_end|>{box_text(box_xyxy, context)}."]
    else:
        parts = [f"A {scene} with the {name} in the box {box_text(box_xyxy, context)}."]
    if context.view == "full+crop":
        parts.append("The second picture shows it close up.")
    if enhance.position_encoding:
        parts.append(height_text(box_xyxy))
    if enhance.spatial_reasoning:
        parts.append(neighbour_text(box_xyxy, others))
    question = "What is its condition?" if object_type else "What is it, and what is its condition?"
    parts.append(f"{question} Answer with one of: {', '.join(answers(object_type, taxonomy))}.")
    return " ".join(parts)


def answers(object_type: str | None, taxonomy: Taxonomy) -> tuple[str, ...]:
    """The allowed answers: the conditions of a known type, or every class name when `object_type` is None."""
    if object_type is None:
        return tuple(taxonomy.class_name(*pair) for pair in taxonomy.classes)
    return tuple(taxonomy.allowed[object_type])
