"""A study as the page sees it: how far it is, what it will take, its table, its chart and its advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from core import units
from core.errors import UserError
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.runs import store
from core.runs.files import read_json
from core.runs.store import Workspace
from core.settings import Settings
from core.studies import plan as studies
from damgui import run_state, text, theme
from damgui.charts import training as charts
from damgui.components import html as parts
from damgui.run_state import RunState
from damgui.tabs.ablation import text as study_text
from damgui.text import escape

NARROW = "95\u00a0%"  # a number and its unit stay on one line


def newest(workspace: Workspace) -> RunState | None:
    """The study at work, whatever its kind, else the latest ablation."""
    latest = [found for kind in store.STUDIES if (found := run_state.latest(workspace, kind)) is not None]
    return next((one for one in latest if one.active), latest[0] if latest and latest[0].run.kind == "ablate" else None)


def latest_results(workspace: Workspace) -> tuple[store.Run, dict[str, Any]] | None:
    """The newest ablation that has a table, finished or not, and its results."""
    for run in store.list_runs(workspace, "ablate"):
        found = read_json(run.results)
        if found and found.get("table"):
            return run, found
    return None


def cell_seconds(workspace: Workspace, settings: Settings) -> float | None:
    """About how long one training takes: as in the newest study of this model, else as in its last training. Both are
    scaled by epochs; None when nothing is known."""
    for run in store.list_runs(workspace, *store.STUDIES, "train"):
        try:
            was = run.settings()
            if was.model.path != settings.model.path or was.data.path != settings.data.path:
                continue
            if run.kind == "train":
                took = (read_json(workspace.training_info(run.name)) or {}).get("seconds")
                done = store.status(run) == "finished"
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
    head, pace = parts.run_head(found), run_state.study_progress(found)
    if not found.active:
        note = parts.note(study_text.LEFT_OFF) if found.status == "stopped" else ""
        body = "" if found.status == "finished" else parts.ended(found) + note
        return f'<div class="dg-live">{head}{body}</div>'
    said = study_text.STOPPING if found.stopping else run_state.stage(found) or text.STARTING
    if pace is None:
        return f'<div class="dg-live">{head}{parts.waiting(said)}<p class="dg-stage">{escape(said)}</p></div>'
    facts = [
        ("Trainings done", f"{pace.done} of {pace.total}"),
        (text.TIME_LEFT, units.duration(pace.left_s)),
        ("So far", units.duration(pace.elapsed_s)),
    ]
    return (
        f'<div class="dg-live">{head}{parts.bar(pace.share, "Progress")}{parts.facts(facts)}'
        f'<p class="dg-stage">{escape(said)}</p>{parts.warnings(found)}</div>'
    )


def table(found: Mapping[str, Any]) -> str:
    """The rows with intervals, differences and verdicts."""
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in study_text.COLUMNS)
    return (
        f'<table class="dg-table dg-study"><thead><tr>{head}</tr></thead><tbody>'
        + "".join(_row(row) for row in found["table"])
        + f'</tbody></table><p class="dg-small">{escape(study_text.TABLE_SAYS)}</p>'
    )


def _row(row: Mapping[str, Any]) -> str:
    cells = [
        (str(len(row["seeds"])), ""),
        study_text.share(row["accuracy"]),
        study_text.share(row["balanced_accuracy"]),
        study_text.score(row["macro_f1"]),
    ]
    change = row["difference"]
    cells.append(study_text.difference(change["macro_f1"]) if change else ("–", ""))
    drawn = "".join(
        f"<td>{escape(value)}" + (f"<small>{escape(below)}</small>" if below else "") + "</td>"
        for value, below in cells
    )
    name = f'<th scope="row">{escape(row["label"][0].upper() + row["label"][1:])}</th>'
    return f'<tr data-variant="{escape(row["variant"])}">{name}{drawn}<td>{_verdict(row)}</td></tr>'


def _verdict(row: Mapping[str, Any]) -> str:
    if not row["verdict"]:
        return ""
    mark, word, tone = study_text.VERDICTS[row["verdict"]]
    return f'<span class="dg-ruling dg-r-{tone}"><i aria-hidden="true">{mark}</i>{escape(word)}</span>'


def advice(found: Mapping[str, Any]) -> str:
    """The recommendation, its last sentences first: what to do, then why."""
    told = found.get("recommendation")
    if not told:
        return ""
    why, what = _divided(told["said"])
    lines = "".join(f"<li>{escape(one.replace('95 %', NARROW))}</li>" for one in why)
    tone = "good" if told["use"] != studies.NONE else "info"
    return parts.note(" ".join(what), tone) + f'<ul class="dg-why">{lines}</ul>'


def _divided(said: Sequence[str]) -> tuple[list[str], list[str]]:
    """(reasons, what to do) of a recommendation's sentences."""
    do = [one for one in said if one.startswith(("Use ", "Switch ", "Train ", "Judge ")) or "was not measured" in one]
    return [one for one in said if one not in do], do


def chart(found: Mapping[str, Any]) -> str | None:
    """Dots with intervals around the zero line; None while nothing can be compared."""
    rows = [row for row in found.get("table") or [] if row["difference"]]
    return charts.to_json(differences(rows)) if rows else None


def differences(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Macro-F1 of every variant against none: dot and 95 % interval. Colour and mark tell the verdict."""
    figure = go.Figure()
    names = [row["label"][0].upper() + row["label"][1:] for row in rows]
    looks = {
        "recommended": (theme.condition_fill("normal"), "circle"),
        "harmful": (theme.condition_fill("damaged"), "x"),
        "no clear effect": (theme.SLATE, "circle-open"),
        "too few seeds": (theme.SLATE, "diamond-open"),
        TOO_FEW_FLIGHTS: (theme.SLATE, "diamond-open"),
    }
    for verdict, (colour, symbol) in looks.items():
        mine = [
            (name, row["difference"]["macro_f1"])
            for name, row in zip(names, rows, strict=True)
            if row["verdict"] == verdict
        ]
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
        said = [" ".join(study_text.difference(macro)) for _, macro in mine]
        figure.add_trace(
            go.Scatter(
                x=middle,
                y=[name for name, _ in mine],
                mode="markers",
                error_x=reach,
                customdata=said,
                name=study_text.VERDICTS[verdict][1],
                marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2.5, "color": colour}},
                hovertemplate="%{y}: %{customdata}<extra></extra>",
            )
        )
    ends = [end for row in rows for end in _ends(row["difference"]["macro_f1"])]
    far = 1.15 * max(0.02, *(abs(end) for end in ends))
    figure.add_vline(x=0, line={"color": theme.SLATE, "width": 1.5, "dash": "dot"})
    figure.update_xaxes(title_text=study_text.CHART_AXIS, range=[-far, far], tickformat="+.2f")
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], range=[-0.6, len(names) - 0.4])
    return charts.style(figure, 110 + 40 * max(len(names), 2), showlegend=True)


def _ends(macro: Mapping[str, Any]) -> Sequence[float]:
    """An interval; of too few flights the dot itself."""
    return macro["interval"] or (macro["mean"], macro["mean"])
