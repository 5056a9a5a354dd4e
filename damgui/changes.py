"""What the browser asks again and again: has anything changed? Beside Gradio, whose events cost ten times as much.

The route is one of the page's own app: its middleware, and with it the policy on origins, holds here as well.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.runs.workspace import Workspace
from damgui.snapshot import SHARED_FOR_S, recent, take_snapshot

PATH = "/damgui/changes"
AT_WORK_MS, AT_REST_MS = 1000, 3000  # until a page asks again


def route(workspace: Workspace) -> Route:
    """GET PATH: the token of the workspace as it is now, and in how many ms to ask again.

    One snapshot answers all pages that ask in one tick.
    """

    async def changes(_: Request) -> PlainTextResponse:
        # Only taking a snapshot reads files, and may wait for one that does: not in the loop that serves all pages.
        now = recent(workspace)
        if now is None:
            now = await run_in_threadpool(take_snapshot, workspace, SHARED_FOR_S)
        pause_ms = AT_WORK_MS if now.at_work else AT_REST_MS
        return PlainTextResponse(f"{now.token} {pause_ms}", headers={"Cache-Control": "no-store"})

    return Route(PATH, changes, methods=["GET"])
