"""From photo to patches: upright, of bounded size, and the same whether remembered or fresh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from core.data.photos import exact_box
from core.engine.vision import LONGEST_CROP, ImageEncoder, ImageView, crop_box, open_photo
from core.errors import UserError
from core.settings import ViewSettings

BOX = (0.25, 0.25, 0.5, 0.5)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    noise = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    return path


def image_encoder(cache_bytes: int = 1 << 30) -> ImageEncoder:
    return ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(photo_px=112, crop_px=84), cache_bytes)


@pytest.mark.parametrize(
    ("box", "size_wh", "margin", "expected"),
    [
        ((0.25, 0.25, 0.5, 0.5), (100, 100), 0.0, (25, 25, 50, 50)),
        ((0.25, 0.25, 0.5, 0.5), (100, 200), 0.2, (20, 40, 55, 110)),
        ((0.0, 0.0, 1.0, 1.0), (100, 50), 0.5, (0, 0, 100, 50)),
        ((0.9, 0.9, 1.0, 1.0), (100, 100), 0.5, (85, 85, 100, 100)),
    ],
)
def test_a_crop_is_the_box_with_its_margin_inside_the_photo(
    box: tuple[float, float, float, float], size_wh: tuple[int, int], margin: float, expected: tuple[int, ...]
) -> None:
    found = crop_box(box, size_wh, margin)
    assert all(abs(mine - its) <= 1 for mine, its in zip(found, expected, strict=True))
    assert found[0] >= 0
    assert found[1] >= 0
    assert found[2] <= size_wh[0]
    assert found[3] <= size_wh[1]


@pytest.mark.parametrize(
    "box",
    [(0.0, 0.5, 1.0, 0.5001), (0.5, 0.0, 0.5001, 1.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), (0.999, 0, 1, 1)],
)
def test_every_box_gives_a_crop_that_the_processor_takes(photo: Path, box: tuple[float, float, float, float]) -> None:
    left, upper, right, lower = crop_box(box, (4000, 3000), 0.15)
    wide, high = right - left, lower - upper
    assert 0 <= left < right <= 4000
    assert 0 <= upper < lower <= 3000
    assert max(wide / high, high / wide) <= LONGEST_CROP * 2
    assert image_encoder().crop(photo, box).values.shape[1] == 3 * 2 * 14 * 14


@pytest.mark.parametrize("px", [56, 84, 112, 168])
def test_patches_stay_within_the_resolution_asked_for(photo: Path, px: int) -> None:
    seen = ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(photo_px=px, crop_px=px))
    for patches in (seen.photo(photo), seen.crop(photo, BOX)):
        frames, rows, columns = patches.grid_thw
        assert (frames, rows % 2, columns % 2) == (1, 0, 0)
        assert rows * columns * 14 * 14 <= px**2
        assert len(patches.values) == rows * columns
        assert patches.tokens(2) == rows * columns // 4
        assert seen.resized_wh(patches) == (columns * 14, rows * 14)


def test_small_crops_are_enlarged_and_small_photos_are_not(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.new("RGB", (60, 60), "red").save(path)
    seen = ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(photo_px=280, crop_px=224))
    assert seen.resized_wh(seen.photo(path)) == (56, 56)
    wide, high = seen.resized_wh(seen.crop(path, (0.4, 0.4, 0.6, 0.6)))
    assert wide * high >= 0.5 * 224**2


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.0, 3.3, 16.0])
@pytest.mark.parametrize("box", [BOX, (0.0, 0.4, 1.0, 0.46), (0.5, 0.1, 0.52, 0.9), (0.2, 0.2, 0.2, 0.2)])
def test_a_zoomed_crop_keeps_the_scale_of_the_photo_within_half_a_token(
    photo: Path, box: tuple[float, float, float, float], zoom: float
) -> None:
    seen = ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(crop_px=672, crop_zoom=zoom))
    with Image.open(photo) as image:
        left, upper, right, lower = exact_box(box, image.size, ViewSettings.crop_margin)
        expected_tokens = seen.tokens(ImageView(photo, box), image.size)
    patches = seen.crop(photo, box)
    assert patches.tokens(2) == expected_tokens
    wide, high = seen.resized_wh(patches)
    assert wide * high <= 672**2
    if zoom**2 * (right - left) * (lower - upper) < 0.8 * 672**2:
        assert abs(wide - zoom * (right - left)) <= 14 or wide == 28
        assert abs(high - zoom * (lower - upper)) <= 14 or high == 28


def test_a_zoomed_crop_of_a_line_across_a_large_photo_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (8000, 400), "green").save(path)
    seen = ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(crop_px=672, crop_zoom=4.0, crop_margin=0.0))
    wide, high = seen.resized_wh(seen.crop(path, (0.0, 0.5, 1.0, 0.501)))
    assert wide / high <= 150


def test_a_zoomed_crop_beyond_the_resolution_is_shrunk_to_it(photo: Path) -> None:
    seen = ImageEncoder(Qwen2VLImageProcessorPil(), ViewSettings(crop_px=84, crop_zoom=16.0))
    wide, high = seen.resized_wh(seen.crop(photo, BOX))
    assert 0.5 * 84**2 <= wide * high <= 84**2


def test_remembered_patches_equal_fresh_ones_even_when_memory_is_short(photo: Path) -> None:
    fresh = image_encoder().photo(photo), image_encoder().crop(photo, BOX), image_encoder().photo(photo, mirrored=True)
    for bytes_ in (1 << 30, 1):
        seen = image_encoder(bytes_)
        for _ in range(2):
            found = seen.photo(photo), seen.crop(photo, BOX), seen.photo(photo, mirrored=True)
            for mine, its in zip(found, fresh, strict=True):
                assert mine.values.tobytes() == its.values.tobytes()
    assert image_encoder().photo(photo).values.tobytes() != image_encoder().photo(photo, mirrored=True).values.tobytes()


def test_memory_is_bounded(photo: Path) -> None:
    size = image_encoder().photo(photo).values.nbytes
    seen = image_encoder(3 * size)
    for place in range(12):
        seen.crop(photo, (place / 20, 0.0, place / 20 + 0.3, 0.5))
    assert sum(patches.values.nbytes for patches in seen._known.values()) <= 3 * size


def test_a_grey_photo_of_sixteen_bits_is_seen_in_its_range_alone(tmp_path: Path) -> None:
    values = np.arange(29_000, 29_000 + 64 * 48, dtype=np.uint16).reshape(48, 64)
    Image.fromarray(values).save(tmp_path / "deep.png")
    eight = np.clip(np.rint((values.astype(np.float32) - 29_000) * (255 / 3000)), 0, 255).astype(np.uint8)
    Image.fromarray(eight).save(tmp_path / "eight.png")
    view = ViewSettings(photo_px=112, crop_px=84)
    plain = ImageEncoder(Qwen2VLImageProcessorPil(), view)
    ranged = ImageEncoder(Qwen2VLImageProcessorPil(), view, grey_range=(29_000, 32_000))
    for encoder in (ranged, ranged.anew()):
        assert np.array_equal(encoder.photo(tmp_path / "deep.png").values, plain.photo(tmp_path / "eight.png").values)
    with pytest.raises(UserError, match="grey photo of more than 8 bits"):
        plain.photo(tmp_path / "deep.png")


def test_a_turned_photo_is_seen_upright(tmp_path: Path) -> None:
    upright = Image.new("RGB", (60, 40), "blue")
    upright.paste("red", (0, 0, 60, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held turned: show it turned by a quarter clockwise
    path = tmp_path / "turned.png"
    upright.rotate(90, expand=True).save(path, exif=exif)
    assert np.array_equal(np.asarray(open_photo(path)), np.asarray(upright))


def test_a_photo_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.jpg: no such photo"):
        open_photo(tmp_path / "gone.jpg")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    with pytest.raises(UserError, match=r"broken\.jpg: this photo cannot be read"):
        open_photo(broken)
