"""The sample data set: 290 drawn dam photos as a YOLO folder, with the counts and the imbalance met in the field.

A flight is everything in a file name before its last underscore. Flights, and the sites they fly over, stay within one
split; each has its own light, season and materials.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from core.data.dataset import DEMO
from core.demo.scenes import CLASS_OF, SAMPLE, Scene, draw_scene, flight_style
from core.errors import UserError
from core.runs.files import remove, remove_now, replace
from core.settings import DataSettings

Progress = Callable[[int, int], None]
SEED = 290
SIZE_PX = 448
JPEG_QUALITY = 88
STALE_S = 3600.0  # an unfinished folder older than this was left by a killed process
PER_PHOTO = {"toe drain": 2, "rock toe": 4, "slope drain": 5, "vegetation": 6}  # more would crowd a photo
# How many photos hold 1, 2, ... 12 objects, roughly: few hold many.
CROWD = (18, 28, 28, 35, 31, 24, 15, 8, 5, 7, 5, 8)


@dataclass(frozen=True)
class SplitCounts:
    """What one split holds.

    Attributes:
        photos: their number.
        objects: the number of each class, in the order of CLASS_OF.
        sites: (site, how many flights over it).
    """

    photos: int
    objects: tuple[int, ...]
    sites: tuple[tuple[str, int], ...]


SAMPLE_SPLITS: dict[str, SplitCounts] = {
    "train": SplitCounts(
        218,
        (44, 57, 58, 119, 282, 202, 75, 118, 174),
        (("Hillside1", 3), ("Hillside2", 3), ("Northbank1", 3), ("Millpond1", 3), ("Ridgeway1", 3), ("Eastdike1", 3)),
    ),
    "valid": SplitCounts(47, (5, 13, 11, 21, 52, 34, 14, 18, 40), (("Saddle1", 3), ("Westdike1", 2))),
    "test": SplitCounts(25, (3, 8, 7, 13, 32, 21, 8, 12, 24), (("Oldquarry1", 3),)),
}


@dataclass(frozen=True)
class PlannedPhoto:
    """One photo to draw.

    Attributes:
        split: "train", "valid" or "test".
        name: of the file, without ending.
        seed: of the scene.
        flight_seed: of what all photos of a flight share.
        wanted: (object type, condition) of each object.
    """

    split: str
    name: str
    seed: int
    flight_seed: int
    wanted: tuple[tuple[str, str], ...]


def plan_photos() -> list[PlannedPhoto]:
    """All photos of the sample set, in order, the same every time; nothing is drawn."""
    photos: list[PlannedPhoto] = []
    for number, (name, split) in enumerate(SAMPLE_SPLITS.items()):
        rng = np.random.default_rng([SEED, number])
        flights = [f"{site}_R{lap + 1}" for site, laps in split.sites for lap in range(laps)]
        contents = iter(_deal(rng, split))
        for flight, size in zip(flights, _flight_sizes(rng, split.photos, len(flights)), strict=True):
            flight_seed = int(rng.integers(2**31))
            for frame in np.sort(rng.choice(np.arange(1, 100), size, replace=False)):
                seed = int(rng.integers(2**31))
                photos.append(PlannedPhoto(name, f"{flight}_{frame:03d}", seed, flight_seed, tuple(next(contents))))
    return photos


def _flight_sizes(rng: np.random.Generator, photos: int, flights: int) -> list[int]:
    """Photos of each flight: uneven, at least three, adding up to `photos`."""
    return [3 + int(extra) for extra in rng.multinomial(photos - 3 * flights, rng.dirichlet(np.full(flights, 8.0)))]


def _deal(rng: np.random.Generator, split: SplitCounts) -> list[list[tuple[str, str]]]:
    """Give every object of the split to a photo: every photo gets one or more, none more of a type than PER_PHOTO."""
    while True:
        free = _crowds(rng, split)
        hands: list[list[tuple[str, str]]] = [[] for _ in free]
        if all(_deal_type(rng, split, kind, (free, hands)) for kind in PER_PHOTO):
            return [[hand[int(i)] for i in rng.permutation(len(hand))] for hand in hands]


def _deal_type(
    rng: np.random.Generator, split: SplitCounts, kind: str, table: tuple[list[int], list[list[tuple[str, str]]]]
) -> bool:
    """Deal the objects of one type to photos with free places, in place; False where no photo can take another."""
    free, hands = table
    cards = [pair for pair, count in zip(CLASS_OF, split.objects, strict=True) if pair[0] == kind for _ in range(count)]
    held = [0] * len(free)
    for card in rng.permutation(len(cards)):
        weight = np.array([places * (have < PER_PHOTO[kind]) for places, have in zip(free, held, strict=True)], float)
        if not weight.sum():
            return False
        photo = int(rng.choice(len(free), p=weight / weight.sum()))
        hands[photo].append(cards[int(card)])
        held[photo] += 1
        free[photo] -= 1
    return True


def _crowds(rng: np.random.Generator, split: SplitCounts) -> list[int]:
    """How many objects each photo holds: 1 to 12, adding up to all objects of the split."""
    share = np.asarray(CROWD) / sum(CROWD)
    sizes = rng.choice(np.arange(1, len(CROWD) + 1), split.photos, p=share)
    while (missing := sum(split.objects) - int(sizes.sum())) != 0:
        photo = int(rng.integers(split.photos))
        sizes[photo] = np.clip(sizes[photo] + np.sign(missing), 1, len(CROWD))
    return [int(size) for size in sizes]


def draw_sample(folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    """The folder of the sample set; drawn on first use, by one process while others wait for it.

    Args:
        folder: of the sample set; it need not exist.
        progress: called with (photos done, photos in all).

    Raises:
        UserError: it cannot be written, or the folder holds something else.
    """
    if (folder / "data.yaml").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            if (folder / "data.yaml").is_file():
                return folder
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                what = "this folder holds something else than the sample set"
                raise UserError(what, str(folder), "Remove it; the sample set is then drawn again.", "no-data")
            write_sample_set(folder, progress=progress)
    except OSError as error:
        fix = "Choose a workspace where you may write and that has 100 MB left."
        what = f"the sample set cannot be written ({error.strerror or error})"
        raise UserError(what, str(folder), fix, "no-data") from error
    return folder


def is_ready(data: DataSettings, folder: Path) -> bool:
    """Whether nothing has to be drawn before these data can be read."""
    return data.path != DEMO or (folder / "data.yaml").is_file()


def ready(data: DataSettings, folder: Path, progress: Progress | None = None) -> Path:
    """The folder of the sample set, drawn there where `data` are the sample set.

    Args:
        data: what is to be read.
        folder: of the sample set.
        progress: called with (photos done, photos in all) while it is drawn.

    Raises:
        UserError: as `draw_sample`.
    """
    return folder if is_ready(data, folder) else draw_sample(folder, progress)


def write_sample_set(folder: Path, processes: int = 2, progress: Progress | None = None) -> None:
    """Draw the sample set as a YOLO folder (data.yaml, train|valid|test/images|labels).

    Args:
        folder: appears whole, under its name, or not at all.
        processes: that draw.
        progress: called with (photos done, photos in all).

    Raises:
        FileExistsError: the folder already holds something.
        RuntimeError: a helping process fails.
    """
    folder = Path(folder).resolve()
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} already holds files; remove it or choose another folder")
    write_photos(folder, plan_photos(), processes, progress)


def write_photos(
    folder: Path, photos: Sequence[PlannedPhoto], processes: int = 1, progress: Progress | None = None
) -> None:
    """Draw photos as one YOLO folder.

    Args:
        folder: appears whole, under its name, or not at all.
        photos: to draw; with more than one process the beginning of `plan_photos()`.
        processes: that draw.
        progress: called with (photos done, photos in all).

    Raises:
        RuntimeError: a helping process fails.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    partial = folder.parent / f".{folder.name}.{os.getpid()}-{time.time_ns()}.partial"
    try:
        for split in SAMPLE_SPLITS:
            (partial / split / "images").mkdir(parents=True)
            (partial / split / "labels").mkdir()
        (partial / "data.yaml").write_text(_data_yaml(), encoding="utf-8")
        helpers = [_start_helper(partial, part, processes, len(photos)) for part in range(1, processes)]
        try:
            _draw_part(partial, photos[::processes], len(photos), progress)
            _wait(helpers, partial, len(photos), progress)
        finally:
            for helper in helpers:
                helper.kill()
                helper.wait()
        remove(partial / "helper.log")
        replace(partial, folder)
    except BaseException:
        remove_now(partial)
        raise


