"""Drawn dam scenes that come nearer to drone photos of 312 pixels: noise instead of flat colours, everything varied.

Domain randomisation (Tobin et al. 2017, arXiv:1703.06907): ground from grey dust through red earth to wet grass, any
sun, any season, drains three to eight pixels wide, blur, grain and JPEG. No real photo is used. How conditions differ:

- a sound drain has crisp lips and an open channel; a blocked one is overgrown or silted in places; a damaged one has
  lost its lips, wanders and breaks off;
- a sound rock toe shows its stones; a damaged one is bare in places, overgrown and silted.

Boxes never depend on a condition: how far a drain wanders or what grows beside it is not in its box.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image, ImageFilter

from core.boxes import BoxXyxy
from core.demo.canvas import Array, Light, blend, emboss, fractal, noise, ramp, smoothstep
from core.demo.scenes import CLASS_OF, Scene, SceneObject

Pair = tuple[str, str]
RGB = tuple[float, float, float]
# Dark and light end of a ground; one photo mixes two of them.
GROUNDS: tuple[tuple[RGB, RGB], ...] = (
    ((88, 80, 70), (186, 174, 158)),
    ((100, 80, 62), (206, 180, 148)),
    ((118, 76, 48), (208, 152, 106)),
    ((84, 86, 84), (184, 184, 178)),
    ((66, 62, 56), (156, 150, 136)),
    ((126, 116, 102), (226, 216, 200)),
)
GREENS: tuple[tuple[RGB, RGB], ...] = (
    ((38, 56, 28), (128, 156, 70)),
    ((46, 78, 26), (146, 196, 66)),
    ((52, 68, 48), (138, 154, 116)),
    ((64, 66, 40), (150, 148, 96)),
)
STONES: tuple[tuple[RGB, RGB], ...] = (
    ((72, 66, 60), (212, 204, 192)),
    ((56, 60, 68), (156, 164, 174)),
    ((92, 76, 60), (216, 190, 158)),
    ((60, 58, 54), (176, 172, 162)),
)


@dataclass(frozen=True)
class Day:
    """What one photo shares: its light and its colours, (dark, light) each."""

    light: Light
    ground: tuple[RGB, RGB]
    road: tuple[RGB, RGB]
    green: tuple[RGB, RGB]
    stone: tuple[RGB, RGB]
    concrete: RGB
    channel: RGB
    lushness: float  # 0 bare, 1 grown over


def draw_day(rng: np.random.Generator) -> Day:
    """Season, sun, earth and concrete of one day."""

    def pick(colours: tuple[tuple[RGB, RGB], ...]) -> tuple[RGB, RGB]:
        first, second = (colours[int(rng.integers(len(colours)))] for _ in range(2))
        share, tint = rng.random(), rng.normal(1.0, 0.05, 3)
        dark, light = (
            tuple(float(v) for v in (share * np.array(a) + (1 - share) * np.array(b)) * tint)
            for a, b in zip(first, second, strict=True)
        )
        return dark, light  # type: ignore[return-value]

    azimuth = rng.uniform(0, 2 * np.pi)
    light = Light(float(np.cos(azimuth)), float(np.sin(azimuth)), float(rng.uniform(0.2, 0.9)))
    earth, road = pick(GROUNDS), pick(GROUNDS)
    concrete = rng.uniform(120, 235) * np.array([1.0, rng.uniform(0.9, 1.0), rng.uniform(0.78, 1.0)])
    # A channel is shaded concrete, or earth that has washed in evenly and still runs.
    dark = rng.uniform(0.25, 0.8) * np.where(rng.random() < 0.5, concrete, np.array(earth[1]))
    lush = float(rng.choice([rng.uniform(0, 0.25), rng.uniform(0.2, 0.6), rng.uniform(0.6, 1.0)], p=[0.5, 0.3, 0.2]))
    return Day(light, earth, road, pick(GREENS), pick(STONES), tuple(concrete), tuple(dark), lush)


def draw_photographic(seed: int, wanted: Sequence[Pair], size_px: int = 312) -> Scene:
    """Draw a photo that holds exactly the wanted objects; the same arguments give the same pixels.

    Args:
        seed: decides everything that is not given.
        wanted: (object type, condition) of each object.
        size_px: the side of the photo.
    """
    image, boxes = paint(seed, wanted, size_px)
    named = (SceneObject(CLASS_OF[pair], *pair, box) for pair, box in zip(wanted, boxes, strict=True))
    return Scene(image, tuple(named))


def paint(seed: int, wanted: Sequence[Pair], size_px: int) -> tuple[Image.Image, list[BoxXyxy]]:
    """What `draw_photographic` draws, from the same arguments.

    Returns:
        The photo, and one box (x0, y0, x1, y1) in pixels for each of `wanted`, in order.
    """
    rng = np.random.default_rng([seed, 0xF070])
    day = draw_day(rng)
    unit = size_px / 312.0
    picture = _slope(rng, day, size_px)
    foot = rng.uniform(0.74, 0.9) * size_px
    stones = any(kind == "rock toe" for kind, _ in wanted)
    depth = rng.uniform(24, 60) * unit
    top = foot - rng.uniform(2, 9) * unit - depth
    # In a fixed order: that of a set of words differs between processes.
    lanes = {kind: _lanes(rng, sum(one == kind for one, _ in wanted), kind) for kind in ORDER}
    boxes: dict[int, BoxXyxy] = {}
    # What lies on top is painted last.
    order = sorted(range(len(wanted)), key=lambda index: ORDER.index(wanted[index][0]))
    for index in order:
        kind, condition = wanted[index]
        left, right = (end * size_px for end in lanes[kind].pop())
        if kind == "rock toe":
            tilt = rng.uniform(-6, 6) * unit
            boxes[index] = _rocks(rng, picture, (left, top + tilt, right, top + tilt + depth), condition, day)
        elif kind == "toe drain":
            shade = rng.uniform(-5, 5) * unit
            boxes[index] = _drain(rng, picture, (foot + shade, left, right), condition, (day, unit), level=True)
        elif kind == "slope drain":
            middle = rng.uniform(left + 8 * unit, max(right - 8 * unit, left + 9 * unit))
            start = rng.uniform(0.08, 0.4) * size_px
            end = (top if stones and rng.random() < 0.5 else foot) - rng.uniform(0, 20) * unit
            boxes[index] = _drain(rng, picture, (middle, start, end), condition, (day, unit), level=False)
        else:
            boxes[index] = _bush(rng, picture, (left, right), day, unit)
    return _camera(rng, picture, day), [boxes[index] for index in range(len(wanted))]


ORDER = ("rock toe", "slope drain", "toe drain", "vegetation")


def _lanes(rng: np.random.Generator, count: int, kind: str) -> list[tuple[float, float]]:
    """Stretches (start, end) of the picture's width, one for each object of a kind, shuffled."""
    ends = np.linspace(0, 1, count + 1)
    gap = 0.0 if kind in ("slope drain", "vegetation") else 0.02
    full = 0.75 if kind == "toe drain" else 0.2
    lanes = []
    for start, end in pairwise(ends):
        width = (end - start - gap) * (1.0 if rng.random() < full else rng.uniform(0.6, 1.0))
        x0 = start + gap / 2 + rng.uniform(0, end - start - gap - width + 1e-6)
        lanes.append((float(x0), float(x0 + width)))
    return [lanes[int(index)] for index in rng.permutation(count)]


