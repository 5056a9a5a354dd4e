"""Colour and texture are reported apart, and how many pixels a photo has changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.engine.reference_points.texture import LEAST_PX, LONGER_PX, crop_of, features

BOX = (0.2, 0.3, 0.7, 0.9)


def stripes(seed: int, along: bool) -> Image.Image:
    """A photo of soft noise and stripes, upright or level; mean colour is the same."""
    rng = np.random.default_rng(seed)
    wave = 40 * np.sin(np.arange(256) / 4 + rng.uniform(0, 6))
    grey = 120 + (wave[:, None] if along else wave[None, :]) + rng.normal(0, 8, (256, 256))
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2).clip(0, 255).astype(np.uint8))


def test_two_textures_of_the_same_colour_are_separated() -> None:
    from sklearn.ensemble import RandomForestClassifier

    boxes = np.random.default_rng(0).uniform((0, 0, 0.6, 0.6), (0.4, 0.4, 1, 1), (40, 4))
    values = np.array([features(stripes(n, bool(n % 2)), tuple(box)) for n, box in enumerate(boxes)])
    truths = np.arange(40) % 2
    forest = RandomForestClassifier(50, random_state=0).fit(values[:20], truths[:20])
    assert (forest.predict(values[20:]) == truths[20:]).all()


def test_the_size_of_the_photo_changes_little_beside_its_texture() -> None:
    small, other = stripes(1, True), stripes(1, False)
    large = small.resize((768, 768), Image.Resampling.BICUBIC)
    mine, its, another = (features(size, BOX) for size in (small, large, other))
    assert np.abs(mine - its).max() < 0.02  # of values that go from 0 to 1
    assert np.linalg.norm(mine - its) < 0.3 * np.linalg.norm(mine - another)


ODD = [(0.0, 0.0, 1.0, 1.0), (0.999, 0.999, 1.0, 1.0), (0.5, 0.5, 0.5, 0.5), (0.0, 0.0, 0.001, 1.0)]


@pytest.mark.parametrize("box", ODD)
def test_every_box_has_finite_features_of_one_length(box: tuple[float, float, float, float]) -> None:
    found = features(stripes(0, True), box)
    assert found.shape == features(stripes(0, True), BOX).shape and np.isfinite(found).all()


def test_the_crop_is_the_box_and_nothing_else() -> None:
    image = Image.new("RGB", (200, 100), (0, 0, 255))
    image.paste((255, 0, 0), (40, 20, 120, 80))  # 0.2 to 0.6 across, 0.2 to 0.8 down
    crop = np.asarray(crop_of(image, (0.2, 0.2, 0.6, 0.8)))
    assert crop.shape == (0.6 * 0.5 * LONGER_PX, 0.4 * LONGER_PX, 3)
    assert (crop[4:-4, 4:-4, 0] > 250).all() and (crop[..., 2] < 150).all()


def test_long_narrow_crops_keep_their_shape() -> None:
    assert crop_of(Image.new("RGB", (312, 312)), (0.0, 0.5, 1.0, 0.55)).size == (LONGER_PX, 32)
    assert crop_of(Image.new("RGB", (4000, 3000)), (0.5, 0.5, 0.5, 0.75)).size == (LEAST_PX, 120)


def test_a_flat_crop_has_its_colour_and_no_texture() -> None:
    image = Image.new("RGB", (64, 64), (51, 102, 153))
    found = features(image, BOX)
    assert found[:3] == pytest.approx([0.2, 0.4, 0.6], abs=1e-6)  # means of red, green and blue
    assert found[6:12] == pytest.approx(0, abs=1e-6)  # deviations
