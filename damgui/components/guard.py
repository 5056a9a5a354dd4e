"""Errors that a user can cure are shown in the tab in which they happened."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from gradio.components import Component

from core.errors import UserError
from damgui.components import html


def guarded(message: Component) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """What the user can cure is shown in the tab's message panel instead of an error window."""

    def around(handler: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(handler)
        def call(*given: Any) -> Any:
            try:
                found = handler(*given)
            except UserError as error:
                return {message: html.problem(error)}
            return {message: "", **found}

        return call

    return around
