"""Start here: the way in three steps, what good looks like, where files are, and what the words mean."""

from __future__ import annotations

import gradio as gr

from core import units
from core.errors import UserError
from core.runs.files import read_json
from damgui import text
from damgui.components import html as parts
from damgui.frame import Frame, Updates
from damgui.run_state import Stamp
from damgui.snapshot import Snapshot
from damgui.text import escape


def build(frame: Frame) -> None:
    parts.html(_hero(), elem_id="start-hero")
    with gr.Row(elem_classes="dg-steps", equal_height=True):
        for number, (verb, name, what, cost, go, tab) in enumerate(text.STEPS, start=1):
            with gr.Column(elem_classes="dg-step", min_width=240):
                parts.html(_step(number, verb, name, what, cost))
                button = gr.Button(go, variant="primary" if number == 1 else "secondary", elem_id=f"go-{tab}")
                frame.jump(button, tab)
    with gr.Row(elem_classes="dg-dataline", equal_height=True):
        parts.html(f'<p class="dg-lead-small">{escape(text.DATA_STEP)}</p>')
        frame.jump(gr.Button(text.GO_DATA, size="sm", scale=0, min_width=160, elem_id="go-data"), "data")
    with gr.Row():
        with gr.Column(scale=5, min_width=420):
            good = parts.html(_good("", ""), elem_id="start-good")
            parts.html(parts.note(text.DEMO_HONEST))
        with gr.Column(scale=4, min_width=380):
            parts.html(parts.section(text.FILES_TITLE) + _files(str(frame.workspace.root)), elem_id="start-files")
    parts.html(parts.section(text.GLOSSARY_TITLE) + _glossary(), elem_id="start-glossary")

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        stamp = _scores(now)
        return None if stamp == seen else (stamp, {good: _good(*stamp)})

    frame.watch(refresh, good)


def _scores(now: Snapshot) -> tuple[str, str]:
    """The workspace's own baseline and tuned accuracy on validation photos, as text; "" where there is none."""
    try:
        found = read_json(now.workspace.zeroshot_results) or {}
        tuned = now.tuned_models[:1]
    except UserError:  # a file that is being replaced by hand; the tabs themselves say so
        return "", ""
    base = units.percent(found["overall_accuracy"]) if "overall_accuracy" in found else ""
    info = tuned[0].info if tuned else {}
    final = (info.get("best") or info.get("final") or {}).get("accuracy")
    return base, units.percent(final) if final is not None else ""


def _hero() -> str:
    return f'<div class="dg-hero"><h1>{escape(text.WELCOME_TITLE)}</h1><p>{escape(text.WELCOME_LEAD)}</p></div>'


def _step(number: int, verb: str, name: str, what: str, cost: str) -> str:
    return (
        f'<div class="dg-stepbody"><span class="dg-number">{number}</span><h3>{escape(verb)}<small>{escape(name)}'
        f"</small></h3><p>{escape(what)}</p><p class='dg-cost'>{escape(cost)}</p></div>"
    )


def _good(baseline: str, tuned: str) -> str:
    rows = []
    for (name, target, note), yours in zip(text.GOOD, (baseline, "", tuned), strict=True):
        here = f'<span class="dg-yours">yours: {escape(yours)}</span>' if yours else ""
        rows.append(
            f"<li><span class='dg-target'>{escape(target)}</span><span><strong>{escape(name)}</strong> {here}<br>"
            f"<small>{escape(note)}</small></span></li>"
        )
    return parts.section(text.GOOD_TITLE) + f'<ul class="dg-good-list">{"".join(rows)}</ul>'


def _files(root: str) -> str:
    rows = "".join(
        f"<div><dt><code>{escape(path)}</code></dt><dd>{escape(what)}</dd></div>" for path, what in text.FILES
    )
    return f'<p class="dg-small">In <code>{escape(root)}</code></p><dl class="dg-files">{rows}</dl>'


def _glossary() -> str:
    words = "".join(
        f"<div><dt>{escape(word)}</dt><dd>{escape(says)}</dd></div>" for word, says in text.GLOSSARY.items()
    )
    return f'<dl class="dg-glossary">{words}</dl>'
