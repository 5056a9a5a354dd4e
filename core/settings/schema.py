"""All settings: type, default, range and help text of each. Command line, forms and docs are derived from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.settings.fields import SettingField, fields_of, setting


@dataclass(frozen=True)
class ModelSettings:
    """Which model is used, and how it is run."""

    path: str = setting(
        "demo",
        "The model that judges: demo, demo-photos, a hub id such as Qwen/Qwen2-VL-2B-Instruct, or a folder.",
        label="Model",
    )
    device: str = setting(
        "auto", "Where to compute: auto takes a GPU when there is one.", choices=("auto", "cpu", "cuda", "mps")
    )
    dtype: str = setting(
        "auto",
        "Number format: auto takes bfloat16 where the device has it, else float32.",
        choices=("auto", "float32", "bfloat16"),
        label="Number format",
    )
    four_bit: bool = setting(
        False,
        "Keep the language layers in 4 bits: a quarter of their memory for a little precision. It needs "
        "bitsandbytes (pip install '.[four-bit]').",
        label="4-bit weights",
    )
    offline: bool = setting(
        True, "Never ask the network: a hub id must already be on this machine. Switch off to let it be downloaded."
    )
    cache_features: bool = setting(
        True,
        "Keep on disk what the model sees in a photo, so that it looks at each photo once. Switches itself off "
        "where the layers that see are learning too.",
        label="Keep vision features",
    )
    cache_gb: float = setting(
        20.0,
        "The kept vision features take at most this much disk; those used longest ago go first.",
        low=0.01,
        high=100_000,
        unit="GB",
        label="Room for vision features",
    )
    base: str = setting(
        "",
        "Only for a tuned model (an adapter): the folder of the model that it was trained on, where that has moved. "
        "Empty: where it was then.",
        label="Moved base model",
    )


@dataclass(frozen=True)
class DataSettings:
    """Which photos are used, how their labels are read, and how they are split."""

    path: str = setting(
        "demo",
        "The photos: demo for the sample set, or a folder, label file or archive of your own, in any format that "
        "data.format lists.",
    )
    format: str = setting(
        "auto",
        "How labels are written: auto recognises it.",
        choices=(
            ("auto", "yolo", "labelme", "label_studio", "createml", "via", "supervisely", "datumaro", "coco", "cvat")
            + ("voc", "huggingface", "table", "folders")
        ),
    )
    taxonomy: str = setting(
        "", "A YAML file with object types, conditions and spellings; empty means the dam taxonomy that comes along."
    )
    split: str = setting("valid", "The photos that are judged.", choices=("train", "valid", "test"))
    valid_share: float = setting(
        0.2,
        "Share of the photos put aside for validation when the data has no validation split.",
        low=0.05,
        high=0.5,
        label="Validation share",
    )
    group_rule: str = setting(
        r"(?i)^(.*?)[ _-]*\d+(?:_V)?(?:[._]jpe?g|[._]png)?(?:\.rf\.[0-9a-f]+)?$",
        "A regular expression on the file name without its ending: its first group, with the photo's folder, names the "
        "flight or site that must stay on one side of a split. No match: the folder alone, or every photo by itself. "
        "A table's columns flight, or site and date, decide before it.",
        label="Flight rule",
    )
    drop_duplicates: bool = setting(
        False,
        "Leave out photos that are the same picture as another one, saved again, resized or brightened. Of a "
        "picture in training and in validation the one in validation stays.",
        label="Leave out duplicates",
    )
    regroup: bool = setting(
        False,
        "Make training, validation and test photos anew: whole flights on one side, with neighbouring frames "
        "and duplicates. Off: the splits of the data stay as they are.",
        label="Split anew by flight",
    )
    folds: int = setting(
        0,
        "For cross-validation: the photos are dealt into this many parts, whole flights together, and part `fold` "
        "is the test split. 0: the splits stay as they are.",
        low=0,
        high=50,
    )
    fold: int = setting(0, "Which part is the test split in cross-validation, counted from 0.", low=0, high=49)
    calibration_share: float = setting(
        0.1,
        "Share of the training photos, whole flights, that is neither learned from nor used to choose the best "
        "checkpoint: it teaches the tuned model how sure it may be. 0: no calibration.",
        low=0.0,
        high=0.5,
        label="Calibration share",
    )
    use_good: bool = setting(False, "Go on with the good photos and objects when some are bad.", label="Skip bad data")
    strict: bool = setting(
        False,
        "Refuse what had to be inferred from the labels, such as a photo's name that differs in case or boxes whose "
        "unit is not stated. Off: it is used, and told once.",
        label="Refuse inferences",
    )
    grey_range: str = setting(
        "",
        "Grey photos of more than 8 bits (thermal): what is black and white in the set, as 29000,31000; else refused.",
        label="Grey range",
    )
    limit: int = setting(0, "At most this many photos; 0 means all.", low=0, high=10_000_000, unit="photos")


@dataclass(frozen=True)
class ViewSettings:
    """What the model is shown of an object."""

    mode: str = setting(
        "full+crop",
        "What the model sees of an object: the whole photo, the whole photo and the object's crop, or the crop alone.",
        choices=("full", "full+crop", "crop"),
    )
    photo_px: int = setting(
        640,
        "The photo is shown with at most this many pixels squared: more shows more and costs more.",
        low=56,
        high=4096,
        unit="px",
        label="Photo resolution",
    )
    crop_px: int = setting(
        224,
        "The object's crop is resized to about this many pixels squared.",
        low=56,
        high=2048,
        unit="px",
        label="Crop resolution",
    )
    crop_zoom: float = setting(
        0.0,
        "Shows crops this many times as large as in the photo, at most at the crop resolution, so that sharp and "
        "blurred objects still differ. 0: all in one size.",
        low=0.0,
        high=16.0,
        label="Crop enlargement",
    )
    crop_margin: float = setting(0.15, "Surroundings shown around the box, as a share of its size.", low=0.0, high=2.0)


@dataclass(frozen=True)
class QuestionSettings:
    """What the model is asked, and how its answer is scored."""

    kind: str = setting(
        "condition",
        "What evaluation asks: the condition of a known object type, or the class of an unknown one.",
        choices=("condition", "class"),
    )
    answers: str = setting(
        "closed",
        "How answers are scored and learned. Closed: as a choice among the allowed ones, which is exact and "
        "cheap. Free: as text that the model writes, so that other programs can let the tuned model write.",
        choices=("closed", "free"),
    )
    class_share: float = setting(
        0.25,
        "Share of the training questions that hide the object type and ask for the class, so that prediction "
        "works when the type is not known.",
        low=0.0,
        high=1.0,
        label="Share of class questions",
    )


@dataclass(frozen=True)
class LoraSettings:
    """The size of the adapter and which layers it changes."""

    rank: int = setting(
        16,
        "Size of LoRA's small matrices, which learn while the model stays frozen; more can overfit.",
        low=1,
        high=256,
        label="LoRA rank",
    )
    alpha: float = setting(32.0, "How strongly the small matrices act; twice the rank is common.", low=0.1, high=1024)
    dropout: float = setting(0.0, "Share of the signal dropped at random while learning.", low=0.0, high=0.9)
    targets: str = setting(
        "attention",
        "Which layers learn: attention (q, k, v, o), language (attention and MLP), language+merger, or "
        "everything (the vision tower too).",
        choices=("attention", "language", "language+merger", "everything"),
        label="Layers that learn",
    )


@dataclass(frozen=True)
class EnhanceSettings:
    """The five enhancements that an ablation compares, and their strengths."""

    class_weighting: bool = setting(
        False, "Rare classes count more in the loss. Costs nothing in time; too much makes rare answers too frequent."
    )
    spatial_reasoning: bool = setting(
        False, "The question says how the box lies among the other boxes. Costs about 20 more tokens a question."
    )
    oversampling: bool = setting(
        False, "Photos with rare classes are seen more often in an epoch. An epoch takes longer in proportion."
    )
    position_encoding: bool = setting(
        False, "The question says how high in the photo the object lies. Costs about 10 more tokens a question."
    )
    condition_weighting: bool = setting(
        False, "Grave conditions count more in the loss. Costs nothing in time; can raise false alarms."
    )
    class_weight_power: float = setting(
        0.5,
        "How strongly rarity counts: the weight is (largest count / count) to this power; 1 is fully inverse.",
        low=0.0,
        high=1.0,
    )
    condition_weights: Mapping[str, float] = setting(
        {},
        "With condition weighting: the weight of each condition, written as name: number, name: number. Those that are "
        "not named weigh what the taxonomy says.",
        low=0.1,
        high=100,
    )
    weight_cap: float = setting(
        10.0,
        "No object weighs more than this many times the lightest; weights are then scaled to a mean of 1.",
        low=1.0,
        high=1000,
    )
    oversampling_cap: int = setting(3, "A photo is seen at most this many times in an epoch.", low=1, high=100)


@dataclass(frozen=True)
class TrainingSettings:
    """How long and in which steps a training learns, what it saves, and its random seed."""

    epochs: float = setting(3.0, "How often every training photo is seen.", low=0.01, high=1000)
    max_steps: int = setting(
        0, "Stop after this many steps whatever the epochs say; 0 means no limit.", low=0, high=10**9
    )
    learning_rate: float = setting(2e-4, "How big each step of learning is.", low=1e-8, high=1.0)
    batch_size: int = setting(
        2, "Photos a step of learning looks at, times accumulation.", low=1, high=1024, unit="photos"
    )
    accumulation: int = setting(
        2,
        "Photos of a step = batch size x accumulation. It changes no memory: that follows from tokens per pass.",
        low=1,
        high=4096,
        unit="batches",
    )
    tokens_per_pass: int = setting(
        4096,
        "About this many tokens go through the model at once (one photo with its questions at least). A step of "
        "more is computed in parts: the same result with less memory.",
        low=256,
        high=10_000_000,
        unit="tokens",
    )
    questions_per_sequence: int = setting(
        0,
        "Questions about one photo asked in one go; 0 means all of them, 1 asks one at a time as most scripts do "
        "(slower, the same loss).",
        low=0,
        high=1000,
    )
    warmup_share: float = setting(0.05, "Share of the steps in which the learning rate rises.", low=0.0, high=1.0)
    schedule: str = setting(
        "cosine", "How the learning rate falls after that.", choices=("cosine", "linear", "constant_with_warmup")
    )
    weight_decay: float = setting(0.0, "Pull of the learned matrices towards zero.", low=0.0, high=1.0)
    max_grad_norm: float = setting(1.0, "Longer gradients are cut to this length.", low=0.0, high=1000)
    save_steps: int = setting(
        100,
        "Steps between checkpoints (saved states to go on from).",
        low=1,
        high=10**9,
        unit="steps",
        label="Checkpoint every",
    )
    eval_steps: int = setting(100, "Steps between tests on validation photos.", low=1, high=10**9, unit="steps")
    keep_checkpoints: int = setting(3, "Checkpoints kept; the best one is kept apart.", low=1, high=1000)
    early_stopping: int = setting(
        0, "Stop after this many tests without a better macro-F1; 0 means never.", low=0, high=1000, unit="tests"
    )
    gradient_checkpointing: bool = setting(
        False, "Always save memory by computing some things twice, about a third slower. Off: only if it must be."
    )
    flip: bool = setting(
        False, "Every other time a photo is seen it is mirrored left to right, boxes and all. Doubles what is kept."
    )
    lights: int = setting(
        1,
        "Versions of each photo in other light (brighter, paler, more contrast …) that are learned from in turn; "
        "1: the photo as it is. Helps when the photos are few; multiplies what is kept of each.",
        low=1,
        high=8,
        label="Versions in other light",
    )
    seed: int = setting(0, "Start of the random numbers: the same seed gives the same run.", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class JudgingSettings:
    """How evaluations, batches and predictions are scored and reported."""

    references: bool = setting(
        True,
        "Also measure what a model must beat (guessing, a probe without the photo, classical probes) and whether "
        "it looks at the photo at all (blank and shuffled photos).",
        label="Reference points",
    )
    prior_correction: str = setting(
        "none",
        "Probabilities carry how frequent the conditions were in training. None: leave them. Frequencies: undo "
        "weights and oversampling. Even: every condition counts as equally frequent.",
        choices=("none", "frequencies", "even"),
    )
    max_error: float = setting(
        0.05,
        "An answer less probable than a threshold counts as unsure (send to an engineer); it is chosen so "
        "that the others are wrong at most this often.",
        low=0.0,
        high=0.5,
        label="Tolerated error",
    )
    false_alarm_rate: float = setting(
        0.1,
        "Recall of the conditions that alarm is given for the threshold at which this share of the other objects gives "
        "a false alarm.",
        low=0.001,
        high=0.5,
    )


@dataclass(frozen=True)
class BatchSettings:
    """How a folder of photos is judged, and what is saved besides the answers."""

    whole_photo: bool = setting(
        False, "Judge each photo of a folder without boxes as one object. That is coarse.", label="Judge whole photos"
    )
    annotate: bool = setting(
        True, "Also save each judged photo with its boxes: colour, mark and word.", label="Annotated photos"
    )
    pictures: int = setting(
        1500,
        "At most this many pictures go into a report; grave and unsure objects come first.",
        low=0,
        high=100_000,
        label="Pictures in a report",
    )


@dataclass(frozen=True)
class Settings:
    """All settings of a run, immutable: made by `Settings()`, `load`, `merge` or `from_dict`."""

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    view: ViewSettings = field(default_factory=ViewSettings)
    question: QuestionSettings = field(default_factory=QuestionSettings)
    lora: LoraSettings = field(default_factory=LoraSettings)
    enhance: EnhanceSettings = field(default_factory=EnhanceSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    judging: JudgingSettings = field(default_factory=JudgingSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)


FIELDS: Mapping[str, SettingField] = {field.path: field for field in fields_of(Settings)}
