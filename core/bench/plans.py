"""Which groups of things are measured side by side, on which photos, for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.bench.measure import Job, Timing
from core.bench.synthetic_images import make_images
from core.data.types import Photo
from core.errors import UserError
from core.settings import Settings, load, merge, to_dict
from core.taxonomy import Taxonomy

SECTIONS = ("training", "evaluation", "growth", "shape")
SHAPE_NAMES = ("qwen2-vl-2b", "qwen2-vl-7b", "qwen2-vl-72b")
SMALL = "qwen2-vl-2b"
# Layers of the second 2B-shaped model: from two and from these the time of all layers follows as a straight line.
DEEPER = 6
# The same small matrices everywhere, and questions about conditions only, so that all variants ask the same.
COMMON: Mapping[str, Any] = {
    "lora.rank": 16,
    "lora.alpha": 32,
    "lora.targets": "attention",
    "question.class_share": 0.0,
    "training.flip": False,
    "training.lights": 1,
    "training.batch_size": 4,
    "training.accumulation": 1,
    "training.learning_rate": 2e-4,
}


@dataclass(frozen=True)
class VariantGroup:
    """Jobs that are measured in turns; `base` is what the others are compared with, `need_s` a guess of what it takes.

    `plain` lists the batch sizes that the plain trainer may choose from; where time is short a low `rank` goes first.
    """

    section: str
    title: str
    jobs: Mapping[str, Job]
    pace: Timing
    need_s: float
    base: str = ""
    plain: Sequence[int] = ()
    check: Job | None = None
    rank: int = 0


@dataclass(frozen=True)
class Maker:
    """Makes groups: the photos, where their copies and the processes' files go, and whether time is short."""

    photos: Sequence[Photo]
    scratch: Path
    quick: bool
    model: str = "demo"

    def settings(self, **changes: Any) -> Settings:
        named = {key.replace("__", "."): value for key, value in changes.items()}
        return merge(load("demo"), {**COMMON, "model.path": self.model, "model.device": "cpu", **named})

    def album(self, count: int = 0, side_px: int = 0, questions: int = 0) -> str:
        folder = self.scratch / f"photos-{side_px}"
        return str(make_images(self.photos, folder, count, side_px, questions))

    def job(self, settings: Settings, album: str, **about: Any) -> Job:
        return Job("", about.pop("model", self.model), to_dict(settings), album, **about)

    def variants(self, job: Job, names: Sequence[str], tag: str) -> dict[str, Job]:
        """The same job done in several ways, each in a folder of its own."""
        found = {}
        for name in names:
            folder = self.scratch / f"{tag}-{name}".replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found[name] = replace(job, variant=name, workspace=str(folder))
        return found

    def named(self, job: Job, names: Sequence[str], value: int) -> dict[str, Job]:
        """`variants`, named by what grows."""
        return {
            f"{value} {name}": variant for name, variant in self.variants(job, names, f"{_side(job)}-{value}").items()
        }

    def checked(self, job: Job, tag: str, photos: int = 1, questions: int = 0) -> Job:
        images = self.album(photos, _side(job), questions)
        return self.variants(replace(job, album=images), ["check"], tag)["check"]


def _side(job: Job) -> int:
    return int(Path(job.album).name.split("-")[2])


def askable(photos: Sequence[Photo], taxonomy: Taxonomy) -> list[Photo]:
    """The photos with the objects whose condition is a question: a type with one allowed condition is none, and
    damgui would answer it without the model."""
    kept = []
    for photo in photos:
        objects = tuple(obj for obj in photo.objects if len(taxonomy.allowed[obj.object_type]) > 1)
        if objects:
            kept.append(replace(photo, objects=objects))
    return kept


def chosen(only: str, shape: str) -> list[str]:
    """The sections asked for. Raises UserError for words that name none, and for a shape that is not known."""
    if shape and shape not in SHAPE_NAMES:
        raise UserError(f"there is no shape {shape}", "--shape", f"Choose one of {', '.join(SHAPE_NAMES)}.", "shape")
    words = [word.strip() for word in only.split(",") if word.strip()]
    for word in words:
        if word not in SECTIONS:
            raise UserError(f"{word!r} is no part of the bench", "--only", f"Choose of {', '.join(SECTIONS)}.", "bench")
    if "shape" in words and not shape:
        raise UserError("which shape?", "--only", f"Add --shape with one of {', '.join(SHAPE_NAMES)}.", "shape")
    if words:
        return words
    return ["shape"] if shape else ["training", "evaluation", "growth"]


def training(make: Maker) -> Iterator[VariantGroup]:
    names = ["trl", "packed", "cached"]
    pace = Timing(2, 3.0, 2, 2) if make.quick else Timing(3, 8.0, 3, 3)
    # The full bench tries more; 8 is what it finds best for so small a model.
    batches = (8,) if make.quick else (1, 4, 8)

    def demo(view: str, settings: Settings, tag: str, need_s: float, rank: int) -> VariantGroup:
        job = make.job(settings, make.album())
        variants, check = make.variants(job, names, tag), make.checked(job, tag)
        title, need_s = f"demo model, {view}", 60 if make.quick else need_s
        return VariantGroup("training", title, variants, pace, need_s, "plain", batches, check, rank)

    yield demo("its own view (photo and crop, 112 px)", make.settings(), "t1", 200, rank=0)
    yield small(make, (2, 2), names)
    whole = make.settings(view__mode="full", view__photo_px=308)
    yield demo("the whole photo at 308 px", whole, "t2", 240, rank=5)
    if not make.quick:
        yield small(make, (DEEPER, DEEPER), ["packed", "cached"])


