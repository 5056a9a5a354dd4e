"""Splits and classes that files beside the labels state: lists, counts, several files that ought to agree."""

from __future__ import annotations

import shutil
import zipfile
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
    middle,
    names_yaml,
    pairs,
    photo,
    photos,
    rows,
    text,
    tree,
    voc,
    voc_object,
    yolo,
)

FIRST = CLASSES[0]
SPLIT = {"train": 4, "valid": 2}
TRAIN, VALID = "A_000\nA_001\nA_002\nA_003\n", "A_004\nA_005\n"


def voc_set(root: Path, train: str, valid: str, place: str = "ImageSets/Main") -> None:
    for number in range(6):
        photo(root / "JPEGImages" / f"A_{number:03d}.jpg")
        said = voc(f"A_{number:03d}.jpg", voc_object(CLASSES[number % 5], BOX))
        text(root / "Annotations" / f"A_{number:03d}.xml", said)
    text(root / place / "train.txt", train)
    text(root / place / "val.txt", valid)


def listed_yolo(root: Path, train: str, valid: str, config: str = "") -> None:
    pairs(root, "images", "labels", 6)
    text(root / "train.txt", train)
    text(root / "val.txt", valid)
    text(root / ("data.yaml" if config else "classes.txt"), config or LISTED)


# -- splits --------------------------------------------------------------------------------------------------------
@case("splits", Refused(["train.txt line 1", "no such photo: q1", "val.txt line 1"]))
def voc_lists_of_other_photos(root: Path) -> None:
    voc_set(root, "q1\nq2\n", "q3\n")


@case("splits", Refused(["val.txt", "1 photo is in train and in valid", "A_003.jpg"]))
def voc_photo_in_both_lists(root: Path) -> None:
    voc_set(root, TRAIN, "A_003\n" + VALID)


@case("splits", Reads("voc", FIRST, BOX, 6, SPLIT))
def voc_lists_at_the_top(root: Path) -> None:
    voc_set(root, TRAIN, VALID, ".")


@case("splits", Reads("voc", FIRST, BOX, 6, {"train": 5, "valid": 1}, told=["2 photos in no list"]))
def voc_lists_of_a_part(root: Path) -> None:
    voc_set(root, "A_000\nA_001\nA_002\n", "A_005\n")


@case("splits", Reads("coco", FIRST, BOX, 6, SPLIT))
def coco_with_lists(root: Path) -> None:
    tree(root / "labels.json", coco(photos(root / "images", 6)))
    text(root / "train_list.txt", "\n".join(f"images/{stem}.jpg" for stem in TRAIN.split()))
    text(root / "val_list.txt", "\n".join(f"images/{stem}.jpg" for stem in VALID.split()))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 6, SPLIT))
def yolo_lists_of_stems(root: Path) -> None:
    listed_yolo(root, TRAIN, VALID)


@case("splits", Refused(["train.txt line 1", "no such photo: x/q1.jpg", "val.txt line 1"]))
def yolo_lists_of_other_photos(root: Path) -> None:
    listed_yolo(root, "x/q1.jpg\nx/q2.jpg\n", "x/q3.jpg\n")


@case("splits", Refused(["data.yaml val", "1 photo is in train and in valid", "A_003.jpg"]))
def yolo_photo_in_both_lists(root: Path) -> None:
    listed_yolo(root, TRAIN, "A_003\n" + VALID, names_yaml(train="train.txt", val="val.txt"))


@case("splits", Refused(["4 photos are in train and in valid"]))
def yolo_val_below_train(root: Path) -> None:
    pairs(root, "images", "labels", 6)
    pairs(root, "images/val", "labels/val", 4, "B_{}")
    text(root / "data.yaml", names_yaml(train="images", val="images/val"))


@case(
    "splits", Reads("yolo", FIRST, MIDDLE_PX, 7, {"train": 4, "valid": 3}, told=["3 photos are not used: in no split"])
)
def yolo_folder_in_no_split(root: Path) -> None:
    yolo(root, middle)
    pairs(root, "spare/images", "spare/labels", 3, "X_{}")


@case("splits", Refused(["train.txt: the split train has no photo"]))
def yolo_empty_list(root: Path) -> None:
    listed_yolo(root, "", VALID, names_yaml(train="train.txt", val="val.txt"))


# -- class lists ---------------------------------------------------------------------------------------------------
@case("class lists", Refused(["data_v2.yaml", "class 0 is 'toe drain normal' in data.yaml and 'vegetation'"]))
def yolo_two_yamls(root: Path) -> None:
    yolo(root, middle)
    text(root / "data_v2.yaml", f"train: train/images\nnames: {list(reversed(CLASSES))!r}\n")


