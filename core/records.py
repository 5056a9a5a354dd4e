"""What is kept in files, record by record: the fields of an event of each kind, of a prediction, of a run.

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


class Started(TypedDict):
    """The process of a run took its lock. `job` is the run's kind, `parent` the id of the process that started it."""

    run: str
    pid: int
    job: str
    parent: int


class Stage(TypedDict):
    """What the run does now, as a sentence."""

    text: str


class Warned(TypedDict):
    """What the user should know, as a sentence."""

    text: str


class Progressed(TypedDict):
    """How far a run is that judges photos or makes trainings (`unit`)."""

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


class Planned(TypedDict):
    """What a training is going to do."""

    total_steps: int
    epochs: float
    photos: int
    objects: int
    trainable_parameters: NotRequired[int]
    all_parameters: NotRequired[int]
    save_steps: NotRequired[int]


class DryRunMeasured(TypedDict):
    """What two steps, tried before a training, told of it. Memory and disk in MB."""

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


class Stepped(TypedDict):
    """One step of learning. `grad_norm` is before clipping, `elapsed_s` since the process began to train."""

    step: int
    total_steps: int
    epoch: float
    loss: float
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


class Evaluated(TypedDict):
    """A test on the validation photos. `loss` in nats per question."""

    step: int
    loss: float
    accuracy: float
    macro_f1: float
    total: NotRequired[int]
    elapsed_s: NotRequired[float]


class Saved(TypedDict):
    """A checkpoint, or (`best`) the best adapter so far."""

    step: int
    path: str
    best: bool


class Resulted(TypedDict):
    """Where the results lie, and their main numbers."""

    path: Any
    summary: dict[str, Any]


class Ended(TypedDict):
    """The last word of a process: `how` is finished, stopped or failed; `problems` say why it failed."""

    how: str
    error: NotRequired[str]
    problems: NotRequired[list[ProblemRecord]]
    seconds: NotRequired[float]


EVENTS: dict[str, Any] = {
    "started": Started,
    "stage": Stage,
    "progress": Progressed,
    "plan": Planned,
    "rehearsal": DryRunMeasured,
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
