"""YOLO folders as trackers, exporters, other machines and other people leave them."""

from __future__ import annotations

from pathlib import Path

from tests.core.data.wild.kit import (
    CLASSES,
    LISTED,
    MIDDLE,
    MIDDLE_PX,
    Reads,
    Refused,
    case,
    middle,
    names_yaml,
    pairs,
    photo,
    text,
    yolo,
)

FIRST = CLASSES[0]
SPLIT = {"train": 4, "valid": 3}


# -- units and columns ---------------------------------------------------------------------------------------------
@case("units", Reads("yolo", FIRST, (80, 84, 112, 108), 7, SPLIT, told=["confidence", "track"]))
def yolo_track_conf_id_many(root: Path) -> None:
    yolo(root, lambda number: f"0 0.30 0.40 0.10 0.10 0.95 {1 + number % 3}\n")


@case("units", Reads("yolo", FIRST, (128, 96, 144, 110.4), 7, SPLIT, told=["confidence", "track"]))
def yolo_seg_conf_id(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.40 0.40 0.45 0.40 0.45 0.46 0.41 0.45 0.91 1\n")


@case("units", Reads("yolo", FIRST, (144, 108, 176, 132), 7, SPLIT, told=["kpt_shape|keypoint"]))
def yolo_pose_1x2(root: Path) -> None:
    config = names_yaml(train="train/images", val="valid/images", kpt_shape="[1, 2]")
    yolo(root, lambda number: f"{number % 5} 0.50 0.50 0.10 0.10 0.52 0.48\n", config)


@case("units", Refused(["7 values", "keypoint", "polygon"]))
def yolo_pose_without_shape(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.50 0.50 0.10 0.10 0.52 0.48\n")


@case("units", Reads("yolo", FIRST, (144, 108, 176, 132), 7, SPLIT, told=["kpt_shape|keypoint"]))
def yolo_pose_17x3(root: Path) -> None:
    config = names_yaml(train="train/images", val="valid/images", kpt_shape="[17, 3]")
    yolo(root, lambda number: f"{number % 5} 0.50 0.50 0.10 0.10{' 0.5 0.5 2' * 17}\n", config)


@case("units", Reads("yolo", FIRST, (144, 108, 176, 132), 7, SPLIT, told=["confidence"]))
def yolo_conf(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.50 0.50 0.10 0.10 0.87\n")


@case("units", Reads("yolo", FIRST, (96, 72, 192, 144), 7, SPLIT))
def yolo_obb(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.40 0.30 0.60 0.50 0.50 0.60 0.30 0.40\n")


@case("units", Refused(["not pixels"]))
def yolo_pixels(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 160 120 40 60\n")


@case("units", Refused(["KITTI"]))
def yolo_kitti_labels(root: Path) -> None:
    for place in range(4):
        photo(root / "images" / f"{place:06d}.png")
        text(root / "labels" / f"{place:06d}.txt", "vegetation 0.00 0 0.0 100.0 50.0 200.0 150.0 0 0 0 0 0 0 0\n")


@case("turned", Reads("yolo", FIRST, (12, 224, 84, 288), 7, SPLIT, told=["7 photos are turned"]))
def yolo_exif_raw(root: Path) -> None:
    yolo(root, lambda number: f"{number % 5} 0.2 0.8 0.3 0.2\n")
    for place in (root / "train/images", root / "valid/images"):
        for path in place.iterdir():
            photo(path, turn=6)


# -- names ---------------------------------------------------------------------------------------------------------
@case("names", Reads("yolo", FIRST, MIDDLE_PX, 4, told=["differ in case only"]))
def yolo_label_upper_txt(root: Path) -> None:
    for number in range(4):
        photo(root / "images" / f"A_{number:03d}.JPG")
        text(root / "labels" / f"A_{number:03d}.TXT", middle(number))
    text(root / "data.yaml", names_yaml(train="images", val="images"))


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 4, "valid": 4}))
def yolo_upper_folders(root: Path) -> None:
    for split in ("train", "val"):
        pairs(root, f"Images/{split}", f"Labels/{split}", 4, split + "_{:03d}", ".JPG")
    text(root / "data.yaml", names_yaml(train="Images/train", val="Images/val"))


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 4, told=["4 names"]))
def yolo_ls_hash(root: Path) -> None:
    for number in range(4):
        photo(root / "images" / f"IMG_{number:03d}.jpg")
        text(root / "labels" / f"a1b2c3d{number}-IMG_{number:03d}.txt", middle(number))
    text(root / "classes.txt", LISTED)
    text(root / "notes.json", '{"categories": []}')


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 8, told=["8 names"]))
def yolo_double_ext(root: Path) -> None:
    for number in range(8):
        photo(root / "images" / f"A_{number:03d}{'.webp' * (number < 4)}.jpg")
        text(root / "labels" / f"A_{number:03d}{'.jpg' * (number > 3)}.txt", middle(number))
    text(root / "classes.txt", LISTED)


