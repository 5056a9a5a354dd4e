"""What tools write beside the box, labels of two formats in one folder, and files that are no labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
PLAIN, ROW = "image,class,x1,y1,x2,y2", "{0},{1},100,80,140,140"
ENDS = "".join(f"<{tag}>{end}</{tag}>" for tag, end in zip(("xmin", "ymin", "xmax", "ymax"), BOX, strict=True))
CVAT_BOX = 'xtl="100" ytl="80" xbr="140" ybr="140"'


def voc_set(root: Path, found: Callable[[int], str]) -> None:
    for place in range(4):
        name = photo(root / f"A_{place:03d}.jpg").name
        text(root / f"A_{place:03d}.xml", voc(name, found(place)))


def cvat_set(root: Path, inside: Callable[[int], str]) -> None:
    images = "".join(
        f'<image id="{place}" name="{name}" width="320" height="240">{inside(place)}</image>\n'
        for place, name in enumerate(photos(root, 4))
    )
    text(root / "annotations.xml", f"<annotations><version>1.1</version>{images}</annotations>")


def changed(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A COCO file of six photos, each annotation changed."""
    made = coco(photos(root, 6))
    for entry in made["annotations"]:
        change(entry)
    tree(root / "labels.json", made)


# -- VOC -----------------------------------------------------------------------------------------------------------
@case("units", Refused(["A_000.xml", "stated twice", "320 x 240", "640 x 480"]))
def voc_two_sizes(root: Path) -> None:
    voc_set(root, lambda place: f"<size><width>640</width><height>480</height></size>{voc_object(FIRST, BOX)}")


@case("units", Refused(["A_000.xml line 4", "the angle 90 is more than a whole turn"]))
def voc_degrees(root: Path) -> None:
    box = "<cx>100</cx><cy>80</cy><w>60</w><h>30</h><angle>90</angle>"
    voc_set(root, lambda place: f"<object><name>{FIRST}</name><robndbox>{box}</robndbox></object>")


@case("units", Refused(["A_000.xml line 4", "turned by 0.7"]))
def voc_angle_of_a_box(root: Path) -> None:
    voc_set(root, lambda place: f"<object><name>{FIRST}</name><bndbox>{ENDS}<angle>0.7</angle></bndbox></object>")


@case("rows", Reads("voc", FIRST, BOX, 4))
def voc_polygon(root: Path) -> None:
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((100, 80), (140, 100), (120, 140)))
    voc_set(root, lambda place: f"<object><name>{FIRST}</name><polygon>{points}</polygon></object>")


@case("rows", Reads("voc", FIRST, BOX, 4, told=["4 parts are not used", "difficult is not used"]))
def voc_parts(root: Path) -> None:
    part = f"<difficult>1</difficult><part><name>grate</name><bndbox>{ENDS}</bndbox></part>"
    voc_set(root, lambda place: voc_object(CLASSES[place], BOX, part))


# -- COCO ----------------------------------------------------------------------------------------------------------
@case("attributes", Reads("coco", FIRST, BOX, 5, told=["supercategory gives the class"]))
def coco_supercategories(root: Path) -> None:
    made = coco(photos(root, 5))
    for category in made["categories"][:4]:
        category["supercategory"], _, category["name"] = category["name"].rpartition(" ")
    tree(root / "labels.json", made)


@case("ids", Reads("coco", FIRST, BOX, 6))
def coco_padded_ids(root: Path) -> None:
    changed(root, lambda entry: entry.update(image_id=f"{entry['image_id']:06d}"))


@case("rows", Refused(["annotation 1", r"a mask \(RLE\)"]))
def coco_masks_alone(root: Path) -> None:
    changed(root, lambda entry: entry.update(bbox=[], segmentation={"counts": [9, 9], "size": [240, 320]}))


@case("rows", Reads("coco", FIRST, BOX, 6, told=["6 keypoint lists are not used", "6 segmentations are not used"]))
def coco_keypoints(root: Path) -> None:
    polygon = [[100, 80, 140, 80, 140, 140]]
    changed(root, lambda entry: entry.update(keypoints=[110, 90, 2], num_keypoints=1, segmentation=polygon))


