"""What a run has judged is taken over by the next one to the last digit, and only where everything is the same."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.data.types import BoxedObject, Photo
from core.engine import calibration, evaluation, reuse
from core.engine.reference_points import run as reference_points
from core.report import sentences
from core.runs.files import file_stamp, write_lines
from core.runs.workspace import Workspace
from core.settings import FIELDS, Settings, merge
from core.settings.fields import SettingField
from core.taxonomy import Taxonomy, load
from tests.core.engine.test_calibration import made

Trainings = Any  # of conftest.py
NAME = "predictions.jsonl"
INPUTS = {"model": "a", "photos": "b"}
ROWS: list[Any] = [{"image": "a.jpg", "object": 0, "probabilities": {"blocked": 0.123457}}]


def made_run(workspace: Workspace, name: str, kind: str = "evaluate", created: float = 1.0) -> Path:
    """A run's folder that the workspace lists."""
    folder = workspace.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps({"kind": kind, "created": created}))
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def noted(workspace: Workspace) -> Path:
    """A run that left rows and the note of what they were computed from."""
    folder = made_run(workspace, "one")
    write_lines(folder / NAME, ROWS)
    reuse.note(folder, NAME, INPUTS)
    return folder


class TestFinding:
    """Rows are found again by what they were computed from."""

    def test_the_same_inputs_give_the_same_rows(self, workspace: Workspace, noted: Path) -> None:
        found = reuse.find(workspace, NAME, dict(reversed(INPUTS.items())))
        assert found is not None and found.rows == ROWS
        assert found.source == {"run": "one", "kind": "evaluate", "created": 1.0}
        assert "Judged already by run one on 01 January 1970" in sentences.taken_over({"answers_from": found.source})

    def test_the_newest_run_is_named(self, workspace: Workspace, noted: Path) -> None:
        shutil.copytree(noted, workspace.runs / "two")
        made_run(workspace, "two", created=2.0)
        found = reuse.find(workspace, NAME, INPUTS)
        assert found is not None and found.run.id == "two"

    @pytest.mark.parametrize("inputs", [{**INPUTS, "photos": "c"}, {"model": "a"}, {**INPUTS, "seed": "0"}, {}])
    def test_other_inputs_give_none(self, workspace: Workspace, noted: Path, inputs: dict[str, str]) -> None:
        assert reuse.find(workspace, NAME, inputs) is None

    @pytest.mark.parametrize(
        "spoil",
        [
            shutil.rmtree,
            lambda folder: (folder / NAME).unlink(),
            lambda folder: (folder / NAME).write_text((folder / NAME).read_text().replace("0.123457", "0.123456")),
            lambda folder: (folder / NAME).write_text((folder / NAME).read_text()[:-9]),
            lambda folder: (folder / "inputs.json").unlink(),
            lambda folder: (folder / "inputs.json").write_text("{"),
            lambda folder: (folder / "inputs.json").write_text("[]"),
            lambda folder: (folder / "inputs.json").write_text('{"predictions.jsonl": 3}'),
            lambda folder: (folder / "inputs.json").write_text('{"predictions.jsonl": {}}'),
            lambda folder: (folder / "run.json").unlink(),
        ],
    )
    def test_what_was_removed_or_changed_is_computed_again(
        self, workspace: Workspace, noted: Path, spoil: Callable[[Path], object]
    ) -> None:
        spoil(noted)
        assert reuse.find(workspace, NAME, INPUTS) is None

    def test_a_run_notes_several_files(self, workspace: Workspace, noted: Path) -> None:
        other = "references/blank.jsonl"
        write_lines(noted / other, ROWS[:0])
        reuse.note(noted, other, {"seed": "1"})
        first, second = reuse.find(workspace, NAME, INPUTS), reuse.find(workspace, other, {"seed": "1"})
        assert first is not None and first.rows == ROWS
        assert second is not None and second.rows == []

    def test_a_damaged_note_is_written_anew(self, workspace: Workspace, noted: Path) -> None:
        (noted / "inputs.json").write_text("{")
        reuse.note(noted, NAME, INPUTS)
        assert reuse.find(workspace, NAME, INPUTS) is not None


PHOTO = Photo(
    Path("a.jpg"), "a.jpg", (10, 20), "valid", "f1", (BoxedObject((0, 0, 0.5, 1), "toe drain", "normal"),), "d"
)
(OBJECT,) = PHOTO.objects


