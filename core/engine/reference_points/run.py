"""The reference points beside a model's score, measured on the same objects.

They are what guessing, the question's words, colour and texture, and frozen vision features reach, and what the model
answers when it cannot see the objects.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core import settings as schema
from core import units
from core.data.types import Dataset, Photo
from core.engine import calibration, feature_cache, reuse
from core.engine.adapters import adapters_off
from core.engine.models import base_of
from core.engine.opened_model import OpenedModel
from core.engine.questions import PromptBuilder
from core.engine.reference_points import probes, texture
from core.engine.reference_points.image_ablation import shuffled_source, substituted, with_blank_photos
from core.engine.reference_points.pooling import pooled
from core.engine.reference_points.rows import Item, Rows, items_of, prior_rows, stratified
from core.engine.reference_points.warnings import (
    above_prior_warning,
    photos_unused_warning,
    prompt_leak_warning,
    simpler_is_better_warning,
)
from core.engine.scoring import judge_photos
from core.engine.vision import ImageView, open_photo
from core.metrics import score
from core.metrics.reference_points import (
    BLANK,
    BY_KEY,
    LINEAR_PROBE,
    POINTS,
    PRIOR,
    PROMPT_ONLY,
    SHUFFLED,
    TEXTURE_FOREST,
)
from core.results import ReferenceScore
from core.runs.events import Reporter
from core.runs.files import write_lines
from core.runs.workspace import Workspace

MOST_TRAINING_OBJECTS = 3000
MOST_PHOTOS = 2000
REPORT_EVERY_S = 2.0
# What the answers of a reference point follow from; one that is not among them is too quick to be kept.
DATA = ("photos", "train", "taxonomy", "seed", "code")
MODEL = ("photos", "taxonomy", "seed", "code", "settings", "model", "adapter", "calibration", "machine")
DEPENDS: Mapping[str, Sequence[str]] = {
    PROMPT_ONLY: (*DATA, "settings", "model"),
    TEXTURE_FOREST: (*DATA, "settings"),
    LINEAR_PROBE: (*DATA, "settings", "model", "machine"),
    BLANK: MODEL,
    SHUFFLED: MODEL,
}


@dataclass(frozen=True)
class EvaluatedSplit:
    """A split that a model has answered.

    Attributes:
        opened: The model.
        prompt_builder: Writes its questions.
        dataset: The data set, of which the training photos are learned from.
        photos: The photos that were evaluated.
        rows: The model's prediction rows about them.
        inputs: What these were computed from (see `reuse`); None where that is not known.
    """

    opened: OpenedModel
    prompt_builder: PromptBuilder
    dataset: Dataset
    photos: Sequence[Photo]
    rows: Rows
    inputs: reuse.Inputs | None = None

    @property
    def seed(self) -> int:
        """The seed of everything that is drawn at random."""
        return self.prompt_builder.settings.training.seed


class _Stopped(Exception):
    """A stop was requested while a reference point was being measured."""


@dataclass
class _Progress:
    """Reports how far a reference point is, now and then, and ends it when a stop is requested."""

    reporter: Reporter
    label: str
    last: float = 0.0

    def at(self, done: int, total: int) -> None:
        if self.reporter.stop_requested():
            raise _Stopped
        now = time.monotonic()
        if now - self.last > REPORT_EVERY_S:
            share = f", {units.done(done, total)} done" if done else ""
            self.reporter.emit("stage", text=f"Reference points: {self.label}{share}")
            self.last = now


def measure(
    evaluated: EvaluatedSplit, workspace: Workspace, run_folder: Path, reporter: Reporter
) -> tuple[dict[str, ReferenceScore], list[str]]:
    """Measure all reference points; the rows of each go to `references/<name>.jsonl` in the run's folder.

    One that cannot be measured (no training objects, a single photo) is left out; where the class is asked only `prior`
    is given. One that another run of the workspace measured on the same is taken from there. A requested stop ends it
    with what is there.

    Args:
        evaluated: The split with the model's own rows.
        workspace: Where vision features are kept, and other runs lie.
        run_folder: The run's folder.
        reporter: Takes progress, and says whether a stop was requested.

    Returns:
        `references` and `reference_warnings` of results.json, in the order of POINTS.
    """
    rows: dict[str, Rows] = {}
    found: dict[str, ReferenceScore] = {}
    inputs = _inputs(evaluated)
    for name, (make, remark) in _plan(evaluated, workspace).items():
        progress, file = _Progress(reporter, BY_KEY[name].label), f"references/{name}.jsonl"
        mine = {key: inputs[key] for key in DEPENDS[name]} if inputs and name in DEPENDS else None
        known = reuse.find(workspace, file, mine) if mine else None
        try:
            progress.at(0, 1)
            made = known.rows if known else make(progress)
        except _Stopped:
            break
        if made:
            rows[name], found[name] = made, _entry(name, made, remark)
            write_lines(run_folder / file, made)
            if mine:
                reuse.note(run_folder, file, mine)
    return found, warnings_about(evaluated.rows, rows)


def _inputs(evaluated: EvaluatedSplit) -> reuse.Inputs | None:
    """All that any reference point follows from."""
    if evaluated.inputs is None:
        return None
    train = reuse.photos_digest(evaluated.dataset.split("train"))
    return {**evaluated.inputs, "train": train, "seed": str(evaluated.seed)}


Make = Callable[[_Progress], Rows]


def _plan(evaluated: EvaluatedSplit, workspace: Workspace) -> dict[str, tuple[Make, str]]:
    """{key: how its rows are made, what is to be remarked of them}, in the order of POINTS."""
    train, taxonomy = evaluated.dataset.split("train"), evaluated.opened.taxonomy
    plan: dict[str, tuple[Make, str]] = {PRIOR: (lambda _: prior_rows(train, evaluated.photos, taxonomy), "")}
    if evaluated.prompt_builder.settings.question.kind != "condition":
        return plan
    # A probe that is scored on what it learned from would be right by heart.
    names = {photo.name for photo in evaluated.photos}
    others = items_of([photo for photo in train if photo.name not in names])
    train_items, remark = stratified(others, MOST_TRAINING_OBJECTS, evaluated.seed), ""
    if len(train_items) < len(others):
        remark = f"Learned from {len(train_items):,} of {len(others):,} training objects."
    eval_items = items_of(evaluated.photos)
    if train_items:
        sides = train_items, eval_items
        plan[PROMPT_ONLY] = (lambda _: _words(evaluated, *sides)), remark
        plan[TEXTURE_FOREST] = (lambda progress: _forest(evaluated, *sides, progress)), remark
        plan[LINEAR_PROBE] = (lambda progress: _linear(evaluated, sides, workspace, progress)), remark
    shown = evaluated.photos[:: -(-len(evaluated.photos) // MOST_PHOTOS)]
    some = f"On {len(shown):,} of {len(evaluated.photos):,} photos." if len(shown) < len(evaluated.photos) else ""
    plan[BLANK] = (lambda progress: _blank(evaluated, shown, progress)), some
    if len(shown) > 1:
        plan[SHUFFLED] = (lambda progress: _shuffled(evaluated, shown, progress)), some
    return plan


def _entry(name: str, rows: Rows, remark: str) -> ReferenceScore:
    whole = score(rows)
    choice = whole["with_choice"]
    return {
        "label": BY_KEY[name].label,
        "accuracy": whole["overall_accuracy"],
        "accuracy_interval": whole["accuracy_interval"],
        "macro_f1": whole["macro_f1"],
        "macro_f1_interval": whole["macro_f1_interval"],
        "with_choice": {"accuracy": choice["accuracy"], "macro_f1": choice["macro_f1"]},
        "note": f"{BY_KEY[name].note} {remark}".strip(),
    }


def _words(evaluated: EvaluatedSplit, train_items: Sequence[Item], eval_items: Sequence[Item]) -> Rows:
    sides = []
    for items in (train_items, eval_items):
        texts = [evaluated.prompt_builder.text(item.photo, item.index, "condition") for item in items]
        sides.append((items, np.array(texts, dtype=object)))
    return probes.probe_rows(probes.words_fit, sides[0], sides[1], evaluated.opened.taxonomy)


def _forest(
    evaluated: EvaluatedSplit, train_items: Sequence[Item], eval_items: Sequence[Item], progress: _Progress
) -> Rows:
    both, described, opened = [*train_items, *eval_items], [], None
    for done, item in enumerate(both):  # items of one photo follow each other: each photo is opened once
        progress.at(done, len(both))
        if opened is None or opened[0] != item.photo.path:
            opened = (item.photo.path, open_photo(item.photo.path, evaluated.prompt_builder.image_encoder.grey_range))
        described.append(texture.features(opened[1], item.obj.box_xyxy))
    values, cut = np.array(described), len(train_items)
    sides = (train_items, values[:cut]), (eval_items, values[cut:])
    return probes.probe_rows(probes.forest_fit(evaluated.seed), *sides, evaluated.opened.taxonomy)


def _linear(
    evaluated: EvaluatedSplit, sides: tuple[Sequence[Item], Sequence[Item]], workspace: Workspace, progress: _Progress
) -> Rows:
    """The features are the base model's: an adapter on the vision tower is switched off while they are computed."""
    opened, settings = evaluated.opened, evaluated.prompt_builder.settings
    if settings.view.mode == "full+crop":  # the crop shows the object best, and is all the probe looks at
        settings = schema.merge(settings, {"view.mode": "crop"})
    whole = settings.view.mode == "full"
    prompt_builder, base = PromptBuilder(opened.loaded, settings, opened.taxonomy), base_of(opened.model)
    wanted = [(_only(items), [(False, 0)]) for items in sides]
    with adapters_off(opened.model):
        kept = feature_cache.prepare(prompt_builder, opened.loaded, base, wanted, workspace, progress.reporter)
        kept = kept or feature_cache.FeatureCache(opened.loaded, prompt_builder.image_encoder, None)
        prompt_builder.image_encoder.features = kept.features
        described = []
        for items in sides:
            values = []
            for done, item in enumerate(items):
                progress.at(done, len(items))
                box = item.obj.box_xyxy
                seen = (
                    prompt_builder.image_encoder.photo(item.photo.path)
                    if whole
                    else kept.features(ImageView(item.photo.path, box))
                )
                values.append(pooled(seen, prompt_builder.image_encoder.merge, box if whole else None))
            described.append((items, np.array(values)))
    return probes.probe_rows(probes.linear_fit, described[0], described[1], opened.taxonomy)


