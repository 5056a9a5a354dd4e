"""History: all runs and models with their disk; one is chosen, renamed, deleted and brought back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from core.errors import UserError
from core.runs import launcher, store, trash
from core.runs.files import file_stamp
from core.runs.rename import rename
from damgui import deletions, theme
from damgui.components import html
from damgui.components.guard import guarded
from damgui.frame import QUIET, Frame, Handler, Updates
from damgui.run_state import Stamp
from damgui.snapshot import Snapshot
from damgui.tabs.history import text as history_text
from damgui.tabs.history import view
from damgui.tabs.history.view import HistoryEntry

# Where a run of a kind is shown.
TAB_OF = {
    "baseline": "baseline",
    "train": "training",
    "rehearse": "training",
    "evaluate": "compare",
    "predict": "predict",
    "batch": "batch",
    "ablate": "ablation",
    "crossval": "ablation",
}

NOTHING = (history_text.NOTHING_CHOSEN, history_text.NOTHING_CHOSEN_CURE)


@dataclass(frozen=True)
class HistoryWidgets:
    """The table with its filter, what is chosen and what can be done with it, and the trash."""

    message: gr.HTML
    undone: gr.HTML
    undo: gr.Button
    kind: gr.Dropdown
    short: gr.HTML
    table: gr.HTML
    more: gr.Button
    about: gr.HTML
    actions: gr.Column
    name: gr.Textbox
    refused: gr.HTML
    rename: gr.Button
    show: gr.Button
    stop: gr.Button
    delete: gr.Button
    confirm: gr.Column
    goes: gr.HTML
    yes: gr.Button
    no: gr.Button
    trash: gr.HTML
    empty: gr.Button
    sure: gr.Column
    empty_yes: gr.Button
    empty_no: gr.Button
    shown: gr.State  # how many lines
    chosen: gr.State  # the id of the entry that is chosen; ""
    deleted: gr.State  # the id in the trash of what Undo brings back

    @property
    def listing(self) -> list[Component]:
        return [self.kind, self.short, self.table, self.more]

    @property
    def in_trash(self) -> list[Component]:
        return [self.trash, self.empty, self.sure]

    @property
    def panel(self) -> list[Component]:
        return [self.about, self.actions, self.show, self.stop, self.confirm, self.refused]

    @property
    def all(self) -> list[Component]:
        fields = [self.message, self.undone, self.undo, self.name, self.goes, self.shown, self.chosen, self.deleted]
        return [*fields, *self.listing, *self.in_trash, *self.panel]


def build(frame: Frame) -> None:
    html.place(html.heading(history_text.TAB, history_text.LEAD))
    w = _draw()
    reads = (w.kind, w.shown, w.chosen)
    outputs = [*w.listing, *w.in_trash, *w.panel]
    frame.watch(lambda now, seen, *at: _follow(now, seen, w, *at), *outputs, reads=reads)

    def draw(kind: str | None, shown: int, chosen: str) -> Updates:
        """All lines anew, with the size of each that is shown."""
        now = frame.snapshot()
        found = view.entries(now)
        view.measure_few(view.of_kind(found, kind or "")[:shown], frame.workspace, shown)
        return {w.shown: shown, w.chosen: chosen, **_listing(now, found, w, kind, shown, chosen), **_trash(now, w)}

    drawn = [w.shown, w.chosen, *w.listing, *w.in_trash]
    frame.on_open("history", lambda *_: None, [], Handler(draw, reads, drawn))
    w.kind.input(lambda kind, _, chosen: draw(kind, view.PAGE, chosen), reads, drawn, **QUIET)
    w.more.click(lambda kind, shown, chosen: draw(kind, shown + view.PAGE, chosen), reads, drawn, **QUIET)
    _wire(frame, w, draw)


def _wire(frame: Frame, w: HistoryWidgets, draw: Callable[..., Updates]) -> None:
    """What the buttons do. Each answers with what is there then, whatever was there before."""
    workspace, reads, outputs = frame.workspace, [w.kind, w.shown, w.chosen], [*w.all, frame.address]

    def entry_of(chosen: str) -> HistoryEntry:
        found = next((entry for entry in view.entries(frame.snapshot()) if entry.id == chosen), None)
        if found is None:
            what, cure = (history_text.GONE, history_text.GONE_CURE) if chosen else NOTHING
            raise UserError(what, chosen, cure, "run")
        return found

    def choose(kind: str, shown: int, chosen: str) -> Updates:
        entry = entry_of(chosen)
        panel = {**_panel(frame.snapshot(), entry, w), w.name: entry.name}
        return {**draw(kind, shown, chosen), **panel, **frame.to_address("history", chosen)}

    @guarded(w.message)
    def from_address(run: str, kind: str, shown: int, _: str) -> Updates:
        return choose(kind, shown, run)

    @guarded(w.message)
    def pick(kind: str, shown: int, _: str, event: gr.EventData) -> Updates:
        return choose(kind, shown, str(event.run))

    @guarded(w.refused)
    def give_name(kind: str, shown: int, chosen: str, typed: str) -> Updates:
        entry, name = entry_of(chosen), (typed or "").strip()
        rename(workspace, chosen, name)
        done = html.note(history_text.renamed(f"{entry.word} {entry.name}".strip(), name), "good")
        return {**choose(kind, shown, chosen if entry.run else name), w.message: done}

    @guarded(w.message)
    def ask(chosen: str) -> Updates:
        goes = deletions.what_goes(trash.plan(workspace, entry_of(chosen).id))
        return {w.goes: html.note(goes, "warn"), w.confirm: gr.Column(visible=True)}

    @guarded(w.message)
    def delete(kind: str, shown: int, chosen: str) -> Updates:
        gone = trash.delete(workspace, entry_of(chosen).id)
        undo = {w.deleted: gone.id, w.undone: html.note(deletions.gone(gone), "good"), w.undo: gr.Button(visible=True)}
        nothing = {**_panel(frame.snapshot(), None, w), w.name: "", **frame.to_address("history", "")}
        return {**draw(kind, shown, ""), **nothing, **undo}

    def restore(kind: str, shown: int, deleted: str) -> Updates:
        back = trash.restore(workspace, deleted)
        said = html.note(f"{deletions.title(back.kind, back.name or back.run)} {history_text.BROUGHT_BACK}", "good")
        return {
            **choose(kind, shown, back.run or back.name),
            w.undone: said,
            w.undo: gr.Button(visible=False),
            w.deleted: "",
        }

    @guarded(w.message)
    def undo(kind: str, shown: int, _: str, deleted: str) -> Updates:
        return restore(kind, shown, deleted)

    @guarded(w.message)
    def bring_back(kind: str, shown: int, _: str, event: gr.EventData) -> Updates:
        return restore(kind, shown, str(event.run))

    @guarded(w.message)
    def empty() -> Updates:
        trash.empty(workspace)
        nothing = {w.deleted: "", w.undone: "", w.undo: gr.Button(visible=False)}
        return {**_trash(frame.snapshot(), w), **nothing}

    @guarded(w.message)
    def stop(chosen: str) -> Updates:
        if run := entry_of(chosen).run:
            launcher.stop(run)
        return {}

    @guarded(w.message)
    def show(chosen: str) -> Updates:
        run = entry_of(chosen).run
        return {frame.tabs: gr.Tabs(selected=TAB_OF[run.kind] if run else "predict")}

    frame.in_address("history", Handler(from_address, reads, outputs))
    w.table.select(pick, reads, outputs, **QUIET)
    w.rename.click(give_name, [*reads, w.name], outputs, **QUIET)
    w.name.submit(give_name, [*reads, w.name], outputs, **QUIET)
    w.delete.click(ask, w.chosen, [w.message, w.goes, w.confirm], **QUIET)
    w.no.click(lambda: gr.Column(visible=False), outputs=w.confirm, **QUIET)
    w.yes.click(delete, reads, outputs, **QUIET)
    w.undo.click(undo, [*reads, w.deleted], outputs, **QUIET)
    w.trash.select(bring_back, reads, outputs, **QUIET)
    w.empty.click(lambda: gr.Column(visible=True), outputs=w.sure, **QUIET)
    w.empty_no.click(lambda: gr.Column(visible=False), outputs=w.sure, **QUIET)
    w.empty_yes.click(empty, outputs=w.all, **QUIET)
    w.stop.click(stop, w.chosen, w.message, **QUIET)
    w.show.click(show, w.chosen, [frame.tabs, w.message], **QUIET)


def _draw() -> HistoryWidgets:
    shown, chosen, deleted = gr.State(view.PAGE), gr.State(""), gr.State("")
    message = html.place("", elem_id="history-message")
    with gr.Row(elem_classes="dg-undo"):
        undone = html.place("", elem_id="history-undone")
        undo = gr.Button(history_text.UNDO, visible=False, size="sm", scale=0, min_width=110, elem_id="history-undo")
    with gr.Row():
        with gr.Column(scale=9, min_width=340, elem_classes="dg-panel"):
            with gr.Row(elem_classes="dg-controls"):
                kind = gr.Dropdown(
                    [(history_text.ALL, "")], value="", label=history_text.KIND, elem_id="history-kind", scale=1
                )
                short = html.place("", elem_id="history-short")
            table = html.place("", js_on_load=theme.script("runs"), elem_id="history-table")
            more = gr.Button(history_text.MORE, visible=False, size="sm", elem_id="history-more")
        with gr.Column(scale=4, min_width=320, elem_classes="dg-panel dg-aside", elem_id="history-chosen"):
            about = html.place(html.small(history_text.CHOOSE), elem_id="history-about")
            with gr.Column(visible=False) as actions:
                with gr.Row(elem_classes="dg-actions"):
                    show = gr.Button(history_text.OPEN, size="sm", elem_id="history-show")
                    stop = gr.Button(history_text.STOP, variant="stop", size="sm", elem_id="history-stop")
                name = gr.Textbox(
                    "",
                    label=history_text.NAME,
                    info=history_text.NAME_HINT,
                    max_lines=1,
                    elem_id="history-name",
                )
                refused = html.place("", elem_id="history-refused")
                with gr.Row(elem_classes="dg-actions"):
                    rename_button = gr.Button(history_text.RENAME, size="sm", elem_id="history-rename")
                    delete = gr.Button(history_text.DELETE, size="sm", elem_id="history-delete")
                with gr.Column(visible=False) as confirm:
                    goes = html.place("", elem_id="history-goes")
                    with gr.Row(elem_classes="dg-actions"):
                        yes = gr.Button(history_text.DELETE_YES, variant="stop", size="sm", elem_id="history-yes")
                        no = gr.Button(history_text.DELETE_NO, size="sm", elem_id="history-no")
    with (
        gr.Column(elem_classes="dg-panel"),
        gr.Accordion(history_text.TRASH, open=False, elem_id="history-trash-fold", elem_classes="dg-fold"),
    ):
        bin_table = html.place("", js_on_load=theme.script("runs"), elem_id="history-trash")
        with gr.Row(elem_classes="dg-actions"):
            empty = gr.Button(history_text.EMPTY_TRASH, size="sm", visible=False, elem_id="history-empty")
        with gr.Column(visible=False) as sure:
            html.place(html.note(history_text.EMPTY_SURE, "warn"))
            with gr.Row(elem_classes="dg-actions"):
                empty_yes = gr.Button(history_text.EMPTY_YES, variant="stop", size="sm", elem_id="history-empty-yes")
                empty_no = gr.Button(history_text.EMPTY_NO, size="sm", elem_id="history-empty-no")
    return HistoryWidgets(
        message=message,
        undone=undone,
        undo=undo,
        kind=kind,
        short=short,
        table=table,
        more=more,
        about=about,
        actions=actions,
        name=name,
        refused=refused,
        rename=rename_button,
        show=show,
        stop=stop,
        delete=delete,
        confirm=confirm,
        goes=goes,
        yes=yes,
        no=no,
        trash=bin_table,
        empty=empty,
        sure=sure,
        empty_yes=empty_yes,
        empty_no=empty_no,
        shown=shown,
        chosen=chosen,
        deleted=deleted,
    )


def _follow(
    now: Snapshot, seen: Stamp | None, w: HistoryWidgets, kind: str | None, shown: int, chosen: str
) -> tuple[Stamp, Updates] | None:
    """What changed since `seen`: the entries, the sizes that are known, the trash, and what is chosen."""
    found = view.entries(now)
    known = view.measure_few(view.of_kind(found, kind or "")[:shown], now.workspace)
    entry = next((entry for entry in found if entry.id == chosen), None)
    listed = tuple((entry.id, entry.name, entry.status) for entry in found)
    stamp = (listed, known, file_stamp(now.workspace.trash), chosen, entry and (entry.status, entry.name))
    if stamp == seen:
        return None
    updates: Updates = {}
    if seen is None or seen[:2] != stamp[:2]:
        updates |= _listing(now, found, w, kind, shown, chosen)
    if seen is None or seen[2] != stamp[2]:
        updates |= _trash(now, w)
    if chosen and seen is not None and (entry is None or seen[3:] != stamp[3:]):
        panel = _panel(now, entry, w, gone=entry is None)
        if entry is not None:  # a question that is open stays open, and so does a refusal
            panel = {widget: news for widget, news in panel.items() if widget not in (w.confirm, w.refused)}
        updates |= panel
    return stamp, updates


def _listing(
    now: Snapshot, found: list[HistoryEntry], w: HistoryWidgets, kind: str | None, shown: int, chosen: str
) -> Updates:
    offered = view.kinds(found)
    kind = kind if kind in [value for _, value in offered] else ""  # the last one of a kind was deleted
    mine = view.of_kind(found, kind)
    nothing = history_text.EMPTY_KIND if found else history_text.EMPTY
    return {
        w.kind: gr.Dropdown(offered, value=kind),
        w.short: html.small(view.in_short(mine, shown, now.workspace)),
        w.table: view.table(mine[:shown], now, chosen) if mine else html.empty(nothing),
        w.more: gr.Button(visible=len(mine) > shown),
    }


def _panel(now: Snapshot, entry: HistoryEntry | None, w: HistoryWidgets, gone: bool = False) -> Updates:
    """What is chosen, and what can be done with it; what is typed as its name is left alone."""
    away = html.note(f"{history_text.GONE[0].upper()}{history_text.GONE[1:]}.", "warn")
    active = entry is not None and entry.status in store.ACTIVE
    return {
        w.about: view.about(entry, now) if entry else away if gone else html.small(history_text.CHOOSE),
        w.actions: gr.Column(visible=entry is not None),
        w.stop: gr.Button(visible=active),
        w.show: gr.Button(visible=True),
        w.confirm: gr.Column(visible=False),
        w.refused: "",
    }


def _trash(now: Snapshot, w: HistoryWidgets) -> Updates:
    return {
        w.trash: view.in_trash(now.workspace),
        w.empty: gr.Button(visible=now.workspace.trash.is_dir()),
        w.sure: gr.Column(visible=False),
    }
