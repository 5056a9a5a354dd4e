"""Small pieces of HTML that several tabs show: numbers, badges, progress, messages. All text is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr

from core import units
from core.errors import UserError
from core.metrics.flights import NO_INTERVAL
from damgui import run_state, text, theme
from damgui.text import escape


def html(value: Any = "", **about: Any) -> gr.HTML:
    """A place for HTML without Gradio's text styles: the page's own sheet says how it looks."""
    return gr.HTML(value, **{"apply_default_css": False, "padding": False, **about})


def heading(title: str, lead: str = "") -> str:
    said = f"<p>{escape(lead)}</p>" if lead else ""
    return f'<div class="dg-heading"><h2>{escape(title)}</h2>{said}</div>'


def section(title: str, note: str = "") -> str:
    said = f" <span>{escape(note)}</span>" if note else ""
    return f'<h3 class="dg-section">{escape(title)}{said}</h3>'


def empty(said: str) -> str:
    return f'<div class="dg-empty"><p>{escape(said)}</p></div>'


def note(said: str, tone: str = "info") -> str:
    """A quiet panel; `tone` is info, good, warn or bad."""
    mark = {"info": "ℹ", "good": "✓", "warn": "!", "bad": "✕"}[tone]
    role = "alert" if tone == "bad" else "status"
    return f'<div class="dg-note dg-{tone}" role="{role}"><b aria-hidden="true">{mark}</b><p>{escape(said)}</p></div>'


def problem(error: UserError) -> str:
    """What the user can cure, a line each."""
    lines = "".join(f"<p>{escape(str(one))}</p>" for one in error.problems[:20])
    more = len(error.problems) - 20
    lines += f"<p>… and {more} more.</p>" if more > 0 else ""
    return f'<div class="dg-note dg-bad" role="alert"><b aria-hidden="true">✕</b><div>{lines}</div></div>'


def badge(condition: str, count: str = "", short: bool = False) -> str:
    """The condition's mark, colour and word; with `short` its count instead of the word, which is then the tooltip."""
    known = condition if condition in theme.CONDITION_FILL else "other"
    mark = theme.condition_mark(condition)
    word, title = escape(count if short else condition), escape(f"{count} {condition}".strip())
    return f'<span class="dg-badge dg-c-{known}" title="{title}"><i aria-hidden="true">{mark}</i>{word}</span>'


def legend(conditions: Sequence[str]) -> str:
    """What the marks mean."""
    return f'<div class="dg-legend">{"".join(badge(one) for one in conditions)}</div>'


def figure(value: str, label: str, below: str = "", tone: str = "") -> str:
    """One number of a row: small label, big value, a line under it."""
    return (
        f'<div class="dg-figure {tone}"><span class="dg-label">{escape(label)}</span>'
        f'<span class="dg-value">{escape(value)}</span><span class="dg-below">{escape(below)}</span></div>'
    )


def figures(items: Iterable[str]) -> str:
    return f'<div class="dg-figures">{"".join(items)}</div>'


def status_badge(status: str) -> str:
    mark, word = text.STATUS_MARKS.get(status, "◌"), text.STATUS_WORDS.get(status, status)
    return f'<span class="dg-status dg-s-{escape(status)}"><i aria-hidden="true">{mark}</i>{escape(word)}</span>'


def bar(share: float, label: str) -> str:
    percent = 100 * min(max(share, 0.0), 1.0)
    return (
        f'<div class="dg-bar" role="progressbar" aria-label="{escape(label)}" aria-valuenow="{percent:.0f}" '
        f'aria-valuemin="0" aria-valuemax="100"><div style="width:{percent:.2f}%"></div></div>'
    )


def waiting(label: str) -> str:
    """A bar without an end: it works, how far is not known yet."""
    return f'<div class="dg-bar dg-waiting" role="progressbar" aria-label="{escape(label)}"><div></div></div>'


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="dg-facts">{cells}</dl>'


def run_head(found: run_state.RunState, title: str = "") -> str:
    """Status, name and begin of a run."""
    name = title or f"{text.KIND_WORDS.get(found.run.kind, found.run.kind)} {found.run.name}".strip()
    return (
        f'<div class="dg-runhead">{status_badge(found.status)}<strong>{escape(name)}</strong>'
        f'<code title="{escape(str(found.run.folder))}">{escape(found.run.id)}</code></div>'
    )


def ended(found: run_state.RunState) -> str:
    """Why a run is over when it is not simply finished; "" otherwise."""
    if found.status == "crashed":
        return note(f"The process is gone without a last word. See {found.run.process_log}.", "bad")
    last = found.last("ended")
    if found.status == "failed" and last is not None:
        return note(str(last.get("error") or f"It failed. See {found.run.process_log}."), "bad")
    return ""


def warnings(found: run_state.RunState) -> str:
    said = dict.fromkeys(str(event["text"]) for event in found.of("warning"))
    return "".join(note(one, "warn") for one in list(said)[-3:])


def interval(found: Mapping[str, Any], key: str) -> str:
    """ "95 % interval 58.1 – 71.4 %" from results; "" when they hold none, and why where flights were too few."""
    ends = found.get(key)
    if not ends:
        return NO_INTERVAL if key in found else ""
    low, high = ends
    return f"95 % interval {100 * low:.1f} – {100 * high:.1f} %"


def interval_plain(found: Mapping[str, Any], key: str) -> str:
    """The same for a score that is no percentage."""
    ends = found.get(key)
    if not ends:
        return NO_INTERVAL if key in found else ""
    return f"95 % interval {ends[0]:.2f} – {ends[1]:.2f}"


def judging(found: run_state.RunState) -> str:
    """A baseline or evaluation at work: how far, how good so far, how fast, how long still."""
    if not found.active:
        return f'<div class="dg-live">{run_head(found)}{ended(found)}</div>'
    pace, event = run_state.baseline_progress(found), found.last("progress")
    if pace is None or event is None:
        said = run_state.stage(found) or text.STARTING
        return f'<div class="dg-live">{run_head(found)}{waiting(said)}<p class="dg-stage">{escape(said)}</p></div>'
    unit = str(event.get("unit") or "photo").removesuffix("s")
    judged = int(event.get("judged") or 0)
    so_far = units.percent(int(event.get("correct") or 0) / judged) if judged else "–"
    said = text.STOPPING if found.stopping else ""
    return (
        f'<div class="dg-live">{run_head(found)}{bar(pace.share, "Progress")}'
        + facts(
            [
                (f"{unit.capitalize()}s", f"{pace.done} of {pace.total}"),
                ("Right so far", so_far),
                ("Speed", units.rate(pace.per_s, unit)),
                ("Time left", units.duration(pace.left_s)),
            ]
        )
        + f'<p class="dg-stage">{escape(said)}</p></div>'
    )
