"""Small pieces of HTML that several tabs show: numbers, badges, progress, messages. templates/parts.html draws them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from core import units
from core.conditions import Condition
from core.errors import UserError
from core.metrics.flights import NO_INTERVAL
from damgui import run_state, text
from damgui.markup import TEMPLATES

_PARTS = TEMPLATES.macros("parts.html")
PROBLEMS_SHOWN = 20


def place(value: Any = "", **about: Any) -> gr.HTML:
    """A place for HTML without Gradio's text styles: the page's own sheet says how it looks."""
    return gr.HTML(value, **{"apply_default_css": False, "padding": False, **about})


def joined(pieces: Iterable[str]) -> Markup:
    """Pieces one after the other; what is no HTML yet is escaped."""
    return Markup("").join(pieces)


def heading(title: str, lead: str = "") -> Markup:
    return _PARTS.heading(title, lead)


def section(title: str, note: str = "") -> Markup:
    return _PARTS.section(title, note)


def group(title: str) -> Markup:
    """The title of some settings."""
    return _PARTS.group(title)


def empty(message: str) -> Markup:
    return _PARTS.empty(message)


def small(message: str) -> Markup:
    """A line in small letters."""
    return _PARTS.small(message)


def stage(message: str) -> Markup:
    """What a run is doing now."""
    return _PARTS.stage(message)


def note(message: str, tone: str = "info") -> Markup:
    """A quiet panel; `tone` is info, good, warn or bad."""
    return _PARTS.note(message, tone)


def problem(error: UserError) -> Markup:
    """What the user can cure, a line each."""
    lines = [str(problem) for problem in error.problems]
    return _PARTS.problem(lines[:PROBLEMS_SHOWN], len(lines) - PROBLEMS_SHOWN)


def badge(condition: Condition, count: str = "", short: bool = False) -> Markup:
    """The condition's mark, colour and word; with `short` its count instead of the word, which is then the tooltip."""
    return _PARTS.badge(condition, count, short)


def legend(conditions: Iterable[Condition]) -> Markup:
    """What the marks mean."""
    return _PARTS.legend(conditions)


def figure(value: str, label: str, below: str = "", tone: str = "") -> Markup:
    """One number of a row: small label, big value, a line under it."""
    return _PARTS.figure(value, label, below, tone)


def figures(items: Iterable[Markup]) -> Markup:
    return row("dg-figures", items)


def row(css_class: str, items: Iterable[Markup | str]) -> Markup:
    """Pieces side by side or one below the other, as `look` (their CSS class) says."""
    return _PARTS.row(css_class, items)


def bar(share: float, label: str) -> Markup:
    return _PARTS.bar(100 * min(max(share, 0.0), 1.0), label)


def waiting(label: str) -> Markup:
    """A bar without an end: it works, how far is not known yet."""
    return _PARTS.waiting(label)


def working(message: str) -> Markup:
    """The same, with what is being done under it."""
    return waiting(message) + stage(message)


def facts(pairs: Sequence[tuple[str, str]]) -> Markup:
    return _PARTS.facts(pairs)


def cell(value: str, below: str = "") -> Markup:
    """A number of a table with a smaller one under it."""
    return _PARTS.cell(value, below)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], css_class: str = "") -> Markup:
    """A table; the first cell of each row names it."""
    return _PARTS.table(heads, rows, css_class)


def live(found: run_state.RunState, *body: str) -> Markup:
    """A run: status, name and begin, then the pieces of `body`."""
    name = f"{text.KIND_WORDS.get(found.run.kind, found.run.kind)} {found.run.name}".strip()
    return _PARTS.live(_PARTS.run_head(found.run, found.status, name), body)


def ended(found: run_state.RunState) -> Markup:
    """Why a run is over when it is not simply finished; "" otherwise."""
    if found.status == "crashed":
        return note(f"The process is gone without a last word. See {found.run.process_log}.", "bad")
    last = found.last.get("ended")
    if found.status == "failed" and last is not None:
        return note(str(last.get("error") or f"It failed. See {found.run.process_log}."), "bad")
    return Markup("")


def warnings(found: run_state.RunState) -> Markup:
    messages = dict.fromkeys(str(event["text"]) for event in found.kept.get("warning", ()))
    return joined(note(sentence, "warn") for sentence in list(messages)[-3:])


def interval(found: Mapping[str, Any], key: str) -> str:
    """The results' "95 % interval 58.1 – 71.4 %"; "" when they hold none, and why where flights were too few."""
    return _interval(found, key, units.interval(found.get(key)))


def score_interval(found: Mapping[str, Any], key: str) -> str:
    """The same for a score that is no percentage."""
    return _interval(found, key, units.score_interval(found.get(key)))


def _interval(found: Mapping[str, Any], key: str, ends: str) -> str:
    if not ends:
        return NO_INTERVAL if key in found else ""
    return f"95 % interval {ends}"


def judging(found: run_state.RunState) -> Markup:
    """A baseline or evaluation at work: how far, how good so far, how fast, how long still."""
    if not found.active:
        return live(found, ended(found))
    pace, event = run_state.baseline_progress(found), found.last.get("progress")
    if pace is None or event is None:
        known = run_state.first_score(found)
        score = note(text.first_score(known)) if known else Markup("")
        return live(found, working(run_state.stage(found) or text.STARTING), score)
    unit = str(event.get("unit") or "photo").removesuffix("s")
    answered = int(event.get("judged") or 0)
    pairs = [
        (f"{unit.capitalize()}s", f"{pace.done} of {pace.total}"),
        ("Right so far", units.percent(int(event.get("correct") or 0) / answered) if answered else "–"),
        ("Speed", units.rate(pace.per_s, unit)),
        (text.TIME_LEFT, units.duration(pace.left_s)),
    ]
    return live(found, bar(pace.share, "Progress"), facts(pairs), stage(text.STOPPING if found.stopping else ""))