def small(make: Maker, layers: tuple[int, int], names: Sequence[str]) -> VariantGroup:
    """Qwen2-VL-2B's proportions with few layers. A step is one photo for damgui and one question for the others:
    what adding up questions would save them is a LoRA optimizer's step, less than a thousandth of a question's work."""
    settings = make.settings(view__mode="full", view__photo_px=640, training__batch_size=1)
    job = make.job(settings, make.album(8, 640), model=SMALL, layers=layers, accumulate=False)
    pace = Timing(1, 4.0, 1, 1) if make.quick else Timing(3, 8.0, 1, 1)
    title = f"2B-shaped ({layers[0]} language and {layers[1]} vision layers), the whole photo at 640 px"
    return VariantGroup(
        "training",
        title,
        make.variants(job, names, f"s{layers[0]}"),
        pace,
        100 if make.quick else 300,
        "plain",
        (1,) if make.quick or layers[0] == DEEPER else (1, 2),
        make.checked(job, f"s{layers[0]}", questions=1),
        rank=1,
    )


def evaluation(make: Maker) -> Iterator[VariantGroup]:
    names = ["generate", "judge", "judge cached"]
    pace = Timing(2, 3.0, 1, 1) if make.quick else Timing(3, 8.0, 2, 2)
    own = make.job(make.settings(), make.album())
    whole = make.job(make.settings(view__mode="full", view__photo_px=308), make.album())
    few = make.settings(view__mode="full", view__photo_px=640)
    large = make.job(few, make.album(4, 640), model=SMALL, layers=(2, 2))
    need = 35 if make.quick else 100
    for title, job, tag, rank in (
        ("demo model, its own view (photo and crop, 112 px)", own, "e1", 2),
        ("2B-shaped (2 language and 2 vision layers), the whole photo at 640 px", large, "es", 7),
        ("demo model, the whole photo at 308 px", whole, "e2", 8),
    ):
        need_s = need * (1.7 if job.model == SMALL else 1.0)
        yield VariantGroup("evaluation", title, make.variants(job, names, tag), pace, need_s, "generate", rank=rank)


def growth(make: Maker) -> Iterator[VariantGroup]:
    """Names of jobs are what grows and the variant: `256 packed`."""
    pace = Timing(1, 3.0, 3, 2) if make.quick else Timing(2, 8.0, 4, 3)
    quick, kept = make.quick, ["cached"]
    asked: dict[str, Job] = {}
    for count in (1, 5, 20) if quick else (1, 2, 5, 10, 20):
        settings = make.settings(view__mode="full", view__photo_px=308)
        job = replace(make.job(settings, make.album(40, 0, count)), remember=True)
        asked |= make.named(job, kept, count)
    yield VariantGroup("growth", "questions a photo (demo model, 308 px)", asked, pace, 30 if quick else 140, rank=3)
    large: dict[str, Job] = {}
    for tokens in (256, 640) if quick else (256, 640, 1280):
        side = int((tokens * 784) ** 0.5)
        settings = make.settings(view__mode="full", view__photo_px=side)
        large |= make.named(make.job(settings, make.album(16, side)), kept if quick else ["packed", *kept], tokens)
    title = "tokens a photo (demo model, photos opened every time)"
    yield VariantGroup("growth", title, large, pace, 40 if quick else 180, rank=6)
    many: dict[str, Job] = {}
    for count in (200, 2000) if quick else (200, 2000, 20_000):
        settings = make.settings(view__mode="full", view__photo_px=112, training__batch_size=64)
        job = replace(make.job(settings, make.album(count, 0, 1)), remember=True, steps=-(-count // 64))
        many |= make.named(job, kept, count)
    title = "photos (demo model, 112 px, one question each, every photo seen once)"
    yield VariantGroup("growth", title, many, Timing(1, 1.0, 1, 1), 45 if quick else 400, rank=4)


def shape(make: Maker, name: str, layers: int, device: str) -> VariantGroup:
    """A real architecture: 640 tokens a photo, five questions, LoRA on the attention layers."""
    side = int((640 * 784) ** 0.5)
    settings = make.settings(
        view__mode="full", view__photo_px=side, training__gradient_checkpointing=name.endswith("72b")
    )
    count = 16 if device == "cuda" else 4
    tower = 0 if device == "cuda" else layers
    album = make.album(count, side, 5)
    job = make.job(settings, album, model=name, layers=(layers, tower), device=device)
    names = ["shape", "shape cached", "shape 4-bit"]
    pace = Timing(3, 10.0, 3, 2) if device == "cuda" else Timing(1, 1.0, 1, 1)
    return VariantGroup("shape", f"{name}, random weights", make.variants(job, names, "shape"), pace, 120)
