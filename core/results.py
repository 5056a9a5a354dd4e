"""What runs leave as results.json, and a model's calibration.json, record by record.

As in `core.records` the keys are a promise. A field that versions before this one, or runs of another kind, leave out
is not required, and its reader says what happens without it.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from core.records import PriorScore

# [lower end, upper end] of a 95 % interval, over whole flights; None of too few of them.
Interval = list[float]


class Portion(TypedDict):
    """How many were right; `accuracy` is None of nothing."""

    correct: int
    total: int
    accuracy: float | None


class MainScores(TypedDict):
    """Macro-F1 and balanced accuracy of some objects, and the intervals where they were asked for."""

    balanced_accuracy: float
    macro_f1: float
    accuracy_interval: NotRequired[Interval | None]
    macro_f1_interval: NotRequired[Interval | None]
    balanced_accuracy_interval: NotRequired[Interval | None]


class Figures(Portion):
    """All main scores of some objects; None of nothing."""

    balanced_accuracy: float | None
    macro_f1: float | None
    accuracy_interval: NotRequired[Interval | None]
    macro_f1_interval: NotRequired[Interval | None]
    balanced_accuracy_interval: NotRequired[Interval | None]


class LabelScore(Portion):
    """One class or condition: how often it was answered (`predicted`), and how rightly."""

    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    recall_interval: NotRequired[Interval | None]


class TypeScore(Portion):
    """One object type."""

    macro_f1: float


class SingleAnswer(Portion):
    """The objects whose type allows one answer, and those types."""

    types: list[str]


class FlightScore(Portion):
    """One flight."""

    flight: str


class Confusion(TypedDict):
    """Counts: a row for each true label, a column for each answered one."""

    labels: list[str]
    counts: list[list[int]]


class ReliabilityBin(TypedDict):
    """One of the equal bins of the probability; the last two are None in an empty one."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


class Probabilistic(TypedDict):
    """How good probabilities are; `log_loss` in nats."""

    log_loss: float
    brier: float
    ece: float
    total: int
    reliability: list[ReliabilityBin]


class AlarmScore(TypedDict):
    """What is found of a condition at the tolerated false alarms; see `core.metrics.alarms.alarms`."""

    threshold: float | None
    threshold_from: NotRequired[str | None]
    false_alarm_rate: float | None
    recall: float | None
    recall_interval: Interval | None
    auc: float | None
    positives: int
    negatives: int


class ChoiceScore(TypedDict):
    """The scores where a choice exists, in brief."""

    accuracy: float | None
    macro_f1: float | None


class ReferenceScore(TypedDict):
    """What a reference point reaches on the same objects; `model_against_it` only in a cross-validation."""

    label: str
    accuracy: float
    accuracy_interval: NotRequired[Interval | None]
    macro_f1: float
    macro_f1_interval: NotRequired[Interval | None]
    with_choice: NotRequired[Figures | ChoiceScore]
    note: str
    model_against_it: NotRequired[Comparison]


class FlightChange(TypedDict):
    """By how much the accuracy of a flight changed."""

    flight: str
    accuracy_change: float
    total: NotRequired[int]


class Comparison(TypedDict):
    """What changed from one set of answers to another: see `core.metrics.compare.compare`."""

    better: int
    worse: int
    total: int
    accuracy_change: float
    accuracy_change_interval: Interval | None
    macro_f1_change: float
    macro_f1_change_interval: Interval | None
    balanced_accuracy_change: float
    balanced_accuracy_change_interval: Interval | None
    flights: int
    lowest_flight: FlightChange
    highest_flight: FlightChange
    p_value: float | None
    verdict: str


class ThresholdRule(TypedDict):
    """`core.metrics.calibration.Threshold` as it is written."""

    threshold: float | None
    answered: int
    wrong: int
    total: int
    max_error: float
    error_upper: NotRequired[float | None]


class CalibrationFacts(TypedDict, total=False):
    """calibration.json of a tuned model: `core.metrics.calibration.Calibration` as it is written."""

    temperature: dict[str, float]
    thresholds: dict[str, ThresholdRule]
    photos: int
    objects: int
    implied: dict[str, float]
    frequencies: dict[str, float]
    before: dict[str, dict[str, float]]
    after: dict[str, dict[str, float]]
    curve: dict[str, list[dict[str, float]]]
    corrected: dict[str, dict[str, ThresholdRule]]
    alarms: dict[str, dict[str, list[list[float]]]]
    threshold: float | None


