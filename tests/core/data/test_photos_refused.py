"""Photos that are not judged are refused by name, alike wherever a photo is opened; many large ones stay bounded."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.data.checks import stacks
from core.data.examined import examine
from core.data.notes import INFERRED
from core.data.photos import (
    FORMATS,
    PhotoFacts,
    PixelBudget,
    _unpacking,
    examine_photo,
    open_photo,
    photo_size,
)
from core.data.refusals import GREY, NOT_READ, STRIP, RefusedPhotoError
from core.engine import vision
from core.errors import Problem, UserError
from damgui.components import photos as page

NAMED = [
    (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC", "Export it as JPEG."),
    (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic", "HEIC", "Export it as JPEG."),
    (b"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00avifmif1", "AVIF", "Export it as JPEG."),
    (b"\x00\x00\x00\x18ftypcrx \x00\x00\x00\x01crx isom", "raw photo", "Export it as JPEG."),
    (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2", "video", "Export its frames as JPEG."),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS", "Run: git lfs pull"),
    (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "web page", "Download the photo itself."),
    (b"\xef\xbb\xbf<HTML>", "web page", "Download the photo itself."),
    (b"%PDF-1.7\n", "PDF", "Export its pictures as JPEG."),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript", "Export it as JPEG."),
    (b"PK\x03\x04\x14\x00", "zip archive", "Unpack it."),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000", "Export it as JPEG."),
    (b"GIF89a", "GIF", "Export it as JPEG."),
    (b"8BPS\x00\x01", "Photoshop", "Export it as JPEG."),
    (b"nothing known", "not a photo we can read", "Save it as JPEG or PNG."),
]


def refused_alike(path: Path) -> Problem:
    """The problem of the check, after training, prediction and page were seen to refuse with the same sentence."""
    found = examine(path.parent, [path.name])[path.name]
    assert isinstance(found, Problem)
    shown = found.kind == GREY and "data.grey_range" in found.fix  # people see it; a model needs its range
    for opened in (open_photo,) if shown else (open_photo, photo_size):
        with pytest.raises(RefusedPhotoError) as refused:
            opened(path)
        assert refused.value.at(path.name) == (replace(found, fix=refused.value.problem.fix) if shown else found)
    if shown:
        assert "--set data.grey_range=" in refused.value.problem.fix
        return found
    for told in (vision.open_photo, page.photo_size, page.whole):
        with pytest.raises(UserError) as error:
            told(path)
        assert (error.value.problems[0].what, error.value.problems[0].fix) == (found.what, found.fix)
    return found


@pytest.mark.parametrize(("content", "word", "cure"), NAMED)
def test_a_file_that_is_no_photo_is_named_with_its_cure(tmp_path: Path, content: bytes, word: str, cure: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    found = refused_alike(tmp_path / "a.jpg")
    assert word in found.what
    assert (found.fix, found.kind) == (cure, NOT_READ)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("uint16", "png"), ("int32", "png"), ("uint16", "tif"), ("int32", "tif"), ("float32", "tif")],  # PNG has no floats
)
def test_a_deep_grey_photo_is_refused(tmp_path: Path, kind: str, ending: str) -> None:
    values = np.linspace(0, 1, 1200).reshape(30, 40) if kind == "float32" else np.arange(29_000, 30_200).reshape(30, 40)
    Image.fromarray(values.astype(kind)).save(tmp_path / f"a.{ending}")
    found = refused_alike(tmp_path / f"a.{ending}")
    assert found.kind == GREY
    assert "data.grey_range" in found.fix


def test_a_deep_grey_photo_with_transparency_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 4, 3, 16, 4, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x71\x48\xff\xff" * 4) * 3)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    assert refused_alike(tmp_path / "a.png").kind == GREY


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1"])
def test_a_photo_of_eight_bits_is_judged(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (40, 30)).save(tmp_path / "a.png")
    assert isinstance(examine_photo(tmp_path / "a.png", "a"), PhotoFacts)


@pytest.mark.parametrize(("size", "kind"), [((2010, 10), STRIP), ((10, 2010), STRIP), ((1, 1), NOT_READ)])
def test_no_model_takes_such_a_shape(tmp_path: Path, size: tuple[int, int], kind: str) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert refused_alike(tmp_path / "a.png").kind == kind


def test_a_strip_that_a_model_takes_is_judged(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 10)).save(tmp_path / "a.png")
    assert open_photo(tmp_path / "a.png").size == (2000, 10)


def test_a_raw_negative_that_calls_itself_tiff_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.tif", tiffinfo={50706: b"\x01\x04\x00\x00"})
    assert "DNG" in refused_alike(tmp_path / "a.tif").what


@pytest.mark.parametrize(("ending", "format_"), [("tif", "TIFF"), ("jpg", "MPO")])
def test_of_several_pictures_the_first_is_used_and_told(tmp_path: Path, ending: str, format_: str) -> None:
    path = tmp_path / f"a.{ending}"
    Image.new("RGB", (40, 30), "red").save(
        path, format_, save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")]
    )
    fact = examine_photo(path, path.name)
    assert isinstance(fact, PhotoFacts)
    assert fact.pictures == 2
    red, _, blue = open_photo(path).getpixel((5, 5))  # type: ignore[misc]
    assert red > 200 > 50 > blue
    (hint,) = stacks({path.name: fact})
    assert (hint.what, hint.kind) == ("1 photo file holds several pictures, of which the first is used", INFERRED)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_what_is_no_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path, tmp_path / "a.jpg", Path("/dev/zero")):
        for opened in (open_photo, photo_size):
            with pytest.raises(RefusedPhotoError, match="this is no file"):
                opened(path)


def test_no_format_is_opened_that_starts_another_program() -> None:
    assert FORMATS == ("JPEG", "PNG", "BMP", "WEBP", "TIFF")


def test_large_photos_wait_for_each_other() -> None:
    budget = PixelBudget(100)
    lock, state = threading.Lock(), {"now": 0, "most": 0}

    def unpack(pixels: int) -> None:
        with budget.hold(pixels):
            with lock:
                state["now"] += pixels
                state["most"] = max(state["most"], state["now"])
            threading.Event().wait(0.002)
            with lock:
                state["now"] -= pixels

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(unpack, [60, 50, 40, 30, 70, 100, 20, 10] * 5))
    assert 60 <= state["most"] <= 100
    assert budget.held == 0
    with budget.hold(1000):  # more than all of it: alone, and not for ever
        assert budget.held == 100


def test_the_check_holds_the_pixels_of_what_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unpacking, "most", 3000)
    held: list[int] = []
    load = PngImagePlugin.PngImageFile.load

    def spy(image: PngImagePlugin.PngImageFile) -> object:
        held.append(_unpacking.held)
        return load(image)

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", spy)
    for place in range(8):
        Image.new("RGB", (50, 40), (place, 0, 0)).save(tmp_path / f"{place}.png")
    found = examine(tmp_path, [f"{place}.png" for place in range(8)])
    assert all(isinstance(fact, PhotoFacts) for fact in found.values())
    assert set(held) == {2000}
