"""Results files as the page shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.errors import UserError
from core.runs import store
from damgui.scores import results


def row(number: int, truth: str, predicted: str, sure: float = 0.9) -> dict[str, Any]:
    return {
        "image": "valid/images/a.jpg",
        "object": number,
        "box_xyxy_px": [4, 4, 20, 12],
        "object_type": "toe drain",
        "truth": truth,
        "predicted": predicted,
        "truth_class": f"toe drain {truth}",
        "predicted_class": f"toe drain {predicted}",
        "probabilities": {predicted: sure, truth: 1 - sure},
    }


def document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    right = sum(answer["truth"] == answer["predicted"] for answer in rows)
    return {
        "overall_accuracy": right / len(rows),
        "correct": right,
        "total": len(rows),
        "macro_f1": 0.5,
        "accuracy_interval": [0.25, 0.75],
        "per_class": {},
        "confusion": {"labels": [], "counts": []},
        "data": {"path": "demo", "photos": 1, "fingerprint": "f", "split": "valid"},
        "model": {"path": "demo"},
    }


def shown(tmp_path: Path, rows: list[dict[str, Any]], name: str = "zeroshot") -> results.ShownResults:
    workspace = store.open_workspace(tmp_path)
    picture = workspace.sample_data / "valid" / "images" / "a.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), "green").save(picture)
    path = workspace.experiments / f"{name}_results.json"
    path.write_text(json.dumps(document(rows)), encoding="utf-8")
    lines = "".join(json.dumps(answer) + "\n" for answer in rows)
    path.with_name(results.predictions_name(path)).write_text(lines, encoding="utf-8")
    found = results.load(workspace, path)
    assert found is not None
    return found


def test_mistakes_take_turns_between_classes_and_the_surest_comes_first(tmp_path: Path) -> None:
    rows = [
        row(0, "normal", "blocked", 0.7),
        row(1, "normal", "blocked", 0.9),
        row(2, "damaged", "normal", 0.6),
        row(3, "normal", "normal"),
    ]
    assert [mistake["object"] for mistake in shown(tmp_path, rows).mistakes] == [1, 2, 0]


@pytest.mark.parametrize(("predicted_type", "right"), [("toe drain", True), ("slope drain", False)])
def test_a_class_question_is_right_only_when_the_type_is_right_too(predicted_type: str, right: bool) -> None:
    answer = row(0, "normal", "normal") | {"predicted_class": f"{predicted_type} normal"}
    assert results.right(answer) is right


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, (0.9, 0.1)), ({"calibrated": {"blocked": 0.7, "normal": 0.3}}, (0.7, 0.3)), ({"probabilities": {}}, (0, 0))],
)
def test_calibrated_probabilities_go_before_raw_ones(more: dict[str, Any], expected: tuple[float, float]) -> None:
    answer = row(0, "normal", "blocked") | more
    assert (results.probability(answer), results.probability(answer, "truth")) == pytest.approx(expected)


def test_a_class_question_has_its_probabilities_by_class() -> None:
    answer = row(0, "normal", "blocked") | {"probabilities": {"toe drain blocked": 0.6, "toe drain normal": 0.4}}
    assert (results.probability(answer), results.probability(answer, "truth")) == (0.6, 0.4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("results.json", "predictions.jsonl"),
        ("zeroshot_results.json", "zeroshot_predictions.jsonl"),
        ("evaluation_a_test.json", "evaluation_a_test_predictions.jsonl"),
    ],
)
def test_answers_lie_beside_their_results(name: str, expected: str) -> None:
    assert results.predictions_name(Path(name)) == expected


def test_a_missing_photo_becomes_a_sentence_and_not_an_error(tmp_path: Path) -> None:
    found = shown(tmp_path, [row(0, "normal", "blocked")])
    (found.root / "valid" / "images" / "a.jpg").unlink()
    assert "no such photo" in results.mistake_cards(found, found.mistakes)


def test_damaged_answers_are_named(tmp_path: Path) -> None:
    workspace = store.open_workspace(tmp_path)
    (workspace.experiments / "zeroshot_results.json").write_text(json.dumps(document([row(0, "a", "a")])))
    (workspace.experiments / "zeroshot_predictions.jsonl").write_text("{half")
    with pytest.raises(UserError, match=r"zeroshot_predictions\.jsonl"):
        results.load(workspace, workspace.zeroshot_results)


def test_file_names_are_shown_and_never_executed(tmp_path: Path) -> None:
    bad = row(0, "normal", "blocked") | {"object_type": "<img src=x onerror=alert(1)>"}
    found = shown(tmp_path, [bad])
    assert "<img src=x" not in results.mistake_cards(found, found.mistakes)
