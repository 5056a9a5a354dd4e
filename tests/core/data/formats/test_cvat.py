"""CVAT's XML: images with shapes and attributes, and tracks of a video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.files import list_files
from core.data.formats.registry import require_format
from core.data.types import Dataset

Read = Callable[..., Dataset]
Write = Callable[..., Path]

BOX = '<box label="toe drain" xtl="8" ytl="12" xbr="24" ybr="36">{}</box>'


def image(shapes: str, name: str = "a.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="64" height="48"{more}>\n{shapes}\n</image>\n'


@pytest.fixture
def folder(tmp_path: Path, write_photo: Write) -> Callable[[str], Path]:
    """folder(what stands in <annotations>) with the photos a.jpg, b.jpg and frame_000003.png"""

    def write(inside: str) -> Path:
        for name in ("images/a.jpg", "images/b.jpg", "frame_000003.png"):
            write_photo(tmp_path / "set" / name)
        (tmp_path / "set/annotations.xml").write_text(f"<annotations>\n<version>1.1</version>\n{inside}</annotations>")
        return tmp_path / "set"

    return write


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (BOX.format(""), (8, 12, 24, 36)),
        ('<polygon label="toe drain" points="8.0,12;24,20;10,36.0"/>', (8, 12, 24, 36)),
        ('<ellipse label="toe drain" cx="16" cy="24" rx="8" ry="12"/>', (8, 12, 24, 36)),
        ('<mask label="toe drain" rle="4, 2" left="8" top="12" width="16" height="24"/>', (8, 12, 24, 36)),
        ('<box label="toe drain" xtl="4" ytl="16" xbr="28" ybr="32" rotation="90.0"/>', (8, 12, 24, 36)),
    ],
)
def test_every_shape_becomes_its_box(folder: Callable[[str], Path], read: Read, shape: str, box: tuple[int]) -> None:
    dataset = read(folder(image(shape)), split="train")
    found = dataset.photos[0].objects[0]
    assert (dataset.format, found.source) == ("cvat", "annotations.xml line 4")
    assert found.box_xyxy == pytest.approx([end / side for end, side in zip(box, (64, 48) * 2, strict=True)])


def test_an_attribute_that_says_the_condition_is_used_and_others_are_told(
    folder: Callable[[str], Path], read: Read
) -> None:
    said = '<attribute name="state">blocked</attribute><attribute name="crew">north</attribute>'
    dataset = read(folder(image(BOX.format(said)) + image(BOX.format(""), "b.jpg")))
    assert [photo.objects[0].condition for photo in dataset.photos] == ["blocked", "normal"]
    hints = {problem.what: problem.kind for problem in dataset.problems}
    assert hints["state gives the class of 1 object (blocked)"] == "inferred"
    assert hints["crew is not used (1 object: north)"] == "ignored-input"


def test_subsets_are_splits_and_tracks_are_frames(folder: Callable[[str], Path], read: Read) -> None:
    frame = '<box frame="{}" outside="{}" keyframe="1" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    track = f'<track id="0" label="vegetation">{frame.format(3, 0)}{frame.format(4, 1)}</track>'
    images = image(BOX.format(""), more=' subset="Train"') + image(BOX.format(""), "b.jpg", ' subset="Validation"')
    dataset = read(folder(images + track))
    assert [photo.name for photo in dataset.split("valid")] == ["images/b.jpg"]
    assert {photo.name for photo in dataset.split("train")} == {"images/a.jpg", "frame_000003.png"}


@pytest.mark.parametrize(
    ("inside", "kind"),
    [
        (image(BOX.format("").replace('xtl="8"', "")), "wrong-count"),
        (image(BOX.format("").replace('"8"', '"left"')), "bad-number"),
        (image('<polygon label="toe drain" points="8,12;24,20"/>'), "wrong-count"),
        (image('<polygon label="toe drain" points=""/>'), "wrong-count"),
        (image('<polyline label="toe drain" points="8,12;24,20"/>'), "ignored-input"),
        (image(BOX.format(""), "lost.jpg"), "label-without-photo"),
        (image(BOX.format("")) * 2, "duplicate-photo"),
        (image(BOX.format(""), more=' subset="holdout"'), "ignored-input"),
        ("<image", "bad-label"),
    ],
)
def test_what_is_wrong_or_not_used_is_told(folder: Callable[[str], Path], inside: str, kind: str) -> None:
    listed = list_files(folder(inside))
    assert kind in {problem.kind for problem in require_format(listed).read(listed).problems}
