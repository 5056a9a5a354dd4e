"""Every sentence of the Predict tab."""

from __future__ import annotations

LEAD = (
    "Judge one object of a photo, or all its labelled boxes at once. Base model (untaught) and tuned one side by side."
)
DROP = "A photo of your own"
EXAMPLES = "Or a labelled photo"
SAMPLE_SET = "from the sample set"
NO_EXAMPLES = "Labelled photos appear here once there are some: choose them on the Photos tab."
READING = (
    "Reading the photos chosen on the Photos tab. The sample set is drawn first where it is not there yet: a minute."
)
PHOTO = "The photo. Enter draws a box, arrow keys move it, Shift and arrow keys resize it."
DRAW, MOVE = "Draw a box", "Move the photo"
TOOLS, ZOOM = "What dragging does", "Zoom"
ZOOM_IN, ZOOM_OUT, ZOOM_FULL, ZOOM_FIT = "Zoom in", "Zoom out", "One pixel of the photo on one of the page", "Fit"
CHOSEN = "Chosen:"
WHOLE = "Take the whole photo"
HINT = "Drag a box around the object, or click a numbered one. Drag its handles to resize it, its inside to move it."
KEYS = (
    ("Enter", "draws a box"),
    ("← ↑ → ↓", "move it, or the photo where no box is chosen"),
    ("Shift + arrows", "resize it"),
    ("Ctrl + arrows", "pixel by pixel"),
    ("Esc", "removes it"),
    ("+ −", "zoom, as the wheel does"),
    ("0", "fits the photo"),
    ("1", "shows it pixel by pixel"),
)
TYPE, NOT_SURE = "What is it?", "Not sure"
TYPE_HINT = "Not sure: the model names the type as well."
MODEL_HINT = "It answers beside its base model."
ASK = "Judge this object"
STOP = "Stop waiting"
ASKING = "Asking… the model is loaded first when it is not in memory yet."
EMPTY = "The answer appears here: mark the object in the photo, then press Judge this object."
NO_PHOTO = "Choose a photo first: drop one, or take an example."
NO_BOX = "Mark the object first: draw a box around it, click a numbered one, or press Take the whole photo."
BASE_ONLY = "No tuned model yet, so only the base model answers. Fine-tuning adds the second answer."
PICTURE, TABLE = "Save the picture", "Save the table (CSV)"
PHOTO_GONE, PHOTO_GONE_CURE = "the photo cannot be read any more", "Drop it again."
BY_CONDITION, BY_CLASS = "Probability of every condition", "Probability of every class"
NUMBER, KIND, LABEL = "Box", "What", "In the labels"
NOT_ANSWERED = "…"


def ask_all(boxes: int) -> str:
    return f"Judge all {boxes} boxes"


def progress(done: int, total: int) -> str:
    return f"{done} of {total} boxes judged"


def drawn_at_boxes(label: str) -> str:
    """Whose verdicts stand in the photo."""
    return f"In the photo: {label}. Each labelled box is judged as the type that its label names."
