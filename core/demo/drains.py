"""Toe drains and slope drains. A drain is painted in its own frame, length down and width across.

The caller hands a transposed view for a drain that lies level, so that one painter serves both. `u` runs from 0 to 1
along the channel; `v` from -1 to 1 across it, lip to lip.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw

from core.boxes import BoxXyxy
from core.demo.canvas import (
    OVERSAMPLE,
    Array,
    Light,
    blend,
    emboss,
    fractal,
    noise,
    ramp,
    smoothstep,
    soften,
    stamp,
    window,
)
from core.demo.styles import RGB, Debris, Material, Style, draw, pick

BODY = 0.88  # the channel's share of the box across: the rest is margin, and space for slabs out of line
LIP, WALL = 0.70, 0.42  # |v| where the lip ends and where the floor begins
DISPLACED_BY = (0.3, 0.55)  # sideways, in half widths
REACH = 0.6  # no corner of a displaced slab moves farther than this, in half widths
TAPER = 0.22  # how much narrower a drain looks at its far end, at most
FULL = 3.0  # height of a heap against the noise that shapes its rim


@dataclass(frozen=True)
class DrainView:
    """The window of one drain in the picture.

    Attributes:
        target: view of the picture, (h, w, 3).
        u: from 0 to 1 along the channel, (h, w).
        v: from -1 to 1 across it, lip to lip, (h, w).
        segment: number of the segment, (h, w).
        segments: how many there are.
        half_px: half of the channel's width.
        light: the sun.
    """

    target: Array
    u: Array
    v: Array
    segment: Array
    segments: int
    half_px: float
    light: Light

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the window."""
        return self.v.shape[0], self.v.shape[1]

    @property
    def length_px(self) -> float:
        """The length of the channel, a segment being about twice as long as half its width."""
        return float(self.segments) * self.half_px * 2.0


def paint_drain(
    rng: np.random.Generator, picture: Array, box: BoxXyxy, condition: str, scene: tuple[Style, Light]
) -> None:
    """Draw one drain that runs down the picture.

    Args:
        rng: decides everything that is not given.
        picture: (S, S, 3), changed in place; transposed, as the box, for a level drain.
        box: of the drain, in pixels.
        condition: "normal", "blocked" or "damaged".
        scene: style and light of the photo.
    """
    style, light = scene
    material = pick(rng, style.materials)
    frame = _frame(rng, picture, box, light)
    damage = pick(rng, style.drain_damages) if condition == "damaged" else ""
    worn = np.random.default_rng(rng.integers(2**32))
    frame, gone = _displace(worn, frame) if damage == "displaced" else (frame, np.zeros(frame.shape, np.float32))
    if damage == "missing":
        gone = _missing(worn, frame)
    elif damage == "collapsed":
        gone = _collapsed(worn, frame)
    body = smoothstep(1.0 + 1.0 / frame.half_px, 1.0 - 1.0 / frame.half_px, np.abs(frame.v)) * _inside(frame)
    _trench(rng, frame, style, body)
    if damage:
        _pit(worn, frame, style, body * gone)
    _channel(rng, frame, material, body * (1.0 - gone))
    if damage:
        _rubble(worn, frame, material, gone)
    if damage == "cracked":
        _cracks(worn, frame, style)
    if condition == "blocked":
        _fill(worn, frame, pick(worn, style.debris))


