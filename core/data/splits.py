"""Training and validation photos: classes in like shares, a flight never on both sides, repeatable by its seed."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.data.types import SPLITS, Dataset, Photo
from core.errors import Problem, UserError

SPLIT_FILE = "split.json"  # in a run's folder
MISSING = 10.0  # cost of a class that is absent from one side: more than any unevenness of shares
PHOTO_WEIGHT = 3.0  # the share of photos counts as much as that of three classes
SPARE = 3.0  # calibration takes at most this many times its share: where a flight is larger, training needs it more
ONE_FLIGHT_CURE = "Set data.group_rule so that it tells flights apart: neighbouring photos look alike."
STARTS = 4  # random starts, the best end is taken; with many of them all seeds would find the same split
SWAPS = 20  # tried for each flight when folds are shuffled
LOOSER = 1.25  # times as uneven as scikit-learn's folds may another seed's be: what leaves space for others


def make_split(
    photos: Sequence[Photo], valid_share: float, seed: int = 0
) -> tuple[dict[str, tuple[str, ...]], tuple[Problem, ...]]:
    """A training and a validation side, every group of photos (`Photo.group`) on one of them, classes in like shares.

    Every class of which at least two groups have objects is on both sides where that is possible. When all photos are
    of one group, photos are split singly and a hint of kind `one-flight` states it. With fewer than two photos all go
    to train.

    Args:
        photos: those to divide.
        valid_share: the share of photos and objects meant for validation, 0 to 1.
        seed: the same seed gives the same split.

    Returns:
        {"train": names, "valid": names}, and hints about the split.
    """
    if len(photos) < 2:
        return {"train": tuple(photo.name for photo in photos), "valid": ()}, ()
    groups: dict[str, list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: photo.name):
        groups.setdefault(photo.group, []).append(photo)
    hints: tuple[Problem, ...] = ()
    if len(groups) == 1:
        what = f"all {len(photos)} photos are of one flight ({next(iter(groups))}), so they are split one by one"
        hints = (Problem(what, "data.group_rule", ONE_FLIGHT_CURE, "one-flight"),)
        groups = {photo.name: [photo] for members in groups.values() for photo in members}
    chosen = _choose(_counts(list(groups.values())), valid_share, seed)
    sides = _with_objects({name: bool(side) for name, side in zip(groups, chosen, strict=True)}, groups)
    split = {
        side: tuple(sorted(photo.name for name, members in groups.items() if sides[name] == held for photo in members))
        for side, held in (("train", False), ("valid", True))
    }
    return split, hints


def _with_objects(sides: Mapping[str, bool], groups: Mapping[str, Sequence[Photo]]) -> dict[str, bool]:
    """The sides of groups, changed where one side had no object: its smallest group for one that shows nothing."""
    made = dict(sides)
    labelled = [name for name, members in groups.items() if any(photo.objects for photo in members)]
    for side in (True, False):
        if len(labelled) < 2 or any(made[name] == side for name in labelled):
            continue
        given = min(labelled, key=lambda name: (len(groups[name]), name))
        bare = [name for name in groups if made[name] == side]
        if bare:
            back = min(bare, key=lambda name: (abs(len(groups[name]) - len(groups[given])), name))
            made[back] = not side
        made[given] = side
    return made


def calibration_split(
    photos: Sequence[Photo], share: float, seed: int = 0
) -> tuple[tuple[Photo, ...], tuple[Photo, ...]]:
    """Training photos, and some of them held out for calibration: whole groups, classes in like shares.

    A class of which at least two groups have objects always stays in training. Nothing is held out when `share` is 0 or
    less than one photo, when all photos are of one group, or when even the best choice takes more than SPARE times
    `share` of the photos: a few large flights cannot be spared.

    Args:
        photos: the training photos.
        share: the part of them to hold out, 0 to 1.
        seed: the same seed gives the same choice.

    Returns:
        (photos to train on, photos to calibrate on).
    """
    groups = {photo.group for photo in photos}
    if len(groups) < 2 or share * len(photos) < 1:
        return tuple(photos), ()
    held = set(make_split(photos, share, seed)[0]["valid"])
    held_out = {photo.group for photo in photos if photo.name in held}
    of_class: dict[tuple[str, str], Counter[str]] = {}
    for photo in photos:
        for obj in photo.objects:
            of_class.setdefault((obj.object_type, obj.condition), Counter())[photo.group] += 1
    for in_groups in of_class.values():
        if len(in_groups) > 1 and set(in_groups) <= held_out:
            held_out.discard(min(in_groups, key=lambda group: (-in_groups[group], group)))
    calibrate = tuple(photo for photo in photos if photo.group in held_out)
    if len(calibrate) > SPARE * share * len(photos):
        return tuple(photos), ()
    return tuple(photo for photo in photos if photo.group not in held_out), calibrate


def make_folds(photos: Sequence[Photo], folds: int, seed: int = 0) -> tuple[tuple[str, ...], ...]:
    """Folds for cross-validation: whole groups (`Photo.group`) together, classes in like shares.

    Seed 0 is the stratified group k-fold of scikit-learn, one label for each object; a photo without objects counts as
    one object of a class of its own. That result depends hardly on a seed, so any other seed goes on from it: groups
    change folds at random as long as the folds stay about as even and lack no class more.

    Args:
        photos: those to divide.
        folds: their number, 2 or more.
        seed: the same seed gives the same folds.

    Returns:
        The photos' names, one tuple for each fold.

    Raises:
        UserError: there are fewer groups than folds, no class has an object for each fold, or a fold has no object.

    Source: StratifiedGroupKFold of scikit-learn.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = {photo.group for photo in photos}
    if len(groups) < folds:
        what = f"{folds} folds want at least as many flights, and the photos are of {len(groups)}"
        fix = "Set data.folds lower, or data.group_rule so that it tells flights apart."
        raise UserError(what, "data.folds", fix, "folds")
    ordered = sorted(photos, key=lambda photo: photo.name)
    rows = [
        (index, label)
        for index, photo in enumerate(ordered)
        for label in [f"{obj.object_type} {obj.condition}" for obj in photo.objects] or [""]
    ]
    flights = [ordered[index].group for index, _ in rows]
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a class has fewer objects than folds: the review reports it
            test_rows = [part for _, part in splitter.split(flights, [label for _, label in rows], flights)]
    except ValueError as error:
        fix = "Set data.folds lower, or label more photos."
        raise UserError(f"no class has {folds} objects, one for each fold", "data.folds", fix, "folds") from error
    fold_of = {flights[row]: number for number, part in enumerate(test_rows) for row in part}
    if seed:
        fold_of = _shuffled_folds(ordered, fold_of, seed)
    parts = tuple(tuple(photo.name for photo in ordered if fold_of[photo.group] == number) for number in range(folds))
    labelled = {photo.name for photo in photos if photo.objects}
    if empty := [str(index) for index, part in enumerate(parts) if not labelled & set(part)]:
        what = f"with {folds} folds part {' and '.join(empty)} has no object"
        raise UserError(what, "data.folds", "Set data.folds lower, or label more flights.", "folds")
    return parts


