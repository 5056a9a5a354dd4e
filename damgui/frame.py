"""What all tabs are handed: the workspace, the one form, and how a tab watches files and jumps to another tab."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from core.errors import UserError
from core.runs.workspace import Workspace
from core.settings import Settings
from damgui.forms import Form
from damgui.run_state import Stamp
from damgui.snapshot import SHARED_FOR_S, Snapshot, take_snapshot

Updates = dict[Any, Any]
UNCHANGED: Updates = gr.skip()  # an answer that changes nothing; Gradio takes an empty mapping for a value
# Gets the workspace as it is now, the stamp shown last and the values of the watcher's `reads`.
Refresh = Callable[..., tuple[Stamp, Updates] | None]
# Handlers answer at once; there is nothing to queue, and no spinner over what stays on the page.
QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
# Of lists whose entries come and go with the workspace: the page may still send one that has gone, which Gradio would
# refuse together with all else that it sends, the pulse of the page included. Handlers take it for no choice.
CHANGING: dict[str, Any] = {"allow_custom_value": True}
LONG: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


@dataclass(frozen=True)
class Watcher:
    """A part of the page that follows files. `refresh` returns what to redraw; None: what is shown holds.

    `reads` are widgets whose values `refresh` wants as well.
    """

    seen: gr.State
    outputs: tuple[Component, ...]
    refresh: Refresh
    reads: tuple[Component, ...] = ()


@dataclass(frozen=True)
class Handler:
    """What an event calls, with what, and what it redraws."""

    call: Callable[..., Any]
    inputs: Sequence[Component] | set[Component]  # a set: the values come as one mapping
    outputs: Sequence[Component]


@dataclass
class Frame:
    workspace: Workspace
    form: Form
    tabs: gr.Tabs
    address: gr.HTML  # which tab is open and which run is chosen there (damgui.address)
    list_below: Path | None = None  # the folder below which folders are listed; None: the workspace
    watchers: list[Watcher] = field(default_factory=list)
    notices: list[Any] = field(default_factory=list)  # components.choices.Notice: where tabs say what a choice changed
    followers: dict[Component, Callable[[Settings], Any]] = field(default_factory=dict)
    openers: list[tuple[str, Callable[..., Any], list[Component], Handler | None]] = field(default_factory=list)
    deferred: list[Callable[[], Any]] = field(default_factory=list)
    by_address: dict[str, Handler] = field(default_factory=dict)
    choices: Iterator[int] = field(default_factory=count)

    @property
    def root(self) -> Path:
        """Below which folders are listed to choose from."""
        return self.list_below or self.workspace.root

    def later(self, wire: Callable[[], Any]) -> None:
        """Wire handlers that read the form once every tab has put its widgets into it."""
        self.deferred.append(wire)

    def on_open(
        self, tab: str, handler: Callable[..., Any], outputs: list[Component], then: Handler | None = None
    ) -> None:
        """What a tab shows freshly each time it is opened; the handler gets the form's values, `then` follows it."""
        self.openers.append((tab, handler, outputs, then))

    def in_address(self, tab: str, open_run: Handler) -> None:
        """How a run that the page's address names is chosen on a tab: the handler gets its id before its inputs."""
        self.by_address[tab] = open_run

    def to_address(self, tab: str, run: str | None) -> Updates:
        """Write the run that is chosen on a tab into the page's address."""
        # The number makes each choice another value: the page hears of changes only, and Back changes nothing here.
        return {self.address: json.dumps({"tab": tab, "run": run or "", "number": next(self.choices)})}

    def watch(self, refresh: Refresh, *outputs: Component, reads: tuple[Component, ...] = ()) -> Watcher:
        """Keep these outputs true while files change."""
        watcher = Watcher(gr.State(None), outputs, refresh, reads)
        self.watchers.append(watcher)
        return watcher

    def snapshot(self) -> Snapshot:
        """The workspace as it is now: for handlers, which answer to what somebody has just done."""
        return take_snapshot(self.workspace)

    def redraw(self, watcher: Watcher) -> Handler:
        """Draws a watched part anew, without waiting for the page's pulse."""

        def draw(*reads: Any) -> Updates:
            stamp, fresh = watcher.refresh(self.snapshot(), None, *reads) or ((), {})
            return {watcher.seen: stamp, **fresh}

        return Handler(draw, watcher.reads, [watcher.seen, *watcher.outputs])

    def follow(self, widget: Component, of: Callable[[Settings], Any]) -> Component:
        """A widget that is no setting itself but follows from the settings: another tab's model, the preset's name."""
        self.followers[widget] = of
        return widget

    def show(self, settings: Settings, skip: Iterable[str] = ()) -> Updates:
        """The form and all its followers filled with these settings."""
        return {
            **self.form.fill(settings, skip),
            **{component: of(settings) for component, of in self.followers.items()},
        }

    @property
    def widgets(self) -> list[Component]:
        """What `show` redraws."""
        return [*self.form.widgets.values(), *self.followers]

    def jump(self, button: gr.Button, tab: str) -> None:
        """A click on the button opens the tab with this id."""
        button.click(lambda: gr.Tabs(selected=tab), outputs=self.tabs, **QUIET)

    def tick(self, values: Mapping[Component, Any]) -> tuple[str, Updates]:
        """(the snapshot's token, new content for everything whose files changed)."""
        updates: Updates = {}
        now = take_snapshot(self.workspace, SHARED_FOR_S)
        for watcher in self.watchers:
            try:
                found = watcher.refresh(now, values[watcher.seen], *(values[component] for component in watcher.reads))
            except (UserError, OSError):
                continue  # a file is damaged, or went just now: its part stays as it was, everything else goes on
            if found is not None:
                updates[watcher.seen], fresh = found
                updates |= fresh
        return now.token, updates
