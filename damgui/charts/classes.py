"""Class by class -> figures: right answers, confusion, probabilities, before and after teaching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.taxonomy import Taxonomy
from damgui import text, theme
from damgui.charts.base import class_bars, style


def per_class(
    per_class_scores: Mapping[str, Mapping[str, Any]], taxonomy: Taxonomy, order: Sequence[str] = ()
) -> go.Figure:
    """Share of right answers for every class, with how many objects stand behind it."""
    names = [name for name in (order or per_class_scores) if per_class_scores.get(name, {}).get("total")][::-1]
    values = [100 * float(per_class_scores[name]["accuracy"]) for name in names]
    labels = [f"{per_class_scores[name]['correct']} of {per_class_scores[name]['total']}" for name in names]
    figure = go.Figure(
        class_bars(values, names, taxonomy, labels, hovertemplate="%{y}: %{x:.1f} % right (%{text})<extra></extra>")
    )
    figure.update_xaxes(title_text="Right answers (%)", range=[0, 128], tickvals=[0, 25, 50, 75, 100])
    return style(figure, 150 + 34 * max(len(names), 3), margin={"l": 8, "r": 12, "t": 8, "b": 8})


def confusion(
    labels: Sequence[str], counts: Sequence[Sequence[int]], taxonomy: Taxonomy, order: Sequence[str] = ()
) -> go.Figure:
    """Rows are the truth, columns what the model said; shade is the share of the row, the number is the count."""
    places = sorted(range(len(labels)), key=lambda i: list(order).index(labels[i]) if labels[i] in order else i)
    used = [i for i in places if sum(counts[i]) or sum(row[i] for row in counts)]
    names = [taxonomy.shown_class(labels[i]) for i in used]
    grid = [[int(counts[i][j]) for j in used] for i in used]
    shares = [[100 * n / sum(row) if sum(row) else 0 for n in row] for row in grid]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            zmin=0,
            zmax=100,
            showscale=False,
            xgap=2,
            ygap=2,
            colorscale=[[0, "rgba(47,143,201,0.07)"], [1, "rgba(11,92,138,1)"]],
            customdata=grid,
            hovertemplate="Truth: %{y}<br>Said: %{x}<br>%{customdata} objects, %{z:.0f} % of the row<extra></extra>",
        )
    )
    for row, name in enumerate(names):
        for column, other in enumerate(names):
            if grid[row][column]:
                font = {"color": "#ffffff"} if shares[row][column] > 60 else {}
                figure.add_annotation(x=other, y=name, text=str(grid[row][column]), showarrow=False, font=font)
    figure.update_xaxes(title_text="The model said", tickangle=-40, side="bottom", showgrid=False)
    figure.update_yaxes(title_text="Truth", title_standoff=14, autorange="reversed", showgrid=False)
    return style(figure, 150 + 34 * max(len(names), 3), margin={"l": 8, "r": 12, "t": 8, "b": 8})


def probabilities(answers: Sequence[tuple[str, Mapping[str, float]]], taxonomy: Taxonomy) -> go.Figure:
    """Every answer's probability, a panel for every model; `answers` is [(label, {answer: p})], from top to bottom."""
    names = list(dict.fromkeys(name for _, found in answers for name in found))[::-1]
    figure = make_subplots(
        rows=1,
        cols=max(len(answers), 1),
        shared_yaxes=True,
        horizontal_spacing=0.06,
        subplot_titles=[label for label, _ in answers] or [""],
    )
    marks = [f"{taxonomy.of_class(name).sign} {taxonomy.shown_class(name)}" for name in names]
    for column, (_, found) in enumerate(answers, start=1):
        values = [100 * found.get(name, 0.0) for name in names]
        figure.add_trace(
            class_bars(
                values,
                names,
                taxonomy,
                [f"{value:.0f} %" if value >= 0.5 else "< 1 %" for value in values],
                y=marks,
                showlegend=False,
                hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
            ),
            row=1,
            col=column,
        )
        figure.update_xaxes(title_text="Probability (%)", range=[0, 140], tickvals=[0, 50, 100], row=1, col=column)
    figure.update_annotations(font_size=14)
    return style(figure, 100 + 36 * max(len(names), 2))


def dumbbell(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    taxonomy: Taxonomy,
    order: Sequence[str] = (),
) -> go.Figure:
    """Share of right answers for every class, before and after teaching, joined by a line."""
    names = [name for name in (order or before) if before.get(name, {}).get("total")][::-1]
    old = [100 * float(before[name]["accuracy"]) for name in names]
    new = [100 * float(after.get(name, {}).get("accuracy", 0.0)) for name in names]
    names = [taxonomy.shown_class(name) for name in names]
    figure = go.Figure()
    for name, left, right in zip(names, old, new, strict=True):
        figure.add_trace(
            go.Scatter(
                x=[left, right],
                y=[name, name],
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
                line={"color": theme.WATER if right >= left else theme.CLAY, "width": 3},
            )
        )
    for label, values, marker in (
        (text.BEFORE, old, {"color": theme.SLATE, "size": 11, "symbol": "circle-open", "line": {"width": 2.5}}),
        (text.AFTER, new, {"color": theme.WATER, "size": 13, "symbol": "circle"}),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                mode="markers",
                name=label,
                marker=marker,
                hovertemplate="%{y}: %{x:.1f} % right<extra>" + label + "</extra>",
            )
        )
    figure.update_xaxes(title_text="Right answers (%)", range=[-3, 104], tickvals=[0, 25, 50, 75, 100])
    return style(figure, 100 + 34 * max(len(names), 3))
