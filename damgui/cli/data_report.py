"""A data set and its review as lines for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from core.data.quality.findings import AMBER, GREEN, NOTE, RED, Finding, Review
from core.data.statistics import class_counts
from core.data.types import Dataset
from damgui import text

MARKS = {RED: "✕ red", AMBER: "! amber", GREEN: "✓ green", NOTE: "· note"}
WIDTH = 100
PHOTOS = 3  # named for each finding; --json names all


def lines_of(dataset: Dataset, review: Review) -> list[str]:
    """Counts of every class and split, the light, then every finding with its photos and the flag that cures it."""
    lines = [f"{dataset.root} ({dataset.format})", *_table(dataset), ""]
    for finding in review.findings:
        lines += [*_finding(finding), ""]
    return [*lines, f"{MARKS[review.light]}: {text.LIGHTS[review.light][1]}"]


def _table(dataset: Dataset) -> list[str]:
    counts = class_counts(dataset)
    rows = [["", *counts]]
    for name in dict.fromkeys(name for of_class in counts.values() for name in of_class):
        rows.append([name, *(str(of_class.get(name, 0)) for of_class in counts.values())])
    rows.append(["objects", *(str(sum(of_class.values())) for of_class in counts.values())])
    rows.append(["photos", *(str(len(dataset.split(split))) for split in counts)])
    return [f"{row[0]:<24}" + "".join(f"{cell:>8}" for cell in row[1:]) for row in rows]


def _finding(finding: Finding) -> list[str]:
    lines = [f"{MARKS[finding.level]}: {finding.title}", *_wrapped(finding.detail)]
    if finding.groups:
        sets = [" = ".join(group) if finding.kind != "flight-across" else " / ".join(group) for group in finding.groups]
        lines += _listed(sets)
    elif finding.photos:
        lines += _listed(finding.photos)
    if finding.cure_words:
        lines += _wrapped(f"Cure: {finding.cure_words}" + (f" {finding.flags}" if finding.flags else ""))
    return lines


def _listed(items: Sequence[str]) -> list[str]:
    more = len(items) - PHOTOS
    return [f"    {item}" for item in items[:PHOTOS]] + (
        [f"    … and {more:,} more (--json names all)"] if more > 0 else []
    )


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(
        sentence, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
