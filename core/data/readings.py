"""What a format leaves open, decided over a whole data set: units, sizes, turns, and what the numbers of a box are.

Boxes may be fractions or pixels, or of a photo that was resized after labelling; their four numbers may be corners.
A reading that makes any box impossible falls out. The one that is left is used and reported; where boxes speak for
both, the set is refused with both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from core.boxes import BoxXyxy
from core.data.formats.base import CENTRED, CORNERS, PIXELS, SHARE, SIZED, RawObject, RawPhoto
from core.data.formats.shapes import around_turned, turn_of
from core.data.notes import Notes
from core.data.photos import PhotoFacts
from core.errors import Problem

ONE = 1.01  # the greatest end of a box in fractions, with rounding
ROTATION = "rotation"
LEAST_PX = 1.0  # a box of fewer pixels on both sides is none: it is written as fractions


def settle(
    photos: Sequence[RawPhoto], facts: Mapping[str, PhotoFacts | Problem]
) -> tuple[tuple[RawPhoto, ...], tuple[Problem, ...]]:
    """The photos with their boxes as they are meant; and hints of what was inferred, and what stays in doubt.

    Args:
        photos: as a reader handed them over.
        facts: size of each photo, by its name.
    """
    notes = Notes()
    read, doubts = settle_units(photos, notes)
    settled = settle_sizes(settle_turns(read, notes), facts, notes)
    return settled, (*doubts, *doubt_shapes(settled, facts), *notes.problems())


def settle_units(photos: Sequence[RawPhoto], notes: Notes) -> tuple[tuple[RawPhoto, ...], tuple[Problem, ...]]:
    """Photos of a format in pixels whose boxes are all written as fractions, read as these.

    Args:
        photos: as a reader handed them over.
        notes: takes what was inferred.

    Returns:
        The photos; and one problem where some boxes can only be fractions and others only pixels.
    """
    boxes = [one for photo in photos for one in photo.objects if one.unit == PIXELS and _is_sound(one)]
    fractions = [one for one in boxes if _within(one)]
    if not fractions:
        return tuple(photos), ()
    if len(fractions) < len(boxes):
        pixels = next(one for one in boxes if not _within(one))
        what = (
            f"{len(fractions)} of {len(boxes)} boxes are fractions of the photo ({_quoted(fractions[0].box_xyxy)}), "
            f"the others pixels ({_quoted(pixels.box_xyxy)} at {pixels.source})"
        )
        return tuple(photos), (Problem(what, fractions[0].source, "Write all in pixels.", "two-readings"),)
    for one in fractions:
        notes.inferred("object", "read as fractions of the photo: no box reaches beyond 1", one.source)
    return _each(photos, lambda photo: _in_unit(photo, SHARE)), ()


def settle_sizes(
    photos: Sequence[RawPhoto], facts: Mapping[str, PhotoFacts | Problem], notes: Notes
) -> tuple[RawPhoto, ...]:
    """Photos that were resized after labelling, with the size they have now and their boxes brought to it.

    Args:
        photos: as a reader handed them over.
        facts: size of each photo, by its name.
        notes: takes what was inferred.
    """

    def settle(photo: RawPhoto) -> RawPhoto:
        fact = facts[photo.name]
        stated = photo.declared_wh
        if isinstance(fact, Problem) or stated is None or stated == fact.size_wh or not _like(stated, fact.size_wh):
            return photo
        if any(one.unit == PIXELS for one in photo.objects):
            how = f"labelled at {stated[0]} x {stated[1]} and now of {fact.size_wh[0]} x {fact.size_wh[1]}"
            notes.inferred("photo", f"{how}, so that boxes are scaled", photo.source or photo.name)
        return _scaled(photo, stated, fact.size_wh)

    return _each(photos, settle)


def settle_turns(photos: Sequence[RawPhoto], notes: Notes) -> tuple[RawPhoto, ...]:
    """Boxes in pixels that an attribute `rotation` turns (CVAT and Datumaro, in degrees), with the box around each."""

    def settle(one: RawObject) -> RawObject:
        turn = next((turn_of(value) for name, value in one.attributes if name == ROTATION), 0.0)
        if not turn or one.unit != PIXELS:
            return one
        notes.inferred("turned box", "read as the box around it", one.source)
        rest = tuple(pair for pair in one.attributes if pair[0] != ROTATION)
        return replace(one, box_xyxy=around_turned(one.box_xyxy, turn), attributes=rest, shape=CORNERS)

    # Most objects have no attributes at all, and a data set has a hundred thousand of them.
    return _each(
        photos,
        lambda photo: (
            replace(photo, objects=tuple(map(settle, photo.objects)))
            if any(one.attributes for one in photo.objects)
            else photo
        ),
    )


def doubt_shapes(photos: Sequence[RawPhoto], facts: Mapping[str, PhotoFacts | Problem]) -> tuple[Problem, ...]:
    """The fault of boxes that reach beyond their photos, where all lie inside if their numbers mean something else.

    Args:
        photos: as a reader handed them over, in the size they have now.
        facts: size of each photo, by its name.
    """
    placed = [
        (one, fact.size_wh if one.unit == PIXELS else (1, 1))
        for photo in photos
        if isinstance(fact := facts[photo.name], PhotoFacts)
        for one in photo.objects
        if one.shape != CORNERS and _is_sound(one)
    ]
    beyond = [one for one, size in placed if not _lies_inside(one.box_xyxy, size)]
    if not beyond:
        return ()
    first = beyond[0]
    others = [shape for shape in (SIZED, CORNERS) if all(_lies_inside(_as(shape, one), size) for one, size in placed)]
    if not others or first.shape in others:
        return ()
    what = (
        f"{len(beyond)} of {len(placed)} boxes reach beyond their photos as {first.shape} ({_quoted(first.box_xyxy)}); "
        f"all lie inside as {' and as '.join(f'{shape} ({_quoted(_as(shape, first))})' for shape in others)}"
    )
    return (Problem(what, first.source, f"Write all boxes as {first.shape}.", "two-readings"),)


def _as(shape: str, one: RawObject) -> BoxXyxy:
    """The box that the same four numbers are as CORNERS or SIZED."""
    x0, y0, x1, y1 = one.box_xyxy
    wide, high = x1 - x0, y1 - y0
    if one.shape == CENTRED:
        x0, y0 = x0 + wide / 2, y0 + high / 2
    return (x0, y0, wide, high) if shape == CORNERS else (x0, y0, x0 + wide, y0 + high)


def _lies_inside(box: BoxXyxy, size: tuple[int, int]) -> bool:
    x0, y0, x1, y1 = box
    far = ONE - 1
    across, down = far * size[0], far * size[1]
    inside = min(x0 + across, y0 + down) >= 0 and x1 <= size[0] + across and y1 <= size[1] + down
    return inside and x1 > x0 and y1 > y0


def _each(photos: Sequence[RawPhoto], change: Callable[[RawPhoto], RawPhoto]) -> tuple[RawPhoto, ...]:
    return tuple(change(photo) for photo in photos)


def _in_unit(photo: RawPhoto, unit: str) -> RawPhoto:
    return replace(photo, objects=tuple(replace(one, unit=unit) for one in photo.objects))


def _scaled(photo: RawPhoto, stated: tuple[int, int], size: tuple[int, int]) -> RawPhoto:
    across, down = size[0] / stated[0], size[1] / stated[1]

    def scale(one: RawObject) -> RawObject:
        x0, y0, x1, y1 = one.box_xyxy
        return one if one.unit == SHARE else replace(one, box_xyxy=(x0 * across, y0 * down, x1 * across, y1 * down))

    return replace(photo, objects=tuple(map(scale, photo.objects)), declared_wh=size)


def _like(stated: tuple[int, int], size: tuple[int, int]) -> bool:
    """Whether two sizes have one shape, but for the rounding of a side to whole pixels."""
    return abs(stated[0] * size[1] - stated[1] * size[0]) <= max(*stated, *size)


def _is_sound(one: RawObject) -> bool:
    x0, y0, x1, y1 = one.box_xyxy
    return all(map(math.isfinite, one.box_xyxy)) and x1 > x0 and y1 > y0


def _within(one: RawObject) -> bool:
    x0, y0, x1, y1 = one.box_xyxy
    return max(x1, y1) <= ONE and min(x0, y0) >= 1 - ONE and max(x1 - x0, y1 - y0) <= LEAST_PX


def _quoted(box: BoxXyxy) -> str:
    return " ".join(f"{end:.4g}" for end in box)
