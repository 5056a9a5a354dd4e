"""Numbers -> plotly figures. Pure functions; colours of text and grid come from the page's CSS (assets/chart.js)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from damgui import text, theme
from damgui.markup import TEMPLATES

PLOTLY_JS = Path(plotly.__file__).resolve().parent / "package_data" / "plotly.min.js"
MAX_POINTS = 1500  # more than the pixels of a wide chart; older steps are thinned, first and last stay
SMOOTHING = 0.9  # share of the old value in the running mean of the training loss
PANELS = 9  # side by side
Rows = Sequence[Mapping[str, Any]]


def component(elem_id: str, label: str, empty: str = "", zoom: bool = False) -> gr.HTML:
    """A chart on the page: give it `to_json(figure)`, or None for the empty text. `zoom` offers tools to go closer."""
    return gr.HTML(
        value=None,
        html_template=str(TEMPLATES.macros("parts.html").plot(label, empty, zoom)),
        js_on_load=theme.script("chart"),
        head=f'<script src="gradio_api/file={PLOTLY_JS.as_posix()}"></script>',
        elem_id=elem_id,
        elem_classes="dg-chart",
        apply_default_css=False,
    )


def to_json(figure: go.Figure) -> str:
    return figure.to_json()


def style(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The one look of every chart: transparent, thin grid, no frame, legend on top."""
    clear = "rgba(0,0,0,0)"
    look: dict[str, Any] = {
        "template": None,
        "height": height,
        "paper_bgcolor": clear,
        "plot_bgcolor": clear,
        "font": {"size": 13},
        "margin": {"l": 8, "r": 12, "t": 30, "b": 8},
        "hovermode": "closest",
        "bargap": 0.28,
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "bgcolor": clear},
    }
    figure.update_layout(**{**look, **layout})
    figure.update_xaxes(automargin=True, zeroline=False, ticks="", title_font_size=13)
    figure.update_yaxes(automargin=True, zeroline=False, ticks="", title_font_size=13)
    return figure


def condition_of(class_name: str, conditions: Sequence[str] = tuple(theme.CONDITION_FILL)) -> str:
    """The condition in "toe drain blocked"; its last word where none is known."""
    for condition in conditions:
        if class_name.endswith(f" {condition}"):
            return condition
    return class_name.rsplit(" ", 1)[-1]


def _bar_look(class_names: Sequence[str]) -> dict[str, Any]:
    """Colour by condition, and a hatch as well: never colour alone."""
    shapes = {"normal": "", "blocked": "/", "damaged": "x"}
    found = [condition_of(name) for name in class_names]
    return {
        "color": [theme.condition_fill(one) for one in found],
        "pattern": {
            "shape": [shapes.get(one, ".") for one in found],
            "fillmode": "overlay",
            "fgcolor": "rgba(255,255,255,.75)",
            "size": 7,
            "solidity": 0.2,
        },
        "line": {"width": 0},
    }


def class_counts(counts: Mapping[str, Mapping[str, int]], order: Sequence[str]) -> go.Figure:
    """How many objects of every class in every split; `counts` is {split: {class: n}}, `order` from top to bottom."""
    splits = [name for name in counts if sum(counts[name].values())]
    names = [name for name in order if any(counts[split].get(name) for split in splits)][::-1]
    titles = [f"{text.SPLIT_WORDS.get(split, split)} · {sum(counts[split].values()):,} objects" for split in splits]
    figure = make_subplots(
        rows=1, cols=max(len(splits), 1), shared_yaxes=True, subplot_titles=titles or [""], horizontal_spacing=0.03
    )
    for column, split in enumerate(splits, start=1):
        values = [counts[split].get(name, 0) for name in names]
        figure.add_trace(
            go.Bar(
                x=values,
                y=names,
                orientation="h",
                marker=_bar_look(names),
                text=values,
                textposition="outside",
                cliponaxis=False,
                showlegend=False,
                name=split,
                hovertemplate="%{y}: %{x} objects<extra></extra>",
            ),
            row=1,
            col=column,
        )
        most = max([*values, 1])
        figure.update_xaxes(
            title_text="Objects",
            range=[0, 1.18 * most],
            row=1,
            col=column,
            nticks=5,
            rangemode="tozero",
            dtick=1 if most < 5 else None,  # no halves of objects
        )
    figure.update_annotations(font_size=14)
    return style(figure, 110 + 30 * max(len(names), 3))


def per_class(per_class_scores: Mapping[str, Mapping[str, Any]], order: Sequence[str] = ()) -> go.Figure:
    """Share of right answers for every class, with how many objects stand behind it."""
    names = [name for name in (order or per_class_scores) if per_class_scores.get(name, {}).get("total")][::-1]
    values = [100 * float(per_class_scores[name]["accuracy"]) for name in names]
    labels = [f"{per_class_scores[name]['correct']} of {per_class_scores[name]['total']}" for name in names]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker=_bar_look(names),
            text=labels,
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} % right (%{text})<extra></extra>",
        )
    )
    figure.update_xaxes(title_text="Right answers (%)", range=[0, 128], tickvals=[0, 25, 50, 75, 100])
    return style(figure, 150 + 34 * max(len(names), 3), margin={"l": 8, "r": 12, "t": 8, "b": 8})


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]], order: Sequence[str] = ()) -> go.Figure:
    """Rows are the truth, columns what the model said; shade is the share of the row, the number is the count."""
    places = sorted(range(len(labels)), key=lambda i: list(order).index(labels[i]) if labels[i] in order else i)
    used = [i for i in places if sum(counts[i]) or sum(row[i] for row in counts)]
    names = [labels[i] for i in used]
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


