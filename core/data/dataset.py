"""`read_dataset`: whatever format the photos come in, the same checked Dataset comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from core import taxonomy as taxonomies
from core.data.checks import check_photos
from core.data.duplicates import leave_out
from core.data.files import list_files
from core.data.flights import compile_rule, group_of, linked
from core.data.formats.registry import FORMATS_SAID, require_format
from core.data.photos import examine
from core.data.splits import ONE_FLIGHT_CURE, apply_split, make_folds, make_split, require_fold
from core.data.types import SPLITS, Dataset, Photo
from core.errors import Problem, UserError
from core.settings import DataSettings

DEMO = "demo"


def read_dataset(data: DataSettings, sample_folder: Path, seed: int = 0, looking: bool = False) -> Dataset:
    """The photos of `data.path` with checked objects, split, grouped by flight and fingerprinted.

    "demo" is the sample set in `sample_folder`, where `core.demo.sample_set.ready` draws it. What is wrong with photos
    and labels is listed in `problems`, and `photos` holds what is good. A validation split that is not there is made
    (`data.valid_share`, `seed`); with `data.folds` all photos are dealt anew and part `data.fold` becomes the test
    split. With `looking` every photo has its `look`, for the price of more work on each. Raises UserError, all problems
    in it, only when there is nothing to go on with: no such folder, a format that is not recognised, no object, folds
    that cannot be made, or nothing in the split asked for (`data.split`).
    """
    rule = compile_rule(data.group_rule)
    require_fold(data.folds, data.fold)
    taxonomy = taxonomies.load(data.taxonomy)
    root = folder_of(data, sample_folder)
    folder = list_files(root)
    raw = require_format(folder, data.format).read(folder)
    looking = looking or data.drop_duplicates or data.regroup
    facts = examine(folder.root, {photo.name for photo in raw.photos}, looking)
    photos, wrong = check_photos(folder.root, raw.photos, facts, taxonomy, keep_twins=data.drop_duplicates)
    grouped = tuple(replace(photo, group=group_of(photo.name, rule)) for photo in photos)
    problems = (*folder.problems, *raw.problems, *wrong)
    if data.drop_duplicates:
        grouped, hints = leave_out(grouped)
        problems += hints
    if not any(photo.objects for photo in grouped):
        what = "no photo with a usable object"
        fix = "Cure the problems above." if problems else f"Give a folder in {FORMATS_SAID}."
        raise UserError.of((*problems, Problem(what, str(root), fix, "no-data")))
    dataset = _divided(Dataset(folder.root, raw.format, grouped, problems), data, seed)
    _require_split(dataset, data.split)
    return dataset


def folder_of(data: DataSettings, sample_folder: Path) -> Path:
    """The folder that `data.path` means; that of the sample set for "demo". Raises UserError when none is given."""
    if data.path == DEMO:
        return sample_folder
    if not data.path.strip():
        raise UserError("no data folder given", "data.path", "Give a folder, or demo for the sample set.", "no-data")
    path = Path(data.path).expanduser()
    # People hand over data.yaml itself as often as its folder.
    return path.parent if path.is_file() else path


def _divided(dataset: Dataset, data: DataSettings, seed: int) -> Dataset:
    """Every photo in a split: those without one go to train, and train gives to valid what that lacks."""
    if data.folds or data.regroup:
        pooled, told = _pooled(dataset, data, seed)
        dataset = replace(dataset, photos=pooled, problems=(*dataset.problems, *told))
    split = {name: [photo.name for photo in dataset.split(name)] for name in SPLITS}
    split["train"] += [photo.name for photo in dataset.split("")]
    problems = list(dataset.problems)
    for name in ("valid", "test", "train"):
        photos = _photos(dataset, set(split[name]))
        if photos and not any(photo.objects for photo in photos):
            what = f"the split {name} has {len(photos)} photos but no usable object"
            problems.append(Problem(what, str(dataset.root), "Label its photos.", "empty-split"))
            split["train"] += split[name] if name == "valid" else []
            split[name] = split[name] if name != "valid" else []
    if split["train"] and not split["valid"]:
        mine = set(split["train"])
        made, hints = make_split(_photos(dataset, mine), data.valid_share, seed)
        split |= {name: list(names) for name, names in made.items()}
        problems.extend(hints)
    return apply_split(replace(dataset, problems=tuple(problems)), split)


def _pooled(dataset: Dataset, data: DataSettings, seed: int) -> tuple[tuple[Photo, ...], tuple[Problem, ...]]:
    """All photos in train but those of a new test split: a fold, or with `regroup` as many as were in the old one.

    A hint says so where all are of one flight, of which regrouping keeps neighbouring frames together only.
    """
    photos = linked(dataset.photos) if data.regroup else dataset.photos
    hints: tuple[Problem, ...] = ()
    if data.regroup and len({photo.group for photo in dataset.photos}) == 1:
        flight = dataset.photos[0].group
        said = f"all {len(photos)} photos are of one flight ({flight}): only neighbouring frames stay together"
        hints = (Problem(said, "data.group_rule", ONE_FLIGHT_CURE, "one-flight"),)
    share = len(dataset.split("test")) / len(photos)
    test: tuple[str, ...] = ()
    if data.folds:
        test = make_folds(photos, data.folds, seed)[data.fold]
    elif share:
        test = make_split(photos, share, seed)[0]["valid"]
    held = set(test)
    pooled = tuple(replace(photo, split="test" if photo.name in held else "train") for photo in photos)
    return pooled, hints


def _photos(dataset: Dataset, names: set[str]) -> Sequence[Photo]:
    return [photo for photo in dataset.photos if photo.name in names]


def _require_split(dataset: Dataset, asked: str) -> None:
    if any(photo.objects for photo in dataset.split(asked)):
        return
    there = [name for name in SPLITS if any(photo.objects for photo in dataset.split(name))]
    said = f"the split {asked} has no object" if dataset.split(asked) else f"there is no split {asked}"
    fix = f"Choose {' or '.join(there)}."
    raise UserError.of((*dataset.problems, Problem(said, str(dataset.root), fix, "empty-split")))
