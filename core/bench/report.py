"""What the bench found, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.units import percent

NAMES = {
    "plain": "plain Trainer",
    "trl": "TRL SFTTrainer 1.16",
    "packed": "damgui, packed",
    "cached": "damgui, packed, features kept",
    "generate": "generate(), object by object",
    "judge": "damgui",
    "judge cached": "damgui, features kept",
    "shape": "LoRA",
    "shape cached": "LoRA, features kept",
    "shape 4-bit": "LoRA, 4-bit",
}


def short(value: float) -> str:
    """A number with three digits: 1,234, 123, 12.3, 1.23, 0.123."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns: the first to the left, the others to the right. All rows have equally many cells."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(wide) if index == 0 else cell.rjust(wide)
            for index, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def spread(found: Mapping[str, float] | None) -> str:
    """The median with the least and the greatest: `2.31 (2.2–2.4)`; "" for none."""
    if not found:
        return ""
    return f"{short(found['median'])} ({short(found['low'])}–{short(found['high'])})"


def comparison_table(group: Mapping[str, Any]) -> list[str]:
    """A table of variants: rate, ratio to the base with its spread, peak memory, memory above the bare process."""
    unit = "objects/s" if group["section"] == "evaluation" else "questions/s"
    lines = [["", unit, f"times {NAMES.get(group['base'], group['base'])}", "peak MB", "above MB"]]
    notes = []
    for name, row in group["variants"].items():
        title = NAMES.get(name, name)
        if "unavailable" in row:
            notes.append(f"  {title}: {row['unavailable']}")
            continue
        if row.get("batch"):
            title += f", {row['batch']} a batch"
        ratio = "1" if name == group["base"] else spread(group["ratios"].get(name))
        rate = spread(row["questions_per_s"])
        lines.append([title, rate, ratio, short(row["peak_mb"]), short(row["above_mb"])])
        if row.get("fill_s"):
            notes.append(
                f"  Keeping the features of all photos took {short(row['fill_s'])} s, once (not in the rates)."
            )
    found = [f"{group['section']}: {group['title']}"]
    if group.get("check"):
        check = group["check"]
        found.append(
            f"  Same work: log-probabilities ({check['answers']}, {check['questions']} questions) by the plain "
            f"forward and by damgui differ by at most {check['difference']:.1g} nats."
        )
    return found + ["  " + line for line in table(lines)] + notes


def growth_table(group: Mapping[str, Any]) -> list[str]:
    """A table of variants whose names state what grows: `256 packed`."""
    lines = [["", "", "questions/s", "peak MB", "above MB"]]
    for name, row in group["variants"].items():
        value, _, variant = name.partition(" ")
        if "unavailable" not in row:
            cells = [NAMES.get(variant, variant), spread(row["questions_per_s"]), short(row["peak_mb"])]
            lines.append([f"{int(value):,}", *cells, short(row["above_mb"])])
    return [f"growth with {group['title']}", *("  " + line for line in table(lines))]


def shape_table(group: Mapping[str, Any]) -> list[str]:
    """A table of a real architecture's speed."""
    lines = [["", "photos/s", "questions/s", "tokens/s", "share of peak", "peak MB"]]
    notes = []
    for name, row in group["variants"].items():
        if "unavailable" in row:
            notes.append(f"  {NAMES.get(name, name)}: {row['unavailable']}")
            continue
        rate = [short(row[f"{unit}_per_s"]["median"]) for unit in ("photos", "questions", "tokens")]
        lines.append(
            [
                f"{NAMES.get(name, name)}, {row['dtype']}",
                *rate,
                f"{percent(row['share_of_peak'])}",
                short(row["peak_mb"]),
            ]
        )
        notes.append(
            f"  {row['device']}: {row['parameters'] / 1e9:.2f} billion weights, {row['photo_tokens']} tokens a photo, "
            f"a large matrix product reaches {row['best_flops'] / 1e12:.3g} TFLOP/s."
        )
    body = ["  " + line for line in table(lines)] if len(lines) > 1 else []
    return [f"shape: {group['title']}", *body, *dict.fromkeys(notes)]


def lines_of(document: Mapping[str, Any]) -> list[str]:
    """The whole report, line by line; `document` is what bench.json holds."""
    tables = {"shape": shape_table, "growth": growth_table}
    found: list[str] = []
    for group in document["groups"]:
        found += [*tables.get(group["section"], comparison_table)(group), ""]
    return found + [f"Note: {note}" for note in document["notes"]]
