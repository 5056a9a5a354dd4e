"""Models kept in memory between questions, known by what their files hold and not by their names alone.

A model that is trained again under the same name is read again, and its weights and its calibration always come from
one reading. What was used longest ago leaves when memory gets short.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import torch

from core import settings as schema
from core.engine import adapters, calibration, models
from core.engine.questions import PromptBuilder
from core.engine.training.memory import free_bytes
from core.errors import UserError
from core.metrics.calibration import Calibration
from core.runs.model_files import adapter_about, base_of_adapter, resolve
from core.runs.store import is_adapter
from core.settings import Settings
from core.taxonomy import load as load_taxonomy
from core.taxonomy import restore

# What answering takes beside the weights: a photo's patches and what the layers make of them.
SPARE_BYTES = 1 << 29
# A model that is being replaced while it is read is read again, so often.
READINGS = 3
# (name, bytes, modified in ns, inode) of every file of a model's folder.
Content = tuple[tuple[str, int, int, int], ...]


def content_of(model: str) -> Content:
    """List what changes when any file of a model does; () for a hub id, whose files never change."""
    folder = Path(model if is_adapter(model) else resolve(model))
    try:
        files = [(file.name, file.stat()) for file in sorted(folder.iterdir()) if file.is_file()]
    except OSError:
        return ()
    return tuple((name, found.st_size, found.st_mtime_ns, found.st_ino) for name, found in files)


def weight_bytes(model: str) -> int:
    """Bytes of the weights as they lie on disk; 0 where they do not lie in a folder."""
    return sum(size for name, size, *_ in content_of(model) if name.endswith((".safetensors", ".bin")))


@dataclass(frozen=True)
class WarmModel:
    """A model in memory that can answer.

    Attributes:
        loaded: The base model.
        adapter: The name of the adapter on it; None when the base itself answers.
        prompt_builder: Writes its questions.
        calibration: How its probabilities are to be read; None when it was not calibrated.
        base: The base model's path.
        content: What the files of the model and of its base held when they were read.
    """

    loaded: models.Loaded
    adapter: str | None
    prompt_builder: PromptBuilder
    calibration: Calibration | None
    base: str
    content: tuple[Content, Content]


class WarmModels:
    """Base models and adapters in memory, the one used last at the end.

    Args:
        settings: How base models are loaded and asked; an adapter is asked as it was trained.
        free: Called with the device, returns the bytes that are still free on it.
    """

    def __init__(self, settings: Settings, free: Callable[[torch.device], int] = free_bytes) -> None:
        self.settings, self._free = settings, free
        self._bases: OrderedDict[str, tuple[models.Loaded, Content]] = OrderedDict()
        self._models: OrderedDict[str, WarmModel] = OrderedDict()
        self._numbers = count()

    def get(self, model: str) -> WarmModel:
        """The model of this path as its files are now.

        Raises:
            UserError: It cannot be loaded, or is being written all the while.
        """
        for _ in range(READINGS):
            content = self._content(model)
            known = self._models.get(model)
            if known is None or known.content != content:
                self._drop_stale(model, content)
                try:
                    known = self._open(model, content)
                except UserError:
                    if self._content(model) == content:
                        raise
                    continue
                self._models[model] = known
            if self._content(model) == content:
                self._models.move_to_end(model)
                self._bases.move_to_end(known.base)
                return known
        raise UserError("this model is being written", model, "Ask again in a moment.", "busy")

    def _base_path(self, model: str) -> str:
        return base_of_adapter(Path(model), self.settings.model.base) if is_adapter(model) else model

    def _content(self, model: str) -> tuple[Content, Content]:
        """Of the model, and of the base below it."""
        return content_of(model), content_of(self._base_path(model))

    def _drop_stale(self, model: str, content: tuple[Content, Content]) -> None:
        """What is in memory of this model and is no longer what its files hold."""
        if model in self._models:
            self._drop(model)
        base = self._base_path(model)
        if base in self._bases and self._bases[base][1] != content[1]:
            self._drop_base(base)

    def _open(self, model: str, content: tuple[Content, Content]) -> WarmModel:
        base = self._base_path(model)
        loaded = self._base(base, content[1])
        if not is_adapter(model):
            settings = schema.merge(self.settings, {"model.path": model})
            prompt_builder = PromptBuilder(loaded, settings, load_taxonomy(settings.data.taxonomy))
            return WarmModel(loaded, None, prompt_builder, None, base, content)
        about = adapter_about(Path(model))
        settings = schema.from_dict(about["settings"], str(Path(model) / "damgui.json"))
        if not settings.data.grey_range:  # it learned from photos of 8 bits
            settings = schema.merge(settings, {"data.grey_range": self.settings.data.grey_range})
        self._free_memory(weight_bytes(model), keep=base)
        name = f"adapter{next(self._numbers)}"
        try:
            loaded.model = adapters.load_adapter(loaded, Path(model), name)
        except UserError:
            # peft has changed the model by now: its answers are no longer the base's.
            self._drop_base(base)
            raise
        loaded.model.eval()
        found = calibration.load(Path(model))
        return WarmModel(
            loaded, name, PromptBuilder(loaded, settings, restore(about["taxonomy"])), found, base, content
        )

    def _base(self, path: str, content: Content) -> models.Loaded:
        if path not in self._bases:
            wanted = replace(self.settings.model, path=path)
            device = models.choose_device(wanted.device)
            # Weights lie on disk in 16 bits mostly, and take twice as much where they are computed in 32.
            times = 2 if models.choose_dtype(wanted.dtype, device) == torch.float32 else 1
            self._free_memory(times * weight_bytes(path), keep=path)
            self._bases[path] = models.load(wanted), content
        return self._bases[path][0]

    def _free_memory(self, needed: int, keep: str) -> None:
        """Drop what was used longest ago until enough is free: other base models, then adapters of the base `keep`."""
        device = models.choose_device(self.settings.model.device)
        for drop in self._droppable(keep):
            if self._free(device) >= needed + SPARE_BYTES:
                return
            drop()

    def _droppable(self, keep: str) -> Iterator[Callable[[], None]]:
        for base in [path for path in self._bases if path != keep]:
            yield lambda base=base: self._drop_base(base)  # type: ignore[misc]
        for model in [name for name, entry in self._models.items() if entry.adapter]:
            yield lambda model=model: self._drop(model)  # type: ignore[misc]

    def _drop(self, model: str) -> None:
        dropped = self._models.pop(model)
        if dropped.adapter is None:
            return
        others = [entry.adapter for entry in self._models.values() if entry.loaded is dropped.loaded and entry.adapter]
        if others:
            dropped.loaded.model.set_adapter(others[-1])
            dropped.loaded.model.delete_adapter(dropped.adapter)
        else:
            dropped.loaded.model = dropped.loaded.model.unload()
        _release()

    def _drop_base(self, base: str) -> None:
        self._models = OrderedDict((name, entry) for name, entry in self._models.items() if entry.base != base)
        self._bases.pop(base, None)
        _release()


def _release() -> None:
    """Let the memory of what was dropped be used: modules hold each other, and torch keeps a GPU's."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