@case("names", Refused(["frame_000000.txt"]))
def yolo_cvat_frame_step(root: Path) -> None:
    for number in range(6):
        photo(root / "obj_train_data" / f"{5 * number:04d}.jpg")
        text(root / "obj_train_data" / f"{5 * number:04d}.txt", "")
        text(root / "obj_train_data" / f"frame_{5 * number:06d}.txt", middle(number))
    text(root / "obj.names", LISTED)
    text(root / "obj.data", "classes = 5\n")


@case("names", Refused(["DJI_0000.JPG", "DJI_0000.TIF", "one label"]))
def yolo_same_stem(root: Path) -> None:
    pairs(root, "images", "labels", 6, "DJI_{:04d}", ".JPG")
    for number in range(6):
        photo(root / "images" / f"DJI_{number:04d}.TIF", (160, 130))
    text(root / "classes.txt", LISTED)


@case("names", Reads("yolo", CLASSES[0], (112, 84, 208, 156), 8))
def yolo_gdoc_labels(root: Path) -> None:
    for number in range(4):
        for place in ("some", "other/images"):
            photo(root / place / f"{place[0]}_{number:03d}.jpg")
            text(root / place / f"{place[0]}_{number:03d}.txt", f"{number} 0.5 0.5 0.3 0.3\n")
    text(root / "classes.txt", LISTED)


@case("names", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_hidden_macos(root: Path) -> None:
    yolo(root, middle)
    for number in range(4):
        text(root / "train/images" / f"._A_{number:03d}.jpg", "x")
        text(root / "train/labels" / f"._A_{number:03d}.txt", "x")
        text(root / "__MACOSX/train/images" / f"._A_{number:03d}.jpg", "x")
    for name in ("Thumbs.db", "desktop.ini", "train/labels.cache"):
        text(root / name, "x")


# -- class lists ---------------------------------------------------------------------------------------------------
@case("class lists", Refused(["classes.txt line 2"]))
def yolo_classes_blank_line(root: Path) -> None:
    for number in range(6):
        photo(root / f"A_{number:03d}.jpg")
        text(root / f"A_{number:03d}.txt", MIDDLE.format(2))
    text(root / "classes.txt", "toe drain normal\n\ntoe drain blocked\nvegetation\n")


@case("class lists", Refused(["data.yaml", "classes.txt"]))
def yolo_yaml_and_classes(root: Path) -> None:
    yolo(root, middle)
    text(root / "classes.txt", "\n".join(sorted(CLASSES)) + "\n")


@case("class lists", Refused(["data.yaml", "no names"]))
def yolo_names_yaml_nested(root: Path) -> None:
    config = names_yaml(train="train/images", val="valid/images")
    yolo(root, middle, "data:\n" + "".join(f"  {line}\n" for line in config.splitlines()))


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_nested(root: Path) -> None:
    yolo(root / "dam.v3i.yolov8", middle)


@case("class lists", Refused(["names", "classes.txt|data.yaml"], ["no labels"]))
def yolo_makesense(root: Path) -> None:
    pairs(root, ".", ".", 4)


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 4))
def yolo_makesense_labels_txt(root: Path) -> None:
    pairs(root, ".", ".", 4)
    text(root / "labels.txt", LISTED)


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 4, "valid": 4}))
def yolo_roboflow_darknet(root: Path) -> None:
    for split in ("train", "valid"):
        pairs(root, split, split, 4, split + "_{:03d}")
        text(root / split / "_darknet.labels", LISTED)


