"""The fields of results.json and of a model's calibration.json, record by record.

As in `core.records` the keys must not change. A field that earlier versions or other kinds of runs leave out is not
required; its reader handles its absence.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from core.records import PriorScore

# [lower end, upper end] of a 95 % interval, over whole flights; None of too few of them.
Interval = list[float]


class Portion(TypedDict):
    """Right answers among some objects; `accuracy` is correct / total, None when `total` is 0."""

    correct: int
    total: int
    accuracy: float | None


class MainIntervals(TypedDict, total=False):
    """The intervals of the main scores, where they were requested."""

    accuracy_interval: Interval | None
    macro_f1_interval: Interval | None
    balanced_accuracy_interval: Interval | None


class SubsetScores(Portion, MainIntervals):
    """The main scores of a part of the objects; each is None when there are no objects."""

    balanced_accuracy: float | None
    macro_f1: float | None


class LabelScore(Portion):
    """The scores of one class or condition; `predicted` counts the objects that were given this answer."""

    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None
    recall_interval: NotRequired[Interval | None]


class TypeScore(Portion):
    """The scores of one object type."""

    macro_f1: float


class SingleAnswer(Portion):
    """The scores of the objects whose type allows a single answer, and the names of those types."""

    types: list[str]


class FlightScore(Portion):
    """The scores of one flight."""

    flight: str


class Confusion(TypedDict):
    """A confusion matrix of counts: a row for each true label, a column for each answer, in the order of `labels`."""

    labels: list[str]
    counts: list[list[int]]


class ReliabilityBin(TypedDict):
    """One bin of a reliability diagram; `confidence` (mean probability) and `accuracy` are None in an empty bin."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


class Probabilistic(TypedDict):
    """The quality of probabilities; `log_loss` is in nats, `ece` the expected calibration error."""

    log_loss: float
    brier: float
    ece: float
    total: int
    reliability: list[ReliabilityBin]


class AlarmScore(TypedDict):
    """How many objects of a condition are found at the tolerated false alarms; see `core.metrics.alarms.alarms`."""

    threshold: float | None
    threshold_from: NotRequired[str | None]
    false_alarm_rate: float | None
    recall: float | None
    recall_interval: Interval | None
    auc: float | None
    positives: int
    negatives: int


class ChoiceScore(TypedDict):
    """Two scores of the objects whose type allows more than one answer."""

    accuracy: float | None
    macro_f1: float | None


class ReferenceScore(TypedDict):
    """The scores of a reference point on the same objects; only a cross-validation has `model_against_it`."""

    label: str
    accuracy: float
    accuracy_interval: NotRequired[Interval | None]
    macro_f1: float
    macro_f1_interval: NotRequired[Interval | None]
    with_choice: NotRequired[SubsetScores | ChoiceScore]
    note: str
    model_against_it: NotRequired[Comparison]


class FlightChange(TypedDict):
    """The change in accuracy of one flight."""

    flight: str
    accuracy_change: float
    total: NotRequired[int]


class Comparison(TypedDict):
    """The difference between two sets of answers; see `core.metrics.compare.compare`."""

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
    """`core.metrics.calibration.Threshold` as it is written to files."""

    threshold: float | None
    answered: int
    wrong: int
    total: int
    max_error: float
    error_upper: NotRequired[float | None]


class CalibrationFacts(TypedDict, total=False):
    """calibration.json of a tuned model: `core.metrics.calibration.Calibration` as it is written to files."""

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
    """How many answers are unsure. A batch has the rules instead of `coverage` and `accuracy_of_sure`."""

    threshold: float | None
    count: int
    total: int
    coverage: float
    accuracy_of_sure: float | None
    max_error: float | None
    correction: str
    thresholds: dict[str, float | None]


class ModelFacts(TypedDict, total=False):
    """The model that gave the answers."""

    path: str
    adapter: str | None
    fingerprint: str
    parameters: int


class DataFacts(TypedDict, total=False):
    """The photos that were judged; `photos_trained_on` counts those that the adapter was trained on.

    `split_note` says which photos were left out because of the split of the adapter's training.
    """

    path: str
    split: str
    format: str
    photos: int
    objects: int
    fingerprint: str
    photos_trained_on: int
    split_note: str


class Source(TypedDict):
    """The run whose answers were taken over, since it had judged the same: `created` is in unix seconds."""

    run: str
    kind: str
    created: float


class SeedScore(TypedDict):
    """The scores of all folds of a cross-validation under one seed, pooled."""

    seed: int
    accuracy: float
    macro_f1: float
    correct: int
    total: int


class FoldScore(SeedScore):
    """The scores of one fold under one seed."""

    fold: int


class Mean(TypedDict):
    """A score averaged over repeated trainings, or the difference of two such averages.

    `spread` is the standard deviation between seeds, None when there is one seed.
    """

    mean: float
    interval: Interval | None
    spread: float | None


class StudyDifference(TypedDict):
    """The difference between two variants; see `core.studies.contrasts.SeedAverages.difference`."""

    seeds: list[int]
    accuracy: Mean
    macro_f1: Mean
    balanced_accuracy: Mean
    flights: int
    lowest_flight: FlightChange
    highest_flight: FlightChange


class VariantRow(TypedDict):
    """A row of an ablation's table; see `core.studies.ablation.ablation`."""

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
    """The comparison of the variant with most enhancements with the best single enhancement in it."""

    variant: str
    best_part: str
    difference: Mean
    verdict: str


class Recommendation(TypedDict):
    """Which enhancements to switch on; see `core.studies.ablation.recommend`."""

    use: str
    enough: bool
    settings: dict[str, bool]
    enhancements: dict[str, str]
    stacking: Stacking | None
    worth: NotRequired[str | None]
    said: list[str]


class CellRecord(TypedDict):
    """cell.json: one finished training of a study and its scores."""

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


class Results(MainIntervals, total=False):
    """results.json of evaluations, batches and studies.

    Which fields it has depends on the run's kind and on whether labels are known: scores where they are, counts of the
    answers where they are not.
    """

    # From `core.metrics.score`.
    overall_accuracy: float
    correct: int
    total: int
    balanced_accuracy: float
    macro_f1: float
    per_class: dict[str, LabelScore]
    per_condition: dict[str, LabelScore]
    per_object_type: dict[str, TypeScore]
    confusion: Confusion
    with_choice: SubsetScores
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
    answers_from: Source
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
    folds: list[FoldScore]
    seeds: list[SeedScore]
    spread: float | None
