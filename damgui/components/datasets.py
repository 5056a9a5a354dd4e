"""Photos as the page needs them: read once for all open pages, and found again by the names in results."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from core.data.files import ASKED_ABOVE, MOST_FILES
from core.data.quality.findings import Review
from core.data.reader_client import Reading, ReadingJob
from core.data.types import Dataset, Photo
from core.runs.workspace import Workspace
from core.settings import DataSettings, Settings
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy
from damgui.components.photos import Mark

_LOCK = threading.Lock()
_READ: dict[tuple[Path, DataSettings, int], Dataset] = {}
MAX_READ = 4  # data sets kept in memory


def _key(workspace: Workspace, settings: Settings) -> tuple[Path, DataSettings, int]:
    return workspace.root, settings.data, settings.training.seed


def begin(workspace: Workspace, settings: Settings, with_review: bool = False, many_files: bool = False) -> Reading:
    """Start to read the photos now, whatever was read before, in a process that may hang and be cancelled.

    Folders of very many files are a question unless `many_files` says that they are meant.
    """
    most = MOST_FILES if many_files else ASKED_ABOVE
    return Reading(ReadingJob(settings, workspace.sample_data, with_review, most_files=most))


def finish(workspace: Workspace, settings: Settings, reading: Reading) -> tuple[Dataset, Review | None]:
    """What was read, kept for all pages; waits for it. Raises UserError when nothing usable is there."""
    found, review = reading.result()
    with _LOCK:
        _READ.pop(_key(workspace, settings), None)
        _READ[_key(workspace, settings)] = found
        while len(_READ) > MAX_READ:
            _READ.pop(next(iter(_READ)))
    return found, review


def read(workspace: Workspace, settings: Settings) -> Dataset:
    """Begin and finish. Raises UserError when nothing usable is there."""
    return finish(workspace, settings, begin(workspace, settings))[0]


def already_read(workspace: Workspace, settings: Settings) -> Dataset | None:
    """The photos as they were read last with these settings; None when they were not."""
    with _LOCK:
        return _READ.get(_key(workspace, settings))


def marks(photo: Photo, known: Taxonomy) -> list[Mark]:
    return [Mark(obj.box_xyxy, obj.object_type, known.shown(obj.object_type, obj.condition)) for obj in photo.objects]


@lru_cache(maxsize=8)
def taxonomy(path: str) -> Taxonomy:
    """The taxonomy of the settings. Raises UserError when its file is wrong."""
    return load_taxonomy(path)
