"""The part with which a tab offers a report of a judged run: which run, a button, then the file."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from core.errors import UserError
from core.report import document
from core.runs import store
from core.runs.store import Run
from damgui import text
from damgui.components import html
from damgui.components.downloads import offer
from damgui.frame import CHANGING, LONG, QUIET, Frame, Updates
from damgui.run_state import Stamp
from damgui.snapshot import Snapshot


def report_button(frame: Frame, prefix: str, *kinds: str) -> None:
    """Draw the part here. It offers the judged runs of these kinds, the newest first, and is hidden before the first.

    A report takes seconds and no model: it is made in the handler, from the run's files alone, and may be made again.
    """
    with gr.Row(visible=False, elem_classes="dg-actions dg-report", elem_id=f"{prefix}-report") as row:
        chosen = gr.Dropdown(
            [],
            label=text.REPORT_OF,
            visible=False,
            interactive=True,
            min_width=320,
            elem_id=f"{prefix}-report-run",
            **CHANGING,
        )
        make = gr.Button(text.REPORT_MAKE, elem_id=f"{prefix}-report-make", scale=0, min_width=170)
        load = gr.DownloadButton(
            text.REPORT_LOAD, visible=False, elem_id=f"{prefix}-report-load", scale=0, min_width=170
        )
        status = html.place("", elem_id=f"{prefix}-report-said")

    def refresh(now: Snapshot, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
        runs = with_results(now, *kinds)
        listed = [(label(run), run.id) for run in runs]
        stamp = tuple(listed)
        if stamp == seen:
            return None
        pick = gr.Dropdown(listed, value=runs[0].id if runs else None, visible=len(kinds) > 1 and len(runs) > 1)
        return stamp, {row: gr.Row(visible=bool(runs)), chosen: pick, **forget()}

    def forget() -> Updates:
        """Another run: the file that is offered is no longer its report."""
        return {load: gr.DownloadButton(visible=False), status: ""}

    def begin() -> Updates:
        return {make: gr.Button(text.REPORT_MAKING, interactive=False), **forget()}

    def write(identity: str | None) -> Updates:
        ready: Updates = {make: gr.Button(text.REPORT_MAKE, interactive=True)}
        if not identity:
            return ready
        try:
            made = document.write(store.find_run(frame.workspace, identity))
        except UserError as error:
            return {**ready, status: html.problem(error)}
        size = f"{made.objects:,} objects · {made.bytes / 1e6:.1f} MB · {made.path}"
        return {
            **ready,
            load: gr.DownloadButton(value=offer(made.path), visible=True),
            status: html.small(size),
        }

    outputs: list[Any] = [make, load, status]
    frame.watch(refresh, row, chosen, load, status)
    chosen.input(forget, outputs=[load, status], **QUIET)
    make.click(begin, outputs=outputs, **QUIET).then(write, chosen, outputs, **LONG)


def with_results(now: Snapshot, *kinds: str) -> list[Run]:
    """Runs that have results, newest first."""
    return [run for run in now.runs(*kinds) if run.results.is_file()]


def label(run: Run) -> str:
    """What a run is called in a list: what it was, of what, when."""
    when = time.strftime("%d %b %H:%M", time.localtime(run.created))
    return f"{text.KIND_WORDS.get(run.kind, run.kind)} {run.name} · {when}".replace("  ", " ")
