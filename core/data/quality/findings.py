"""What a review of a data set yields: a traffic light, and one finding for each thing worth knowing before a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from core.boxes import BoxXyxy

RED, AMBER, NOTE, GREEN = "red", "amber", "note", "green"
LEVELS = (RED, AMBER, NOTE)
MANY = 0.05  # what concerns a larger share of the data than this moves its scores


@dataclass(frozen=True)
class Finding:
    """One thing found in a data set.

    Attributes:
        kind: a stable word.
        level: RED (no run starts), AMBER (numbers mislead) or NOTE.
        title: a few words.
        detail: whole sentences.
        photos: the names of all photos concerned.
        cure_words: what to do.
        cure_setting: the settings that cure it ({"data.regroup": True}); empty where none does.
        groups: those of the photos that belong side by side.
        boxes: what in the photos is meant: (photo, box in fractions of it).
    """

    kind: str
    level: str
    title: str
    detail: str
    photos: tuple[str, ...] = ()
    cure_words: str = ""
    cure_setting: Mapping[str, Any] = field(default_factory=dict)
    groups: tuple[tuple[str, ...], ...] = ()
    boxes: tuple[tuple[str, BoxXyxy], ...] = ()

    @property
    def flags(self) -> str:
        """The cure as flags of the command line (`--set data.regroup=true`); "" without one."""
        return " ".join(f"--set {path}={_plain(value)}" for path, value in self.cure_setting.items())


@dataclass(frozen=True)
class Review:
    """What is worth knowing of a data set.

    Attributes:
        light: RED, AMBER or GREEN.
        findings: from the gravest to the least.
        statistics: plain values for JSON.
    """

    light: str
    findings: tuple[Finding, ...]
    statistics: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON: {"light", "findings": [{…, "flags"}], "statistics"}."""
        listed = [{**asdict(finding), "flags": finding.flags} for finding in self.findings]
        return {"light": self.light, "findings": listed, "statistics": dict(self.statistics)}


def weigh(found: Iterable[Finding], statistics: Mapping[str, Any]) -> Review:
    """The review with its light: that of the gravest finding, GREEN where there are notes at most."""
    ordered = sorted(found, key=lambda finding: LEVELS.index(finding.level))
    light = ordered[0].level if ordered and ordered[0].level != NOTE else GREEN
    return Review(light, tuple(ordered), statistics)


def level_of(count: int, total: int) -> str:
    """The level of a finding about `count` of `total` things: AMBER above the share MANY, else NOTE."""
    return AMBER if count > MANY * total else NOTE


def tally(counts: Mapping[str, int]) -> str:
    """Counts as a text, the most frequent first: 12 rock toe normal, 3 toe drain blocked."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def words(items: Sequence[str], most: int = 4) -> str:
    """Items as a text: a, b and c; a, b, c, d and 7 more."""
    shown = [*items[:most], f"{len(items) - most} more"] if len(items) > most else list(items)
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
