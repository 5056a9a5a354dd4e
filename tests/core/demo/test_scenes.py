"""Laws of the drawn scenes and of the sample set made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.demo import sample_set
from core.demo.layout import MAX_OF_TYPE, place
from core.demo.sample_set import SAMPLE_SPLITS, label_text, plan_photos, write_photos, write_sample_set
from core.demo.scenes import CLASS_OF, PRETRAINING, SAMPLE, Scene, Style, draw_scene, flight_style, random_wanted

STYLES = pytest.mark.parametrize("style", [PRETRAINING, SAMPLE], ids=lambda style: style.name)
FULL_SCENE = [("rock toe", "damaged"), ("toe drain", "blocked"), ("slope drain", "damaged"), ("vegetation", "normal")]


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(scene.image, dtype=np.float32)


def other_conditions() -> Iterator[tuple[str, str]]:
    return (pair for pair in CLASS_OF if pair[1] != "normal")


@STYLES
def test_same_arguments_give_the_same_pixels(style: Style) -> None:
    first, second = (draw_scene(7, FULL_SCENE, style, 128) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert first.objects == second.objects
    assert first.image.tobytes() != draw_scene(8, FULL_SCENE, style, 128).image.tobytes()


@pytest.mark.parametrize("seed", range(12))
def test_all_that_is_wanted_is_drawn_inside_the_photo(seed: int) -> None:
    wanted = random_wanted(seed)
    scene = draw_scene(seed, wanted, PRETRAINING, 128)
    assert scene.image.size == (128, 128) and scene.image.mode == "RGB"
    assert [(item.object_type, item.condition) for item in scene.objects] == wanted
    for item in scene.objects:
        x0, y0, x1, y1 = item.box_xyxy_px
        assert 0 <= x0 < x1 <= 128 and 0 <= y0 < y1 <= 128
        assert min(x1 - x0, y1 - y0) >= 4
        assert item.class_name == CLASS_OF[item.object_type, item.condition]


def test_toe_drains_lie_lower_than_slope_drains_and_boxes_never_overlap() -> None:
    types = ["toe drain"] * 2 + ["slope drain"] * 3 + ["rock toe"] * 3 + ["vegetation"] * 4
    for seed in range(200):
        rng = np.random.default_rng(seed)
        kinds = [types[int(i)] for i in rng.permutation(len(types))[: int(rng.integers(1, len(types) + 1))]]
        boxes = place(rng, kinds)
        for kind, (_, y0, _, y1) in zip(kinds, boxes, strict=True):
            low, high = {"toe drain": (0.66, 0.85), "slope drain": (0.40, 0.60), "rock toe": (0.62, 0.80)}.get(
                kind, (0.0, 1.0)
            )
            assert low <= (y0 + y1) / 2 <= high, (seed, kind)
        for index, box in enumerate(boxes):
            for two in boxes[:index]:
                assert box[0] >= two[2] or two[0] >= box[2] or box[1] >= two[3] or two[1] >= box[3], seed


def test_the_fullest_scene_still_fits() -> None:
    kinds = [kind for kind, most in MAX_OF_TYPE.items() for _ in range(most)]
    assert len(place(np.random.default_rng(0), kinds)) == len(kinds)


@STYLES
@pytest.mark.parametrize("pair", list(other_conditions()), ids="-".join)
def test_a_condition_changes_the_pixels_of_its_box_and_nothing_else(style: Style, pair: tuple[str, str]) -> None:
    for seed in range(3):
        sound = draw_scene(seed, [(pair[0], "normal"), ("vegetation", "normal")], style, 192)
        worse = draw_scene(seed, [pair, ("vegetation", "normal")], style, 192)
        assert [item.box_xyxy_px for item in sound.objects] == [item.box_xyxy_px for item in worse.objects]
        change = np.abs(pixels(sound) - pixels(worse)).max(axis=2)
        x0, y0, x1, y1 = (round(end) for end in sound.objects[0].box_xyxy_px)
        assert (change[y0:y1, x0:x1] > 25).mean() > 0.1, seed
        margin = 14
        change[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = 0
        assert change.max() == 0, seed


def test_the_styles_differ_in_more_than_their_light() -> None:
    seen = [pixels(draw_scene(3, FULL_SCENE, style, 128)).mean(axis=(0, 1)) for style in (PRETRAINING, SAMPLE)]
    assert np.abs(seen[0] / seen[0].sum() - seen[1] / seen[1].sum()).max() > 0.02
    for kind in ("materials", "debris", "rocks", "shrubs"):
        known, met = ({item for item, _ in getattr(style, kind)} for style in (PRETRAINING, SAMPLE))
        assert met - known, kind  # tuning needs something new to teach


def test_a_flight_narrows_its_style_and_never_widens_it() -> None:
    flight = flight_style(SAMPLE, 4)
    assert flight == flight_style(SAMPLE, 4) != flight_style(SAMPLE, 5)
    for name in ("dryness", "sun_azimuth_deg", "exposure", "warmth"):
        (low, high), (lowest, highest) = getattr(flight, name), getattr(SAMPLE, name)
        assert lowest <= low < high <= highest and high - low < 0.5 * (highest - lowest)


def test_random_wanted_is_balanced_over_the_conditions_of_a_type() -> None:
    drawn = [random_wanted(seed) for seed in range(400)]
    assert {len(wanted) for wanted in drawn} == set(range(2, 9))
    seen = Counter(pair for wanted in drawn for pair in wanted)
    for kind in MAX_OF_TYPE:
        counts = [seen[pair] for pair in CLASS_OF if pair[0] == kind]
        assert min(counts) > 0.7 * max(counts), kind


@pytest.mark.parametrize(
    ("wanted", "size_px", "seed", "message"),
    [
        ([("rock toe", "blocked")], 128, 0, "no such object and condition"),
        ([("dyke", "normal")], 128, 0, "no such object and condition"),
        ([("toe drain", "normal")] * 9, 128, 0, "do not fit"),
        ([("toe drain", "normal")], 16, 0, "size_px"),
        ([("toe drain", "normal")], 128, -1, "seed"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wanted: list[tuple[str, str]], size_px: int, seed: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw_scene(seed, wanted, SAMPLE, size_px)


def test_sample_set_has_exactly_the_counts_of_the_field() -> None:
    photos = plan_photos()
    assert Counter(photo.split for photo in photos) == {"train": 218, "valid": 47, "test": 25}
    for split, objects in {"train": 1129, "valid": 208, "test": 128}.items():
        seen = Counter(CLASS_OF[pair] for photo in photos if photo.split == split for pair in photo.wanted)
        assert seen.total() == objects
        assert tuple(seen[name] for name in CLASS_OF.values()) == SAMPLE_SPLITS[split].objects
        assert min(SAMPLE_SPLITS[split].objects) > 0
    whole = [sum(split.objects[index] for split in SAMPLE_SPLITS.values()) for index in range(len(CLASS_OF))]
    assert whole == [52, 78, 76, 153, 366, 257, 97, 148, 238]
    sizes = [len(photo.wanted) for photo in photos]
    assert min(sizes) == 1 and max(sizes) == 12


def test_no_flight_and_no_site_is_shared_between_splits() -> None:
    photos = plan_photos()
    assert len({photo.name for photo in photos}) == len(photos)
    owners: dict[str, set[str]] = {}
    for photo in photos:
        flight = photo.name.rsplit("_", 1)[0]
        for group in (flight, flight.rsplit("_", 1)[0]):
            owners.setdefault(group, set()).add(photo.split)
    assert all(len(splits) == 1 for splits in owners.values())
    flights = Counter(split for name, splits in owners.items() if "_R" in name for split in splits)
    assert flights == {"train": 18, "valid": 5, "test": 3}


def test_every_file_is_the_same_every_time_however_many_processes(tmp_path: Path) -> None:
    photos = plan_photos()[:4]
    heard: list[tuple[int, int]] = []
    write_photos(tmp_path / "one", photos, 1)
    write_photos(tmp_path / "two", photos, 2, lambda done, total: heard.append((done, total)))
    first, second = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert first == second
    assert sorted(first) == sorted(
        ["data.yaml"]
        + [f"train/images/{photo.name}.jpg" for photo in photos]
        + [f"train/labels/{photo.name}.txt" for photo in photos]
    )
    assert heard[-1] == (4, 4) and heard == sorted(heard)
    with Image.open(tmp_path / "one" / "train" / "images" / f"{photos[0].name}.jpg") as photo:
        assert photo.size == (sample_set.SIZE_PX, sample_set.SIZE_PX)


def test_labels_say_what_was_drawn() -> None:
    scene = draw_scene(11, FULL_SCENE, SAMPLE, 128)
    for line, item in zip(label_text(scene).splitlines(), scene.objects, strict=True):
        number, x, y, width, height = line.split()
        assert list(CLASS_OF.values())[int(number)] == item.class_name
        box = np.array([float(x) - float(width) / 2, float(y) - float(height) / 2, float(width), float(height)]) * 128
        x0, y0, x1, y1 = item.box_xyxy_px
        assert box == pytest.approx([x0, y0, x1 - x0, y1 - y0], abs=1e-3)


@pytest.mark.parametrize("blow", [KeyboardInterrupt, OSError])
def test_a_broken_off_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blow: type[BaseException]
) -> None:
    seen: list[bool] = []

    def stop(done: int, total: int) -> None:
        seen.append((tmp_path / "set").exists())
        if done == 2:
            raise blow

    with pytest.raises(blow):
        write_photos(tmp_path / "set", plan_photos()[:3], 1, stop)
    assert seen == [False, False]  # no half set under the final name, even while drawing
    assert list(tmp_path.iterdir()) == []


def test_a_failing_helper_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match="drawing stopped"):
        write_photos(tmp_path / "set", plan_photos()[:2], 2)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_is_never_written_into(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="already holds files"):
        write_sample_set(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
