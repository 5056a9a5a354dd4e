"""What the browser asks once a second: has anything changed? Beside Gradio, whose events cost ten times as much.

The route is one of the page's own app: its middleware, and with it the policy on origins, holds here as well.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.runs.store import Workspace
from damgui.snapshot import SHARED_FOR_S, look, recent

PATH = "/damgui/changes"


def route(workspace: Workspace) -> Route:
    """GET PATH: the token of the workspace as it is now; one look answers all pages that ask in one tick."""

    async def changes(_: Request) -> PlainTextResponse:
        # Only a look reads files, and may wait for one that does: not in the loop that serves all pages.
        now = recent(workspace)
        if now is None:
            now = await run_in_threadpool(look, workspace, SHARED_FOR_S)
        return PlainTextResponse(now.token, headers={"Cache-Control": "no-store"})

    return Route(PATH, changes, methods=["GET"])
