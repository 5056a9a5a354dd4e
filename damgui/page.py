"""The page: the only place where tabs meet. torch is never imported here; work happens in processes of its own."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Requests to ourselves must not go through a proxy.
os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import UserError
from core.runs import store, trash
from core.runs.workspace import Workspace
from core.settings import Settings, load, presets
from damgui import address, changes, header, text, theme, window
from damgui.charts.base import PLOTLY_JS
from damgui.components import html
from damgui.forms import Form
from damgui.frame import QUIET, Frame, Updates
from damgui.snapshot import take_snapshot
from damgui.tabs import ablation, baseline, batch, compare, data, history, predict, training, welcome
from damgui.tabs.ablation import text as study_text
from damgui.tabs.history import text as history_text

# The browser itself refuses whatever is not ours: no fonts, scripts or calls to anywhere else.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; worker-src 'self' blob:; "
    "connect-src 'self' data: blob:"
)
QUEUE_REST_S = 0.05
TABS = (
    (text.TAB_START, "start", welcome.build),
    (text.TAB_DATA, "data", data.build),
    (text.TAB_BASELINE, "baseline", baseline.build),
    (text.TAB_TRAINING, "training", training.build),
    (text.TAB_COMPARE, "compare", compare.build),
    (text.TAB_PREDICT, "predict", predict.build),
    (text.TAB_BATCH, "batch", batch.build),
    (history_text.TAB, "history", history.build),
    (study_text.TAB, "ablation", ablation.build),
)


def build(workspace: Workspace, root: Path | None = None) -> gr.Blocks:
    """All tabs on one page, with one pulse that asks whether anything changed.

    Below `root`, the workspace unless it is given, folders can be chosen from a list.
    """
    with gr.Blocks(title=text.TITLE, analytics_enabled=False, fill_width=True) as page:
        line, at = header.place(), address.place({identity: name for name, identity, _ in TABS})
        with gr.Tabs(elem_id="dg-tabs") as tabs:
            frame = Frame(workspace, Form(), tabs, at, root)
            opened = {}
            for name, identity, fill in TABS:
                with gr.Tab(name, id=identity, elem_id=f"tab-{identity}") as opened[identity]:
                    fill(frame)
        for wire in frame.deferred:
            wire()
        for identity, handler, outputs, then in frame.openers:
            shown = opened[identity].select(handler, frame.form.inputs, outputs, **QUIET)
            if then is not None:
                shown.then(then.call, then.inputs, then.outputs, **QUIET)
        header.wire(frame, line)
        _start(page, frame)
    return page


def _start(page: gr.Blocks, frame: Frame) -> None:
    """What a freshly opened page shows, and the pulse that keeps it true."""
    seen: set[Block] = {watcher.seen for watcher in frame.watchers}
    inputs = seen.union(*(watcher.reads for watcher in frame.watchers))
    outputs = list(dict.fromkeys([*seen, *(output for watcher in frame.watchers for output in watcher.outputs)]))

    def restore() -> Updates:
        return frame.show(last_settings(frame.workspace))

    # It holds the token of what the page has seen; the browser asks for it beside Gradio (damgui/changes.py).
    pulse = html.place("", html_template="", js_on_load=theme.script("pulse"), elem_id="dg-pulse")

    def tick(values: Mapping[Component, Any]) -> Updates:
        token, updates = frame.tick(values)
        return {pulse: token, **updates}

    # One after the other: first reads that overlap would take back what somebody types meanwhile. The pulse begins with
    # the first token.
    outputs.append(pulse)
    shown = page.load(restore, outputs=frame.widgets, **QUIET).then(tick, inputs, outputs, **QUIET)
    address.wire(frame, shown)
    pulse.select(tick, inputs, outputs, **QUIET)


def last_settings(workspace: Workspace) -> Settings:
    """The settings of the newest baseline, trial or training, else the first preset: a reload forgets nothing."""
    for run in take_snapshot(workspace).runs("baseline", "train", "rehearse"):
        try:
            return run.settings()
        except UserError:
            continue
    return load(presets()[0]) if presets() else Settings()


class ContentSecurityPolicy:
    """ASGI middleware: every page is served with the policy above."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
            await send(message)

        await self.app(scope, receive, with_policy)


def require_port(host: str, port: int) -> None:
    """Raises UserError when something else listens there, or when the address is not ours."""
    fix = "Stop the other program, or choose another port with --port."
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still fading is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) if os.name != "nt" else None
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError("this address cannot be used, another program has it", f"{host}:{port}", fix) from error


def serve(
    workspace: Path,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    in_window: bool = False,
    root: Path | None = None,
) -> None:
    """Serve the page until interrupted, or until the window of its own is closed.

    Raises UserError when the workspace or the port cannot be used.
    """
    opened = store.open_workspace(workspace)
    require_port(host, port)
    with suppress(UserError):  # another page is at it
        trash.remove_expired(opened)
    gr.set_static_paths([PLOTLY_JS])
    page = build(opened, root)
    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        quiet=True,
        inbrowser=False,
        show_error=False,
        ssr_mode=False,
        theme=theme.theme(),
        css=theme.css(),
        footer_links=[],
        prevent_thread_lock=True,
        pwa=True,  # /manifest.json with our own mark: browsers offer to install the page
        mcp_server=False,
        run_history=False,
        app_kwargs={
            "middleware": [Middleware(ContentSecurityPolicy)],
            "routes": [changes.route(opened), header.route(opened)],
        },
        favicon_path=theme.ASSETS / "favicon.svg",
    )
    # Gradio asks an empty queue a thousand times a second, which alone is a tenth of a core; as seldom as it does on
    # Windows is often enough for the few handlers that wait in it.
    page._queue.sleep_when_free, page._queue.progress_update_sleep_when_free = QUEUE_REST_S, 2 * QUEUE_REST_S
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    url = f"http://{shown}:{port}"
    print(f"damgui is at {url}  (Ctrl+C ends it; runs go on)", flush=True)
    with suppress(KeyboardInterrupt):
        _show(url, opened.window_profile if in_window else None, open_browser)
    page.close(verbose=False)


def _show(url: str, profile: Path | None, open_browser: bool) -> None:
    """Show the page as it was asked for; returns when the window with this profile was closed, a tab is for ever."""
    shown = window.show(url, profile) if profile else ""
    if shown == window.CLOSED:
        print(text.WINDOW_CLOSED, flush=True)
        return
    if shown:
        print(text.WINDOW_WAS_OPEN if shown == window.WAS_OPEN else text.WINDOW_NONE, flush=True)
    if open_browser and shown != window.WAS_OPEN:
        webbrowser.open(url)
    threading.Event().wait()
