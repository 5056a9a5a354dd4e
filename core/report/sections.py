"""The parts of a report that come before and after the pictures: the values of their templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from core import units
from core.conditions import Condition
from core.metrics.flights import TOO_FEW_FLIGHTS
from core.metrics.reference_points import label_of, references_of
from core.report import sentences, svg, words
from core.report.about import ReportSubject
from core.report.html import TEMPLATES
from core.report.svg import Dot
from core.results import AlarmScore, LabelScore, Results
from core.settings import FIELDS, to_flat, words_of
from core.taxonomy import Taxonomy


@dataclass(frozen=True)
class ClassRow:
    """A line of the table of classes, its numbers as they are written."""

    name: str
    condition: Condition
    support: str
    recall: str
    interval: str
    precision: str
    f1: str


def opening(subject: ReportSubject) -> Markup:
    """Title, date, headline and warnings."""
    results, batch = subject.results, subject.kind == "batch"
    unsure = results.get("unsure")
    return TEMPLATES.render(
        "opening.html",
        kind=words.KINDS[subject.kind],
        title=_title(subject),
        date=subject.date,
        run=subject.run.id,
        headline=sentences.batch_headline(results, subject.taxonomy) if batch else sentences.headline(results),
        warnings=sentences.warnings(results),
        accuracy=results.get("overall_accuracy"),
        counts=_counts(subject) if batch else None,
        unsure=int(unsure["count"]) if isinstance(unsure, Mapping) else None,
    )


def _title(subject: ReportSubject) -> str:
    model = subject.results.get("model") or {}
    name = str(model.get("adapter") or model.get("path") or "model").rstrip("/").rsplit("/", 1)[-1]
    data = str((subject.results.get("data") or {}).get("path") or "").rstrip("/").rsplit("/", 1)[-1]
    return f"{name.removesuffix('_final')} on {'the sample photos' if data == 'demo' else data}"


def _counts(subject: ReportSubject) -> list[tuple[Condition, int]]:
    results = subject.results
    return list(subject.taxonomy.shown_counts(results.get("conditions") or {}, results.get("classes") or {}).items())


def data_and_model(subject: ReportSubject) -> Markup:
    """Which data and which model the report is about."""
    data, model = subject.results.get("data") or {}, subject.results.get("model") or {}
    split = words.SPLITS.get(str(data.get("split") or ""), "")
    parameters, seconds = model.get("parameters"), subject.results.get("seconds")
    known = sentences.taken_over(subject.results)
    adapter = model.get("adapter") or "none: the model as it is"
    question = (
        "class (type and condition)" if subject.settings.question.kind == "class" else "condition of a known type"
    )
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
        ("Asked for", "" if subject.kind == "batch" else question),
        ("Took", "" if seconds is None or known else units.duration(seconds)),
        ("Answers", known),
    ]
    return TEMPLATES.render("data_and_model.html", data=what, model=by)


def number(value: Any) -> str:
    """A whole number with thousands separated; "" for anything else."""
    return f"{value:,}" if isinstance(value, int) else ""


def limits(subject: ReportSubject) -> Markup:
    """What the report cannot say; for a run without truth also what the model scored on labelled photos."""
    found = sentences.limits(subject.results, subject.kind, subject.taxonomy)
    found[1:1] = [sentences.known_score(subject.evaluated)] if subject.evaluated else []
    return TEMPLATES.render("limits.html", sentences=found)


def scores(subject: ReportSubject) -> Markup:
    """Scores and reference points, classes, conditions, confusion."""
    results = subject.results
    notes = [
        f"{label_of(name, reference)}: {reference['note']}"
        for name, reference in references_of(results).items()
        if reference.get("note")
    ]
    per_class = results.get("per_class") or {}
    known = subject.taxonomy
    order = _known_first(per_class, known.class_names)
    found = results.get("per_condition") or {}
    confusion, types = results.get("confusion"), results.get("per_object_type") or {}
    matrix = (
        _ordered(confusion["labels"], confusion["counts"], known.class_names)
        if confusion and confusion["labels"]
        else None
    )
    observed = [kind for kind in known.observed if kind in types]
    return TEMPLATES.render(
        "scores.html",
        words=words,
        score_chart=svg.interval_dots(_dots(results), "Scores and reference points with 95 % intervals"),
        notes=notes,
        class_chart=svg.class_bars(per_class, [name for name in order if per_class[name].get("total")], known),
        classes=[_class_row(name, per_class[name], known) for name in order],
        conditions=[(known.condition(name), found[name]) for name in _known_first(found, known.conditions)],
        types=list(types.items()),
        groups_note=words.observed_note(observed, known.conditions[0]) if observed else "",
        confusion_chart=svg.confusion([known.shown_class(name) for name in matrix[0]], matrix[1]) if matrix else None,
    )


def _known_first(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The names that occur, in the taxonomy's order; those that it does not know come last."""
    return [name for name in names if name in found] + [name for name in found if name not in names]