@case("rows", Refused(["annotation 1", "has no category_id"]))
def coco_without_classes(root: Path) -> None:
    changed(root, lambda entry: entry.pop("category_id"))


@case("handed over", Refused(["labels_old.json image 0", "labelled already at labels.json"], ["names no photo"]))
def coco_copy(root: Path) -> None:
    made = coco(photos(root, 6))
    tree(root / "labels.json", made)
    tree(root / "labels_old.json", made)


# -- attributes ----------------------------------------------------------------------------------------------------
@case("attributes", Reads("createml", "toe drain blocked", BOX, 6, told=["status gives the class"]))
def createml_status(root: Path) -> None:
    box = {"x": 120, "y": 110, "width": 40, "height": 60}
    found = [{"label": "toe drain", "status": "blocked", "coordinates": box}]
    tree(root / "labels.json", [{"image": name, "annotations": found} for name in photos(root, 6)])


@case("attributes", Reads("cvat", "toe drain normal", BOX, 4, told=["2 objects without a condition, taken as normal"]))
def cvat_condition_left_open(root: Path) -> None:
    def inside(place: int) -> str:
        said = ("__undefined__", "blocked")[place % 2]
        return f'<box label="toe drain" {CVAT_BOX}><attribute name="condition">{said}</attribute></box>'

    cvat_set(root, inside)


@case("attributes", Reads("cvat", FIRST, BOX, 4, told=["4 tags are not used: 'wet'", "4 polyline shapes"]))
def cvat_tags_and_lines(root: Path) -> None:
    more = '<tag label="wet"/><polyline label="x" points="1,2;3,4"/>'
    cvat_set(root, lambda place: f'{more}<box label="{CLASSES[place]}" {CVAT_BOX}/>')


@case("attributes", Refused(["class says 'toe drain normal' and condition says 'blocked'"]))
def cvat_contradiction(root: Path) -> None:
    said = '<attribute name="condition">blocked</attribute>'
    cvat_set(root, lambda place: f'<box label="toe drain normal" {CVAT_BOX}>{said}</box>')


@case("attributes", Reads("via", FIRST, BOX, 4, told=["4 attributes are not used: 'condition'"]))
def via_attributes_of_the_photo(root: Path) -> None:
    shape = {"name": "rect", "x": 100, "y": 80, "width": 40, "height": 60}
    said = {
        f"{name}9": {
            "filename": name,
            "file_attributes": {"condition": "blocked"},
            "regions": [{"shape_attributes": shape, "region_attributes": {"class": CLASSES[place]}}],
        }
        for place, name in enumerate(photos(root, 4))
    }
    tree(root / "via.json", said)


@case("other size", Reads("huggingface", FIRST, BOX, 5, {"train": 3, "valid": 2}, told=["640 x 480", "'inspector'"]))
def huggingface_list_of_objects(root: Path) -> None:
    lines = [
        {
            "file_name": name,
            "width": 640,
            "height": 480,
            "split": "train" if place < 3 else "validation",
            "inspector": "Ann",
            "objects": [{"bbox": [200, 160, 80, 120], "category": CLASSES[place]}],
        }
        for place, name in enumerate(photos(root, 5))
    ]
    text(root / "metadata.jsonl", "\n".join(map(json.dumps, lines)))


@case("ids", Reads("datumaro", FIRST, BOX, 4))
def datumaro_float_ids(root: Path) -> None:
    items = [
        {
            "id": name[:-4],
            "annotations": [{"id": 0, "type": "bbox", "label_id": float(place), "bbox": [100, 80, 40, 60]}],
        }
        for place, name in enumerate(photos(root / "images/train", 4))
    ]
    labels = {"label": {"labels": [{"name": name} for name in CLASSES]}}
    tree(root / "annotations/train.json", {"info": {}, "categories": labels, "items": items})


