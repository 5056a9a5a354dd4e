"""Every sentence about studies: what an ablation is, what its table says, and what to switch on."""

from __future__ import annotations

from core.metrics.flights import TOO_FEW_FLIGHTS
from core.results import Mean, Results
from core.units import about, counted, percent, signed

TAB = "What helps?"
LEAD = (
    "An ablation trains the same model many times: once with none of the five enhancements, once with each of them "
    "alone, and once with all. What differs between two results is then the work of that one switch, and not of luck: "
    "everything is repeated from other random starts, and judged on photos that no training used."
)
VARIANTS = "What is tried"
VARIANTS_HINT = "Training with no enhancement is always among them: it is what all differ from."
SEEDS = "Trainings of each"
SEEDS_HINT = "Each from another random start. Three are the least from which anything is recommended."
EPOCHS, EPOCHS_HINT = "Epochs of each", "How often every training photo is seen; fewer are quicker and may show less."
START, STOP, RESUME = "Start the ablation", "Stop and save", "Resume"
OTHER_SETTINGS = "Photos, model and all other settings are those of the tabs Photos and Fine-tuning."
EARLIER = "Results of the ablation before this one"
EMPTY = "No ablation yet. Press Start the ablation; it can be stopped at any time and goes on later where it was."
STOPPING = "Stopping: the step in hand is finished and saved first."
UNKNOWN_TIME = "How long it takes is known after the first training."
LEFT_OFF = "Not finished: what is done stays, and Resume goes on from there."
CHART = "What each brings: macro-F1 against training with no enhancement"
CHART_EMPTY = "The chart appears once training with none and with another variant are done."
CHART_AXIS = "Macro-F1, difference from no enhancement"
CHART_HINT = (
    "A dot is the average over the trainings, its line the 95 % interval: with other flights and other random starts "
    "the difference would most likely lie in it. A line that crosses zero may be luck."
)
TABLE = "The numbers"
TABLE_HINT = (
    "In brackets the 95 % interval. “±” is how much repeated trainings differ by luck alone (standard deviation). "
    "Balanced accuracy: the mean share found, every class alike."
)
COLUMNS = ("Trained with", "Trainings", "Accuracy", "Balanced accuracy", "Macro-F1", "Macro-F1 against none", "Verdict")
ADVICE = "What to switch on"
USE = "Use these settings"
CROSSVAL_LEAD = (
    "How good is a model that learns from photos like these? They are dealt into parts, whole flights together. "
    "For each part a model learns from the others and judges the part, whose flights it has never seen."
)
FOLDS, FOLDS_HINT = "Parts", "2 to 50. More parts: each model learns from more photos, and it takes longer."
CROSSVAL_SEEDS_HINT = "Each from another random start: how much repeated trainings differ by luck alone."
CROSSVAL_START = "Start the cross-validation"
CROSSVAL_EMPTY = "No cross-validation yet. It can be stopped at any time and goes on later where it was."
PARTS, PARTS_HINT = "Part by part", "each judged by the model that had not seen it"
PARTS_COLUMNS = ("Part", "Seed", "Judged", "Accuracy", "Macro-F1")
OUTCOMES = {
    "recommended": ("✓", "helps", "good"),
    "harmful": ("✕", "harms", "bad"),
    "no clear effect": ("○", "no clear effect", "none"),
    "too few seeds": ("…", "too few trainings", "none"),
    TOO_FEW_FLIGHTS: ("…", TOO_FEW_FLIGHTS, "none"),
}
ALONE = {
    "class_weighting": "Class weighting alone",
    "spatial_reasoning": "Spatial reasoning alone",
    "oversampling": "Oversampling alone",
    "position_encoding": "Position encoding alone",
    "condition_weighting": "Condition weighting alone",
    "all": "All together",
}


def estimate(cells: int, cell_s: float | None) -> str:
    """As in "14 trainings, ≈ 35 min in all."."""
    count = counted(cells, "training")
    return f"{count}. {UNKNOWN_TIME}" if cell_s is None else f"{count}, {about(cells * cell_s)} in all."


def objects_line(found: Results) -> str:
    """Which photos decided, as in "Judged on 128 objects of the test photos."."""
    cells = found.get("cells") or []
    if not cells:
        return ""
    counts = sorted({int(cell["total"]) for cell in cells})
    objects = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    parts = sorted({cell["fold"] for cell in cells if cell["fold"] is not None})
    of = "the test photos" if not parts else "flights held back, others for every random start"
    return f"Judged on {objects} objects of {of}, which no training used. {len(cells)} trainings done."


def share(found: Mean) -> tuple[str, str]:
    """A share with what stands below it: ("68.2 %", "(61.0 – 75.3) ±1.2")."""
    return percent(found["mean"]), _below(found, 100, 1)


def score(found: Mean) -> tuple[str, str]:
    """The same for a score that is no percentage."""
    return f"{found['mean']:.3f}", _below(found, 1, 3)


def _below(found: Mean, scale: int, digits: int) -> str:
    ends = " – ".join(f"{scale * end:.{digits}f}" for end in found["interval"] or ())
    spread = "" if found["spread"] is None else f" ±{scale * found['spread']:.{digits}f}"
    return f"({ends or TOO_FEW_FLIGHTS}){spread}"


def difference(found: Mean) -> tuple[str, str]:
    """A difference with its sign, and below it where it would lie with other flights and trainings."""
    return signed(found["mean"]), f"({' to '.join(map(signed, found['interval'] or ())) or TOO_FEW_FLIGHTS})"


def spread(of_macro_f1: float) -> str:
    return f"Macro-F1 of the repeated trainings differs by ±{of_macro_f1:.3f} (standard deviation): that is luck."
