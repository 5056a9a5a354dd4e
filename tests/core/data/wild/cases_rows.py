"""What a row's numbers are: keypoints, corners in place of sizes, turns, layouts without a header."""

from __future__ import annotations

import json
from pathlib import Path

from tests.core.data.wild.kit import (
    BOX,
    CLASSES,
    LISTED,
    MIDDLE_PX,
    Reads,
    Refused,
    case,
    coco,
    names_yaml,
    pairs,
    photos,
    rows,
    text,
    tree,
    yolo,
)

FIRST = CLASSES[0]
PLAIN, ROW = "image,class,x1,y1,x2,y2", "{0},{1},100,80,140,140"


# -- keypoints -----------------------------------------------------------------------------------------------------
@case("units", Reads("yolo", FIRST, MIDDLE_PX, 7, told=["keypoint"]))
def yolo_pose_seen_without_shape(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.5 0.5 0.2 0.2 0.45 0.45 1 0.55 0.55 1\n")


@case("units", Reads("yolo", FIRST, MIDDLE_PX, 7, told=["keypoint"]))
def yolo_pose_one_seen_point(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.5 0.5 0.2 0.2 0.45 0.45 1\n")


@case("units", Refused(["13 values", "keypoints: 0.40 0.40 0.60 0.60", "polygon"]))
def yolo_pose_of_four_points(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.5 0.5 0.2 0.2 0.45 0.45 0.55 0.45 0.55 0.55 0.45 0.55\n")


@case("units", Refused(["a row of 14 values, and kpt_shape in data.yaml states 13", "6 rows more"]))
def yolo_pose_of_another_shape(root: Path) -> None:
    config = names_yaml(train="train/images", val="valid/images", kpt_shape="[4, 2]")
    yolo(root, lambda number: f"{number % 5} 0.5 0.5 0.2 0.2{' 0.45 0.5 2' * 3}\n", config)


@case("units", Reads("yolo", FIRST, (32, 24, 48, 40.8), 7))
def yolo_small_polygons(root: Path) -> None:
    """Four small corners in the upper left, which as a box with points in it would fit as well."""
    yolo(root, lambda number: f"{number % 5} 0.10 0.10 0.15 0.12 0.14 0.17 0.11 0.16\n")


# -- what four numbers are -----------------------------------------------------------------------------------------
@case(
    "units",
    Refused(["3 of 6 boxes reach beyond their photos as x, y, width, height", "all lie inside as x1, y1, x2, y2"]),
)
def coco_corners(root: Path) -> None:
    made = coco(photos(root, 6), (20, 10, 60, 50))
    for entry in made["annotations"][3:]:
        entry["bbox"] = [200, 150, 300, 230]
    tree(root / "labels.json", made)


@case("units", Refused(["boxes reach beyond", "all lie inside as x1, y1, x2, y2"]))
def huggingface_corners(root: Path) -> None:
    lines = [
        {"file_name": name, "objects": {"bbox": [[200, 150, 300, 230]], "categories": [CLASSES[place]]}}
        for place, name in enumerate(photos(root / "train", 5))
    ]
    text(root / "train/metadata.jsonl", "\n".join(map(json.dumps, lines)))


@case(
    "units", Refused(["boxes reach beyond", "as x_center, y_center, width, height", "all lie inside as x1, y1, x2, y2"])
)
def yolo_corners(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.6 0.6 0.9 0.9\n")


@case(
    "units",
    Refused(["boxes reach beyond", "as x_center, y_center, width, height", "all lie inside as x, y, width, height"]),
)
def createml_upper_left_corner(root: Path) -> None:
    box = {"x": 10, "y": 20, "width": 60, "height": 90}
    said = [
        {"image": name, "annotations": [{"label": CLASSES[place], "coordinates": box}]}
        for place, name in enumerate(photos(root, 5))
    ]
    tree(root / "labels.json", said)


@case("units", Refused(["the box reaches 5 %"], ["lie inside"]))
def coco_beyond_in_every_reading(root: Path) -> None:
    tree(root / "labels.json", coco(photos(root, 6), (200, 20, 136, 10)))


@case("units", Reads("coco", FIRST, (88.56, 74.19, 151.44, 145.81), 6, told=["6 turned boxes"]))
def coco_rotation(root: Path) -> None:
    made = coco(photos(root, 6))
    for entry in made["annotations"]:
        entry["attributes"] = {"rotation": 27.0, "occluded": False}
    tree(root / "instances_default.json", made)


# -- rows of text --------------------------------------------------------------------------------------------------
@case("rows", Refused(["A_000.txt line 1", "'vegetation' stands where the number of the class belongs", "0 to 4"]))
def yolo_names_for_numbers(root: Path) -> None:
    yolo(root, lambda number: "vegetation 0.5 0.5 0.2 0.2\n")


@case("rows", Refused(["without commas"]))
def yolo_rows_with_commas(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5}, 0.5, 0.5, 0.2, 0.2\n")


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 5, "valid": 3}, told=["8 label files"]))
def yolo_folders_in_the_singular(root: Path) -> None:
    pairs(root, "train/image", "train/label", 5)
    pairs(root, "valid/image", "valid/label", 3)
    text(root / "data.yaml", names_yaml(train="train/image", val="valid/image"))


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 6, told=["6 label files"]))
def yolo_labels_in_annotations(root: Path) -> None:
    pairs(root, "images", "annotations", 6)
    text(root / "classes.txt", LISTED)


