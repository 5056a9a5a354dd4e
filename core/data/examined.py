"""Facts of many photos at once, kept as long as their files stay as they are."""

from __future__ import annotations

import hashlib
import os
import threading
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from core.data import progress
from core.data.grey import GreyRange, with_one_range
from core.data.photos import PhotoFacts, examine_photo
from core.data.progress import OnProgress
from core.errors import Problem

MOST_KEPT = 100_000  # photos of which `examine` keeps what it found


def examine(
    root: Path,
    names: Iterable[str],
    with_stats: bool = False,
    on_progress: OnProgress = progress.silent,
    grey_range: GreyRange | None = None,
) -> dict[str, PhotoFacts | Problem]:
    """Facts of each photo, or what is wrong with its file; every photo is decoded, in parallel.

    Results are kept in `examined` while the process lives, until a file's bytes change. These are read again where one
    of its times or its number has changed; among the times is that of change (ctime), which no program sets back.

    Args:
        root: the folder of the data set.
        names: of the photos, paths inside it.
        with_stats: whether the same decoding measures each picture too, which takes about four times as long.
        on_progress: called with the number of photos so far, after each.
        grey_range: as for `open_photo`; where it is None, the problem of a photo that needs one proposes one for all.

    Returns:
        For each name its facts or the problem.
    """
    listed = list(names)
    found: dict[str, PhotoFacts | Problem] = {}
    with warnings.catch_warnings():
        # PIL warns from half of what we allow, and of odd EXIF data; what matters is reported as a Problem.
        warnings.simplefilter("ignore")
        with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) + 1)) as pool:
            on_progress(progress.photos(0, len(listed)))
            for name, facts in zip(
                listed,
                pool.map(lambda name: _examine_cached(root / name, name, with_stats, grey_range), listed),
                strict=True,
            ):
                found[name] = facts
                on_progress(progress.photos(len(found), len(listed)))
    return with_one_range(found)


# A photo's path and its name; the size, grey range, times and number of its file; what was found.
Examined = dict[tuple[str, str], tuple[tuple[object, ...], PhotoFacts | Problem]]
examined: Examined = {}
_examined_lock = threading.Lock()


def _examine_cached(path: Path, name: str, with_stats: bool, grey_range: GreyRange | None) -> PhotoFacts | Problem:
    try:
        file = path.stat()
    except OSError:
        return examine_photo(path, name)
    stamp = (file.st_size, grey_range, file.st_mtime_ns, file.st_ctime_ns, file.st_ino)
    key = (str(path), name)
    known, facts = examined.get(key, ((), None))
    as_large = known[:2] == stamp[:2]
    if isinstance(facts, PhotoFacts) and as_large and known != stamp and _holds(path, facts.digest):
        known = stamp  # touched, copied back or put out anew: the same bytes are the same photo
        with _examined_lock:
            examined[key] = stamp, facts
    if facts is None or known != stamp or (with_stats and isinstance(facts, PhotoFacts) and facts.stats is None):
        facts = examine_photo(path, name, with_stats, grey_range)
        with _examined_lock:
            examined[key] = stamp, facts
            while len(examined) > MOST_KEPT:
                del examined[next(iter(examined))]
    return facts if with_stats or isinstance(facts, Problem) else replace(facts, stats=None)


def _holds(path: Path, digest: str) -> bool:
    """Whether a file still has these bytes: reading them takes a fraction of decoding them."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except OSError:
        return False