def _frame(rng: np.random.Generator, picture: Array, box: BoxXyxy, light: Light) -> DrainView:
    """Local coordinates: leaning and slightly bent, narrower at the far end, inside the box."""
    width, length = box[2] - box[0], box[3] - box[1]
    rows, columns, x0, y0 = window(picture.shape[0], box, max(3, int(0.22 * min(width, length))))
    target = picture[rows, columns]
    row = np.arange(target.shape[0], dtype=np.float32)[:, None] + 0.5 + y0
    column = np.arange(target.shape[1], dtype=np.float32)[None, :] + 0.5 + x0
    u = (row - box[1]) / length
    body = BODY * width * draw(rng, (0.82, 0.94))
    lean = draw(rng, (-1.0, 1.0)) * (BODY * width - body)
    bend = lean * (u - 0.5) + 0.03 * width * np.sin(u * draw(rng, (2.0, 5.0)) + draw(rng, (0.0, 6.0)))
    half_px = 0.5 * body
    v = (column - 0.5 * (box[0] + box[2]) - bend) / half_px
    v = v / (1.0 + draw(rng, (0.0, TAPER)) * (u - 0.5))
    segments = max(6, round(length / (body * draw(rng, (1.5, 2.2)))))
    u = np.broadcast_to(u, v.shape).astype(np.float32)
    number = np.clip(np.floor(u * segments), 0, segments - 1).astype(np.float32)
    return DrainView(target, u, v.astype(np.float32), number, segments, half_px, light)


def _inside(frame: DrainView) -> Array:
    """1 between the two ends of the channel."""
    step = 1.5 / frame.shape[0]
    return smoothstep(-step, step, frame.u) * smoothstep(1.0 + step, 1.0 - step, frame.u)


def _trench(rng: np.random.Generator, frame: DrainView, style: Style, body: Array) -> None:
    """Disturbed earth beside the channel, and the shade the lip throws on it."""
    halo = soften(body, max(1.0, 0.35 * frame.half_px)) * (0.5 + 0.2 * noise(rng, frame.shape, (12, 6)))
    blend(frame.target, style.soil[0], 0.9 * halo)


def _channel(rng: np.random.Generator, frame: DrainView, material: Material, alpha: Array) -> None:
    """The sound channel: profile, shade, joints, stains."""
    across, side = np.abs(frame.v), np.sign(frame.v)
    toward_sun = frame.v * frame.light.x
    contrast = frame.light.contrast
    if material.profile == "round":
        colour = ramp(material.floor, material.wall, across * 1.2)
        shade = 1.0 - (0.25 + 0.3 * contrast) * toward_sun * (across < LIP)
    else:
        colour = ramp(material.floor, material.wall, smoothstep(WALL - 0.06, WALL + 0.06, across))
        on_wall = smoothstep(WALL - 0.06, WALL + 0.06, across) * (across < LIP)
        shade = 1.0 - (0.2 + 0.25 * contrast) * on_wall * side * frame.light.x
        # The wall on the sun's side shades part of the floor.
        shade -= 0.3 * contrast * smoothstep(0.05, 0.35, toward_sun) * (across < WALL)
    edge = 1.2 / frame.half_px
    lip = smoothstep(LIP - edge, LIP + edge, across)
    colour = colour + (np.asarray(material.lip, dtype=np.float32) - colour) * lip[..., None]
    shade = shade + (1.0 - shade) * lip
    shade *= 1.0 + 0.035 * noise(rng, frame.shape, (frame.shape[0] / 3, frame.shape[1] / 3))
    shade *= _pattern(rng, frame, material)
    streak = smoothstep(0.1, 1.6, noise(rng, frame.shape, (5, 7)) + 0.5 * noise(rng, frame.shape, (24, 6)))
    shade *= 1.0 - 0.4 * material.stain * streak
    blend(frame.target, colour * shade[..., None], alpha)


def _pattern(rng: np.random.Generator, frame: DrainView, material: Material) -> Array:
    """Brightness (h, w) of joints, and of bricks or stones that differ from their neighbours."""
    per_segment = 1.0 + 0.05 * rng.standard_normal(frame.segments)
    tone: Array = per_segment[frame.segment.astype(int)].astype(np.float32)
    phase = frame.u * frame.segments % 1.0
    if material.pattern == "pipe":
        return np.asarray(tone * (1.0 - 0.28 * material.joint * smoothstep(0.82, 1.0, phase)) * (0.94 + 0.1 * phase))
    if material.pattern in ("brick", "stone"):
        courses = 4.0 if material.pattern == "brick" else 2.0
        row = np.floor(frame.u * frame.segments * courses)
        column = np.floor(frame.v * 2.5 + 0.5 * (row % 2))
        table = rng.standard_normal(509).astype(np.float32)
        cell = table[(row * 31 + column * 17).astype(int) % 509]
        tone = tone * (1.0 + (0.08 if material.pattern == "brick" else 0.14) * material.joint * cell)
    gap = 1.3 / (2.0 * frame.half_px)
    return np.asarray(tone * (1.0 - 0.6 * material.joint * smoothstep(gap, 0.3 * gap, np.minimum(phase, 1.0 - phase))))


