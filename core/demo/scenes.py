"""Dam scenes drawn from nothing, with known truth: what stands where, and in which condition.

A condition can be seen: a sound drain is a clean open channel, a blocked one is filled, a damaged one is broken; a
damaged rock toe has lost its stones. Boxes and surroundings depend on the seed and on the kinds of object only, so the
pixels inside a box are the only evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.boxes import BoxXyxy
from core.demo.brushes import paint_rock_toe, paint_vegetation
from core.demo.canvas import Array, Light
from core.demo.drains import paint_drain
from core.demo.ground import develop, paint_ground, sunlight
from core.demo.layout import place
from core.demo.styles import PRETRAINING, SAMPLE, Style, flight_style

__all__ = [
    "CLASS_OF",
    "PRETRAINING",
    "SAMPLE",
    "Scene",
    "SceneObject",
    "Style",
    "draw_scene",
    "flight_style",
    "random_wanted",
]

# The order is the class number in the label files; the spelling is the one met in the field.
CLASS_OF: dict[tuple[str, str], str] = {
    ("toe drain", "normal"): "Toe drain",
    ("toe drain", "blocked"): "Toe drain- Blocked",
    ("toe drain", "damaged"): "Toe drain- Damaged",
    ("rock toe", "normal"): "rock toe",
    ("rock toe", "damaged"): "rock toe damaged",
    ("slope drain", "normal"): "slope drain",
    ("slope drain", "blocked"): "slope drain blocked",
    ("slope drain", "damaged"): "slope drain damaged",
    ("vegetation", "normal"): "vegetation",
}
SMALLEST_PX = 96  # below this a slope drain is narrower than its own lip
LAYOUT, GROUND, CAMERA, OBJECT = range(4)  # separate streams of chance: one never shifts another


@dataclass(frozen=True)
class SceneObject:
    """One object and its truth; `box_xyxy_px` is (x0, y0, x1, y1) in pixels, inside the picture."""

    class_name: str
    object_type: str
    condition: str
    box_xyxy_px: BoxXyxy


@dataclass(frozen=True)
class Scene:
    """A square RGB photo and all that stands in it, in the order it was wanted."""

    image: Image.Image
    objects: tuple[SceneObject, ...]


def draw_scene(seed: int, wanted: Sequence[tuple[str, str]], style: Style, size_px: int = 448) -> Scene:
    """Draw a dam slope that holds exactly the wanted objects; the same arguments give the same pixels.

    Args:
        seed: decides everything that is not given; 0 or more.
        wanted: (object type, condition) of each object.
        style: palettes, materials and light.
        size_px: the side of the photo, SMALLEST_PX or more.

    Raises:
        ValueError: a pair is not in CLASS_OF, more objects of a type are wanted than fit one scene
            (`layout.MAX_OF_TYPE`), or seed or size is too small.
    """
    _check(seed, wanted, size_px)
    boxes = [
        _in_pixels(box, size_px) for box in place(np.random.default_rng([seed, LAYOUT]), [kind for kind, _ in wanted])
    ]
    ground = np.random.default_rng([seed, GROUND])
    light = sunlight(ground, style)
    picture = paint_ground(ground, style, light, size_px)
    for index, ((kind, condition), box) in enumerate(zip(wanted, boxes, strict=True)):
        rng = np.random.default_rng([seed, OBJECT, index])
        _paint(rng, picture, (kind, condition), box, (style, light))
    photo = develop(np.random.default_rng([seed, CAMERA]), style, light, picture)
    objects = (
        SceneObject(CLASS_OF[kind, condition], kind, condition, box)
        for (kind, condition), box in zip(wanted, boxes, strict=True)
    )
    return Scene(photo, tuple(objects))


def random_wanted(seed: int) -> list[tuple[str, str]]:
    """Two to eight (object type, condition) pairs; every type, and every condition of a type, about equally often."""
    rng = np.random.default_rng([seed, 0xA17])
    types = ("toe drain", "rock toe", "slope drain", "slope drain", "vegetation")
    left = {"toe drain": 2, "rock toe": 3, "slope drain": 4, "vegetation": 3}
    wanted: list[tuple[str, str]] = []
    target = int(rng.integers(2, 9))
    while len(wanted) < target:
        kind = types[int(rng.integers(len(types)))]
        if not left[kind]:
            continue
        left[kind] -= 1
        conditions = [condition for other, condition in CLASS_OF if other == kind]
        wanted.append((kind, conditions[int(rng.integers(len(conditions)))]))
    return wanted


def _check(seed: int, wanted: Sequence[tuple[str, str]], size_px: int) -> None:
    if seed < 0:
        raise ValueError(f"seed is {seed}; write 0 or more")
    if size_px < SMALLEST_PX:
        raise ValueError(f"size_px is {size_px}; write {SMALLEST_PX} or more")
    unknown = [pair for pair in wanted if tuple(pair) not in CLASS_OF]
    if unknown:
        raise ValueError(f"no such object and condition: {unknown[0]}; known: {list(CLASS_OF)}")


def _in_pixels(box: BoxXyxy, size_px: int) -> BoxXyxy:
    x0, y0, x1, y1 = (float(np.clip(round(end * size_px, 2), 0.0, size_px)) for end in box)
    return x0, y0, x1, y1


def _paint(
    rng: np.random.Generator, picture: Array, what: tuple[str, str], box: BoxXyxy, scene: tuple[Style, Light]
) -> None:
    kind, condition = what
    style, light = scene
    if kind == "vegetation":
        paint_vegetation(rng, picture, box, scene)
    elif kind == "rock toe":
        paint_rock_toe(rng, picture, box, condition, scene)
    elif kind == "slope drain":
        paint_drain(rng, picture, box, condition, scene)
    else:
        level = picture.transpose(1, 0, 2)  # a view: what is painted on it lands in the picture
        turned = (box[1], box[0], box[3], box[2])
        paint_drain(rng, level, turned, condition, (style, Light(light.y, light.x, light.contrast)))
