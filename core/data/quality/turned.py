"""Photos turned by EXIF whose labels do not tell on which of the two, turned or stored, they were drawn."""

from __future__ import annotations

from core.boxes import BoxXyxy
from core.data.checks import TURNED
from core.data.photos import QUARTER_TURNS
from core.data.quality.findings import NOTE, Finding
from core.data.types import Dataset, Photo

IN_FRACTIONS = ("yolo",)  # formats whose boxes are fractions of the photo; those of the others are pixels


def turned_photos(dataset: Dataset) -> list[Finding]:
    """The finding about such photos, with a box of the first one by either reading."""
    photos = {photo.name: photo for photo in dataset.photos}
    found = []
    for hint in dataset.problems:
        if hint.kind != TURNED:
            continue
        photo = photos.get(hint.where)
        boxes: tuple[tuple[str, BoxXyxy], ...] = ()
        if photo is not None and photo.objects:
            read = photo.objects[0].box_xyxy
            other = as_stored(read, photo, dataset.format in IN_FRACTIONS)
            boxes = ((photo.name, read), (photo.name, other)) if other else ((photo.name, read),)
        detail = "First a box as it is read, on the photo as viewed; then the same box if it was drawn on the photo as "
        detail += "stored. Where the second lies right, the labels belong to the photos without their turn."
        found.append(Finding(TURNED, NOTE, hint.what, detail, (hint.where,), hint.fix, boxes=boxes))
    return found


def as_stored(box_xyxy: BoxXyxy, photo: Photo, in_fractions: bool) -> BoxXyxy | None:
    """Where a box lies on the photo as viewed if its numbers are about the photo as stored; None if outside of it.

    Args:
        box_xyxy: the box read as if it were drawn on the photo as viewed, in fractions of that.
        photo: its size and orientation.
        in_fractions: whether the label holds fractions; otherwise pixels.
    """
    x1, y1, x2, y2 = box_xyxy
    if photo.orientation in QUARTER_TURNS and not in_fractions:
        wide, high = photo.size_wh  # as viewed; as stored the two are exchanged
        x1, x2, y1, y2 = x1 * wide / high, x2 * wide / high, y1 * high / wide, y2 * high / wide
    if x1 >= 1 or y1 >= 1:
        return None
    ends = [_as_viewed(x, y, photo.orientation) for x, y in ((x1, y1), (min(x2, 1.0), min(y2, 1.0)))]
    (left, right), (upper, lower) = (sorted(values) for values in zip(*ends, strict=True))
    return left, upper, right, lower


def _as_viewed(x: float, y: float, orientation: int) -> tuple[float, float]:
    """A place on the stored photo, on the photo turned as its EXIF orientation says; both in fractions."""
    across, down = (y, x) if orientation in QUARTER_TURNS else (x, y)
    return (1 - across if orientation in (2, 3, 6, 7) else across), (1 - down if orientation in (3, 4, 7, 8) else down)
