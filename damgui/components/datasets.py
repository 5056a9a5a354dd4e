"""Photos as the page needs them: read once for all open pages, and found again by the names in results."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path

from core.data.dataset import read_dataset
from core.data.types import Dataset, Photo
from core.demo.sample_set import ready
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


def read(workspace: Workspace, settings: Settings, with_stats: bool = False) -> Dataset:
    """Read the photos now, whatever was read before. Raises UserError when nothing usable is there."""
    sample = ready(settings.data, workspace.sample_data)
    found = read_dataset(settings.data, sample, settings.training.seed, with_stats)
    with _LOCK:
        _READ.pop(_key(workspace, settings), None)
        _READ[_key(workspace, settings)] = found
        while len(_READ) > MAX_READ:
            _READ.pop(next(iter(_READ)))
    return found


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
