"""One HTML file a run: complete in itself, written piece by piece, never over a file that is no report of this run."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from markupsafe import Markup

from core.boxes import BoxXyxy
from core.errors import UserError
from core.report import answers, cards, sections, trust, words
from core.report.about import ReportSubject, gather
from core.report.answers import Entry
from core.report.cards import CardGroup
from core.report.html import TEMPLATES
from core.report.pictures import Spool, fill
from core.runs.files import replace, writing
from core.runs.store import Run

MOST_PICTURES = 1500  # about 15 kB each in the file
# The first bytes of every report name its run; a file without them is somebody else's.
MARK = Markup('<meta name="damgui-run" content="{}">')
MARK_WITHIN = 4096
STYLE = Path(__file__).with_name("report.css")


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written.

    Attributes:
        path: its file.
        objects: of the run.
        pictures: in the report.
        left_out: objects that the report does not show; none of them is wrong, urgent or unsure.
        bytes: the size of the file.
    """

    path: Path
    objects: int
    pictures: int
    left_out: int
    bytes: int


@dataclass
class ReportPlan:
    """Which objects are shown where.

    Attributes:
        first: groups that come before the rest, each object with its picture.
        rest: all shown objects, photo by photo.
        pictured: offsets of the entries that get a picture.
        left_out: the number of objects that are not shown.
        unreadable: photos that could not be read; filled while pictures are cut out.
    """

    first: list[CardGroup]
    rest: list[CardGroup]
    pictured: set[int]
    left_out: int
    unreadable: list[str] = field(default_factory=list)


def default_path(run: Run) -> Path:
    """Where a run's report lies in its workspace unless another file is given."""
    return run.workspace.report(run.id)


def require_own_report(path: Path, run: Run) -> None:
    """Refuse a path that cannot take this run's report.

    Raises:
        UserError: it is a folder, or a file that is no report of this run.
    """
    fix = "Choose another file with --out."
    if path.is_dir():
        raise UserError("this is a folder, not a file", str(path), fix, "report")
    if not path.exists():
        return
    with writing(path), path.open("rb") as stream:
        begin = stream.read(MARK_WITHIN).decode("utf-8", errors="replace")
    if MARK.format(run.id) not in begin:
        raise UserError("another file is already there, and it is no report of this run", str(path), fix, "report")


def write(run: Run, path: Path | None = None, most_pictures: int = MOST_PICTURES) -> WrittenReport:
    """Make the report of a run.

    Args:
        run: a baseline, an evaluation or a batch.
        path: of the HTML file; None for the one in its workspace.
        most_pictures: how many pictures it may hold: mistakes, faults and unsure answers first.

    Raises:
        UserError: the run has no results, another file would be written over, or the disk does not take the report.
    """
    subject, path = gather(run), (path or default_path(run)).expanduser().absolute()
    require_own_report(path, run)
    entries = answers.index(run.predictions)
    plan = make_plan(subject, entries, most_pictures)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    spool = Spool()
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with run.predictions.open("rb") as lines, beside.open("w", encoding="utf-8") as out:
                plan.unreadable += fill(spool, subject.root, _boxes(lines, entries, plan.pictured))
                for piece in _pieces(subject, plan, lines, spool):
                    out.write(piece)
            replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
        spool.close()
    return WrittenReport(path, len(entries), len(spool.places), plan.left_out, path.stat().st_size)


def make_plan(subject: ReportSubject, entries: Sequence[Entry], most_pictures: int) -> ReportPlan:
    """Decide what is shown: mistakes, faults and unsure answers; of the others as many as pictures are left for.

    Args:
        subject: what the report is about.
        entries: every object of the run.
        most_pictures: how many pictures the report may hold.
    """
    if subject.kind == "batch":
        first = cards.most_urgent(entries, subject.urgent)
    else:
        first = cards.mistakes(entries, subject.taxonomy)
        unsure = sorted(
            (entry for entry in entries if entry.unsure and not entry.wrong), key=lambda entry: entry.confidence
        )
        first += [CardGroup("Right, but unsure", unsure)] if unsure else []
    ahead = [entry.offset for group in first for entry in group.entries]
    special = set(ahead)
    others = [entry.offset for entry in entries if entry.offset not in special]
    pictured = set([*ahead, *others][:most_pictures])
    shown = [entry for entry in entries if entry.offset in special or entry.offset in pictured]
    return ReportPlan(first, cards.by_photo(shown), pictured, len(entries) - len(shown))


