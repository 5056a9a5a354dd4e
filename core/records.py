"""What is kept in files, record by record: the fields of an event of each kind, of a prediction, of a run, a training.

The keys are a promise: other programs read these files, and so will later versions of this one. A field is added
here first; `events.event` refuses one that is not.
"""

# No postponed annotations here: which fields are required is read from these classes.

from typing import Any, Literal, NotRequired, TypedDict


class ProblemRecord(TypedDict):
    """A `core.errors.Problem` as it is written: what is wrong, where, how to cure it, and of which kind it is."""

    what: str
    where: str
    fix: str
    kind: str


class _Event(TypedDict):
    """What every event holds: `t`, when it was said, in unix seconds, and of which `kind` it is."""

    t: float


class Started(_Event):
    """The process of a run took its lock. `job` is the run's kind, `parent` the id of the process that started it."""

    kind: Literal["started"]
    run: str
    pid: int
    job: str
    parent: int


class Stage(_Event):
    """What the run does now, as a sentence."""

    kind: Literal["stage"]
    text: str


class Warned(_Event):
    """What the user should know, as a sentence."""

    kind: Literal["warning"]
    text: str


class Progressed(_Event):
    """How far a run is that judges photos or makes trainings (`unit`)."""

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
    """What a training is going to do."""

    kind: Literal["plan"]
    total_steps: int
    epochs: float
    photos: int
    objects: int
    trainable_parameters: NotRequired[int]
    all_parameters: NotRequired[int]
    save_steps: NotRequired[int]


class DryRunMeasured(TypedDict):
    """What two steps, tried before a training, told of it: results.json of a rehearsal. Memory and disk in MB."""

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


class Rehearsed(DryRunMeasured, _Event):
    """The same, told before the training's first step."""

    kind: Literal["rehearsal"]


class Stepped(_Event):
    """One step of learning. `loss` is None where it was no number, `grad_norm` is before clipping, `elapsed_s` since
    the process began to train."""

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
    """A test on the validation photos. `loss` in nats per question."""

    kind: Literal["evaluation"]
    step: int
    loss: float
    accuracy: float
    macro_f1: float
    total: NotRequired[int]
    elapsed_s: NotRequired[float]


class Saved(_Event):
    """A checkpoint, or (`best`) the best adapter so far."""

    kind: Literal["checkpoint"]
    step: int
    path: str
    best: bool


class MainNumbers(TypedDict, total=False):
    """Of a judged run its scores, of a training its last and its best test."""

    overall_accuracy: float
    macro_f1: float
    correct: int
    total: int
    seconds: float
    final: dict[str, float]
    best: dict[str, Any]


class Resulted(_Event):
    """Where the results lie, and their main numbers."""

    kind: Literal["result"]
    path: str
    summary: MainNumbers


class Ended(_Event):
    """The last word of a process: `how` is finished, stopped or failed; `problems` say why it failed."""

    kind: Literal["ended"]
    how: str
    error: NotRequired[str]
    problems: NotRequired[list[ProblemRecord]]
    seconds: NotRequired[float]


Event = Started | Stage | Warned | Progressed | Planned | Rehearsed | Stepped | Evaluated | Saved | Resulted | Ended

EVENTS: dict[str, Any] = {
    "started": Started,
    "stage": Stage,
    "progress": Progressed,
    "plan": Planned,
    "rehearsal": Rehearsed,
    "step": Stepped,
    "evaluation": Evaluated,
    "checkpoint": Saved,
    "warning": Warned,
    "result": Resulted,
    "ended": Ended,
}


Shares = Literal["probabilities", "calibrated"]  # the keys under which a row holds probabilities
Label = Literal["truth", "truth_class", "predicted", "predicted_class"]  # the keys that hold a condition or class


class PredictionRow(TypedDict):
    """One object as a model judged it: a line of …_predictions.jsonl.

    `box_xyxy_px` is in pixels of the photo as viewed; `question` is condition (the type is known) or class;
    `probabilities` sum to 1 over the `choices` allowed answers. What was not known or not fitted is left out.
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


class RunFacts(TypedDict):
    """run.json: what a run was made for, and with what. `created` is in unix seconds."""

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
    """What answering each type's most frequent training condition scores."""

    accuracy: float
    macro_f1: float


class ValidationScore(TypedDict, total=False):
    """A test on the validation photos; `path`, of the best one, is where its adapter is kept."""

    step: int
    loss: float | None
    accuracy: float
    macro_f1: float
    path: str


class LossHistory(TypedDict):
    """The training loss as [step, loss], and every test."""

    train: list[list[float]]
    evaluation: list[ValidationScore]


class TrainingData(TypedDict, total=False):
    """What was learned from, and what chose and calibrated."""

    path: str
    fingerprint: str
    train_photos: int
    valid_photos: int
    calibration_photos: int


class TrainingInfo(TypedDict, total=False):
    """training_info_<name>.json: what came of a training. `adapter` is None of one that was stopped."""

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
    """damgui.json beside an adapter: what its questions are made of, and what it learned from."""

    name: NotRequired[str]
    base_model: str
    base_fingerprint: NotRequired[str]
    settings: dict[str, dict[str, Any]]
    taxonomy: dict[str, Any]
    data_fingerprint: NotRequired[str]
    train_digests: NotRequired[list[str]]
    scores: NotRequired[ValidationScore]
    step: NotRequired[int]