def _only(items: Sequence[Item]) -> list[Photo]:
    """The photos of these items with no other objects on them."""
    found: dict[Path, list[Item]] = {}
    for item in items:
        found.setdefault(item.photo.path, []).append(item)
    return [dataclasses.replace(group[0].photo, objects=tuple(item.obj for item in group)) for group in found.values()]


def _blank(evaluated: EvaluatedSplit, photos: Sequence[Photo], progress: _Progress) -> Rows:
    with with_blank_photos(evaluated.prompt_builder, evaluated.opened.loaded, photos):
        return _judge(evaluated, photos, progress)


def _shuffled(evaluated: EvaluatedSplit, photos: Sequence[Photo], progress: _Progress) -> Rows:
    grey_range = evaluated.prompt_builder.image_encoder.grey_range
    with substituted(evaluated.prompt_builder, shuffled_source(photos, evaluated.seed, grey_range)):
        return _judge(evaluated, photos, progress)


def _judge(evaluated: EvaluatedSplit, photos: Sequence[Photo], progress: _Progress) -> Rows:
    rows: Rows = []
    opened, correction = evaluated.opened, evaluated.prompt_builder.settings.judging.prior_correction
    # Closed at once when a stop ends it: the model's answers must not stay narrowed to the closed list.
    with contextlib.closing(judge_photos(opened.model, evaluated.prompt_builder, photos, "condition")) as judging:
        for done, (_photo, found, _loss) in enumerate(judging):
            progress.at(done, len(photos))
            # As the model's own answers were read: a correction of the prior moves answers here too.
            rows += [calibration.calibrated_row(row, opened.calibration, correction, opened.taxonomy) for row in found]
    return rows


