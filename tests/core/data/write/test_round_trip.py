"""What is written in any format and read again is the same: photos, boxes, classes, splits and flights."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from operator import add
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core import taxonomy as taxonomies
from core.data.attributes import meaning_of
from core.data.dataset import read_dataset
from core.data.flights import compile_rule, flight_of
from core.data.types import SPLITS, BoxedObject, Dataset, Photo
from core.data.write.folder import write_dataset
from core.data.write.places import places, portable
from core.data.write.registry import WRITERS
from core.settings import DataSettings

SIZES = ((8, 8), (31, 7), (16, 40), (5, 9), (12, 12), (9, 3), (64, 48), (3, 3))
TOLERANCE_PX = 2e-6  # a millionth of a pixel, or of YOLO's fractions a thousand millionth of a side, and its rounding
TAXONOMY = taxonomies.load("")
RULE = compile_rule(DataSettings().group_rule)
NO_PATHS = ("..", ".", "...", "%20", "-1", "a 1", " a ", "a\\b", "a\tb", "line\nbreak", "a\u2028b", "\udcff")
TAKEN = ("CON", "nul.1", "COM1", "COM10", "Aux", "classes", "labels", "README")
MARKS = ("quote'\"", "<&>", "a,b;c", "cafe\u0301", "caf\u00e9", "ö" * 120, "x" * 251)
NO_FLIGHTS = ("train", "Images", "photos", "data", "normal", "toe drain blocked")
NEAR = ("f_1", "f_2", "F_1", "f?_1", "f?_2", "f*_1", "f*_2")
hostile = st.sampled_from((*NO_PATHS, *TAKEN, *MARKS, *NO_FLIGHTS, *NEAR))
words = st.one_of(hostile, st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=6))
endings = st.sampled_from((".png", ".PNG", ".jpg"))
paths = st.lists(words, max_size=2).map(lambda parts: "".join(f"{part}/" for part in parts))
wild = st.builds(lambda *parts: "".join(parts), paths, words, endings)
# Names that differ in case, ending, folders that say nothing, or letters that no system takes: frames of few flights.
near = st.builds(
    add,
    st.sampled_from([f"{folder}{stem}" for folder in ("", "train/", "photos/", "A?/", "a*/") for stem in NEAR]),
    endings,
)


def flight(name: str) -> str:
    return flight_of(name, RULE, lambda word: meaning_of(word, TAXONOMY) is not None)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """A photo of each of SIZES, none like another."""
    root = tmp_path_factory.mktemp("pool")
    paths = [root / f"{place}.png" for place in range(len(SIZES))]
    for place, path in enumerate(paths):
        Image.new("RGB", SIZES[place], (20 * place, 99, 3)).save(path)
    return paths


@st.composite
def objects(draw: st.DrawFn, size_wh: tuple[int, int], least: int) -> tuple[BoxedObject, ...]:
    """Objects whose boxes end at the photo's edges, at whole pixels or between them."""
    found = []
    for _ in range(draw(st.integers(least, 3))):
        box = []
        for side in size_wh:
            end = draw(st.one_of(st.just(side), st.integers(2, side), st.floats(1.5, side)))
            start = draw(st.one_of(st.just(0), st.integers(0, int(end) - 1), st.floats(0, end - 0.01)))
            box.append((start / side, end / side))
        corners = (box[0][0], box[1][0], box[0][1], box[1][1])
        found.append(BoxedObject(corners, *draw(st.sampled_from(TAXONOMY.classes))))
    return tuple(found)


@st.composite
def photo_lists(draw: st.DrawFn) -> list[Photo]:
    """Photos as a reader leaves them: an object in each split, and one in training and in validation at least."""
    listed = draw(st.lists(draw(st.sampled_from((wild, near))), min_size=2, max_size=len(SIZES), unique=True))
    made: list[Photo] = []
    for place, name in enumerate(listed):
        split = SPLITS[place] if place < 2 else draw(st.sampled_from(SPLITS))
        least = 0 if any(photo.split == split for photo in made) else 1
        made.append(Photo(Path(), name, SIZES[place], split, flight(name), draw(objects(SIZES[place], least))))
    return made


def put_on_disk(photos: Sequence[Photo], pool: Sequence[Path]) -> Dataset:
    placed = [
        replace(photo, path=path, digest=sha256(path.read_bytes()).hexdigest())
        for photo, path in zip(photos, pool, strict=False)
    ]
    return Dataset(pool[0].parent, "yolo", tuple(placed))


@pytest.mark.parametrize("to", WRITERS)
@settings(derandomize=True, max_examples=16, database=None, deadline=None)
@given(photos=photo_lists())
def test_what_is_written_reads_the_same(to: str, pool: Sequence[Path], photos: list[Photo]) -> None:
    before = put_on_disk(photos, pool)
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(before, to, Path(folder, "out"))
        after = read_dataset(DataSettings(path=f"{folder}/out"), Path(folder))
    assert after.problems == ()
    again = {photo.name: photo for photo in after.photos}
    placed = places(before.photos, WRITERS[to])
    assert {one.name for one in placed} == set(again)
    flights = set()
    for one in placed:
        photo, found = one.photo, again[one.name]
        assert (found.split, found.digest, found.size_wh) == (photo.split, photo.digest, photo.size_wh)
        assert [(obj.object_type, obj.condition) for obj in found.objects] == [
            (obj.object_type, obj.condition) for obj in photo.objects
        ]
        for old, new in zip(photo.objects, found.objects, strict=True):
            scale = photo.size_wh * 2
            new_px, old_px = ([end * side for end, side in zip(box.box_xyxy, scale, strict=True)] for box in (new, old))
            assert new_px == pytest.approx(old_px, abs=TOLERANCE_PX)
        flights.add((photo.group, found.group))
        plain = all(
            portable(part) == part for part in (*PurePosixPath(photo.name).parts[:-1], PurePosixPath(photo.name).stem)
        )
        if plain and photo.group != photo.name:
            assert found.group == photo.group
    assert len(flights) == len({old for old, _ in flights}) == len({new for _, new in flights})


@settings(derandomize=True, max_examples=200, database=None, deadline=None)
@given(word=words, most=st.sampled_from((12 + 4 * 60, 251, 255)))
def test_a_portable_name_is_one_everywhere(word: str, most: int) -> None:
    name = portable(word, most)
    assert 0 < len(name.encode()) <= most
    assert not set(name) & set('<>:"|?*\\/') and name.splitlines() == [name]
    assert name[0] not in ". " and name[-1] not in ". "
    assert portable(name, most) == name
    assert name.split(".")[0].casefold() not in ("con", "prn", "aux", "nul", "com1", "lpt9")
