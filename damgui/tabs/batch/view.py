"""A judged folder for the page: how far it is, what it came to, the table of answers, the annotated photos."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from core import units
from core.conditions import UNSURE_SIGN, Condition
from core.errors import UserError
from core.records import PredictionRow
from core.report.about import gather
from core.report.annotate import annotated_name
from core.report.answers import Entry, confidence, index, read, shown_condition
from core.runs.files import file_stamp, read_json
from core.runs.store import Run
from core.taxonomy import Taxonomy
from damgui import run_state, text
from damgui.components import html
from damgui.components.photos import annotated
from damgui.components.photos import gallery as photo_gallery
from damgui.markup import TEMPLATES
from damgui.run_state import RunState

_BATCH = TEMPLATES.macros("batch.html")
ROWS, PHOTOS = 20, 12  # shown at first, and how many more each time


def progress(found: RunState) -> Markup:
    """A batch at work, or why it is over."""
    if not found.active:
        stopped = html.note(text.BATCH_STOPPED) if found.status == "stopped" else ""
        return html.live(found, html.ended(found), stopped, html.warnings(found))
    pace, event = run_state.baseline_progress(found), found.last.get("progress")
    stage = text.STOPPING if found.stopping else run_state.stage(found)
    if pace is None or event is None:
        return html.live(found, html.working(stage or text.STARTING), html.warnings(found))
    facts = [
        ("Photos", f"{pace.done:,} of {pace.total:,}"),
        ("Objects", units.count(int(event.get("objects") or 0))),
        ("Speed", units.rate(pace.per_s, "photo")),
        (text.TIME_LEFT, units.duration(pace.left_s)),
    ]
    bar = html.bar(pace.share, "Progress")
    return html.live(found, bar, html.facts(facts), html.stage(stage), html.warnings(found))


def summary(run: Run) -> str:
    """How many objects have which condition, and how many are unsure; "" before anything was judged."""
    found = read_json(run.results)
    if not found:
        return ""
    counts = taxonomy(run).shown_counts(found["conditions"], found.get("classes") or {})
    unsure, figures = found.get("unsure"), []
    if unsure:
        label = f"{UNSURE_SIGN} {text.UNSURE_SHORT}"
        figures.append(html.figure(units.count(unsure["count"]), label, text.BATCH_UNSURE_HINT))
    figures.append(html.figure(units.count(found["objects"]), "Objects", f"on {found['photos']:,} photos"))
    notes = [html.note(text.BATCH_WHOLE, "warn")] if found.get("whole_photos") else []
    if not unsure:
        notes.append(html.note(text.BATCH_UNCALIBRATED))
    return _BATCH.summary(list(counts.items()), figures, html.joined(notes))


def taxonomy(run: Run) -> Taxonomy:
    """What the run was asked and how its answers are shown."""
    return _taxonomy(run, file_stamp(run.results))


@lru_cache(maxsize=4)
def _taxonomy(run: Run, _changed: tuple[int, int]) -> Taxonomy:
    return gather(run).taxonomy


def urgent(run: Run) -> tuple[Entry, ...]:
    """Every answer, most urgent first: the gravest condition, then the others, then unsure ones, the surest first."""
    return _urgent(run, file_stamp(run.predictions)) if run.predictions.is_file() else ()


@lru_cache(maxsize=4)
def _urgent(run: Run, _changed: tuple[int, int]) -> tuple[Entry, ...]:
    order = {name: place for place, name in enumerate(taxonomy(run).alarming[::-1])}

    def rank(entry: Entry) -> tuple[int, float]:
        if entry.condition in order:
            return order[entry.condition], -entry.confidence
        return (len(order), entry.confidence) if entry.unsure else (len(order) + 1, entry.confidence)

    return tuple(sorted(index(run.predictions), key=rank))


def table(run: Run, most: int) -> Markup:
    """The first answers as a table."""
    with run.predictions.open("rb") as lines:
        return _BATCH.table([_line(read(lines, entry), taxonomy(run)) for entry in urgent(run)[:most]])


def _line(row: PredictionRow, known: Taxonomy) -> tuple[Condition, str, bool, str, str, str, int]:
    """Condition, object type, whether that was guessed, how sure, unsure, photo and number."""
    return (
        shown_condition(row, known),
        str(row.get("object_type") or row.get("predicted_type") or ""),
        not row.get("object_type"),
        units.probability(confidence(row)) if int(row["choices"]) > 1 else text.BATCH_ONE_ANSWER,
        f"{UNSURE_SIGN} {text.UNSURE_SHORT}" if row.get("unsure") else "",
        str(row["image"]),
        int(row["object"]) + 1,
    )


def photos(run: Run) -> list[tuple[str, Counter[Condition]]]:
    """(photo, how many of each condition) of all photos, those with the most urgent objects first."""
    found: dict[str, Counter[Condition]] = {}
    for entry in urgent(run):
        found.setdefault(entry.image, Counter())[taxonomy(run).of_class(entry.predicted_class)] += 1
    return list(found.items())


def gallery(run: Run, most: int) -> str:
    """Annotated photos, small; a click on nothing is needed to read them: the words stand below each."""
    cards = [card for name, counts in photos(run)[:most] if (card := _card(run, name, counts))]
    return photo_gallery(cards, "dg-wide") if cards else ""


def _card(run: Run, name: str, counts: Counter[Condition]) -> str:
    """The picture with its boxes; "" for a photo that was not drawn, or cannot be read any more."""
    try:
        return annotated(run.folder / "annotated" / annotated_name(name), counts, name)
    except UserError:
        return ""


def can_resume(found: RunState | None) -> bool:
    return found is not None and found.left_off and "progress" in found.last


def file_of(run: Run, name: str) -> Path | None:
    path = run.folder / name
    return path if path.is_file() else None
