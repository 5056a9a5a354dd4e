"""Results files for the page: the big number, per-class bars, the confusion matrix and the gallery of mistakes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from core.errors import UserError
from core.runs.files import read_json
from core.runs.store import Workspace
from damgui import charts, datasets, parts, pictures, text
from damgui.frame import QUIET, Updates
from damgui.text import escape

PAGE = 12  # mistakes shown at first, and how many more each time
Row = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """One results file with every single answer, and the folder its photos lie in."""

    results: dict[str, Any]
    rows: tuple[Row, ...]
    root: Path
    names: tuple[str, ...]  # all class names of the taxonomy

    @property
    def order(self) -> list[str]:
        """The class names that occur, in the taxonomy's order."""
        there = (self.results.get("confusion") or {}).get("labels") or list(self.results.get("per_class", {}))
        return sorted(there, key=lambda name: (self.names.index(name) if name in self.names else len(self.names), name))

    @property
    def mistakes(self) -> list[Row]:
        """The surest mistakes first, in turn one of each class, so that no class hides the others."""
        ranked: Counter[str] = Counter()
        turns = []
        for row in sorted((row for row in self.rows if not right(row)), key=lambda row: -_sure(row)):
            turns.append((ranked[row["truth_class"]], row))
            ranked[row["truth_class"]] += 1
        return [row for _, row in sorted(turns, key=lambda pair: pair[0])]


def right(row: Row) -> bool:
    """Whether an answer was right; for class questions the type must be right as well."""
    if row.get("predicted_class") and row.get("truth_class"):
        return bool(row["predicted_class"] == row["truth_class"])
    return bool(row["predicted"] == row["truth"])


def _sure(row: Row) -> float:
    return max((row.get("probabilities") or {"": 0.0}).values())


def changed(path: Path) -> tuple[int, int]:
    """Something that differs when the file does; (0, 0) when there is none."""
    try:
        about = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return about.st_mtime_ns, about.st_size


def load(workspace: Workspace, path: Path) -> Shown | None:
    """Results with their answers; None when there are none. Raises UserError when a file is damaged."""
    return _load(workspace, path, changed(path)) if path.is_file() else None


@lru_cache(maxsize=8)
def _load(workspace: Workspace, path: Path, _changed: tuple[int, int]) -> Shown | None:
    found = read_json(path)
    if found is None:
        return None
    root = datasets.root(workspace, str((found.get("data") or {}).get("path", "demo")))
    names = datasets.taxonomy(((found.get("settings") or {}).get("data") or {}).get("taxonomy", "")).class_names
    return Shown(found, tuple(_rows(path.with_name(predictions_name(path)))), root, names)


def predictions_name(path: Path) -> str:
    """The file of single answers beside a results file."""
    return f"{path.stem.removesuffix('_results')}_predictions.jsonl"


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise UserError("this file of answers is damaged", str(path), "Run the evaluation again.", "disk") from error


def headline(shown: Shown) -> str:
    """The big number with its interval, and the few that put it into place."""
    found = shown.results
    prior = found.get("prior") or {}
    choice = found.get("with_choice") or {}
    score = (
        f'<div class="dg-score"><span class="dg-big" data-accuracy="{found["overall_accuracy"]:.6f}">'
        f"{100 * found['overall_accuracy']:.1f}<small>%</small></span><div><strong>of the objects judged right</strong>"
        f"<p>{found['correct']:,} of {found['total']:,} objects on {(found.get('data') or {}).get('photos', '–')} "
        f"photos</p><p>{escape(parts.interval(found, 'accuracy_interval'))}</p></div></div>"
    )
    small = [parts.figure(f"{found['macro_f1']:.2f}", "Macro-F1", parts.interval_plain(found, "macro_f1_interval"))]
    if prior.get("accuracy") is not None:
        small.append(parts.figure(text.percent(prior["accuracy"]), "Just guessing", "always the commonest condition"))
    if choice.get("total"):
        below = f"{choice['correct']} of {choice['total']}: drains and rock toes"
        small.append(parts.figure(text.percent(choice["accuracy"]), "Where there is a choice", below))
    small.append(
        parts.figure(text.duration(found.get("seconds")), "Took", str((found.get("model") or {}).get("path", "")))
    )
    return f'<div class="dg-headline">{score}{parts.figures(small)}</div>'