@case("class lists", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_names_dict_gap(root: Path) -> None:
    numbered = "  '0': toe drain normal\n  2: toe drain blocked\n  7: vegetation\n"
    config = f"train: train/images\nval: valid/images\ntest:\nnc: 9\nnames:\n{numbered}"
    yolo(root, lambda number: MIDDLE.format((0, 2, 7)[number % 3]), config)


@case("class lists", Refused(["class 5 has no name in data.yaml", "0 to 4"]))
def yolo_class_out(root: Path) -> None:
    yolo(root, lambda number: "1 0.5 0.5 0.1 0.1\n5 0.3 0.3 0.1 0.1\n")


@case("class lists", Refused(["'0' is no class", "'1' is no class"]))
def yolo_roboflow_null_class(root: Path) -> None:
    config = "train: ../train/images\nval: ../valid/images\nnc: 3\nnames: ['0', '1', null]\n"
    yolo(root, lambda number: MIDDLE.format(number % 3), config)


@case("class lists", Reads("yolo", "crack no", MIDDLE_PX, 7, SPLIT), taxonomy="taxonomy.yaml")
def tax_bool(root: Path) -> None:
    yolo(root, lambda number: MIDDLE.format(number % 2), "train: train/images\nnames: [crack no, crack yes]\n")
    text(root / "taxonomy.yaml", "name: cracks\nscene: wall\nconditions: [no, yes]\nobject_types: [crack]\n")


@case("class lists", Reads("yolo", "helmet no", MIDDLE_PX, 7, SPLIT), taxonomy="taxonomy.yaml")
def tax_bool_names(root: Path) -> None:
    yolo(root, lambda number: MIDDLE.format(number % 2), "train: train/images\nval: valid/images\nnames: [no, yes]\n")
    said = 'name: helmets\nscene: site\nconditions: ["no", "yes"]\nobject_types: [helmet]\n'
    text(root / "taxonomy.yaml", said + 'class_spellings:\n  helmet no: ["no"]\n  helmet yes: ["yes"]\n')


# -- splits --------------------------------------------------------------------------------------------------------
@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 3, "valid": 5}))
def yolo_cvat_11(root: Path) -> None:
    for split, count in (("train", 3), ("valid", 5)):
        folder = f"obj_{split}_data"
        pairs(root, folder, folder, count, split[0] + "_{}")
        text(root / f"{split}.txt", "".join(f"data/{folder}/{split[0]}_{number}.jpg\n" for number in range(count)))
    text(root / "obj.names", LISTED)
    text(root / "obj.data", "classes = 5\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n")


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 4, "valid": 4}))
def yolo_cvat_same_frames(root: Path) -> None:
    for split in ("train", "val"):
        pairs(root, f"images/{split}", f"labels/{split}", 4, "frame_{:06d}")
        text(root / f"{split}.txt", "".join(f"data/images/{split}/frame_{number:06d}.jpg\n" for number in range(4)))
    text(root / "data.yaml", names_yaml(path=".", train="train.txt", val="val.txt"))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_abs_colab(root: Path) -> None:
    yolo(root, middle, names_yaml(train="/content/Dam-3/train/images", val="/content/Dam-3/valid/images", test=""))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_abs_windows(root: Path) -> None:
    base = r"D:\work\dam"
    yolo(root, middle, names_yaml(path=base, train=rf"{base}\train\images", val=rf"{base}\valid\images"))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 8, {"train": 6, "valid": 2}))
def yolo_imagesets_abs(root: Path) -> None:
    pairs(root, "images", "labels", 8, "a_{:03d}")
    base = "H:/datasets/dam"
    for split, numbers in (("train", range(6)), ("val", range(6, 8))):
        text(root / "ImageSets" / f"{split}.txt", "".join(f"{base}/images/a_{number:03d}.jpg\n" for number in numbers))
    text(root / "data.yaml", names_yaml(train=f"{base}/ImageSets/train.txt", val=f"{base}/ImageSets/val.txt"))


@case("splits", Refused(["images/val", "empty|holds no photo"], ["outside"]))
def yolo_all_in_train(root: Path) -> None:
    pairs(root, "images/train", "labels/train", 8, "a_{:03d}")
    for folder in ("images/val", "labels/val"):
        (root / folder).mkdir(parents=True)
    text(root / "data.yaml", names_yaml(path=".", train="images/train", val="images/val"))


@case(
    "splits",
    Reads("yolo", FIRST, MIDDLE_PX, 9, {"train": 6, "valid": 3}, told=["val: train/images names the photos of train"]),
)
def yolo_val_is_train(root: Path) -> None:
    yolo(root, middle, names_yaml(train="train/images", val="train/images"), (6, 3))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 10, {"train": 5, "valid": 3, "test": 2}))
def yolo_fiftyone_windows(root: Path) -> None:
    base = "c:\\Dev\\datasets\\dam"
    for split, count in (("train", 5), ("validation", 3), ("test", 2)):
        pairs(root, f"images/{split}", f"labels/{split}", count, split + "_{:03d}")
    lines = {split: f".\\images\\{split}\\" for split in ("test", "train", "validation")}
    text(root / "dataset.yaml", names_yaml(nc="5", path=base, **lines))


