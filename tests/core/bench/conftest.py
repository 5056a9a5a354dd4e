"""A meter that counts steps without a second process, and subjects of tiny models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.bench.measure import Job
from core.bench.plans import with_choice
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
    """Stands in for a StepMeter: ends after `steps` steps, and keeps what was done."""

    steps: int = 2
    ready: dict[str, object] = field(default_factory=dict)
    calls: list[dict[str, float]] = field(default_factory=list)

    def begin(self, **facts: object) -> None:
        self.ready |= facts

    def __call__(self, **done: float) -> bool:
        self.calls.append(done)
        return len(self.calls) < self.steps


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.fixture
def askable_photos(photos: list[Photo], taxonomy: Taxonomy) -> list[Photo]:
    return with_choice(photos, taxonomy)


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
    def make(variant: str, subject: Subject, **facts: object) -> Job:
        images = str(make_images(askable_photos, tmp_path / "images"))
        settings = to_dict(subject.settings)
        return Job(variant, "tiny", settings, images, workspace=str(tmp_path), **facts)  # type: ignore[arg-type]

    return make
