"""Which photo a written name means, in which way the two differ, and what stays undecided."""

from __future__ import annotations

import random
import unicodedata
from urllib.parse import quote

import pytest

from core.data.names import CODE, OTHER_FOLDERS, NameIndex

PHOTOS = ("a/0001.jpg", "b/0001.jpg", "b/DJI_0002.JPG", "c/Dam site 1.png", "c/Böschung.jpg", "d/x.JPG", "d/x.TIF")


@pytest.mark.parametrize(
    ("written", "near", "photo", "difference"),
    [
        ("a/0001.jpg", (), "a/0001.jpg", ""),
        ("0001.jpg", ("b",), "b/0001.jpg", ""),
        ("../b/0001.jpg", ("a",), "b/0001.jpg", ""),
        ("DJI_0002.JPG", (), "b/DJI_0002.JPG", ""),
        ("dji_0002.jpg", (), "b/DJI_0002.JPG", "differ in case only"),
        ("B\\dji_0002.jpg", (), "b/DJI_0002.JPG", "differ in case only"),
        ("Dam%20site%201.png", (), "c/Dam site 1.png", "are written with % codes"),
        ("https://host/x/DJI_0002.JPG?sig=a&b=c", (), "b/DJI_0002.JPG", OTHER_FOLDERS),
        ("/data/local-files/?d=c/Dam%20site%201.png", (), "c/Dam site 1.png", ""),
        (unicodedata.normalize("NFD", "Böschung.jpg"), (), "c/Böschung.jpg", "differ in Unicode form only"),
        ("1a2b3c4d-DJI_0002.JPG", (), "b/DJI_0002.JPG", CODE),
        ("1a2b3c4d-Dam%20site%201.png", (), "c/Dam site 1.png", CODE),
        ("DJI_0002", (), "b/DJI_0002.JPG", "differ in their ending"),
        ("DJI_0002.png", (), "b/DJI_0002.JPG", "differ in their ending"),
        ("DJI_0002.jpg.jpg", (), "b/DJI_0002.JPG", "differ in their ending"),
        ("/data/set/b/0001.jpg", (), "b/0001.jpg", OTHER_FOLDERS),
        (r"C:\Users\me\DJI_0002.JPG", (), "b/DJI_0002.JPG", OTHER_FOLDERS),
        ("x.tif", (), "d/x.TIF", "differ in case only"),
    ],
)
def test_a_name_means_the_photo_that_it_fits_best(
    written: str, near: tuple[str, ...], photo: str, difference: str
) -> None:
    found = NameIndex(PHOTOS).find(written, near)
    assert (found.photo, found.difference, found.rivals) == (photo, difference, ())


@pytest.mark.parametrize(
    ("written", "rivals"), [("0001.jpg", ("a/0001.jpg", "b/0001.jpg")), ("x", ("d/x.JPG", "d/x.TIF"))]
)
def test_what_fits_two_photos_is_not_decided(written: str, rivals: tuple[str, ...]) -> None:
    found = NameIndex(PHOTOS).find(written)
    assert (found.photo, found.rivals) == (None, rivals)


@pytest.mark.parametrize("written", ["", ".", "/", "..", "2.jpg", "20230615-1.jpg", "../../etc/passwd", "Damsite1.png"])
def test_another_name_is_no_photo(written: str) -> None:
    found = NameIndex((*PHOTOS, "20230614-1.jpg")).find(written)
    assert (found.photo, found.rivals) == (None, ())


def test_however_a_name_is_written_its_own_photo_is_found_or_none() -> None:
    """Photos of many names, each written in a way that tools write: never is another photo taken."""
    chance = random.Random(7)
    letters = "aBcÄ é_-0123"
    stems = {"".join(chance.choices(letters, k=8)).strip() for _ in range(300)}
    unlike = {unicodedata.normalize("NFC", stem).casefold(): stem for stem in sorted(stems)}
    photos = [f"f{place % 7}/{stem}.jpg" for place, stem in enumerate(unlike.values())]
    index = NameIndex(photos)
    ways = (
        str.upper,
        quote,
        lambda name: unicodedata.normalize("NFD", name),
        lambda name: f"/data/{name}",
        lambda name: "D:\\" + name.replace("/", "\\"),
        lambda name: name.replace(".jpg", ""),
        lambda name: name.replace(".jpg", ".JPEG"),
        lambda name: name.rpartition("/")[0] + "/0f3e5d7a-" + name.rpartition("/")[2],
    )
    for name in photos:
        for way in ways:
            assert index.find(way(name)).photo == name, way(name)
        assert index.find(chance.choice(ways)(chance.choice(ways)(name))).photo in (name, None)