class UnsureSummary(TypedDict, total=False):
    """How many answers are unsure; of a batch without `coverage` and `accuracy_of_sure`, but with the rules."""

    threshold: float | None
    count: int
    total: int
    coverage: float
    accuracy_of_sure: float | None
    max_error: float | None
    correction: str
    thresholds: dict[str, float | None]


class ModelFacts(TypedDict, total=False):
    """Which model judged."""

    path: str
    adapter: str | None
    fingerprint: str
    parameters: int


class DataFacts(TypedDict, total=False):
    """What was judged. `photos_trained_on` counts the photos that the adapter learned from."""

    path: str
    split: str
    format: str
    photos: int
    objects: int
    fingerprint: str
    photos_trained_on: int


class SeedScore(TypedDict):
    """The scores of all parts of a cross-validation under one seed."""

    seed: int
    accuracy: float
    macro_f1: float
    correct: int
    total: int


class PartScore(SeedScore):
    """The scores of one part."""

    fold: int


class Mean(TypedDict):
    """A score averaged over repeated trainings, or the difference of two; `spread` is the standard deviation between
    seeds, None for one."""

    mean: float
    interval: Interval | None
    spread: float | None


class StudyDifference(TypedDict):
    """What a variant changes: see `core.studies.contrasts.SeedAverages.difference`."""

    seeds: list[int]
    accuracy: Mean
    macro_f1: Mean
    balanced_accuracy: Mean
    flights: int
    lowest_flight: FlightChange
    highest_flight: FlightChange


class VariantRow(TypedDict):
    """A row of an ablation's table: see `core.studies.ablation.ablation`."""

    variant: str
    label: str
    enhancements: list[str]
    seeds: list[int]
    steps: NotRequired[int | None]
    accuracy: Mean
    macro_f1: Mean
    balanced_accuracy: Mean
    difference: StudyDifference | None
    verdict: str | None


class Stacking(TypedDict):
    """The variant with most enhancements against its best part."""

    variant: str
    best_part: str
    difference: Mean
    verdict: str


class Recommendation(TypedDict):
    """What to switch on: see `core.studies.ablation.recommend`."""

    use: str
    enough: bool
    settings: dict[str, bool]
    enhancements: dict[str, str]
    stacking: Stacking | None
    said: list[str]


class CellRecord(TypedDict):
    """cell.json: one finished training of a study, and what it scored."""

    variant: str
    seed: int
    fold: int | None
    changes: dict[str, Any]
    seconds: float
    steps: int
    best_step: int | None
    valid_macro_f1: float | None
    accuracy: float
    macro_f1: float
    correct: int
    total: int
    photos: int
    fingerprint: str


class Results(TypedDict, total=False):
    """results.json of a run that judged. Which fields there are follows from the run's kind and from what was known:
    scores where there is a truth, counts of the answers where there is none."""

    # What `core.metrics.score` tells.
    overall_accuracy: float
    correct: int
    total: int
    balanced_accuracy: float
    macro_f1: float
    accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    balanced_accuracy_interval: Interval | None
    per_class: dict[str, LabelScore]
    per_condition: dict[str, LabelScore]
    per_object_type: dict[str, TypeScore]
    confusion: Confusion
    with_choice: Figures
    single_answer: SingleAnswer
    flights: int
    lowest_flight: FlightScore
    highest_flight: FlightScore
    probabilistic: Probabilistic
    probabilistic_calibrated: Probabilistic
    alarms: dict[str, AlarmScore]
    # Of all runs.
    complete: bool
    seconds: float
    model: ModelFacts
    data: DataFacts
    settings: dict[str, dict[str, Any]]
    calibration: CalibrationFacts
    unsure: UnsureSummary
    prior: PriorScore | None
    references: dict[str, ReferenceScore]
    reference_warnings: list[str]
    # Of a batch.
    objects: int
    photos: int
    conditions: dict[str, int]
    classes: dict[str, int]
    type_unknown: int
    whole_photos: bool
    left_out: list[str]
    # Of a study: an ablation has a table, a cross-validation the scores of its pooled answers and of its parts.
    kind: str
    stopped: bool
    plan: dict[str, Any]
    cells_done: int
    cells_total: int
    cells: list[CellRecord]
    table: list[VariantRow]
    recommendation: Recommendation | None
    folds: list[PartScore]
    seeds: list[SeedScore]
    spread: float | None
