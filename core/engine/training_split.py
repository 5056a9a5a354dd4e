"""Which photos a tuned model is judged on: those that its training held out, whatever the rules of splits are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from core.data import splits
from core.data.checks import TRAINING_SPLIT
from core.data.types import Dataset
from core.errors import Problem, UserError
from core.runs import store
from core.runs.model_files import adapter_about
from core.runs.workspace import Workspace, model_label
from core.units import counted


def as_trained(dataset: Dataset, adapter: Path, workspace: Workspace, wanted: str) -> Dataset:
    """The data set divided as it was when an adapter was trained on it.

    That these are the data of the training is known by content: some of the photos on the training side are those that
    the adapter learned from. Where no such split is left, the photos that it learned from count as training photos, so
    that they are not judged. Other data stay as they are.

    Args:
        dataset: The data set, divided by the rules of now.
        adapter: The adapter's folder.
        workspace: Where the adapter's training may have run.
        wanted: The split that is to be judged.

    Returns:
        The data set; where photos are left out of judging, `problems` holds a hint of kind TRAINING_SPLIT.
    """
    digests = set(adapter_about(adapter).get("train_digests", ()))
    learned = {photo.name for photo in dataset.photos if photo.digest in digests}
    if not learned:
        return dataset
    names = {photo.name for photo in dataset.photos}
    for split in _kept_splits(adapter, workspace):
        if learned & set(split.get("train", ())) and names & set(split.get(wanted, ())):
            return _divided(dataset, split)
    held = {photo.name for photo in dataset.split(wanted)} & learned
    if wanted == "train" or not held:  # who asks for the training photos gets them, with a warning of their own
        return dataset
    photos = tuple(replace(photo, split="train") if photo.name in held else photo for photo in dataset.photos)
    what = f"the split of this model's training is gone: {counted(len(held), 'photo')} that it learned from "
    return splits.with_fingerprint(_noted(replace(dataset, photos=photos), what + f"{_is(len(held))} left out"))


def _kept_splits(adapter: Path, workspace: Workspace) -> Iterator[Mapping[str, Sequence[str]]]:
    """The split beside the adapter, then those of trainings of its name, newest first; passed over where unreadable."""
    yield from _readable([adapter / splits.SPLIT_FILE])
    places = {workspace.root: workspace}
    home = adapter.resolve().parent.parent  # an adapter lies in `models` of its workspace
    places.setdefault(home, Workspace(home))
    for place in places.values():
        runs = (run for run in store.list_runs(place, "train") if run.name == model_label(str(adapter)))
        yield from _readable(run.folder / splits.SPLIT_FILE for run in runs)


def _readable(files: Iterable[Path]) -> Iterator[Mapping[str, Sequence[str]]]:
    for file in files:
        with suppress(UserError):
            yield splits.read_split(file)


def _divided(dataset: Dataset, split: Mapping[str, Sequence[str]]) -> Dataset:
    names = {photo.name for photo in dataset.photos}
    there = {side: [name for name in listed if name in names] for side, listed in split.items()}
    gone = sum(map(len, split.values())) - sum(map(len, there.values()))
    new = len(names) - sum(map(len, there.values()))
    divided = splits.apply_split(dataset, there)
    parts = [f"{counted(new, 'photo')} that came later {_is(new)} left out"] if new else []
    parts += [f"{counted(gone, 'photo')} of it {_is(gone)} no longer in the data"] if gone else []
    return _noted(divided, f"the split of this model's training is used: {' and '.join(parts)}") if parts else divided


def _noted(dataset: Dataset, what: str) -> Dataset:
    hint = Problem(what, str(dataset.root), "", TRAINING_SPLIT)
    return replace(dataset, problems=(*dataset.problems, hint))


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