def _texture(rng: np.random.Generator, shape: tuple[int, int], grain_px: float, roughness: float = 0.7) -> Array:
    """Noise (h, w), about standard normal, its finest bumps `grain_px` wide."""
    total, weight, scale = np.zeros(shape, dtype=np.float32), 0.0, grain_px
    for octave in range(4):
        total += roughness**octave * noise(rng, shape, (shape[0] / scale, shape[1] / scale))
        weight += roughness ** (2 * octave)
        scale *= 2.3
    return np.asarray(total / np.sqrt(weight), dtype=np.float32)


def _leaves(rng: np.random.Generator, shape: tuple[int, int], day: Day, unit: float) -> Array:
    """Foliage or grass (h, w, 3): coarse bumps lit from the side."""
    bumps = _texture(rng, shape, rng.uniform(1.2, 3.5) * unit)
    lit = 0.42 + 0.16 * bumps + (0.1 + 0.2 * day.light.contrast) * emboss(bumps, day.light)
    return ramp(*day.green, lit)


def _slope(rng: np.random.Generator, day: Day, size_px: int) -> Array:
    """Earth with dry tufts and green, a road above and one below."""
    shape, unit = (size_px, size_px), size_px / 312.0
    fine = _texture(rng, shape, rng.uniform(1.0, 2.2) * unit)
    patches = _texture(rng, shape, rng.uniform(8, 20) * unit)
    rills = noise(rng, shape, (rng.uniform(2, 6), rng.uniform(30, 90)))
    depth = rng.uniform(0.08, 0.22)
    picture = ramp(*day.ground, 0.5 + depth * fine + 0.12 * patches + rng.uniform(0, 0.12) * rills)
    picture *= (1 + 0.25 * day.light.contrast * emboss(fine, day.light))[..., None]
    cover = smoothstep(1.2 - 2.6 * day.lushness, 2.0 - 2.6 * day.lushness, patches + 0.45 * fine)
    blend(picture, _leaves(rng, shape, day, unit), cover * rng.uniform(0.6, 1.0))
    y = np.arange(size_px, dtype=np.float32)[:, None] / size_px
    x = np.arange(size_px, dtype=np.float32)[None] / size_px
    bend = rng.uniform(-0.15, 0.15) * (x - 0.5) + rng.uniform(-0.2, 0.2) * (x - 0.5) ** 2 + 0.006 * fine
    tracks = noise(rng, shape, (size_px / 6, 4))
    road = ramp(*day.road, 0.68 + 0.07 * tracks + 0.08 * fine)
    blend(picture, road, smoothstep(0.015, -0.015, y - bend - rng.uniform(-0.1, 0.2)))
    blend(picture, road, smoothstep(-0.015, 0.015, y - bend - rng.uniform(0.86, 1.1)))
    return picture


