"""Results files for the page: read once for all open pages, with every single answer and the photos behind them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from core import units
from core.conditions import Condition
from core.errors import UserError
from core.metrics.flights import with_flights
from core.records import PredictionRow
from core.report.about import photo_root
from core.report.answers import shown_condition
from core.results import Results
from core.runs.files import FileStamp, file_stamp, read_json
from core.runs.workspace import Workspace
from core.taxonomy import Taxonomy, of_results
from damgui.components import html, photos

PAGE = 12  # mistakes shown at first, and how many more each time


@dataclass(frozen=True)
class ShownResults:
    """One results file with every single answer, and the folder its photos lie in."""

    results: Results
    rows: tuple[PredictionRow, ...]
    root: Path
    taxonomy: Taxonomy

    @property
    def order(self) -> list[str]:
        """The class names that occur, in the taxonomy's order."""
        counted = self.results.get("confusion")
        there = (counted and counted.get("labels")) or list(self.results.get("per_class", {}))
        place = {name: number for number, name in enumerate(self.taxonomy.class_names)}
        return sorted(there, key=lambda name: (place.get(name, len(place)), name))

    @property
    def mistakes(self) -> list[PredictionRow]:
        """The surest mistakes first, in turn one of each class, so that no class hides the others."""
        ranked: Counter[str] = Counter()
        turns = []
        for row in sorted((row for row in self.rows if not right(row)), key=lambda row: -probability(row)):
            turns.append((ranked[row["truth_class"]], row))
            ranked[row["truth_class"]] += 1
        return [row for _, row in sorted(turns, key=lambda pair: pair[0])]


def right(row: PredictionRow) -> bool:
    """Whether an answer was right; for class questions the type must be right as well."""
    if row.get("predicted_class") and row.get("truth_class"):
        return bool(row["predicted_class"] == row["truth_class"])
    return bool(row["predicted"] == row["truth"])


def probability(row: PredictionRow, answer: Literal["predicted", "truth"] = "predicted") -> float:
    """How probable the model found what it said ("predicted") or what is true ("truth"): calibrated where it can."""
    shares = row.get("calibrated") or row.get("probabilities") or {}
    class_name = row.get("truth_class" if answer == "truth" else "predicted_class")
    return float(shares.get(str(class_name), shares.get(row[answer], 0.0)))


def load(workspace: Workspace, path: Path) -> ShownResults | None:
    """Results with their answers; None when there are none. Raises UserError when a file is damaged."""
    return _load(workspace, path, file_stamp(path)) if path.is_file() else None


@lru_cache(maxsize=8)
def _load(workspace: Workspace, path: Path, _stamp: FileStamp) -> ShownResults | None:
    found = read_json(path)
    if found is None:
        return None
    root = photo_root(workspace, str((found.get("data") or {}).get("path", "demo")))
    data = (found.get("settings") or {}).get("data") or {}
    # Answers from before they held their flight get it from the photo's name, by the rule of their own run.
    rows = with_flights(answers(path), data.get("group_rule"))
    return ShownResults(found, tuple(rows), root, of_results(str(data.get("taxonomy") or ""), found))


def predictions_name(path: Path) -> str:
    """The file of single answers beside a results file, in a run's folder or among the published ones."""
    if path.name == "results.json":
        return "predictions.jsonl"
    return f"{path.stem.removesuffix('_results')}_predictions.jsonl"


def answers(path: Path) -> Iterator[PredictionRow]:
    """The single answers beside a results file, one at a time. Raises UserError when their file is damaged."""
    beside = path.with_name(predictions_name(path))
    if not beside.is_file():
        return
    try:
        with beside.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())
    except ValueError as error:
        raise UserError("this file of answers is damaged", str(beside), "Run the evaluation again.", "disk") from error


def mistake_cards(
    shown: ShownResults, rows: Sequence[PredictionRow], labels: tuple[str, str] = ("Truth", "Said")
) -> str:
    cards = []
    for row in rows:
        true, answered = shown_condition(row, shown.taxonomy, "truth"), shown_condition(row, shown.taxonomy)
        lines = [(labels[0], true, ""), (labels[1], answered, _how_sure(row))]
        cards.append(card(shown.root, row, lines))
    return photos.gallery([card for card in cards if card])


def _how_sure(row: PredictionRow) -> str:
    kind = str(row.get("predicted_class", "")).removesuffix(f" {row['predicted']}")
    other = f"{kind} · " if kind and kind != row["object_type"] else ""
    return f"{other}{units.percent(probability(row), 0)} sure"


def card(root: Path, row: PredictionRow, lines: Sequence[tuple[str, Condition, str]]) -> str:
    """One object with what was true and what was said; a plain line when its photo is gone."""
    try:
        x1, y1, x2, y2 = row["box_xyxy_px"]
        return photos.object_card(root / row["image"], (x1, y1, x2, y2), str(row["object_type"]), lines)
    except UserError as error:
        return html.note(str(error), "warn")
