"""Splits: whole flights on one side, every class on both where it can be, the same seed the same split."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.data.flights import compile_rule, group_of
from core.data.splits import apply_split, make_split, read_split, with_fingerprint, write_split
from core.data.types import BoxedObject, Dataset, Photo
from core.errors import UserError
from core.settings import DataSettings

RULE = compile_rule(DataSettings().group_rule)


def photo(name: str, group: str, *classes: str, split: str = "train") -> Photo:
    objects = tuple(BoxedObject((0.1, 0.1, 0.2, 0.2), *class_name.rsplit(" ", 1)) for class_name in classes)
    return Photo(Path("/set") / name, name, (64, 48), split, group, objects, digest=name)


def many(groups: int = 12, seed: int = 0) -> list[Photo]:
    rng = np.random.default_rng(seed)
    kinds = ["toe drain normal", "toe drain blocked", "rock toe damaged", "vegetation normal"]
    return [
        photo(f"g{group}_{index}.jpg", f"g{group}", *rng.choice(kinds, 4, p=[0.05, 0.15, 0.3, 0.5]))
        for group in range(groups)
        for index in range(int(rng.integers(1, 9)))
    ]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("train/images/Lagoon1_R5_105_V_jpg.jpg", "Lagoon1_R5"),
        ("Lagoon1_B0_0087_V_JPG.jpg", "Lagoon1_B0"),
        ("Lagoon1_R5_105_V_jpg.rf.8d1e0ab34c.jpg", "Lagoon1_R5"),
        ("Stage2-Lagoon2_R8-Berm3-125m_402_V_jpg.jpg", "Stage2-Lagoon2_R8-Berm3-125m"),
        ("Hillside1_R2_017.jpg", "Hillside1_R2"),
        ("DJI_0012.JPG", "DJI"),
        ("sunset.jpg", "sunset.jpg"),
        ("train/images/000123.jpg", "train/images/000123.jpg"),
    ],
)
def test_the_default_rule_reads_the_flight_from_a_name(name: str, group: str) -> None:
    assert group_of(name, RULE) == group


def test_without_a_rule_every_photo_is_its_own_group() -> None:
    assert group_of("Hillside1_R2_017.jpg", compile_rule("")) == "Hillside1_R2_017.jpg"


@pytest.mark.parametrize("rule", ["(", "[a", "*", r"(?P<x", "no_group_at_all", "(?:only)"])
def test_a_rule_that_is_none_is_told(rule: str) -> None:
    with pytest.raises(UserError, match=r"data\.group_rule") as caught:
        compile_rule(rule)
    assert caught.value.problems[0].fix


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_a_split_never_shares_a_flight_and_loses_no_photo(seed: int, share: float) -> None:
    photos = many(seed=seed)
    split, hints = make_split(photos, share, seed)
    group = {member.name: member.group for member in photos}
    assert not hints
    assert sorted((*split["train"], *split["valid"])) == sorted(group)
    assert not {group[name] for name in split["train"]} & {group[name] for name in split["valid"]}
    assert abs(len(split["valid"]) / len(photos) - share) < 0.12


@pytest.mark.parametrize("seed", range(6))
def test_every_class_of_two_flights_is_on_both_sides(seed: int) -> None:
    photos = many(seed=seed)
    rare = [photo("r1_0.jpg", "r1", "slope drain damaged"), photo("r2_0.jpg", "r2", "slope drain damaged")]
    split, _ = make_split([*photos, *rare], 0.2, seed)
    assert len({"r1_0.jpg", "r2_0.jpg"} & set(split["valid"])) == 1


def test_classes_come_in_like_shares() -> None:
    photos = [photo(f"{i}.jpg", f"{i}", "toe drain normal" if i % 10 == 0 else "rock toe damaged") for i in range(200)]
    split, _ = make_split(photos, 0.25, 3)
    held = Counter(member.objects[0].object_type for member in photos if member.name in split["valid"])
    assert (held["toe drain"], held["rock toe"]) == (5, 45)


def test_the_same_seed_gives_the_same_split_whatever_the_order() -> None:
    photos = many()
    first = make_split(photos, 0.2, 7)
    assert make_split(photos[::-1], 0.2, 7) == first
    assert len({json.dumps(make_split(photos, 0.2, seed)[0]) for seed in range(5)}) > 1


def test_one_flight_is_split_by_photo_and_said_so() -> None:
    split, hints = make_split([photo(f"DJI_{i}.jpg", "DJI", "rock toe damaged") for i in range(10)], 0.2)
    assert len(split["valid"]) == 2
    assert [hint.kind for hint in hints] == ["one-flight"]


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_photos_all_go_to_training(count: int) -> None:
    split, _ = make_split([photo(f"{i}.jpg", "g") for i in range(count)], 0.2)
    assert (len(split["train"]), split["valid"]) == (count, ())


def test_two_photos_give_one_to_each_side() -> None:
    split, _ = make_split([photo("a.jpg", "a", "toe drain normal"), photo("b.jpg", "b", "toe drain normal")], 0.2)
    assert (len(split["train"]), len(split["valid"])) == (1, 1)


def test_many_single_photos_are_split_quickly() -> None:
    photos = [photo(f"{i}.jpg", f"{i}", *label.split("|")) for i, label in enumerate(["toe drain normal"] * 4000)]
    split, _ = make_split(photos, 0.2)
    assert len(split["valid"]) == 800


def test_a_written_split_can_be_repeated(tmp_path: Path) -> None:
    split, _ = make_split(many(), 0.2, 1)
    dataset = apply_split(Dataset(Path("/set"), "yolo", tuple(many())), split)
    write_split(dataset, tmp_path / "split.json")
    again = apply_split(
        with_fingerprint(Dataset(Path("/set"), "yolo", tuple(many()))), read_split(tmp_path / "split.json")
    )
    assert again == dataset
    assert {member.split for member in again.photos} == {"train", "valid"}


def test_photos_a_split_does_not_name_are_left_out() -> None:
    dataset = Dataset(Path("/set"), "yolo", (photo("a.jpg", "a"), photo("b.jpg", "b")))
    assert [member.name for member in apply_split(dataset, {"valid": ["b.jpg"]}).photos] == ["b.jpg"]


def test_a_split_of_other_data_is_refused() -> None:
    with pytest.raises(UserError, match=r"2 photos of the split are not in the data, the first is x\.jpg"):
        apply_split(Dataset(Path("/set"), "yolo", (photo("a.jpg", "a"),)), {"train": ["a.jpg", "x.jpg", "y.jpg"]})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"train": "a.jpg"}', '{"train": [1]}', '{"other": []}'])
def test_a_file_that_is_no_split_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "split.json").write_text(content)
    with pytest.raises(UserError, match=r"split\.json"):
        read_split(tmp_path / "split.json")


def test_a_split_file_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_split(tmp_path / "split.json")
