"""A run as it learns -> figures: the loss and its running mean, tests, checkpoints. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from damgui import text, theme
from damgui.charts.base import style
from damgui.loss_series import Indices, LossCurve, drawn, drawn_since, first_redrawn
from damgui.run_state import Learning

MOST_MORE = 250  # points that are appended before the whole figure is sent again
DIGITS = 6  # of a loss on its way to the browser
Rows = Sequence[Mapping[str, Any]]


def by_step(events: Rows) -> list[Mapping[str, Any]]:
    """One event a step, in order of step: after a resume the newer one holds."""
    return [event for _, event in sorted({int(event["step"]): event for event in events}.items())]


def training(shown: Learning) -> go.Figure:
    """Loss (training raw and smoothed, validation) over scores on validation photos; checkpoints on the step axis."""
    tests = by_step(shown.evaluations)
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.07)
    x, raw, calm = points(shown.loss, drawn(shown.loss.raw))
    at = [int(event["step"]) for event in tests]
    blue = theme.WATER
    # The first two lines are those that `more` appends to.
    _line(figure, 1, text.LOSS_RAW, (x, raw), line={"color": blue, "width": 1}, opacity=0.6)
    _line(figure, 1, text.LOSS_SMOOTH, (x, calm), line={"color": blue, "width": 3.2})
    _line(figure, 1, text.LOSS_VALID, (at, [event["loss"] for event in tests]), **_dotted(theme.CLAY, "diamond"))
    for name, key, look in (
        (text.MACRO_F1, "macro_f1", _dotted(theme.PLUM, "circle")),
        (text.ACCURACY, "accuracy", _dotted(theme.SLATE, "square")),
    ):
        _line(figure, 2, name, (at, [100 * event[key] for event in tests]), **look)
    _checkpoints(figure, shown.checkpoints)
    total, top = shown.total_steps, shown.top
    figure.update_xaxes(rangemode="tozero", range=[0, total * 1.02] if total else None)
    figure.update_xaxes(title_text="Step (one update of the model)", row=2, col=1)
    figure.update_yaxes(title_text="Loss", range=[-0.05 * top, 1.02 * top], row=1, col=1)
    figure.update_yaxes(title_text="Validation (%)", range=[0, 104], tickvals=[0, 25, 50, 75, 100], row=2, col=1)
    return style(figure, 520, uirevision=shown.run, meta={"base": _base(shown)})


def more(shown: Learning, base: int) -> str | None:
    """The points that came since the figure with `base` steps was drawn, as assets/chart.js takes them.

    They take the place of those at `since` and later. None when the figure is to be drawn anew.
    """
    found = drawn_since(shown.loss, base)
    if found is None or len(found) > MOST_MORE:
        return None
    x, raw, calm = points(shown.loss, found)
    since = int(shown.loss.steps[first_redrawn(base)])
    return json.dumps({"base": _base(shown, base), "since": since, "x": x, "y": [raw, calm]}, separators=(",", ":"))


def _base(shown: Learning, steps: int | None = None) -> str:
    """Names the figure that further points belong to."""
    return f"{shown.run}-{len(shown.loss) if steps is None else steps}"


def points(curve: LossCurve, places: Indices) -> tuple[list[int], list[float | None], list[float | None]]:
    """Steps, losses and smoothed losses of these places, as JSON takes them."""
    raw, calm = (
        [None if math.isnan(value) else value for value in np.round(line[places], DIGITS).tolist()]
        for line in (curve.raw, curve.calm)
    )
    return curve.steps[places].tolist(), raw, calm


def _dotted(color: str, symbol: str) -> dict[str, Any]:
    """A line through few points, each of them marked."""
    return {"mode": "lines+markers", "line": {"color": color, "width": 2}, "marker": {"symbol": symbol, "size": 8}}


def _line(figure: go.Figure, row: int, name: str, points: tuple[list[int], list[Any]], **look: Any) -> None:
    # A point that is not there: plotly drops empty lines, their legend entries and an empty panel's axis lines.
    x, y = points if points[0] else ([None], [None])
    said = "step %{x}: %{y:.3f}" if row == 1 else "step %{x}: %{y:.1f} %"
    figure.add_trace(go.Scatter(x=x, y=y, name=name, hovertemplate=said, **{"mode": "lines", **look}), row=row, col=1)


def _checkpoints(figure: go.Figure, marks: Rows) -> None:
    """Where the model was saved: triangles on the axis of the loss, a star for the best one.

    A step may be both; a best state that a better one replaced is no more.
    """
    best = [int(mark["step"]) for mark in marks if mark.get("best")][-1:]
    plain = sorted({int(mark["step"]) for mark in marks if not mark.get("best")})
    color = theme.GOOD
    for name, at, symbol, size in ((text.CHECKPOINT, plain, "triangle-up", 9), (text.BEST, best, "star", 14)):
        marker = {"symbol": symbol, "size": size, "color": color}
        _line(figure, 1, name, (at, [0] * len(at)), mode="markers", marker=marker, cliponaxis=False)