@dataclass(frozen=True)
class Panels:
    """Charts and gallery that show one results file."""

    box: gr.Column
    bars: gr.HTML
    matrix: gr.HTML
    title: gr.HTML
    gallery: gr.HTML
    more: gr.Button
    count: gr.State

    @property
    def outputs(self) -> tuple[Component, ...]:
        return (self.box, self.bars, self.matrix, self.title, self.gallery, self.more, self.count)

    def fill(self, shown: Shown | None, most: int = PAGE) -> Updates:
        if shown is None:
            return {self.box: gr.Column(visible=False)}
        confusion = shown.results.get("confusion") or {"labels": [], "counts": []}
        return {
            self.box: gr.Column(visible=True),
            self.bars: charts.to_json(charts.per_class(shown.results["per_class"], shown.order)),
            self.matrix: charts.to_json(charts.confusion(confusion["labels"], confusion["counts"], shown.order)),
            **self.pages(shown, most),
        }

    def pages(self, shown: Shown, most: int) -> Updates:
        wrong = shown.mistakes
        note = f"{len(wrong)} of {len(shown.rows)} objects, the surest first"
        cards = mistake_cards(shown, wrong[:most]) if wrong else parts.note(text.NO_MISTAKES, "good")
        return {
            self.title: parts.section(text.MISTAKES, note), self.gallery: cards, self.count: most,
            self.more: gr.Button(visible=len(wrong) > most),
        }  # fmt: skip

    def wire(self, current: Callable[[], Shown | None]) -> None:
        def further(most: int) -> Updates:
            shown = current()
            return {} if shown is None else self.pages(shown, most + PAGE)

        self.more.click(further, self.count, [self.title, self.gallery, self.more, self.count], **QUIET)


def panels(prefix: str) -> Panels:
    """Draw the panels here, hidden until there is something to show."""
    with gr.Column(visible=False, elem_id=f"{prefix}-results") as box:
        with gr.Row(equal_height=True):
            with gr.Column(elem_classes="dg-panel", min_width=420):
                parts.html(parts.section(text.PER_CLASS))
                bars = charts.component(f"{prefix}-per-class", text.PER_CLASS)
            with gr.Column(elem_classes="dg-panel", min_width=420):
                parts.html(parts.section(text.CONFUSION))
                matrix = charts.component(f"{prefix}-confusion", text.CONFUSION)
        with gr.Column(elem_classes="dg-panel"):
            title = parts.html(parts.section(text.MISTAKES), elem_id=f"{prefix}-mistakes-title")
            gallery = parts.html("", elem_id=f"{prefix}-mistakes")
            more = gr.Button(text.MORE_MISTAKES, size="sm", visible=False, elem_id=f"{prefix}-more-mistakes")
    return Panels(box, bars, matrix, title, gallery, more, gr.State(PAGE))


def mistake_cards(shown: Shown, rows: Sequence[Row], labels: tuple[str, str] = ("Truth", "Said")) -> str:
    cards = []
    for row in rows:
        lines = [(labels[0], row["truth"], ""), (labels[1], row["predicted"], _how_sure(row))]
        cards.append(card(shown.root, row, lines))
    return pictures.gallery([one for one in cards if one])


def _how_sure(row: Row) -> str:
    kind = str(row.get("predicted_class", "")).removesuffix(f" {row['predicted']}")
    other = f"{kind} · " if kind and kind != row["object_type"] else ""
    return f"{other}{100 * _sure(row):.0f} % sure"


def card(root: Path, row: Row, lines: Sequence[tuple[str, str, str]]) -> str:
    """One object with what was true and what was said; a plain line when its photo is gone."""
    try:
        return pictures.judged(root / row["image"], tuple(row["box_xyxy_px"]), row["object_type"], lines)
    except UserError as error:
        return parts.note(str(error), "warn")
