"""The glossary: what the page and the reports call things, and how they explain them.

The page explains a word in passing; a report is read by itself, months later, so its explanations say more.
"""

from __future__ import annotations

BASELINE = "Zero-shot baseline"
SPLITS = {"train": "Training", "valid": "Validation", "test": "Test"}

# Two shares of the same objects that may lie far apart: each is explained where it stands.
FOUND_AT_A_PRICE = (
    "Found here are only objects whose probability reaches a threshold that few others reach; recall counts each whose "
    "most probable answer is right, whatever false alarms that costs. The two can lie far apart."
)
RECALL_WITHOUT_PRICE = (
    "Recall does not count false alarms; the share found at a tolerated rate of them stands by itself and can be far "
    "lower."
)

TERMS = {
    "Zero-shot": "Judging without having been taught on your photos.",
    "Fine-tuning": "Teaching a ready-made model with your own examples.",
    "LoRA": "Teaching by small added matrices, while the big model stays as it is. The result is a small file.",
    "Adapter": "The file with those small matrices. It works together with the model it was taught on.",
    "Rank": "The size of the LoRA matrices: more can learn more, and can memorise more.",
    "Epoch": "One pass through all training photos.",
    "Step": "One update of the model, after a few photos.",
    "Batch size": "How many photos are looked at together.",
    "Learning rate": "How big each step of learning is. Too big and the loss jumps; too small and nothing happens.",
    "Loss": "How wrong the model was, weighted by how sure it was. Lower is better.",
    "Token": "A piece of a word or of a photo: the unit in which a model reads.",
    "Filler": "Empty places that make rows of tokens equally long. They cost time and teach nothing.",
    "GFLOP/s": "Billions of calculations a second.",
    "Gradient checkpointing": "Computing some things twice so that less memory is needed. The result is the same.",
    "Checkpoint": "A saved state of the training. A stopped run goes on from its last one.",
    "Training photos": "The photos the model learns from.",
    "Validation photos": "Photos kept aside. The model never learns from them, so they give an honest number.",
    "Accuracy": "Right answers out of all answers.",
    "Macro-F1": "A score that counts every class the same, however rare. It drops when rare conditions are missed.",
    "95 % interval": "With other photos of the same kind the number would most likely lie in here. Few photos, wide "
    "interval.",
    "Confusion matrix": "What was true (rows) against what the model said (columns). The diagonal is right.",
    "Split": "A part of the photos: for training, for validation or for a last test. No photo is in two of them.",
    "Flight": "Photos taken one after the other, told by their file names. They look alike, so they stay in one split.",
    "Cross-validation": "Dealing the photos into parts and judging each part once by a model taught on the others.",
    "Ablation": "Training the same model with and without one thing, to see what that thing brings.",
    "Seed": "The start of the random numbers. Two trainings that differ in it alone show how much is luck.",
    "Preset": "A set of settings that suits a model.",
    # Numbers to trust
    "Balanced accuracy": "The share found, class by class, then the mean: a rare class counts as much as a common one.",
    "Recall": "Of the objects in a condition, the share that was called so. What it misses lowers it.",
    "Precision": "Of the objects called so, the share that really is. False alarms lower it.",
    "F1": "Recall and precision in one number: 1 is perfect, 0 means never right.",
    "Support": "How many objects of a class there are. A score from five objects says little.",
    "False alarm": "An object that was called what alarms and is not.",
    "Log-loss": "The cost of wrong answers, the higher the surer they were given. 0 is perfect; lower is better.",
    "Brier score": "The squared distance of probabilities from the truth. 0 is perfect; lower is better.",
    "Calibration": "Making percentages honest: of the answers given with 80 %, 80 % should be right. Measured on "
    "photos kept aside for it.",
    "Calibration error": "How far, on average, how sure a model is lies from how often it is right. 0 is perfect.",
    "Reliability diagram": "How often answers were right against how sure they were. Honest percentages lie on the "
    "diagonal.",
    "Temperature": "The one number by which calibration makes a model less (or more) sure. It never changes the answer "
    "itself.",
    "Unsure": "An answer whose probability is too low to rely on. It goes to an engineer.",
    "Reference point": "What a simple rule or a simple program reaches on the same photos: a model must beat it.",
    "Probe": "A simple classifier on what a model sees or reads. It shows how much of a score is easy.",
    "Jackknife": "Leaving out one flight after the other, to see how much a number depends on which were flown. The "
    "intervals come from it.",
    "Sign-flip test": "How likely chance alone would turn so many more objects right than wrong (or the other way) "
    "between two equally good models, whole flights taken together.",
}

# In the order of a report.
REPORT_TERMS = {
    "Accuracy": TERMS["Accuracy"],
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
    "False alarm": "An object that was called what alarms and is not.",
    "Fingerprint": "A number computed from all of the data (or of the model's weights). Two reports with the same "
    "fingerprints are about the same thing.",
    "Condition question": "The object's type is told and its condition is asked.",
    "Class question": "The type is not told: type and condition are asked together. This is harder.",
}
