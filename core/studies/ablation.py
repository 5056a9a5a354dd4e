"""The evaluation of an ablation: a row for every variant and a recommendation. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.metrics.flights import FEW_FLIGHTS, LEAST_FLIGHTS, TOO_FEW_FLIGHTS
from core.metrics.verdict import of_accuracy
from core.results import Mean, Recommendation, Results, Stacking, StudyDifference, VariantRow
from core.studies.contrasts import FEW, HARMS, HELPS, LEAST_SEEDS, UNCLEAR, RunRows, SeedAverages, effect
from core.studies.plan import ENHANCEMENTS, NONE, enhancements_of, label, switches
from core.units import percent, signed

MORE_STEPS = 1.1  # times the steps without enhancements: from here on a gain may come from the steps alone


def ablation(
    runs: Mapping[str, RunRows], steps: Mapping[str, int] | None = None, guess: float | None = None
) -> Results:
    """The table and the recommendation of an ablation.

    A study that is not finished has fewer seeds in some rows; each difference is over the seeds that both sides have.

    Args:
        runs: {variant: {seed: prediction rows}}, variants in the order of the table.
        steps: {variant: optimizer steps of one of its trainings}, as far as known.
        guess: The share that guessing the most frequent condition of each type gets right; None where not known.

    Returns:
        {table, recommendation (see `recommend`)}. A row of the table is {variant, label, enhancements, seeds, steps,
        accuracy, balanced_accuracy, macro_f1 (each {mean, interval, spread}), difference (the same, from `none`, with
        flights, lowest_flight and highest_flight; null for `none` itself), verdict}. An interval is null of too few
        flights.
    """
    averages = SeedAverages({variant: found for variant, found in runs.items() if found})
    table: list[VariantRow] = []
    for variant, found in runs.items():
        if not found:
            continue
        change = averages.difference(NONE, variant) if variant != NONE and runs.get(NONE) else None
        means = averages.scores(variant)
        table.append(
            {
                "variant": variant,
                "label": label(variant),
                "enhancements": list(enhancements_of(variant)),
                "seeds": list(averages.seeds(variant)),
                "steps": (steps or {}).get(variant),
                "accuracy": means["accuracy"],
                "macro_f1": means["macro_f1"],
                "balanced_accuracy": means["balanced_accuracy"],
                "difference": change,
                "verdict": effect(change) if change else None,
            }
        )
    return {"table": table, "recommendation": recommend(table, averages, guess)}


def recommend(table: Sequence[VariantRow], averages: SeedAverages, guess: float | None = None) -> Recommendation | None:
    """Which enhancements to switch on.

    An enhancement is recommended only where the interval of its macro-F1 difference from `none` lies above 0. Among the
    variants for which it does, one with more enhancements is preferred to one with fewer only where the interval of
    their difference lies above 0 too: otherwise the simpler one wins.

    Args:
        table: The rows of `ablation`.
        averages: The averages that the table was made of.
        guess: As in `ablation`.

    Returns:
        {use (a variant), enough (whether there are enough trainings and flights to conclude anything), settings (the
        five switches), enhancements ({name: verdict} of each alone), stacking (the variant with most enhancements
        against its best part: {variant, best_part, difference, verdict}, or null), worth (what the variant to use is
        against guessing, an outcome of `core.metrics.verdict`; null where not known), said (sentences for a reader)};
        None while nothing can be compared with `none`.
    """
    rows = {str(row["variant"]): row for row in table if row["difference"]}
    if not rows:
        return None
    use = NONE
    helping = [name for name, row in rows.items() if row["verdict"] == HELPS]
    for size in sorted({len(enhancements_of(name)) for name in helping}):
        best = max(
            (variant for variant in helping if len(enhancements_of(variant)) == size),
            key=lambda variant: _gain(rows[variant]),
        )
        if use == NONE or _clearly_better(averages, use, best):
            use = best
    alone = {name: str(row["verdict"]) for name, row in rows.items() if name in ENHANCEMENTS}
    stacking = _stacking(rows, averages)
    enough = not {FEW, TOO_FEW_FLIGHTS} & {row["verdict"] for row in rows.values()}
    used = next(row for row in table if row["variant"] == use)
    worth = of_accuracy(used["accuracy"]["interval"], guess) if guess is not None else None
    found: Recommendation = {
        "use": use,
        "enough": enough,
        "settings": switches(use),
        "enhancements": alone,
        "stacking": stacking,
        "worth": worth.outcome if worth else None,
        "said": [],
    }
    base_steps = next((row["steps"] for row in table if row["variant"] == NONE), None)
    found["said"] = _sentences(found, rows, base_steps)
    if worth and found["enough"]:
        found["said"] += [f"With {label(use)}: {reason[:1].lower()}{reason[1:]}" for reason in worth.reasons]
    return found


def _change(row: VariantRow) -> StudyDifference:
    """The difference of a row that has one."""
    assert row["difference"] is not None
    return row["difference"]


def _gain(row: VariantRow) -> float:
    return float(_change(row)["macro_f1"]["mean"])


def _clearly_better(averages: SeedAverages, simple: str, more: str) -> bool:
    change = averages.difference(simple, more)
    return change is not None and effect(change) == HELPS


def _stacking(rows: Mapping[str, VariantRow], averages: SeedAverages) -> Stacking | None:
    """The variant with most enhancements compared with the best single enhancement in it."""
    most = max(rows, key=lambda name: len(enhancements_of(name)))
    parts = [name for name in enhancements_of(most) if name in rows and name != most]
    if not parts:
        return None
    best = max(parts, key=lambda name: _gain(rows[name]))
    change = averages.difference(best, most)
    if change is None:
        return None
    return {"variant": most, "best_part": best, "difference": change["macro_f1"], "verdict": effect(change)}


def _sentences(found: Recommendation, rows: Mapping[str, VariantRow], base_steps: int | None) -> list[str]:
    """The sentences for a reader; `base_steps` is the number of steps of a training without enhancements."""
    return [
        *_enhancement_sentences(found, rows),
        *_flight_sentences(rows),
        *_stacking_sentences(found["stacking"]),
        *_use_sentences(found, rows),
        *_step_sentences(found, rows, base_steps),
    ]


def _enhancement_sentences(found: Recommendation, rows: Mapping[str, VariantRow]) -> list[str]:
    tails = {
        HELPS: "it helps",
        HARMS: "it harms: leave it off",
        UNCLEAR: "no clear effect: leave it off",
        FEW: "too few trainings of each to tell",
        TOO_FEW_FLIGHTS: "too few flights to tell",
    }
    return [
        f"{name.replace('_', ' ').capitalize()}: macro-F1 {_signed(_change(rows[name])['macro_f1'])}; {tails[outcome]}."
        for name, outcome in found["enhancements"].items()
    ]


def _flight_sentences(rows: Mapping[str, VariantRow]) -> list[str]:
    """With few flights: how much the change differs between them, on which the intervals rest."""
    changes = {name: _change(row) for name, row in rows.items()}
    flights = min(change["flights"] for change in changes.values())
    if flights >= FEW_FLIGHTS:
        return []
    by_flight = [
        f"{label(name)} {signed(change['lowest_flight']['accuracy_change'])} ({change['lowest_flight']['flight']}) to "
        f"{signed(change['highest_flight']['accuracy_change'])} ({change['highest_flight']['flight']})"
        for name, change in changes.items()
    ]
    number = f"{flights} flight{'s were' if flights > 1 else ' was'}"
    return [f"Only {number} judged. Accuracy by flight: {'; '.join(by_flight)}."]


def _stacking_sentences(stacking: Stacking | None) -> list[str]:
    if not stacking or stacking["verdict"] in (FEW, TOO_FEW_FLIGHTS):
        return []
    tail = {
        HELPS: "is clearly better than",
        HARMS: "is clearly worse than",
        UNCLEAR: "shows no clear difference from",
    }[stacking["verdict"]]
    against = f"the best part ({label(stacking['best_part'])})"
    return [f"{label(stacking['variant']).capitalize()} {tail} {against}: macro-F1 {_signed(stacking['difference'])}."]


def _use_sentences(found: Recommendation, rows: Mapping[str, VariantRow]) -> list[str]:
    if found["use"] == NONE:
        if not found["enough"]:
            if FEW in [row["verdict"] for row in rows.values()]:
                return [f"Train each at least {LEAST_SEEDS} times before anything is switched on."]
            more = "set data.folds, which lets every training judge other flights, or give photos of more flights"
            return [f"Judge at least {LEAST_FLIGHTS} flights before anything is switched on: {more}."]
        return ["Switch all enhancements off: none was shown to help, and the simplest wins."]
    sentences = [f"Use {label(found['use'])}."]
    helping = [name for name, outcome in found["enhancements"].items() if outcome == HELPS]
    if len(helping) > 1 and len(enhancements_of(found["use"])) == 1 and "+".join(helping) not in rows:
        names = " and ".join(name.replace("_", " ") for name in helping)
        sentences.append(f"{names.capitalize()} help each by itself; whether they help together was not measured.")
    return sentences


def _step_sentences(found: Recommendation, rows: Mapping[str, VariantRow], base_steps: int | None) -> list[str]:
    """A caveat about steps: a gain from oversampling may come from its longer epochs alone."""
    taken = rows[found["use"]].get("steps") if found["use"] != NONE else None
    if not taken or not base_steps or taken < MORE_STEPS * base_steps:
        return []
    return [
        f"It took {taken / base_steps:.1f} times as many steps as {label(NONE)} in as many epochs, and they may be "
        f"all that helps: measure both again with training.max_steps={taken}."
    ]


def _signed(change: Mean) -> str:
    """+0.031 (95 % interval −0.004 to +0.066)."""
    if change["interval"] is None:
        return f"{signed(change['mean'])} ({TOO_FEW_FLIGHTS})"
    low, high = change["interval"]
    return f"{signed(change['mean'])} (95 % interval {signed(low)} to {signed(high)})"


def markdown(table: Sequence[VariantRow]) -> list[str]:
    """The lines of the table in Markdown, for a terminal or a text file."""
    lines = [
        "| variant | seeds | accuracy | balanced accuracy | macro-F1 | macro-F1 from none | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table:
        change = row["difference"]
        macro = "" if not change else _signed(change["macro_f1"]).replace("95 % interval ", "")
        cells = [
            row["label"],
            str(len(row["seeds"])),
            _share(row["accuracy"]),
            _share(row["balanced_accuracy"]),
            _score(row["macro_f1"]),
            macro,
            row["verdict"] or "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _share(found: Mean) -> str:
    return f"{percent(found['mean'])} ({_reach(found, 100, 1)})"


def _score(found: Mean) -> str:
    return f"{found['mean']:.3f} ({_reach(found, 1, 3)})"


def _reach(found: Mean, scale: int, digits: int) -> str:
    """`61.0 to 75.3, ±1.2 between seeds`."""
    ends = [f"{scale * end:.{digits}f}" for end in found["interval"] or ()]
    spread = "" if found["spread"] is None else f", ±{scale * found['spread']:.{digits}f} between seeds"
    return f"{' to '.join(ends) or TOO_FEW_FLIGHTS}{spread}"
