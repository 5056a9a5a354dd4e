"""COCO files as converters, tools and pandas leave them."""

from __future__ import annotations

from pathlib import Path

from tests.core.data.wild.kit import BOX, CLASSES, HIGH, WIDE, Reads, Refused, case, coco, photo, photos, tree

FIRST = CLASSES[0]


@case("names", Reads("coco", FIRST, BOX, 6, told=["6 names differ in case only"]))
def coco_case_mismatch(root: Path) -> None:
    names = photos(root, 6, "DJI_{:04d}.JPG")
    tree(root / "labels.json", coco(name.replace("JPG", "jpg") for name in names))


@case("names", Reads("coco", FIRST, BOX, 6, told=["6 names"]))
def coco_urlencoded(root: Path) -> None:
    names = photos(root, 6, "Dam site {}.jpg")
    tree(root / "labels.json", coco(name.replace(" ", "%20") for name in names))


@case("names", Reads("coco", FIRST, BOX, 6))
def coco_windows_paths(root: Path) -> None:
    names = photos(root / "images", 6)
    tree(root / "result.json", coco("C:\\Users\\ann\\label-studio\\media\\upload\\3\\" + name for name in names))


@case("names", Refused(["two photos|2 photos", "0000.jpg"]))
def coco_same_names_no_folder(root: Path) -> None:
    names = [name for folder in "ab" for name in photos(root / folder, 3, "{:04d}.jpg")]
    tree(root / "result.json", coco(names))


@case("ids", Reads("coco", FIRST, BOX, 6))
def coco_string_ids(root: Path) -> None:
    made = coco(photos(root, 6))
    for entry in made["annotations"]:
        entry["category_id"] = str(entry["category_id"])
    tree(root / "dataset.json", made)


@case("ids", Reads("coco", FIRST, BOX, 6))
def coco_float_ids(root: Path) -> None:
    made = coco(photos(root, 6))
    for entry in (*made["images"], *made["annotations"], *made["categories"]):
        entry |= {key: float(value) for key, value in entry.items() if key == "id" or key.endswith("_id")}
    tree(root / "dataset.json", made)


@case("ids", Reads("coco", FIRST, BOX, 8, {"train": 5, "valid": 3}))
def coco_roboflow(root: Path) -> None:
    for split, count in (("train", 5), ("valid", 3)):
        made = coco(photos(root / split, count, split[0] + "_{0:04d}_JPG.rf.{0:032x}.jpg"))
        made["categories"].insert(0, {"id": 0, "name": "drains", "supercategory": "none"})
        tree(root / split / "_annotations.coco.json", made)


@case("units", Reads("coco", FIRST, (100, 80, 140, 115), 6, told=["640 x 480"]))
def coco_float_size(root: Path) -> None:
    tree(root / "labels.json", coco(photos(root, 6), (200, 160, 80, 70), (640.0, 480.0)))


@case("units", Reads("coco", FIRST, (120, 90, 300, 220), 8))
def coco_xyxy(root: Path) -> None:
    """Corners in place of a size: as long as all boxes fit, nobody can tell."""
    tree(root / "labels.json", coco(photos(root, 8), (120, 90, 180, 130)))


@case("other size", Reads("coco", FIRST, BOX, 6, told=["3200 x 2400"]))
def coco_resized(root: Path) -> None:
    tree(root / "labels.json", coco(photos(root, 6), (1000, 800, 400, 600), (3200, 2400)))


@case("turned", Refused(["EXIF", "320 x 240"]))
def coco_exif_swapped(root: Path) -> None:
    names = [f"images/IMG_{place:03d}.jpg" for place in range(6)]
    for name in names:
        photo(root / name, turn=6)
    tree(root / "result.json", coco(names, (100, 200, 40, 60)))


@case("turned", Reads("coco", FIRST, (10, 20, 50, 80), 6, told=["6 photos are turned"]))
def coco_exif_180(root: Path) -> None:
    names = [f"IMG_{place:03d}.jpg" for place in range(6)]
    for name in names:
        photo(root / name, turn=3)
    tree(root / "labels.json", coco(names, (10, 20, 40, 60)))


@case("handed over", Reads("coco", FIRST, BOX, 8, {"train": 5, "valid": 3}, told=["captions"]))
def coco_ms_download(root: Path) -> None:
    for split, count in (("train2017", 5), ("val2017", 3)):
        made = coco(photos(root / split, count, split + "{:04d}.jpg"))
        tree(root / "annotations" / f"instances_{split}.json", made)
        captions = [{"id": place, "image_id": place, "caption": "a drain"} for place in range(count)]
        tree(root / "annotations" / f"captions_{split}.json", {"images": made["images"], "annotations": captions})


@case("handed over", Refused(["result.json", r"result \(1\).json"]))
def coco_two_results(root: Path) -> None:
    names = [f"images\\{name}" for name in photos(root / "images", 6)]
    tree(root / "result.json", coco(names))
    made = coco(names)
    made["annotations"][0] |= {"category_id": 2, "bbox": [10, 10, 20, 20]}
    tree(root / "result (1).json", made)


@case("rows", Reads("coco", FIRST, BOX, 6, told=["crowd"]))
def coco_crowd(root: Path) -> None:
    made = coco(photos(root, 6))
    mask = {"counts": [0, WIDE * HIGH], "size": [HIGH, WIDE]}
    made["annotations"].append(
        {"id": 90, "image_id": 0, "category_id": 5, "iscrowd": 1, "bbox": [0, 0, WIDE, HIGH], "segmentation": mask}
    )
    tree(root / "instances_default.json", made)


@case("rows", Refused(["annotation 5", "neither a bbox nor a polygon"], ["annotation 3:"]))
def coco_datumaro_tags(root: Path) -> None:
    made = coco(photos(root, 6))
    flat = [100, 80, 140, 80, 140, 140]
    odd = [[flat], flat, [flat, []], [flat[:2], flat[2:4], flat[4:]], {"counts": "abc", "size": [HIGH, WIDE]}, [{}]]
    for entry, given in zip(made["annotations"], odd, strict=True):
        entry |= {"bbox": None, "segmentation": given}
    tree(root / "labels.json", made)


@case("rows", Refused(["annotation 50", "annotation 51", "annotation 52", "annotation 53"]))
def coco_null_bbox(root: Path) -> None:
    made = coco(photos(root, 6))
    odd = [None, [0, 0, 0, 0], [None] * 4, [1, 1, 9, 9]]
    made["annotations"] += [
        {"id": 50 + place, "image_id": place, "category_id": None if place == 3 else 1, "bbox": box}
        for place, box in enumerate(odd)
    ]
    tree(root / "labels.json", made)


@case("rows", Refused(["annotation 3", "not finite"]))
def coco_nan(root: Path) -> None:
    made = coco(photos(root, 6))
    made["annotations"][2]["bbox"][1] = float("nan")
    tree(root / "labels.json", made)


@case("rows", Reads("coco", "toe drain blocked", BOX, 8))
def coco_pretty_names(root: Path) -> None:
    said = ["Toe Drain - Blocked", "TOE_DRAIN (normal)", "blocked slope-drain", "Rock Toe: damaged"]
    said += ["vegetation/normal", "toe drain clogged", "Toe drain  OK", "slope drain broken"]
    made = coco(photos(root, 8))
    made["categories"] = [{"id": 10 * place + 5, "name": name} for place, name in enumerate(said)]
    for place, entry in enumerate(made["annotations"]):
        entry["category_id"] = 10 * place + 5
    tree(root / "labels.json", made)