def _shuffled_folds(photos: Sequence[Photo], fold_of: Mapping[str, int], seed: int) -> dict[str, int]:
    """Folds of the groups after many random moves and swaps, none of which leaves the parts much less even."""
    rng = np.random.default_rng([seed, 0xF01D])
    names, folds = sorted(fold_of), max(fold_of.values()) + 1
    groups: dict[str, list[Photo]] = {name: [] for name in names}
    for photo in photos:
        groups[photo.group].append(photo)
    counts = _counts([groups[name] for name in names])
    place = np.array([fold_of[name] for name in names])
    weights = np.ones(counts.shape[1])
    weights[0] = PHOTO_WEIGHT

    def unevenness(place: np.ndarray) -> tuple[int, float]:
        """(classes absent from a part, mean spread of shares between the parts)."""
        parts = np.eye(folds)[place].T @ counts
        spread = (parts / np.maximum(counts.sum(axis=0), 1)).std(axis=0)
        return int((parts == 0).sum()), float(np.average(spread, weights=weights))

    absent, uneven = unevenness(place)
    for _ in range(SWAPS * len(names)):
        first, second = rng.integers(len(names), size=2)
        after = place.copy()
        after[first], after[second] = place[second], place[first] if rng.random() < 0.5 else place[second]
        found = unevenness(after)
        if found[0] <= absent and found[1] <= LOOSER * uneven:
            place = after
    return dict(zip(names, place.tolist(), strict=True))


def require_fold(folds: int, fold: int) -> None:
    """Refuse a fold that does not exist.

    Args:
        folds: the number of folds; 0 for no cross-validation.
        fold: the index of one of them, counted from 0; 0 without cross-validation.

    Raises:
        UserError: there is only one fold, or no such fold.
    """
    if folds == 1:
        fix = "Set data.folds to 2 or more, or to 0 for no cross-validation."
        raise UserError("one fold leaves nothing to learn from", "data.folds", fix, "folds")
    if fold and fold >= folds:
        fix = f"Choose 0 to {folds - 1}: parts are counted from 0." if folds else "Set data.folds as well."
        what = f"there is no part {fold} among {folds} folds" if folds else f"part {fold} of no folds"
        raise UserError(what, "data.fold", fix, "folds")