def _runs(rng: np.random.Generator, frame: DrainView, share: float, pieces: int) -> Array:
    """A profile (h, w) along the channel, 1 inside `pieces` stretches that cover about `share` of it."""
    out = np.zeros(frame.shape, dtype=np.float32)
    for piece in range(pieces):
        length = min(share / pieces * draw(rng, (0.7, 1.3)), 1.0 / pieces)
        space = max(0.0, 1.0 / pieces - length)
        start = piece / pieces + draw(rng, (0.0, space)) if space else piece / pieces
        centre, half = start + length / 2, length / 2
        out = np.maximum(out, smoothstep(half, half - 0.035, np.abs(frame.u - centre)))
    return out


def _fill(rng: np.random.Generator, frame: DrainView, debris: Debris) -> None:
    """Sediment, litter or weeds over most of the channel, lip to lip where it is deepest."""
    scale = frame.half_px / 2.2
    cells = (frame.shape[0] / scale, frame.shape[1] / scale)
    heap = fractal(rng, frame.shape, (cells[0] / 2, cells[1] / 2)) * (0.3 + 0.5 * debris.lumps)
    ends = 0.07 * noise(rng, frame.shape, (frame.segments * 1.5, 3)) + 0.04 * frame.v
    runs = _runs(rng, replace(frame, u=frame.u + ends), draw(rng, (0.7, 0.92)), int(rng.integers(1, 3)))
    swell = 0.5 * noise(rng, frame.shape, (frame.segments * 0.8, 2))
    # What is not buried still carries a film of silt, as it would.
    film = smoothstep(1.0, 0.3, np.abs(frame.v)) * (0.42 + 0.12 * heap) * _inside(frame)
    blend(frame.target, debris.dark, film)
    level = FULL * runs - 1.3 + 0.8 * heap + swell - 1.7 * np.abs(frame.v) ** 3
    alpha = smoothstep(-0.2, 0.4, level) * _inside(frame)
    grains = noise(rng, frame.shape, (frame.shape[0] / 1.8, frame.shape[1] / 1.8))
    colour = ramp(debris.dark, debris.light, 0.5 + 0.3 * heap + 0.14 * grains)
    relief = emboss(1.3 * heap + 0.35 * debris.lumps * grains, frame.light)
    colour *= (1.0 + 0.35 * relief)[..., None]
    frame.target[:] *= (1.0 - 0.3 * soften(alpha, 1.5) * (1.0 - alpha))[..., None]
    blend(frame.target, colour, alpha)
    if debris.lumps > 0.4:
        _flecks(rng, frame, debris, alpha)
    if debris.sprouts:
        _sprouts(rng, frame, debris, alpha)


def _spots(rng: np.random.Generator, alpha: Array, count: int) -> list[tuple[float, float]]:
    """Up to `count` places (x, y) in px where alpha (h, w) is high."""
    where = np.argwhere(alpha > 0.6)
    if not len(where):
        return []
    return [(float(x), float(y)) for y, x in where[rng.integers(len(where), size=count)]]


def _flecks(rng: np.random.Generator, frame: DrainView, debris: Debris, alpha: Array) -> None:
    """Leaves and twigs lying on the heap."""
    layer, brush = _layer(frame)
    radius = max(1.2, 0.11 * frame.half_px) * OVERSAMPLE
    for x, y in _spots(rng, alpha, int(1.6 * frame.length_px / frame.half_px * debris.lumps * 4)):
        colour = debris.flecks[int(rng.integers(len(debris.flecks)))]
        a, b = radius * draw(rng, (0.6, 1.3)), radius * draw(rng, (0.4, 0.9))
        cx, cy = x * OVERSAMPLE, y * OVERSAMPLE
        brush.ellipse((cx - a, cy - b, cx + a, cy + b), fill=(*colour, 230))
    stamp(frame.target, layer)


