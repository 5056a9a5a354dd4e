"""Answers as a table that every spreadsheet opens: one row an object, UTF-8 with a byte order mark, commas."""

from __future__ import annotations

import csv
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.records import PredictionRow
from core.report.answers import rows_of
from core.runs.files import replace, writing
from core.taxonomy import Taxonomy

FIXED = (
    "photo",
    "object",
    "x1",
    "y1",
    "x2",
    "y2",
    "type",
    "type_known",
    "condition",
    "probability",
    "calibrated_probability",
    "unsure",
)
# Spreadsheets take a cell that begins so for a formula and run it.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(predictions: Path, target: Path, taxonomy: Taxonomy) -> int:
    """Write a predictions file as a table, line by line, in one go.

    Beside the columns of FIXED there is `p <condition>` for every condition and, where types were not known, `p
    <class>` for every class: raw probabilities, empty where the answer was not allowed.

    Args:
        predictions: predictions.jsonl of a run.
        target: the CSV file to write.
        taxonomy: of the run.

    Returns:
        The number of rows.

    Raises:
        UserError: the predictions are damaged, or the disk does not take the table.
    """
    classes = taxonomy.class_names if any(row.get("object_type") is None for _, row in rows_of(predictions)) else ()
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    count = 0
    try:
        with writing(target), beside.open("w", encoding="utf-8-sig", newline="") as stream:
            out = csv.writer(stream)
            out.writerow(head(taxonomy, classes))
            for _, row in rows_of(predictions):
                out.writerow(cells(row, taxonomy, classes))
                count += 1
        with writing(target):
            replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)
    return count


def head(taxonomy: Taxonomy, classes: Sequence[str]) -> list[str]:
    """The names of the columns.

    Args:
        taxonomy: gives the columns of conditions.
        classes: as for `cells`.
    """
    return [*FIXED, *(f"p {name}" for name in taxonomy.conditions), *(f"p {name}" for name in classes)]


def cells(row: PredictionRow, taxonomy: Taxonomy, classes: Sequence[str]) -> list[Any]:
    """One row of the table, in the order of its head.

    Args:
        row: a prediction.
        taxonomy: gives the columns of conditions.
        classes: the class names that have a column of their own; empty where all types are known.
    """
    known, raw = row.get("object_type") is not None, row["probabilities"]
    calibrated = row.get("calibrated")
    best = row["predicted"] if known else row["predicted_class"]
    chances = raw if known else by_condition(raw, taxonomy)
    unsure = row.get("unsure")
    return [
        escape_formula(str(row["image"])),
        int(row["object"]) + 1,
        *row["box_xyxy_px"],
        row.get("object_type") or row.get("predicted_type"),
        "yes" if known else "no",
        row["predicted"],
        raw[best],
        "" if not calibrated else calibrated[best],
        "" if unsure is None else "yes" if unsure else "no",
        *(chances.get(name, "") for name in taxonomy.conditions),
        *("" if known else raw.get(name, "") for name in classes),
    ]


def by_condition(probabilities: Mapping[str, float], taxonomy: Taxonomy) -> dict[str, float]:
    """Probabilities by condition from probabilities by class, summed over object types."""
    found: dict[str, float] = defaultdict(float)
    for kind, condition in taxonomy.classes:
        found[condition] += probabilities.get(taxonomy.class_name(kind, condition), 0.0)
    return {name: round(share, 6) for name, share in found.items()}


def escape_formula(name: str) -> str:
    """A photo's name that no spreadsheet takes for a formula; it still is the photo's path."""
    return f"./{name}" if name.startswith(FORMULA) else name
