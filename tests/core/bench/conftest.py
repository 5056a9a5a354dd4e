"""A beat that counts steps without a second process, and subjects of tiny models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.bench.measure import Job
from core.bench.plans import askable
from core.bench.subjects import Subject, questions_of
from core.bench.synthetic_images import make_images
from core.data.types import Photo
from core.engine.models import Loaded
from core.settings import Settings, merge, to_dict
from core.taxonomy import Taxonomy
from tests.core.engine.conftest import _one_thread, family, loaded, photos, saved, settings, taxonomy, tokenizer

__all__ = ["_one_thread", "family", "loaded", "photos", "saved", "settings", "taxonomy", "tokenizer"]


@dataclass
class Counter:
    """Stands in for `worker.Beat`: says no after `steps` steps, and keeps the counts it was called with."""

    steps: int = 2
    ready: dict[str, object] = field(default_factory=dict)
    counts: list[dict[str, float]] = field(default_factory=list)

    def begin(self, **about: object) -> None:
        self.ready |= about

    def __call__(self, **done: float) -> bool:
        self.counts.append(done)
        return len(self.counts) < self.steps


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def askable_photos(photos: list[Photo], taxonomy: Taxonomy) -> list[Photo]:
    return askable(photos, taxonomy)


@pytest.fixture
def make_subject(
    loaded: Loaded, settings: Settings, taxonomy: Taxonomy, askable_photos: list[Photo]
) -> Callable[..., Subject]:
    """make_subject({"view.mode": "full"}): the tiny model, in double precision, and the drawn photos."""

    def make(changes: dict[str, object] | None = None) -> Subject:
        changed = {"question.class_share": 0.0, "lora.targets": "attention", "training.flip": False, **(changes or {})}
        found = merge(settings, changed)
        questions = questions_of(askable_photos, found, taxonomy, "qwen2_vl")
        return Subject(loaded, found, taxonomy, askable_photos, questions)

    return make


@pytest.fixture
def make_job(tmp_path: Path, askable_photos: list[Photo]) -> Callable[..., Job]:
    def make(variant: str, subject: Subject, **about: object) -> Job:
        album = str(make_images(askable_photos, tmp_path / "album"))
        settings = to_dict(subject.settings)
        return Job(variant, "tiny", settings, album, workspace=str(tmp_path), **about)  # type: ignore[arg-type]

    return make