class TestInputs:
    """Everything that moves an answer moves a digest, and nothing else does."""

    def inputs(self, photos: list[Photo], settings: Settings, taxonomy: Taxonomy, machine: str = "cpu") -> Any:
        return reuse.answer_inputs({"model": "m", "adapter": ""}, machine, photos, settings, taxonomy)

    @pytest.mark.parametrize(
        "photos",
        [
            [],
            [PHOTO, PHOTO],
            [replace(PHOTO, digest="e")],
            [replace(PHOTO, name="b.jpg")],
            [replace(PHOTO, group="f2")],
            [replace(PHOTO, size_wh=(20, 10))],
            [replace(PHOTO, objects=())],
            [replace(PHOTO, objects=(OBJECT, OBJECT))],
            [replace(PHOTO, objects=(replace(OBJECT, condition="blocked"),))],
            [replace(PHOTO, objects=(replace(OBJECT, object_type="slope drain"),))],
            [replace(PHOTO, objects=(replace(OBJECT, box_xyxy=(0, 0, 0.5, 1 - 1e-15)),))],
        ],
    )
    def test_a_photo_or_label_that_differs_counts(self, photos: list[Photo]) -> None:
        assert reuse.photos_digest(photos) != reuse.photos_digest([PHOTO])

    @pytest.mark.parametrize(
        "photo",
        [
            replace(PHOTO, path=Path("elsewhere/a.jpg")),
            replace(PHOTO, split="test"),
            replace(PHOTO, objects=(replace(OBJECT, source="a.txt line 1"),)),
        ],
    )
    def test_where_a_photo_lies_and_its_label_was_read_does_not_count(self, photo: Photo) -> None:
        assert reuse.photos_digest([photo]) == reuse.photos_digest([PHOTO])

    def test_photos_in_another_order_count(self) -> None:
        other = replace(PHOTO, name="b.jpg")
        assert reuse.photos_digest([PHOTO, other]) != reuse.photos_digest([other, PHOTO])

    @pytest.mark.parametrize("path", FIELDS)
    def test_a_setting_counts_unless_it_is_covered(self, path: str, taxonomy: Taxonomy) -> None:
        before, after = Settings(), merge(Settings(), {path: other_value(FIELDS[path])})
        counts = path in reuse.PACKING or not path.startswith(reuse.COVERED)
        differs = self.inputs([PHOTO], before, taxonomy) != self.inputs([PHOTO], after, taxonomy)
        assert differs == counts
        if path.startswith(("view.", "question.kind", "question.answers")):
            assert counts

    def test_taxonomy_and_machine_count(self, tmp_path: Path, taxonomy: Taxonomy) -> None:
        known = self.inputs([PHOTO], Settings(), taxonomy)
        assert known == self.inputs([PHOTO], Settings(), load())
        assert known != self.inputs([PHOTO], Settings(), replace(taxonomy, name="other"))
        assert known != self.inputs([PHOTO], Settings(), taxonomy, "cuda")


def other_value(field: SettingField) -> Any:
    if field.choices:
        return next(choice for choice in field.choices if choice != field.default)
    if field.type is bool:
        return not field.default
    if field.type in (int, float):
        return field.low if field.low != field.default else field.high
    return "(x)" if field.type is str else {"blocked": 2.5}