# -- labels of two formats -----------------------------------------------------------------------------------------
def yolo_and_voc(root: Path, name: str) -> None:
    for place in range(4):
        photo(root / "images" / f"A_{place:03d}.jpg")
        text(root / "labels" / f"A_{place:03d}.txt", middle(place))
        said = voc(f"A_{place:03d}.jpg", voc_object(name or CLASSES[place], MIDDLE_PX))
        text(root / "Annotations" / f"A_{place:03d}.xml", said)
    text(root / "classes.txt", LISTED)


@case(
    "handed over",
    Refused(
        [
            "labels in Pascal VOC .* disagree with those that are used on 3 of 4 photos",
            "images/A_000.jpg",
            "data.format",
        ]
    ),
)
def yolo_and_voc_disagree(root: Path) -> None:
    yolo_and_voc(root, "rock toe damaged")


@case("handed over", Reads("yolo", FIRST, MIDDLE_PX, 4, told=["Pascal VOC .XML. lie here too and are not used"]))
def yolo_and_voc_agree(root: Path) -> None:
    yolo_and_voc(root, "")


@case("handed over", Reads("voc", "rock toe damaged", MIDDLE_PX, 4), format="voc")
def yolo_and_voc_by_name(root: Path) -> None:
    yolo_and_voc(root, "rock toe damaged")


@case("handed over", Refused(["labels in a table .* disagree with those that are used on 6 of 6 photos"]))
def coco_and_table_disagree(root: Path) -> None:
    names = photos(root, 6)
    tree(root / "labels.json", coco(names))
    text(root / "labels.csv", rows(PLAIN, names, "{0},toe drain damaged,10,10,50,50"))


@case("handed over", Reads("table", FIRST, BOX, 6))
def coco_and_table_by_file(root: Path) -> Path:
    names = photos(root, 6)
    tree(root / "labels.json", coco(names, (1, 1, 9, 9)))
    return text(root / "labels.csv", rows(PLAIN, names, ROW))


# -- no labels -----------------------------------------------------------------------------------------------------
@case("named", Reads("yolo", FIRST, MIDDLE_PX, 7, told=["conditions.csv: 2 files not used"]))
def yolo_and_other_files(root: Path) -> None:
    yolo(root, middle)
    text(root / "conditions.csv", "photo,condition\nA_000.jpg,blocked\n")
    tree(root / "sites.json", {"A_000.jpg": "north"})


@case("named", Refused(["labels.csv: this table has no column for the photo", "Bild, Klasse, x1"]))
def table_in_german(root: Path) -> None:
    text(root / "labels.csv", rows("Bild;Klasse;x1;y1;x2;y2", photos(root, 4), ROW.replace(",", ";")))


@case("named", Refused(["labels.csv: this table has no column for the box", "image_id, bbox, label"]))
def table_of_lists(root: Path) -> None:
    text(root / "labels.csv", rows("image_id,bbox,label", photos(root, 4), '{0},"[100, 80, 40, 60]",{1}'))


@case("named", Refused(["labels.txt: this text is a table: call it .csv"]))
def table_called_txt(root: Path) -> None:
    text(root / "labels.txt", rows(PLAIN, photos(root, 4), ROW))


@case("named", Refused(["labels.json: this JSON is of no label format", "image, class, x1"]))
def json_of_rows(root: Path) -> None:
    said = [{"image": name, "class": FIRST, "x1": 100, "y1": 80, "x2": 140, "y2": 140} for name in photos(root, 4)]
    tree(root / "labels.json", said)


@case("named", Refused(["A_000.xml: this XML is of no label format", "<Annotation>"]))
def xml_of_another_root(root: Path) -> None:
    text(root / f"{photos(root, 1)[0][:-4]}.xml", "<Annotation><object/></Annotation>")


@case("named", Refused(["train.txt: these are labels of keras-yolo3"]))
def keras_yolo3(root: Path) -> None:
    text(root / "train.txt", "".join(f"{name} 100,80,140,140,0\n" for name in photos(root, 4)))


@case("named", Refused(["via.json: this is a project of VGG Image Annotator 3"]))
def via_3(root: Path) -> None:
    files = {str(place + 1): {"fid": place + 1, "fname": name} for place, name in enumerate(photos(root, 4))}
    tree(root / "via.json", {"project": {"pname": "dam"}, "file": files, "metadata": {}})
