"""Charts of a report as small SVG texts: pure functions of numbers, black on white, for screen and paper.

They are no templates: nearly all of such a text is coordinates that arithmetic makes. Words in them are escaped here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from core.taxonomy import Taxonomy
from core.units import percent

INK, MUTED, GRID, MAIN = "#16222e", "#4d5b69", "#d8dfe6", "#0b5c8a"
WIDE = 720  # units of the view box; the page scales it
TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Dot:
    """A share (0 to 1) with its 95 % interval, where it has one; `main` is drawn in full, the others hollow."""

    label: str
    value: float
    interval: Sequence[float] | None = None
    main: bool = False


def _svg(high: float, body: str, title: str, wide: float = WIDE) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {wide:g} {high:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, style: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" {style}/>'


def _axis(left: float, right: float, top: float, bottom: float) -> str:
    """Vertical grid lines of a scale from 0 to 100 %."""
    lines = []
    for tick in TICKS:
        x = left + tick * (right - left)
        lines.append(_line(x, top, x, bottom, GRID))
        lines.append(_text(x, bottom + 15, percent(tick, 0), f'text-anchor="middle" fill="{MUTED}" font-size="11"'))
    return "".join(lines)


def interval_dots(dots: Sequence[Dot], title: str) -> Markup:
    """Scores one under the other, each a dot with its interval as a line; the first main one's interval is a band.

    Args:
        dots: from top to bottom.
        title: read out where the picture cannot be seen.
    """
    left, right, step, top = 276.0, WIDE - 70.0, 28.0, 10.0
    bottom = top + step * len(dots)
    across = right - left
    body = ""
    main = next((dot for dot in dots if dot.main and dot.interval), None)
    if main and main.interval:
        low, high = main.interval
        body += (
            f'<rect x="{left + low * across:.1f}" y="{top:.1f}" width="{(high - low) * across:.1f}" '
            f'height="{bottom - top:.1f}" fill="#e3eef6"/>'
        )
    body += _axis(left, right, top, bottom)
    for number, dot in enumerate(dots):
        y = top + step * (number + 0.5)
        colour = MAIN if dot.main else MUTED
        if dot.interval:
            low, high = (left + end * across for end in dot.interval)
            body += _line(low, y, high, y, colour, 'stroke-width="2.5" stroke-linecap="round"')
        body += (
            f'<circle cx="{left + dot.value * across:.1f}" cy="{y:.1f}" r="5.5" stroke="{colour}" '
            f'stroke-width="2" fill="{colour if dot.main else "#fff"}"/>'
        )
        weight = ' font-weight="650"' if dot.main else ""
        body += _text(left - 12, y + 4, dot.label, f'text-anchor="end"{weight}')
        body += _text(right + 10, y + 4, percent(dot.value), weight.strip())
    return _svg(bottom + 24, body, title)


def class_bars(per_class: Mapping[str, Mapping[str, Any]], names: Sequence[str], taxonomy: Taxonomy) -> Markup:
    """The recall of every class, in its condition's colour and with its mark.

    Args:
        per_class: of the results: {class: {"recall", "recall_interval", "correct", "total"}}.
        names: the classes to draw, from top to bottom.
        taxonomy: gives colours and marks.
    """
    left, right, step, top = 250.0, WIDE - 170.0, 28.0, 6.0
    bottom = top + step * len(names)
    across = right - left
    body = _axis(left, right, top, bottom)
    for number, name in enumerate(names):
        found, y = per_class[name], top + step * number
        share = float(found.get("recall") or 0.0)
        condition = taxonomy.of_class(name)
        body += (
            f'<rect x="{left:.1f}" y="{y + 5:.1f}" width="{max(share * across, 1):.1f}" height="18" rx="2" '
            f'fill="{condition.colour}"/>'
        )
        if ends := found.get("recall_interval"):
            low, high = (left + end * across for end in ends)
            body += _line(low, y + 14, high, y + 14, INK, 'stroke-width="1.6"')
            body += "".join(_line(x, y + 10, x, y + 18, INK, 'stroke-width="1.6"') for x in (low, high))
        body += _text(left - 12, y + 18, f"{condition.sign} {taxonomy.shown_class(name)}", 'text-anchor="end"')
        body += _text(right + 12, y + 18, f"{percent(share, 0)}, {found['correct']} of {found['total']}")
    return _svg(bottom + 24, body, "Share found of every class")


def confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """A confusion matrix: shade is the share of the row, the diagonal (right) is framed.

    Args:
        labels: of rows and columns.
        counts: of the truth (rows) against the answers (columns).
    """
    left, top, cell = 190.0, 8.0, min(58.0, (WIDE - 200.0) / max(len(labels), 1))
    high = top + min(cell, 30.0) * len(labels)
    down = min(cell, 30.0)
    body = ""
    for row, name in enumerate(labels):
        total = sum(counts[row])
        y = top + row * down
        body += _text(left - 10, y + down / 2 + 4, name, 'text-anchor="end" font-size="12"')
        for column, count in enumerate(counts[row]):
            share = count / total if total else 0.0
            x = left + column * cell
            frame = f'stroke="{INK}" stroke-width="1.4"' if row == column else f'stroke="{GRID}"'
            body += (
                f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{cell - 2:.1f}" height="{down - 2:.1f}" '
                f'fill="{MAIN}" fill-opacity="{share * 0.9:.2f}" {frame} stroke-opacity=".8"/>'
            )
            if count:
                ink = "#fff" if share > 0.55 else INK
                style = f'text-anchor="middle" font-size="12" fill="{ink}"'
                body += _text(x + cell / 2, y + down / 2 + 4, str(count), style)
    for column, name in enumerate(labels):
        x = left + (column + 0.5) * cell
        style = f'text-anchor="end" font-size="12" transform="rotate(-38 {x:.1f} {high + 14:.1f})"'
        body += _text(x + 4, high + 14, name, style)
    wide = max((len(name) for name in labels), default=0) * 6.2
    style = f'fill="{MUTED}" font-size="11" text-anchor="middle"'
    body += _text(left + len(labels) * cell / 2, high + wide * 0.62 + 34, "answered", style)
    body += _text(12, (top + high) / 2, "true", style + f' transform="rotate(-90 12 {(top + high) / 2:.1f})"')
    return _svg(high + wide * 0.62 + 42, body, "What was true (rows) against what was answered (columns)")


def reliability(bins: Sequence[Mapping[str, Any]], title: str) -> Markup:
    """A reliability diagram: confidence (x) against accuracy (y); a dot's area is its number of objects.

    Args:
        bins: {"count", "confidence", "accuracy"} each, shares 0 to 1.
        title: read out where the picture cannot be seen.
    """
    side, left, top = 250.0, 52.0, 14.0
    bottom = top + side
    body = ""
    for tick in TICKS:
        x, y = left + tick * side, bottom - tick * side
        body += _line(x, top, x, bottom, GRID) + _line(left, y, left + side, y, GRID)
        body += _text(x, bottom + 15, percent(tick, 0), f'text-anchor="middle" fill="{MUTED}" font-size="11"')
        body += _text(left - 6, y + 4, percent(tick, 0), f'text-anchor="end" fill="{MUTED}" font-size="11"')
    body += _line(left, bottom, left + side, top, MUTED, 'stroke-dasharray="4 4"')
    used = [entry for entry in bins if entry.get("count") and entry.get("confidence") is not None]
    most = max((int(entry["count"]) for entry in used), default=1)
    for entry in used:
        radius = 3 + 9 * (int(entry["count"]) / most) ** 0.5
        x, y = left + float(entry["confidence"]) * side, bottom - float(entry["accuracy"]) * side
        tooltip = (
            f"{entry['count']} objects, {percent(entry['confidence'], 0)} sure, {percent(entry['accuracy'], 0)} right"
        )
        body += (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{MAIN}" fill-opacity=".75" stroke="#fff">'
            f"<title>{escape(tooltip)}</title></circle>"
        )
    style = f'text-anchor="middle" fill="{MUTED}" font-size="11"'
    body += _text(left + side / 2, bottom + 32, "how sure it was", style)
    turn = f' transform="rotate(-90 12 {top + side / 2:.1f})"'
    body += _text(12, top + side / 2, "how often it was right", style + turn)
    return _svg(bottom + 40, body, title, wide=left + side + 14)
