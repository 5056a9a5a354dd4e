"""`damgui convert`: what it answers, and that whatever stops it is one sentence and leaves nothing."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from core.data.write.registry import WRITERS
from damgui.cli import commands

Convert = Callable[..., tuple[int, str, str]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A YOLO folder of three photos of two flights, one of them not labelled."""
    root = tmp_path / "my photos"
    for place, name in enumerate(("train/images/north/f_1", "valid/images/south/f_1", "train/images/north/f_2")):
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20), (place, 0, 0)).save(path)
        if place < 2:
            label = root / f"{name.replace('images', 'labels')}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text("0 0.5 0.5 0.2 0.4\n")
    (root / "data.yaml").write_text("train: train/images\nval: valid/images\nnames: [toe drain blocked]\n")
    return root


@pytest.fixture
def convert(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Convert:
    """convert(*words): exit code, stdout and stderr; what the words leave out is given."""

    def run(*words: str) -> tuple[int, str, str]:
        given = {"--data": str(photos), "--to": "coco", "--out": str(tmp_path / "out"), "--workspace": str(tmp_path)}
        rest = [word for flag, value in given.items() if flag not in words for word in (flag, value)]
        code = commands.main(["convert", *rest, *words])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("to", WRITERS)
def test_json_says_what_was_read_what_was_written_and_what_was_left_out(
    convert: Convert, photos: Path, tmp_path: Path, to: str
) -> None:
    code, out, err = convert("--to", to, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert (document["read"]["data"], document["read"]["format"]) == (str(photos), "yolo")
    assert [(one["kind"], one["where"]) for one in document["read"]["problems"]] == [
        ("photo-without-label", "train/images/north/f_2.png")
    ]
    assert document["written"] == {
        "out": str(tmp_path / "out"),
        "format": to,
        "photos": {"train": 1, "valid": 1, "test": 0},
        "objects": 2,
    }
    assert commands.main(["check", "--data", str(tmp_path / "out"), "--workspace", str(tmp_path)]) == 0


def test_a_person_reads_one_line_and_what_was_left_out(convert: Convert, tmp_path: Path) -> None:
    code, out, err = convert()
    assert (code, out) == (0, f"2 photos (1 train, 1 valid) with 2 objects written to {tmp_path / 'out'}\n")
    assert err.startswith("train/images/north/f_2.png: no label for this photo, so it is left out.")


def test_the_help_names_every_format(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["convert", "--help"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in WRITERS)


LONG = "x" * 300
WRONG = [
    (["--to", "kitti"], "--to: 'kitti' is no format that is written. Use one of: yolo, coco, voc, csv, cvat."),
    (["--to", ""], "--to: '' is no format that is written"),
    (["--data", "gone"], "gone: no such folder"),
    (["--data", ""], "data.path: no data folder given"),
    (["--data", "empty"], "no photos and no labels that we recognise"),
    (["--out", "full"], "full: this is not an empty folder. Give a new folder with --out."),
    (["--out", "full/mine"], "full/mine: this is not an empty folder"),
    (["--out", "full/mine/deeper"], "full/mine: this cannot be written (File exists). Check the folder, or choose"),
    (["--out", "my photos/new"], "this lies within the folder of photos. Choose a folder elsewhere."),
    (["--out", "."], "this is not an empty folder"),
    (
        ["--out", LONG],
        "this cannot be written (File name too long). Check the folder, or choose another one with --out.",
    ),
    (["--out", "loop"], "loop: this is not an empty folder"),
]


@pytest.mark.parametrize(
    ("words", "sentence"), WRONG, ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else ""
)
def test_what_stops_it_is_one_sentence_and_leaves_nothing(
    convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    def seen() -> set[Path]:
        return {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "experiments")}

    before = seen()
    code, out, err = convert(*words)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert sentence in err
    assert seen() == before
    code, out, _ = convert(*words, "--json")
    assert (code, len(json.loads(out)["errors"])) == (2, 1)


def test_a_full_disk_is_a_sentence_that_names_the_folder_as_given(
    convert: Convert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    code, out, err = convert()
    assert (code, out) == (2, "") and err.startswith(f"damgui: {tmp_path / 'out'}: the disk is full.")
    assert not [path for path in tmp_path.iterdir() if "out" in path.name or "converting" in path.name]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything is allowed to root")
def test_a_folder_that_may_not_be_written_is_a_sentence(convert: Convert, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = convert("--out", str(tmp_path / "locked" / "out"))
    assert code == 2 and "Allow writing there, or choose another folder with --out." in err


def test_faults_are_listed_and_nothing_is_written_unless_the_good_rest_is_wanted(
    convert: Convert, photos: Path, tmp_path: Path
) -> None:
    label = photos / "train/labels/north/f_1.txt"
    label.write_text(label.read_text() + "0 0.5 0.5 0.2\n7 0.5 0.5 0.2 0.2\n")
    code, out, err = convert()
    assert (code, out) == (2, "") and not (tmp_path / "out").exists()
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        f"train/labels/north/f_1.txt line {n}" for n in (2, 3)
    ]
    code, out, err = convert("--set", "data.use_good=true")
    assert code == 0 and "with 2 objects" in out and len(err.splitlines()) == 3
