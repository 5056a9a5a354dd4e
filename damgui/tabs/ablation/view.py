"""A study as the page sees it: how far it is, what it will take, its table, its chart and its advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from markupsafe import Markup

from core import units
from core.errors import UserError
from core.metrics import verdict
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.results import Mean, Results, VariantRow
from core.runs import store
from core.runs.files import read_json, read_record
from core.settings import Settings
from core.studies import plan as studies
from damgui import run_state, text, theme
from damgui.charts.base import style, to_json
from damgui.components import html
from damgui.markup import TEMPLATES
from damgui.run_state import RunState
from damgui.snapshot import Snapshot
from damgui.tabs.ablation import text as study_text

_ABLATION = TEMPLATES.macros("ablation.html")
NARROW = "95\u00a0%"  # a number and its unit stay on one line


def latest_results(now: Snapshot) -> tuple[store.Run, Results] | None:
    """The newest ablation that has a table, finished or not, and its results."""
    for run in now.runs("ablate"):
        found = read_record(run.results, Results)
        if found and found.get("table"):
            return run, found
    return None


def cell_seconds(now: Snapshot, settings: Settings) -> float | None:
    """About how long one training takes: as in the newest study of this model, else as in its last training.

    Both are scaled by epochs; None when nothing is known.
    """
    for run in now.runs(*store.STUDIES, "train"):
        try:
            was = run.settings()
            if was.model.path != settings.model.path or was.data.path != settings.data.path:
                continue
            if run.kind == "train":
                took = (read_json(now.workspace.training_info(run.name)) or {}).get("seconds")
                done = now.status(run) == "finished"
            else:
                cells = (read_json(run.results) or {}).get("cells") or []
                took, done = sum(cell["seconds"] for cell in cells) / max(len(cells), 1), bool(cells)
        except UserError:
            continue
        if done and took:
            steps = (was.training.max_steps, settings.training.max_steps)
            if all(steps):
                return float(took) * steps[1] / steps[0]
            return None if any(steps) else float(took) * settings.training.epochs / was.training.epochs
    return None


def state(found: RunState | None) -> str:
    """Where a study is: its bar, its facts and what it does now."""
    if found is None:
        return ""
    if not found.active:
        note = html.note(study_text.LEFT_OFF) if found.status == "stopped" else ""
        return html.live(found, *(() if found.status == "finished" else (html.ended(found), note)))
    pace = run_state.study_progress(found)
    stage = study_text.STOPPING if found.stopping else run_state.stage(found) or text.STARTING
    if pace is None:
        return html.live(found, html.working(stage))
    facts = [
        ("Trainings done", f"{pace.done} of {pace.total}"),
        (text.TIME_LEFT, units.duration(pace.left_s)),
        ("So far", units.duration(pace.elapsed_s)),
    ]
    bar = html.bar(pace.share, "Progress")
    return html.live(found, bar, html.facts(facts), html.stage(stage), html.warnings(found))


@dataclass(frozen=True)
class StudyRow:
    """A line of the table: `cells` are (value, what stands below it), `outcome` is its (mark, word, tone)."""

    variant: str
    name: str
    cells: Sequence[tuple[str, str]]
    outcome: tuple[str, str, str] | None


def table(found: Results) -> Markup:
    """The rows with intervals, differences and outcomes."""
    return _ABLATION.table(study_text.COLUMNS, [_row(row) for row in found["table"]], study_text.TABLE_HINT)


def _row(row: VariantRow) -> StudyRow:
    cells = [
        (str(len(row["seeds"])), ""),
        study_text.share(row["accuracy"]),
        study_text.share(row["balanced_accuracy"]),
        study_text.score(row["macro_f1"]),
    ]
    change = row["difference"]
    cells.append(study_text.difference(change["macro_f1"]) if change else ("–", ""))
    outcome = study_text.OUTCOMES[row["verdict"]] if row["verdict"] else None
    return StudyRow(row["variant"], _capital(row["label"]), cells, outcome)


def _capital(label: str) -> str:
    return label[:1].upper() + label[1:]


def advice(found: Results) -> str:
    """The recommendation, its last sentences first: what to do, then why."""
    recommendation = found.get("recommendation")
    if not recommendation:
        return ""
    why, what = _divided(recommendation["said"])
    worth_it = recommendation["use"] != studies.NONE and recommendation.get("worth") not in verdict.YET
    tone = "good" if worth_it else "info"
    return _ABLATION.advice(" ".join(what), tone, [sentence.replace("95 %", NARROW) for sentence in why])


def _divided(sentences: Sequence[str]) -> tuple[list[str], list[str]]:
    """(reasons, what to do) of a recommendation's sentences."""
    do = [
        sentence
        for sentence in sentences
        if sentence.startswith(("Use ", "Switch ", "Train ", "Judge ")) or "was not measured" in sentence
    ]
    return [sentence for sentence in sentences if sentence not in do], do


def chart(found: Results) -> str | None:
    """Dots with intervals around the zero line; None while nothing can be compared."""
    rows = [row for row in found.get("table") or [] if row["difference"]]
    return to_json(differences(rows)) if rows else None


def differences(rows: Sequence[VariantRow]) -> go.Figure:
    """Macro-F1 of every variant against none: dot and 95 % interval. Colour and mark show the outcome."""
    figure = go.Figure()
    changes = [
        (_capital(row["label"]), row["verdict"], change["macro_f1"]) for row in rows if (change := row["difference"])
    ]
    names = [name for name, _, _ in changes]
    markers = {
        "recommended": (theme.GOOD, "circle"),
        "harmful": (theme.BAD, "x"),
        "no clear effect": (theme.SLATE, "circle-open"),
        "too few seeds": (theme.SLATE, "diamond-open"),
        TOO_FEW_FLIGHTS: (theme.SLATE, "diamond-open"),
    }
    for outcome, (colour, symbol) in markers.items():
        mine = [(name, macro) for name, verdict, macro in changes if verdict == outcome]
        if not mine:
            continue
        middle = [macro["mean"] for _, macro in mine]
        reach = {
            "type": "data",
            "symmetric": False,
            "thickness": 2.5,
            "width": 0,
            "color": colour,
            "array": [_ends(macro)[1] - macro["mean"] for _, macro in mine],
            "arrayminus": [macro["mean"] - _ends(macro)[0] for _, macro in mine],
        }
        words = [" ".join(study_text.difference(macro)) for _, macro in mine]
        figure.add_trace(
            go.Scatter(
                x=middle,
                y=[name for name, _ in mine],
                mode="markers",
                error_x=reach,
                customdata=words,
                name=study_text.OUTCOMES[outcome][1],
                marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2.5, "color": colour}},
                hovertemplate="%{y}: %{customdata}<extra></extra>",
            )
        )
    ends = [end for _, _, macro in changes for end in _ends(macro)]
    far = 1.15 * max(0.02, *(abs(end) for end in ends))
    figure.add_vline(x=0, line={"color": theme.SLATE, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title_text=study_text.CHART_AXIS, range=[-far, far], tickformat="+.2f")
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return style(figure, 110 + 40 * max(len(names), 2), showlegend=True)


def _ends(macro: Mean) -> Sequence[float]:
    """An interval; of too few flights the dot itself."""
    return macro["interval"] or (macro["mean"], macro["mean"])