def _counts(groups: Sequence[Sequence[Photo]]) -> np.ndarray:
    """(groups, 1 + classes): photos, then objects of each class."""
    classes = sorted({(obj.object_type, obj.condition) for group in groups for photo in group for obj in photo.objects})
    column = {pair: index + 1 for index, pair in enumerate(classes)}
    counts = np.zeros((len(groups), 1 + len(classes)))
    for row, group in enumerate(groups):
        counts[row, 0] = len(group)
        for photo in group:
            for obj in photo.objects:
                counts[row, column[obj.object_type, obj.condition]] += 1
    return counts


def _choose(counts: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which groups (bool, one each) go to validation: from random starts, the best single change until none helps."""
    rng = np.random.default_rng([seed, 0x5B117])
    shared = (counts > 0).sum(axis=0) >= 2
    best, best_cost = np.zeros(len(counts), dtype=bool), np.inf
    for _ in range(STARTS):
        order = rng.permutation(len(counts))
        held = np.zeros(len(counts), dtype=bool)
        held[order[np.cumsum(counts[order, 0]) <= share * counts[:, 0].sum()]] = True
        cost = _improve(counts, held, share, shared)
        if cost < best_cost - 1e-12:
            best, best_cost = held, cost
    return best


def _improve(counts: np.ndarray, held: np.ndarray, share: float, shared: np.ndarray) -> float:
    """Move single groups in place while the cost falls; returns the cost."""
    totals = counts.sum(axis=0)
    valid = counts[held].sum(axis=0)
    cost = float(_cost(valid[None], totals, share, shared)[0])
    for _ in range(4 * len(counts)):
        after = valid + np.where(held, -1.0, 1.0)[:, None] * counts
        costs = _cost(after, totals, share, shared)
        move = int(np.argmin(costs))
        if costs[move] >= cost - 1e-12:
            break
        held[move] = not held[move]
        valid, cost = after[move], float(costs[move])
    return cost


def _cost(valid: np.ndarray, totals: np.ndarray, share: float, shared: np.ndarray) -> np.ndarray:
    """(candidates,) unevenness of validation counts (candidates, columns); an empty side is a missing first column."""
    weights = np.ones(len(totals))
    weights[0] = PHOTO_WEIGHT
    uneven = ((valid / np.maximum(totals, 1) - share) ** 2) @ weights
    absent = (((valid <= 0) | (valid >= totals)) & shared).sum(axis=1)
    cost: np.ndarray = uneven + MISSING * absent
    return cost


def write_split(dataset: Dataset, path: Path) -> None:
    """Write the split as JSON, {"train": [names], "valid": [names], …}, so that a run can be repeated."""
    split = {name: [photo.name for photo in dataset.split(name)] for name in SPLITS if dataset.split(name)}
    path.write_text(json.dumps(split, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_split(path: Path) -> dict[str, tuple[str, ...]]:
    """The names of each split, as `write_split` wrote them.

    Raises:
        UserError: the file cannot be read, or is no split.
    """
    fix = "Make it again by starting a new run."
    try:
        tree: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("this split file cannot be read", str(path), fix, "split") from error
    if not isinstance(tree, dict) or not set(tree) <= set(SPLITS):
        raise UserError(f"a split file has the parts {', '.join(SPLITS)}", str(path), fix, "split")
    for names in tree.values():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError("a split file lists photo names", str(path), fix, "split")
    return {name: tuple(names) for name, names in tree.items()}


def apply_split(dataset: Dataset, split: Mapping[str, Sequence[str]]) -> Dataset:
    """The data set with its photos divided anew, and its fingerprint made anew.

    Args:
        dataset: with all photos.
        split: the names of the photos of each split; photos that are not named are left out.

    Raises:
        UserError: a named photo is not in the data set.
    """
    side = {name: part for part, names in split.items() for name in names}
    missing = sorted(set(side) - {photo.name for photo in dataset.photos})
    if missing:
        what = f"{len(missing)} photos of the split are not in the data, the first is {missing[0]}"
        raise UserError(what, str(dataset.root), "Use the data the split was made for.", "split")
    photos = tuple(replace(photo, split=side[photo.name]) for photo in dataset.photos if photo.name in side)
    return with_fingerprint(replace(dataset, photos=photos))


def with_fingerprint(dataset: Dataset) -> Dataset:
    """The data set with the fingerprint of its photos as they are now."""
    from core.data.statistics import fingerprint

    return replace(dataset, fingerprint=fingerprint(dataset.photos))
