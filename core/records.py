"""The fields of what is written to files: events of each kind, predictions, runs and trainings.

The keys must not change: other programs read these files, and so will later versions of this one. A new field is
declared here first; `core.runs.events.event` refuses a field that is not.
"""

# No postponed annotations here: which fields are required is read from these classes.

from collections.abc import Mapping
from typing import Any, Literal, NotRequired, TypedDict, cast, final


class ProblemRecord(TypedDict):
    """A `core.errors.Problem` as it is written to files."""

    what: str
    where: str
    fix: str
    kind: str


class _Event(TypedDict):
    """What every event holds besides its `kind`: `t`, the time it was emitted, in unix seconds."""

    t: float


class Started(_Event):
    """The process of a run took its lock. `job` is the run's kind, `parent` the parent process's id."""

    kind: Literal["started"]
    run: str
    pid: int
    job: str
    parent: int


class Stage(_Event):
    """What the run is doing now, as text for the user."""

    kind: Literal["stage"]
    text: str


class Warned(_Event):
    """A warning, as text for the user."""

    kind: Literal["warning"]
    text: str


class Progressed(_Event):
    """How far a run is. `done` and `total` count `unit`s: photos or trainings.

    `correct` of `judged` objects were right so far, where the truth is known. `elapsed_s` is the time spent, `left_s`
    the estimated remaining time, both in seconds.
    """

    kind: Literal["progress"]
    done: int
    total: int
    unit: str
    correct: NotRequired[int]
    judged: NotRequired[int]
    elapsed_s: float
    objects: NotRequired[int]
    before: NotRequired[int]  # a batch that goes on: photos judged at another time
    part: NotRequired[float]  # a study: the share of the training at work that is done
    left_s: NotRequired[float | None]


class Planned(_Event):
    """What a training is going to do; emitted before its first step."""

    kind: Literal["plan"]
    total_steps: int
    epochs: float
    photos: int
    objects: int
    trainable_parameters: NotRequired[int]
    all_parameters: NotRequired[int]
    save_steps: NotRequired[int]


class DryRunMeasured(TypedDict):
    """What was measured on two steps tried before a training; also the results.json of a dry run.

    Names in `_mb` are in MB of memory or disk, names in `_s` in seconds. `peak_share` is the share of the device's peak
    `flops_per_s` that was reached.
    """

    peak_memory_mb: float
    memory_free_mb: float
    step_s: float
    usual_step_s: float
    total_s: float
    steps: NotRequired[int]
    checkpoint_mb: float
    cache_mb: float
    disk_free_mb: float
    gradient_checkpointing: bool
    flops_per_s: float
    peak_share: float


class DryRunDone(DryRunMeasured, _Event):
    """The measurements of a dry run, emitted before the training's first step."""

    kind: Literal["rehearsal"]


class Stepped(_Event):
    """One optimizer step.

    `loss` is in nats and None where it was not finite; `grad_norm` is before clipping; `elapsed_s` counts from when the
    process began to train; `padding` is the share of tokens that only fill up rows.
    """

    kind: Literal["step"]
    step: int
    total_steps: int
    epoch: float
    loss: float | None
    learning_rate: NotRequired[float]
    grad_norm: NotRequired[float]
    photos_per_s: NotRequired[float]
    questions_per_s: NotRequired[float]
    memory_mb: NotRequired[float]
    elapsed_s: NotRequired[float]
    tokens_per_s: NotRequired[float]
    padding: NotRequired[float]
    flops_per_s: NotRequired[float]
    peak_share: NotRequired[float]


class Evaluated(_Event):
    """An evaluation on the validation photos during a training; `loss` in nats per question."""

    kind: Literal["evaluation"]
    step: int
    loss: float
    accuracy: float
    macro_f1: float
    total: NotRequired[int]
    elapsed_s: NotRequired[float]


class Saved(_Event):
    """A checkpoint was saved at `path`; with `best`, it is the best adapter so far."""

    kind: Literal["checkpoint"]
    step: int
    path: str
    best: bool


class ValidationScore(TypedDict, total=False):
    """An evaluation on the validation photos; only the best one has `path`, where its adapter is kept."""

    step: int
    loss: float | None
    accuracy: float
    macro_f1: float
    path: str


class MainNumbers(TypedDict, total=False):
    """The main numbers of a run: scores of an evaluation, the last and the best test of a training."""

    overall_accuracy: float
    macro_f1: float
    correct: int
    total: int
    seconds: float
    final: ValidationScore
    best: ValidationScore


def main_numbers(found: Mapping[str, Any]) -> MainNumbers:
    """The main numbers among what a run found."""
    numbers: Any = {key: found[key] for key in MainNumbers.__annotations__ if key in found}
    return cast(MainNumbers, numbers)


class Resulted(_Event):
    """Results were written to `path`; `summary` holds their main numbers.

    `follows` names what the run still adds to them, such as "reference points"; the last of a run's results lack it.
    """

    kind: Literal["result"]
    path: str
    summary: MainNumbers
    follows: NotRequired[str]


class Ended(_Event):
    """The last event of a process: `how` is finished, stopped or failed; `problems` hold why it failed."""

    kind: Literal["ended"]
    how: str
    error: NotRequired[str]
    problems: NotRequired[list[ProblemRecord]]
    seconds: NotRequired[float]


