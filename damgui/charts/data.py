"""What is in the photos -> figures: how many objects of every class, and how high they lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from core.taxonomy import Taxonomy
from damgui import text
from damgui.charts.base import bar_marker, class_bars, style

PANELS = 9  # side by side


def counts_by_split(counts: Mapping[str, Mapping[str, int]], taxonomy: Taxonomy) -> go.Figure:
    """How many objects of every class in every split; `counts` is {split: {class: n}}."""
    splits = [name for name in counts if sum(counts[name].values())]
    names = [name for name in taxonomy.class_names if any(counts[split].get(name) for split in splits)][::-1]
    titles = [f"{text.split_name(split)} · {sum(counts[split].values()):,} objects" for split in splits]
    figure = make_subplots(
        rows=1, cols=max(len(splits), 1), shared_yaxes=True, subplot_titles=titles or [""], horizontal_spacing=0.03
    )
    for column, split in enumerate(splits, start=1):
        values = [counts[split].get(name, 0) for name in names]
        figure.add_trace(
            class_bars(
                values,
                names,
                taxonomy,
                [str(value) for value in values],
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


def heights(found: Mapping[str, Mapping[str, Any]], taxonomy: Taxonomy) -> go.Figure:
    """How high the boxes of every class lie: a panel for each, drawn as the photo is, its top at the top.

    `found` is {class: {"bins": objects in each tenth of the height from the top, "mean", "objects"}}.
    """
    names = [name for name in taxonomy.class_names if name in found] or list(found)
    across = min(max(len(names), 1), PANELS)
    rows = -(-max(len(names), 1) // across)
    titles = [f"{_broken(name, taxonomy)}<br>{found[name]['objects']:,} objects" for name in names]
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
        shares, fill = [100 * count / total for count in bins], bar_marker([name], taxonomy)
        at = {"row": place // across + 1, "col": place % across + 1}
        middles = [(step + 0.5) * 100 / len(bins) for step in range(len(bins))]
        marker = {"color": fill["color"][0], "pattern": {**fill["pattern"], "shape": fill["pattern"]["shape"][0]}}
        hover = "%{y:.0f} % below the top: %{x:.0f} % of the boxes<extra>" + taxonomy.shown_class(name) + "</extra>"
        figure.add_trace(
            go.Bar(
                x=shares,
                y=middles,
                orientation="h",
                width=9.0,
                marker=marker,
                showlegend=False,
                name=taxonomy.shown_class(name),
                hovertemplate=hover,
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


def _broken(name: str, taxonomy: Taxonomy) -> str:
    """A class name in two lines: its object type, its condition."""
    head, condition = taxonomy.split_class(name)
    tail = taxonomy.shown(head, condition).name
    return f"{head}<br>{tail}" if head else tail
