"""The appearance of a drawn dam, as data: palettes, materials, debris, damage, light. No drawing here.

Two styles stand apart on purpose. A model that learned conditions on PRETRAINING meets other grass, other stone, other
debris and another sun in SAMPLE; what carries over is the idea of "blocked", not its colours. To narrow or widen that
gap, edit the data below: a kind of debris or damage listed in both styles carries over, one listed in SAMPLE alone is
new to the model. Shared today: dark stone, mud, missing and collapsed and some displaced slabs, dark boulders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

T = TypeVar("T")
RGB = tuple[int, int, int]
Range = tuple[float, float]  # drawn uniformly between the two ends
FLIGHT_SHARE = 0.4  # one flight sees this share of every range of its style: one day, one sun, one camera


@dataclass(frozen=True)
class Material:
    """What a drain is built of. `profile`: trapezoid or round. `pattern`: slab, brick, stone or pipe."""

    name: str
    lip: RGB
    wall: RGB
    floor: RGB
    profile: str
    pattern: str
    joint: float  # 0 no visible joints, 1 deep dark joints
    stain: float  # 0 clean, 1 heavily streaked: age, not damage


@dataclass(frozen=True)
class Debris:
    """What fills a blocked drain. `lumps`: 0 smooth silt, 1 coarse heaps. `sprouts`: plants per heap, 0 to 1."""

    name: str
    dark: RGB
    light: RGB
    flecks: tuple[RGB, ...]  # leaves, twigs, pebbles strewn on top
    lumps: float
    sprouts: float
    sprout: RGB


@dataclass(frozen=True)
class RockStyle:
    """Stones of a rock toe. `roundness`: 0 angular, 1 boulders. `stone_size`: of the band's height."""

    tones: tuple[RGB, ...]
    gap: RGB
    roundness: float
    stone_size: Range
    overgrown: float  # share of stones half hidden by grass in sound masonry: age, not damage


@dataclass(frozen=True)
class ShrubStyle:
    """One plant. `kind`: round (leafy dome), tussock (blades) or creeper (flat patch)."""

    kind: str
    dark: RGB
    light: RGB
    accent: RGB


@dataclass(frozen=True)
class Style:
    """Everything a scene draws from. Pairs (item, weight) are picked by weight; a Range is drawn uniformly."""

    name: str
    lush: tuple[RGB, RGB]  # grass in growth, dark and light
    dry: tuple[RGB, RGB]  # grass gone to straw, dark and light
    soil: tuple[RGB, RGB]  # bare ground, dark and light
    road: RGB
    far: RGB  # trees beyond the crest
    sky: tuple[RGB, RGB]  # zenith, horizon
    dryness: Range  # 0 all lush, 1 all straw
    bareness: Range  # 0 closed turf, 1 mostly soil
    horizon: Range  # y of the skyline over the picture's height; below 0: no sky in view
    sun_azimuth_deg: Range  # where the light comes from: 0 right, 90 top, 180 left of the picture
    sun_contrast: Range  # 0 overcast, 1 hard shadows
    exposure: Range
    warmth: Range  # -1 blue hour, 1 evening sun
    blur_px: Range  # of a 448 px picture
    noise_level: Range  # standard deviation, grey levels
    materials: tuple[tuple[Material, float], ...]
    debris: tuple[tuple[Debris, float], ...]
    drain_damages: tuple[tuple[str, float], ...]  # cracked, missing, displaced, collapsed
    rocks: tuple[tuple[RockStyle, float], ...]
    rock_damages: tuple[tuple[str, float], ...]  # gaps, slumped, scattered
    shrubs: tuple[tuple[ShrubStyle, float], ...]


def pick(rng: np.random.Generator, weighted: Sequence[tuple[T, float]]) -> T:
    """One item of (item, weight) pairs, by weight."""
    weights = np.array([weight for _, weight in weighted])
    return weighted[int(rng.choice(len(weighted), p=weights / weights.sum()))][0]


def draw(rng: np.random.Generator, bounds: Range) -> float:
    """A number between the bounds, uniformly drawn."""
    return float(rng.uniform(*bounds))


def flight_style(style: Style, seed: int) -> Style:
    """The style of one flight: every range narrowed around one day's light and season, one or two materials."""
    rng = np.random.default_rng([seed, 0xF11])
    narrowed: dict[str, Range] = {}
    for field in fields(style):
        value = getattr(style, field.name)
        if len(value) == 2 and all(isinstance(end, float) for end in value):
            span = (value[1] - value[0]) * FLIGHT_SHARE
            low = rng.uniform(value[0], value[1] - span)
            narrowed[field.name] = (float(low), float(low + span))
    materials = tuple((pick(rng, style.materials), weight) for weight in (0.7, 0.3))
    return replace(style, materials=materials, **narrowed)  # type: ignore[arg-type]


CONCRETE = Material("grey concrete", (196, 196, 190), (150, 150, 146), (122, 122, 119), "trapezoid", "slab", 0.35, 0.25)
PALE_CONCRETE = Material(
    "pale concrete", (218, 214, 204), (172, 169, 160), (146, 143, 135), "trapezoid", "slab", 0.25, 0.15
)
BRICK = Material("brick", (170, 108, 86), (136, 86, 70), (110, 72, 60), "trapezoid", "brick", 0.75, 0.55)
DARK_STONE = Material("dark stone", (112, 108, 106), (82, 80, 82), (62, 62, 66), "trapezoid", "stone", 0.85, 0.5)
CLAY_PIPE = Material("clay half-pipe", (208, 146, 108), (176, 116, 82), (128, 82, 60), "round", "pipe", 0.7, 0.5)

