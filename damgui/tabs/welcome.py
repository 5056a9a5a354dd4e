"""Start: the way in three steps, what good looks like, where files are, and what the words mean."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from core import units
from core.errors import UserError
from core.runs.files import read_json
from damgui import text
from damgui.components import html
from damgui.frame import Frame, Updates
from damgui.markup import TEMPLATES
from damgui.run_state import Stamp
from damgui.snapshot import Snapshot

_WELCOME = TEMPLATES.macros("welcome.html")


def build(frame: Frame) -> None:
    html.place(_WELCOME.hero(), elem_id="start-hero")
    with gr.Row(elem_classes="dg-steps", equal_height=True):
        for number, (verb, name, what, cost, go, tab) in enumerate(text.STEPS, start=1):
            with gr.Column(elem_classes="dg-step", min_width=240):
                html.place(_WELCOME.step(number, verb, name, what, cost))
                button = gr.Button(go, variant="primary" if number == 1 else "secondary", elem_id=f"go-{tab}")
                frame.jump(button, tab)
    with gr.Row(elem_classes="dg-dataline", equal_height=True):
        html.place(_WELCOME.data_step())
        frame.jump(gr.Button(text.GO_DATA, size="sm", scale=0, min_width=160, elem_id="go-data"), "data")
    with gr.Row():
        with gr.Column(scale=5, min_width=420):
            good = html.place(_good("", ""), elem_id="start-good")
            html.place(html.note(text.DEMO_HONEST))
        with gr.Column(scale=4, min_width=380):
            html.place(_WELCOME.files(frame.workspace.root), elem_id="start-files")
    html.place(_WELCOME.glossary(), elem_id="start-glossary")

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
    taught = tuned[0].score.get("accuracy") if tuned else None
    return base, units.percent(taught) if taught is not None else ""


def _good(baseline: str, tuned: str) -> Markup:
    """What good looks like, beside what this workspace has reached."""
    rows = [(*row, yours) for row, yours in zip(text.GOOD, (baseline, "", tuned), strict=True)]
    return _WELCOME.good(rows)
