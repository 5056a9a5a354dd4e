"""The single answers of a run, line by line: an index of where each stands, so that memory does not grow with pictures.

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
    """One object: where its line begins in the file (bytes), its photo, and what decides where it is shown.

    `wrong` is None where the truth is not known; `sure` is the probability of the answer, calibrated where there is a
    calibration. `truth` and `said` are class names; `condition` is the answered one, `true_condition` the right one.
    """

    offset: int
    image: str
    number: int
    wrong: bool | None
    unsure: bool
    sure: float
    truth: str
    said: str
    condition: str
    true_condition: str


def sureness(row: PredictionRow) -> float:
    """The probability of the answer given, the calibrated one where there is one; 0.0 when the row has none."""
    shares: Mapping[str, float] = row.get("calibrated") or row.get("probabilities") or {"": 0.0}
    return max(shares.values())


def shown(row: PredictionRow, taxonomy: Taxonomy, which: str = "predicted") -> Condition:
    """How the condition that was answered ("predicted") or is true ("truth") is shown."""
    condition = str(row.get(which) or "")
    return taxonomy.shown(str(row.get(f"{which}_class") or "").removesuffix(f" {condition}"), condition)


def is_wrong(row: PredictionRow) -> bool | None:
    """Whether the answered class is another than the true one; None where no truth is known."""
    truth = row.get("truth_class")
    return None if truth is None else bool(truth != row.get("predicted_class"))


def rows_of(path: Path) -> Iterator[tuple[int, PredictionRow]]:
    """(offset in bytes, row) of every whole line. Raises UserError for a damaged file."""
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
    """Every object of a predictions file, in its order. Raises UserError when it cannot be read or is damaged."""
    return [_entry(offset, row) for offset, row in rows_of(path)]


def _entry(offset: int, row: PredictionRow) -> Entry:
    # Names come again and again: one copy of each is kept.
    truth, said, condition, true_condition, image = (
        sys.intern(str(row.get(key) or "")) for key in ("truth_class", "predicted_class", "predicted", "truth", "image")
    )
    return Entry(
        offset,
        image,
        int(row["object"]),
        is_wrong(row),
        bool(row.get("unsure")),
        sureness(row),
        truth,
        said,
        condition,
        true_condition,
    )


def read(stream: BinaryIO, entry: Entry) -> PredictionRow:
    """The whole row of an entry."""
    stream.seek(entry.offset)
    found: PredictionRow = json.loads(stream.readline())
    return found