class TestModels:
    """A model is known by its files."""

    def test_a_byte_of_a_base_that_changed_counts_though_its_time_was_set_back(
        self, saved: Callable[..., Path], tmp_path: Path
    ) -> None:
        model = shutil.copytree(saved(), tmp_path / "m")
        wanted = merge(Settings(), {"model.path": str(model)}).model
        before, weights = reuse.model_inputs(wanted), model / "model.safetensors"
        assert before is not None and before == reuse.model_inputs(wanted)
        at, raw = weights.stat(), bytearray(weights.read_bytes())
        raw[-1] ^= 1
        weights.write_bytes(bytes(raw))
        os.utime(weights, ns=(at.st_atime_ns, at.st_mtime_ns))
        assert file_stamp(weights)[0] == at.st_mtime_ns
        assert reuse.model_inputs(wanted) != before

    def test_an_adapter_is_known_by_its_content(self, tmp_path: Path) -> None:
        for name in ("a", "b", "c"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "adapter_config.json").write_text("{}")
            (tmp_path / name / "adapter_model.safetensors").write_bytes(b"w" if name != "c" else b"x")
        first, copied, other = (reuse.adapter_digest(tmp_path / name) for name in ("a", "b", "c"))
        assert first == copied != other

    def test_a_model_that_is_to_be_downloaded_is_not_known(self) -> None:
        wanted = merge(Settings(), {"model.path": "nobody/nothing", "model.offline": False}).model
        assert reuse.model_inputs(wanted) is None


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """never(module, names…): from now on whoever calls one of them fails."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("this was known already")

    return lambda module, *names: [monkeypatch.setattr(module, name, refuse) for name in names]


def lines(folder: Path) -> list[Any]:
    return [json.loads(line) for line in (folder / NAME).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("correction", [None, "none", "frequencies"])
def test_what_training_judged_equals_what_an_evaluation_computes(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch, correction: str | None
) -> None:
    """The slow twin: taken over from the training's best validation, and computed anew."""
    trained = trainings.train({"training.max_steps": 3, "training.eval_steps": 1}, "a")
    made_run(trainings.workspace, "a", "train")
    changes = {"model.path": str(trained.final), "judging.prior_correction": correction or "none"}
    if correction is not None:
        calibration.keep(made(load()), trained.final)
    with monkeypatch.context() as patched:
        patched.setattr(reuse, "find", lambda *_: None)
        anew, anew_folder, _ = trainings.evaluate(changes, "anew")
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "judge_photos", None)
        known, folder, reported = trainings.evaluate(changes, "known")
    assert known.pop("answers_from")["run"] == "a"
    assert {**known, "seconds": 0} == {**anew, "seconds": 0}
    assert (folder / NAME).read_bytes() == (anew_folder / NAME).read_bytes()
    assert all(("calibrated" in row) == (correction is not None) for row in lines(folder))
    assert [event for event in reported.of("stage") if event["text"].startswith("Judged already by run a on ")]


def test_what_is_known_is_not_computed_again_and_a_tuned_model_shares_what_follows_from_data_alone(
    trainings: Trainings, never: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.reference_points.probes.TREES", 10)
    on = {"judging.references": True}
    first, first_folder, _ = trainings.evaluate(on, "first")
    made_run(trainings.workspace, "first", "baseline")
    tuned = str(trainings.train({"training.max_steps": 2}, "a").final)

    never(reference_points, "_words", "_forest", "_linear")
    other, _, _ = trainings.evaluate({**on, "model.path": tuned}, "tuned")
    shared = ("prior", "prompt_only", "texture_forest", "linear_probe")
    assert {key: other["references"][key] for key in shared} == {key: first["references"][key] for key in shared}
    assert {"blank", "shuffled"} <= set(other["references"]), "these are the tuned model's own"

    never(reference_points, "_blank", "_shuffled")
    never(evaluation, "judge_photos")
    again, folder, _ = trainings.evaluate(on, "again")
    assert again.pop("answers_from")["run"] == "first"
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    for path in sorted((first_folder / "references").iterdir()):
        assert path.read_bytes() == (folder / "references" / path.name).read_bytes()


def test_a_run_that_was_stopped_half_way_leaves_nothing_to_take_over(trainings: Trainings) -> None:
    unkept = {"model.cache_features": False}
    assert trainings.evaluate(unkept, "half", stop_after=2)[0]["complete"] is False
    made_run(trainings.workspace, "half")
    whole, _, _ = trainings.evaluate(unkept, "whole")
    assert whole["complete"] and "answers_from" not in whole


def test_another_calibration_is_judged_anew(trainings: Trainings) -> None:
    """Rows of an evaluation hold what they were calibrated with: under another calibration they are not those."""
    tuned = trainings.train({"training.max_steps": 2}, "a").final
    calibration.keep(made(load()), tuned)
    trainings.evaluate({"model.path": str(tuned)}, "one")
    made_run(trainings.workspace, "one")
    assert "answers_from" in trainings.evaluate({"model.path": str(tuned)}, "same")[0]
    other = {"model.path": str(tuned), "judging.prior_correction": "frequencies"}
    assert "answers_from" not in trainings.evaluate(other, "two")[0]


def test_photos_that_changed_while_they_were_judged_are_not_those_that_were_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30)).save(path)
    before = path.read_bytes()
    photos = [Photo(path, "a.jpg", (40, 30), "valid", "F", (), hashlib.sha256(before).hexdigest())]
    assert reuse.are_unchanged(tmp_path, photos, "")
    Image.new("RGB", (40, 30), (255, 0, 0)).save(path)
    assert not reuse.are_unchanged(tmp_path, photos, "")
    path.write_bytes(before)
    assert reuse.are_unchanged(tmp_path, photos, "")
    path.unlink()
    assert not reuse.are_unchanged(tmp_path, photos, "")
