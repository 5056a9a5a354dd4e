"""Pascal VOC as CVAT, labelImg, resizers and renamers leave it."""

from __future__ import annotations

from pathlib import Path

from tests.core.data.wild.kit import CLASSES, Reads, Refused, case, photo, text, voc, voc_object

FIRST = CLASSES[0]
ENDS = (10, 20, 80, 90)


def beside(root: Path, count: int, ends: tuple[object, ...] = ENDS, size: tuple[object, object] = (320, 240)) -> None:
    for place in range(count):
        name = photo(root / f"A_{place:03d}.jpg").name
        text(root / f"A_{place:03d}.xml", voc(name, voc_object(CLASSES[place % 5], ends), size))


@case("attributes", Reads("voc", "toe drain blocked", (100, 80, 140, 140), 10, told=["condition"]))
def voc_cvat_attributes(root: Path) -> None:
    for place in range(10):
        name = photo(root / "JPEGImages" / f"A_{place:03d}.jpg").name
        said = f"<attribute><name>condition</name><value>{('blocked', 'damaged')[place % 2]}</value></attribute>"
        said += "<attribute><name>rotation</name><value>0.0</value></attribute>"
        found = voc_object("toe drain", (100, 80, 140, 140), f"<attributes>{said}</attributes>")
        text(root / "Annotations" / f"A_{place:03d}.xml", voc(name, found))


@case("units", Reads("voc", FIRST, (32, 48, 192, 192), 8, told=["fraction"]))
def voc_normalised(root: Path) -> None:
    beside(root, 8, (0.1, 0.2, 0.6, 0.8))


@case("units", Reads("voc", FIRST, (100, 80, 140, 115), 6, told=["640 x 480"]))
def voc_float_size(root: Path) -> None:
    beside(root, 6, (200, 160, 280, 230), ("640.0", "480.0"))


@case("units", Reads("voc", "vegetation normal", (66.5, 52.5, 133.5, 107.5), 3))
def voc_robndbox(root: Path) -> None:
    for place in range(3):
        name = photo(root / f"A_{place:03d}.jpg").name
        box = "<cx>100</cx><cy>80</cy><w>60</w><h>30</h><angle>0.5</angle>"
        found = f"<object><type>robndbox</type><name>vegetation</name><robndbox>{box}</robndbox></object>"
        text(root / f"A_{place:03d}.xml", voc(name, found))


@case("other size", Refused(["A_003.xml", "240 x 320"], ["A_000", "A_001", "A_002"]))
def voc_no_size(root: Path) -> None:
    for place, size in enumerate((None, (0, 0), ("320.0", "240.0"), (240, 320))):
        name = photo(root / f"A_{place:03d}.jpg").name
        text(root / f"A_{place:03d}.xml", voc(name, voc_object(CLASSES[place], ENDS), size))


@case("splits", Reads("voc", FIRST, ENDS, 8, {"train": 6, "valid": 2}))
def voc_imagesets_endings(root: Path) -> None:
    listed = [f"JPEGImages/Dam_{place:03d}.jpg" for place in range(8)]
    for place, name in enumerate(listed):
        photo(root / name)
        text(root / "Annotations" / f"Dam_{place:03d}.xml", voc(Path(name).name, voc_object(CLASSES[place % 5], ENDS)))
    for split, names in (("train", listed[:6]), ("val", listed[6:])):
        text(root / "ImageSets" / "Main" / f"{split}.txt", "\n".join(names) + "\n")


@case("flights", Reads("voc", FIRST, ENDS, 6, flights=2))
def voc_subfolders(root: Path) -> None:
    for site in ("north", "south"):
        for place in range(3):
            photo(root / "JPEGImages" / site / f"{place:04d}.jpg")
            found = voc(f"{site}/{place:04d}.jpg", voc_object(CLASSES[place], ENDS))
            text(root / "Annotations" / site / f"{place:04d}.xml", found)


@case("names", Reads("voc", FIRST, ENDS, 4))
def voc_filename_of_other(root: Path) -> None:
    for place in range(4):
        photo(root / f"A_{place:03d}.jpg")
        said = voc(f"A_{(place + 1) % 4:03d}.jpg", voc_object(CLASSES[place], ENDS))
        text(root / f"A_{place:03d}.xml", said)


@case("rows", Refused([r"A_000.xml line 3", "not UTF-8"]))
def voc_gb2312(root: Path) -> None:
    for place in range(4):
        photo(root / f"A_{place:03d}.jpg")
        said = voc(f"大坝_{place:03d}.jpg", voc_object(CLASSES[place], ENDS))
        text(root / f"A_{place:03d}.xml", '<?xml version="1.0" encoding="gb2312"?>\n' + said, "gb2312")


@case("rows", Refused(["A_002.xml line 4", "no width", "A_005.xml line 4", "right edge"], ["A_001.xml"]))
def voc_odd_numbers(root: Path) -> None:
    odd = [("12.5", "20.25", "80.75", "90"), (-1, 20, 80, 90), (200, 150, 120, 90), (1, 1, -1, -1), (0, 0, 320, 240)]
    for place, ends in enumerate([*odd, (100, 100, 330, 200)]):
        name = photo(root / "JPEGImages" / f"A_{place:03d}.jpg").name
        found = voc_object(CLASSES[place % 5], ends) + voc_object("vegetation", (10, 10, 50, 60))
        text(root / "Annotations" / f"A_{place:03d}.xml", voc(name, found))
