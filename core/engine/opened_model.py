"""A model as a user names it: a base, or an adapter with the base below it, its taxonomy and its calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.engine import adapters, calibration, models
from core.metrics.calibration import Calibration
from core.results import ModelFacts
from core.runs.model_files import adapter_about, base_of_adapter, require_same_taxonomy
from core.runs.store import is_adapter
from core.settings import Settings
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy


@dataclass
class OpenedModel:
    """A model that was opened by its path.

    Attributes:
        loaded: The base model.
        model: What answers: the base, or the base with the adapter on it.
        taxonomy: What its questions are made of.
        adapter: The adapter's folder, or None.
        trained_on: Digests of the photos that the adapter learned from.
        calibration: How its probabilities are to be read; None when it was not calibrated.
    """

    loaded: models.Loaded
    model: Any
    taxonomy: Taxonomy
    adapter: str | None
    trained_on: frozenset[str] = frozenset()
    calibration: Calibration | None = None

    @property
    def facts(self) -> ModelFacts:
        """What results say of the model."""
        return {
            "path": self.loaded.path,
            "adapter": self.adapter,
            "fingerprint": self.loaded.fingerprint,
            "parameters": self.loaded.parameters,
        }


def open_model(settings: Settings) -> OpenedModel:
    """Open the model at `settings.model.path`; where that is an adapter, its base is loaded below it.

    Raises:
        UserError: The model cannot be loaded, or the taxonomy is not the one that the adapter learned.
    """
    path = settings.model.path
    taxonomy = load_taxonomy(settings.data.taxonomy)
    if not is_adapter(path):
        loaded = models.load(settings.model)
        return OpenedModel(loaded, loaded.model, taxonomy, None)
    about = adapter_about(Path(path))
    require_same_taxonomy(path, taxonomy, settings.data.taxonomy)
    base = base_of_adapter(Path(path), settings.model.base)
    loaded = models.load(replace(settings.model, path=base))
    model = adapters.load_adapter(loaded, Path(path)).eval()
    learned = frozenset(about.get("train_digests", ()))
    return OpenedModel(loaded, model, taxonomy, path, learned, calibration.load(Path(path)))
