"""`read_dataset`: whatever format the photos come in, the same checked Dataset comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from core import taxonomy as taxonomies
from core.data import progress
from core.data.archives import is_archive, open_archive
from core.data.attributes import meaning_of
from core.data.checks import check_photos
from core.data.duplicates import drop_duplicates
from core.data.examined import examine
from core.data.files import MOST_FILES, SPLIT_WORDS, is_photo, list_files
from core.data.flights import compile_rule, flight_of, linked, with_bursts
from core.data.formats.registry import FORMATS_TEXT, not_used, read_labels, recognised_beside, require_format
from core.data.grey import range_of
from core.data.notes import refuse_inferences
from core.data.other_labels import disagreements
from core.data.progress import OnProgress
from core.data.readings import settle
from core.data.splits import ONE_FLIGHT_CURE, apply_split, make_folds, make_split, require_fold
from core.data.types import SPLITS, Dataset, Photo
from core.data.walk import usable_path
from core.errors import Problem, UserError
from core.settings import DataSettings

DEMO, AUTO = "demo", "auto"
LABEL_FOLDERS = ("annotations", "labels", "ann")
ARCHIVE_FOLDER = "data"  # of a workspace, with a folder for every archive that was opened


def read_dataset(
    data: DataSettings,
    sample_folder: Path,
    seed: int = 0,
    with_stats: bool = False,
    most_files: int = MOST_FILES,
    on_progress: OnProgress = progress.silent,
) -> Dataset:
    """The photos of `data.path` with checked objects, split, grouped by flight and fingerprinted.

    What is wrong with photos and labels is listed in `problems`, and `photos` holds what is good. A validation split
    that is missing is made; with `data.folds` all photos are dealt into folds and fold `data.fold` becomes the test
    split.

    Args:
        data: where the data lie, their format and taxonomy, and how they are split.
        sample_folder: the folder of the sample set, which "demo" as `data.path` means; `core.demo.sample_set.ready`
            draws it.
        seed: of the validation split and of the folds.
        with_stats: whether every photo gets its `stats`, which takes about four times as long.
        most_files: in the folder; where there are more, the error is of the kind MANY_FILES.
        on_progress: told how many files were found, and how many photos were read.

    Returns:
        The data set, every photo in one of the splits.

    Raises:
        UserError: there is nothing to go on with: no such folder, a format that is not recognised, no usable object,
            folds that cannot be made, or nothing in the split `data.split`. It names every problem found so far.
    """
    rule = compile_rule(data.group_rule)
    require_fold(data.folds, data.fold)
    grey = range_of(data.grey_range)
    taxonomy = taxonomies.load(data.taxonomy)
    root, handed = handed_over(data, sample_folder)
    folder = list_files(root, handed, most_files, on_progress)
    on_progress(progress.labels())
    raw = read_labels(folder, require_format(folder, data.format))
    with_stats = with_stats or data.drop_duplicates or data.regroup
    facts = examine(folder.root, {photo.name for photo in raw.photos}, with_stats, on_progress, grey)
    settled, doubts = settle(raw.photos, facts)
    photos, wrong = check_photos(folder.root, settled, facts, taxonomy, keep_duplicates=data.drop_duplicates)
    known = lru_cache(maxsize=None)(lambda word: meaning_of(word, taxonomy) is not None)
    # Of a photo whose flight somebody stated the moment says nothing more.
    grouped = tuple(
        replace(photo, moment=None) if photo.group else replace(photo, group=flight_of(photo.name, rule, known))
        for photo in photos
    )
    if data.group_rule == DataSettings().group_rule:  # one's own rule says all
        grouped = with_bursts(grouped)
    beside = recognised_beside(folder, raw.format)
    problems = (*folder.problems, *raw.problems, *doubts, *wrong, *not_used(folder, raw, beside))
    if data.format == AUTO and not handed:
        problems += tuple(disagreements(folder, beside, photos, facts, taxonomy))
    if data.strict:
        problems = refuse_inferences(problems)
    if data.drop_duplicates:
        grouped, hints = drop_duplicates(grouped)
        problems += hints
    if not any(photo.objects for photo in grouped):
        what = "no photo with a usable object"
        fix = "Cure the problems above." if problems else f"Give a folder in {FORMATS_TEXT}."
        raise UserError.of((*problems, Problem(what, str(root), fix, "no-data")))
    dataset = _divided(Dataset(folder.root, raw.format, grouped, problems), data, seed)
    _require_split(dataset, data.split)
    return dataset


def handed_over(data: DataSettings, sample_folder: Path) -> tuple[Path, str]:
    """The folder that `data.path` means, and the file of it that was handed over.

    Args:
        data: with the path of a folder, of a file in it (data.yaml, say), of an archive, or "demo".
        sample_folder: what "demo" means; archives are opened beside it, in `data`.

    Returns:
        The folder; and the file's name, "" where a folder or a photo was given.

    Raises:
        UserError: no path is given, nothing that may be read lies there, or an archive cannot be opened.
    """
    if data.path == DEMO:
        return sample_folder, ""
    if not data.path.strip():
        raise UserError("no data folder given", "data.path", "Give a folder, or demo for the sample set.", "no-data")
    path = usable_path(data.path)
    if not path.is_file():
        return path, ""
    if is_archive(path):
        return open_archive(path, sample_folder.parent / ARCHIVE_FOLDER), ""
    if is_photo(path.name):
        return path.parent, ""
    folder = _folder_of_labels(path)
    return folder, path.relative_to(folder).as_posix()


def _folder_of_labels(path: Path) -> Path:
    """The folder of a data set by one of its label files: above `annotations`, `labels/train` and the like.

    Where photos lie beside the file, its own.
    """
    folder = path.parent
    if any(is_photo(beside.name) for beside in folder.iterdir()):
        return folder
    if folder.name.lower() in SPLIT_WORDS and folder.parent.name.lower() in LABEL_FOLDERS:
        folder = folder.parent
    return folder.parent if folder.name.lower() in LABEL_FOLDERS else folder


def _divided(dataset: Dataset, data: DataSettings, seed: int) -> Dataset:
    """Every photo in a split: those without one go to train, and train gives to valid what that lacks."""
    if data.folds or data.regroup:
        pooled, hints = _pooled(dataset, data, seed)
        dataset = replace(dataset, photos=pooled, problems=(*dataset.problems, *hints))
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
        pool = set(split["train"])
        made, split_hints = make_split(_photos(dataset, pool), data.valid_share, seed)
        split |= {name: list(names) for name, names in made.items()}
        problems.extend(split_hints)
    return apply_split(replace(dataset, problems=tuple(problems)), split)


def _pooled(dataset: Dataset, data: DataSettings, seed: int) -> tuple[tuple[Photo, ...], tuple[Problem, ...]]:
    """All photos in train but those of a new test split: a fold, or with `regroup` as many as were in the old one.

    Where all are of one flight regrouping keeps neighbouring frames together only, and a hint says so.
    """
    photos = linked(dataset.photos) if data.regroup else dataset.photos
    hints: tuple[Problem, ...] = ()
    if data.regroup and len({photo.group for photo in dataset.photos}) == 1:
        flight = dataset.photos[0].group
        what = f"all {len(photos)} photos are of one flight ({flight}): only neighbouring frames stay together"
        hints = (Problem(what, "data.group_rule", ONE_FLIGHT_CURE, "one-flight"),)
    share = len(dataset.split("test")) / len(photos)
    test: tuple[str, ...] = ()
    if data.folds:
        test = make_folds(photos, data.folds, seed)[data.fold]
    elif share:
        split, unmade = make_split(photos, share, seed)
        test, hints = split["valid"], (*hints, *unmade)
    held = set(test)
    pooled = tuple(replace(photo, split="test" if photo.name in held else "train") for photo in photos)
    return pooled, hints


def _photos(dataset: Dataset, names: set[str]) -> Sequence[Photo]:
    return [photo for photo in dataset.photos if photo.name in names]


def _require_split(dataset: Dataset, requested: str) -> None:
    if any(photo.objects for photo in dataset.split(requested)):
        return
    available = [name for name in SPLITS if any(photo.objects for photo in dataset.split(name))]
    what = f"the split {requested} has no object" if dataset.split(requested) else f"there is no split {requested}"
    fix = f"Choose {' or '.join(available)}."
    raise UserError.of((*dataset.problems, Problem(what, str(dataset.root), fix, "empty-split")))