@case("table text", Reads("table", FIRST, BOX, 6, told=["photo, class, x1, y1, x2, y2"]))
def table_no_header_class_first(root: Path) -> None:
    text(root / "labels.csv", rows("", photos(root, 6), ROW))


@case("table text", Reads("table", FIRST, BOX, 6))
def table_bars(root: Path) -> None:
    text(root / "labels.csv", rows(PLAIN, photos(root, 6), ROW).replace(",", "|"))


@case("table text", Reads("table", FIRST, BOX, 6))
def table_carriage_returns(root: Path) -> None:
    text(root / "labels.csv", rows(PLAIN, photos(root, 6), ROW).replace("\n", "\r"))


@case("table text", Reads("table", FIRST, BOX, 6))
def table_units_in_header(root: Path) -> None:
    text(root / "labels.csv", rows("Image,Class,x1 (px),y1 (px),x2 [px],y2_px", photos(root, 6), ROW))


@case("names", Reads("table", FIRST, BOX, 6, told=["6 names are numbers without their zeros"]))
def table_numbers_of_a_spreadsheet(root: Path) -> None:
    photos(root, 6, "{:04d}.jpg")
    text(root / "labels.csv", rows(PLAIN, [f"{number}.0" for number in range(6)], ROW))


@case("names", Reads("coco", FIRST, BOX, 6, told=["folders that are not here"]))
def coco_addresses(root: Path) -> None:
    names = photos(root / "images", 6)
    tree(root / "labels.json", coco(f"https://host.example/a/{name}?sig=ab&x=1" for name in names))


@case("names", Reads("coco", FIRST, BOX, 6, told=["6 names carry an upload's code"]))
def coco_whole_uuids(root: Path) -> None:
    names = photos(root, 6)
    tree(root / "labels.json", coco(f"1b4e28ba-2fa1-11d2-883f-0016d3cca427-{name}" for name in names))


@case("names", Reads("coco", FIRST, BOX, 6, told=["6 names differ in blanks and marks"]))
def coco_uploaded_blanks(root: Path) -> None:
    photos(root, 6, "Dam site ({}).jpg")
    tree(root / "labels.json", coco(f"1a2b3c4d-Dam_site_{number}.jpg" for number in range(6)))


@case("names", Reads("coco", FIRST, BOX, 6, told=["6 names differ in Unicode form only"]))
def coco_decomposed(root: Path) -> None:
    photos(root, 6, "B\u00f6schung_{}.jpg")
    tree(root / "labels.json", coco(f"Bo\u0308schung_{number}.jpg" for number in range(6)))
