"""The slope itself: sky, crest road, grass and soil, and at the end the air and the camera in front of it all."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from core.demo.canvas import Array, Light, blend, emboss, fractal, noise, ramp, smoothstep
from core.demo.styles import Style, draw

CREST_Y = (0.11, 0.17)  # where the slope begins, of the picture's height
FOOT_Y = (0.915, 0.96)  # where the track below the toe begins
FAR_END = 0.2
FORESHORTEN = 0.75  # below 1: grass looks finer towards the crest
REFERENCE_PX = 448.0  # picture size at which blur is given


def sunlight(rng: np.random.Generator, style: Style) -> Light:
    """The sun of one photo, within what its style allows."""
    azimuth = np.deg2rad(draw(rng, style.sun_azimuth_deg))
    return Light(float(np.cos(azimuth)), float(-np.sin(azimuth)), draw(rng, style.sun_contrast))


def paint_ground(rng: np.random.Generator, style: Style, light: Light, size_px: int) -> Array:
    """An empty slope (size, size, 3), no objects yet.

    Args:
        rng: draws.
        style: palettes and materials.
        light: where the sun stands.
        size_px: the side of the picture.
    """
    shape = (size_px, size_px)
    x = np.linspace(0.0, 1.0, size_px, dtype=np.float32)[None, :]
    y = np.linspace(0.0, 1.0, size_px, dtype=np.float32)[:, None]
    picture = _turf(rng, style, light, size_px)
    wobble = 0.012 * noise(rng, (1, size_px), (2, 5)) + draw(rng, (-0.04, 0.04)) * (x - 0.5)
    edge = 0.006 * noise(rng, shape, (size_px / 8, size_px / 5))
    _road(picture, style, smoothstep(0.012, -0.012, y - wobble - edge - draw(rng, CREST_Y)), rng)
    foot = smoothstep(-0.012, 0.012, y - wobble - edge - draw(rng, FOOT_Y))
    _road(picture, style, foot * draw(rng, (0.3, 1.0)), rng)
    top = int(FAR_END * size_px)  # nothing distant lies lower: no need to blend the whole picture
    _distance(picture[:top], style, (y - wobble - draw(rng, style.horizon))[:top], rng)
    return picture


def _turf(rng: np.random.Generator, style: Style, light: Light, size_px: int) -> Array:
    """Grass between lush and dry, worn to soil in patches and streaks that run down the slope."""
    shape = (size_px, size_px)
    season = draw(rng, style.dryness) + 0.2 * fractal(rng, shape, (5, 5))
    away = ((size_px - 1) * np.linspace(0.0, 1.0, size_px) ** FORESHORTEN).astype(int)
    fine = noise(rng, shape, (size_px / 1.6, size_px / 1.6))[away]
    tufts = noise(rng, shape, (size_px / 8, size_px / 5))[away]
    blade = 0.5 + 0.16 * fine + 0.1 * tufts
    picture = ramp(*style.lush, blade)
    picture += (ramp(*style.dry, blade) - picture) * np.clip(season, 0.0, 1.0)[..., None]
    bare = draw(rng, style.bareness)
    rills = noise(rng, shape, (3, draw(rng, (24, 44))))
    patches = fractal(rng, shape, (4, 7)) + 0.45 * rills + 0.3 * tufts
    earth = smoothstep(1.7 - 2.2 * bare, 2.7 - 2.2 * bare, patches)
    blend(picture, ramp(*style.soil, 0.5 + 0.22 * tufts + 0.12 * fine), 0.85 * earth)
    relief = emboss(0.3 * fine + 0.6 * tufts, light)
    grade = 1.0 + 0.05 * rills + 0.06 * noise(rng, shape, (3, 3))
    picture *= (grade * (1.0 + (0.14 + 0.2 * light.contrast) * relief))[..., None]
    clumps = smoothstep(1.5, 2.1, noise(rng, shape, (size_px / 12, size_px / 11)) + 0.35 * fine) * (1.0 - earth)
    blend(picture, np.asarray(style.lush[0]) * 0.85, 0.45 * clumps)
    return picture


def _road(picture: Array, style: Style, alpha: Array, rng: np.random.Generator) -> None:
    """Gravel with wheel tracks along it."""
    size_px = picture.shape[0]
    tracks = noise(rng, (size_px, size_px), (26, 3))
    grit = noise(rng, (size_px, size_px), (size_px / 2, size_px / 2))
    tone = 1.0 + 0.05 * tracks + 0.045 * grit
    blend(picture, np.asarray(style.road, dtype=np.float32) * tone[..., None], alpha)


def _distance(picture: Array, style: Style, below_horizon: Array, rng: np.random.Generator) -> None:
    """Trees and sky beyond the crest; nothing when the horizon lies above the picture."""
    rows, size_px = picture.shape[:2]
    crowns = 0.012 * np.abs(fractal(rng, (1, size_px), (2, 30)))
    tone = 1.0 + 0.12 * noise(rng, (rows, size_px), (rows / 3, size_px / 4))
    far = np.asarray(style.far, dtype=np.float32) * tone[..., None]
    blend(picture, far, smoothstep(0.022, 0.008, below_horizon))
    sky = ramp(style.sky[0], style.sky[1], 1.0 + 10.0 * below_horizon)
    blend(picture, np.broadcast_to(sky, picture.shape), smoothstep(0.002, -0.006, below_horizon + crowns))


def develop(rng: np.random.Generator, style: Style, light: Light, picture: Array) -> Image.Image:
    """The photo of a picture: uneven light, thin cloud shadow, haze above, then lens blur and sensor noise.

    Args:
        rng: decides everything that is not given.
        style: of the photo.
        light: the sun.
        picture: (S, S, 3) with all objects.
    """
    size_px = picture.shape[0]
    x = np.linspace(-1.0, 1.0, size_px, dtype=np.float32)[None, :]
    y = np.linspace(-1.0, 1.0, size_px, dtype=np.float32)[:, None]
    fall = 1.0 + 0.09 * (x * light.x + y * light.y) - 0.05 * (x * x + y * y)
    clouds = 1.0 - 0.12 * smoothstep(0.2, 1.4, noise(rng, (size_px, size_px), (3, 3)))
    warmth = draw(rng, style.warmth)
    tint = np.asarray([1.0 + 0.06 * warmth, 1.0 + 0.01 * warmth, 1.0 - 0.1 * warmth], dtype=np.float32)
    out = picture * (fall * clouds * draw(rng, style.exposure))[..., None] * tint
    haze = np.broadcast_to(0.10 * smoothstep(0.1, -1.0, y), (size_px, size_px)).astype(np.float32)
    blend(out, style.sky[1], haze)
    photo = Image.fromarray(np.clip(out, 0, 255).astype(np.uint8))
    blurred = photo.filter(ImageFilter.GaussianBlur(draw(rng, style.blur_px) * size_px / REFERENCE_PX))
    grain = draw(rng, style.noise_level) * rng.standard_normal((size_px, size_px, 1), dtype=np.float32)
    return Image.fromarray(np.clip(np.asarray(blurred) + grain + 0.5, 0, 255).astype(np.uint8))
