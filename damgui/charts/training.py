"""A training as it learns -> a figure, and what charts of training share: smoothing, thinning, one event a step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from damgui import text, theme
from damgui.charts.base import style

MAX_POINTS = 1500  # more than the pixels of a wide chart; older steps are thinned, first and last stay
SMOOTHING = 0.9  # share of the old value in the running mean of the training loss
Rows = Sequence[Mapping[str, Any]]


def smoothed(values: Sequence[float], keep: float = SMOOTHING) -> list[float]:
    """Running mean without the pull of its start: exponentially weighted, divided by the weights so far."""
    result, mean, weight = [], 0.0, 0.0
    for value in values:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + (1 - keep)
        result.append(mean / weight)
    return result


def thinned(points: Sequence[Any], most: int = MAX_POINTS) -> list[Any]:
    """At most about `most` of the points, evenly, the last one always among them."""
    stride = max(1, -(-len(points) // most))
    return list(points[::-1][::stride][::-1])


def by_step(events: Rows) -> list[Mapping[str, Any]]:
    """One event a step, in order of step: after a resume the newer one holds."""
    return [event for _, event in sorted({int(event["step"]): event for event in events}.items())]


def training(events: Rows, revision: str) -> go.Figure:
    """Loss (training raw and smoothed, validation) over scores on validation photos; checkpoints on the step axis.

    `revision` names the run: while it stays the same the reader's zoom is kept.
    """
    steps = by_step([event for event in events if event["kind"] == "step"])
    tests = by_step([event for event in events if event["kind"] == "evaluation"])
    marks = [event for event in events if event["kind"] == "checkpoint"]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.07)
    even = [float(event["loss"]) for event in steps]
    drawn = thinned(list(zip([int(event["step"]) for event in steps], even, smoothed(even), strict=True)))
    x, raw, calm = [list(column) for column in zip(*drawn, strict=True)] if drawn else ([], [], [])
    at = [int(event["step"]) for event in tests]
    blue = theme.WATER
    _line(figure, 1, text.LOSS_RAW, (x, raw), line={"color": blue, "width": 1}, opacity=0.6)
    _line(figure, 1, text.LOSS_SMOOTH, (x, calm), line={"color": blue, "width": 3.2})
    _line(figure, 1, text.LOSS_VALID, (at, [event["loss"] for event in tests]), **_dotted(theme.CLAY, "diamond"))
    for name, key, look in (
        (text.MACRO_F1, "macro_f1", _dotted(theme.PLUM, "circle")),
        (text.ACCURACY, "accuracy", _dotted(theme.SLATE, "square")),
    ):
        _line(figure, 2, name, (at, [100 * event[key] for event in tests]), **look)
    _checkpoints(figure, marks)
    total = next((int(event["total_steps"]) for event in reversed(events) if event.get("total_steps")), 0)
    figure.update_xaxes(rangemode="tozero", range=[0, total * 1.02] if total else None)
    figure.update_xaxes(title_text="Step (one update of the model)", row=2, col=1)
    # In steps of a half: a range that changed with every step would take the reader's zoom away.
    top = math.ceil(2 * max([*even, *(float(event["loss"]) for event in tests), 0.1])) / 2
    figure.update_yaxes(title_text="Loss", range=[-0.05 * top, 1.02 * top], row=1, col=1)
    figure.update_yaxes(title_text="Validation (%)", range=[0, 104], tickvals=[0, 25, 50, 75, 100], row=2, col=1)
    return style(figure, 520, uirevision=revision)


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
    color = theme.condition_fill("normal")
    for name, at, symbol, size in ((text.CHECKPOINT, plain, "triangle-up", 9), (text.BEST, best, "star", 14)):
        marker = {"symbol": symbol, "size": size, "color": color}
        _line(figure, 1, name, (at, [0] * len(at)), mode="markers", marker=marker, cliponaxis=False)
