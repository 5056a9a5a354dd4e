"""Rock toes and plants: many small shapes, drawn oversampled from the shaded ones below to the sunlit ones on top."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from core.boxes import BoxXyxy
from core.demo.canvas import (
    OVERSAMPLE,
    Array,
    Light,
    blend,
    cast_shadow,
    emboss,
    fractal,
    noise,
    ramp,
    smoothstep,
    soften,
    stamp,
    window,
)
from core.demo.styles import RockStyle, ShrubStyle, Style, draw, pick

ANGULAR = np.array([1.0, 0.75, 1.05, 0.8, 1.1, 0.7, 0.95])  # corner distances of a broken stone
FINEST_STONE_PX = 3.4
STRAY = 0.05  # share of stones left lying where the rest is gone


@dataclass(frozen=True)
class Patch:
    """The window of one object in the picture.

    Attributes:
        target: view of the picture, (h, w, 3).
        x: from 0 to 1 over the width of the box, (h, w).
        y: from 0 to 1 over its height, (h, w).
        layer: RGBA, OVERSAMPLE times as large as the window.
        brush: draws on the layer.
        origin_px: (x, y) of the box in the window.
        size_wh: width and height of the box, in pixels.
    """

    target: Array
    x: Array
    y: Array
    layer: Image.Image
    brush: ImageDraw.ImageDraw
    origin_px: tuple[float, float]
    size_wh: tuple[float, float]

    def on_layer(self, x: float, y: float) -> tuple[float, float]:
        """Pixel coordinates on the layer of a place of the box, 0 to 1 each."""
        return (
            (self.origin_px[0] + x * self.size_wh[0]) * OVERSAMPLE,
            (self.origin_px[1] + y * self.size_wh[1]) * OVERSAMPLE,
        )


def _patch(picture: Array, box: BoxXyxy, margin_px: int) -> Patch:
    rows, columns, left, top = window(picture.shape[0], box, margin_px)
    target = picture[rows, columns]
    height, width = target.shape[:2]
    origin, size = (box[0] - left, box[1] - top), (box[2] - box[0], box[3] - box[1])
    x = (np.arange(width, dtype=np.float32)[None, :] + 0.5 - origin[0]) / size[0]
    y = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - origin[1]) / size[1]
    layer = Image.new("RGBA", (width * OVERSAMPLE, height * OVERSAMPLE), (0, 0, 0, 0))
    shape = (height, width)
    return Patch(
        target,
        np.broadcast_to(x, shape).astype(np.float32),
        np.broadcast_to(y, shape).astype(np.float32),
        layer,
        ImageDraw.Draw(layer),
        origin,
        size,
    )


def paint_rock_toe(
    rng: np.random.Generator, picture: Array, box: BoxXyxy, condition: str, scene: tuple[Style, Light]
) -> None:
    """Draw a band of stones, tightly packed when sound.

    Args:
        rng: decides everything that is not given.
        picture: (S, S, 3), changed in place.
        box: of the band, in pixels.
        condition: "normal" or "damaged".
        scene: style and light of the photo.
    """
    style, light = scene
    rock = pick(rng, style.rocks)
    patch = _patch(picture, box, 4)
    damage = pick(rng, style.rock_damages) if condition == "damaged" else ""
    worn = np.random.default_rng(rng.integers(2**32))
    wobble = 0.07 * noise(rng, (1, patch.x.shape[1]), (2, 9))
    stones = _stones(rng, patch, rock, wobble)
    edge = wobble * np.abs(2.0 * patch.y - 1.0) + 0.03 * noise(rng, (patch.x.shape[0], patch.x.shape[1]), (4, 40))
    band = smoothstep(0.0, 0.08, patch.y - edge) * smoothstep(1.0, 0.92, patch.y - edge)
    band = band * smoothstep(0.0, 0.02, patch.x + 0.1 * edge) * smoothstep(1.0, 0.98, patch.x + 0.1 * edge)
    lost = _lost(worn, patch, damage)
    blend(patch.target, style.soil[0], 0.7 * soften(band, 4.0))
    blend(patch.target, rock.gap, 0.92 * band * (1.0 - lost))
    if damage:
        _bare(worn, patch, style, light, band * lost)
    column = np.clip(patch.origin_px[0] + stones[:, 0] * patch.size_wh[0], 0, lost.shape[1] - 1).astype(int)
    row = np.clip(patch.origin_px[1] + stones[:, 1] * patch.size_wh[1], 0, lost.shape[0] - 1).astype(int)
    stays = lost[row, column] < 0.5
    if damage:
        stays |= worn.random(len(stones)) < STRAY
    _draw_stones(rng, patch, stones[stays], rock, light)
    stamp(patch.target, patch.layer)
    if rock.overgrown:
        grown = smoothstep(1.1, 1.6, noise(rng, lost.shape, (5, 18)) + 6.0 * (rock.overgrown - 0.1)) * band
        blade = 0.5 + 0.25 * noise(rng, lost.shape, (lost.shape[0] / 2, lost.shape[1] / 2))
        blend(patch.target, ramp(*style.lush, blade), 0.6 * grown * (1.0 - lost))


def _stones(rng: np.random.Generator, patch: Patch, rock: RockStyle, wobble: Array) -> Array:
    """A packed, jittered lattice of stones (n, 3): x, y over the box and radius in px; upper rows first."""
    width, height = patch.size_wh
    pitch = max(FINEST_STONE_PX, draw(rng, rock.stone_size) * height)
    rows, columns = max(3, round(height / (0.8 * pitch))), max(4, round(width / pitch))
    row, column = np.divmod(np.arange(rows * (columns + 1)), columns + 1)
    inside = column + 0.5 * (row % 2) <= columns
    row, column = row[inside], column[inside]
    x = (column + 0.5 * (row % 2) + rng.uniform(-0.24, 0.24, row.size)) / columns
    x = np.clip(x, rng.uniform(0.2, 0.7, rows)[row] / columns, 1.0 - rng.uniform(0.2, 0.7, rows)[row] / columns)
    y = (row + 0.5 + rng.uniform(-0.22, 0.22, row.size)) / rows
    place = np.clip((patch.origin_px[0] + x * width).astype(int), 0, wobble.size - 1)
    y = np.clip(y + wobble.ravel()[place] * np.abs(2.0 * y - 1.0), 0.04, 0.96)
    return np.stack([x, y, 0.5 * pitch * rng.uniform(0.85, 1.2, row.size)], axis=1).astype(np.float32)


def _draw_stones(rng: np.random.Generator, patch: Patch, stones: Array, rock: RockStyle, light: Light) -> None:
    """Each stone (x, y, radius): its shade, its body, and a face towards the sun."""
    count = len(stones)
    origin, size = np.asarray(patch.origin_px), np.asarray(patch.size_wh)
    centres = (origin + stones[:, :2] * size)[:, None, :] * OVERSAMPLE
    reach = stones[:, 2] * OVERSAMPLE
    angles = np.arange(7) * (6.283 / 7) + rng.uniform(0.0, 6.283, (count, 1))
    corners = ANGULAR[(np.arange(7) + rng.integers(7, size=(count, 1))) % 7]
    spread = (rock.roundness + (1.0 - rock.roundness) * corners) * reach[:, None]
    outlines = np.stack([np.cos(angles) * 1.12 * spread, np.sin(angles) * 0.88 * spread], axis=2)
    tones = np.asarray(rock.tones)[rng.integers(len(rock.tones), size=count)] * rng.uniform(0.84, 1.1, (count, 1))
    sun = np.array([light.x, light.y]) * reach[:, None, None]
    layers = []
    for shift, scale, tone in ((-0.16, 1.05, 0.45), (0.0, 1.0, 0.9), (0.14, 0.62, 1.0 + 0.2 * light.contrast)):
        points = (outlines * scale + sun * shift + centres).reshape(count, 14).tolist()
        layers.append((points, np.clip(tones * tone, 0, 255).astype(int).tolist()))
    for index in range(count):
        for points, colours in layers:
            patch.brush.polygon(points[index], fill=(*colours[index], 255))


def _lost(rng: np.random.Generator, patch: Patch, damage: str) -> Array:
    """Where the stones are gone (h, w): nowhere, in holes, above a slump, or nearly everywhere."""
    shape = (patch.x.shape[0], patch.x.shape[1])
    if not damage:
        return np.zeros(shape, dtype=np.float32)
    aspect = patch.size_wh[0] / patch.size_wh[1]
    if damage == "gaps":
        holes = noise(rng, shape, (3, 2.2 * aspect)) + 0.3 * noise(rng, shape, (7, 7 * aspect))
        return smoothstep(-0.05, 0.05, holes - np.quantile(holes, draw(rng, (0.4, 0.52))))
    if damage == "slumped":
        scarp = 0.56 + 0.2 * noise(rng, (1, shape[1]), (2, 1.6 * aspect)) + 0.05 * noise(rng, shape, (6, 6 * aspect))
        return smoothstep(0.03, -0.03, patch.y - np.clip(scarp, 0.38, 0.82))
    sparse = noise(rng, shape, (4, 4.5 * aspect)) + 0.3 * noise(rng, shape, (10, 10 * aspect))
    return smoothstep(-0.1, 0.1, sparse - np.quantile(sparse, draw(rng, (0.28, 0.38))))


def _bare(rng: np.random.Generator, patch: Patch, style: Style, light: Light, alpha: Array) -> None:
    """Soil where stones once lay, with rills, and a dark rim below what still stands."""
    shape = (alpha.shape[0], alpha.shape[1])
    lumps = fractal(rng, shape, (shape[0] / 9, shape[1] / 7)) + 0.6 * noise(rng, shape, (2, shape[1] / 6))
    colour = ramp(style.soil[0], style.soil[1], 0.55 + 0.22 * lumps)
    colour *= (1.0 + 0.5 * emboss(lumps, light))[..., None]
    blend(patch.target, colour, 0.95 * alpha)
    rim = soften(1.0 - alpha, 2.0) * alpha
    patch.target[:] *= (1.0 - 0.45 * np.clip(rim * 2.0, 0, 1))[..., None]


def paint_vegetation(rng: np.random.Generator, picture: Array, box: BoxXyxy, scene: tuple[Style, Light]) -> None:
    """Draw one shrub, tussock group or creeping patch that fills the box, with the shadow it casts.

    Args:
        rng: decides everything that is not given.
        picture: (S, S, 3), changed in place.
        box: of the plant, in pixels.
        scene: style and light of the photo.
    """
    style, light = scene
    shrub = pick(rng, style.shrubs)
    patch = _patch(picture, box, int(0.15 * min(box[2] - box[0], box[3] - box[1])) + 3)
    paint = {"round": _dome, "tussock": _tussocks, "creeper": _creeper}[shrub.kind]
    paint(rng, patch, shrub, light)
    height, width = patch.x.shape
    mask = np.asarray(patch.layer.getchannel("A").resize((width, height), Image.Resampling.BOX), np.float32) / 255.0
    tall = {"round": 0.14, "tussock": 0.08, "creeper": 0.04}[shrub.kind]
    cast_shadow(patch.target, mask, light, tall * min(patch.size_wh))
    stamp(patch.target, patch.layer)


def _leaves(
    rng: np.random.Generator,
    patch: Patch,
    shrub: ShrubStyle,
    spots: list[tuple[float, float, float]],
    radius: tuple[float, float],
) -> None:
    """Dabs at (x, y) with brightness 0 to 1; radius range in px."""
    places = np.asarray(spots)
    first, step = np.asarray(shrub.dark, float), np.asarray(shrub.light, float) - np.asarray(shrub.dark, float)
    tones = (first + step * places[:, 2:]) * rng.uniform(0.88, 1.12, (len(places), 1))
    r = np.maximum(1.0, rng.uniform(*radius, (len(places), 1))) * OVERSAMPLE * np.array([1.0, 0.8])
    centres = (np.asarray(patch.origin_px) + places[:, :2] * np.asarray(patch.size_wh)) * OVERSAMPLE
    corners = np.concatenate([centres - r, centres + r], axis=1).tolist()
    for corner, colour in zip(corners, np.clip(tones, 0, 255).astype(int).tolist(), strict=True):
        patch.brush.ellipse(corner, fill=(*colour, 255))


def _dome(rng: np.random.Generator, patch: Patch, shrub: ShrubStyle, light: Light) -> None:
    """Leafy heads of different height, each darker away from the sun."""
    size = min(patch.size_wh)
    # Four heads reach the sides of the box, so that the box is tight; the others stand where they like.
    heads = [(draw(rng, (0.4, 0.6)), draw(rng, (0.4, 0.6)), 0.34)]
    for side_x, side_y in ((0.22, 0.0), (0.78, 0.0), (0.0, 0.22), (0.0, 0.78)):
        heads.append((side_x or draw(rng, (0.3, 0.7)), side_y or draw(rng, (0.3, 0.7)), 0.22))
    heads += [(draw(rng, (0.3, 0.7)), draw(rng, (0.3, 0.7)), draw(rng, (0.14, 0.24))) for _ in range(3)]
    spots = []
    for hx, hy, reach in heads:
        for _ in range(int(240 * reach)):
            angle, far = draw(rng, (0.0, 6.283)), reach * np.sqrt(rng.random())
            dx, dy = far * np.cos(angle), far * np.sin(angle)
            facing = (dx * light.x + dy * light.y) / reach
            height = 0.42 + 0.5 * facing * (0.5 + 0.5 * light.contrast) + 0.12 * rng.standard_normal()
            spots.append((hx + dx, hy + dy, float(np.clip(height, 0.0, 1.1))))
    spots.sort(key=lambda spot: spot[2])  # sunlit leaves lie on top
    _leaves(rng, patch, shrub, spots, (0.025 * size, 0.055 * size))


def _tussocks(rng: np.random.Generator, patch: Patch, shrub: ShrubStyle, light: Light) -> None:
    """Clumps of arching blades, dark at the heart and pale at the tips."""
    size = min(patch.size_wh)
    clumps = [(0.5, 0.6, 0.5), (0.25, 0.7, 0.32), (0.76, 0.68, 0.32), (0.35, 0.35, 0.32), (0.68, 0.33, 0.3)]
    for cx, cy, reach in clumps:
        for blade in range(46):
            angle = draw(rng, (0.0, 6.283))
            far = reach * draw(rng, (0.55, 1.0))
            tip = (cx + far * np.cos(angle), cy - 0.15 * reach + far * np.sin(angle) * 0.85)
            bend = (cx + 0.45 * far * np.cos(angle), cy - 0.18 * reach + 0.45 * far * np.sin(angle))
            facing = np.cos(angle) * light.x + np.sin(angle) * light.y
            t = np.clip(0.15 + 0.6 * blade / 46 + 0.22 * facing, 0.0, 1.0)
            base = np.asarray(shrub.dark, float) + (np.asarray(shrub.light, float) - np.asarray(shrub.dark, float)) * t
            tips = base if rng.random() < 0.6 else np.asarray(shrub.accent, float)
            points = [patch.on_layer(float(px), float(py)) for px, py in ((cx, cy), bend, tip)]
            width = max(1, round(0.028 * size * OVERSAMPLE))
            patch.brush.line(points[:2], fill=(*(int(c) for c in base), 255), width=width + 1)
            patch.brush.line(points[1:], fill=(*(int(c) for c in tips), 255), width=width)


def _creeper(rng: np.random.Generator, patch: Patch, shrub: ShrubStyle, light: Light) -> None:
    """A low mat with a ragged edge: small leaves, a few in bloom or withered."""
    size = min(patch.size_wh)
    lobes = rng.uniform(0.7, 1.1, 13)
    spots = []
    for _ in range(420):
        angle = draw(rng, (0.0, 6.283))
        edge = 0.5 * np.interp(angle, np.linspace(0.0, 6.283, 14), np.append(lobes, lobes[0]))
        far = edge * np.sqrt(rng.random())
        dx, dy = far * np.cos(angle), far * np.sin(angle)
        t = 0.45 + 0.25 * (dx * light.x + dy * light.y) / edge + 0.22 * rng.standard_normal()
        spots.append((0.5 + dx, 0.5 + dy, float(np.clip(t, 0.0, 1.1))))
    spots.sort(key=lambda spot: spot[2])
    _leaves(rng, patch, shrub, spots, (0.025 * size, 0.05 * size))
    blossoms = ShrubStyle(shrub.kind, shrub.accent, shrub.accent, shrub.accent)
    _leaves(rng, patch, blossoms, [spots[int(i)] for i in rng.integers(120, 420, 26)], (0.015 * size, 0.03 * size))
