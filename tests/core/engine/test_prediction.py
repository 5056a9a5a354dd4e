"""One box, one verdict: probabilities that sum to one, a base that stays itself, and clear words for bad requests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from core.engine.prediction import Predictor
from core.errors import UserError
from core.settings import merge
from core.taxonomy import Taxonomy

Trainings = Any  # of conftest.py
Ask = Callable[..., dict[str, Any]]
BOX = [10, 12, 50, 60]


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    return sorted((data_folder / "valid" / "images").iterdir())[0]


@pytest.fixture
def ask(trainings: Trainings, photo: Path) -> Ask:
    """ask(**request): the answer of one predictor that lives through the test."""
    predictor = Predictor(trainings.base)

    def answer(**changes: Any) -> dict[str, Any]:
        request = {"image": str(photo), "box_xyxy_px": BOX, "object_type": "toe drain", "models": None}
        return predictor.predict({**request, **changes})

    return answer


def verdicts(answer: dict[str, Any]) -> list[dict[str, float]]:
    return [entry.get("class_probabilities", entry["probabilities"]) for entry in answer["answers"]]


@pytest.mark.parametrize("object_type", ["toe drain", "rock toe", "vegetation", None])
def test_an_answer_is_a_distribution_over_the_allowed_answers(
    ask: Ask, taxonomy: Taxonomy, object_type: str | None
) -> None:
    found = ask(object_type=object_type)
    (answer,) = found["answers"]
    assert found["question"] == ("condition" if object_type else "class")
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["predicted_type"] in taxonomy.object_types
    assert answer["predicted"] in taxonomy.allowed[answer["predicted_type"]]
    if object_type:
        assert tuple(answer["probabilities"]) == taxonomy.allowed[object_type]
        assert answer["predicted_type"] == object_type
        assert (
            answer["probability"]
            == max(answer["probabilities"].values())
            == answer["probabilities"][answer["predicted"]]
        )
        assert "class_probabilities" not in answer
    assert found["size_wh"] == [96, 96]
    assert found["box_xyxy_px"] == BOX


def test_a_class_answer_sums_up_to_conditions(ask: Ask, taxonomy: Taxonomy) -> None:
    (answer,) = ask(object_type=None)["answers"]
    classes = answer["class_probabilities"]
    assert tuple(classes) == taxonomy.class_names
    assert sum(classes.values()) == pytest.approx(1)
    for condition, share in answer["probabilities"].items():
        assert share == pytest.approx(sum(value for name, value in classes.items() if name.endswith(condition)))
    best = max(classes, key=classes.get)
    assert best == f"{answer['predicted_type']} {answer['predicted']}"
    assert answer["probability"] == classes[best]


def test_base_and_tuned_differ_and_the_base_answers_as_if_alone(trainings: Trainings, ask: Ask, photo: Path) -> None:
    first = trainings.train({"training.max_steps": 4}, "first").final
    second = trainings.train({"training.max_steps": 3, "training.seed": 1, "lora.targets": "attention"}, "second").final
    base = trainings.base.model.path
    for object_type in ("toe drain", None):
        alone = verdicts(
            Predictor(trainings.base).predict(
                {"image": str(photo), "box_xyxy_px": BOX, "object_type": object_type, "models": [base]}
            )
        )
        beside = verdicts(ask(models=[base, str(first), str(second), base], object_type=object_type))
        assert beside[0] == alone[0] == beside[3]
        assert len({tuple(shares.values()) for shares in beside}) == 3
        # An adapter's answer does not depend on who else is loaded, nor on the order.
        assert verdicts(ask(models=[str(second), str(first)], object_type=object_type)) == [beside[2], beside[1]]
        for path, its in ((first, beside[1]), (second, beside[2])):
            fresh = verdicts(
                Predictor(trainings.base).predict(
                    {"image": str(photo), "box_xyxy_px": BOX, "object_type": object_type, "models": [str(path)]}
                )
            )
            assert fresh[0] == pytest.approx(its, rel=1e-5)


def test_models_have_names_for_people(trainings: Trainings, ask: Ask) -> None:
    tuned = trainings.train({"training.max_steps": 1}, "dike").final  # a single step teaches: no warm-up swallows it
    assert [answer["label"] for answer in ask(models=[trainings.base.model.path, str(tuned)])["answers"]] == [
        "Base model",
        "Tuned: dike",
    ]


@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_a_refused_adapter_leaves_the_base_as_it_was(trainings: Trainings, ask: Ask, tmp_path: Path) -> None:
    good = trainings.train({"training.max_steps": 3}).final
    bad = Path(shutil.copytree(good, tmp_path / "bad_final"))
    weights = load_file(bad / "adapter_model.safetensors")
    save_file(dict(list(weights.items())[:-1]), bad / "adapter_model.safetensors")
    before = verdicts(ask())
    for _ in range(2):
        with pytest.raises(UserError, match="does not fit"):
            ask(models=[str(bad)])
        assert verdicts(ask()) == before
    tuned = verdicts(ask(models=[str(good)]))
    assert tuned != before
    with pytest.raises(UserError, match="does not fit"):
        ask(models=[str(bad)])
    assert verdicts(ask(models=[str(good)])) == tuned
    assert verdicts(ask()) == before


def test_an_adapter_is_asked_as_it_was_trained(trainings: Trainings, photo: Path) -> None:
    changes = {"training.max_steps": 3, "view.mode": "full", "enhance.spatial_reasoning": False}
    tuned = trainings.train(changes).final
    request = {"image": str(photo), "box_xyxy_px": BOX, "object_type": "toe drain", "models": [str(tuned)]}
    other_view = Predictor(merge(trainings.base, {"view.mode": "crop"})).predict(request)
    assert verdicts(other_view) == verdicts(Predictor(trainings.base).predict(request))
    about = json.loads((tuned / "damgui.json").read_text())
    about["settings"]["view"]["mode"] = "crop"
    (tuned / "damgui.json").write_text(json.dumps(about))
    assert verdicts(Predictor(trainings.base).predict(request)) != verdicts(other_view)


def test_without_a_box_the_whole_photo_is_judged(ask: Ask) -> None:
    assert ask(box_xyxy_px=None)["box_xyxy_px"] == [0, 0, 96, 96]
    assert verdicts(ask(box_xyxy_px=None)) == verdicts(ask(box_xyxy_px=[0, 0, 96, 96])) != verdicts(ask())


def test_other_boxes_reach_the_question(ask: Ask) -> None:
    assert verdicts(ask(other_boxes_xyxy_px=[[0, 0, 20, 5]])) != verdicts(ask())


def test_an_impossible_box_is_refused(ask: Ask) -> None:
    with pytest.raises(UserError) as caught:
        ask(box_xyxy_px=[200, 200, 300, 300])
    assert caught.value.problems[0].kind == "box-outside"


def test_an_unknown_type_is_refused_and_the_known_ones_are_named(ask: Ask, taxonomy: Taxonomy) -> None:
    with pytest.raises(UserError, match="'crack' is no known object type") as caught:
        ask(object_type="crack")
    assert all(kind in str(caught.value) for kind in taxonomy.object_types)


def test_a_missing_or_damaged_photo_is_refused(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such photo"):
        ask(image=str(tmp_path / "gone.jpg"))
    (tmp_path / "text.jpg").write_text("no photo")
    with pytest.raises(UserError, match="not a photo we can read"):
        ask(image=str(tmp_path / "text.jpg"))


def test_a_photo_that_was_replaced_is_read_again(ask: Ask, photo: Path, tmp_path: Path) -> None:
    path = tmp_path / "upload.png"
    with Image.open(photo) as image:
        image.save(path)
    before = verdicts(ask(image=str(path)))
    Image.new("RGB", (96, 96), "white").save(path)
    assert verdicts(ask(image=str(path))) != before
