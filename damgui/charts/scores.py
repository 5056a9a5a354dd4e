"""Scores -> figures: what a model must beat, how far its percentages hold, several trainings in one chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from damgui import text, theme
from damgui.charts.base import style
from damgui.charts.training import by_step, points
from damgui.loss_series import drawn
from damgui.run_state import Learning

# Told apart by dash as well as by colour: never colour alone.
CURVES = (
    (theme.WATER, "solid"),
    (theme.CLAY, "dash"),
    (theme.PLUM, "dot"),
    (theme.SLATE, "dashdot"),
    (theme.GOOD, "longdash"),
    (theme.WARN, "solid"),
)
MOST_CURVES = len(CURVES)
ROW_PX = 30


@dataclass(frozen=True)
class ForestRow:
    """A measured number with its interval (None: not known); `own` marks the model that is spoken of."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    own: bool = False


def forest(
    panels: Sequence[tuple[str, Sequence[ForestRow]]], scale: tuple[float, float] = (0, 100), row_px: int = ROW_PX
) -> go.Figure:
    """Dots with intervals, a line each, from top to bottom; a panel for every (axis title, dots). All values in %.

    The model's own interval is a band over the whole panel, so that overlap is seen at a glance.
    """
    figure = make_subplots(rows=1, cols=max(len(panels), 1), shared_yaxes=True, horizontal_spacing=0.05)
    names = list(dict.fromkeys(dot.label for _, dots in panels for dot in dots))[::-1]
    for column, (title, dots) in enumerate(panels, start=1):
        for dot in dots:
            figure.add_trace(_dot(dot), row=1, col=column)
        for low, high in [dot.interval for dot in dots if dot.own and dot.interval]:
            figure.add_vrect(
                x0=low, x1=high, fillcolor=theme.WATER, opacity=0.16, line_width=0, layer="below", row=1, col=column
            )
        figure.update_xaxes(title_text=title, range=_padded(scale), row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=names, range=[-0.6, len(names) - 0.4])
    return style(figure, 74 + row_px * max(len(names), 2), showlegend=False, margin={"l": 8, "r": 12, "t": 6, "b": 8})


def _dot(dot: ForestRow) -> go.Scatter:
    low, high = dot.interval or (dot.value, dot.value)
    span = f", 95 % interval {low:.1f} – {high:.1f}" if dot.interval else ""
    color = theme.WATER if dot.own else theme.SLATE
    return go.Scatter(
        x=[dot.value],
        y=[dot.label],
        mode="markers",
        name=dot.label,
        marker={"size": 13 if dot.own else 10, "color": color, "symbol": "circle" if dot.own else "diamond"},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - dot.value],
            "arrayminus": [dot.value - low],
            "color": color,
            "thickness": 2.5 if dot.own else 1.8,
            "width": 4,
        },
        hovertemplate=f"%{{y}}: %{{x:.1f}}{span}<extra></extra>",
    )


def _padded(scale: tuple[float, float]) -> list[float]:
    margin = 0.03 * (scale[1] - scale[0])
    return [scale[0] - margin, scale[1] + margin]


def differences(dots: Sequence[ForestRow]) -> go.Figure:
    """Changes in points with their intervals around a line at 0, on one scale that holds them all."""
    ends = [abs(end) for dot in dots for end in (dot.value, *(dot.interval or ()))]
    reach = 5 * (int(max([*ends, 5.0]) / 5) + 1)
    figure = forest(
        [(text.CHANGE_AXIS, [ForestRow(row.label, row.value, row.interval) for row in dots])],
        (-reach, reach),
        row_px=44,
    )
    for trace, dot in zip(figure.data, dots, strict=True):
        low, high = dot.interval or (0.0, 0.0)
        color = theme.SLATE if low <= 0 <= high else theme.WATER if low > 0 else theme.CLAY
        trace.update(marker={"color": color, "symbol": "circle", "size": 12}, error_x={"color": color})
    figure.add_vline(x=0, line={"color": theme.SLATE, "width": 1.5, "dash": "dot"})
    return figure


