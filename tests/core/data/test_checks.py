"""Every bad input: one sentence with its place, all at once, and the good rest stays usable."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.checks import place_box, require_clean
from core.data.formats.base import PIXELS, SHARE, RawObject
from core.data.types import Dataset
from core.errors import Problem, UserError
from core.settings import DataSettings

Read = Callable[..., Dataset]
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("box", "unit", "expected"),
    [
        ((0.1, 0.2, 0.5, 0.6), SHARE, (0.1, 0.2, 0.5, 0.6)),
        ((0, 0, 1, 1), SHARE, (0, 0, 1, 1)),
        ((-0.005, -0.01, 1.005, 1.01), SHARE, (0, 0, 1, 1)),
        ((20, 10, 40, 30), PIXELS, (0.1, 0.1, 0.2, 0.3)),
        ((-1, 0, 201, 100), PIXELS, (0, 0, 1, 1)),
    ],
)
def test_a_box_becomes_shares_of_the_photo_and_rounding_is_cut(
    box: tuple[float, float, float, float], unit: str, expected: tuple[float, ...]
) -> None:
    assert place_box(RawObject("x", box, unit, "a"), (200, 100)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("box", "unit", "kind", "text"),
    [
        ((-0.02, 0, 0.5, 0.5), SHARE, "box-outside", "2 % beyond the photo's left edge"),
        ((0.1, -0.1, 0.5, 0.5), SHARE, "box-outside", "upper edge"),
        ((0.1, 0.1, 1.12, 0.5), SHARE, "box-outside", "12 % beyond the photo's right edge"),
        ((0.1, 0.1, 0.5, 1.5), SHARE, "box-outside", "lower edge"),
        ((100, 80, 140, 120), SHARE, "box-outside", "not pixels"),
        ((1.001, 0.1, 1.005, 0.5), SHARE, "box-outside", "right edge"),
        ((150, 10, 230, 40), PIXELS, "box-outside", "15 % beyond the photo's right edge"),
        ((0.5, 0.1, 0.5, 0.5), SHARE, "zero-size", "no width"),
        ((0.1, 0.5, 0.5, 0.4), SHARE, "zero-size", "no height"),
        ((40, 10, 20, 30), PIXELS, "zero-size", "no width"),
        ((NAN, 0.1, 0.5, 0.5), SHARE, "bad-number", "not finite"),
        ((0.1, 0.1, INF, 0.5), SHARE, "bad-number", "not finite"),
    ],
)
def test_a_box_that_cannot_be_is_told(box: tuple[float, float, float, float], unit: str, kind: str, text: str) -> None:
    found = place_box(RawObject("x", box, unit, "a.txt line 2"), (200, 100))
    assert isinstance(found, Problem)
    assert (found.kind, found.where) == (kind, "a.txt line 2")
    assert text in str(found)


def damage(root: Path, what: str) -> None:
    """Spoil one thing of the sound set; labels of f1_0 and photos of f2_0 where it matters."""
    label, photo = root / "train/labels/f1_0.txt", root / "train/images/f2_0.jpg"
    line = {"box": "0 0.9 0.5 0.5 0.4", "count": "0 0.5 0.5", "nan": "0 nan 0.5 0.2 0.4", "zero": "0 0.5 0.5 0 0.4"}
    if what in line:
        label.write_text(f"0 0.5 0.5 0.2 0.4\n{line[what]}\n")
    elif what == "class":
        (root / "data.yaml").write_text((root / "data.yaml").read_text().replace("vegetation", "fence"))
        label.write_text("0 0.5 0.5 0.2 0.4\n3 0.5 0.5 0.1 0.1\n3 0.2 0.2 0.1 0.1\n")
    elif what == "label alone":
        (root / "train/labels/lost.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    elif what == "photo alone":
        (root / "train/labels/f2_0.txt").unlink()
    elif what == "no photo":
        photo.write_text("<html>not found</html>")
    elif what == "empty photo":
        photo.write_bytes(b"")
    elif what == "truncated":
        photo.write_bytes(photo.read_bytes()[:-400])
    elif what == "copy":
        shutil.copy(root / "train/images/f1_0.jpg", root / "valid/images/g1_9.jpg")
        shutil.copy(root / "train/labels/f1_0.txt", root / "valid/labels/g1_9.txt")
    elif what == "utf-16":
        label.write_bytes("0 0.5 0.5 0.2 0.4\n".encode("utf-16"))
    elif what == "latin-1":
        label.write_bytes("0 0.5 0.5 0.2 0.4\n# Böschung\n".encode("latin-1"))
    elif what == "utf-16 without mark":
        label.write_bytes("0 0.5 0.5 0.2 0.4\n".encode("utf-16-le"))
    else:
        raise ValueError(what)


FAULTS = [
    ("box", "box-outside", "train/labels/f1_0.txt line 2"),
    ("count", "wrong-count", "train/labels/f1_0.txt line 2"),
    ("nan", "bad-number", "train/labels/f1_0.txt line 2"),
    ("zero", "zero-size", "train/labels/f1_0.txt line 2"),
    ("class", "unknown-class", "train/labels/f1_0.txt line 2"),
    ("label alone", "label-without-photo", "train/labels/lost.txt"),
    ("photo alone", "photo-without-label", "train/images/f2_0.jpg"),
    ("no photo", "unreadable-photo", "train/images/f2_0.jpg"),
    ("empty photo", "unreadable-photo", "train/images/f2_0.jpg"),
    ("truncated", "truncated-photo", "train/images/f2_0.jpg"),
    ("copy", "duplicate-photo", "valid/images/g1_9.jpg"),
    ("utf-16", "wrong-encoding", "train/labels/f1_0.txt"),
    ("utf-16 without mark", "wrong-encoding", "train/labels/f1_0.txt line 1"),
    ("latin-1", "wrong-encoding", "train/labels/f1_0.txt line 2"),
]


@pytest.mark.parametrize(("what", "kind", "where"), FAULTS)
def test_every_bad_input_is_one_sentence_with_its_place(
    yolo: Path, read: Read, what: str, kind: str, where: str
) -> None:
    damage(yolo, what)
    dataset = read(yolo)
    assert [(problem.kind, problem.where) for problem in dataset.problems] == [(kind, where)]
    assert "\n" not in str(dataset.problems[0])
    assert dataset.problems[0].fix.endswith(".")
    assert len(dataset.photos) >= 8


def test_all_faults_are_listed_at_once(yolo: Path, read: Read) -> None:
    for what in ("zero", "label alone", "photo alone", "copy"):
        damage(yolo, what)
    (yolo / "train/images/f3_0.jpg").write_bytes(b"none")
    kinds = {"zero-size", "label-without-photo", "photo-without-label", "duplicate-photo", "unreadable-photo"}
    dataset = read(yolo)
    assert {problem.kind for problem in dataset.problems} == kinds
    assert dataset.split("train")
    assert dataset.split("valid")


@pytest.mark.parametrize("what", [fault[0] for fault in FAULTS])
def test_bad_data_stops_a_run_unless_the_user_asks_to_go_on(yolo: Path, read: Read, what: str) -> None:
    damage(yolo, what)
    dataset = read(yolo)
    require_clean(dataset, DataSettings(use_good=True))
    if what == "photo alone":  # worth a sentence, but nothing that is used is wrong
        require_clean(dataset, DataSettings())
        return
    with pytest.raises(UserError) as caught:
        require_clean(dataset, DataSettings())
    assert caught.value.problems == dataset.problems


def test_many_objects_of_one_unknown_class_are_one_sentence(yolo: Path, read: Read) -> None:
    damage(yolo, "class")
    (problem,) = read(yolo).problems
    assert "'fence' is no class of dam slopes (2 objects" in problem.what
    assert "vegetation normal" in problem.fix


def test_a_photo_that_is_refused_takes_its_label_along(yolo: Path, read: Read, tmp_path: Path) -> None:
    photo = yolo / "train/images/f2_0.jpg"
    shutil.move(photo, tmp_path / "secret.jpg")
    photo.symlink_to(tmp_path / "secret.jpg")
    dataset = read(yolo)
    assert [(problem.kind, problem.where) for problem in dataset.problems] == [
        ("link-outside", "train/images/f2_0.jpg")
    ]
    assert all("f2_0" not in kept.name for kept in dataset.photos)


def test_a_split_without_any_object_is_told(yolo: Path, read: Read) -> None:
    (yolo / "valid/labels/g1_0.txt").write_text("")
    dataset = read(yolo)
    assert [problem.kind for problem in dataset.problems] == ["empty-split"]
    assert dataset.split("valid")  # made from the training photos


def test_the_labels_good_lines_are_kept_beside_a_bad_one(yolo: Path, read: Read) -> None:
    damage(yolo, "box")
    kept = [photo for photo in read(yolo).photos if photo.name.endswith("f1_0.jpg")]
    assert [obj.source for obj in kept[0].objects] == ["train/labels/f1_0.txt line 1"]
