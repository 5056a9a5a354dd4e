"""`read_unlabelled`: photos with boxes to be judged, whose conditions nobody knows (or nobody wants to know).

The same readers as for labelled data are used, but of a label only the box and the object type are taken: a class name
may name a type alone, and one that names no type of ours is an object of unknown type. Photos without any label are
taken whole where that is wanted.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core import taxonomy as taxonomies
from core.boxes import WHOLE_PHOTO, BoxXyxy
from core.data import progress
from core.data.checks import faults_of, place_box, size_mismatch, stacks
from core.data.dataset import handed_over
from core.data.examined import examine
from core.data.files import Folder, list_files
from core.data.formats.base import SHARE, LabelFormat, RawObject, RawPhoto, RawSet
from core.data.formats.named import named_problems
from core.data.formats.registry import FORMATS, FORMATS_TEXT, claimed, not_used, read_labels, recognise
from core.data.grey import range_of
from core.data.notes import refuse_inferences
from core.data.photos import PhotoFacts
from core.data.progress import OnProgress
from core.data.readings import settle
from core.data.refusals import BAD_PHOTO
from core.errors import Problem, UserError
from core.settings import DataSettings
from core.taxonomy import Taxonomy
from core.units import counted

WHOLE_PHOTOS = "photos"  # the format of a folder without labels
NO_BOXES_CURE = (
    "Label the objects, or judge each photo as one object: --whole-photo, on the page Judge whole photos "
    "(batch.whole_photo)."
)


@dataclass(frozen=True)
class UnlabelledObject:
    """One box to judge, in fractions of the photo as viewed; `object_type` is None where the type is not known."""

    box_xyxy: BoxXyxy
    object_type: str | None


@dataclass(frozen=True)
class UnlabelledImage:
    """A photo with the boxes to judge in it.

    Attributes:
        path: of its file.
        name: its path inside the folder.
        size_wh: width and height as viewed, in pixels.
        objects: at least one.
        digest: SHA-256 (hex) of the file's bytes.
    """

    path: Path
    name: str
    size_wh: tuple[int, int]
    objects: tuple[UnlabelledObject, ...]
    digest: str


@dataclass(frozen=True)
class UnlabelledDataset:
    """A folder as read.

    Attributes:
        root: the folder.
        format: the name of its label format; WHOLE_PHOTOS where it has no labels.
        images: in the order of their names.
        problems: faults and hints.
        unknown_classes: class names that name no type of the taxonomy, with the number of their boxes.
        fingerprint: SHA-256 (hex) over names, boxes, types and photo bytes.
    """

    root: Path
    format: str
    images: tuple[UnlabelledImage, ...]
    problems: tuple[Problem, ...]
    unknown_classes: Mapping[str, int]
    fingerprint: str

    @property
    def whole(self) -> bool:
        """Whether there are no labels, so that every photo is judged as a whole."""
        return self.format == WHOLE_PHOTOS

    @property
    def faults(self) -> tuple[Problem, ...]:
        """The problems that mean bad input, hints left out."""
        return faults_of(self.problems)


def read_unlabelled(
    data: DataSettings, sample_folder: Path, whole_photo: bool = False, on_progress: OnProgress = progress.silent
) -> UnlabelledDataset:
    """The boxes of all photos of a folder, splits disregarded; the same photo twice is judged twice.

    Args:
        data: where the photos lie, their label format and the taxonomy.
        sample_folder: the folder of the sample set, which "demo" as `data.path` means.
        whole_photo: whether photos without any labels are judged whole.
        on_progress: told how many files were found, and how many photos were read.

    Raises:
        UserError: there is nothing to judge. It names every problem found.
    """
    taxonomy = taxonomies.load(data.taxonomy)
    folder = list_files(*handed_over(data, sample_folder), on_progress=on_progress)
    on_progress(progress.labels())
    raw = _raw(folder, label_format(folder, data.format, whole_photo))
    facts = examine(
        folder.root, {photo.name for photo in raw.photos}, on_progress=on_progress, grey_range=range_of(data.grey_range)
    )
    settled, doubts = settle(raw.photos, facts)
    problems = [*folder.problems, *raw.problems, *doubts, *stacks(facts)]
    unknown_classes: Counter[str] = Counter()
    images = []
    for photo in sorted(settled, key=lambda photo: photo.name):
        image = _image(folder.root, photo, (facts[photo.name], taxonomy), problems, unknown_classes)
        if image is not None and image.objects:
            images.append(image)
    if data.strict:
        problems = list(refuse_inferences(problems))
    if not images:
        what, fix = "no photo with a box to judge", f"Give photos, or a folder in {FORMATS_TEXT}."
        raise UserError.of((*problems, Problem(what, str(folder.root), fix, "no-data")))
    return UnlabelledDataset(
        folder.root, raw.format, tuple(images), tuple(problems), dict(unknown_classes), _fingerprint(images)
    )


def label_format(folder: Folder, wanted: str, whole_photo: bool) -> LabelFormat | None:
    """The format of the labels beside photos to be judged; None where each photo is to be judged whole.

    Args:
        folder: the folder as listed.
        wanted: a format's name, or "auto" for the one that is recognised.
        whole_photo: whether photos without labels that are understood are judged whole.

    Raises:
        UserError: there are no photos, no labels of the format that is wanted, or none that are understood.
    """
    if not folder.photos:
        fix = "Give a folder with JPEG or PNG photos."
        raise UserError.of((*folder.problems, Problem("there are no photos", str(folder.root), fix, "no-data")))
    found = recognise(folder) if wanted == "auto" else FORMATS[wanted]
    if found is not None and not (found.recognises(folder) or found.claims(folder)):
        fix = "Set data.format to auto."
        raise UserError(f"no labels in {wanted} format", str(folder.root), fix, "no-data")
    if found is None and not whole_photo:
        if meant := claimed(folder):
            return meant  # whose reader names what is missing
        what = f"nothing says what is to be judged: there are no boxes beside {counted(len(folder.photos), 'photo')}"
        last = Problem(what, str(folder.root), NO_BOXES_CURE, "no-boxes")
        raise UserError.of((*folder.problems, *named_problems(folder), last))
    return found


def require_judgeable(boxes: UnlabelledDataset, data: DataSettings) -> None:
    """Refuse labels with faults, unless the settings say to go on with the good rest. Bad photos are only left out.

    Args:
        boxes: the folder as read.
        data: its settings; with `use_good` nothing is refused.

    Raises:
        UserError: there are faults in labels; it names every fault.
    """
    if not data.use_good and any(fault.kind not in BAD_PHOTO for fault in boxes.faults):
        raise UserError.of(boxes.faults)


def _raw(folder: Folder, found: LabelFormat | None) -> RawSet:
    """Labels as written; every photo whole without a format."""
    if found is not None:
        return read_labels(folder, found)
    whole = [RawPhoto(name, "", (RawObject("", WHOLE_PHOTO, SHARE, name),)) for name in folder.photos]
    raw = RawSet(WHOLE_PHOTOS, tuple(whole))
    return replace(raw, problems=tuple(not_used(folder, raw)))


def _image(
    root: Path,
    raw: RawPhoto,
    known: tuple[PhotoFacts | Problem, Taxonomy],
    problems: list[Problem],
    unknown_classes: Counter[str],
) -> UnlabelledImage | None:
    """A photo with its sound boxes; None where the photo is not sound. What is wrong goes to `problems`."""
    fact, taxonomy = known
    trouble = fact if isinstance(fact, Problem) else size_mismatch(raw, fact)
    if isinstance(fact, Problem) or trouble is not None:
        problems.extend([trouble] if trouble else [])
        return None
    objects = []
    for obj in raw.objects:
        placed = place_box(obj, fact.size_wh)
        if isinstance(placed, Problem):
            problems.append(placed)
            continue
        pair = taxonomy.read_class(obj.class_name)
        if pair is None and obj.class_name:
            unknown_classes[obj.class_name] += 1
        objects.append(UnlabelledObject(placed, pair[0] if pair else None))
    return UnlabelledImage(root / raw.name, raw.name, fact.size_wh, tuple(objects), fact.digest)


def _fingerprint(images: Sequence[UnlabelledImage]) -> str:
    digest = hashlib.sha256()
    for image in images:
        boxes = [[*obj.box_xyxy, obj.object_type] for obj in image.objects]
        digest.update(json.dumps([image.name, image.digest, boxes]).encode() + b"\n")
    return digest.hexdigest()
