"""`damgui check`: what is in the data, and everything wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from damgui import text
from damgui.cli import commands


def _photos(folder: Path, *lines: str) -> Path:
    """A YOLO data set of two photos a split, the first one's labels as given."""
    names = ["toe drain normal", "toe drain blocked"]
    (folder / "data.yaml").parent.mkdir(parents=True)
    (folder / "data.yaml").write_text(json.dumps({"names": names, "train": "train/images", "val": "valid/images"}))
    for number, split in enumerate(("train", "train", "valid", "valid")):
        for part in ("images", "labels"):
            (folder / split / part).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (40 * number, 90, 60)).save(folder / split / "images" / f"p{number}.jpg")
        good = [f"{number % 2} 0.5 0.5 0.2 0.2"]
        (folder / split / "labels" / f"p{number}.txt").write_text("\n".join(lines if lines and not number else good))
    return folder


def test_check_counts_clean_data_with_code_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _photos(tmp_path / "photos")
    assert commands.main(["check", "--data", str(data), "--workspace", str(tmp_path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["format"] == "yolo"
    assert report["photos"] == {"train": 2, "valid": 2}
    assert report["counts"]["train"] == {"toe drain blocked": 1, "toe drain normal": 1}
    assert report["problems"] == []
    assert report["review"]["light"] == "amber"  # so few objects teach and tell nothing
    assert report["review"]["statistics"]["photos"] == 4
    assert commands.main(["check", "--data", str(data), "--workspace", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "toe drain blocked" in printed
    assert text.LIGHTS["amber"][1] in printed, "as the page says it"


def test_check_lists_every_problem_with_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _photos(tmp_path / "photos", "7 0.5 0.5 0.2 0.2", "0 0.5", "0 0.5 0.5 0.2 0.2")
    assert commands.main(["check", "--data", str(data), "--workspace", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert "p0.txt line 1" in err
    assert "p0.txt line 2" in err
    assert "2 problems found" in out
    assert commands.main(["check", "--data", str(tmp_path / "gone"), "--workspace", str(tmp_path)]) == 2


def test_check_counts_photos_and_asks_before_very_many_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = _photos(tmp_path / "photos")
    monkeypatch.setattr("damgui.cli.reading.ASKED_ABOVE", 3)
    line = ["check", "--data", str(data), "--workspace", str(tmp_path)]
    assert commands.main(line) == 2
    asked = capsys.readouterr().err
    assert "9 files, 4 of them photos" in asked and "add --yes to read it all the same" in asked
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert commands.main([*line, "--yes"]) == 0
    drawn = capsys.readouterr().err.split("\r\x1b[K")
    assert "Looking through the folder …" in drawn and "Reading the photos: 4 of 4 …" in drawn
    assert drawn[-1] == "", "the line is cleared before the report"
