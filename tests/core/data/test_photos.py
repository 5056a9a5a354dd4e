"""Photos: turned as viewed, and every way a file can be broken is told without unpacking it."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.data.examined import examine
from core.data.photos import PhotoFacts, exact_box, examine_photo, open_photo, square_around
from core.errors import Problem

Write = Callable[..., Path]


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be so large, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "png", "bmp", "webp", "tif"])
def test_a_sound_photo_tells_size_and_digest(tmp_path: Path, write_photo: Write, ending: str) -> None:
    fact = examine_photo(write_photo(tmp_path / f"a.{ending}", (70, 40)), "a")
    assert isinstance(fact, PhotoFacts)
    assert fact.size_wh == (70, 40)
    assert len(fact.digest) == 64


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_is_that_of_the_photo_as_viewed(tmp_path: Path, write_photo: Write, orientation: int) -> None:
    path = write_photo(tmp_path / "a.jpg", (70, 40), orientation)
    fact = examine_photo(path, "a")
    assert isinstance(fact, PhotoFacts)
    assert fact.size_wh == ((40, 70) if orientation >= 5 else (70, 40))
    assert open_photo(path).size == fact.size_wh


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "webp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_truncated_photo_is_told(tmp_path: Path, write_photo: Write, ending: str, kept: float) -> None:
    path = write_photo(tmp_path / f"a.{ending}", (320, 240))
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    problem = examine_photo(path, "a")
    assert isinstance(problem, Problem)
    assert problem.kind in ("truncated-photo", "unreadable-photo")
    assert problem.kind == "truncated-photo" or ending == "webp"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "unreadable-photo"),
        (b"GIF89a not really", "unreadable-photo"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unreadable-photo"),
        (b"\xff\xd8\xff\xe0", "unreadable-photo"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "unreadable-photo"),
        (b"\x89PNG\r\n\x1a\n", "unreadable-photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unreadable-photo"),
        (png_header(60_000, 60_000), "huge-photo"),
        (png_header(13_400, 13_400), "huge-photo"),
        (png_header(1, 1), "unreadable-photo"),
        (png_header(4000, 3000), "truncated-photo"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_what_is_no_sound_photo_is_told(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    problem = examine(tmp_path, ["a.jpg"])["a.jpg"]
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.where) == (kind, "a.jpg")
    assert problem.fix


def test_a_photo_that_is_gone_is_told(tmp_path: Path) -> None:
    problem = examine_photo(tmp_path / "a.jpg", "a.jpg")
    assert isinstance(problem, Problem)
    assert problem.kind == "unreadable-photo"


def test_grey_and_transparent_photos_open_as_rgb(tmp_path: Path) -> None:
    for mode in ("L", "RGBA", "P", "LA", "1"):
        Image.new(mode, (20, 10)).save(tmp_path / "a.png")
        assert open_photo(tmp_path / "a.png").mode == "RGB"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_colours_that_transparency_hides_are_grey(tmp_path: Path, mode: str) -> None:
    """The left half is transparent over white, the right half black."""
    picture = Image.new("LA", (20, 10), (0, 255))
    picture.paste((255, 0), (0, 0, 10, 10))
    if mode in ("RGBA", "LA"):
        picture.convert(mode).save(tmp_path / "a.png")
    else:
        plain = picture.getchannel("L").convert(mode)
        key = plain.getpixel((0, 0))
        plain.save(tmp_path / "a.png", transparency=key)
    seen = open_photo(tmp_path / "a.png")
    assert seen.mode == "RGB"
    assert (seen.getpixel((3, 3)), seen.getpixel((15, 3))) == ((128, 128, 128), (0, 0, 0))
    fact = examine_photo(tmp_path / "a.png", "a", with_stats=True)
    assert isinstance(fact, PhotoFacts) and fact.stats is not None
    assert fact.stats.white == 0 and fact.stats.bright == pytest.approx(0.25, abs=0.01)


def test_a_photo_that_changes_is_examined_again(tmp_path: Path, write_photo: Write) -> None:
    path = write_photo(tmp_path / "a.bmp", (70, 40))
    first = examine(tmp_path, ["a.bmp"])
    assert examine(tmp_path, ["a.bmp"]) == first == {"a.bmp": examine_photo(path, "a.bmp")}
    write_photo(path, (40, 70))  # another photo of exactly as many bytes
    assert examine(tmp_path, ["a.bmp"]) == {"a.bmp": examine_photo(path, "a.bmp")} != first
    path.write_bytes(path.read_bytes()[:-50])
    assert isinstance(examine(tmp_path, ["a.bmp"])["a.bmp"], Problem)


@pytest.mark.parametrize("with_stats", [False, True])
def test_a_photo_that_was_touched_or_put_out_anew_is_not_decoded_again(
    tmp_path: Path, write_photo: Write, monkeypatch: pytest.MonkeyPatch, with_stats: bool
) -> None:
    path = write_photo(tmp_path / "a.jpg", (60, 40))
    first = examine(tmp_path, ["a.jpg"], with_stats)
    monkeypatch.setattr("core.data.examined.examine_photo", lambda *_: pytest.fail("decoded again"))
    os.utime(path, (1.0, 1.0))
    assert examine(tmp_path, ["a.jpg"], with_stats) == first
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw)
    assert examine(tmp_path, ["a.jpg"], with_stats) == first


def test_a_photo_changed_in_place_is_examined_again_though_size_and_time_are_the_same(
    tmp_path: Path, write_photo: Write
) -> None:
    path = write_photo(tmp_path / "a.bmp", (60, 40))
    before, at = examine(tmp_path, ["a.bmp"])["a.bmp"], path.stat()
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 255
    path.write_bytes(bytes(raw))
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (at.st_size, at.st_mtime_ns)
    after = examine(tmp_path, ["a.bmp"])["a.bmp"]
    assert isinstance(before, PhotoFacts) and isinstance(after, PhotoFacts)
    assert after.digest != before.digest


def test_an_exact_box_is_not_rounded_and_stays_inside_the_photo() -> None:
    assert exact_box((0.1, 0.2, 0.15, 0.6), (312, 312), 0.0) == pytest.approx((31.2, 62.4, 46.8, 187.2))
    assert exact_box((0.0, 0.5, 1.0, 0.6), (200, 100), 0.1) == pytest.approx((0, 49, 200, 61))
    for box in [(1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0), (0.9999, 0.0, 1.0, 1.0)]:
        left, upper, right, lower = exact_box(box, (312, 312), 0.0)
        assert 0 <= left < right <= 312 and 0 <= upper < lower <= 312


def test_nothing_larger_than_the_limit_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr("core.data.photos.MOST_PIXELS", 599)
    with pytest.raises(OSError, match="absurdly large"):
        open_photo(tmp_path / "a.png")
    monkeypatch.setattr("core.data.photos.MOST_PIXELS", 600)
    assert open_photo(tmp_path / "a.png").size == (30, 20)


@pytest.mark.parametrize(("scale", "longer"), [(None, 800), (1.0, 800), (0.5, 400), (0.3, 400), (0.05, 100)])
def test_a_jpeg_is_unpacked_no_larger_than_needed_and_never_smaller(
    tmp_path: Path, scale: float | None, longer: int
) -> None:
    Image.new("RGB", (800, 400), "green").save(tmp_path / "a.jpg")
    assert max(open_photo(tmp_path / "a.jpg", scale).size) == longer


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((40.0, 40.0, 50.0, 50.0), (35.5, 35.5, 54.5, 54.5)),
        ((0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 19.0, 19.0)),  # moved inside
        ((45.0, 45.0, 46.0, 46.0), (36.0, 36.0, 55.0, 55.0)),  # counts as ten wide
        ((10.0, 10.0, 90.0, 20.0), (0.0, 0.0, 100.0, 60.0)),  # smaller only where the photo is
    ],
)
def test_the_square_around_an_object_lies_inside_the_photo(
    box: tuple[float, float, float, float], square: tuple[float, float, float, float]
) -> None:
    assert square_around(box, (100, 60), 10) == pytest.approx(square)
