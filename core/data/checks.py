"""From labels as written to objects that can be trusted: what is good, and one Problem for each thing that is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.boxes import ROUNDING, BoxXyxy
from core.data.attributes import AttributeReader
from core.data.formats.base import PIXELS, RawObject, RawPhoto
from core.data.notes import IGNORED, INFERRED
from core.data.photos import QUARTER_TURNS, TURNS, PhotoFacts
from core.data.types import SPLITS, BoxedObject, Dataset, Photo
from core.errors import Problem, UserError
from core.settings import DataSettings
from core.taxonomy import Taxonomy
from core.units import counted, percent

SAME_FILE = "this is the same file as "  # followed by the name of the photo that is used
TURNED = "turned-photos"
TRAINING_SPLIT = "training-split"
# Worth a sentence, but nothing that is used is wrong.
HINTS = frozenset(
    {
        "photo-without-label",
        "one-flight",
        "link-folder",
        "duplicates-left-out",
        IGNORED,
        INFERRED,
        TURNED,
        TRAINING_SPLIT,
    }
)


def require_clean(dataset: Dataset, data: DataSettings) -> None:
    """Refuse a data set with faults, unless the settings say to go on with what is good.

    Args:
        dataset: the data set as read.
        data: its settings; with `use_good` nothing is refused.

    Raises:
        UserError: there are faults; it names every one.
    """
    faults = faults_of(dataset.problems)
    if faults and not data.use_good:
        raise UserError.of(faults)


def faults_of(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """The problems that mean bad input, hints left out."""
    return tuple(problem for problem in problems if problem.kind not in HINTS)


def check_photos(
    root: Path,
    raw: Sequence[RawPhoto],
    facts: Mapping[str, PhotoFacts | Problem],
    taxonomy: Taxonomy,
    keep_duplicates: bool = False,
) -> tuple[list[Photo], list[Problem]]:
    """The photos and objects that can be used, and one problem for each that cannot.

    Args:
        root: the folder of the data set.
        raw: photos and labels as a reader handed them over.
        facts: for every photo's name what decoding its file showed, or what is wrong with the file.
        taxonomy: gives object type and condition of each class name.
        keep_duplicates: whether the same file under two names stays twice; otherwise the second is a problem.

    Returns:
        The photos, ordered by split and name, their `group` the flight that the labels state, or ""; and the problems.
    """
    attributes = AttributeReader((obj for photo in raw for obj in photo.objects), taxonomy)
    problems: list[Problem] = []
    photos: list[Photo] = []
    disagreeing: dict[tuple[str, str, str], list[str]] = {}
    unknown: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    order = {name: place for place, name in enumerate(("", *SPLITS))}
    for photo in sorted(raw, key=lambda photo: (order[photo.split], photo.name)):
        fact = facts[photo.name]
        if isinstance(fact, Problem):
            problems.append(fact)
            continue
        if (other := first.get(fact.digest)) and not keep_duplicates:
            fix = "Remove one of the two; the first is used."
            problems.append(Problem(SAME_FILE + other, photo.name, fix, "duplicate-photo"))
            continue
        first[fact.digest] = photo.name
        if wrong := size_mismatch(photo, fact):
            problems.append(wrong)
            continue
        objects = []
        for labelled in photo.objects:
            placed = place_box(labelled, fact.size_wh)
            found = attributes.read(labelled)
            if found is None:
                unknown.setdefault(labelled.class_name, []).append(labelled.source)
            elif isinstance(found, Problem):
                disagreeing.setdefault((found.kind, found.what, found.fix), []).append(labelled.source)
            if isinstance(placed, Problem):
                problems.append(placed)
            elif isinstance(found, tuple):
                objects.append(BoxedObject(placed, *found, source=labelled.source))
        photos.append(
            Photo(
                root / photo.name,
                photo.name,
                fact.size_wh,
                photo.split,
                photo.flight,
                tuple(objects),
                fact.digest,
                fact.stats,
                fact.orientation,
                fact.moment,
            )
        )
    problems.extend(_unknown_class(name, places, taxonomy) for name, places in unknown.items())
    problems.extend(
        Problem(what + _and_more(places), places[0], fix, kind) for (kind, what, fix), places in disagreeing.items()
    )
    problems.extend(attributes.notes)
    problems.extend(turned_photos(raw, facts))
    problems.extend(stacks(facts))
    return photos, problems


def place_box(obj: RawObject, size_wh: tuple[int, int]) -> BoxXyxy | Problem:
    """A box in fractions of its photo; what rounding pushed beyond the edge is cut off.

    Args:
        obj: the box as written, in its own unit.
        size_wh: width and height of the photo as viewed, in pixels.

    Returns:
        The box, or what is wrong with it: not finite, without width or height, or more than ROUNDING beyond an edge.
    """
    width, height = size_wh if obj.unit == PIXELS else (1, 1)
    if not all(map(math.isfinite, obj.box_xyxy)):
        return Problem("a number of the box is not finite", obj.source, "Draw the box again.", "bad-number")
    x0, y0, x1, y1 = (end / side for end, side in zip(obj.box_xyxy, (width, height) * 2, strict=True))
    if x1 <= x0 or y1 <= y0:
        side = "width" if x1 <= x0 else "height"
        return Problem(f"the box has no {side}", obj.source, "Draw it again or remove it.", "zero-size")
    beyond = {"left": -x0, "upper": -y0, "right": x1 - 1, "lower": y1 - 1}
    edge = max(beyond, key=lambda name: beyond[name])
    cut = (max(0.0, x0), max(0.0, y0), min(1.0, x1), min(1.0, y1))
    if beyond[edge] > ROUNDING or cut[2] <= cut[0] or cut[3] <= cut[1]:
        fix = "Draw it again inside the photo."
        if obj.unit != PIXELS and max(x1, y1) > 2:
            fix = "Write fractions of the photo, 0 to 1, not pixels."
        distance = percent(beyond[edge], 0) if beyond[edge] < 10 else "far"
        return Problem(f"the box reaches {distance} beyond the photo's {edge} edge", obj.source, fix, "box-outside")
    return cut


def size_mismatch(photo: RawPhoto, fact: PhotoFacts) -> Problem | None:
    """The problem of a photo labelled at another size, in pixels, than it has; None where the two agree."""
    size, stated = fact.size_wh, photo.declared_wh
    if stated is None or stated == size:
        return None
    what = f"labelled as {stated[0]} x {stated[1]} pixels, but {size[0]} x {size[1]} as viewed"
    fix = "Label this photo as it is now, turned upright."
    if stated != size[::-1]:
        what += ": of another shape, so that boxes cannot be scaled"
        fix = "Give the photo that was labelled, or label this one again."
    if fact.orientation in QUARTER_TURNS and stated == size[::-1]:
        what = (
            f"labelled as {stated[0]} x {stated[1]} pixels, as its file is stored; by EXIF it is {size[0]} x {size[1]}"
        )
        fix = "Look where the boxes lie: save the photo as it was labelled, or state its size as viewed."
    return Problem(what, photo.source or photo.name, fix, "size-mismatch")


def turned_photos(raw: Sequence[RawPhoto], facts: Mapping[str, PhotoFacts | Problem]) -> tuple[Problem, ...]:
    """The hint that photos are turned by EXIF while nothing tells whether their labels were drawn on them as turned.

    Args:
        raw: photos and labels as a reader handed them over.
        facts: of each photo, by its name.
    """
    unsure = []
    for photo in raw:
        fact = facts[photo.name]
        if isinstance(fact, Problem) or fact.orientation not in TURNS or not photo.objects:
            continue
        # A stated size tells of a quarter turn alone: upside down the size is the same.
        quarter = fact.orientation in QUARTER_TURNS and fact.size_wh[0] != fact.size_wh[1]
        if photo.declared_wh in (None, fact.size_wh) and not (quarter and photo.declared_wh):
            unsure.append(photo)
    if not unsure:
        return ()
    verb = "photo is" if len(unsure) == 1 else "photos are"
    what = f"{len(unsure)} {verb} turned by EXIF, and nothing tells whether the labels were drawn on them as turned"
    fix = "Look at one: where its boxes lie wrong, save the photos without their EXIF turn."
    return (Problem(what, unsure[0].name, fix, TURNED),)


def stacks(facts: Mapping[str, PhotoFacts | Problem]) -> tuple[Problem, ...]:
    """The hint that files hold more than one picture (TIFF stacks, MPO), of which the first is used.

    Args:
        facts: of each photo, by its name.
    """
    found = sorted(name for name, fact in facts.items() if isinstance(fact, PhotoFacts) and fact.pictures > 1)
    if not found:
        return ()
    verb = "holds" if len(found) == 1 else "hold"
    what = f"{counted(len(found), 'photo file')} {verb} several pictures, of which the first is used"
    return (Problem(what, found[0], "", INFERRED),)


def _unknown_class(name: str, places: Sequence[str], taxonomy: Taxonomy) -> Problem:
    known = ", ".join(taxonomy.class_names)
    fix = f"Rename it to one of: {known}; or add the spelling to the taxonomy."
    return Problem(f"{name!r} is no class of {taxonomy.name}{_and_more(places)}", places[0], fix, "unknown-class")


def _and_more(places: Sequence[str]) -> str:
    return f" ({len(places)} objects; this is the first)" if len(places) > 1 else ""