def _boxes(lines: BinaryIO, entries: Sequence[Entry], pictured: set[int]) -> dict[str, list[tuple[int, BoxXyxy]]]:
    """{photo: [(offset, box in pixels)]} of the objects that get a picture."""
    found: dict[str, list[tuple[int, BoxXyxy]]] = defaultdict(list)
    for entry in entries:
        box = answers.read(lines, entry).get("box_xyxy_px") if entry.offset in pictured else None
        if box is not None and len(box) == 4:
            x1, y1, x2, y2 = (float(value) for value in box)
            found[entry.image].append((entry.offset, (x1, y1, x2, y2)))
    return found


def _pieces(subject: ReportSubject, plan: ReportPlan, lines: BinaryIO, spool: Spool) -> Iterator[str]:
    return TEMPLATES.pieces(
        "report.html",
        mark=MARK.format(subject.run.id),
        title=f"{words.KINDS[subject.kind]} {subject.run.id}",
        style=STYLE.read_text(encoding="utf-8"),
        pieces=_sections(subject, plan, lines, spool),
    )


def _sections(subject: ReportSubject, plan: ReportPlan, lines: BinaryIO, spool: Spool) -> Iterator[Markup]:
    """The report from top to bottom; its objects one at a time."""
    yield sections.opening(subject)
    yield sections.data_and_model(subject)
    yield sections.limits(subject)
    if subject.kind != "batch":
        yield sections.scores(subject)
    yield trust.calibration(subject)
    yield from map(Markup, _first(subject, plan, lines, spool))
    yield from map(Markup, _rest(subject, plan, lines, spool))
    yield sections.settings(subject)
    yield sections.terms()


@dataclass(frozen=True)
class ShownGroup:
    """A group as its template takes it: each card is made when it is written."""

    title: str | Markup
    count: int
    cards: Iterable[Markup]


def _first(subject: ReportSubject, plan: ReportPlan, lines: BinaryIO, spool: Spool) -> Iterator[str]:
    def drawn(group: CardGroup) -> Iterator[Markup]:
        for entry in group.entries:
            yield cards.card(
                answers.read(lines, entry), spool.get(entry.offset), subject.taxonomy, True, anchor=f"o{entry.offset}"
            )

    batch = subject.kind == "batch"
    return TEMPLATES.pieces(
        "objects.html",
        title="Most urgent" if batch else "Mistakes",
        note=words.URGENT_NOTE if batch else words.MISTAKES_NOTE,
        none_there="No object was called faulty or unsure." if batch else "None: every object was judged right.",
        groups=(ShownGroup(group.title, len(group.entries), drawn(group)) for group in plan.first),
    )


def _rest(subject: ReportSubject, plan: ReportPlan, lines: BinaryIO, spool: Spool) -> Iterator[str]:
    special = {entry.offset for group in plan.first for entry in group.entries}

    def drawn(group: CardGroup) -> Iterator[Markup]:
        for entry in group.entries:
            row = answers.read(lines, entry)
            if entry.offset in special:
                yield cards.pointer(row, subject.taxonomy, f"o{entry.offset}")
            else:
                yield cards.card(row, spool.get(entry.offset), subject.taxonomy, False)

    return TEMPLATES.pieces(
        "objects.html",
        title="All objects, photo by photo",
        note=_omissions(plan),
        none_there="",
        groups=(ShownGroup(cards.photo_name(group.title), len(group.entries), drawn(group)) for group in plan.rest),
    )


def _omissions(plan: ReportPlan) -> str:
    """What is not shown, and where to find it."""
    sentences = []
    if plan.left_out:
        sentences.append(
            f"{plan.left_out:,} further objects are left out to keep this file small; none of them is a mistake, "
            "urgent or unsure. All are in predictions.jsonl in the run's folder."
        )
    if plan.unreadable:
        names = ", ".join(plan.unreadable[:5]) + (" …" if len(plan.unreadable) > 5 else "")
        sentences.append(
            f"The photos of some objects could not be read any more, so their pictures are missing: {names}."
        )
    return " ".join(sentences) or "Every object that was judged. Pictures that are shown above are not shown twice."


def outcome(report: WrittenReport) -> dict[str, Any]:
    """What `damgui report --json` prints, as plain values."""
    return {
        "path": str(report.path),
        "objects": report.objects,
        "pictures": report.pictures,
        "left_out": report.left_out,
        "bytes": report.bytes,
    }
