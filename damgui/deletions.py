"""What a deletion takes along, in a sentence that page and terminal share."""

from __future__ import annotations

from core.data.splits import SPLIT_FILE
from core.runs import store
from core.runs.holdings import Holding
from core.runs.trash import KEPT_DAYS, Deleted
from core.units import counted, file_size
from damgui import text

MODEL = "Model"


def title(kind: str, name: str) -> str:
    """As in "Fine-tuning small"; a model whose training is gone has no kind."""
    return f"{text.KIND_WORDS.get(kind, kind) or MODEL} {name}".strip()


def what_goes(found: Holding) -> str:
    """As in "12 files, 120 MB, and the comparison that uses it. A batch that it judged stays."."""
    files, size = found.size()
    parts = []
    if found.model:
        parts.append(f"the model {found.model}")
    if found.evaluations:
        runs = len(found.evaluations)
        parts.append("the evaluation that Compare shows of it" if runs == 1 else f"{runs} evaluations of it in Compare")
    elif found.run is not None and found.run.kind in ("baseline", "evaluate"):
        parts.append("every comparison that uses it")
    reports = sum(path.suffix == ".html" for path in found.paths)
    if reports:
        parts.append("its report" if reports == 1 else f"{reports} reports")
    goes = f"{counted(files, 'file')}, {file_size(size)}, go to the trash"
    along = f", and with them {_joined(parts)}" if parts else ""
    return f"{goes}{along}. {_stays(found)}{_split(found)}All of it can be brought back for {KEPT_DAYS} days."


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _stays(found: Holding) -> str:
    if not found.batches:
        return ""
    batches = f"{counted(len(found.batches), 'batch', 'batches')} that it judged"
    if any(store.status(run) != "finished" for run in found.batches):
        return f"{batches} {'stays' if len(found.batches) == 1 else 'stay'}, but an unfinished one cannot go on. "
    return f"{batches} {'stays' if len(found.batches) == 1 else 'stay'}. "


def _split(found: Holding) -> str:
    """What is lost with the training of a model from before models kept its split beside them."""
    if found.run is None or found.run.kind != "train" or not (found.run.folder / SPLIT_FILE).is_file():
        return ""
    if (found.run.workspace.final(found.run.name) / SPLIT_FILE).is_file():
        return ""
    return (
        "How this training divided the photos goes too: a copy of the model that you keep elsewhere is then judged "
        "without the photos that it learned from. "
    )


def gone(deleted: Deleted) -> str:
    """As in "Fine-tuning small is in the trash: 12 files, 120 MB."."""
    what = title(deleted.kind, deleted.name or deleted.run)
    return f"{what} is in the trash: {counted(deleted.files, 'file')}, {file_size(deleted.bytes)}."
