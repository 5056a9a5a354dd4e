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
    """Jobs that are measured in turns.

    Attributes:
        section: one of SECTIONS.
        title: for people.
        jobs: by the name of the variant.
        timing: how long is measured.
        need_s: an estimate of what all of it takes, in seconds.
        base: the variant that the others are compared with; "" for none.
        plain: batch sizes among which the plain trainer takes the fastest.
        check: the job that compares what the variants compute, before anything is timed.
        rank: where time is short, groups with a low one come first.
    """

    section: str
    title: str
    jobs: Mapping[str, Job]
    timing: Timing
    need_s: float
    base: str = ""
    plain: Sequence[int] = ()
    check: Job | None = None
    rank: int = 0


@dataclass(frozen=True)
class Maker:
    """Makes jobs.

    Attributes:
        photos: with objects about which a question can be put.
        scratch: a folder for copies of photos and the processes' files.
        quick: whether time is short.
        model: `model.path` of jobs that state no other.
    """

    photos: Sequence[Photo]
    scratch: Path
    quick: bool
    model: str = "demo"

    def settings(self, **changes: Any) -> Settings:
        """The demo's settings with COMMON and the changes (`view__photo_px` is `view.photo_px`)."""
        named = {key.replace("__", "."): value for key, value in changes.items()}
        return merge(load("demo"), {**COMMON, "model.path": self.model, "model.device": "cpu", **named})

    def images(self, count: int = 0, side_px: int = 0, questions: int = 0) -> str:
        """The list of photos for jobs, made by `core.bench.synthetic_images.make_images` with the same arguments."""
        folder = self.scratch / f"photos-{side_px}"
        return str(make_images(self.photos, folder, count, side_px, questions))

    def job(self, settings: Settings, images: str, **fields: Any) -> Job:
        """A job without a variant yet; `fields` are further ones of Job."""
        return Job("", fields.pop("model", self.model), to_dict(settings), images, **fields)

    def variants(self, job: Job, names: Sequence[str], tag: str) -> dict[str, Job]:
        """The same job done in several ways, each in a folder of its own.

        Args:
            job: without a variant.
            names: of the variants.
            tag: begins the folders' names.
        """
        found = {}
        for name in names:
            folder = self.scratch / f"{tag}-{name}".replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            found[name] = replace(job, variant=name, workspace=str(folder))
        return found

    def named(self, job: Job, names: Sequence[str], value: int) -> dict[str, Job]:
        """`variants`, named by the value that grows as well: `256 packed`."""
        return {
            f"{value} {name}": variant for name, variant in self.variants(job, names, f"{_side(job)}-{value}").items()
        }

    def checked(self, job: Job, tag: str, photos: int = 1, questions: int = 0) -> Job:
        """The job that checks whether the variants compute the same, on fewer photos.

        Args:
            job: the one that will be measured.
            tag: begins the folder's name.
            photos: how many of its photos are asked about.
            questions: objects of each photo; 0 for its own.
        """
        images = self.images(photos, _side(job), questions)
        return self.variants(replace(job, images=images), ["check"], tag)["check"]


def _side(job: Job) -> int:
    return int(Path(job.images).name.split("-")[2])


def with_choice(photos: Sequence[Photo], taxonomy: Taxonomy) -> list[Photo]:
    """The photos with the objects whose condition is a question.

    A type with one allowed condition is none: damgui would answer it without the model.
    """
    kept = []
    for photo in photos:
        objects = tuple(obj for obj in photo.objects if len(taxonomy.allowed[obj.object_type]) > 1)
        if objects:
            kept.append(replace(photo, objects=objects))
    return kept


def chosen_sections(only: str, shape: str) -> list[str]:
    """The sections that the command line requests.

    Args:
        only: their names, separated by commas; "" for all but "shape", or with a shape for that alone.
        shape: the name of a shape, or "".

    Raises:
        UserError: a word names no section, or the shape is missing or not known.
    """
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
    """Groups that compare trainers."""
    names = ["trl", "packed", "cached"]
    timing = Timing(2, 3.0, 2, 2) if make.quick else Timing(3, 8.0, 3, 3)
    # The full bench tries more; 8 is what it finds best for so small a model.
    batches = (8,) if make.quick else (1, 4, 8)

    def demo(view: str, settings: Settings, tag: str, need_s: float, rank: int) -> VariantGroup:
        job = make.job(settings, make.images())
        variants, check = make.variants(job, names, tag), make.checked(job, tag)
        title, need_s = f"demo model, {view}", 60 if make.quick else need_s
        return VariantGroup("training", title, variants, timing, need_s, "plain", batches, check, rank)

    yield demo("its own view (photo and crop, 112 px)", make.settings(), "t1", 200, rank=0)
    yield small_model(make, (2, 2), names)
    whole = make.settings(view__mode="full", view__photo_px=308)
    yield demo("the whole photo at 308 px", whole, "t2", 240, rank=5)
    if not make.quick:
        yield small_model(make, (DEEPER, DEEPER), ["packed", "cached"])


