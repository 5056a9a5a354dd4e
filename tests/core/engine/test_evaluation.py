"""What is written down about a split is what was judged, and the numbers follow from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.data.types import BoxedObject, Photo
from core.engine.evaluation import limited, prior_scores
from core.engine.opened_model import open_model
from core.errors import UserError
from core.metrics import score
from core.taxonomy import DEFAULT, Taxonomy

Trainings = Any  # of conftest.py


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("kind", ["condition", "class"])
def test_every_object_has_one_line_and_the_results_follow_from_the_lines(trainings: Trainings, kind: str) -> None:
    results, folder, reported = trainings.evaluate({"question.kind": kind})
    rows = lines(folder)
    assert len(rows) == results["total"] == results["data"]["objects"] == 10
    assert [(row["image"], row["object"]) for row in rows] == sorted({(row["image"], row["object"]) for row in rows})
    assert {row["question"] for row in rows} == {kind}
    for key, value in score(rows).items():
        assert results[key] == value
    assert results["correct"] == sum(row["truth_class"] == row["predicted_class"] for row in rows)
    assert json.loads((folder / "results.json").read_text()) == json.loads(json.dumps(results))
    assert results["complete"]
    assert results["data"]["photos"] == 3
    last = reported.of("progress")[-1]
    assert (last["done"], last["total"], last["judged"], last["correct"]) == (3, 3, 10, results["correct"])


def test_a_line_holds_a_distribution_over_the_allowed_answers(trainings: Trainings, taxonomy: Taxonomy) -> None:
    for kind, allowed in (("condition", None), ("class", taxonomy.class_names)):
        for row in lines(trainings.evaluate({"question.kind": kind}, kind)[1]):
            answers = allowed or taxonomy.allowed[row["object_type"]]
            assert tuple(row["probabilities"]) == answers
            assert row["choices"] == len(answers)
            assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            best = max(row["probabilities"], key=row["probabilities"].get)
            assert best == (row["predicted"] if kind == "condition" else row["predicted_class"])


def test_judging_again_gives_the_same_lines_and_so_does_judging_one_by_one(trainings: Trainings) -> None:
    first = lines(trainings.evaluate(run="one")[1])
    again = lines(trainings.evaluate(run="two")[1])
    single = lines(trainings.evaluate({"training.questions_per_sequence": 1}, "three")[1])
    assert first == again
    for mine, its in zip(first, single, strict=True):
        assert mine["probabilities"] == pytest.approx(its["probabilities"], abs=2e-5)


# Without features to compute first, a stop is asked for once a photo.
UNKEPT = {"model.cache_features": False}


def test_a_stop_ends_after_the_photo_at_hand_and_says_that_it_is_not_complete(trainings: Trainings) -> None:
    results, folder, reported = trainings.evaluate(UNKEPT, stop_after=2)
    assert results["complete"] is False
    assert results["data"]["photos"] == 2 == len({row["image"] for row in lines(folder)})
    assert results["total"] == len(lines(folder)) < 10
    assert reported.of("progress")[-1]["done"] == 2


def test_a_stop_at_the_last_photo_changes_nothing(trainings: Trainings) -> None:
    assert trainings.evaluate(UNKEPT, stop_after=3)[0]["complete"] is True


def test_the_results_name_model_data_and_settings(trainings: Trainings) -> None:
    results, folder, _reported = trainings.evaluate({"data.limit": 2})
    assert results["model"]["path"] == trainings.base.model.path
    assert len(results["model"]["fingerprint"]) == 16
    assert results["model"]["adapter"] is None
    assert results["data"]["split"] == "valid"
    assert results["data"]["photos"] == 2
    assert results["settings"]["data"]["limit"] == 2
    assert set(json.loads((folder / "split.json").read_text())) == {"train", "valid"}
    assert list(folder.glob("*.part")) == []


def test_a_run_keeps_its_split_when_it_goes_on(trainings: Trainings) -> None:
    _results, folder, _reported = trainings.evaluate()
    split = json.loads((folder / "split.json").read_text())
    split["train"], split["valid"] = split["valid"], split["train"]
    (folder / "split.json").write_text(json.dumps(split))
    (folder / "photos.json").unlink()  # which would not let another split pass
    assert trainings.evaluate()[0]["data"]["photos"] == 6


def test_a_split_without_objects_is_refused(trainings: Trainings) -> None:
    with pytest.raises(UserError, match="there is no split test"):
        trainings.evaluate({"data.split": "test"})


@pytest.mark.parametrize(
    ("count", "limit", "expected"),
    [(10, 0, list(range(10))), (10, 5, [0, 2, 4, 6, 8]), (10, 3, [0, 3, 6]), (3, 7, [0, 1, 2]), (7, 7, list(range(7)))],
)
def test_a_limit_spreads_over_all_photos(count: int, limit: int, expected: list[int]) -> None:
    assert limited(list(range(count)), limit) == expected  # type: ignore[arg-type]


def photo(*classes: tuple[str, str]) -> Photo:
    objects = tuple(BoxedObject((0, 0, 1, 1), *pair) for pair in classes)
    return Photo(Path("x.jpg"), f"{classes}.jpg", (10, 10), "train", "g", objects)


def test_the_prior_answers_each_types_most_frequent_condition(taxonomy: Taxonomy) -> None:
    train = [photo(("toe drain", "blocked"), ("toe drain", "blocked"), ("toe drain", "normal"), ("rock toe", "normal"))]
    evaluated = [
        photo(("toe drain", "blocked"), ("toe drain", "normal"), ("rock toe", "normal")),
        photo(("slope drain", "normal")),  # never seen in training: the first condition is guessed
    ]
    found = prior_scores(train, evaluated, taxonomy)
    assert found is not None
    assert found["accuracy"] == pytest.approx(3 / 4)
    # F1: toe drain blocked 2/3 (one false alarm), toe drain normal 0, rock toe normal 1, slope drain normal 1
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0 + 1 + 1) / 4)


def test_without_training_photos_there_is_no_prior(taxonomy: Taxonomy) -> None:
    assert prior_scores([], [photo(("toe drain", "normal"))], taxonomy) is None


def test_an_adapter_is_judged_on_the_base_it_was_trained_on(
    trainings: Trainings, saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = trainings.train({"training.max_steps": 3})
    results, _folder, _reported = trainings.evaluate({"model.path": str(trained.final)})
    assert results["model"]["adapter"] == str(trained.final)
    assert results["model"]["path"] == str(saved())
    # The adapter's own validation, on the same photos and questions, says the same.
    assert results["overall_accuracy"] == trained.info["final"]["accuracy"]
    assert results["macro_f1"] == trained.info["final"]["macro_f1"]


def test_photos_that_an_adapter_learned_from_are_counted_and_told(trainings: Trainings) -> None:
    tuned = {"model.path": str(trainings.train({"training.max_steps": 2}).final)}
    honest, _, quiet = trainings.evaluate({**tuned, "data.split": "valid"}, "honest")
    flattered, _, reported = trainings.evaluate({**tuned, "data.split": "train"}, "flattered")
    assert honest["data"]["photos_trained_on"] == 0
    assert not [event for event in quiet.of("warning") if "trained on" in event["text"]]
    assert flattered["data"]["photos_trained_on"] == flattered["data"]["photos"] > 0
    assert [event for event in reported.of("warning") if "trained on" in event["text"]]


def test_an_adapter_is_not_asked_with_another_taxonomy(trainings: Trainings, tmp_path: Path) -> None:
    tuned = str(trainings.train({"training.max_steps": 2}).final)
    other = tmp_path / "other.yaml"
    text = DEFAULT.read_text(encoding="utf-8").replace("conditions: [normal, damaged]", "conditions: [normal]")
    other.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not the taxonomy that the adapter learned"):
        open_model(trainings.settings({"model.path": tuned, "data.taxonomy": str(other)}))