def _sprouts(rng: np.random.Generator, frame: DrainView, debris: Debris, alpha: Array) -> None:
    """Weeds rooted in the sediment: little tufts, dark below and bright towards the sun."""
    layer, brush = _layer(frame)
    reach = max(2.0, 0.36 * frame.half_px) * OVERSAMPLE
    for x, y in _spots(rng, alpha, int(frame.length_px / frame.half_px * 2.2 * debris.sprouts) + 2):
        _tuft(rng, brush, (x * OVERSAMPLE, y * OVERSAMPLE, reach * draw(rng, (0.6, 1.2))), debris.sprout, frame.light)
    stamp(frame.target, layer)


def _tuft(
    rng: np.random.Generator, brush: ImageDraw.ImageDraw, spot: tuple[float, float, float], colour: RGB, light: Light
) -> None:
    x, y, reach = spot
    for step in range(14):
        angle, far = draw(rng, (0.0, 6.283)), reach * draw(rng, (0.1, 0.85)) * (1.0 - 0.3 * step / 14)
        px = x + far * np.cos(angle) + 0.3 * reach * light.x * step / 14
        py = y + far * np.sin(angle) + 0.3 * reach * light.y * step / 14
        tone = (0.55 + 0.6 * step / 14) * draw(rng, (0.9, 1.1))
        r = reach * draw(rng, (0.16, 0.3))
        brush.ellipse((px - r, py - r, px + r, py + r), fill=(*_toned(colour, tone), 255))


def _toned(colour: RGB, tone: float) -> RGB:
    r, g, b = (int(min(255, channel * tone)) for channel in colour)
    return r, g, b


def _layer(frame: DrainView) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    height, width = frame.shape
    layer = Image.new("RGBA", (width * OVERSAMPLE, height * OVERSAMPLE), (0, 0, 0, 0))
    return layer, ImageDraw.Draw(layer)