def _drain(
    rng: np.random.Generator,
    picture: Array,
    where: tuple[float, float, float],
    condition: str,
    scene: tuple[Day, float],
    level: bool,
) -> BoxXyxy:
    """A drain along the middle `where[0]` from `where[1]` to `where[2]`, upright, or `level` (then x and y swapped)."""
    day, unit = scene
    view = picture.transpose(1, 0, 2) if level else picture
    middle, start, end = where
    half = rng.uniform(1.2, 3.8 if level else 3.2) * unit
    tilt, bend = rng.normal(0, 3.0 * unit), rng.normal(0, (5.0 if level else 2.0) * unit)
    reach = abs(tilt) / 2 + abs(bend) / 4 + half + rng.uniform(1.5, 4.0 if level else 2.5) * unit
    size = view.shape[0]
    x0, x1 = max(0.0, middle - reach), min(float(size), middle + reach)
    spare = int(4 * unit)
    rows = slice(max(0, int(start)), min(size, int(np.ceil(end))))
    columns = slice(max(0, int(x0) - spare), min(size, int(np.ceil(x1)) + spare))
    area = view[rows, columns]
    shape = area.shape[:2]
    along = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    across = np.arange(columns.start, columns.stop, dtype=np.float32)[None] + 0.5
    axis = middle + tilt * (along - 0.5) + bend * (4 * along * (1 - along) - 0.5) / 4
    damaged = condition == "damaged"
    wander = noise(rng, (shape[0], 1), (max(2.0, shape[0] / (rng.uniform(12, 40) * unit)), 2))
    axis = axis + wander * unit * (rng.uniform(0.5, 1.6) if damaged else rng.uniform(0, 0.15))
    before = area.copy()
    _channel(rng, area, across - axis, half, (day, unit), damaged)
    if damaged:
        low, high = sorted(rng.uniform(-0.2, 1.4, 2) + [0, 0.4])
        gone = smoothstep(low, high, noise(rng, (shape[0], 1), (shape[0] / (14 * unit), 2)))
        blend(area, before, np.broadcast_to(gone * rng.uniform(0.5, 1.0), shape))
    if condition == "blocked":
        _fill(rng, area, across - axis, half, (day, unit))
    elif rng.random() < 0.25:
        # A tuft beside a sound or broken drain is no evidence.
        _tuft(rng, area, np.abs(np.abs(across - axis) - half - 3 * unit) + 0 * along, day, unit)
    top, bottom = float(rows.start), float(rows.stop)
    return (top, x0, bottom, x1) if level else (x0, top, x1, bottom)


