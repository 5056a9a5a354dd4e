"""A run as it learns -> figures: the loss and its running mean, tests, checkpoints. Pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from plotly.subplots import make_subplots

from core.records import Evaluated, Saved
from damgui import text, theme
from damgui.charts.base import style
from damgui.loss_series import Indices, LossCurve, drawn, drawn_since, first_redrawn
from damgui.run_state import Learning

MOST_MORE = 250  # points that are appended before the whole figure is sent again
DIGITS = 6  # of a loss on its way to the browser


def by_step(events: Sequence[Evaluated]) -> list[Evaluated]:
    """One test a step, in order of step: after a resume the newer one holds."""
    return [event for _, event in sorted({int(event["step"]): event for event in events}.items())]


def training(shown: Learning) -> dict[str, Any]:
    """Loss (training raw and smoothed, validation) over scores on validation photos; checkpoints on the step axis.

    A figure as plotly's JSON has it, not a `go.Figure`: this one is drawn while a model learns, and plotly's checks
    would take a hundred times as long. The tests let plotly check it.
    """
    tests = by_step(shown.evaluations)
    x, raw, smoothed = points(shown.loss, drawn(shown.loss.raw))
    at = [int(event["step"]) for event in tests]
    blue = theme.WATER
    lines = [
        # The first two are those that `more` appends to.
        _line(1, text.LOSS_RAW, (x, raw), line={"color": blue, "width": 1}, opacity=0.6),
        _line(1, text.LOSS_SMOOTH, (x, smoothed), line={"color": blue, "width": 3.2}),
        _line(1, text.LOSS_VALID, (at, [event["loss"] for event in tests]), **_dotted(theme.CLAY, "diamond")),
        _line(2, text.MACRO_F1, (at, [100 * test["macro_f1"] for test in tests]), **_dotted(theme.PLUM, "circle")),
        _line(2, text.ACCURACY, (at, [100 * test["accuracy"] for test in tests]), **_dotted(theme.SLATE, "square")),
        *_checkpoints(shown.checkpoints),
    ]
    layout = {**_layout(), "uirevision": shown.run, "meta": {"base": _base(shown)}}
    if shown.total_steps:
        for axis in ("xaxis", "xaxis2"):
            layout[axis] = {**layout[axis], **_spans(0, shown.total_steps * 1.02)}
    layout["yaxis"] = {**layout["yaxis"], **_spans(-0.05 * shown.top, 1.02 * shown.top)}
    return {"data": lines, "layout": layout}


def _spans(low: float, high: float) -> dict[str, Any]:
    """An axis from low to high until somebody zooms.

    Not `range`: a range that differs from the last one takes a zoom back, and this one grows with the loss.
    """
    return {"autorange": True, "autorangeoptions": {"include": [low, high], "clipmin": low, "clipmax": high}}


@cache
def _layout() -> dict[str, Any]:
    """Both panels with their axes: all that does not depend on the run."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.62, 0.38], vertical_spacing=0.07)
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title_text="Step (one update of the model)", row=2, col=1)
    figure.update_yaxes(title_text="Loss", row=1, col=1)
    figure.update_yaxes(title_text="Validation (%)", range=[0, 104], tickvals=[0, 25, 50, 75, 100], row=2, col=1)
    found: dict[str, Any] = style(figure, 520).to_plotly_json()["layout"]
    return found


def more(shown: Learning, base: int) -> str | None:
    """The points that came since the figure with `base` steps was drawn, as assets/chart.js takes them.

    They take the place of those at `since` and later. None when the figure is to be drawn anew.
    """
    found = drawn_since(shown.loss, base)
    if found is None or len(found) > MOST_MORE or not np.isfinite(shown.loss.raw[:base]).any():
        return None  # without any loss drawn, the legend does not list it yet
    x, raw, smoothed = points(shown.loss, found)
    since = int(shown.loss.steps[first_redrawn(base)])
    return json.dumps({"base": _base(shown, base), "since": since, "x": x, "y": [raw, smoothed]}, separators=(",", ":"))


def _base(shown: Learning, steps: int | None = None) -> str:
    """Names the figure that further points belong to."""
    return f"{shown.run}-{len(shown.loss) if steps is None else steps}"


def points(curve: LossCurve, places: Indices) -> tuple[list[int], list[float | None], list[float | None]]:
    """Steps, losses and smoothed losses of these places, as JSON takes them."""
    raw, smoothed = (
        [None if math.isnan(value) else value for value in np.round(line[places], DIGITS).tolist()]
        for line in (curve.raw, curve.smoothed)
    )
    return curve.steps[places].tolist(), raw, smoothed


def _dotted(color: str, symbol: str) -> dict[str, Any]:
    """A line through few points, each of them marked."""
    return {"mode": "lines+markers", "line": {"color": color, "width": 2}, "marker": {"symbol": symbol, "size": 8}}


def _line(row: int, name: str, points: tuple[list[int], list[Any]], **extra: Any) -> dict[str, Any]:
    # A point that is not there: plotly drops empty lines, and an empty panel's axis lines with them.
    x, y = points if points[0] else ([None], [None])
    listed = any(value is not None for value in y)
    hover = "step %{x}: %{y:.3f}" if row == 1 else "step %{x}: %{y:.1f} %"
    axes = {"xaxis": "x", "yaxis": "y"} if row == 1 else {"xaxis": "x2", "yaxis": "y2"}
    about = {"name": name, "showlegend": listed, "hovertemplate": hover}
    return {"type": "scatter", "x": x, "y": y, **about, **axes, "mode": "lines", **extra}


def _checkpoints(marks: Sequence[Saved]) -> list[dict[str, Any]]:
    """Where the model was saved: triangles on the axis of the loss, a star for the best one.

    A step may be both; a best state that a better one replaced is no more.
    """
    best = [int(mark["step"]) for mark in marks if mark.get("best")][-1:]
    plain = sorted({int(mark["step"]) for mark in marks if not mark.get("best")})
    return [
        _line(
            1,
            name,
            (at, [0] * len(at)),
            mode="markers",
            marker={"symbol": symbol, "size": size, "color": theme.GOOD},
            cliponaxis=False,
        )
        for name, at, symbol, size in (
            (text.CHECKPOINT, plain, "triangle-up", 9),
            (text.BEST, best, "star", 14),
        )
    ]
