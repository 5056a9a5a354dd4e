"""What is written and read again is the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from core.data.types import Dataset
from core.data.write.folder import places, write_dataset
from core.errors import UserError


@pytest.mark.parametrize("to", ["yolo", "csv"])
@pytest.mark.parametrize("seed", range(3))
def test_round_trip(yolo: Path, read: Callable[..., Dataset], tmp_path: Path, to: str, seed: int) -> None:
    rng = random.Random(seed)
    for label in sorted(yolo.rglob("labels/*.txt")):
        rows = [f"{rng.randrange(4)} 0.5 0.5 {rng.uniform(0.1, 1):.4f} {rng.uniform(0.1, 1):.4f}\n" for _ in "123"]
        label.write_text("".join(rows[: rng.randrange(1, 4)]))
    before = read(yolo)
    write_dataset(before, to, tmp_path / "out")
    after = read(tmp_path / "out")
    again = {photo.name: photo for photo in after.photos}
    assert not after.problems and len(again) == len(before.photos)
    for name, photo in places(before):
        found = again[name]
        assert (found.split, found.digest) == (photo.split, photo.digest)
        for one, two in zip(photo.objects, found.objects, strict=True):
            assert (one.object_type, one.condition) == (two.object_type, two.condition)
            assert two.box_xyxy == pytest.approx(one.box_xyxy, abs=1e-6)


def test_nothing_is_overwritten(yolo: Path, read: Callable[..., Dataset], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    for out in (tmp_path / "out", yolo / "new"):
        with pytest.raises(UserError):
            write_dataset(read(yolo), "yolo", out)


def test_a_vanished_photo_leaves_nothing(yolo: Path, read: Callable[..., Dataset], tmp_path: Path) -> None:
    dataset = read(yolo)
    dataset.photos[0].path.unlink()
    with pytest.raises(OSError):
        write_dataset(dataset, "yolo", tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())