def warnings_about(own: Rows, rows: dict[str, Rows]) -> list[str]:
    """List what the reference points hold against the score, as sentences.

    Args:
        own: The model's prediction rows.
        rows: {key of a reference point: its rows}, about the same objects or some of them.
    """
    found: list[str | None] = []
    prior = rows.get(PRIOR, [])
    if prior and PROMPT_ONLY in rows:
        found.append(prompt_leak_warning(rows[PROMPT_ONLY], prior))
    for name in (BLANK, SHUFFLED):
        if name in rows and prior:
            guessed = _matching(prior, rows[name])
            found.append(above_prior_warning(rows[name], guessed, BY_KEY[name].named))
    if BLANK in rows:
        found.append(photos_unused_warning(_matching(own, rows[BLANK]), rows[BLANK]))
    simpler = {point.key: rows[point.key] for point in POINTS if point.simpler and rows.get(point.key)}
    shared = own
    for answers in simpler.values():  # parts of a cross-validation may lack one
        shared = _matching(shared, answers)
    same = {name: _matching(answers, shared) for name, answers in simpler.items()}
    found.append(simpler_is_better_warning(shared, same))
    return [sentence for sentence in found if sentence]


def _matching(rows: Rows, wanted: Rows) -> Rows:
    """Those of `rows` that are about the objects of `wanted`."""
    objects = {(row["image"], row["object"]) for row in wanted}
    return [row for row in rows if (row["image"], row["object"]) in objects]