def reliability(sides: Sequence[tuple[str, Mapping[str, Any]]]) -> go.Figure:
    """How often answers were right against how sure they were, over how many objects stand behind each dot.

    `sides` is [(label, {"reliability": [{low, high, count, confidence, accuracy}, …]})]: raw, and calibrated if any.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.06)
    diagonal = {"color": theme.SLATE, "width": 1.5, "dash": "dash"}
    figure.add_trace(
        go.Scatter(x=[0, 100], y=[0, 100], mode="lines", line=diagonal, hoverinfo="skip", showlegend=False), 1, 1
    )
    markers = ((theme.SLATE, "circle-open"), (theme.WATER, "circle")) if len(sides) > 1 else ((theme.WATER, "circle"),)
    for (label, about), (color, symbol) in zip(sides, markers, strict=False):
        bins = [entry for entry in about.get("reliability") or [] if entry.get("count")]
        sure = [100 * entry["confidence"] for entry in bins]
        right, counts = [100 * entry["accuracy"] for entry in bins], [entry["count"] for entry in bins]
        marker = {"color": color, "symbol": symbol, "size": 11, "line": {"width": 2.5, "color": color}}
        figure.add_trace(
            go.Scatter(
                x=sure,
                y=right,
                name=label,
                showlegend=bool(bins),
                mode="lines+markers",
                marker=marker,
                customdata=counts,
                line={"color": color, "width": 1.5},
                hovertemplate="%{x:.0f} % sure, %{y:.0f} % right, %{customdata} objects<extra>" + label + "</extra>",
            ),
            1,
            1,
        )
        middles = [50 * (entry["low"] + entry["high"]) for entry in bins]
        figure.add_trace(
            go.Bar(
                x=middles,
                y=counts,
                name=label,
                showlegend=False,
                marker={"color": color},
                text=counts,
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y} objects<extra>" + label + "</extra>",
            ),
            2,
            1,
        )
    figure.update_xaxes(range=[-3, 103], tickvals=[0, 25, 50, 75, 100])
    figure.update_xaxes(title_text=text.CONFIDENCE, row=2, col=1)
    figure.update_yaxes(title_text=text.RIGHT_SHARE, range=[-4, 106], tickvals=[0, 25, 50, 75, 100], row=1, col=1)
    figure.update_yaxes(title_text=text.OBJECTS, rangemode="tozero", nticks=4, row=2, col=1)
    return style(figure, 420, barmode="group", bargap=0.15)


def learning(runs: Sequence[tuple[str, Learning]]) -> go.Figure:
    """Several trainings in one chart: smoothed training loss over validation macro-F1; `runs` is [(name, learning)]."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.55, 0.45], vertical_spacing=0.07)
    for (name, shown), (color, dash) in zip(runs, CURVES, strict=False):
        tests = by_step(shown.evaluations)
        x, _, smoothed = points(shown.loss, drawn(shown.loss.smoothed))
        line = {"color": color, "width": 2.4, "dash": dash}
        figure.add_trace(
            go.Scatter(
                x=x,
                y=smoothed,
                mode="lines",
                line=line,
                name=name,
                legendgroup=name,
                showlegend=bool(x),
                hovertemplate="step %{x}: %{y:.3f}<extra>" + escape(name) + "</extra>",
            ),
            1,
            1,
        )
        figure.add_trace(
            go.Scatter(
                x=[int(event["step"]) for event in tests],
                y=[100 * event["macro_f1"] for event in tests],
                mode="lines+markers",
                line=line,
                marker={"size": 7},
                name=name,
                legendgroup=name,
                showlegend=False,
                hovertemplate="step %{x}: %{y:.1f} %<extra>" + escape(name) + "</extra>",
            ),
            2,
            1,
        )
    figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(title_text="Step (one update of the model)", row=2, col=1)
    figure.update_yaxes(title_text=text.SMOOTHED_LOSS, rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title_text=text.VALID_F1, range=[0, 104], tickvals=[0, 25, 50, 75, 100], row=2, col=1)
    return style(figure, 460)
