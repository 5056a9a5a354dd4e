"""Formats of other tools: read, or named."""

from __future__ import annotations

import json
from pathlib import Path

from tests.core.data.wild.kit import BOX, CLASSES, Reads, Refused, case, photo, photos, rows, text, tree

FIRST = CLASSES[0]


@case("formats", Reads("labelme", FIRST, BOX, 5))
def labelme(root: Path) -> None:
    for place, name in enumerate(photos(root, 5)):
        shape = {"label": CLASSES[place], "points": [[100, 80], [140, 140]], "group_id": None, "flags": {}}
        said = {"version": "5.4.1", "flags": {}, "shapes": [shape | {"shape_type": "rectangle"}], "imageData": None}
        tree(root / f"{name[:-4]}.json", said | {"imagePath": name, "imageHeight": 240, "imageWidth": 320})


@case("formats", Reads("cvat", FIRST, BOX, 6))
def cvat_images_11(root: Path) -> None:
    images = ""
    for place, name in enumerate(photos(root / "images", 6)):
        ends = 'xtl="100.0" ytl="80.0" xbr="140.0" ybr="140.0"'
        box = f'<box label="{CLASSES[place % 5]}" occluded="0" {ends} z_order="0"></box>'
        images += f'<image id="{place}" name="{name}" subset="Train" width="320" height="240">{box}</image>\n'
    said = f"<annotations>\n<version>1.1</version>\n{images}</annotations>\n"
    text(root / "annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{said}')


@case("formats", Reads("cvat", "toe drain blocked", BOX, 6, told=["condition"]))
def cvat_attributes(root: Path) -> None:
    images = ""
    for place, name in enumerate(photos(root / "images", 6)):
        said = f'<attribute name="condition">{("blocked", "damaged")[place % 2]}</attribute>'
        box = f'<box label="toe drain" xtl="100" ytl="80" xbr="140" ybr="140">{said}</box>'
        images += f'<image id="{place}" name="{name}" width="320" height="240">{box}</image>\n'
    text(root / "annotations.xml", f"<annotations><version>1.1</version>{images}</annotations>")


@case("formats", Reads("label_studio", FIRST, (100, 79.92, 140, 139.92), 5))
def label_studio_json(root: Path) -> None:
    tasks = []
    for place, name in enumerate(photos(root, 5)):
        value = {"x": 31.25, "y": 33.3, "width": 12.5, "height": 25, "rotation": 0, "rectanglelabels": [CLASSES[place]]}
        result = {"type": "rectanglelabels", "original_width": 320, "original_height": 240, "value": value}
        image = f"/data/upload/1/abcd{place}000-{name}"
        tasks.append({"id": place, "data": {"image": image}, "annotations": [{"id": place, "result": [result]}]})
    tree(root / "project-1-at-2024-01-01.json", tasks)


@case("formats", Reads("via", FIRST, BOX, 5))
def via_csv(root: Path) -> None:
    header = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    shape = '"{{""name"":""rect"",""x"":100,""y"":80,""width"":40,""height"":60}}"'
    row = '{0},123,"{{}}",1,0,' + shape + ',"{{""class"":""{1}""}}"'
    text(root / "via_export_csv.csv", rows(header, photos(root, 5), row))


@case("formats", Reads("createml", FIRST, BOX, 7, {"train": 4, "valid": 3}))
def coco_createml(root: Path) -> None:
    for split, count in (("train", 4), ("valid", 3)):
        box = {"x": 120, "y": 110, "width": 40, "height": 60}
        said = [
            {"image": name, "annotations": [{"label": CLASSES[place], "coordinates": box}]}
            for place, name in enumerate(photos(root / split, count, split + "{}.jpg"))
        ]
        tree(root / split / "_annotations.createml.json", said)


@case("formats", Refused(["metadata.jsonl", "names"]))
def hf_imagefolder(root: Path) -> None:
    """Category numbers without a list of their names: nobody knows what they mean."""
    lines = [
        {"file_name": name, "objects": {"bbox": [[100, 80, 40, 60]], "categories": [place]}}
        for place, name in enumerate(photos(root / "train", 5))
    ]
    text(root / "train" / "metadata.jsonl", "\n".join(map(json.dumps, lines)))


@case("formats", Reads("huggingface", FIRST, BOX, 5))
def hf_imagefolder_named(root: Path) -> None:
    lines = [
        {"file_name": name, "objects": {"bbox": [[100, 80, 40, 60]], "categories": [CLASSES[place]]}}
        for place, name in enumerate(photos(root / "train", 5))
    ]
    text(root / "train" / "metadata.jsonl", "\n".join(map(json.dumps, lines)))


@case("formats", Reads("supervisely", FIRST, BOX, 5))
def supervisely(root: Path) -> None:
    for place, name in enumerate(photos(root / "ds0" / "img", 5)):
        points = {"exterior": [[100, 80], [140, 140]], "interior": []}
        found = {"classTitle": CLASSES[place], "geometryType": "rectangle", "points": points}
        tree(root / "ds0" / "ann" / f"{name}.json", {"size": {"height": 240, "width": 320}, "objects": [found]})
    tree(root / "meta.json", {"classes": [{"title": name, "shape": "rectangle"} for name in CLASSES]})


@case("formats", Reads("folders", "toe drain blocked", (0, 0, 320, 240), 12, {"train": 8, "valid": 4}))
def folders_per_class(root: Path) -> None:
    number = 0
    for split, count in (("train", 4), ("val", 2)):
        for name in CLASSES[:2]:
            for _ in range(count):
                photo(root / split / name / f"{number:03d}.jpg")
                number += 1


@case("named", Refused(["mllm_demo.json", "ShareGPT", "conversations", "not boxes"]))
def sharegpt(root: Path) -> None:
    said = [
        {
            "messages": [
                {"role": "user", "content": "<image>What is the condition?"},
                {"role": "assistant", "content": CLASSES[place]},
            ],
            "images": [f"images/{name}"],
        }
        for place, name in enumerate(photos(root / "images", 5))
    ]
    tree(root / "mllm_demo.json", said)


@case("named", Refused(["_classes.csv", "one column for each class|one-hot"]))
def roboflow_classes_csv(root: Path) -> None:
    names = photos(root / "train", 5)
    lines = [f"{name}, {place % 2}, {1 - place % 2}" for place, name in enumerate(names)]
    text(root / "train" / "_classes.csv", "\n".join(["filename, toe drain normal, toe drain blocked", *lines]))


@case("named", Refused(["dataset.ndjson", "Ultralytics"]))
def ultralytics_ndjson(root: Path) -> None:
    lines: list[dict[str, object]] = [{"type": "dataset", "task": "detect", "class_names": dict(enumerate(CLASSES))}]
    for place, name in enumerate(photos(root / "images", 5)):
        boxes = {"boxes": [[place, 0.375, 0.4583, 0.125, 0.25]]}
        lines.append({"type": "image", "file": name, "width": 320, "height": 240, "annotations": boxes})
    text(root / "dataset.ndjson", "\n".join(map(json.dumps, lines)))


@case("formats", Refused(["no labels"]))
def batch_names(root: Path) -> None:
    """Names that collide, and names that a spreadsheet or a page would take for something else."""
    odd = [
        "a/1.jpg",
        "a__1.jpg",
        "a_1.jpg",
        "1.jpg",
        "1.JPG",
        "=1+1.jpg",
        "@x.jpg",
        "<b>x.jpg",
        "50%#?.jpg",
        "q\"'.jpg",
    ]
    for name in odd:
        photo(root / name)