def _channel(
    rng: np.random.Generator, area: Array, off: Array, half: float, scene: tuple[Day, float], damaged: bool
) -> None:
    """Lips and floor over `off` (h, w), pixels from the axis; worn to a soft trace where damaged."""
    day, unit = scene
    shape = off.shape
    soft = unit * (rng.uniform(1.0, 2.0) if damaged else rng.uniform(0.5, 0.8))
    grain = _texture(rng, shape, 1.5 * unit)
    inside = smoothstep(half + soft, half - soft, np.abs(off))
    if damaged:
        trace = np.array(day.ground[1]) * rng.uniform(0.7, 1.1) if rng.random() < 0.7 else np.array(day.channel)
        tone = trace * (1 + 0.12 * grain)[..., None]
        blend(area, tone, inside * rng.uniform(0.35, 0.9))
        if rng.random() < 0.4:
            blend(
                area, np.array(day.channel) * 0.6, 0.7 * smoothstep(soft, 0.0, np.abs(off - rng.uniform(-1, 1) * half))
            )
        return
    blend(area, np.array(day.channel) * (1 + 0.06 * grain)[..., None], inside)
    lip = rng.uniform(0.5, 1.1) * unit
    for side in (-1, 1):
        lit = 1.0 + 0.25 * day.light.contrast * side * day.light.x
        edge = smoothstep(lip + soft, max(lip - soft, 0.0), np.abs(off - side * half))
        blend(area, np.array(day.concrete) * lit, edge * rng.uniform(0.7, 1.0))
        shade = smoothstep(soft + unit, 0.0, np.abs(off - side * (half - 1.2 * lip)))
        blend(area, np.array(day.channel) * 0.45, shade * rng.uniform(0.2, 0.7))


def _fill(rng: np.random.Generator, area: Array, off: Array, half: float, scene: tuple[Day, float]) -> None:
    """Growth and silt in a drain: long stretches, or a few heaps."""
    day, unit = scene
    shape = off.shape
    length = shape[0]
    near = smoothstep(half + 3.5 * unit, half, np.abs(off))
    heaps = noise(rng, (length, 1), (max(2.0, length / (rng.uniform(14, 60) * unit)), 2))
    ragged = 0.5 * _texture(rng, shape, 2.5 * unit)
    level = rng.uniform(-0.8, 0.6)
    there = smoothstep(level, level + 0.5, heaps + ragged) * near
    if rng.random() < 0.7:
        blend(area, _leaves(rng, shape, day, unit), there)
    else:
        silt = ramp(*day.ground, 0.55 + 0.15 * _texture(rng, shape, 1.5 * unit))
        blend(area, silt, there * rng.uniform(0.75, 1.0))
    _tuft(rng, area, np.abs(off) * 1.0, day, unit)


def _tuft(rng: np.random.Generator, area: Array, off: Array, day: Day, unit: float) -> None:
    """One to three round plants near `off` = 0."""
    length = area.shape[0]
    down = np.arange(length, dtype=np.float32)[:, None]
    leaves = _leaves(rng, area.shape[:2], day, unit)
    for _ in range(int(rng.integers(1, 4))):
        radius = rng.uniform(2.5, 7) * unit
        far = np.sqrt((down - rng.uniform(0, length)) ** 2 + off**2) / radius
        blend(
            area, leaves * rng.uniform(0.6, 1.0), smoothstep(1.1, 0.7, far + 0.12 * _texture(rng, off.shape, 2 * unit))
        )


