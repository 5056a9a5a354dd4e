"""A judged folder says what an evaluation says, goes on with the same bytes, and nothing is written into it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.engine import batch, scoring
from core.errors import UserError
from core.report.annotate import annotated_name
from core.runs import store
from core.runs.store import Run
from damgui.cli import commands

Trainings = Any  # of conftest.py
PHOTOS = 9  # of the folder


@pytest.fixture(autouse=True)
def _pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos are judged two by two: nine photos are five groups then, and a stop may fall between or within them."""
    monkeypatch.setattr(scoring, "TOGETHER", 2)
    monkeypatch.setattr(batch, "TOGETHER", 2)


class Recorder:
    """A reporter that asks to stop after so many photos (0: never)."""

    def __init__(self, stop_after: int = 0) -> None:
        self.stop_after, self.events = stop_after, []

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append({"kind": kind, **fields})

    def stop_requested(self) -> bool:
        return len(self.of("progress")) == self.stop_after

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


def begin(trainings: Trainings, **changes: Any) -> Run:
    return store.create(
        trainings.workspace, trainings.settings({key.replace("__", "."): v for key, v in changes.items()}), "batch"
    )


def judge(run: Run, stop_after: int = 0) -> tuple[dict[str, Any], Recorder]:
    reported = Recorder(stop_after)
    return batch.run(run.settings(), run.folder, run.workspace, reported), reported


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def table(run: Run) -> list[dict[str, str]]:
    with (run.folder / "predictions.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    return (
        (path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()
    )


def test_table_and_lines_say_what_an_evaluation_of_the_same_photos_says(
    trainings: Trainings, data_folder: Path
) -> None:
    before = dict(contents(data_folder))
    run = begin(trainings)
    results, _ = judge(run)
    mine = {(row["image"], row["object"]): row for row in lines(run.predictions)}
    cells = {(row["photo"], int(row["object"]) - 1): row for row in table(run)}
    assert len(mine) == len(cells) == results["objects"] == 41
    compared = 0
    for split in ("train", "valid"):
        for row in lines(trainings.evaluate({"data.split": split}, split)[1] / "predictions.jsonl"):
            own, cell = mine[row["image"], row["object"]], cells[row["image"], row["object"]]
            assert (own["predicted"], own["box_xyxy_px"]) == (row["predicted"], row["box_xyxy_px"])
            assert own["probabilities"] == pytest.approx(row["probabilities"], abs=1e-5)
            assert (cell["condition"], cell["type"]) == (row["predicted"], row["object_type"])
            assert float(cell["probability"]) == own["probabilities"][own["predicted"]]
            assert "truth" not in own
            compared += 1
    assert compared == 41
    assert dict(contents(data_folder)) == before, "nothing is written among the user's photos"


def test_every_photo_is_drawn_and_the_report_and_counts_follow(trainings: Trainings) -> None:
    run = begin(trainings)
    results, reported = judge(run)
    rows = lines(run.predictions)
    assert sum(results["conditions"].values()) == len(rows)
    assert results["complete"] and results["photos"] == PHOTOS
    drawn = {
        path.relative_to(run.folder / "annotated").as_posix() for path in (run.folder / "annotated").rglob("*.jpg")
    }
    assert drawn == {annotated_name(row["image"]) for row in rows}
    report = (run.folder / "report.html").read_text(encoding="utf-8")
    assert report.count("<img") == len(rows) and run.id in report
    last = reported.of("progress")[-1]
    assert (last["done"], last["total"], last["objects"], last["before"]) == (PHOTOS, PHOTOS, len(rows), 0)


@pytest.mark.parametrize("stop_after", [1, 2, 5, 8])
def test_a_stopped_batch_goes_on_and_ends_as_an_unbroken_one(trainings: Trainings, stop_after: int) -> None:
    whole = begin(trainings)
    judge(whole)
    run = begin(trainings)
    results, reported = judge(run, stop_after)
    assert results["complete"] is False and results["photos"] == stop_after
    assert not (run.folder / "report.html").exists()
    assert len(table(run)) == results["objects"] == len(lines(run.predictions))
    results, reported = judge(run)
    assert results["complete"] is True
    for name in ("predictions.jsonl", "predictions.csv"):
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert dict(contents(run.folder / "annotated")) == dict(contents(whole.folder / "annotated"))
    # Whole groups of photos are not judged again.
    assert len(reported.of("progress")) == PHOTOS - stop_after // 2 * 2
    assert reported.of("progress")[0]["before"] == stop_after // 2 * 2


def test_a_batch_that_was_killed_in_the_middle_of_a_line_goes_on(trainings: Trainings) -> None:
    whole, run = begin(trainings), begin(trainings)
    judge(whole)
    judge(run, 5)
    with run.predictions.open("ab") as stream:
        stream.write(b'{"image": "train/images/half')
    drawn = sorted((run.folder / "annotated").rglob("*.jpg"))
    drawn[0].unlink()
    judge(run)
    assert run.predictions.read_bytes() == whole.predictions.read_bytes()
    assert dict(contents(run.folder / "annotated")) == dict(contents(whole.folder / "annotated"))


def test_going_on_with_a_finished_batch_changes_nothing(trainings: Trainings) -> None:
    run = begin(trainings)
    judge(run)
    before = run.predictions.read_bytes()
    results, reported = judge(run)
    assert results["complete"] and reported.of("progress") == []
    assert run.predictions.read_bytes() == before


def test_a_folder_that_changed_since_is_refused(trainings: Trainings, data_folder: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(data_folder, copied)
    run = begin(trainings, data__path=str(copied))
    judge(run, 3)
    before = run.predictions.read_bytes()
    label = sorted(copied.rglob("labels/*.txt"))[0]
    label.write_text(label.read_text().splitlines()[0] + "\n")
    with pytest.raises(UserError, match="have changed since"):
        judge(run)
    assert run.predictions.read_bytes() == before


def test_damaged_photos_are_left_out_and_listed_and_a_damaged_label_refuses_the_folder(
    trainings: Trainings, data_folder: Path, tmp_path: Path
) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(data_folder, copied)
    names = sorted(copied.rglob("images/*.png")) or sorted(copied.rglob("images/*.jpg"))
    names[0].write_bytes(b"no photo")
    names[1].write_bytes(names[1].read_bytes()[:200])
    results, reported = judge(begin(trainings, data__path=str(copied)))
    assert results["photos"] == PHOTOS - 2 and len(results["left_out"]) == 2
    assert len(reported.of("warning")) == 2
    label = next(
        path for path in sorted(copied.rglob("labels/*.txt")) if path.stem not in (names[0].stem, names[1].stem)
    )
    label.write_text("0 0.5 0.5 7 7")
    with pytest.raises(UserError, match=label.name):
        judge(begin(trainings, data__path=str(copied)))


def test_bare_photos_are_judged_whole_by_class_and_that_is_called_coarse(trainings: Trainings, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "bare").mkdir(exist_ok=True)
        Image.effect_noise((90, 60), 40 + 20 * len(name)).convert("RGB").rotate(ord(name)).save(
            tmp_path / "bare" / f"{name}.png"
        )
    with pytest.raises(UserError, match="no boxes beside 3 photos"):
        judge(begin(trainings, data__path=str(tmp_path / "bare")))
    run = begin(trainings, data__path=str(tmp_path / "bare"), batch__whole_photo=True)
    results, reported = judge(run)
    rows = lines(run.predictions)
    assert [row["box_xyxy_px"] for row in rows] == [[0.0, 0.0, 90.0, 60.0]] * 3
    assert {(row["question"], row["choices"], row["object_type"]) for row in rows} == {("class", 9, None)}
    assert results["whole_photos"] and results["type_unknown"] == 3
    assert any("coarse" in event["text"] for event in reported.of("warning"))
    assert all(sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5) for row in rows)


def test_drawing_can_be_switched_off_and_photos_limited(trainings: Trainings) -> None:
    run = begin(trainings, batch__annotate=False, data__limit=3, batch__pictures=2)
    results, _ = judge(run)
    assert results["photos"] == 3 and not (run.folder / "annotated").exists()
    assert (run.folder / "report.html").read_text(encoding="utf-8").count("<img") == 2


def test_an_adapter_that_learned_from_these_photos_says_so(trainings: Trainings) -> None:
    trained = trainings.train({"training.max_steps": 1})
    run = begin(trainings, model__path=str(trained.final))
    results, _ = judge(run)
    assert results["model"]["adapter"] == str(trained.final)
    assert results["data"]["photos_trained_on"] == 6
    assert "trained on 6 of these 9 photos" in (run.folder / "report.html").read_text(encoding="utf-8")


def command(trainings: Trainings, *words: str) -> int:
    """`damgui batch` with a small model and few photos."""
    changes = ("view.photo_px=84", "view.crop_px=56", "model.device=cpu")
    given = [word for change in changes for word in ("--set", change)] if "--resume" not in words else []
    return commands.main(["batch", *words, *given, "--workspace", str(trainings.workspace.root)])


def test_the_command_prints_where_things_are_and_copies_them_where_asked(
    trainings: Trainings, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = trainings.base.model.path, tmp_path / "handed-over"
    words = ("--model", model, "--data", str(data_folder), "--limit", "2")
    assert command(trainings, *words, "--out", str(out)) == 0
    printed = capsys.readouterr().out
    run = store.latest(trainings.workspace, "batch")
    assert run is not None and str(run.folder / "predictions.csv") in printed and str(out) in printed
    for name in ("predictions.csv", "predictions.jsonl", "report.html", "annotated"):
        assert (out / name).exists()
    assert dict(contents(out / "annotated")) == dict(contents(run.folder / "annotated"))
    assert command(trainings, *words, "--json") == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported["status"] == "finished" and Path(reported["files"]["table"]).is_file()


@pytest.mark.parametrize("place", ["full", "file", "inside"])
def test_a_copy_never_goes_where_something_is_or_among_the_photos(
    trainings: Trainings, data_folder: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = {"full": tmp_path / "full", "file": tmp_path / "file", "inside": data_folder / "out"}[place]
    if place == "full":
        (out / "mine").mkdir(parents=True)
    elif place == "file":
        out.write_text("mine")
    assert command(trainings, "--model", trainings.base.model.path, "--data", str(data_folder), "--out", str(out)) == 2
    assert store.latest(trainings.workspace, "batch") is None
    assert "--out" in capsys.readouterr().err or place == "inside"


def test_the_command_resumes_the_latest_batch_with_its_own_settings(
    trainings: Trainings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(trainings, "--resume") == 2
    assert "no batch run to go on with" in capsys.readouterr().err
    run = begin(trainings)
    judge(run, 3)
    assert store.status(run) in ("starting", "crashed")  # no worker wrote events here
    workspace = str(trainings.workspace.root)
    assert commands.main(["batch", "--resume", "--set", "view.crop_px=112", "--workspace", workspace]) == 2
    assert "keeps its settings" in capsys.readouterr().err
