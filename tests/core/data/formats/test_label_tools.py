"""JSON and CSV of label tools: one box each, its odd shapes, its attributes, and what is told of the rest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from core.data.files import list_files
from core.data.formats.registry import require_format
from core.data.types import Dataset

Read = Callable[..., Dataset]
Write = Callable[..., Path]
BOX = (8, 12, 24, 36)  # in pixels of a photo of 64 x 48


def labelme(shape: Mapping[str, Any], photo: str = "a.jpg") -> dict[str, str]:
    said = {"version": "5.4.1", "flags": {}, "shapes": [{"label": "toe drain", "flags": {}} | dict(shape)]}
    tree = said | {"imagePath": photo, "imageData": None, "imageWidth": 64, "imageHeight": 48}
    return {photo.replace(".jpg", ".json"): json.dumps(tree)}


def studio(*results: Mapping[str, Any]) -> dict[str, str]:
    """Regions in per cent; what has no value of its own is one."""
    listed = [
        {"id": "r1", "type": "rectanglelabels", "original_width": 64, "original_height": 48, "from_name": "box"}
        | (dict(result) if "value" in result else {"value": dict(result)})
        for result in results
    ]
    task = {"id": 7, "data": {"image": "/data/upload/1/0a1b2c3d-a.jpg"}, "annotations": [{"result": listed}]}
    return {"export.json": json.dumps([task])}


SIZED = {"x": 12.5, "y": 25, "width": 25, "height": 50, "rotation": 0, "rectanglelabels": ["toe drain"]}


def via(shape: Mapping[str, Any], said: Mapping[str, Any], as_json: bool = False) -> dict[str, str]:
    if as_json:
        region = {"shape_attributes": shape, "region_attributes": said}
        return {"via.json": json.dumps({"a.jpg123": {"filename": "a.jpg", "size": 123, "regions": [region]}})}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["filename", "file_size", "region_shape_attributes", "region_attributes"])
    writer.writerow(["a.jpg", 123, json.dumps(shape), json.dumps(said)])
    return {"via.csv": out.getvalue()}


def supervisely(**geometry: Any) -> dict[str, str]:
    tree = {"size": {"width": 64, "height": 48}, "objects": [{"classTitle": "toe drain"} | geometry], "tags": []}
    return {"ann/a.jpg.json": json.dumps(tree), "meta.json": json.dumps({"classes": []})}


def datumaro(**annotation: Any) -> dict[str, str]:
    labels = {"label": {"labels": [{"name": "vegetation"}, {"name": "toe drain"}], "attributes": []}}
    item = {
        "id": "a",
        "annotations": [{"id": 3, "label_id": 1} | annotation],
        "image": {"path": "a.jpg", "size": [48, 64]},
    }
    return {"annotations/train.json": json.dumps({"info": {}, "categories": labels, "items": [item]})}


def createml(coordinates: Mapping[str, Any]) -> dict[str, str]:
    said = {"image": "a.jpg", "annotations": [{"label": "toe drain", "coordinates": coordinates}]}
    return {"train/_annotations.createml.json": json.dumps([said])}


CORNERS, RING = [[24, 36], [8, 12]], [[8, 12], [24, 20], [10, 36]]
RECT = {"name": "rect", "x": 8, "y": 12, "width": 16, "height": 24}
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "labelme rectangle": ("labelme", labelme({"shape_type": "rectangle", "points": CORNERS})),
    "labelme polygon": ("labelme", labelme({"shape_type": "polygon", "points": RING})),
    "labelme without kind": ("labelme", labelme({"points": RING})),
    "studio": ("label_studio", studio(SIZED)),
    "studio polygon": (
        "label_studio",
        studio(
            {
                "type": "polygonlabels",
                "value": {"points": [[12.5, 25], [37.5, 40], [20, 75]], "polygonlabels": ["toe drain"]},
            }
        ),
    ),
    "studio ellipse": (
        "label_studio",
        studio(
            {
                "type": "ellipselabels",
                "value": {"x": 25, "y": 50, "radiusX": 12.5, "radiusY": 25, "ellipselabels": ["toe drain"]},
            }
        ),
    ),
    # Turned by 90 degrees about its upper left corner, 24 x 16 pixels become 16 x 24 to the left of it.
    "studio turned": (
        "label_studio",
        studio(
            {"x": 37.5, "y": 25, "width": 37.5, "height": 100 / 3, "rotation": 90, "rectanglelabels": ["toe drain"]}
        ),
    ),
    "studio min": (
        "label_studio",
        {"min.json": json.dumps([{"image": "a.jpg", "id": 1, "label": [SIZED | {"original_width": 64}]}])},
    ),
    "createml": ("createml", createml({"x": 16, "y": 24, "width": 16, "height": 24})),
    "via csv": ("via", via(RECT, {"class": "toe drain"})),
    "via json": ("via", via(RECT, {"class": "toe drain"}, as_json=True)),
    "via polygon": (
        "via",
        via({"name": "polygon", "all_points_x": [8, 24, 10], "all_points_y": [12, 20, 36]}, {"what": "toe drain"}),
    ),
    "via ellipse": ("via", via({"name": "ellipse", "cx": 16, "cy": 24, "rx": 8, "ry": 12}, {"class": "toe drain"})),
    "supervisely": ("supervisely", supervisely(geometryType="rectangle", points={"exterior": CORNERS})),
    "supervisely polygon": ("supervisely", supervisely(geometryType="polygon", points={"exterior": RING})),
    "datumaro": ("datumaro", datumaro(type="bbox", bbox=[8, 12, 16, 24])),
    "datumaro polygon": ("datumaro", datumaro(type="polygon", points=[8, 12, 24, 20, 10, 36])),
}
SAYING: dict[str, dict[str, str]] = {
    "labelme flag": labelme({"shape_type": "rectangle", "points": CORNERS, "flags": {"blocked": True}}),
    "labelme attribute": labelme({"shape_type": "rectangle", "points": CORNERS, "attributes": {"state": "blocked"}}),
    "studio choice": studio(SIZED, {"type": "choices", "from_name": "state", "value": {"choices": ["blocked"]}}),
    "via": via(RECT, {"class": "toe drain", "state": "blocked"}),
    "via radio": via(RECT, {"object": "toe drain", "what": {"blocked": True, "damaged": False}}, as_json=True),
    "supervisely tag": supervisely(
        geometryType="rectangle", points={"exterior": CORNERS}, tags=[{"name": "state", "value": "blocked"}]
    ),
    "supervisely bare tag": supervisely(
        geometryType="rectangle", points={"exterior": CORNERS}, tags=[{"name": "blocked", "value": None}]
    ),
    "datumaro attribute": datumaro(
        type="bbox", bbox=[8, 12, 16, 24], attributes={"state": "blocked", "occluded": False}
    ),
}
WRONG: dict[str, tuple[str, dict[str, str]]] = {
    "labelme one corner": ("wrong-count", labelme({"shape_type": "rectangle", "points": [[1, 2]]})),
    "labelme words": ("bad-number", labelme({"shape_type": "rectangle", "points": [[1, 2], [3, "x"]]})),
    "labelme line": ("ignored-input", labelme({"shape_type": "line", "points": CORNERS})),
    "studio brush": ("ignored-input", studio({"type": "brushlabels", "value": {"rle": [1, 2], "brushlabels": ["x"]}})),
    "studio points": ("ignored-input", studio({"type": "keypointlabels", "value": {"x": 1, "y": 1, "width": 1}})),
    "studio no height": ("wrong-count", studio({key: SIZED[key] for key in SIZED if key != "height"})),
    "studio turned photo": ("turned-photo", studio({"image_rotation": 90, "value": SIZED})),
    "createml no middle": ("wrong-count", createml({"width": 16, "height": 24})),
    "via point": ("ignored-input", via({"name": "point", "cx": 1, "cy": 2}, {"class": "toe drain"})),
    "via ragged": ("wrong-count", via({"name": "polygon", "all_points_x": [1], "all_points_y": [1, 2]}, {})),
    "supervisely bitmap": ("ignored-input", supervisely(geometryType="bitmap", bitmap={})),
    "supervisely no points": ("wrong-count", supervisely(geometryType="rectangle")),
    "datumaro caption": ("ignored-input", datumaro(type="caption", caption="x")),
    "datumaro unknown class": ("unknown-class", datumaro(type="bbox", bbox=[1, 1, 9, 9], label_id=7)),
}


@pytest.fixture
def folder(tmp_path: Path, write_photo: Write) -> Callable[[Mapping[str, str]], Path]:
    """folder(files beside the photo a.jpg)"""

    def write(files: Mapping[str, str]) -> Path:
        place = "img" if any(name.startswith("ann/") for name in files) else "train" if "train/_" in str(files) else ""
        write_photo(tmp_path / "set" / place / "a.jpg")
        for name, text in files.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_text(text)
        return tmp_path / "set"

    return write


@pytest.mark.parametrize("case", CASES)
def test_every_shape_of_every_tool_becomes_its_box(folder: Callable[..., Path], read: Read, case: str) -> None:
    format_name, files = CASES[case]
    dataset = read(folder(files), split="train")
    obj = dataset.photos[0].objects[0]
    assert (dataset.format, obj.object_type, obj.condition) == (format_name, "toe drain", "normal")
    assert obj.box_xyxy == pytest.approx([end / side for end, side in zip(BOX, (64, 48) * 2, strict=True)])
    assert {problem.kind for problem in dataset.problems} <= {"inferred"}


@pytest.mark.parametrize("case", SAYING)
def test_an_attribute_may_say_the_condition(folder: Callable[..., Path], read: Read, case: str) -> None:
    obj = read(folder(SAYING[case]), split="train").photos[0].objects[0]
    assert (obj.object_type, obj.condition) == ("toe drain", "blocked")


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_or_no_box_is_told(folder: Callable[..., Path], case: str) -> None:
    kind, files = WRONG[case]
    listed = list_files(folder(files))
    assert kind in {problem.kind for problem in require_format(listed).read(listed).problems}


def test_a_task_that_nobody_labelled_is_no_empty_photo(folder: Callable[..., Path], read: Read) -> None:
    tasks = json.loads(studio(SIZED)["export.json"])
    tasks.append({"id": 8, "data": {"image": "b.jpg"}, "annotations": [], "predictions": [{"result": [SIZED]}]})
    root = folder({"export.json": json.dumps(tasks), "b.jpg": ""})
    hints = {problem.kind: problem.where for problem in read(root, split="train").problems}
    assert hints["photo-without-label"] == "b.jpg"
    assert hints["ignored-input"].startswith("export.json task 8")


def test_a_photo_that_two_people_labelled_is_a_fault(folder: Callable[..., Path], read: Read) -> None:
    tasks = json.loads(studio(SIZED)["export.json"])
    tasks[0]["annotations"] *= 2
    told = [str(problem) for problem in read(folder({"export.json": json.dumps(tasks)}), split="train").problems]
    assert "export.json task 7: this photo was labelled 2 times. Keep one of its annotations." in told


def test_a_labelme_file_renamed_with_its_photo_is_labelled_by_its_own_name(
    folder: Callable[..., Path], read: Read
) -> None:
    tree = json.loads(labelme({"shape_type": "rectangle", "points": CORNERS})["a.json"])
    root = folder({"a.json": json.dumps(tree | {"imagePath": "..\\images\\other.jpg"})})
    assert [photo.name for photo in read(root, split="train").photos] == ["a.jpg"]
