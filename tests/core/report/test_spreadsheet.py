"""The table says what the lines say, opens in spreadsheets, and runs nothing there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from core.report.spreadsheet import FIXED, escape_formula, write_csv
from core.taxonomy import load

DAMS = load()


def line(**more: Any) -> dict[str, Any]:
    return {
        "image": "a.jpg",
        "object": 0,
        "box_xyxy_px": [1.0, 2.0, 3.5, 4.0],
        "object_type": "toe drain",
        "predicted_type": "toe drain",
        "predicted": "blocked",
        "predicted_class": "toe drain blocked",
        "question": "condition",
        "choices": 3,
        "probabilities": {"normal": 0.2, "blocked": 0.7, "damaged": 0.1},
        **more,
    }


def table(tmp_path: Path, *rows: dict[str, Any]) -> list[dict[str, str]]:
    source, target = tmp_path / "p.jsonl", tmp_path / "p.csv"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert write_csv(source, target, DAMS) == len(rows)
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_holds_photo_box_type_condition_and_all_probabilities(tmp_path: Path) -> None:
    (found,) = table(tmp_path, line())
    assert list(found) == [*FIXED, "p normal", "p blocked", "p damaged"]
    assert (found["photo"], found["object"], found["x2"], found["type"], found["type_known"]) == (
        "a.jpg",
        "1",
        "3.5",
        "toe drain",
        "yes",
    )
    assert (found["condition"], found["probability"], found["p damaged"]) == ("blocked", "0.7", "0.1")
    assert (found["calibrated_probability"], found["unsure"]) == ("", "")


def test_calibrated_answers_and_unsure_ones_are_told(tmp_path: Path) -> None:
    calibrated = {"normal": 0.3, "blocked": 0.5, "damaged": 0.2}
    sure, not_sure = table(
        tmp_path, line(calibrated=calibrated, unsure=False), line(calibrated=calibrated, unsure=True)
    )
    assert (sure["calibrated_probability"], sure["unsure"], not_sure["unsure"]) == ("0.5", "no", "yes")


def test_unknown_types_get_a_column_for_every_class_and_their_sum_by_condition(tmp_path: Path) -> None:
    chances = dict.fromkeys(DAMS.class_names, 0.0) | {
        "toe drain blocked": 0.5,
        "slope drain blocked": 0.3,
        "vegetation normal": 0.2,
    }
    known, unknown = table(tmp_path, line(), line(object_type=None, question="class", choices=9, probabilities=chances))
    assert (unknown["type"], unknown["type_known"], unknown["probability"]) == ("toe drain", "no", "0.5")
    assert (unknown["p blocked"], unknown["p normal"], unknown["p vegetation normal"]) == ("0.8", "0.2", "0.2")
    assert known["p vegetation normal"] == ""


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0.jpg", "+1.jpg", "-x.jpg", "@SUM(A1).jpg"])
def test_no_photo_is_a_formula(tmp_path: Path, name: str) -> None:
    (found,) = table(tmp_path, line(image=name))
    assert found["photo"] == f"./{name}"
    assert escape_formula("train/=x.jpg") == "train/=x.jpg"


def test_odd_names_survive_commas_quotes_and_line_breaks(tmp_path: Path) -> None:
    odd = 'Dämme, "2026"\nnorth.jpg'
    assert table(tmp_path, line(image=odd))[0]["photo"] == odd
