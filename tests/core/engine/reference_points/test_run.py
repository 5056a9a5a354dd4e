"""The reference points of a run: what they hold, in which order, and that a model that does not look is found out."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.data.types import Dataset, Photo
from core.engine.feature_cache import FeatureCache
from core.engine.models import Loaded
from core.engine.opened_model import OpenedModel
from core.engine.questions import PromptBuilder
from core.engine.reference_points import run
from core.engine.reference_points.image_ablation import derangement, shuffled_source, substituted, with_blank_photos
from core.engine.reference_points.pooling import pooled
from core.engine.reference_points.rows import items_of, prior_rows
from core.engine.scoring import judge_photos
from core.engine.vision import ImageView, Patches, open_photo
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from core.taxonomy import Taxonomy

Trainings = Any  # of conftest.py
ON = {"judging.references": True}
FEW_TREES = 20


@pytest.fixture(autouse=True)
def _small_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.reference_points.probes.TREES", FEW_TREES)


def test_a_run_tells_every_reference_in_order_and_keeps_its_rows(trainings: Trainings) -> None:
    results, folder, reported = trainings.evaluate(ON)
    found = results["references"]
    assert list(found) == ["prior", "prompt_only", "texture_forest", "linear_probe", "blank", "shuffled"]
    keys = ["label", "accuracy", "accuracy_interval", "macro_f1", "macro_f1_interval", "with_choice", "note"]
    mine = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    for name, entry in found.items():
        assert list(entry) == keys
        rows = [json.loads(line) for line in (folder / "references" / f"{name}.jsonl").read_text().splitlines()]
        assert [(row["image"], row["object"], row["truth"]) for row in rows] == [
            (row["image"], row["object"], row["truth"]) for row in mine
        ]
        assert set(rows[0]) == set(mine[0])
        right = [row["truth_class"] == row["predicted_class"] for row in rows]
        assert entry["accuracy"] == pytest.approx(np.mean(right))
        choice = [index for index, row in zip(right, rows, strict=True) if row["choices"] > 1]
        assert entry["with_choice"]["accuracy"] == pytest.approx(np.mean(choice))
        ends = entry["accuracy_interval"]
        assert ends is None if results["flights"] < 4 else ends[0] <= entry["accuracy"] <= ends[1]
    assert {key: found["prior"][key] for key in ("accuracy", "macro_f1")} == results["prior"]
    assert json.loads((folder / "results.json").read_text())["references"] == json.loads(json.dumps(found))
    assert sum(event["text"].startswith("Reference points: ") for event in reported.of("stage")) >= len(found)
    assert all(isinstance(warning, str) for warning in results["reference_warnings"])


def test_the_score_is_reported_before_the_first_reference_point(trainings: Trainings) -> None:
    results, folder, reported = trainings.evaluate(ON)
    (first,) = reported.of("result")
    assert first["follows"] == "reference points" and first["path"] == str(folder / "results.json")
    assert first["summary"]["overall_accuracy"] == results["overall_accuracy"]
    points = [event for event in reported.of("stage") if event["text"].startswith("Reference points: ")]
    assert reported.events.index(first) < reported.events.index(points[0])


def test_without_the_setting_nothing_is_measured_and_the_score_is_the_same(trainings: Trainings) -> None:
    plain, folder, _ = trainings.evaluate({}, "off")
    full, _, _ = trainings.evaluate(ON, "on")
    assert "references" not in plain and not (folder / "references").exists()
    for key in set(plain) - {"seconds", "settings"}:
        assert plain[key] == full[key]


def test_the_class_question_gets_guessing_only(trainings: Trainings) -> None:
    results, _, _ = trainings.evaluate({**ON, "question.kind": "class"})
    assert list(results["references"]) == ["prior"] and results["reference_warnings"] == []


def test_photos_that_were_trained_on_are_not_judged_by_probes_that_learned_them(trainings: Trainings) -> None:
    results, _, _ = trainings.evaluate({**ON, "data.split": "train"})
    assert list(results["references"]) == ["prior", "blank", "shuffled"]


def test_a_stop_ends_it_with_what_is_there(evaluated: run.EvaluatedSplit, tmp_path: Path) -> None:
    class Stopping(Recorder):
        stopped = False

        def emit(self, kind: str, **fields: Any) -> None:
            self.stopped |= "Colour and texture" in fields["text"]

        def stop_requested(self) -> bool:
            return self.stopped

    found, warnings = run.measure(evaluated, Workspace(tmp_path), tmp_path / "run", Stopping())
    assert list(found) == ["prior", "prompt_only"] and isinstance(warnings, list)
    assert sorted(path.name for path in (tmp_path / "run" / "references").iterdir()) == [
        "prior.jsonl",
        "prompt_only.jsonl",
    ]


def test_the_score_is_kept_when_a_reference_fails(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("core.engine.evaluation.measure", fail)
    with pytest.raises(RuntimeError, match="planted"):
        trainings.evaluate(ON)
    assert json.loads((trainings.folder("judged") / "results.json").read_text())["total"] == 10


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
@pytest.mark.parametrize("mode", ["full", "crop", "full+crop"])
def test_the_text_a_probe_reads_is_the_text_the_model_reads(
    mode: str, loaded: Loaded, settings: Settings, taxonomy: Taxonomy, photos: list[Photo]
) -> None:
    changes = {"view.mode": mode, "enhance.position_encoding": True, "enhance.spatial_reasoning": True}
    prompt_builder = PromptBuilder(loaded, merge(settings, changes), taxonomy)
    for photo in photos[:2]:
        prompt_builder._texts.clear()
        list(judge_photos(loaded.model, prompt_builder, [photo], "condition"))
        mine = [prompt_builder.text(photo, item.index, "condition") for item in items_of([photo])]
        assert set(prompt_builder._texts) <= set(mine)
        assert len(prompt_builder._texts) == len(
            {text for text, obj in zip(mine, photo.objects, strict=True) if len(taxonomy.allowed[obj.object_type]) > 1}
        )


@pytest.mark.parametrize("count", [2, 3, 5, 50])
def test_a_derangement_moves_every_photo_and_shows_each_once(count: int) -> None:
    for seed in range(10):
        found = derangement(count, seed)
        assert sorted(found) == list(range(count))
        assert all(other != own for own, other in enumerate(found))
    assert derangement(50, 1) == derangement(50, 1) != derangement(50, 2)


def test_a_shuffled_photo_is_another_one_at_its_own_size(photos: list[Photo]) -> None:
    show = shuffled_source(photos, seed=0)
    partners = derangement(len(photos), 0)
    for photo, other in zip(photos, partners, strict=True):
        seen = show(photo.path)
        assert seen.size == photo.size_wh
        wanted = open_photo(photos[other].path)
        if wanted.size == seen.size:
            assert np.array_equal(np.asarray(seen), np.asarray(wanted))
        assert not np.array_equal(np.asarray(seen), np.asarray(open_photo(photo.path)))


def test_blanks_and_other_photos_leave_no_trace_in_memory_or_on_disk(
    loaded: Loaded, prompt_builder: PromptBuilder, photos: list[Photo], tmp_path: Path
) -> None:
    def answers() -> list[Any]:
        return [row for _, rows, _ in judge_photos(loaded.model, prompt_builder, photos, "condition") for row in rows]

    kept = FeatureCache(loaded, prompt_builder.image_encoder, tmp_path / "cache")
    prompt_builder.image_encoder.features = kept.features
    before = answers()
    files = {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    image_encoder, known = prompt_builder.image_encoder, dict(prompt_builder.image_encoder._known)
    with with_blank_photos(prompt_builder, loaded, photos):
        blank = answers()
    with substituted(prompt_builder, shuffled_source(photos, 0)):
        shuffled = answers()
    assert prompt_builder.image_encoder is image_encoder and image_encoder.features == kept.features
    assert image_encoder._known.keys() == known.keys() and all(image_encoder._known[key] is known[key] for key in known)
    assert files and files == {path: path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert answers() == before
    shares = [[row["probabilities"] for row in rows] for rows in (before, blank, shuffled)]
    assert shares[0] != shares[1] != shares[2] != shares[0]


def test_an_error_while_blindfolded_gives_the_eyes_back(
    loaded: Loaded, prompt_builder: PromptBuilder, photos: list[Photo]
) -> None:
    image_encoder = prompt_builder.image_encoder
    with pytest.raises(RuntimeError), with_blank_photos(prompt_builder, loaded, photos):
        raise RuntimeError
    assert prompt_builder.image_encoder is image_encoder


def test_blanks_seen_once_per_shape_answer_as_blanks_seen_one_by_one(
    loaded: Loaded, prompt_builder: PromptBuilder, photos: list[Photo]
) -> None:
    sizes = {photo.path: photo.size_wh for photo in photos}
    found = []
    for once in (True, False):
        shown: contextlib.AbstractContextManager[Any] = (
            with_blank_photos(prompt_builder, loaded, photos)
            if once
            else substituted(prompt_builder, lambda path: Image.new("RGB", sizes[path], (128, 128, 128)))
        )
        with shown:
            found.append([rows for _, rows, _ in judge_photos(loaded.model, prompt_builder, photos, "condition")])
    for mine, its in zip(*found, strict=True):
        for first, second in zip(mine, its, strict=True):
            assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-5)


@pytest.fixture
def evaluated(
    loaded: Loaded, prompt_builder: PromptBuilder, photos: list[Photo], taxonomy: Taxonomy, tmp_path: Path
) -> run.EvaluatedSplit:
    """Five photos, shown ten times over by name, and as many to learn from."""
    many = [
        dataclasses.replace(photo, name=f"{copy}/{photo.name}", split=split)
        for split, copies in (("train", range(10, 14)), ("valid", range(10)))
        for copy in copies
        for photo in photos
    ]
    dataset = Dataset(tmp_path, "yolo", tuple(many))
    return run.EvaluatedSplit(
        OpenedModel(loaded, loaded.model, taxonomy, None),
        prompt_builder,
        dataset,
        dataset.split("valid"),
        prior_rows(dataset.split("train"), dataset.split("valid"), taxonomy),
    )


class Recorder:
    def emit(self, kind: str, **fields: Any) -> None: ...

    def stop_requested(self) -> bool:
        return False


@pytest.fixture
def cheat(monkeypatch: pytest.MonkeyPatch, taxonomy: Taxonomy) -> Callable[[], None]:
    """A stand-in for a model that knows every answer whatever it is shown."""

    def knowing(
        _model: Any, _prompt_builder: Any, photos: list[Photo], _kind: str
    ) -> Iterator[tuple[Photo, Any, float]]:
        for photo in photos:
            rows = prior_rows([photo], [photo], taxonomy)
            yield photo, [{**row, "predicted": row["truth"], "predicted_class": row["truth_class"]} for row in rows], 0

    return lambda: monkeypatch.setattr(run, "judge_photos", knowing)


def test_a_model_that_knows_the_answer_without_the_photo_is_warned_about(
    evaluated: run.EvaluatedSplit, cheat: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run._plan
    monkeypatch.setattr(
        run,
        "_plan",
        lambda *given: {k: v for k, v in plan(*given).items() if k in ("prior", "blank", "shuffled")},
    )
    cheat()
    right = [{**row, "predicted": row["truth"], "predicted_class": row["truth_class"]} for row in evaluated.rows]
    cheating = dataclasses.replace(evaluated, rows=right)
    found, warnings = run.measure(cheating, Workspace(tmp_path), tmp_path / "run", Recorder())
    assert found["blank"]["accuracy"] == found["shuffled"]["accuracy"] == 1
    assert len(warnings) == 3
    assert "blank grey photos" in warnings[0] and "other photos" in warnings[1] and "no clear difference" in warnings[2]


def test_a_truth_written_into_the_question_is_warned_about(
    evaluated: run.EvaluatedSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, text = run._plan, evaluated.prompt_builder.text
    monkeypatch.setattr(
        run, "_plan", lambda *given: {k: v for k, v in plan(*given).items() if k in ("prior", "prompt_only")}
    )
    place = [Workspace(tmp_path), tmp_path / "run", Recorder()]

    def leaking(photo: Photo, index: int, kind: str) -> str:
        return f"{text(photo, index, kind)} File {photo.objects[index].condition}_7.jpg."

    monkeypatch.setattr(evaluated.prompt_builder, "text", leaking)
    (warning,) = run.measure(evaluated, *place)[1]
    assert "gives the true condition away" in warning


def answers(right: Callable[[int], bool], choices: int = 2) -> list[dict[str, Any]]:
    """Sixty objects, each on its own photo, answered rightly where `right` says so."""
    given = ["a" if right(n) else "b" for n in range(60)]
    return [
        {"image": str(n), "object": 0, "choices": choices, "truth_class": "a", "predicted_class": answer}
        for n, answer in enumerate(given)
    ]


def test_a_simpler_method_that_is_clearly_better_is_named() -> None:
    model = answers(lambda n: n % 2 == 0)
    rows = {
        "texture_forest": answers(lambda n: n % 10 > 0),
        "linear_probe": answers(lambda n: n % 2 == 0 or n == 1),  # one more: that may be luck
    }
    (warning,) = run.warnings_about(model, rows)
    assert "50 %" in warning and "random forest on colour and texture (90 %)" in warning and "linear" not in warning
    assert run.warnings_about(answers(lambda n: True), rows) == []
    (warning,) = run.warnings_about(model, {**rows, "linear_probe": answers(lambda n: True)[:30]})
    assert "(100 %)" in warning  # of the thirty objects that all have judged
    assert run.warnings_about(model, {"texture_forest": answers(lambda n: True, choices=1)}) == []


def test_pooling_takes_the_tokens_inside_the_box() -> None:
    grid = (1, 4, 8)  # 2 x 4 tokens after merging
    values = torch.arange(8, dtype=torch.float32).reshape(1, 8, 1)
    seen = Patches(np.empty((0, 1), np.float32), grid, values)
    assert pooled(seen, 2).tolist() == pytest.approx([3.5, np.std(np.arange(8)), 7])
    assert pooled(seen, 2, (0.5, 0.0, 1.0, 0.5)).tolist() == [2.5, 0.5, 3]
    assert pooled(seen, 2, (0.26, 0.51, 0.3, 0.6)).tolist() == [5, 0, 5]  # holds no centre: the nearest one


def test_the_linear_probe_sees_what_the_base_model_sees(
    loaded: Loaded, settings: Settings, taxonomy: Taxonomy, evaluated: run.EvaluatedSplit, tmp_path: Path
) -> None:
    """An adapter that changes the vision tower changes nothing of what the probe answers."""
    from core.engine.adapters import attach_lora

    def answer() -> list[dict[str, Any]]:
        return run._linear(
            dataclasses.replace(evaluated, opened=OpenedModel(loaded, model, taxonomy, None)),
            (items_of(evaluated.dataset.split("train")), items_of(evaluated.photos[:5])),
            Workspace(tmp_path),
            run._Progress(Recorder(), "x"),
        )

    model: Any = loaded.model
    plain = answer()
    image_view = ImageView(evaluated.photos[0].path, evaluated.photos[0].objects[0].box_xyxy)
    model = attach_lora(loaded.model, merge(settings, {"lora.targets": "everything"}).lora)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.add_(0.5)
    image_encoder = PromptBuilder(loaded, settings, taxonomy).image_encoder
    tower = FeatureCache(loaded, image_encoder, None)
    tuned = pooled(tower.features(image_view), image_encoder.merge)
    with model.disable_adapter():
        base = pooled(tower.features(image_view), image_encoder.merge)
    assert np.abs(tuned - base).max() > 0.01
    for mine, its in zip(answer(), plain, strict=True):
        assert mine["probabilities"] == pytest.approx(its["probabilities"], abs=1e-6)