def _displace(rng: np.random.Generator, frame: DrainView) -> tuple[DrainView, Array]:
    """Slabs pushed out of line and turned, with open ground between them: the new frame, and what is gone."""
    count = frame.segments
    moved = rng.random(count) < 0.6
    moved[rng.permutation(count)[: count // 2]] = True  # never by luck a sound one
    side = np.where(rng.random(count) < 0.5, -1.0, 1.0)
    shift = moved * side * rng.uniform(*DISPLACED_BY, count)
    turn = moved * side * np.minimum(rng.uniform(0.2, 0.9, count), 2.0 * (REACH - np.abs(shift)))
    number = frame.segment.astype(int)
    phase = frame.u * count - frame.segment
    v = 1.08 * frame.v - shift[number] - turn[number] * (phase - 0.5)
    opening = (moved * rng.uniform(0.14, 0.3, count))[number]
    gone = smoothstep(opening, opening - 0.08, phase) * (opening > 0)
    return replace(frame, v=v.astype(np.float32)), gone.astype(np.float32)


def _missing(rng: np.random.Generator, frame: DrainView) -> Array:
    """Stretches without any channel left, with torn ends."""
    runs = _runs(rng, frame, draw(rng, (0.35, 0.55)), int(rng.integers(2, 4)))
    ragged = noise(rng, frame.shape, (frame.shape[0] / frame.half_px * 2, 5))
    return smoothstep(0.35, 0.65, runs + 0.12 * ragged)


def _collapsed(rng: np.random.Generator, frame: DrainView) -> Array:
    """Lips and walls bitten away from one side or the other over most of the length."""
    bite = noise(rng, frame.shape, (frame.segments * 0.9, 2)) + 0.6 * noise(rng, frame.shape, (frame.segments * 3, 6))
    side = np.sign(noise(rng, (frame.shape[0], 1), (frame.segments * 0.6, 2)))
    runs = _runs(rng, frame, draw(rng, (0.65, 0.85)), 2)
    return smoothstep(0.45, 0.75, 0.6 * frame.v * side + 0.35 * bite + 0.9 * runs - 0.25)


def _pit(rng: np.random.Generator, frame: DrainView, style: Style, alpha: Array) -> None:
    """Washed-out earth where the channel is gone, darkest under its sunlit side."""
    lumps = fractal(rng, frame.shape, (frame.shape[0] / frame.half_px * 2, 5))
    colour = ramp(style.soil[0], style.soil[1], 0.35 + 0.25 * lumps)
    depth = 0.8 - (0.25 + 0.4 * frame.light.contrast) * frame.v * frame.light.x + 0.25 * emboss(lumps, frame.light)
    rim = soften(1.0 - alpha, max(1.0, 0.18 * frame.half_px)) * alpha
    depth *= 1.0 - 0.7 * np.clip(1.6 * rim, 0.0, 1.0)
    blend(frame.target, colour * depth[..., None], alpha)


def _rubble(rng: np.random.Generator, frame: DrainView, material: Material, gone: Array) -> None:
    """Broken pieces of the channel lying where it failed."""
    layer, brush = _layer(frame)
    spots = _spots(rng, gone * (np.abs(frame.v) < 0.95) * _inside(frame), int(frame.segments * 2.5))
    for x, y in spots:
        reach = frame.half_px * OVERSAMPLE * draw(rng, (0.1, 0.3))
        turn = draw(rng, (0.0, 6.283))
        corners = turn + np.sort(rng.uniform(0.0, 6.283, 5))
        outline = np.stack([x * OVERSAMPLE + reach * np.cos(corners), y * OVERSAMPLE + reach * np.sin(corners)], 1)
        lift = np.array([frame.light.x, frame.light.y]) * -0.35 * reach
        brush.polygon([tuple(p) for p in outline + lift], fill=(20, 16, 12, 130))
        brush.polygon([tuple(p) for p in outline], fill=(*_toned(material.lip, draw(rng, (0.75, 1.05))), 255))
    stamp(frame.target, layer)


def _cracks(rng: np.random.Generator, frame: DrainView, style: Style) -> None:
    """Wide jagged cracks from lip to lip and along the floor, and lips spalled off to the earth."""
    spall = noise(rng, frame.shape, (frame.segments * 1.6, 5)) + 0.5 * noise(rng, frame.shape, (frame.segments * 5, 8))
    runs = _runs(rng, frame, 0.75, 2)
    lost = smoothstep(0.35, 0.7, spall * 0.7 + 0.9 * (np.abs(frame.v) - 0.62)) * runs * (np.abs(frame.v) < 1.05)
    blend(frame.target, np.asarray(style.soil[0]) * 0.75, lost * _inside(frame))
    layer, brush = _layer(frame)
    half, width = frame.half_px * OVERSAMPLE, frame.shape[1] * OVERSAMPLE
    thick = max(2.0, 0.16 * half)
    for _ in range(max(4, round(frame.segments * 0.9))):
        y = draw(rng, (0.06, 0.94)) * frame.shape[0] * OVERSAMPLE
        slant = draw(rng, (-0.8, 0.8))
        across = np.linspace(-0.95, 0.95, 7)
        jag = rng.normal(0.0, 0.2, 7)
        points = [(width / 2 + a * half, y + (a * slant + j) * half) for a, j in zip(across, jag, strict=True)]
        brush.line(points, fill=(26, 22, 18, 235), width=round(thick * draw(rng, (0.6, 1.3))), joint="curve")
        branch = points[int(rng.integers(2, 5))]
        end = (branch[0] + draw(rng, (-0.5, 0.5)) * half, branch[1] + draw(rng, (0.8, 1.6)) * half)
        brush.line([branch, end], fill=(26, 22, 18, 220), width=max(1, round(thick * 0.6)))
    stamp(frame.target, layer)
