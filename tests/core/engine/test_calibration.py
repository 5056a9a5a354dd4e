"""A trained model's calibration: from photos that nothing else used, and read alike by everything that answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.data.splits import read_split
from core.data.types import BoxedObject, Photo
from core.engine import batch, calibration
from core.engine.prediction import Predictor
from core.errors import UserError
from core.metrics.calibration import Calibration, Threshold
from core.runs import store
from core.settings import EnhanceSettings, merge
from core.taxonomy import Taxonomy
from tests.core.engine.conftest import Recorder

Trainings = Any  # of conftest.py
# Every photo is a flight of its own, so a third of six can be spared.
SPARE = {"data.group_rule": "", "data.calibration_share": 0.34, "training.max_steps": 2}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_calibration_photos_are_neither_learned_from_nor_validated_on(trainings: Trainings) -> None:
    found = trainings.train(SPARE)
    file = json.loads((found.final / "calibration.json").read_text())
    assert file == json.loads((found.checkpoints / "best" / "calibration.json").read_text())
    assert found.info["data"]["calibration_photos"] == file["photos"] > 0
    assert found.info["data"]["train_photos"] + file["photos"] == 6
    assert found.info["data"]["valid_photos"] == 3
    about = json.loads((found.final / "damgui.json").read_text())
    assert len(about["train_digests"]) == found.info["data"]["train_photos"]
    split = read_split(trainings.folder("a") / "split.json")
    assert len(split["train"]) == 6
    assert [event["text"] for event in found.reported.of("stage") if "Calibrating" in event["text"]]
    assert set(file["temperature"]) == set(file["thresholds"]) == {"condition", "class"}
    assert sum(file["implied"].values()) == pytest.approx(1) == sum(file["frequencies"].values())


def test_calibrating_changes_no_weight(trainings: Trainings) -> None:
    found = trainings.train(SPARE)
    last, final = found.weights(found.checkpoints / "checkpoint-2"), found.weights()
    assert all(bool((last[key] == final[key]).all()) for key in final)


def test_a_resumed_training_is_calibrated_like_an_unbroken_one(trainings: Trainings) -> None:
    steady = {**SPARE, "training.max_steps": 4, "training.save_steps": 2, "training.eval_steps": 2}
    whole = trainings.train(steady, "whole")
    halfway = trainings.train(steady, "broken", stop_after=2)
    assert not (halfway.checkpoints / "best" / "calibration.json").exists()
    again = trainings.train(steady, "broken", resume=True)
    mine, its = (json.loads((found_run.final / "calibration.json").read_text()) for found_run in (again, whole))
    assert mine == its


@pytest.mark.parametrize(
    ("changes", "warned"), [({"data.calibration_share": 0.0}, False), ({"data.calibration_share": 0.1}, True)]
)
def test_without_photos_to_spare_there_is_no_calibration_and_that_is_said(
    trainings: Trainings, changes: dict[str, Any], warned: bool
) -> None:
    # A tenth of six photos is less than one.
    found = trainings.train({"training.max_steps": 1, **changes})
    assert not (found.final / "calibration.json").exists()
    assert bool([event for event in found.reported.of("warning") if "calibration" in event["text"]]) == warned
    results, folder, _ = trainings.evaluate({"model.path": str(found.final)})
    assert not {"calibration", "unsure", "probabilistic_calibrated"} & set(results)
    assert not any({"calibrated", "unsure"} & set(row) for row in lines(folder))


@pytest.fixture
def tuned(trainings: Trainings) -> Callable[[Calibration | None], Path]:
    """tuned(calibration): an adapter with this calibration beside it (None: without)."""
    final = trainings.train({"training.max_steps": 2}).final

    def given(found: Calibration | None) -> Path:
        (final / calibration.FILE).unlink(missing_ok=True)
        if found is not None:
            calibration.keep(found, final)
        return Path(final)

    return given


def made(taxonomy: Taxonomy, threshold: float = 0.6) -> Calibration:
    """Half as sure as the model, and shown normal a hundred times too often."""
    names = taxonomy.class_names
    implied = {name: 100.0 if name.endswith("normal") else 1.0 for name in names}
    rule = Threshold(threshold, 50, 1, 60, 0.05, 0.1)
    rules = {"condition": rule, "class": rule}
    moved = {kind: replace(rule, threshold=0.9) for kind in rules}
    return Calibration(
        {"condition": 2.0, "class": 3.0},
        rules,
        7,
        60,
        implied,
        dict.fromkeys(names, 1.0),
        corrected={"frequencies": moved, "even": moved},
    )


@pytest.mark.parametrize("correction", ["none", "frequencies", "even"])
@pytest.mark.parametrize("kind", ["condition", "class"])
def test_evaluation_and_prediction_read_probabilities_alike(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy, kind: str, correction: str
) -> None:
    final = str(tuned(made(taxonomy)))
    changes = {"model.path": final, "question.kind": kind, "judging.prior_correction": correction}
    results, folder, _ = trainings.evaluate(changes)
    rows = lines(folder)
    predictor = Predictor(merge(trainings.base, {"judging.prior_correction": correction}))
    image = trainings.base.data.path + "/valid/images/" + Path(rows[0]["image"]).name
    mine = [row for row in rows if row["image"] == rows[0]["image"]]
    for row in mine:
        answer = predictor.predict(
            {
                "image": image,
                "box_xyxy_px": row["box_xyxy_px"],
                "models": [final],
                "other_boxes_xyxy_px": [other_row["box_xyxy_px"] for other_row in mine if other_row is not row],
                "object_type": row["object_type"] if kind == "condition" else None,
            }
        )["answers"][0]
        shares = answer["calibrated"] if kind == "condition" else answer["calibrated_classes"]
        # The rows tell boxes in tenths of a pixel, so the crop may differ by a pixel.
        assert shares == pytest.approx(row["calibrated"], abs=2e-2)
        raw = answer["probabilities"] if kind == "condition" else answer["class_probabilities"]
        assert shares == pytest.approx(made(taxonomy).apply(raw, kind, answer["predicted_type"], correction))
        assert answer["calibrated_probability"] == max(shares.values())
        assert answer["threshold"] == (0.6 if correction == "none" else 0.9)
        best = max(row["calibrated"], key=row["calibrated"].get)
        assert best == (row["predicted"] if kind == "condition" else row["predicted_class"])
        if row["choices"] > 1:
            sure = row["calibrated"][best]
            assert row["unsure"] == (sure < answer["threshold"])
            if abs(sure - answer["threshold"]) > 2e-2:
                assert answer["unsure"] == row["unsure"]
        else:
            assert (row["unsure"], answer["unsure"], row["calibrated"]) == (False, False, {best: 1.0})
    choice = [row for row in rows if row["choices"] > 1]
    sure = [row for row in choice if not row["unsure"]]
    assert results["unsure"]["count"] == len(choice) - len(sure)
    assert (
        results["unsure"]["threshold"] == results["calibration"]["threshold"] == (0.6 if correction == "none" else 0.9)
    )
    assert results["probabilistic_calibrated"]["total"] == len(choice)


@pytest.mark.parametrize(("correction", "threshold"), [("none", 0.6), ("frequencies", 0.9), ("even", 0.9)])
def test_a_batch_is_corrected_and_reports_the_threshold_of_the_correction(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy, correction: str, threshold: float
) -> None:
    final = str(tuned(made(taxonomy)))
    changes = {"model.path": final, "judging.prior_correction": correction, "batch.annotate": False}
    run = store.create(trainings.workspace, trainings.settings(changes), "batch")
    results = batch.run(run.settings(), run.folder, run.workspace, Recorder())
    assert results["unsure"]["threshold"] == results["calibration"]["threshold"] == threshold
    rows = {(row["image"], row["object"]): row for row in lines(run.folder)}
    for row in lines(trainings.evaluate(changes)[1]):
        assert rows[row["image"], row["object"]]["calibrated"] == pytest.approx(row["calibrated"], abs=1e-4)


def test_a_correction_that_cannot_be_made_is_told(trainings: Trainings, tuned: Callable[..., Path]) -> None:
    changes = {"model.path": str(tuned(None)), "judging.prior_correction": "even"}
    assert [event for event in trainings.evaluate(changes)[2].of("warning") if "not corrected" in event["text"]]
    plain = trainings.evaluate({"model.path": str(tuned(None))}, "plain")[2]
    assert not [event for event in plain.of("warning") if "not corrected" in event["text"]]
    image = sorted((Path(trainings.base.data.path) / "valid" / "images").iterdir())[0]
    predictor = Predictor(merge(trainings.base, {"judging.prior_correction": "even"}))
    (answer,) = predictor.predict({"image": str(image), "object_type": "toe drain"})["answers"]
    assert answer["note"] == "not calibrated; the prior is not corrected"


def test_a_temperature_moves_no_answer_and_a_corrected_prior_does(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy
) -> None:
    plain = lines(trainings.evaluate({"model.path": str(tuned(None))}, "plain")[1])
    changes = {"model.path": str(tuned(made(taxonomy)))}
    cooled = lines(trainings.evaluate(changes, "cooled")[1])
    moved = lines(trainings.evaluate({**changes, "judging.prior_correction": "even"}, "moved")[1])
    assert [row["predicted"] for row in cooled] == [row["predicted"] for row in plain]
    assert [row["probabilities"] for row in moved] == [row["probabilities"] for row in plain]
    for row in moved:  # a hundred times less probable: normal is said where nothing else is allowed
        assert (row["predicted"] == "normal") == (row["choices"] == 1)


def test_blank_and_shuffled_photos_are_answered_as_the_photos_are(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.engine.reference_points.probes.TREES", 5)
    changes = {"model.path": str(tuned(made(taxonomy))), "judging.references": True, "judging.prior_correction": "even"}
    _results, folder, _ = trainings.evaluate(changes)
    for name in ("blank", "shuffled"):
        rows = [json.loads(line) for line in (folder / "references" / f"{name}.jsonl").read_text().splitlines()]
        for row in rows:
            assert (row["predicted"] == "normal") == (row["choices"] == 1)
            assert row["predicted"] == max(row["calibrated"], key=row["calibrated"].get)


def test_a_model_that_promises_nothing_is_unsure_of_everything_and_says_why(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy
) -> None:
    nothing = made(taxonomy)
    rule = Threshold(None, 0, 0, 12, 0.05, None)
    final = tuned(replace(nothing, thresholds={"condition": rule, "class": rule}))
    results, _, _ = trainings.evaluate({"model.path": str(final)})
    assert results["unsure"]["threshold"] is None
    assert results["unsure"]["coverage"] == 0 and results["unsure"]["accuracy_of_sure"] is None
    image = sorted((Path(trainings.base.data.path) / "valid" / "images").iterdir())[0]
    request = {"image": str(image), "object_type": "toe drain", "models": [str(final)]}
    (answer,) = Predictor(trainings.base).predict(request)["answers"]
    assert answer["unsure"] is True and answer["threshold"] is None
    assert "no promise" in answer["note"]


def test_a_base_model_is_neither_sure_nor_unsure(trainings: Trainings) -> None:
    image = sorted((Path(trainings.base.data.path) / "valid" / "images").iterdir())[0]
    (answer,) = Predictor(trainings.base).predict({"image": str(image), "object_type": "toe drain"})["answers"]
    assert answer["unsure"] is None and "calibrated" not in answer


def test_another_tolerated_error_than_the_calibrated_one_is_told(
    trainings: Trainings, tuned: Callable[..., Path], taxonomy: Taxonomy
) -> None:
    path = {"model.path": str(tuned(made(taxonomy)))}
    _, _, quiet = trainings.evaluate(path, "same")
    _, _, reported = trainings.evaluate({**path, "judging.max_error": 0.2}, "other")
    assert not [event for event in quiet.of("warning") if "tolerated error" in event["text"]]
    assert [event for event in reported.of("warning") if "5.0 %, not 20.0 %" in event["text"]]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"thresholds": {"condition": {"threshold": 1}}}'])
def test_a_damaged_calibration_is_refused_and_named(tmp_path: Path, content: str) -> None:
    (tmp_path / calibration.FILE).write_text(content)
    with pytest.raises(UserError, match="damaged") as caught:
        calibration.load(tmp_path)
    assert calibration.FILE in str(caught.value)


def photo(*classes: tuple[str, str]) -> Photo:
    objects = tuple(BoxedObject((0, 0, 1, 1), *pair) for pair in classes)
    return Photo(Path("x.jpg"), f"{classes}.jpg", (10, 10), "train", "g", objects)


def test_effective_shares_are_counts_times_weights_times_repeats(taxonomy: Taxonomy) -> None:
    common, rare = ("toe drain", "normal"), ("toe drain", "blocked")
    photos = [photo(*[common] * 4) for _ in range(3)] + [photo(common, rare)]
    off = EnhanceSettings(class_weighting=False, condition_weighting=False, oversampling=False)
    implied, plain = calibration.effective_class_shares(photos, off, taxonomy)
    assert plain == pytest.approx({"toe drain normal": 13 / 14, "toe drain blocked": 1 / 14})
    assert implied == pytest.approx(plain)
    # The photo with the rare class comes sqrt(4 / 1) = 2 times.
    implied, plain = calibration.effective_class_shares(photos, replace(off, oversampling=True), taxonomy)
    assert implied == pytest.approx({"toe drain normal": 14 / 16, "toe drain blocked": 2 / 16})
    assert plain["toe drain blocked"] == pytest.approx(1 / 14)
    heavy = replace(off, condition_weighting=True, condition_weights={"blocked": 4.0})
    implied, _ = calibration.effective_class_shares(photos, heavy, taxonomy)
    assert implied == pytest.approx({"toe drain normal": 13 / 17, "toe drain blocked": 4 / 17})