def small_model(make: Maker, layers: tuple[int, int], names: Sequence[str]) -> VariantGroup:
    """A group on a model with Qwen2-VL-2B's proportions and few layers.

    A step is one photo for damgui and one question for the others: what adding up questions would save them is a LoRA
    optimizer's step, less than a thousandth of a question's work.

    Args:
        make: makes the jobs.
        layers: (language, vision).
        names: of the variants.
    """
    settings = make.settings(view__mode="full", view__photo_px=640, training__batch_size=1)
    job = make.job(settings, make.images(8, 640), model=SMALL, layers=layers, accumulate=False)
    timing = Timing(1, 4.0, 1, 1) if make.quick else Timing(3, 8.0, 1, 1)
    title = f"2B-shaped ({layers[0]} language and {layers[1]} vision layers), the whole photo at 640 px"
    return VariantGroup(
        "training",
        title,
        make.variants(job, names, f"s{layers[0]}"),
        timing,
        100 if make.quick else 300,
        "plain",
        (1,) if make.quick or layers[0] == DEEPER else (1, 2),
        make.checked(job, f"s{layers[0]}", questions=1),
        rank=1,
    )


def evaluation(make: Maker) -> Iterator[VariantGroup]:
    """Groups that compare `generate` with the engine's evaluation."""
    names = ["generate", "judge", "judge cached"]
    timing = Timing(2, 3.0, 1, 1) if make.quick else Timing(3, 8.0, 2, 2)
    own = make.job(make.settings(), make.images())
    whole = make.job(make.settings(view__mode="full", view__photo_px=308), make.images())
    few = make.settings(view__mode="full", view__photo_px=640)
    large = make.job(few, make.images(4, 640), model=SMALL, layers=(2, 2))
    need = 35 if make.quick else 100
    for title, job, tag, rank in (
        ("demo model, its own view (photo and crop, 112 px)", own, "e1", 2),
        ("2B-shaped (2 language and 2 vision layers), the whole photo at 640 px", large, "es", 7),
        ("demo model, the whole photo at 308 px", whole, "e2", 8),
    ):
        need_s = need * (1.7 if job.model == SMALL else 1.0)
        yield VariantGroup("evaluation", title, make.variants(job, names, tag), timing, need_s, "generate", rank=rank)


def growth(make: Maker) -> Iterator[VariantGroup]:
    """Groups that show how time and memory grow; jobs are named by what grows and the variant: `256 packed`."""
    timing = Timing(1, 3.0, 3, 2) if make.quick else Timing(2, 8.0, 4, 3)
    quick, kept = make.quick, ["cached"]
    by_questions: dict[str, Job] = {}
    for count in (1, 5, 20) if quick else (1, 2, 5, 10, 20):
        settings = make.settings(view__mode="full", view__photo_px=308)
        job = replace(make.job(settings, make.images(40, 0, count)), cache_images=True)
        by_questions |= make.named(job, kept, count)
    yield VariantGroup(
        "growth", "questions a photo (demo model, 308 px)", by_questions, timing, 30 if quick else 140, rank=3
    )
    by_tokens: dict[str, Job] = {}
    for tokens in (256, 640) if quick else (256, 640, 1280):
        side = int((tokens * 784) ** 0.5)
        settings = make.settings(view__mode="full", view__photo_px=side)
        by_tokens |= make.named(make.job(settings, make.images(16, side)), kept if quick else ["packed", *kept], tokens)
    title = "tokens a photo (demo model, photos opened every time)"
    yield VariantGroup("growth", title, by_tokens, timing, 40 if quick else 180, rank=6)
    by_photos: dict[str, Job] = {}
    for count in (200, 2000) if quick else (200, 2000, 20_000):
        settings = make.settings(view__mode="full", view__photo_px=112, training__batch_size=64)
        job = replace(make.job(settings, make.images(count, 0, 1)), cache_images=True, steps=-(-count // 64))
        by_photos |= make.named(job, kept, count)
    title = "photos (demo model, 112 px, one question each, every photo seen once)"
    yield VariantGroup("growth", title, by_photos, Timing(1, 1.0, 1, 1), 45 if quick else 400, rank=4)


def shape(make: Maker, name: str, layers: int, device: str) -> VariantGroup:
    """The group of a real architecture: 640 tokens a photo, five questions, LoRA on the attention layers.

    Args:
        make: makes the jobs.
        name: of the shape.
        layers: of language and, on a CPU, vision; 0 for all.
        device: "cpu" or "cuda".
    """
    side = int((640 * 784) ** 0.5)
    settings = make.settings(
        view__mode="full", view__photo_px=side, training__gradient_checkpointing=name.endswith("72b")
    )
    count = 16 if device == "cuda" else 4
    tower = 0 if device == "cuda" else layers
    images = make.images(count, side, 5)
    job = make.job(settings, images, model=name, layers=(layers, tower), device=device)
    names = ["shape", "shape cached", "shape 4-bit"]
    timing = Timing(3, 10.0, 3, 2) if device == "cuda" else Timing(1, 1.0, 1, 1)
    return VariantGroup("shape", f"{name}, random weights", make.variants(job, names, "shape"), timing, 120)
