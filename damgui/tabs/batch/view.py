"""A judged folder for the page: how far it is, what it came to, the table of answers, the annotated photos."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

from core import units
from core.errors import UserError
from core.report.about import gather
from core.report.annotate import annotated_name
from core.report.answers import Entry, Row, index, read, sureness
from core.report.palette import UNSURE_MARK
from core.runs.files import read_json
from core.runs.store import Run
from damgui import run_state, text
from damgui.components import html as parts
from damgui.components import photos as pictures
from damgui.run_state import RunState
from damgui.scores.results import changed
from damgui.text import escape

ROWS, PHOTOS = 20, 12  # shown at first, and how many more each time


def progress(found: RunState) -> str:
    """A batch at work, or why it is over."""
    if not found.active:
        stopped = parts.note(text.BATCH_STOPPED) if found.status == "stopped" else ""
        return f'<div class="dg-live">{parts.run_head(found)}{parts.ended(found)}{stopped}{parts.warnings(found)}</div>'
    pace, event = run_state.baseline_progress(found), found.last("progress")
    if pace is None or event is None:
        said = text.STOPPING if found.stopping else run_state.stage(found) or text.STARTING
        body = f'{parts.waiting(said)}<p class="dg-stage">{escape(said)}</p>'
    else:
        body = parts.bar(pace.share, "Progress") + parts.facts(
            [
                ("Photos", f"{pace.done:,} of {pace.total:,}"),
                ("Objects", f"{int(event.get('objects') or 0):,}"),
                ("Speed", units.rate(pace.per_s, "photo")),
                (text.TIME_LEFT, units.duration(pace.left_s)),
            ]
        )
        said = text.STOPPING if found.stopping else run_state.stage(found)
        body += f'<p class="dg-stage">{escape(said)}</p>'
    return f'<div class="dg-live">{parts.run_head(found)}{body}{parts.warnings(found)}</div>'


def summary(run: Run) -> str:
    """How many objects have which condition, and how many are unsure; "" before anything was judged."""
    found = read_json(run.results)
    if not found:
        return ""
    cells = "".join(
        f'<div class="dg-figure"><span class="dg-label">{parts.badge(name)}</span><span class="dg-value">{number:,}'
        f"</span></div>"
        for name, number in found["conditions"].items()
    )
    unsure = found.get("unsure")
    if unsure:
        cells += parts.figure(f"{unsure['count']:,}", f"{UNSURE_MARK} {text.UNSURE_SHORT}", text.BATCH_UNSURE_SAYS)
    cells += parts.figure(f"{found['objects']:,}", "Objects", f"on {found['photos']:,} photos")
    notes = parts.note(text.BATCH_WHOLE, "warn") if found.get("whole_photos") else ""
    if not unsure:
        notes += parts.note(text.BATCH_UNCALIBRATED)
    return f'<div class="dg-came">{parts.figures([cells])}{notes}</div>'


def urgent(run: Run) -> tuple[Entry, ...]:
    """Every answer, most urgent first: the gravest condition, then the others, then unsure ones, the surest first."""
    return _urgent(run, changed(run.predictions)) if run.predictions.is_file() else ()


@lru_cache(maxsize=4)
def _urgent(run: Run, _changed: tuple[int, int]) -> tuple[Entry, ...]:
    order = {name: place for place, name in enumerate(gather(run).urgent)}

    def rank(one: Entry) -> tuple[int, float]:
        if one.condition in order:
            return order[one.condition], -one.sure
        return (len(order), one.sure) if one.unsure else (len(order) + 1, one.sure)

    return tuple(sorted(index(run.predictions), key=rank))


def table(run: Run, most: int) -> str:
    """The first answers as a table."""
    head = "".join(f"<th scope='col'>{escape(one)}</th>" for one in text.BATCH_COLUMNS)
    with run.predictions.open("rb") as lines:
        rows = "".join(_line(read(lines, one)) for one in urgent(run)[:most])
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="dg-scroll"><table class="dg-answers">{body}</table></div>'


def _line(row: Row) -> str:
    kind = str(row.get("object_type") or row.get("predicted_type") or "")
    guessed = "" if row.get("object_type") else f" <small>{escape(text.BATCH_GUESSED)}</small>"
    unsure = f"{UNSURE_MARK} {text.UNSURE_SHORT}" if row.get("unsure") else ""
    sure = units.probability(sureness(row)) if int(row["choices"]) > 1 else text.BATCH_ONE_ANSWER
    return (
        f"<tr><td>{parts.badge(str(row['predicted']))}</td><td>{escape(kind)}{guessed}</td><td>{escape(sure)}</td>"
        f"<td>{escape(unsure)}</td><td><code>{escape(str(row['image']))}</code></td>"
        f"<td>{int(row['object']) + 1}</td></tr>"
    )


def photos(run: Run) -> list[tuple[str, Counter[str]]]:
    """(photo, how many of each condition) of all photos, those with the most urgent objects first."""
    found: dict[str, Counter[str]] = {}
    for one in urgent(run):
        found.setdefault(one.image, Counter())[one.condition] += 1
    return list(found.items())


def gallery(run: Run, most: int) -> str:
    """Annotated photos, small; a click on nothing is needed to read them: the words stand below each."""
    cards = [card for name, counts in photos(run)[:most] if (card := _card(run, name, counts))]
    return f'<div class="dg-gallery dg-wide">{"".join(cards)}</div>' if cards else ""


def _card(run: Run, name: str, counts: Counter[str]) -> str:
    path = run.folder / "annotated" / annotated_name(name)
    try:
        source = pictures.whole(path, pictures.ANNOTATED_PX)
    except (UserError, FileNotFoundError):
        return ""
    words = "".join(f"<li>{parts.badge(one, str(number), short=True)}</li>" for one, number in counts.most_common())
    about = ", ".join(f"{number} {one}" for one, number in counts.most_common())
    return (
        f'<figure class="dg-card"><div class="dg-photo"><img src="{source}" alt="{escape(f"{name}: {about}")}"></div>'
        f'<figcaption><ul class="dg-inline">{words}</ul><code>{escape(name)}</code></figcaption></figure>'
    )


def can_resume(found: RunState | None) -> bool:
    return found is not None and found.status in ("stopped", "failed", "crashed") and bool(found.last("progress"))


def file_of(run: Run, name: str) -> Path | None:
    path = run.folder / name
    return path if path.is_file() else None
