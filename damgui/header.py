"""The first line of every tab: what is at work, how far, and Stop. It tells the truth before the page is ready."""

from __future__ import annotations

from contextlib import suppress

import gradio as gr
from gradio.components import Component
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from core import units
from core.errors import UserError
from core.runs import launcher
from core.runs.workspace import Workspace
from damgui import run_state, text, theme
from damgui.components import html
from damgui.frame import QUIET, Frame, Updates
from damgui.markup import TEMPLATES
from damgui.run_state import RunState, Stamp
from damgui.snapshot import SHARED_FOR_S, Snapshot, take_snapshot

PATH = "/damgui/header"
_HEADER = TEMPLATES.macros("header.html")


def place() -> gr.HTML:
    """The line as every page begins, when nothing is known yet; assets/header.js asks the route below at once."""
    return html.place(_HEADER.line(theme.LOGO, text.LOOKING), js_on_load=theme.script("header"), elem_id="dg-header")


def route(workspace: Workspace) -> Route:
    """GET PATH: what is at work, as HTML. The page itself needs some seconds until it has asked for everything."""

    async def header(_: Request) -> HTMLResponse:
        now = await run_in_threadpool(take_snapshot, workspace, SHARED_FOR_S)
        return HTMLResponse(str(_busy(now.at_work)), headers={"Cache-Control": "no-store"})

    return Route(PATH, header, methods=["GET"])


def wire(frame: Frame, line: gr.HTML) -> None:
    """Keep the line true, and let its button stop what is at work."""

    def stop(event: gr.EventData) -> Updates:
        busy = frame.snapshot().at_work
        if busy is not None and busy.run.id == event.run:  # not what has begun since the line was drawn
            with suppress(UserError):  # it has just ended, which the answer shows
                launcher.stop(busy.run)
        return {line: _line(frame.snapshot().at_work)}

    frame.watch(lambda now, seen: _follow(now, line, seen), line)
    line.select(stop, outputs=line, **QUIET)


def _follow(now: Snapshot, line: Component, seen: Stamp | None) -> tuple[Stamp, Updates] | None:
    busy = now.at_work
    stamp: Stamp = busy.stamp if busy else ("idle",)
    return None if stamp == seen else (stamp, {line: _line(busy)})


def _line(busy: RunState | None) -> Markup:
    return _HEADER.line(theme.LOGO, _busy(busy))


def _busy(busy: RunState | None) -> Markup:
    if busy is None:
        return _HEADER.busy("", "", "", "", False)
    return _HEADER.busy(busy.status, busy.run.id, *_words(busy), busy.stopping)


def _words(busy: RunState) -> tuple[str, str]:
    """Two texts: what is at work, and how far it is."""
    pace = run_state.progress_of(busy)
    name = f"{text.KIND_WORDS[busy.run.kind]} {busy.run.name}".strip()
    if pace is not None:
        return name, f"{units.percent(pace.share, 0)} · {units.duration(pace.left_s)} left"
    far = run_state.stage(busy)
    if busy.run.kind == "train" and (tried := run_state.dry_run(busy)) is not None:
        far += f" · {units.about(tried['total_s'])} in all"
    return name, far