def probabilities(answers: Sequence[tuple[str, Mapping[str, float]]]) -> go.Figure:
    """Every answer's probability, a panel for every model; `answers` is [(label, {answer: p})], from top to bottom."""
    names = list(dict.fromkeys(name for _, found in answers for name in found))[::-1]
    figure = make_subplots(
        rows=1,
        cols=max(len(answers), 1),
        shared_yaxes=True,
        horizontal_spacing=0.06,
        subplot_titles=[label for label, _ in answers] or [""],
    )
    marks = [f"{theme.condition_mark(condition_of(' ' + name))} {name}" for name in names]
    for column, (_, found) in enumerate(answers, start=1):
        values = [100 * found.get(name, 0.0) for name in names]
        figure.add_trace(
            go.Bar(
                x=values,
                y=marks,
                orientation="h",
                marker=_bar_look([f" {name}" for name in names]),
                showlegend=False,
                text=[f"{value:.0f} %" if value >= 0.5 else "< 1 %" for value in values],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
            ),
            row=1,
            col=column,
        )
        figure.update_xaxes(title_text="Probability (%)", range=[0, 140], tickvals=[0, 50, 100], row=1, col=column)
    figure.update_annotations(font_size=14)
    return style(figure, 100 + 36 * max(len(names), 2))


def dumbbell(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], order: Sequence[str] = ()
) -> go.Figure:
    """Share of right answers for every class, before and after teaching, joined by a line."""
    names = [name for name in (order or before) if before.get(name, {}).get("total")][::-1]
    old = [100 * float(before[name]["accuracy"]) for name in names]
    new = [100 * float(after.get(name, {}).get("accuracy", 0.0)) for name in names]
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
    for label, values, look in (
        (text.BEFORE, old, {"color": theme.SLATE, "size": 11, "symbol": "circle-open", "line": {"width": 2.5}}),
        (text.AFTER, new, {"color": theme.WATER, "size": 13, "symbol": "circle"}),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=names,
                mode="markers",
                name=label,
                marker=look,
                hovertemplate="%{y}: %{x:.1f} % right<extra>" + label + "</extra>",
            )
        )
    figure.update_xaxes(title_text="Right answers (%)", range=[-3, 104], tickvals=[0, 25, 50, 75, 100])
    return style(figure, 100 + 34 * max(len(names), 3))


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


# -- Where things lie ------------------------------------------------------------------------------------------------
def heights(found: Mapping[str, Mapping[str, Any]], order: Sequence[str]) -> go.Figure:
    """How high the boxes of every class lie: a panel for each, drawn as the photo is, its top at the top.

    `found` is {class: {"bins": objects in each tenth of the height from the top, "mean", "objects"}}.
    """
    names = [name for name in order if name in found] or list(found)
    across = min(max(len(names), 1), PANELS)
    rows = -(-max(len(names), 1) // across)
    titles = [f"{_broken(name)}<br>{found[name]['objects']:,} objects" for name in names]
    figure = make_subplots(
        rows=rows,
        cols=across,
        shared_yaxes=True,
        horizontal_spacing=0.014,
        vertical_spacing=0.3 / rows,
        subplot_titles=titles or [""],
    )
    for place, name in enumerate(names):
        bins, total = found[name]["bins"], max(found[name]["objects"], 1)
        shares, look = [100 * count / total for count in bins], _bar_look([name])
        at = {"row": place // across + 1, "col": place % across + 1}
        middles = [(step + 0.5) * 100 / len(bins) for step in range(len(bins))]
        marker = {"color": look["color"][0], "pattern": {**look["pattern"], "shape": look["pattern"]["shape"][0]}}
        said = "%{y:.0f} % below the top: %{x:.0f} % of the boxes<extra>" + name + "</extra>"
        figure.add_trace(
            go.Bar(
                x=shares,
                y=middles,
                orientation="h",
                width=9.0,
                marker=marker,
                showlegend=False,
                name=name,
                hovertemplate=said,
            ),
            **at,
        )
        most = max([*shares, 1])
        # One number is enough to read the bars by, and two would run into the neighbour's.
        mark = next((step for step in (50, 20, 10, 5, 2) if step <= 0.8 * most), 1)
        figure.update_xaxes(range=[0, 1.05 * most], tickvals=[mark], ticktext=[f"{mark} %"], **at)
    figure.update_yaxes(range=[100, 0], tickvals=[0, 50, 100], ticktext=["Top", "Middle", "Bottom"])
    figure.update_annotations(font_size=13)
    return style(figure, 90 + 250 * rows, margin={"l": 8, "r": 12, "t": 74, "b": 8}, bargap=0)


def _broken(name: str) -> str:
    """A class name in two lines: its object type, its condition."""
    head, _, tail = name.rpartition(" ")
    return f"{head}<br>{tail}" if head else tail
