"""Files that are no photo we judge, each named for what it is, with the cure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PIL import Image

from core.data.grey import has_lost_bits, is_deep_grey
from core.errors import Problem, UserError

HEAD_BYTES = 64  # of a file, which are enough to name it
LONGEST_STRIP = 200  # sides beyond this ratio are refused by the models' own image processor
DNG_VERSION = 50706  # a TIFF with this tag is a raw negative, of which Pillow would read the thumbnail
JPEG_CURE = "Export it as JPEG."
GREY, STRIP, NOT_READ = "grey-photo", "strip-photo", "unreadable-photo"
HUGE, TRUNCATED = "huge-photo", "truncated-photo"
# Kinds of problems of which a photo's file is the cause, and nothing else.
BAD_PHOTO = frozenset({GREY, STRIP, NOT_READ, HUGE, TRUNCATED})

DEEP_GREY = (
    "this is a grey photo of more than 8 bits (thermal or elevation, say): what is black and white is not stated"
)
DEEP_GREY_CURE = "Name one range for the whole set, --set data.grey_range=LOW,HIGH (damgui check proposes one)."
LOST_BITS_CURE = "Export it without transparency, or all photos of the set in 8 bits with one range of values."

# (where the bytes stand, the bytes, what the file is, the cure); the first that fits.
SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer: the photo itself was not fetched", "Run: git lfs pull"),
    (4, b"ftypavi", "an AVIF picture", JPEG_CURE),
    (4, b"ftypcrx", "a raw photo (CR3)", JPEG_CURE),
    *(
        (4, b"ftyp" + brand, "a HEIC photo, as iPhones take them", JPEG_CURE)
        for brand in (b"hei", b"hev", b"mif", b"msf")
    ),
    (4, b"ftyp", "a video", "Export its frames as JPEG."),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", JPEG_CURE),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", JPEG_CURE),
    (0, b"\xff\x0a", "a JPEG XL picture", JPEG_CURE),
    (8, b"CR\x02", "a raw photo (CR2)", JPEG_CURE),
    (0, b"GIF8", "a GIF", JPEG_CURE),
    (0, b"8BPS", "a Photoshop file", JPEG_CURE),
    (0, b"%PDF", "a PDF", "Export its pictures as JPEG."),
    (0, b"%!PS", "a PostScript file (EPS), which is never opened", JPEG_CURE),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript file (EPS), which is never opened", JPEG_CURE),
    (0, b"PK\x03\x04", "a zip archive", "Unpack it."),
    (0, b"Rar!", "a RAR archive", "Unpack it."),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it."),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it."),
)
# Text, looked for in lower case after a byte order mark and white space.
TEXT_SIGNATURES = (
    (b"<!doctype html", "a web page, not the photo behind its address", "Download the photo itself."),
    (b"<html", "a web page, not the photo behind its address", "Download the photo itself."),
    (b"<svg", "an SVG drawing", JPEG_CURE),
    (b"<?xml", "an XML file", "Give the photo itself."),
)


class RefusedPhotoError(OSError):
    """A file that is not judged, and why; `where` of its problem is empty.

    Attributes:
        problem: what is wrong and how it is cured.
    """

    def __init__(self, problem: Problem) -> None:
        """Carry the problem; the text is its sentence."""
        super().__init__(problem.what)
        self.problem = problem

    def at(self, where: str) -> Problem:
        """The problem with its place."""
        return replace(self.problem, where=where)


def unreadable(path: Path, error: BaseException) -> UserError:
    """The error that says why a photo could not be opened.

    Args:
        path: of the photo, which the error names.
        error: what opening it raised, one of `core.data.photos.UNREADABLE`.
    """
    if isinstance(error, FileNotFoundError):
        return UserError("no such photo", str(path), "Check the path.", "photo-missing")
    if isinstance(error, RefusedPhotoError):
        return UserError.of([error.at(str(path))])
    return UserError("this photo cannot be read", str(path), "Save it again as JPEG or PNG.", "photo")


def name_file(head: bytes) -> Problem | None:
    """What a file is that Pillow could not read, by its first HEAD_BYTES bytes; None where it is not known."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for start, signature, what, fix in SIGNATURES:
        if head[start:].startswith(signature):
            return Problem(f"this is {what}", "", fix, NOT_READ)
    for signature, what, fix in TEXT_SIGNATURES:
        if text.startswith(signature):
            return Problem(f"this is {what}", "", fix, NOT_READ)
    return None


def refusal_of(image: Image.Image, with_deep_grey: bool = False) -> Problem | None:
    """Why an opened picture, not unpacked yet, is not judged; None where it is.

    Args:
        image: as opened.
        with_deep_grey: whether a grey one of more than 8 bits is judged, its range of values being known.
    """
    wide, high = image.size
    if min(wide, high) < 2:
        return Problem(f"this photo has only {wide} x {high} pixels", "", "Remove it.", NOT_READ)
    if max(wide, high) > LONGEST_STRIP * min(wide, high):
        what = f"this photo is a strip of {wide} x {high} pixels: no model takes more than {LONGEST_STRIP} : 1"
        return Problem(what, "", "Cut it into pieces.", STRIP)
    if DNG_VERSION in getattr(image, "tag_v2", ()):
        return Problem("this is a raw photo (DNG)", "", JPEG_CURE, NOT_READ)
    if has_lost_bits(image):
        return Problem(DEEP_GREY, "", LOST_BITS_CURE, GREY)
    if is_deep_grey(image) and not with_deep_grey:
        return Problem(DEEP_GREY, "", DEEP_GREY_CURE, GREY)
    return None
