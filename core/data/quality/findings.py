"""What a review of a data set says: a traffic light, and one finding for each thing worth knowing before a run."""

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
    """One thing found. `kind` is a stable word; `level` is RED (no run starts), AMBER (numbers mislead) or NOTE.

    `photos` names all photos concerned, `groups` those among them that belong side by side, `boxes` what in them is
    meant: (photo, box as fractions). `cure_setting` holds the settings that cure it ({"data.regroup": True}), and
    `cure_words` what to do in any case.
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
        """The cure for a command line: `--set data.regroup=true`; "" without one."""
        return " ".join(f"--set {path}={_plain(value)}" for path, value in self.cure_setting.items())


@dataclass(frozen=True)
class Review:
    """`findings` from the gravest to the least; `statistics` are plain values for JSON."""

    light: str
    findings: tuple[Finding, ...]
    statistics: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """{"light", "findings": [{…, "flags"}], "statistics"} for JSON."""
        listed = [{**asdict(finding), "flags": finding.flags} for finding in self.findings]
        return {"light": self.light, "findings": listed, "statistics": dict(self.statistics)}


def weigh(found: Iterable[Finding], statistics: Mapping[str, Any]) -> Review:
    """The review with its light: that of the gravest finding, GREEN where there are notes at most."""
    ordered = sorted(found, key=lambda finding: LEVELS.index(finding.level))
    light = ordered[0].level if ordered and ordered[0].level != NOTE else GREEN
    return Review(light, tuple(ordered), statistics)


def level_of(count: int, total: int) -> str:
    """AMBER where it is more than MANY of the whole, else NOTE."""
    return AMBER if count > MANY * total else NOTE


def tally(counts: Mapping[str, int]) -> str:
    """12 rock toe normal, 3 toe drain blocked: the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name}" for name, count in ordered)


def words(items: Sequence[str], most: int = 4) -> str:
    """a, b and c; a, b, c, d and 7 more."""
    shown = [*items[:most], f"{len(items) - most} more"] if len(items) > most else list(items)
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
