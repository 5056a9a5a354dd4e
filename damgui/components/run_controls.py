"""The buttons that start, stop and resume runs, wired the same way on every tab that has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components import Component

from core.runs import launcher
from damgui import text
from damgui.components import html
from damgui.components.guard import guarded
from damgui.frame import LONG, QUIET, Frame, Handler, Updates

Given = list[Component] | set[Component]


@dataclass(frozen=True)
class RunControls:
    """A tab's run buttons: `message` shows what the user can cure, `state` that a run is starting.

    `redraw` shows at once what came of a press, without waiting for the page's pulse.
    """

    frame: Frame
    message: gr.HTML
    state: gr.HTML
    redraw: Handler

    def start(
        self, button: gr.Button, begin: Callable[..., object], inputs: Given, state: gr.HTML | None = None
    ) -> None:
        """A press calls `begin` with the inputs; meanwhile the button is disabled and `state` waits."""
        self._press(button, begin, inputs, state or self.state)

    def resume(self, button: gr.Button, kind: str) -> None:
        """A press goes on with the latest run of a kind."""

        def go_on() -> None:
            found = self.frame.snapshot().latest(kind)
            if found is not None:
                launcher.resume(found.run)

        self._press(button, go_on, None, self.state)

    def stop(self, button: gr.Button, *kinds: str) -> None:
        """A press asks the run of one of these kinds that is at work to save and end."""

        def end() -> None:
            now = self.frame.snapshot()
            for found in map(now.latest, kinds):
                if found is not None and found.active:
                    launcher.stop(found.run)

        button.click(self._as_handler(end), outputs=self.message, **QUIET)

    def _press(self, button: gr.Button, act: Callable[..., object], inputs: Given | None, state: gr.HTML) -> None:
        def wait() -> Updates:
            return {button: gr.Button(interactive=False), state: html.waiting(text.STARTING)}

        pressed = button.click(wait, outputs=[button, state], **QUIET)
        done = pressed.then(self._as_handler(act), inputs, self.message, **LONG)
        done.then(self.redraw.call, self.redraw.inputs, self.redraw.outputs, **QUIET)

    def _as_handler(self, act: Callable[..., object]) -> Callable[..., Updates]:
        """`act` as a handler: its refusals are shown in the tab's message panel."""

        @guarded(self.message)
        def handler(*given: Any) -> Updates:
            act(*given)
            return {}

        return handler