@case("splits", Reads("yolo", FIRST, MIDDLE_PX, 7, SPLIT))
def yolo_path_elsewhere(root: Path) -> None:
    config = names_yaml(path="/home/someone/datasets/dam", train="train/images", val="valid/images", test="null")
    yolo(root, middle, config)


@case("splits", Refused([r"test: \.\./test/images holds no photo"]))
def yolo_roboflow_augmented(root: Path) -> None:
    for split, count in (("train", 18), ("valid", 3)):
        for number in range(count):
            stem = f"DJI_2023061410{number // 3:02d}_00{number // 3:02d}_V_JPG.rf.{split[0]}{number:031x}"
            photo(root / split / "images" / f"{stem}.jpg")
            text(root / split / "labels" / f"{stem}.txt", middle(number))
    text(root / "data.yaml", names_yaml(train="../train/images", val="../valid/images", test="../test/images"))


# -- flights -------------------------------------------------------------------------------------------------------
@case("flights", Reads("yolo", FIRST, MIDDLE_PX, 24, flights=3))
def yolo_flight_folders(root: Path) -> None:
    for flight in ("flight_north", "flight_south", "flight_west"):
        pairs(root, f"{flight}/images", f"{flight}/labels", 8, "DJI_{:04d}", ".JPG")
    text(root / "classes.txt", LISTED)


@case("flights", Reads("yolo", FIRST, MIDDLE_PX, 30, flights=2))
def yolo_frames_numbers(root: Path) -> None:
    for video in ("video1", "video2"):
        pairs(root, f"{video}/images", f"{video}/labels", 15, "{:06d}")
    text(root / "classes.txt", LISTED)


@case("flights", Reads("yolo", "", (), 36, flights=1))
def yolo_dji_zoom_wide(root: Path) -> None:
    for number in range(12):
        for lens in "ZWT":
            pairs(root, "images", "labels", 1, f"DJI_202306141012{2 * number:02d}_{number + 1:04d}_{lens}", ".JPG")
    text(root / "data.yaml", names_yaml(train="images"))


# -- rows ----------------------------------------------------------------------------------------------------------
@case("rows", Refused(["all 7 label files are empty"]))
def yolo_empty_labels_all(root: Path) -> None:
    yolo(root, lambda number: "")


@case("rows", Reads("yolo", FIRST, MIDDLE_PX, 4, {"train": 3, "valid": 3}, told=["A_003.jpg"]))
def yolo_background(root: Path) -> None:
    yolo(root, lambda number: "" if number in (1, 2) else middle(number))
    (root / "train/labels/A_003.txt").unlink()


@case("rows", Refused(["A_000.txt line 3", "5 % beyond the photo's right edge"], ["line 1", "line 2"]))
def yolo_rounding(root: Path) -> None:
    yolo(root, lambda number: "0 0.9 0.5 0.2004 0.2\n1 0.5 0.995 0.2 0.0112\n2 1.00002 0.5 0.1 0.1\n")


@case("rows", Reads("yolo", FIRST, (112, 84, 208, 156), 14, SPLIT))
def yolo_crlf_bom_tabs(root: Path) -> None:
    yolo(
        root,
        lambda number: f"\ufeff{number % 5}\t0.5\t0.5\t0.3\t0.3\r\n\r\n   \r\n1 5e-1 .5 0.3 0.30000000000000004\r\n",
    )


@case("rows", Refused([r"A_000.txt line 1", r"A_001.txt line 1", r"A_002.txt line 1"]))
def yolo_commas(root: Path) -> None:
    odd = ["0,0.5,0.5,0.3,0.3\n", "0 0,5 0,5 0,3 0,3\n", "toe_drain_normal 0.5 0.5 0.3 0.3\n", "0 nan nan nan nan\n"]
    yolo(root, lambda number: odd[number % 4])


@case("rows", Reads("yolo", FIRST, (112, 84, 208, 156), 21, SPLIT))
def yolo_duplicate_rows(root: Path) -> None:
    yolo(root, lambda number: "0 0.5 0.5 0.3 0.3\n0 0.5 0.5 0.3 0.3\n1 0.5 0.5 0.3 0.301\n")


@case("photos", Refused(["IMG_0000.HEIC|HEIC"]))
def heic_folder(root: Path) -> None:
    for number in range(6):
        (root / "images").mkdir(parents=True, exist_ok=True)
        head = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
        (root / "images" / f"IMG_{number:04d}.HEIC").write_bytes(head + bytes([number]) * 2000)
        text(root / "labels" / f"IMG_{number:04d}.txt", middle(number))
    pairs(root, "images", "labels", 3, "JPG_{:04d}", ".JPG")
    text(root / "classes.txt", LISTED)