@case("class lists", Reads("yolo", "vegetation", MIDDLE_PX, 7))
def yolo_one_of_two_yamls(root: Path) -> Path:
    yolo(root, middle)
    config = f"train: train/images\nval: valid/images\nnames: {list(reversed(CLASSES))!r}\n"
    return text(root / "data_v2.yaml", config)


@case("class lists", Refused(["data.yaml", "3 classes are stated and 5 are named"]))
def yolo_nc_of_an_older_list(root: Path) -> None:
    yolo(root, middle, names_yaml(train="train/images", val="valid/images", nc="3"))


@case("class lists", Refused(["obj.data", "7 classes are stated and 5 are named"]))
def yolo_obj_data_of_an_older_list(root: Path) -> None:
    pairs(root, "data", "data", 4)
    text(root / "obj.names", LISTED)
    text(root / "obj.data", "classes = 7\nnames = data/obj.names\n")


@case("class lists", Refused(["names: a list expected, one text found"]))
def yolo_names_in_one_text(root: Path) -> None:
    yolo(root, middle, f"train: train/images\nval: valid/images\nnames: {', '.join(CLASSES)}\n")


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 7))
def yolo_names_in_another_file(root: Path) -> None:
    yolo(root, middle, "train: train/images\nval: valid/images\nnames: data/obj.names\n")
    text(root / "data/obj.names", LISTED)


@case("class lists", Refused(["labels.txt", "class 0 is 'toe drain normal' in classes.txt and 'vegetation'"]))
def yolo_two_class_lists(root: Path) -> None:
    pairs(root, ".", ".", 4)
    text(root / "classes.txt", LISTED)
    text(root / "labels.txt", "\n".join(reversed(CLASSES)))


@case("class lists", Refused(["A_000.txt line 1", "class 5 has no name"]))
def yolo_counted_from_one(root: Path) -> None:
    pairs(root, ".", ".", 4)
    text(root / "A_000.txt", "5 0.5 0.5 0.2 0.2\n")
    text(root / "classes.txt", LISTED)


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 4))
def yolo_one_of_two_class_lists(root: Path) -> Path:
    yolo_two_class_lists(root)
    return root / "classes.txt"


# -- tables that ought to agree --------------------------------------------------------------------------------------
@case("handed over", Refused(["labels_v2.csv", "6 photos labelled in another table too", "labels.csv"], ["no row"]))
def table_second_version(root: Path) -> None:
    header, names = "image,class,x1,y1,x2,y2", photos(root, 6)
    text(root / "labels.csv", rows(header, names, "{0},{1},100,80,140,140"))
    text(root / "labels_v2.csv", rows(header, names, "{0},toe drain damaged,10,10,50,50"))


@case("handed over", Reads("table", "toe drain damaged", (10, 10, 50, 50), 6))
def table_one_of_two_versions(root: Path) -> Path:
    table_second_version(root)
    return root / "labels_v2.csv"


@case("handed over", Reads("coco", FIRST, BOX, 6))
def coco_file_in_annotations(root: Path) -> Path:
    names = photos(root / "images", 6)
    tree(root / "annotations/draft.json", coco(names, (1, 1, 9, 9)))
    return tree(root / "annotations/instances.json", coco(names))


@case("handed over", Reads("yolo", FIRST, MIDDLE_PX, 7, {"train": 4, "valid": 3}))
def cli_zip(root: Path) -> Path:
    """A zip in a folder that holds another data set."""
    tree(root / "labels.json", coco(photos(root, 3)))
    yolo(root / "made", middle)
    with zipfile.ZipFile(root / "dam.zip", "w") as archive:
        for path in sorted((root / "made").rglob("*.*")):
            archive.write(path, f"dam/{path.relative_to(root / 'made')}")
        archive.writestr("__MACOSX/dam/._data.yaml", "x")
    shutil.rmtree(root / "made")
    return root / "dam.zip"


@case("attributes", Refused(["class says 'toe drain normal'", "class 2 says 'toe drain blocked'"]))
def table_two_columns_of_a_name(root: Path) -> None:
    row = "{0},toe drain normal,toe drain blocked,100,80,140,140"
    text(root / "labels.csv", rows("image,class,class,x1,y1,x2,y2", photos(root, 6), row))


@case("flights", Reads("table", FIRST, BOX, 6, flights=2))
def table_site_and_date(root: Path) -> None:
    header = "image,class,x1,y1,x2,y2,site,date"
    names = photos(root, 6, "P_{:04d}.jpg")
    north = rows(header, names[:4], "{0},{1},100,80,140,140,north,2023-06-14 10:0{2}")
    text(root / "labels.csv", north + rows("", names[4:], "{0},{1},100,80,140,140,south,2023-06-14"))