def _dots(results: Results) -> list[Dot]:
    """The model's own scores, then the accuracy of the reference points."""
    own = [
        ("Accuracy", results.get("overall_accuracy"), results.get("accuracy_interval")),
        ("Balanced accuracy", results.get("balanced_accuracy"), results.get("balanced_accuracy_interval")),
        ("Macro-F1", results.get("macro_f1"), results.get("macro_f1_interval")),
    ]
    choice = results.get("with_choice")
    if choice and choice.get("total") != results.get("total"):
        own.append(("Accuracy where a choice exists", choice.get("accuracy"), choice.get("accuracy_interval")))
    dots = [Dot(label, float(score), ends, main=True) for label, score, ends in own if score is not None]
    for name, reference in references_of(results).items():
        if reference.get("accuracy") is not None:
            dots.append(
                Dot(label_of(name, reference), float(reference["accuracy"]), reference.get("accuracy_interval"))
            )
    return dots


def _class_row(name: str, figures: LabelScore, taxonomy: Taxonomy) -> ClassRow:
    return ClassRow(
        taxonomy.shown_class(name),
        taxonomy.of_class(name),
        support=number(figures.get("total")),
        recall=units.share(figures.get("recall")),
        interval=recall_ends(figures),
        precision=units.share(figures.get("precision")),
        f1=units.decimal(figures.get("f1")),
    )


def recall_ends(figures: LabelScore | AlarmScore) -> str:
    """The interval of a recall (`58.1–71.4 %`), or why there is none; `figures` are those of a class."""
    ends = units.interval(figures.get("recall_interval"), "–")
    missing = not ends and figures.get("recall") is not None and "recall_interval" in figures
    return TOO_FEW_FLIGHTS if missing else ends


def _ordered(labels: Sequence[str], counts: Sequence[Sequence[int]], names: Sequence[str]) -> tuple[list[str], Any]:
    """Labels that occur, in the taxonomy's order, with their counts."""
    place = {name: number for number, name in enumerate(names)}
    order = sorted(range(len(labels)), key=lambda i: (place.get(labels[i], len(place)), labels[i]))
    used = [i for i in order if sum(counts[i]) or sum(row[i] for row in counts)]
    return [labels[i] for i in used], [[counts[i][j] for j in used] for i in used]


def settings(subject: ReportSubject) -> Markup:
    """The settings that differ from the defaults, the versions, and all settings folded."""
    made = subject.made
    versions = [
        ("damgui", made.get("damgui")),
        ("Git commit", made.get("git_commit")),
        ("Python", made.get("python")),
        *(made.get("libraries") or {}).items(),
        ("System", made.get("platform")),
    ]
    return TEMPLATES.render(
        "settings.html",
        changed=[
            (FIELDS[path], _value(FIELDS[path].default), _value(value))
            for path, value in subject.changed_settings.items()
        ],
        everything=[(path, _value(value)) for path, value in to_flat(subject.settings).items()],
        versions=versions,
    )


def _value(value: Any) -> str:
    return words_of(value) if isinstance(value, dict) else str(value)


def terms() -> Markup:
    """The terms that a report uses, explained."""
    return TEMPLATES.render("terms.html", terms=words.TERMS)
