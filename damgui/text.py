"""Every sentence the page says; what it shares with reports stands in `core.glossary`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import glossary, units
from core.data.formats.registry import FORMATS_NAMES
from core.records import DryRunMeasured, Resulted, Stepped

TITLE = "damgui"
TAGLINE = "Teach a vision-language model to judge the condition of things in photos"

SPLIT_WORDS = glossary.SPLITS
KIND_WORDS = {
    "baseline": glossary.BASELINE,
    "train": "Fine-tuning",
    "rehearse": "Trying two steps",
    "evaluate": "Judging a model",
    "predict": "Prediction service",
    "batch": "Judging many photos",
    "ablate": "Ablation",
    "crossval": "Cross-validation",
}
STATUS_WORDS = {
    "starting": "Starting",
    "running": "Running",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed",
    "crashed": "Broke off",
}
STATUS_MARKS = {"starting": "◌", "running": "●", "finished": "✓", "stopped": "■", "failed": "✕", "crashed": "✕"}

TAB_START, TAB_DATA, TAB_BASELINE = "Start", "Photos", "Baseline"
TAB_TRAINING, TAB_COMPARE, TAB_PREDICT = "Fine-tuning", "Compare", "Predict"

LOSS_RAW, LOSS_SMOOTH, LOSS_VALID = "Training loss", "smoothed", "Validation loss"
MACRO_F1, ACCURACY = "Macro-F1", "Accuracy"
CHECKPOINT, BEST = "Checkpoint", "Best"
BEFORE, AFTER = "Before teaching", "After teaching"

# -- Start -----------------------------------------------------------------------------------------------------------
WELCOME_TITLE = "Is this drain normal, blocked or damaged?"
WELCOME_LEAD = (
    "You have photos with boxes around what is to be judged: the drains, rock toes and vegetation of a dam, say, or "
    "what your own taxonomy names. damgui asks a vision-language model about every box, teaches it with your photos, "
    "and shows with honest numbers what the teaching changed. All of it happens on this computer."
)
STEPS = (
    (
        "Measure",
        "Zero-shot baseline",
        "The model judges photos it has never seen, untaught. This number is what teaching has to beat.",
        "Demo: about half a minute",
        "Go to the baseline",
        "baseline",
    ),
    (
        "Teach",
        "Fine-tuning",
        "Small matrices beside the model learn from your training photos. Watch the loss fall, live.",
        "Demo: about three minutes",
        "Go to fine-tuning",
        "training",
    ),
    (
        "Ask",
        "Predict",
        "Drop a photo, box an object, and see what the untaught and the taught model say, side by side.",
        "A few seconds a question",
        "Go to predict",
        "predict",
    ),
)
DATA_STEP = "The sample set is ready to use. Your own photos go in on the Photos tab."
GO_DATA = "Choose photos"
OPTIONS = "Options"
GOOD_TITLE = "What good looks like"
GOOD = (
    ("Zero-shot baseline", "above 75 %", "of the validation objects right before any teaching, with a full-size model"),
    ("Training loss", "falling steadily", "fast at first, then slower; validation loss falls with it"),
    ("After teaching", "above 90 %", "of the validation objects right, and no condition left behind (macro-F1)"),
)
DEMO_HONEST = (
    "The demo model is a small teaching model, made to show the whole way in minutes without a graphics card. It knows "
    "drawn scenes only. Real photos want Qwen2-VL: choose it as the model, on a computer with a GPU."
)
FILES_TITLE = "Where the files are"
FILES = (
    ("experiments/zeroshot_results.json", "the baseline's numbers; every single answer lies beside it"),
    ("experiments/training_info_<name>.json", "what a training run was told and what came out"),
    ("experiments/training_logs/", "loss and scores, step by step"),
    ("experiments/runs/", "one folder for every run: settings, events, output"),
    ("models/<name>_final/", "the taught adapter, ready for use"),
    ("models/<name>_checkpoints/", "saved states to go on from"),
)
GLOSSARY_TITLE = "What the words mean"
GLOSSARY = glossary.TERMS
FOUND_AT_A_PRICE = glossary.FOUND_AT_A_PRICE

# -- Data ------------------------------------------------------------------------------------------------------------
DATA_LEAD = "Choose the photos to work with, and see what is in them before anything is computed."
DATA_SOURCE, DATA_SAMPLE, DATA_FOLDER = "Photos", "Sample set (drawn dam slopes)", "My own folder"
DATA_PATH = "Folder"
DATA_PATH_HINT = f"The whole path of a folder, label file or archive: {FORMATS_NAMES}."
DATA_READ, DATA_READING = "Read the photos", "Reading the photos… the sample set is drawn on first use, about 30 s."
DATA_EMPTY = "No photos read yet. Choose the sample set or your own folder, then press Read the photos."
DATA_CHART = "Objects of every class in each split"
DATA_THUMBS = "A look at the photos"
DATA_MORE = "Show other photos"
DATA_CANCEL, DATA_ANYWAY = "Cancel", "Yes, read it all the same"
DATA_USE_GOOD = "Use the good rest"
# A word and a sentence for each light, which the terminal says too; a mark and a word for each level of a finding.
LIGHTS = {
    "red": ("Stop", "A run would not start with this data. What stops it is listed with its cure."),
    "amber": ("Take care", "A run can start, but its numbers need care: read first what is marked."),
    "green": ("Good", "Nothing in the data stands in the way of a run or of its numbers."),
}
LEVELS = {"red": ("✕", "Stops a run"), "amber": ("!", "Take care"), "note": ("ℹ", "Good to know")}
FINDINGS = "What the data says before anything is computed"
CURES = {
    "data.use_good": "Use the good rest",
    "data.drop_duplicates": "Leave out duplicates",
    "data.regroup": "Split anew by flight",
    "enhance.class_weighting": "Switch on Class weighting",
    "enhance.oversampling": "Switch on Oversampling",
}
# Findings whose cure has to be written: the setting that it goes into, and what the button that leads there says.
CURE_BY_HAND = {
    "flight-across": ("data.group_rule", "Change the flight rule"),
    "rare-to-judge": ("data.valid_share", "Change the validation share"),
    "absent": ("data.taxonomy", "Give another taxonomy"),
}
LEFT_OUT = "Left out"
IF_DRAWN_AS_STORED = "if it was drawn on the photo as stored"
WHERE = "Where things lie"
WHERE_HINT = (
    "Height in the photo, drawn as in the photo: each bar is the share of a class's boxes whose middle lies in that "
    "tenth. This is information, not a fault; the enhancements Position encoding and Spatial reasoning tell it to the "
    "model."
)
ABOVE, ABOVE_HINT = "What lies above what", "how often the first of two is higher"
ABOVE_NONE = "No photo holds two objects of different kinds."
TOGETHER, TOGETHER_HINT = "What occurs together", "photos that hold both classes"


def cure(setting: Mapping[str, Any]) -> str:
    """What the button of a cure says: Split anew by flight; Photo resolution 336."""
    from core.settings import FIELDS

    actions = [CURES.get(path) or f"Set {FIELDS[path].label} to {value}" for path, value in setting.items()]
    return ", ".join(actions)


def no_such_folder(folder: str) -> str:
    return f"There is no folder {folder} on this computer. Check how it is written, or copy its whole path."


def folder_above(root: Path) -> str:
    return (
        f"The list shows folders in {root} only, and none that is hidden. Write the whole path of another one into the "
        f"field; whoever starts damgui can have others listed, with --root FOLDER."
    )


def folder_unread(folder: str) -> str:
    return f"The folder {folder or '.'} cannot be opened: it is gone, or may not be read. Choose another one."


def split_name(split: str) -> str:
    return SPLIT_WORDS.get(split, split)


def and_more(count: int, one: str, many: str = "") -> str:
    return f"… and {units.counted(count, one, many)}. All of them: damgui check --json"


def problems_title(count: int, kept: bool) -> str:
    one = count == 1
    left_out = f"{'It is' if one else 'They are'} left out; the good rest is used."
    cure = f"Cure {'it' if one else 'them'}, or use the good rest."
    return f"{units.counted(count, 'problem')} in the data. {left_out if kept else cure}"


# -- Baseline --------------------------------------------------------------------------------------------------------
BASELINE_LEAD = "How good is the model before any teaching? It judges every boxed object of the validation photos once."
BASELINE_START, BASELINE_STOP = "Start baseline", "Stop"
BASELINE_EMPTY = "No baseline yet. Press Start baseline: with the demo it takes about half a minute."
MODEL_HINT = "demo, demo-photos, a hub id such as Qwen/Qwen2-VL-2B-Instruct, or a local folder."
PER_CLASS = "Right answers by class"
CONFUSION = "What was true, what the model said"
MISTAKES = "Mistakes"
NO_MISTAKES = "No mistakes: every object was judged right."
MORE_MISTAKES = "Show more mistakes"
STOPPING = "Stopping: the work in hand is finished and saved first."
STOPPING_TRIAL = "Stopping: the step in hand is finished first."
STARTING = "Starting: a process is made and the model is loaded."


def first_score(event: Resulted) -> str:
    """The score of a run that goes on, and what it still measures."""
    found, macro = event["summary"], event["summary"].get("macro_f1")
    right = f"{units.percent(found['overall_accuracy'])} of the objects judged right"
    more = f", macro-F1 {units.decimal(macro)}" if macro is not None else ""
    return f"{right} ({found['correct']} of {found['total']}){more}. Its {event['follows']} follow."


# -- Training --------------------------------------------------------------------------------------------------------
TRAINING_LEAD = "Teach the model with the training photos. The validation photos stay aside and give the honest score."
TRAINING_START, TRAINING_STOP, TRAINING_RESUME = "Start fine-tuning", "Stop and save", "Resume"
TRAINING_TRY = "Try two steps first"
TRAINING_TRY_HINT = "Trying takes seconds and changes nothing. It tells whether all fits, and how long it will take."
TRAINING_STOP_TRYING = "Stop"
TRIED_FITS = "It fits, with the settings as they were when you pressed the button."
TRIED_STOPPED = "Stopped before both steps were taken."
TRIED_MEMORY, TRIED_STEP, TRIED_ALL, TRIED_DISK = "Memory", "One step", "Whole training", "Disk"
TRAINING_COMPARE, TRAINING_ASK = "Compare with the baseline", "Ask it about a photo"
TRAINING_EMPTY = "The loss appears here, step by step, once fine-tuning runs."
PRESET, PRESET_HINT = "Preset", "Settings that suit a model. Choosing one fills the form."
RUN_NAME_MISSING = "No name is given. The tuned model needs one: letters, digits, dots and dashes."
CHOICE_SET, CHOICE_KEPT = "Choosing {} set:", "Kept as you set it, though {} has another value:"
CHOICE_REST = "and {} more"
CHOICE_UNDO, CHOICE_TAKE, CHOICE_NO_MODEL = "Undo", "Take the preset's values too", "no model"
RUN_NAME, RUN_NAME_HINT = "Name", "Names the tuned model and its files. Letters, digits, dots and dashes."
ENHANCEMENTS = "Enhancements"
ENHANCEMENTS_HINT = "Five ways to help with rare classes and with position. One at a time shows what each brings."
MORE_SETTINGS = "All other settings"
CHART_TITLE = "Learning, step by step"
LOG_TITLE = "Output of the process"
LOG_EMPTY = "Nothing printed yet."
TUNED_READY = "The tuned model is ready. Compare it with the baseline, or ask it about a photo."
GROUP_WORDS = {
    "model": "Model",
    "data": "Photos",
    "view": "What the model sees",
    "question": "Questions",
    "lora": "LoRA",
    "judging": "Judging",
    "training": "Training",
    "enhance": "Strength of the enhancements",
}

# -- Compare ---------------------------------------------------------------------------------------------------------
COMPARE_LEAD = "What did the teaching change, and is that more than chance? Both models judge the same objects."
COMPARE_NO_BASELINE = "No baseline yet. It is the number the tuned model has to beat."
COMPARE_NO_TUNED = "No tuned model yet. Teach one first."
COMPARE_JUDGE, COMPARE_STOP = "Judge the tuned model", "Stop"
TUNED_MODEL = "Tuned model"
DIFFERENCE_CHART = "Right answers by class, before and after"
FIXED, BROKEN = "Mistakes that teaching fixed", "Right answers that teaching broke"
NONE_FIXED, NONE_BROKEN = "None fixed.", "None broken."

MEMORY_NEEDED, DISK_NEEDED, TIME_LEFT = "Memory needed", "Disk needed", "Time left"
# A number and its unit stay on one line.
UNIT = re.compile(r"(\d) (GB|MB|s)\b")

NOTHING_RUNS, LOOKING = "Nothing is running", "Checking what is running…"
STOP, STOPPING_SHORT = "Stop", "Stopping…"
FOLDER_CHOOSE = "Choose a folder from a list"
FOLDER_ODD = "This is no folder of the list. Choose one that is listed, or write its whole path into the field."
FOLDER_GONE = "This folder is not there any more. Choose another one, or write its whole path into the field."
WINDOW_CLOSED = "The window is closed, so damgui ends; runs go on."
WINDOW_WAS_OPEN = "A damgui window that was open already shows the page. Ctrl+C ends damgui."
WINDOW_NONE = (
    "No window of its own could be opened (it takes Chrome, Chromium or Edge, or pip install '.[window]'), so an "
    "ordinary tab shows the page."
)


def machine_speed(step: Stepped | None) -> str:
    """What a step's event holds of the machine's speed, in one line; "" for logs that do not have it."""
    parts: list[str] = []
    if step is None:
        return ""
    if step.get("questions_per_s"):
        parts.append(f"{step['questions_per_s']:.1f} questions/s")
    if step.get("tokens_per_s"):
        filled = f" and {units.percent(step['padding'], 0)} filler" if step.get("padding", 0) >= 0.005 else ""
        parts.append(f"{step['tokens_per_s']:,.0f} tokens/s{filled}")
    if step.get("flops_per_s"):
        share = (
            f", {units.percent(step['peak_share'], 0)} of what this processor can do" if step.get("peak_share") else ""
        )
        parts.append(units.operations(step["flops_per_s"]) + share)
    return " · ".join(parts)


def tried(found: DryRunMeasured) -> tuple[tuple[str, str, str], ...]:
    """(label, value, one-line explanation) of what two tried steps measured of a training."""
    there, free = units.megabytes(found["memory_free_mb"]), units.megabytes(found["disk_free_mb"])
    cache = (
        f", {units.megabytes(found['cache_mb'])} to remember what it sees in the photos"
        if found.get("cache_mb")
        else ""
    )
    measured = (
        (TRIED_MEMORY, units.megabytes(found["peak_memory_mb"]), f"of {there} there, in the largest step"),
        (
            TRIED_STEP,
            units.seconds(found["usual_step_s"]),
            f"for one update of the model; the largest takes {units.seconds(found['step_s'])}",
        ),
        (TRIED_ALL, units.about(found["total_s"]), f"for {found['steps']:,} steps and the tests on validation photos"),
        (
            TRIED_DISK,
            units.megabytes(found["checkpoint_mb"] + found["cache_mb"]),
            f"of {free} free: {units.megabytes(found['checkpoint_mb'])} of saved states{cache}",
        ),
    )
    return tuple((label, value, UNIT.sub("\\1\u00a0\\2", below)) for label, value, below in measured)


def busy_elsewhere(kind: str) -> str:
    return f"{KIND_WORDS.get(kind, kind)} is running; one at a time. Wait for it, or stop it on its tab."


# -- Reports and many photos -----------------------------------------------------------------------------------------
REPORT_MAKE, REPORT_MAKING, REPORT_LOAD = "Make a report", "Making the report…", "Download the report"
REPORT_OF = "Report of"
TAB_BATCH = "Many photos"
BATCH_LEAD = "Let a model judge every box in a folder of photos, and take the answers along as a table and a report."
BATCH_MODEL, BATCH_FOLDER = "Model", "Folder of photos"
BATCH_MODEL_HINT = (
    "A tuned model, or one as it is (untaught). Where its base model has moved: Moved base model, under Fine-tuning."
)
BATCH_FOLDER_HINT = (
    f"Its whole path. Boxes and types are read from {FORMATS_NAMES}; conditions in them are ignored. Nothing is "
    "written there."
)
BATCH_TUNED, BATCH_BASE = "tuned", "untaught"
BATCH_START, BATCH_STOP, BATCH_RESUME = "Judge all photos", "Stop", "Resume"
BATCH_EMPTY = "No folder judged yet. Choose a model and a folder, then press Judge all photos."
BATCH_NO_FOLDER = "Give the folder of photos first."
BATCH_STOPPED = "Stopped: what was judged so far is below. Resume goes on with the next photo."
BATCH_UNSURE_HINT = "send these to an engineer"
BATCH_WHOLE = "These photos have no boxes, so each was judged whole, as one object. That is coarse."
BATCH_UNCALIBRATED = (
    "This model is not calibrated, so no answer is marked unsure: how sure it seems is not how often it is right."
)
UNSURE_SHORT = "unsure"
BATCH_TABLE, BATCH_ORDER = "Answers", "the most urgent first: the gravest condition, then the others, then unsure"
BATCH_COLUMNS = ("Condition", "Object", "How sure", "", "Photo", "No.")
BATCH_GUESSED, BATCH_ONE_ANSWER = "type not known, as answered", "only one answer possible"
BATCH_GALLERY, BATCH_GALLERY_HINT = "Annotated photos", "those with the most urgent objects first"
BATCH_NO_GALLERY = "Annotated photos were switched off for this run."
BATCH_MORE_ROWS, BATCH_MORE_PHOTOS = "Show more answers", "Show more photos"
BATCH_CSV = "Download the table (CSV)"

# Axes of charts
CONFIDENCE, RIGHT_SHARE, OBJECTS = "How sure it was (%)", "Right answers (%)", "Objects"
CHANGE_AXIS = "Difference in points: right of 0 is better"
SMOOTHED_LOSS, VALID_F1 = "Loss, smoothed", "Validation macro-F1 (%)"
