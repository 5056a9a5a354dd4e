"""The parts of a report that come before and after the pictures, as HTML texts. Every word of the user's is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from core.metrics.flights import TOO_FEW_FLIGHTS
from core.metrics.reference_points import label_of
from core.report import sentences, svg, words
from core.report.about import ReportSubject
from core.report.palette import condition_fill, condition_mark
from core.report.svg import Dot, percent
from core.settings import FIELDS, to_flat


def badge(condition: str) -> str:
    """The condition's mark, colour and word: never colour alone."""
    mark, fill = condition_mark(condition), condition_fill(condition)
    return f'<span class="badge" style="--c:{fill}"><i>{mark}</i>{escape(condition)}</span>'


def facts(pairs: Iterable[tuple[str, Any]]) -> str:
    shown = [(name, value) for name, value in pairs if value not in (None, "")]
    cells = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in shown)
    return f'<dl class="facts">{cells}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], look: str = "") -> str:
    """`rows` are HTML cells, the first of each row is its head."""
    top = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{one}</td>" for one in rest)}</tr>' for first, *rest in rows
    )
    return f'<table class="{look}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>'


def section(title: str, body: str, note: str = "", look: str = "") -> str:
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section class="{look}"><h2>{escape(title)}</h2>{said}{body}</section>\n'


def listed(sentences_: Sequence[str], look: str = "") -> str:
    return f'<ul class="{look}">{"".join(f"<li>{escape(one)}</li>" for one in sentences_)}</ul>' if sentences_ else ""


def opening(about: ReportSubject) -> str:
    """Title, date, the headline and what it warns of."""
    results = about.results
    if about.kind == "batch":
        said, big = sentences.batch_headline(results), _counts(results)
    else:
        said = sentences.headline(results)
        big = f'<p class="big">{100 * results["overall_accuracy"]:.1f}<small> % of the objects judged right</small></p>'
    warned = sentences.warnings(results)
    return (
        f'<header><p class="kind">{escape(words.KINDS[about.kind])}</p><h1>{escape(_title(about))}</h1>'
        f'<p class="date">{escape(about.date)} · run <code>{escape(about.run.id)}</code></p></header>'
        f'<section class="headline">{big}<p>{escape(said)}</p>{listed(warned, "warned")}</section>\n'
    )


def _title(about: ReportSubject) -> str:
    model = about.results.get("model") or {}
    name = str(model.get("adapter") or model.get("path") or "model").rstrip("/").rsplit("/", 1)[-1]
    data = str((about.results.get("data") or {}).get("path") or "").rstrip("/").rsplit("/", 1)[-1]
    return f"{name.removesuffix('_final')} on {'the sample photos' if data == 'demo' else data}"


def _counts(results: Mapping[str, Any]) -> str:
    cells = "".join(
        f"<div><b>{int(number):,}</b>{badge(name)}</div>" for name, number in (results.get("conditions") or {}).items()
    )
    unsure = results.get("unsure")
    if isinstance(unsure, Mapping):
        cells += f'<div><b>{int(unsure["count"]):,}</b><span class="badge unsure"><i>?</i>unsure</span></div>'
    return f'<div class="counts">{cells}</div>'


def matter(about: ReportSubject) -> str:
    """What data was judged by what model."""
    data, model = about.results.get("data") or {}, about.results.get("model") or {}
    split = words.SPLITS.get(str(data.get("split") or ""), "")
    parameters = model.get("parameters")
    adapter = model.get("adapter") or "none: the model as it is"
    asked = "class (type and condition)" if about.settings.question.kind == "class" else "condition of a known type"
    what = [
        ("Photos from", data.get("path")),
        ("Part", split),
        ("Photos", number(data.get("photos"))),
        ("Objects", number(data.get("objects"))),
        ("Data fingerprint", str(data.get("fingerprint") or "")[:16]),
    ]
    by = [
        ("Model", model.get("path")),
        ("LoRA adapter", adapter),
        ("Model fingerprint", model.get("fingerprint")),
        ("Parameters", number(parameters)),
        ("Asked for", "" if about.kind == "batch" else asked),
        ("Took", f"{float(about.results.get('seconds') or 0):.0f} s"),
    ]
    body = f'<div class="two"><div><h3>Data</h3>{facts(what)}</div><div><h3>Model</h3>{facts(by)}</div></div>'
    return section("What was judged, by what", body)


def number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def cannot_say(about: ReportSubject) -> str:
    told = sentences.limits(about.results, about.kind)
    told[1:1] = [sentences.known_score(about.evaluated)] if about.evaluated else []
    return section("What this report cannot say", listed(told), look="limits")


def scores(about: ReportSubject) -> str:
    """Scores and reference points, classes, conditions, confusion."""
    results = about.results
    chart = svg.interval_dots(_dots(results), "Scores and reference points with 95 % intervals")
    notes = [
        f"{label_of(name, one)}: {one['note']}"
        for name, one in (results.get("references") or {}).items()
        if one.get("note")
    ]
    parts = section("Scores and what they must beat", chart + listed(notes, "small"), words.SCORES_SAY)
    parts += _classes(about)
    found = results.get("per_condition") or {}
    conditions = {name: found[name] for name in (*about.conditions, *found) if name in found}
    groups = _groups("By condition", "Condition", conditions, badge)
    groups += _groups("By object type", "Type", results.get("per_object_type") or {}, escape)
    parts += section("By condition and by object type", f'<div class="two">{groups}</div>')
    found = results.get("confusion") or {}
    if found.get("labels"):
        labels, counts = _ordered(found["labels"], found["counts"], about.class_names)
        parts += section("What was true, what was answered", svg.confusion(labels, counts), words.CONFUSION_SAYS)
    return parts