Event = Started | Stage | Warned | Progressed | Planned | DryRunDone | Stepped | Evaluated | Saved | Resulted | Ended

EVENTS: dict[str, Any] = {
    "started": Started,
    "stage": Stage,
    "progress": Progressed,
    "plan": Planned,
    "rehearsal": DryRunDone,
    "step": Stepped,
    "evaluation": Evaluated,
    "checkpoint": Saved,
    "warning": Warned,
    "result": Resulted,
    "ended": Ended,
}


ProbabilityKey = Literal["probabilities", "calibrated"]  # the keys under which a row holds probabilities
LabelKey = Literal["truth", "truth_class", "predicted", "predicted_class"]  # the keys that hold a condition or class


class PredictionRow(TypedDict):
    """One object as a model judged it: a line of …_predictions.jsonl.

    `image` and `object` (its number in the photo) identify the object. `box_xyxy_px` is in pixels of the photo turned
    upright. `question` is `condition` (the type is known) or `class`. `predicted` and `truth` are conditions, names in
    `_class` are class names. `probabilities` sum to 1 over the `choices` allowed answers; `calibrated` are the same
    after calibration. What is not known or was not fitted is left out.
    """

    image: str
    object: int
    box_xyxy_px: list[float]
    object_type: str | None
    predicted: str
    predicted_class: str
    question: str
    choices: int
    probabilities: dict[str, float]
    truth: NotRequired[str]
    truth_class: NotRequired[str]
    flight: NotRequired[str]
    calibrated: NotRequired[dict[str, float]]
    unsure: NotRequired[bool]
    predicted_type: NotRequired[str]
    fold: NotRequired[int]  # of a cross-validation, as is the seed
    seed: NotRequired[int]


class PredictionRequest(TypedDict):
    """A question to the prediction service: which condition is the object of a photo in?

    `box_xyxy_px` is the object's box in pixels, without which the whole photo is judged; `object_type` its type,
    without which the class is asked; `other_boxes_xyxy_px` the photo's other boxes; `models` those that shall answer,
    without which the settings' model does.
    """

    image: str
    box_xyxy_px: NotRequired[list[float] | None]
    object_type: NotRequired[str | None]
    other_boxes_xyxy_px: NotRequired[list[list[float]]]
    models: NotRequired[list[str]]


class ModelAnswer(TypedDict):
    """What one model answers to a prediction request; see `core.engine.prediction.described`.

    `probability` is that of `predicted` as the model says it. `unsure` is None without a calibration, and then what is
    calibrated is left out. What speaks of classes is there when the class was asked.
    """

    model: str
    label: str
    predicted_type: str
    predicted: str
    probabilities: dict[str, float]
    class_probabilities: NotRequired[dict[str, float]]
    probability: float
    calibrated: NotRequired[dict[str, float]]
    calibrated_probability: NotRequired[float]
    calibrated_classes: NotRequired[dict[str, float]]
    unsure: bool | None
    threshold: NotRequired[float | None]
    note: str


@final
class Prediction(TypedDict):
    """The answer to a prediction request: the request as it was understood, and what each model says."""

    image: str
    size_wh: list[int]
    box_xyxy_px: list[float]
    object_type: str | None
    question: str
    answers: list[ModelAnswer]
    seconds: float


@final
class PredictionRefused(TypedDict):
    """In place of a prediction, why there is none."""

    error: str
    problems: NotRequired[list[ProblemRecord]]


class LockNote(TypedDict, total=False):
    """The note beside a lock: since when (unix seconds) which run holds it."""

    since: float
    run: str
    kind: str
    pid: int
    workspace: str


class RunFacts(TypedDict):
    """run.json: what a run was created for, and with which versions. `created` is in unix seconds."""

    kind: str
    name: str
    created: float
    workspace: str
    damgui: str
    git_commit: str
    libraries: dict[str, str]
    python: str
    platform: str


class PriorScore(TypedDict):
    """The scores of always answering the object type's most frequent training condition."""

    accuracy: float
    macro_f1: float


class LossHistory(TypedDict):
    """The training loss as [step, loss] pairs, and every evaluation on the validation photos."""

    train: list[list[float]]
    evaluation: list[ValidationScore]


class TrainingData(TypedDict, total=False):
    """The data of a training: its place, its fingerprint and how many photos each purpose got."""

    path: str
    fingerprint: str
    train_photos: int
    valid_photos: int
    calibration_photos: int


class TrainingInfo(TypedDict, total=False):
    """training_info_<name>.json: the outcome of a training. `adapter` is None when it was stopped."""

    name: str
    adapter: str | None
    seconds: float
    base_model: str
    base_fingerprint: str
    stopped: bool
    steps: int
    epochs: float | None
    final: ValidationScore
    best: ValidationScore
    trainable_parameters: int
    all_parameters: int
    class_weights: dict[str, float]
    data: TrainingData
    prior: PriorScore | None
    settings: dict[str, dict[str, Any]]
    history: LossHistory


class AdapterFacts(TypedDict):
    """damgui.json beside an adapter: the settings and taxonomy that its questions use, and its training data."""

    name: NotRequired[str]
    base_model: str
    base_fingerprint: NotRequired[str]
    settings: dict[str, dict[str, Any]]
    taxonomy: dict[str, Any]
    data_fingerprint: NotRequired[str]
    train_digests: NotRequired[list[str]]
    scores: NotRequired[ValidationScore]
    step: NotRequired[int]
