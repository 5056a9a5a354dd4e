"""A real Qwen2-VL with random weights, and a few drawn photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from core.data.sample import Photo
from core.demo.base_model import draw_photo, new_model, save
from core.engine.models import Loaded
from core.engine.questions import Asker
from core.settings import Settings, load
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="session")
def settings() -> Settings:
    return load("demo")


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Path:
    """The demo architecture with random weights, saved like any model."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save(new_model(0, taxonomy), folder)
    return folder


@pytest.fixture
def loaded(taxonomy: Taxonomy) -> Loaded:
    return new_model(0, taxonomy)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """Five drawn photos of two sizes, 2 to 8 objects each."""
    folder = tmp_path_factory.mktemp("photos")
    return [draw_photo(folder, index, 3, 128 if index % 2 else 192) for index in range(5)]


@pytest.fixture
def asker(loaded: Loaded, settings: Settings, taxonomy: Taxonomy) -> Asker:
    loaded.model.double()
    return Asker(loaded, replace(settings, view=replace(settings.view, photo_px=112, crop_px=84)), taxonomy)