def _dots(results: Mapping[str, Any]) -> list[Dot]:
    """The model's own scores, then the accuracy of the reference points."""
    own = (
        ("Accuracy", "overall_accuracy", "accuracy_interval"),
        ("Balanced accuracy", "balanced_accuracy", "balanced_accuracy_interval"),
        ("Macro-F1", "macro_f1", "macro_f1_interval"),
    )
    dots = [
        Dot(label, float(results[key]), results.get(ends), main=True)
        for label, key, ends in own
        if results.get(key) is not None
    ]
    choice = results.get("with_choice") or {}
    if choice.get("accuracy") is not None and choice.get("total") != results.get("total"):
        dots.append(Dot("Accuracy where a choice exists", choice["accuracy"], choice.get("accuracy_interval"), True))
    references = results.get("references") or {}
    if not references and results.get("prior"):
        references = {"prior": results["prior"]}
    for name, one in references.items():
        if one.get("accuracy") is not None:
            dots.append(Dot(label_of(name, one), float(one["accuracy"]), one.get("accuracy_interval")))
    return dots


def _classes(about: ReportSubject) -> str:
    found = about.results.get("per_class") or {}
    order = [name for name in about.class_names if name in found] + [
        one for one in found if one not in about.class_names
    ]
    true = [name for name in order if found[name].get("total")]
    of = {name: condition_of(name, about.conditions) for name in order}
    rows = [
        (
            badge_of_class(name, of[name]),
            number(one.get("total")),
            recall(one),
            share(one.get("precision")),
            plain(one.get("f1")),
        )
        for name in order
        for one in [found[name]]
    ]
    body = svg.class_bars(found, true, of)
    body += table(("Class", "Support", "Recall", "Precision", "F1"), rows, "numbers")
    return section("Class by class", body, words.CLASSES_SAY)


def condition_of(class_name: str, conditions: Sequence[str]) -> str:
    return next((one for one in conditions if class_name.endswith(f" {one}")), class_name.rsplit(" ", 1)[-1])


def badge_of_class(name: str, condition: str) -> str:
    return f'<i class="mark" style="--c:{condition_fill(condition)}">{condition_mark(condition)}</i> {escape(name)}'


def recall(one: Mapping[str, Any]) -> str:
    ends = sentences.between(one.get("recall_interval"))
    if not ends and one.get("recall") is not None and "recall_interval" in one:
        ends = TOO_FEW_FLIGHTS
    return share(one.get("recall")) + (f"<small>{ends}</small>" if ends else "")


def share(value: Any) -> str:
    return "–" if value is None else percent(float(value))


def plain(value: Any) -> str:
    return "–" if value is None else f"{float(value):.2f}"


def _groups(title: str, first: str, found: Mapping[str, Mapping[str, Any]], name: Any) -> str:
    """A small table of right answers; macro-F1 and F1 where the results have them."""
    last = "F1" if any("f1" in one for one in found.values()) else "Macro-F1"
    key = "f1" if last == "F1" else "macro_f1"
    rows = [
        (
            name(kind),
            f"{one.get('correct', 0):,} of {one.get('total', 0):,}",
            share(one.get("accuracy")),
            plain(one.get(key)),
        )
        for kind, one in found.items()
    ]
    head = (first, "Right", "Share", last)
    return f"<div><h3>{escape(title)}</h3>{table(head, rows, 'numbers')}</div>"


def _ordered(labels: Sequence[str], counts: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[list[str], Any]:
    """Labels that occur, in the taxonomy's order, with their counts."""
    place = {name: number for number, name in enumerate(names)}
    order = sorted(range(len(labels)), key=lambda i: (place.get(labels[i], len(place)), labels[i]))
    used = [i for i in order if sum(counts[i]) or sum(row[i] for row in counts)]
    return [labels[i] for i in used], [[counts[i][j] for j in used] for i in used]


def settings(about: ReportSubject) -> str:
    """What differs from the defaults, versions, and the complete settings folded."""
    changed, everything = about.changed_settings, to_flat(about.settings)
    rows = [
        (
            f"<code>{escape(path)}</code>",
            f"<b>{escape(str(value))}</b>",
            escape(str(FIELDS[path].default)),
            escape(FIELDS[path].help),
        )
        for path, value in changed.items()
    ]
    body = table(("Setting", "Here", "Default", "What it does"), rows, "settings") if rows else "<p>None.</p>"
    whole = table(
        ("Setting", "Value"),
        [(f"<code>{escape(path)}</code>", escape(str(value))) for path, value in everything.items()],
        "settings",
    )
    made = about.made
    versions = [
        ("damgui", made.get("damgui")),
        ("Git commit", made.get("git_commit")),
        ("Python", made.get("python")),
        *(made.get("libraries") or {}).items(),
        ("System", made.get("platform")),
    ]
    return (
        section("Settings that differ from the defaults", body)
        + f"<section><details><summary>All {len(everything)} settings</summary>{whole}</details></section>"
        + section("Made with", facts(versions))
    )


def terms() -> str:
    cells = "".join(f"<div><dt>{escape(one)}</dt><dd>{escape(said)}</dd></div>" for one, said in words.TERMS.items())
    return section("Words", f'<dl class="terms">{cells}</dl>')
