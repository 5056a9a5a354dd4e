"""Compare: baseline against tuned on the same photos: the difference, class by class, and object by object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from core.runs import launcher, store
from core.settings import merge
from damgui import charts, live, parts, reports, results, text
from damgui.frame import LONG, QUIET, Frame, Updates, guarded
from damgui.live import Stamp, Tuned
from damgui.results import Row, Shown
from damgui.text import escape

SPLIT = "valid"


def build(frame: Frame) -> None:
    parts.html(parts.heading(text.TAB_COMPARE, text.COMPARE_LEAD))
    with gr.Row(elem_classes="dg-actions dg-panel dg-chooser", visible=False) as chooser:
        chosen = gr.Dropdown([], label=text.TUNED_MODEL, elem_id="compare-model", interactive=True, scale=3)
        judge = gr.Button(text.COMPARE_JUDGE, variant="primary", elem_id="compare-judge", scale=0, min_width=220)
        stop = gr.Button(text.COMPARE_STOP, variant="stop", visible=False, elem_id="compare-stop", scale=0)
    message = parts.html("", elem_id="compare-message")
    state = parts.html("", elem_id="compare-state")
    with gr.Row(elem_classes="dg-actions"):
        to_baseline = gr.Button(
            "Go to the baseline", visible=False, elem_id="compare-go-baseline", scale=0, min_width=200
        )
        to_training = gr.Button(
            "Go to fine-tuning", visible=False, elem_id="compare-go-training", scale=0, min_width=200
        )
    headline = parts.html("", elem_id="compare-headline")
    with gr.Column(visible=False, elem_id="compare-results") as box:
        with gr.Column(elem_classes="dg-panel"):
            parts.html(parts.section(text.DIFFERENCE_CHART))
            chart = charts.component("compare-chart", text.DIFFERENCE_CHART)
        with gr.Column(elem_classes="dg-panel"):
            changes = parts.html("", elem_id="compare-changes")

    @guarded(message)
    def begin(name: str | None) -> Updates:
        tuned = _tuned(frame, name)
        if tuned is not None:
            launcher.begin(frame.workspace, _settings(frame, tuned), "evaluate", tuned.name)
        return {}

    @guarded(message)
    def end() -> Updates:
        found = live.latest(frame.workspace, "evaluate")
        if found is not None:
            launcher.stop(found.run)
        return {}

    def draw(name: str | None) -> Updates:
        tuned, busy = _tuned(frame, name), live.at_work(frame.workspace)
        base = results.load(frame.workspace, frame.workspace.zeroshot_results)
        after = results.load(frame.workspace, frame.workspace.evaluation(str(tuned.path), SPLIT)) if tuned else None
        running = busy is not None and busy.run.kind == "evaluate"
        updates: Updates = {
            chooser: gr.Row(visible=tuned is not None), state: _state(frame, base, tuned, after),
            judge: gr.Button(visible=tuned is not None, interactive=busy is None,
                             variant="secondary" if after else "primary"),
            stop: gr.Button(visible=running), to_baseline: gr.Button(visible=base is None),
            to_training: gr.Button(visible=base is not None and tuned is None),
            box: gr.Column(visible=bool(base and after)),
        }  # fmt: skip
        if base is None or after is None:
            return {**updates, headline: ""}
        order = base.order
        figure = charts.dumbbell(base.results["per_class"], after.results["per_class"], order)
        return {
            **updates,
            headline: _headline(base, after),
            chart: charts.to_json(figure),
            changes: _changes(base, after),
        }

    def refresh(seen: Stamp | None, name: str | None) -> tuple[Stamp, Updates] | None:
        names = tuple(tuned.name for tuned in live.tuned_models(frame.workspace))
        judged = live.latest(frame.workspace, "evaluate")
        busy = live.at_work(frame.workspace)
        written = tuple(
            results.changed(frame.workspace.evaluation(str(frame.workspace.final(name)), SPLIT)) for name in names
        )
        stamp = (names, written, judged and judged.stamp, busy and busy.run.id,
                 results.changed(frame.workspace.zeroshot_results))  # fmt: skip
        if stamp == seen:
            return None
        if seen is not None and seen[0] == names:
            return stamp, draw(name)
        first = names[0] if names else None
        return stamp, {chosen: gr.Dropdown(list(names), value=first), **draw(first)}

    outputs = [chooser, state, judge, stop, to_baseline, to_training, headline, box, chart, changes]
    frame.watch(refresh, chosen, *outputs, reads=(chosen,))
    chosen.input(draw, chosen, outputs, **QUIET)
    judge.click(
        lambda: (gr.Button(interactive=False), parts.waiting(text.STARTING)), outputs=[judge, state], **QUIET
    ).then(begin, chosen, message, **LONG).then(draw, chosen, outputs, **QUIET)
    stop.click(end, outputs=message, **QUIET)
    frame.jump(to_baseline, "baseline")
    frame.jump(to_training, "training")
    reports.report_button(frame, "compare", "evaluate", "baseline")


def _tuned(frame: Frame, name: str | None) -> Tuned | None:
    """The tuned model of this name; the newest when there is none of it."""
    found = live.tuned_models(frame.workspace)
    return next((tuned for tuned in found if tuned.name == name), found[0] if found else None)


def _settings(frame: Frame, tuned: Tuned) -> Any:
    """The settings to judge a tuned model: the data its training used, on the validation photos."""
    settings = store.settings_for_model(str(tuned.path))
    run = store.latest(frame.workspace, "train", tuned.name)
    if run is not None:
        settings = replace(settings, data=run.settings().data)
    return merge(settings, {"data.split": SPLIT, "data.limit": 0})


def _state(frame: Frame, base: Shown | None, tuned: Tuned | None, after: Shown | None) -> str:
    judged = live.latest(frame.workspace, "evaluate")
    said = parts.judging(judged) if judged and (judged.active or judged.status in ("failed", "crashed")) else ""
    if base is None:
        said += parts.empty(text.COMPARE_NO_BASELINE)
    elif tuned is None:
        said += parts.empty(text.COMPARE_NO_TUNED)
    elif after is None and not (judged and judged.active):
        said += parts.empty(f"{tuned.name} {text.COMPARE_NOT_JUDGED}")
    if base and after and _data(base) != _data(after):
        said += parts.note(text.COMPARE_OTHER_DATA, "warn")
    return said


def _data(shown: Shown) -> tuple[Any, Any]:
    about = shown.results.get("data") or {}
    return about.get("fingerprint"), about.get("split")


def _headline(base: Shown, after: Shown) -> str:
    """Both numbers and their difference in points."""
    old, new = base.results, after.results
    gain = new["overall_accuracy"] - old["overall_accuracy"]
    tone = "dg-up" if gain > 0 else "dg-down" if gain < 0 else ""
    cells = [
        _number(old, text.BEFORE, "compare-before"),
        f'<div class="dg-arrow" aria-hidden="true">→</div>{_number(new, text.AFTER, "compare-after")}',
        f'<div class="dg-gain {tone}" id="compare-gain"><span class="dg-big">{text.points(gain)}</span>'
        f"<strong>points</strong><p>macro-F1 {old['macro_f1']:.2f} → {new['macro_f1']:.2f}</p></div>",
    ]
    return f'<div class="dg-headline dg-versus">{"".join(cells)}</div>'


def _number(found: dict[str, Any], label: str, elem_id: str) -> str:
    return (
        f'<div class="dg-score" id="{elem_id}"><div><span class="dg-label">{escape(label)}</span>'
        f'<span class="dg-big" data-accuracy="{found["overall_accuracy"]:.6f}">{100 * found["overall_accuracy"]:.1f}'
        f"<small>%</small></span><p>{found['correct']} of {found['total']} right</p>"
        f"<p>{escape(parts.interval(found, 'accuracy_interval'))}</p></div></div>"
    )


def _changes(base: Shown, after: Shown) -> str:
    """Objects that only one of the two judged right."""
    before = {(row["image"], row["object"]): row for row in base.rows}
    pairs = [(before[key], row) for row in after.rows if (key := (row["image"], row["object"])) in before]
    fixed = [pair for pair in pairs if not results.right(pair[0]) and results.right(pair[1])]
    broken = [pair for pair in pairs if results.right(pair[0]) and not results.right(pair[1])]
    return _group(text.FIXED, fixed, text.NONE_FIXED, after) + _group(text.BROKEN, broken, text.NONE_BROKEN, after)


def _group(title: str, pairs: Sequence[tuple[Row, Row]], none: str, shown: Shown) -> str:
    cards = []
    for old, new in pairs[: results.PAGE]:
        lines = [("Truth", new["truth"], ""), ("Before", old["predicted"], ""), ("After", new["predicted"], "")]
        cards.append(results.card(shown.root, new, lines))
    more = f"the first {results.PAGE} of {len(pairs)}" if len(pairs) > results.PAGE else f"{len(pairs)}"
    body = "".join(cards)
    return parts.section(title, more) + (
        f'<div class="dg-gallery">{body}</div>' if cards else f'<p class="dg-small">{escape(none)}</p>'
    )
