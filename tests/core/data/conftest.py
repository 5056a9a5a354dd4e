"""Small data sets on disk: photos of noise, so that no two files are alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import read_dataset
from core.data.types import Dataset
from core.settings import DataSettings

NAMES = ("Toe drain", "Toe drain- Blocked", "rock toe damaged", "vegetation")
BOX = "0 0.5 0.5 0.2 0.4\n"


@pytest.fixture
def write_photo() -> Callable[..., Path]:
    """write_photo(path, size_wh, orientation): the file's noise follows from its path."""

    def write(path: Path, size_wh: tuple[int, int] = (64, 48), orientation: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(ord(letter) * 31**place for place, letter in enumerate(path.as_posix())) % 2**32
        noise = np.random.default_rng(seed).integers(0, 255, (size_wh[1], size_wh[0], 3), dtype=np.uint8)
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        Image.fromarray(noise).save(path, exif=exif)
        return path

    return write


@pytest.fixture
def yolo(tmp_path: Path, write_photo: Callable[..., Path]) -> Path:
    """A sound YOLO folder: train f1_0 … f4_1 (four flights), valid g1_0, one box each."""
    root = tmp_path / "set"
    for split, stems in {"train": [f"f{a}_{b}" for a in range(1, 5) for b in range(2)], "valid": ["g1_0"]}.items():
        for stem in stems:
            write_photo(root / split / "images" / f"{stem}.jpg")
            label = root / split / "labels" / f"{stem}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(BOX)
    names = "\n".join(f"  - '{name}'" for name in NAMES)
    (root / "data.yaml").write_text(f"train: ../train/images\nval: ../valid/images\nnc: 4\nnames:\n{names}\n")
    return root


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Dataset]:
    """read(root, **settings of data)"""

    def reading(root: Path, **settings: object) -> Dataset:
        return read_dataset(DataSettings(path=str(root), **settings), tmp_path / "sample-data")  # type: ignore[arg-type]

    return reading


@pytest.fixture
def coco_tree() -> Callable[..., dict[str, object]]:
    """coco_tree([file names]): one toe drain of 16 x 24 px at (8, 12) in each."""

    def tree(names: list[str], size_wh: tuple[int, int] = (64, 48)) -> dict[str, object]:
        return json.loads(
            json.dumps(
                {
                    "images": [
                        {"id": i, "file_name": name, "width": size_wh[0], "height": size_wh[1]}
                        for i, name in enumerate(names)
                    ],
                    "categories": [{"id": 0, "name": "dam"}, {"id": 1, "name": "toe drain blocked"}],
                    "annotations": [
                        {"id": i, "image_id": i, "category_id": 1, "bbox": [8, 12, 16, 24]} for i in range(len(names))
                    ],
                }
            )
        )

    return tree
