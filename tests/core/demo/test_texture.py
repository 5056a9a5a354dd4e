"""Laws of the stage in which a vision tower learns colour and texture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from core.demo import texture
from core.demo.photographic import draw_photographic
from core.demo.scenes import random_wanted
from core.demo.texture import TOKEN, cut_out, pixels, pretrain_tower, targets, token_statistics, whiten
from core.engine.models import load as load_model
from core.engine.vision import ImageEncoder
from core.settings import ModelSettings, ViewSettings

PATTERNS = slice(29, 39)  # at a distance of one pixel


def image_encoder() -> ImageEncoder:
    return ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(mode="crop"))


def patches_of(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image_encoder().patches(Image.fromarray(image), 10**9, TOKEN**2).values)


def test_each_token_has_the_statistics_of_its_own_place() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (112, 84, 3), dtype=np.uint8)
    processor = Qwen2VLImageProcessorPil()
    scaled = (image / 255 - np.array(processor.image_mean)) / np.array(processor.image_std)
    squares = scaled.reshape(4, TOKEN, 3, TOKEN, 3).transpose(0, 2, 4, 1, 3).reshape(12, 3, TOKEN, TOKEN)
    np.testing.assert_allclose(pixels(patches_of(image)), squares, atol=1e-4)
    np.testing.assert_allclose(token_statistics(patches_of(image))[:, :3], squares.mean((2, 3)), atol=1e-4)


def test_patterns_equal_those_counted_one_pixel_after_the_other() -> None:
    image = np.repeat(np.random.default_rng(3).integers(0, 255, (28, 28, 1), dtype=np.uint8), 3, axis=2)
    grey = pixels(patches_of(image))[0].mean(0).numpy()
    counts = np.zeros(10)
    for y in range(1, 27):
        for x in range(1, 27):
            ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
            bits = [bool(grey[y + dy, x + dx] > grey[y, x]) for dy, dx in ring]
            changes = sum(bits[place] != bits[place - 1] for place in range(8))
            counts[sum(bits) if changes <= 2 else 9] += 1
    np.testing.assert_allclose(token_statistics(patches_of(image))[0, PATTERNS], counts / 26**2, atol=1e-6)


def test_a_flat_picture_has_no_texture_and_finite_statistics() -> None:
    statistics = token_statistics(patches_of(np.full((56, 84, 3), 90, dtype=np.uint8)))
    assert statistics.isfinite().all()
    np.testing.assert_allclose(statistics[:, 3:6], np.log(0.01), atol=1e-3)  # no spread in any colour
    assert (statistics[:, PATTERNS][:, 0] == 1).all()  # no neighbour is brighter


def test_level_and_upright_stripes_are_told_apart() -> None:
    wave = np.repeat((127 + 100 * np.sin(np.arange(56) / 2))[:, None, None], 56, 1).repeat(3, 2).astype(np.uint8)
    level, upright = (
        token_statistics(patches_of(signal)) for signal in (wave, np.ascontiguousarray(wave.transpose(1, 0, 2)))
    )
    assert (level - upright).abs().max() > 1
    np.testing.assert_allclose(level[:, :3], upright[:, :3], atol=0.2)


@pytest.mark.parametrize("seed", range(12))
def test_a_cut_out_is_whole_tokens(seed: int) -> None:
    scene = draw_photographic(seed, random_wanted(seed), 160).image
    image = cut_out(scene, np.random.default_rng(seed))
    assert image.size[0] % TOKEN == 0 and image.size[1] % TOKEN == 0
    assert image.tobytes() == cut_out(scene, np.random.default_rng(seed)).tobytes()


@pytest.mark.slow
def test_a_tower_learns_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "CROPS", 6)
    tower, scenes = (
        load_model(ModelSettings("demo")).model.model.visual,
        [draw_photographic(1, random_wanted(1), 160).image],
    )
    values, grid = patches_of(np.asarray(scenes[0].resize((112, 112)))), torch.tensor([(1, 8, 8)])

    def loss(steps: int, whole: bool) -> float:
        teller = pretrain_tower(tower, 192, image_encoder(), scenes, steps, 2e-3, 0, whole)
        with torch.no_grad():
            return float(teller.loss(tower(values, grid).pooler_output, values, grid))

    before, before_whole = loss(0, False), loss(0, True)
    assert loss(40, False) < 0.85 * before
    assert loss(40, True) < 0.85 * before_whole


def test_pictures_of_one_batch_do_not_mix() -> None:
    rng = np.random.default_rng(1)
    first, second = (patches_of(rng.integers(0, 255, (112, side, 3), dtype=np.uint8)) for side in (84, 140))
    grids = torch.tensor([(1, 8, 6), (1, 8, 10)])
    both = targets(torch.cat([first, second]), grids, True)
    torch.testing.assert_close(both, torch.cat([targets(first, grids[:1], True), targets(second, grids[1:], True)]))
    assert (both[:12, both.shape[1] // 3 :] == both[0, both.shape[1] // 3 :]).all()


def test_whitened_tokens_vary_alike_in_every_direction_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "WHITENED", 60)
    tower, scenes = (
        load_model(ModelSettings("demo")).model.model.visual,
        [draw_photographic(2, random_wanted(2), 160).image],
    )
    rng = np.random.default_rng(5)  # the cut-outs that `whiten` looks at
    looked = [image_encoder().patches(cut_out(scenes[0], rng), 10**9, TOKEN**2) for _ in range(60)]

    def tokens() -> torch.Tensor:
        with torch.no_grad():
            seen = [
                tower(torch.from_numpy(patches.values), torch.tensor([patches.grid_thw])).pooler_output
                for patches in looked
            ]
        return torch.cat(seen).double()

    before = tokens()
    whiten(tower, image_encoder(), scenes, 5)
    after = tokens()
    strengths = torch.linalg.eigvalsh(torch.cov(after.T))
    assert after.mean(0).abs().max() < 1e-3 and 0.5 < strengths[-1] <= 1.001
    spread = torch.linalg.eigvalsh(torch.cov(before.T))
    assert strengths[-1] / strengths[96] < 0.2 * spread[-1] / spread[96]
    # An affine map: what could be told linearly before can be told after.
    solution = torch.linalg.lstsq(torch.cat([after, torch.ones(len(after), 1)], 1), before).solution
    assert (torch.cat([after, torch.ones(len(after), 1)], 1) @ solution - before).abs().max() < 1e-2
