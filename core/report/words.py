"""What a report says around its numbers: titles, explanations of every term, names of things."""

from __future__ import annotations

KINDS = {"baseline": "Zero-shot baseline", "evaluate": "Evaluation of a model", "batch": "Judgement of a photo folder"}
SPLITS = {"train": "training photos", "valid": "validation photos", "test": "test photos"}

SCORES_SAY = (
    "A dot is a score, the line through it its 95 % interval. Hollow dots are reference points: what can be had "
    "without this model, or without looking at the photo. A model earns trust by being clearly to the right of them."
)
CLASSES_SAY = (
    "Support: how many objects truly are of the class. Recall: the share of them that was found (with its 95 % "
    "interval). Precision: the share of the answers with this class that were right. F1: both in one number, 1 is "
    "perfect. The thin line on a bar is the interval of the recall."
)
CONFUSION_SAYS = (
    "Rows: what was true. Columns: what was answered. Framed: right. The darker, the larger its row's share."
)
RELIABILITY_SAYS = (
    "On the dashed line the model is right as often as it says. Dots below it: too sure of itself; above it: too "
    "modest. The larger a dot, the more objects stand behind it."
)
ALARMS_SAY = (
    "If the model's probability of the condition alone raised the alarm, with a threshold at which this share of other "
    "objects raises a false one: how much of what is truly blocked or damaged would be found. The threshold comes from "
    "the calibration photos; of a model without any, each flight's from the other flights."
)
MISTAKES_SAY = "Objects judged wrong, missed faults first, and among them the surest first. The box is the object."
URGENT_SAY = "The surest first. These are a model's answers, not findings: look at the object before acting on one."
NO_THRESHOLD = "none keeps the promise on the calibration photos, so every answer counts as unsure"

TERMS = {
    "Accuracy": "Right answers out of all answers.",
    "Balanced accuracy": "The mean of the classes' recalls: every class counts the same, however rare.",
    "Macro-F1": "The mean of the classes' F1: every class counts the same. It drops when rare conditions are missed "
    "or answered too often.",
    "Precision": "Of the objects that were given this answer, the share for which it is true.",
    "Recall": "Of the objects for which this is true, the share that was given this answer.",
    "F1": "The harmonic mean of precision and recall; 1 is perfect, 0 means never right.",
    "Support": "How many objects there are of a class. A score of few objects says little.",
    "95 % interval": "With other flights of the same kind the number would most likely lie in here. It rests on how "
    "much the flights differ (each is left out in turn), because neighbouring frames resemble each other. Under four "
    "flights there is none.",
    "Confusion matrix": "What was true against what was answered, counted.",
    "Zero-shot": "Judging without having been taught on photos of this kind.",
    "LoRA adapter": "Small matrices beside a ready-made model that hold what it was taught.",
    "Validation photos": "Photos that the model does not learn from. A tuned model's best state is chosen on them, so "
    "their score flatters it a little.",
    "Test photos": "Photos that neither taught the model nor chose its best state: the honest judge.",
    "Probability": "How sure the model is of an answer, 0 to 100 %, among the allowed answers.",
    "Calibration": "Making probabilities true: of answers given with 80 %, 80 % are right. One number, the "
    "temperature, softens them; it is fitted on photos that taught nothing (Guo et al., 2017).",
    "Unsure": "The calibrated probability lies below a threshold that was chosen so that the other answers are wrong "
    "at most as often as is tolerated.",
    "Expected calibration error": "The mean distance between how sure the model was and how often it was right. 0 is "
    "perfect.",
    "Brier score": "The mean squared distance between probabilities and the truth. 0 is perfect (Brier, 1950).",
    "Log loss": "The mean of minus the logarithm of the probability of the right answer. It punishes being sure and "
    "wrong. 0 is perfect.",
    "False alarm": "A sound object that was called blocked or damaged.",
    "Fingerprint": "A number computed from all of the data (or of the model's weights). Two reports with the same "
    "fingerprints are about the same thing.",
    "Condition question": "The object's type is told and its condition is asked.",
    "Class question": "The type is not told: type and condition are asked together. This is harder.",
}
