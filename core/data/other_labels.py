"""Labels of a second format in the same folder: they are named, and where they disagree with the first, refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.data.checks import check_photos
from core.data.files import Folder
from core.data.formats.base import LabelFormat
from core.data.formats.registry import read_labels
from core.data.photos import PhotoFacts
from core.data.readings import settle
from core.data.types import BoxedObject, Photo
from core.errors import Problem
from core.taxonomy import Taxonomy
from core.units import count, counted

Facts = Mapping[str, PhotoFacts | Problem]
SAME_PLACE = 0.02  # of the photo's sides, by which ends of one box may differ from tool to tool


def disagreements(
    folder: Folder, beside: Sequence[LabelFormat], used: Sequence[Photo], facts: Facts, taxonomy: Taxonomy
) -> list[Problem]:
    """One fault for each other format whose labels of the same photos say something else.

    Photos of which the other labels are not understood are not compared.

    Args:
        folder: the folder as listed.
        beside: the other formats, in which labels lie there too.
        used: photos with the objects that were read in the first.
        facts: of these photos, by name.
        taxonomy: gives object type and condition of each class name.
    """
    known = {photo.name: photo for photo in used}
    problems = []
    for reader in beside:
        raw = [photo for photo in read_labels(folder, reader).photos if photo.name in known]
        settled, _ = settle(raw, facts)
        checked, _ = check_photos(folder.root, settled, facts, taxonomy, keep_duplicates=True)
        drawn = {photo.name: len(photo.objects) for photo in settled}
        compared = [photo for photo in checked if len(photo.objects) == drawn[photo.name]]
        unlike = [photo.name for photo in compared if not _alike(photo.objects, known[photo.name].objects)]
        if unlike:
            what = (
                f"labels in {reader.title} disagree with those that are used on {count(len(unlike))} of "
                f"{counted(len(compared), 'photo')} ({unlike[0]})"
            )
            fix = f"Set data.format to the one that is right ({reader.name}, say), or remove the other labels."
            problems.append(Problem(what, str(folder.root), fix, "two-formats"))
    return problems


def _alike(one: Sequence[BoxedObject], other: Sequence[BoxedObject]) -> bool:
    """Whether two sets of labels hold the same objects at the same places, in whatever order."""
    left = list(other)
    for obj in one:
        twin = next((candidate for candidate in left if _same(obj, candidate)), None)
        if twin is None:
            return False
        left.remove(twin)
    return not left


def _same(one: BoxedObject, other: BoxedObject) -> bool:
    if (one.object_type, one.condition) != (other.object_type, other.condition):
        return False
    ends = zip(one.box_xyxy, other.box_xyxy, strict=True)
    return all(abs(mine - theirs) <= SAME_PLACE for mine, theirs in ends)