def _rocks(rng: np.random.Generator, picture: Array, box: BoxXyxy, condition: str, day: Day) -> BoxXyxy:
    """A band of stones: cells of a jittered grid, each with its own tone, lit from the side, dark in the gaps."""
    size = picture.shape[0]
    unit = size / 312.0
    x0, y0, x1, y1 = (float(np.clip(end, 0, size)) for end in box)
    area = picture[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))]
    shape = area.shape[:2]
    stone = rng.uniform(1.8, 4.5) * unit
    bent = 0.25 * stone
    y = np.arange(shape[0], dtype=np.float32)[:, None] + bent * noise(rng, shape, (shape[0] / stone, shape[1] / stone))
    x = np.arange(shape[1], dtype=np.float32)[None] + bent * noise(rng, shape, (shape[0] / stone, shape[1] / stone))
    row = np.floor(y / stone).astype(int)
    x = x + stone * 0.5 * (row % 2)
    column = np.floor(x / stone).astype(int)
    tones = rng.normal(0.0, 1.0, (97, 89)).astype(np.float32)[row % 97, column % 89]
    edge = np.minimum(np.abs(y / stone - row - 0.5), 0.5) ** 2 + (x / stone - column - 0.5) ** 2
    round_ = np.clip(1 - 2.4 * edge, 0, 1)
    lit = 0.3 + 0.4 * round_ + 0.17 * tones + 0.25 * day.light.contrast * emboss(2 * round_, day.light)
    rocks = ramp(*day.stone, lit)
    y_edge = np.minimum(np.arange(shape[0]), np.arange(shape[0])[::-1])[:, None] / unit
    alpha = smoothstep(0.0, 3.0, y_edge + 1.5 * noise(rng, shape, (3, shape[1] / (8 * unit)))) * rng.uniform(0.85, 1.0)
    cover = _texture(rng, shape, rng.uniform(2.5, 7) * unit)
    ground = ramp(*day.ground, 0.5 + 0.16 * _texture(rng, shape, 1.4 * unit))
    if condition == "damaged":
        bare = rng.uniform(-0.9, 0.8)
        blend(rocks, ground, smoothstep(bare, bare + 0.5, cover) * rng.uniform(0.6, 1.0))
        blend(rocks, ground, np.full(shape, rng.uniform(0, 0.45), dtype=np.float32))
        grown = rng.uniform(-0.3, 1.6) - 0.6 * day.lushness
        leaves = _leaves(rng, shape, day, unit) * rng.uniform(0.6, 1.0)
        blend(rocks, leaves, smoothstep(grown, grown + 0.4, _texture(rng, shape, rng.uniform(3, 7) * unit)))
    else:
        blend(rocks, ground, np.full(shape, rng.uniform(0, 0.25), dtype=np.float32))
        if rng.random() < 0.3:
            leaves = _leaves(rng, shape, day, unit)
            blend(rocks, leaves, smoothstep(1.7, 2.1, cover))
    blend(area, rocks, alpha)
    return x0, y0, x1, y1


def _bush(rng: np.random.Generator, picture: Array, lane: tuple[float, float], day: Day, unit: float) -> BoxXyxy:
    """A plant, or a patch of them."""
    size = picture.shape[0]
    width = min(rng.uniform(14, 70) * unit, 0.95 * (lane[1] - lane[0]))
    height = rng.uniform(0.7, 1.5) * width
    x0, y0 = rng.uniform(lane[0], lane[1] - width), rng.uniform(0.12 * size, 0.9 * size - height)
    area = picture[int(y0) : int(y0 + height), int(x0) : int(x0 + width)]
    shape = area.shape[:2]
    y = (np.arange(shape[0], dtype=np.float32)[:, None] + 0.5) / shape[0] * 2 - 1
    x = (np.arange(shape[1], dtype=np.float32)[None] + 0.5) / shape[1] * 2 - 1
    lumps = 0.2 * _texture(rng, shape, width / 12) if rng.random() < 0.7 else 0.7 * _texture(rng, shape, 3 * unit)
    crown = smoothstep(1.0, 0.75, np.sqrt(x**2 + y**2) + lumps)
    shadow = smoothstep(1.0, 0.7, np.sqrt((x + 0.25 * day.light.x) ** 2 + (y + 0.25 * day.light.y) ** 2) + lumps)
    area *= (1 - 0.5 * day.light.contrast * shadow)[..., None]
    side = 1 + 0.25 * day.light.contrast * (x * day.light.x + y * day.light.y)
    blend(area, _leaves(rng, shape, day, unit) * (rng.uniform(0.6, 1.0) * side)[..., None], crown)
    return float(x0), float(y0), float(x0 + width), float(y0 + height)


def _camera(rng: np.random.Generator, picture: Array, day: Day) -> Image.Image:
    """Colour of the light, contrast, lens blur, grain and JPEG."""
    size = picture.shape[0]
    clouds = 1 + 0.05 * fractal(rng, (size, size), (2, 2))
    out = picture * clouds[..., None] * rng.normal(1.0, 0.04, 3)
    grey = out.mean(2, keepdims=True)
    out = grey + (out - grey) * rng.uniform(0.5, 1.25)
    out = 128 + (out - 128) * rng.uniform(0.8, 1.2) + rng.uniform(-18, 22)
    photo = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
    photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.0, 0.9) * size / 312.0))
    if rng.random() < 0.5:
        photo = photo.filter(ImageFilter.UnsharpMask(1.5, int(rng.uniform(30, 160)), 0))
    noisy = np.asarray(photo) + rng.uniform(0, 6) * rng.standard_normal((size, size, 1), dtype=np.float32)
    stored = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(stored, "JPEG", quality=int(rng.uniform(60, 95)))
    return Image.open(stored).convert("RGB")
