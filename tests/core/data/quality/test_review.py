"""The review catches every fault that is planted, cures it by the flag it names, and says nothing of a clean set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from core import taxonomy
from core.data.dataset import read_dataset
from core.data.quality.boxes import disagreements
from core.data.quality.class_support import objects_needed
from core.data.quality.findings import AMBER, GREEN, NOTE, RED, Finding, Review, weigh
from core.data.quality.review import review
from core.data.types import BoxedObject, Photo
from core.settings import Settings, merge

NAMES = ("toe drain", "toe drain blocked", "rock toe damaged", "vegetation")
COUNTING = {"rare-to-learn", "rare-to-judge", "rough-to-judge", "absent", "imbalance"}  # true of any small set
BOX = "0.5 0.5 0.4 0.4"


def random_picture(seed: int, size: int = 240) -> Image.Image:
    """A picture of soft hills with fine grain: unlike every other seed's, and sharp."""
    rng = np.random.default_rng(seed)
    hills = Image.fromarray(rng.integers(40, 215, (6, 6, 3), dtype=np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 14, (size, size, 1))
    return Image.fromarray(np.clip(np.asarray(hills) + grain, 0, 255).astype(np.uint8))


class YoloFolder:
    """A YOLO folder that faults are planted in."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for flight in range(8):
            for frame in range(4):
                split = "valid" if flight > 5 else "train"
                self.add(f"{split}/F{flight}_{frame * 20}", random_picture(10 * flight + frame), f"{frame} {BOX}\n")
        (root / "data.yaml").write_text(f"train: train/images\nval: valid/images\nnames: {json.dumps(NAMES)}\n")

    def add(self, name: str, picture: Image.Image, label: str = f"0 {BOX}\n", quality: int = 92) -> None:
        split, stem = name.split("/")
        for part in ("images", "labels"):
            (self.root / split / part).mkdir(parents=True, exist_ok=True)
        picture.save(self.root / split / "images" / f"{stem}.jpg", quality=quality)
        (self.root / split / "labels" / f"{stem}.txt").write_text(label)

    def photo(self, name: str) -> Path:
        split, stem = name.split("/")
        return self.root / split / "images" / f"{stem}.jpg"

    def settings(self, **changes: object) -> Settings:
        return merge(Settings(), {"data.path": str(self.root)} | changes)

    def review(self, settings: Settings | None = None) -> Review:
        chosen = settings or self.settings()
        dataset = read_dataset(chosen.data, self.root / "sample-data", 0, with_stats=True)
        return review(dataset, chosen, taxonomy.load(""))

    def faults(self, settings: Settings | None = None) -> dict[str, Finding]:
        return {finding.kind: finding for finding in self.review(settings).findings if finding.kind not in COUNTING}


@pytest.fixture
def folder(tmp_path: Path) -> YoloFolder:
    return YoloFolder(tmp_path / "set")


def exact_copy(folder: YoloFolder) -> None:
    (folder.root / "valid/images/F7_99.jpg").write_bytes(folder.photo("train/F1_20").read_bytes())
    (folder.root / "valid/labels/F7_99.txt").write_text(f"0 {BOX}\n")


def saved_again(folder: YoloFolder) -> None:
    changed = ImageEnhance.Brightness(random_picture(11).resize((200, 200))).enhance(1.15)
    folder.add("valid/Z_999", changed, quality=60)


def saved_again_in_one_split(folder: YoloFolder) -> None:
    folder.add("train/Z_999", random_picture(11), quality=50)


def neighbour(folder: YoloFolder) -> None:
    folder.add("valid/F1_22", random_picture(901))


def flight_apart(folder: YoloFolder) -> None:
    folder.add("valid/F1_500", random_picture(902))


def contradiction(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(903), f"0 {BOX}\n1 0.5 0.5 0.4 0.401\n2 0.2 0.2 0.1 0.1\n")


def double_label(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(903), f"0 {BOX}\n0 0.5 0.5 0.4 0.401\n")


def tiny_box(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(903), "0 0.5 0.5 0.02 0.02\n")


def dark(folder: YoloFolder) -> None:
    folder.add("train/F2_100", ImageEnhance.Brightness(random_picture(904)).enhance(0.15))


def glare(folder: YoloFolder) -> None:
    folder.add("train/F2_100", ImageEnhance.Brightness(random_picture(904)).enhance(5))


def blurred(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(905).filter(ImageFilter.GaussianBlur(2.5)))


def thumbnail(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(906, 90))


def bad_label(folder: YoloFolder) -> None:
    folder.add("train/F2_100", random_picture(907), f"0 {BOX}\n0 0.5 0.5 9 9\n")


FLIGHT = {f"train/images/F1_{frame}.jpg" for frame in (0, 20, 40, 60)}
PLANTED = [
    (exact_copy, "same-file", RED, {"train/images/F1_20.jpg", "valid/images/F7_99.jpg"}),
    (saved_again, "duplicate-across", AMBER, {"train/images/F1_20.jpg", "valid/images/Z_999.jpg"}),
    (saved_again_in_one_split, "duplicate", NOTE, {"train/images/F1_20.jpg", "train/images/Z_999.jpg"}),
    (neighbour, "flight-across", AMBER, FLIGHT | {"valid/images/F1_22.jpg"}),
    (flight_apart, "flight-across", AMBER, FLIGHT | {"valid/images/F1_500.jpg"}),
    (contradiction, "contradiction", AMBER, {"train/images/F2_100.jpg"}),
    (double_label, "double-label", NOTE, {"train/images/F2_100.jpg"}),
    (tiny_box, "too-small", NOTE, {"train/images/F2_100.jpg"}),
    (dark, "dark", NOTE, {"train/images/F2_100.jpg"}),
    (glare, "over-exposed", NOTE, {"train/images/F2_100.jpg"}),
    (blurred, "blurred", NOTE, {"train/images/F2_100.jpg"}),
    (thumbnail, "tiny-photo", NOTE, {"train/images/F2_100.jpg"}),
    (bad_label, "faults", RED, set()),
]


def test_a_clean_set_has_no_finding(folder: YoloFolder) -> None:
    assert folder.faults() == {}


@pytest.mark.parametrize(("plant", "kind", "level", "names"), PLANTED, ids=[case[0].__name__ for case in PLANTED])
def test_what_is_planted_is_found_and_nothing_else(
    folder: YoloFolder, plant: Callable[[YoloFolder], None], kind: str, level: str, names: set[str]
) -> None:
    plant(folder)
    found = folder.faults()
    assert list(found) == [kind]
    assert (found[kind].level, set(found[kind].photos)) == (level, names)
    assert found[kind].title and found[kind].detail and found[kind].cure_words


@pytest.mark.parametrize(
    "plant", [exact_copy, saved_again, saved_again_in_one_split, neighbour, flight_apart, bad_label]
)
def test_the_flag_that_a_finding_names_cures_it(folder: YoloFolder, plant: Callable[[YoloFolder], None]) -> None:
    plant(folder)
    (fault,) = folder.faults().values()
    cured = folder.settings(**fault.cure_setting)
    left = {kind: finding for kind, finding in folder.faults(cured).items() if kind != "duplicates-left-out"}
    # What is left out for good stays a note; everything else is gone.
    assert [(kind, finding.level) for kind, finding in left.items()] == (
        [("faults", NOTE)] if plant is bad_label else []
    )


def test_of_a_picture_in_training_and_validation_the_judged_one_stays(folder: YoloFolder) -> None:
    for plant in (exact_copy, saved_again):
        plant(folder)
    settings = folder.settings(**{"data.drop_duplicates": True})
    names = {photo.name for photo in read_dataset(settings.data, folder.root).photos}
    assert "train/images/F1_20.jpg" not in names and len(names) == 32  # one of three
    assert "valid/images/F7_99.jpg" in names


def test_new_splits_keep_neighbours_and_duplicates_on_one_side(folder: YoloFolder) -> None:
    for plant in (saved_again, neighbour):
        plant(folder)
    dataset = read_dataset(folder.settings(**{"data.regroup": True}).data, folder.root)
    side = {photo.name.split("/")[-1]: photo.split for photo in dataset.photos}
    assert len(side) == 34 and {"train", "valid"} == set(side.values())
    assert side["F1_22.jpg"] == side["F1_20.jpg"] == side["Z_999.jpg"]


def test_new_splits_have_a_test_split_where_there_was_one(folder: YoloFolder) -> None:
    (folder.root / "data.yaml").write_text(
        f"train: train/images\ntest: valid/images\nnames: {json.dumps(NAMES)}\n", encoding="utf-8"
    )
    dataset = read_dataset(folder.settings(**{"data.regroup": True}).data, folder.root)
    assert [len({photo.group for photo in dataset.split(name)}) for name in ("train", "valid", "test")] == [5, 1, 2]


def test_one_flight_cannot_be_regrouped_and_that_is_said(folder: YoloFolder) -> None:
    changes = {"data.group_rule": "^(F)"}
    found = folder.faults(folder.settings(**changes))
    assert found["flight-across"].cure_setting == {}
    assert "data.group_rule" in found["flight-across"].cure_words
    neighbour(folder)
    folder.add("valid/F2_23", random_picture(910))
    assert folder.faults(folder.settings(**changes))["flight-across"].cure_setting == {"data.regroup": True}
    dataset = read_dataset(folder.settings(**changes | {"data.regroup": True}).data, folder.root)
    side = {photo.name.split("/")[-1]: photo.split for photo in dataset.photos}
    assert side["F1_20.jpg"] == side["F1_22.jpg"] and side["F2_20.jpg"] == side["F2_23.jpg"]
    assert [problem.kind for problem in dataset.problems] == ["one-flight"]


def test_frames_are_neighbours_by_their_numbers_even_without_a_flight_rule(folder: YoloFolder) -> None:
    neighbour(folder)
    found = folder.faults(folder.settings(**{"data.group_rule": ""}))
    assert found["flight-across"].groups == (("train/images/F1_20.jpg", "valid/images/F1_22.jpg"),)


def test_what_is_left_out_by_the_settings_no_longer_stops_a_run(folder: YoloFolder) -> None:
    bad_label(folder)
    exact_copy(folder)
    assert folder.review().light == RED
    good = folder.review(folder.settings(**{"data.use_good": True}))
    assert good.light != RED
    assert {finding.level for finding in good.findings if finding.kind in ("faults", "same-file")} == {NOTE}


@pytest.mark.parametrize(
    ("changes", "cured"),
    [
        ({"view.mode": "full", "view.photo_px": 112}, {"view.photo_px": 168}),
        ({"view.mode": "full", "view.photo_px": 280}, {}),
    ],
)
def test_boxes_of_few_tokens_are_told_with_the_resolution_that_shows_them(
    folder: YoloFolder, changes: dict[str, object], cured: dict[str, object]
) -> None:
    found = folder.faults(folder.settings(**changes))
    assert (found["too-small"].cure_setting if cured else found) == cured
    if cured:
        assert found["too-small"].level == AMBER
        assert "too-small" not in folder.faults(folder.settings(**changes | cured))


def test_boxes_that_no_resolution_shows_want_a_crop(folder: YoloFolder) -> None:
    tiny_box(folder)
    folder.add("train/F3_100", random_picture(908), "0 0.5 0.5 0.1 0.1\n" * 1)
    found = folder.faults(folder.settings(**{"view.mode": "full"}))
    assert found["too-small"].cure_setting == {"view.mode": "full+crop"}


def test_one_box_drawn_twice_among_many_is_found() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.9, (80, 2))
    boxes = [BoxedObject((x, y, x + 0.05, y + 0.05), "toe drain", "normal") for x, y in corners.tolist()]
    x0, y0, x1, y1 = boxes[50].box_xyxy
    boxes.append(BoxedObject((x0, y0 + 0.001, x1, y1 + 0.001), "toe drain", "blocked", "a.txt line 9"))
    (found,) = disagreements([Photo(Path("a"), "a", (100, 100), "train", "a", tuple(boxes))])
    assert found.kind == "contradiction" and found.boxes == (("a", boxes[50].box_xyxy),)


@pytest.mark.parametrize(("share", "needed"), [(0.5, 97), (0.9, 35)])
def test_the_objects_that_an_interval_takes_are_enough_and_one_fewer_is_not(share: float, needed: int) -> None:
    assert objects_needed(share) == needed
    spread = np.sqrt(share * (1 - share) / np.array([needed, needed - 1])) * 1.96
    assert spread[0] <= 0.1 < spread[1]


def test_the_flag_is_what_a_command_line_takes() -> None:
    finding = Finding(
        "k", NOTE, "t", "d", cure_setting={"data.regroup": True, "view.mode": "full+crop", "view.photo_px": 3}
    )
    assert finding.flags == "--set data.regroup=true --set view.mode=full+crop --set view.photo_px=3"


@pytest.mark.parametrize(
    ("levels", "light"), [([], GREEN), ([NOTE], GREEN), ([NOTE, AMBER], AMBER), ([AMBER, RED, NOTE], RED)]
)
def test_the_light_is_that_of_the_gravest_finding(levels: list[str], light: str) -> None:
    made = weigh([Finding("k", level, "t", "d") for level in levels], {})
    assert made.light == light
    assert [finding.level for finding in made.findings] == sorted(levels, key=["red", "amber", "note"].index)


@pytest.mark.parametrize("on", [False, True])
def test_showing_the_few_more_often_is_a_cure_until_it_is_switched_on(folder: YoloFolder, on: bool) -> None:
    settings = merge(Settings(), {"data.path": str(folder.root), "enhance.oversampling": on})
    found = review(read_dataset(settings.data, folder.root), settings, taxonomy.load())
    rare = next(finding for finding in found.findings if finding.kind == "rare-to-learn")
    assert rare.cure_setting == ({} if on else {"enhance.oversampling": True})
    assert ("Oversampling" in rare.cure_words) is not on


def test_a_review_is_plain_json(folder: YoloFolder) -> None:
    for plant in (exact_copy, contradiction, dark):
        plant(folder)
    tree = json.loads(json.dumps(folder.review().as_dict(), allow_nan=False))
    assert set(tree) == {"light", "findings", "statistics"}
    assert tree["findings"][0]["flags"] == "--set data.drop_duplicates=true"


def test_a_set_read_without_statistics_is_measured(folder: YoloFolder) -> None:
    dark(folder)
    settings = folder.settings()
    dataset = read_dataset(settings.data, folder.root)
    assert all(photo.stats is None for photo in dataset.photos)
    assert "dark" in {finding.kind for finding in review(dataset, settings, taxonomy.load("")).findings}


def test_the_real_photos_hold_one_slip_of_the_mouse_and_three_slivers_of_drains(real_photos: Path) -> None:
    settings = merge(Settings(), {"data.path": str(real_photos)})
    dataset = read_dataset(settings.data, real_photos, 0, with_stats=True)
    found = {
        finding.kind: finding
        for finding in review(dataset, settings, taxonomy.load("")).findings
        if finding.kind not in COUNTING
    }
    assert list(found) == ["too-small"]
    assert found["too-small"].title.startswith("4 objects")
