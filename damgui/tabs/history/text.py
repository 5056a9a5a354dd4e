"""Every sentence of the History tab."""

from __future__ import annotations

from core.runs.trash import KEPT_DAYS

TAB = "History"
LEAD = "Everything that was run and taught in this workspace, the newest first. Choose a line to rename or delete it."
KIND, ALL, MODELS = "Show", "Everything", "Models"
COLUMNS = ("Kind", "Name", "When", "How it ended", "Score", "On disk")
EMPTY = "Nothing was run here yet. Start with the baseline."
EMPTY_KIND = "Nothing of this kind is here. Choose Everything to see the rest."
MORE = "Show older ones"
UNMEASURED, AT_WORK = "…", "at work"
PHOTOS = "Photos"
MODEL_HERE, CHECKPOINTS_HERE = "with its model", "with its checkpoints"
ON_VALIDATION = "best on validation photos"
CHOOSE = "Choose a line of the table: what it is, where its files are, and what can be done with it appear here."
NAME = "Name"
NAME_HINT = "Letters, digits, dots and dashes. A model is renamed wherever its name is written."
RENAME, DELETE, OPEN, STOP = "Rename", "Delete…", "Show it", "Stop and save"
DELETE_YES, DELETE_NO = "Move to the trash", "Keep it"
UNDO = "Undo"
GONE = "this is no longer here: it was deleted meanwhile, on another page or by a command"
GONE_CURE = "Choose another line; the table shows what is there now."
NOTHING_CHOSEN, NOTHING_CHOSEN_CURE = "nothing is chosen", "Choose a line of the table first."
TRASH = "Trash"
TRASH_HINT = f"In experiments/trash/ of the workspace. Each entry is removed for good after {KEPT_DAYS} days."
TRASH_EMPTY = "The trash is empty."
TRASH_COLUMNS = ("What", "Deleted", "Files", "On disk", "Kept for", "")
BACK = "Bring back"
EMPTY_TRASH, EMPTY_YES, EMPTY_NO = "Empty the trash…", "Remove for good", "Keep it all"
EMPTY_SURE = "This cannot be undone: what is in the trash is removed for good."
BROUGHT_BACK = "is back where it was."


def renamed(before: str, name: str) -> str:
    return f"{before} is called {name} now."