MUD = Debris("mud", (74, 56, 40), (122, 96, 70), ((92, 72, 50), (58, 46, 36)), 0.6, 0.1, (92, 106, 64))
LEAF_LITTER = Debris(
    "leaf litter", (86, 68, 48), (142, 114, 78), ((166, 126, 78), (132, 94, 60), (94, 72, 50)), 0.9, 0.0, (0, 0, 0)
)
SAND = Debris("sand", (176, 152, 112), (216, 196, 156), ((150, 128, 96), (232, 216, 180)), 0.25, 0.12, (122, 126, 76))
GREEN_WEEDS = Debris(
    "weeds", (72, 80, 50), (122, 132, 82), ((146, 148, 94), (88, 96, 60), (168, 158, 112)), 0.8, 1.0, (116, 134, 78)
)

DARK_BOULDERS = RockStyle(((112, 96, 80), (90, 78, 68), (136, 116, 94)), (48, 40, 34), 0.85, (0.18, 0.26), 0.12)

PRETRAINING = Style(
    name="pretraining",
    lush=((80, 102, 56), (144, 162, 98)),
    dry=((124, 124, 80), (180, 176, 124)),
    soil=((122, 104, 82), (168, 148, 120)),
    road=(164, 158, 148),
    far=(58, 78, 52),
    sky=((126, 166, 208), (206, 222, 232)),
    dryness=(0.0, 0.55),
    bareness=(0.0, 0.3),
    horizon=(-0.06, 0.09),
    sun_azimuth_deg=(110.0, 170.0),
    sun_contrast=(0.35, 0.7),
    exposure=(0.92, 1.1),
    warmth=(-0.25, 0.15),
    blur_px=(0.3, 0.8),
    noise_level=(1.5, 4.0),
    materials=((CONCRETE, 0.45), (PALE_CONCRETE, 0.3), (DARK_STONE, 0.25)),
    debris=((MUD, 0.5), (LEAF_LITTER, 0.5)),
    drain_damages=(("cracked", 0.35), ("missing", 0.3), ("collapsed", 0.2), ("displaced", 0.15)),
    rocks=(
        (RockStyle(((168, 166, 160), (146, 146, 144), (190, 186, 178)), (62, 60, 56), 0.25, (0.13, 0.19), 0.0), 0.4),
        (RockStyle(((132, 136, 142), (112, 116, 122), (158, 160, 164)), (50, 52, 54), 0.35, (0.12, 0.17), 0.03), 0.35),
        (DARK_BOULDERS, 0.25),
    ),
    rock_damages=(("gaps", 0.5), ("slumped", 0.5)),
    shrubs=(
        (ShrubStyle("round", (38, 54, 34), (104, 132, 76), (132, 158, 92)), 0.7),
        (ShrubStyle("creeper", (50, 70, 42), (110, 142, 80), (156, 174, 106)), 0.3),
    ),
)

# Grass and light of the sample set stay near the pretraining's: with straw-coloured ground the demo model calls every
# drain blocked before it is tuned. What pretraining has not shown is what drains and rocks are made of, what fills and
# what breaks them: enough for tuning to teach.
SAMPLE = Style(
    name="sample",
    lush=((87, 104, 59), (147, 160, 98)),
    dry=((129, 125, 82), (186, 179, 128)),
    soil=((127, 106, 82), (176, 153, 123)),
    road=(198, 172, 138),
    far=(112, 98, 66),
    sky=((172, 178, 190), (232, 218, 200)),
    dryness=(0.1, 0.64),
    bareness=(0.03, 0.35),
    horizon=(-0.08, 0.06),
    sun_azimuth_deg=(52.5, 110.0),
    sun_contrast=(0.45, 0.82),
    exposure=(0.91, 1.09),
    warmth=(-0.07, 0.38),
    blur_px=(0.4, 0.9),
    noise_level=(2.0, 5.0),
    materials=((BRICK, 0.35), (DARK_STONE, 0.3), (CLAY_PIPE, 0.35)),
    debris=((SAND, 0.45), (GREEN_WEEDS, 0.4), (MUD, 0.15)),
    drain_damages=(("displaced", 0.5), ("missing", 0.3), ("collapsed", 0.2)),
    rocks=(
        (DARK_BOULDERS, 0.6),
        (RockStyle(((150, 112, 84), (126, 92, 72), (170, 136, 106)), (64, 48, 38), 0.6, (0.15, 0.22), 0.1), 0.4),
    ),
    rock_damages=(("scattered", 0.5), ("slumped", 0.3), ("gaps", 0.2)),
    shrubs=(
        (ShrubStyle("tussock", (88, 84, 40), (178, 168, 96), (214, 196, 132)), 0.65),
        (ShrubStyle("creeper", (78, 84, 44), (140, 136, 74), (190, 120, 96)), 0.35),
    ),
)
