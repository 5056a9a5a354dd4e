"""The predictions of a run, line by line: an index of where each lies, so that memory does not grow with pictures.

Some 300 bytes an object are held; a whole row is read again when it is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.conditions import Condition
from core.errors import UserError
from core.records import PredictionRow
from core.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Entry:
    """One object: where its line is, and what decides where in a report it is shown.

    Attributes:
        offset: where the line begins in the predictions file, in bytes.
        image: the photo's name.
        number: of the object in its photo, counted from 0.
        wrong: whether the predicted class is not the true one; None where the truth is not known.
        unsure: whether the answer counts as unsure.
        confidence: the probability of the answer, 0 to 1, calibrated where there is a calibration.
        true_class: "" where the truth is not known.
        predicted_class: the class answered.
        condition: the condition answered.
        true_condition: "" where the truth is not known.
    """

    offset: int
    image: str
    number: int
    wrong: bool | None
    unsure: bool
    confidence: float
    true_class: str
    predicted_class: str
    condition: str
    true_condition: str


def confidence(row: PredictionRow) -> float:
    """The probability of the answer given, calibrated where there is a calibration; 0.0 where the row has none."""
    shares: Mapping[str, float] = row.get("calibrated") or row.get("probabilities") or {"": 0.0}
    return max(shares.values())


def shown_condition(row: PredictionRow, taxonomy: Taxonomy, which: str = "predicted") -> Condition:
    """How a row's condition is shown: its name, colour and mark.

    Args:
        row: a prediction.
        taxonomy: of the results.
        which: "predicted" for the answer, "truth" for the label.
    """
    condition = str(row.get(which) or "")
    return taxonomy.shown(str(row.get(f"{which}_class") or "").removesuffix(f" {condition}"), condition)


def is_wrong(row: PredictionRow) -> bool | None:
    """Whether the predicted class is not the true one; None where the truth is not known."""
    truth = row.get("truth_class")
    return None if truth is None else bool(truth != row.get("predicted_class"))


def rows_of(path: Path) -> Iterator[tuple[int, PredictionRow]]:
    """Every whole line of a predictions file.

    Args:
        path: of predictions.jsonl.

    Yields:
        (where the line begins, in bytes; its row).

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    try:
        with path.open("rb") as stream:
            offset = 0
            for number, line in enumerate(stream, 1):
                if line.strip() and line.endswith(b"\n"):
                    yield offset, _row(line, path, number)
                offset += len(line)
    except OSError as error:
        raise UserError("the answers of this run cannot be read", str(path), "Run it again.", "disk") from error


def _row(line: bytes, path: Path, number: int) -> PredictionRow:
    try:
        row: PredictionRow = json.loads(line)
        if isinstance(row, dict) and "image" in row and "object" in row:
            return row
    except ValueError:
        pass
    raise UserError("this line is no answer", f"{path} line {number}", "Run it again.", "disk")


def index(path: Path) -> list[Entry]:
    """Every object of a predictions file, in its order.

    Raises:
        UserError: the file cannot be read or is damaged.
    """
    return [_entry(offset, row) for offset, row in rows_of(path)]


def _entry(offset: int, row: PredictionRow) -> Entry:
    # Names come again and again: one copy of each is kept.
    true_class, predicted_class, condition, true_condition, image = (
        sys.intern(str(row.get(key) or "")) for key in ("truth_class", "predicted_class", "predicted", "truth", "image")
    )
    return Entry(
        offset,
        image,
        int(row["object"]),
        is_wrong(row),
        bool(row.get("unsure")),
        confidence(row),
        true_class,
        predicted_class,
        condition,
        true_condition,
    )


def read(stream: BinaryIO, entry: Entry) -> PredictionRow:
    """The whole row of an entry; `stream` is the predictions file, opened for binary reading."""
    stream.seek(entry.offset)
    found: PredictionRow = json.loads(stream.readline())
    return found