def _sweep(folder: Path) -> None:
    """Remove what killed processes left behind, but nothing that may still be at work."""
    for left in folder.parent.glob(f".{folder.name}.*.partial"):
        if time.time() - left.stat().st_mtime > STALE_S:
            remove_now(left)


def _start_helper(partial: Path, part: int, parts: int, count: int) -> subprocess.Popen[bytes]:
    """Another interpreter for every `parts`-th photo.

    Not multiprocessing: spawning would run the caller's script again where it has no main guard, and forking is unsafe
    in a page with threads.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "core.demo.sample_set", str(partial), str(part), str(parts), str(count)]
    with (partial / "helper.log").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": path}
        )


def _draw_part(partial: Path, photos: Sequence[PlannedPhoto], total: int, progress: Progress | None) -> None:
    for photo in photos:
        _write_photo(partial, photo)
        if progress:
            progress(min(_done(partial), total), total)


def _wait(helpers: Sequence[subprocess.Popen[bytes]], partial: Path, total: int, progress: Progress | None) -> None:
    for helper in helpers:
        while helper.poll() is None:
            time.sleep(0.1)
            if progress:
                progress(min(_done(partial), total), total)
        if helper.returncode:
            log = (partial / "helper.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"drawing stopped (exit status {helper.returncode}): {log.strip()[-500:]}")
    if progress:
        progress(total, total)


def _done(partial: Path) -> int:
    """Photos finished so far: a label file is written after its photo."""
    return sum(1 for _ in partial.glob("*/labels/*.txt"))


def _write_photo(folder: Path, photo: PlannedPhoto) -> None:
    scene = draw_scene(photo.seed, photo.wanted, flight_style(SAMPLE, photo.flight_seed), SIZE_PX)
    scene.image.save(folder / photo.split / "images" / f"{photo.name}.jpg", quality=JPEG_QUALITY)
    (folder / photo.split / "labels" / f"{photo.name}.txt").write_text(label_text(scene), encoding="utf-8")


def label_text(scene: Scene) -> str:
    """YOLO lines of a scene: class, centre x, centre y, width, height, in fractions of the picture."""
    names = list(CLASS_OF.values())
    width, height = scene.image.size
    lines = []
    for item in scene.objects:
        x0, y0, x1, y1 = item.box_xyxy_px
        centre = f"{(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f}"
        size = f"{(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}"
        lines.append(f"{names.index(item.class_name)} {centre} {size}\n")
    return "".join(lines)


def _data_yaml() -> str:
    names = "".join(f"  - '{name}'\n" for name in CLASS_OF.values())
    return f"train: train/images\nval: valid/images\ntest: test/images\nnc: {len(CLASS_OF)}\nnames:\n{names}"


if __name__ == "__main__":
    _partial, _part, _parts, _count = Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5])
    _draw_part(_partial, plan_photos()[:_count][_part::_parts], _count, None)
