"""Photos as viewed, and whether their files are sound.

Every box of a data set refers to the photo as viewed: turned as its EXIF orientation says.
"""

from __future__ import annotations

import hashlib
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path

# Pillow loads these two on first use, and not safely when several threads use it first at the same moment.
from PIL import (
    Image,
    ImageOps,
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from core.boxes import BoxXyxy
from core.data.grey import DeepGrey, GreyRange, has_lost_bits, in_eight_bits, usual_values
from core.data.image_stats import LONGEST, ImageStats, measure_image
from core.data.moments import Moment, moment_of
from core.data.refusals import (
    GREY,
    HEAD_BYTES,
    HUGE,
    NOT_READ,
    TRUNCATED,
    RefusedPhotoError,
    name_file,
    refusal_of,
    unreadable,
)
from core.errors import Problem

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")  # no format that starts other programs
MOST_PIXELS = 178_000_000  # just under PIL's own refusal; the largest survey cameras have 150 million
MOST_BYTES = 1 << 30
MOST_AT_ONCE = 100_000_000  # pixels that `examine` unpacks at once, at four bytes each and up to twice
ORIENTATION, QUARTER_TURNS, TURNS = 0x0112, (5, 6, 7, 8), range(2, 9)
GREY_VALUE = 128  # of 255, for what is transparent
SURROUNDINGS = 0.9  # shown around an object that is cut out for people, as a share of its longer side
# What PIL raises for files that are no photo, damaged, cut off or absurdly large.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError)
# In bytes. Blocks of Pillow's own 16 MB are kept by the C library once for each thread: eight photos of 60 megapixels
# then left 1.5 GB behind, one after the other. Blocks above 32 MB go back to the system at once.
Image.core.set_block_size(64 << 20)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class PhotoFacts:
    """What decoding a photo's file showed.

    Attributes:
        size_wh: width and height of the photo as viewed, in pixels.
        digest: SHA-256 (hex) of the file's bytes.
        stats: of the picture, where they were asked for.
        orientation: by EXIF, from 1 (as stored) to 8.
        pictures: how many the file holds; the first is used.
        moment: when, where and by which camera it was taken, where EXIF says so.
    """

    size_wh: tuple[int, int]
    digest: str
    stats: ImageStats | None = None
    orientation: int = 1
    pictures: int = 1
    moment: Moment | None = None


def open_photo(path: Path, scale: float | None = None, grey_range: GreyRange | None = None) -> Image.Image:
    """The photo as viewed, in RGB.

    Args:
        path: of the photo's file.
        scale: allows a smaller photo, at least `scale` (0 to 1) times its size: a JPEG is then unpacked to a half, a
            quarter or an eighth. None for the full size.
        grey_range: the values that are black and white where the photo is grey in more than 8 bits; None refuses such.

    Raises:
        RefusedPhotoError: the photo is of a kind that is not judged, or has more than MOST_PIXELS pixels; nothing of
            it is unpacked then. For a file that is no photo, or a damaged one, any of UNREADABLE.
    """
    with _opened(path, grey_range is not None) as image:
        wide, high = image.size
        if scale is not None:
            image.draft("RGB", (max(1, int(wide * scale)), max(1, int(high * scale))))
        ImageOps.exif_transpose(image, in_place=True)
        return in_rgb(in_eight_bits(image, grey_range) if grey_range else image)


def in_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB; what is transparent in it is grey, whatever colours hide there."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    opaque = Image.new("RGB", image.size, (GREY_VALUE,) * 3)
    opaque.paste(with_alpha, mask=with_alpha.getchannel("A"))
    return opaque


def _opened(path: Path, with_deep_grey: bool = True) -> Image.Image:
    """The picture, its header read and nothing unpacked. Raises RefusedPhotoError, or any of UNREADABLE."""
    if path.exists() and not path.is_file():  # a pipe would be waited for, a device read without end
        raise RefusedPhotoError(Problem("this is no file", "", "Give a photo's file.", NOT_READ))
    try:
        image = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as error:
        with path.open("rb") as file:
            named = name_file(file.read(HEAD_BYTES))
        raise RefusedPhotoError(named or _not_read()) from error
    wide, high = image.size
    if (
        refused := _huge("", f"{wide} x {high} pixels")
        if wide * high > MOST_PIXELS
        else refusal_of(image, with_deep_grey)
    ):
        image.close()
        raise RefusedPhotoError(refused)
    return image


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height of the photo as viewed, in pixels; only its header is read.

    Raises:
        OSError: the photo cannot be read; like any of UNREADABLE.
    """
    with _opened(path) as image:
        turned = image.getexif().get(ORIENTATION) in QUARTER_TURNS
        return (image.height, image.width) if turned else image.size


def require_size(path: Path) -> tuple[int, int]:
    """As `photo_size`, of a photo that somebody named.

    Raises:
        UserError: the photo cannot be read.
    """
    try:
        return photo_size(path)
    except UNREADABLE as error:
        raise unreadable(path, error) from error


def square_around(box_xyxy_px: BoxXyxy, size_wh: tuple[int, int], least_px: float) -> BoxXyxy:
    """A square around a box with its surroundings, moved inside the photo; smaller only where the photo is.

    Args:
        box_xyxy_px: the box, in pixels.
        size_wh: width and height of the photo, in pixels.
        least_px: the box counts as at least so wide.

    Returns:
        The square, in pixels.
    """
    x1, y1, x2, y2 = box_xyxy_px
    side = max(x2 - x1, y2 - y1, least_px) * (1 + SURROUNDINGS)
    wide, high = min(side, size_wh[0]), min(side, size_wh[1])
    left = min(max((x1 + x2 - wide) / 2, 0.0), size_wh[0] - wide)
    top = min(max((y1 + y2 - high) / 2, 0.0), size_wh[1] - high)
    return left, top, left + wide, top + high


def exact_box(box_xyxy: BoxXyxy, size_wh: tuple[int, int], margin: float) -> BoxXyxy:
    """The box with its margin, in pixels of the photo but not rounded to whole ones; inside it, and at least one pixel.

    A pixel more on each side of a drain 14 pixels wide is a seventh of other ground.

    Args:
        box_xyxy: the box, in fractions of the photo.
        size_wh: width and height of the photo, in pixels.
        margin: added on each side, as a share of the box's width or height.
    """
    wide, high = size_wh
    x1, y1, x2, y2 = box_xyxy
    margin_x, margin_y = margin * (x2 - x1), margin * (y2 - y1)
    left, upper = min(max(0.0, x1 - margin_x) * wide, wide - 1.0), min(max(0.0, y1 - margin_y) * high, high - 1.0)
    right, lower = min(1.0, x2 + margin_x) * wide, min(1.0, y2 + margin_y) * high
    return left, upper, max(right, left + 1.0), max(lower, upper + 1.0)


def examine_photo(
    path: Path, name: str, with_stats: bool = False, grey_range: GreyRange | None = None
) -> PhotoFacts | Problem:
    """Facts of one photo, or what is wrong with its file.

    The size in the header is checked before anything is decoded, so that a decompression bomb is never unpacked.

    Args:
        path: of the file.
        name: as a problem names the photo.
        with_stats: whether the picture is measured too.
        grey_range: as for `open_photo`.
    """
    try:
        bytes_ = path.stat().st_size
        if bytes_ == 0:
            return Problem("this photo file is empty", name, "Export this photo again, or remove it.", NOT_READ)
        if bytes_ > MOST_BYTES:
            return Problem(f"this photo file has {bytes_ / 1e9:.1f} GB", name, "Make it smaller.", HUGE)
        with path.open("rb") as file:
            return _examine_open(file, name, with_stats, grey_range)
    except OSError as error:
        return Problem(f"this photo cannot be read ({error.strerror})", name, "Check its permissions.", NOT_READ)


def _examine_open(
    file: BufferedReader, name: str, with_stats: bool, grey_range: GreyRange | None
) -> PhotoFacts | Problem:
    """As `examine_photo`, of an open file. Its bytes are never all in memory: eight survey photos have a gigabyte."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        return _huge(name, "more than 178 million pixels")
    except UnidentifiedImageError:
        return replace(name_file(head) or _not_read(), where=name)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        fix = "Export this photo again, or remove it."
        return Problem(f"this photo cannot be read ({_short(error)})", name, fix, NOT_READ)
    width, height = image.size
    if width * height > MOST_PIXELS:
        return _huge(name, f"{width} x {height} pixels")
    refused = refusal_of(image, grey_range is not None)
    if refused and (refused.kind != GREY or has_lost_bits(image)):
        return replace(refused, where=name)
    with _unpacking.hold(width * height):
        try:
            # A deep grey photo without a range is unpacked too: its values say which range may be meant.
            facts = _decode(image, digest, name, (with_stats and not refused, grey_range))
            if refused and isinstance(facts, PhotoFacts):
                return DeepGrey(refused.what, name, refused.fix, GREY, usual_values(image))
            return facts
        finally:
            image.close()  # frees its pixels before others take their place; a cycle of references keeps them else


class PixelBudget:
    """Bounds how many pixels several threads unpack at once; a photo of more than all of it is unpacked alone.

    Args:
        most: pixels at once.
    """

    def __init__(self, most: int) -> None:
        """Start with nothing held."""
        self.most, self.held = most, 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Wait until so many pixels are free, and keep them for the block."""
        wanted = min(pixels, self.most)
        with self._changed:
            self._changed.wait_for(lambda: self.held + wanted <= self.most)
            self.held += wanted
        try:
            yield
        finally:
            with self._changed:
                self.held -= wanted
                self._changed.notify_all()


_unpacking = PixelBudget(MOST_AT_ONCE)


def _decode(
    image: Image.Image, digest: str, name: str, measured: tuple[bool, GreyRange | None]
) -> PhotoFacts | Problem:
    """Facts of an opened picture; `measured` is whether it is measured too, and in which range if it is deep grey."""
    with_stats, grey_range = measured
    width, height = image.size
    try:
        pictures = _pictures_in(image)
        # A JPEG unpacks to an eighth of its size (or no smaller than its statistics need): every byte is still read, so
        # that a missing end shows.
        least = LONGEST if with_stats else 1
        image.draft("L" if with_stats else "RGB", (max(least, width // 8), max(least, height // 8)))
        exif = image.getexif()
        turn, moment = exif.get(ORIENTATION), moment_of(exif)  # before a TIFF is unpacked, which closes its file
        image.load()
        stats = None
        if with_stats:
            ImageOps.exif_transpose(image, in_place=True)
            seen = in_rgb(image) if image.has_transparency_data else image
            stats = measure_image(in_eight_bits(seen, grey_range) if grey_range else seen)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        cut = "truncated" in str(error).lower() or "unexpected end" in str(error).lower() or isinstance(error, EOFError)
        if cut:
            return Problem(
                "this photo is truncated: the end of the file is missing",
                name,
                "Copy it again from the camera, or remove it.",
                TRUNCATED,
            )
        fix = "Export this photo again, or remove it."
        return Problem(f"this photo cannot be decoded ({_short(error)})", name, fix, NOT_READ)
    size = (height, width) if turn in QUARTER_TURNS else (width, height)
    known = turn if isinstance(turn, int) and turn in TURNS else 1
    return PhotoFacts(size, digest, stats, known, pictures, moment)


def _pictures_in(image: Image.Image) -> int:
    """How many pictures the file holds; 1 where only the first is sound."""
    try:
        return int(getattr(image, "n_frames", 1))
    except (*UNREADABLE, KeyError, TypeError, struct.error):
        image.seek(0)
        return 1


def _not_read() -> Problem:
    return Problem("this is not a photo we can read", "", "Save it as JPEG or PNG.", NOT_READ)


def _huge(name: str, size: str) -> Problem:
    return Problem(f"this photo is absurdly large ({size})", name, "Make it smaller.", HUGE)


def _short(error: BaseException) -> str:
    return str(error).split("\n")[0][:80] or type(error).__name__
