"""What every chart shares: its place on the page, its one style, and bars that differ without colour too.

Figures are pure functions of numbers; colours of text and grid come from the page's CSS (assets/chart.js).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import plotly
import plotly.graph_objects as go

from core.taxonomy import Taxonomy
from damgui import theme
from damgui.markup import TEMPLATES

PLOTLY_JS = Path(plotly.__file__).resolve().parent / "package_data" / "plotly.min.js"
# A bar's hatch by its condition's mark.
HATCHES = {
    "disc": "",
    "triangle": "/",
    "cross": "x",
    "square": "-",
    "diamond": ".",
    "wedge": "\\",
    "bar": "|",
    "pointer": "+",
}


def plot_component(elem_id: str, label: str, empty: str = "", zoom: bool = False) -> gr.HTML:
    """A chart on the page: give it `to_json(figure)`, or None for the empty text. `zoom` offers tools to go closer.

    Its property `more` takes points that are appended to the figure (see `charts.training.more`).
    """
    return gr.HTML(
        value=None,
        more=None,
        html_template=str(TEMPLATES.macros("parts.html").plot(label, empty, zoom)),
        js_on_load=theme.script("chart"),
        head=f'<script src="gradio_api/file={PLOTLY_JS.as_posix()}"></script>',
        elem_id=elem_id,
        elem_classes="dg-chart",
        apply_default_css=False,
    )


def to_json(figure: go.Figure) -> str:
    return str(figure.to_json())


def style(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The one style of every chart: transparent, thin grid, no frame, legend on top."""
    clear = "rgba(0,0,0,0)"
    defaults: dict[str, Any] = {
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
    figure.update_layout(**{**defaults, **layout})
    figure.update_xaxes(automargin=True, zeroline=False, ticks="", title_font_size=13)
    figure.update_yaxes(automargin=True, zeroline=False, ticks="", title_font_size=13)
    return figure


def class_bars(
    values: Sequence[float], class_names: Sequence[str], taxonomy: Taxonomy, labels: Sequence[str], **overrides: Any
) -> go.Bar:
    """A lying bar for every class, from the lowest to the topmost, with its label at its end."""
    return go.Bar(
        **{
            "x": values,
            "y": [taxonomy.shown_class(name) for name in class_names],
            "orientation": "h",
            "marker": bar_marker(class_names, taxonomy),
            "text": labels,
            "textposition": "outside",
            "cliponaxis": False,
            **overrides,
        }
    )


def bar_marker(class_names: Sequence[str], taxonomy: Taxonomy) -> dict[str, Any]:
    """Colour by condition, and a hatch as well: never colour alone."""
    found = [taxonomy.of_class(name) for name in class_names]
    return {
        "color": [condition.colour for condition in found],
        "pattern": {
            "shape": [HATCHES[condition.mark] for condition in found],
            "fillmode": "overlay",
            "fgcolor": "rgba(255,255,255,.75)",
            "size": 7,
            "solidity": 0.2,
        },
        "line": {"width": 0},
    }
