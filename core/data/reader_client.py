"""Reading a data set in a process of its own: begun, followed, cancelled. See `core.data.reader` for that process."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.data.files import ASKED_ABOVE
from core.data.memory import MEMORY_BYTES
from core.data.progress import ReadingProgress
from core.data.quality.findings import Review
from core.data.types import Dataset
from core.errors import UserError
from core.settings import Settings

PROGRESS, READ, REFUSED, FAILED = "progress", "read", "refused", "failed"
CANCELLED = "cancelled"  # the kind of the error that `result` raises then
SHOWN_EVERY_S = 0.25
# A cancelled reader has this long to remove what it was unpacking or drawing; nobody waits for that.
TIDY_S = 5.0
PROJECT = Path(__file__).resolve().parents[2]
READER = [sys.executable, "-m", "core.data.reader"]


@dataclass(frozen=True)
class ReadingJob:
    """What a reader is to read.

    Attributes:
        settings: `data` and `training.seed` say what and how; a review takes the rest.
        sample_folder: the folder of the sample set, which is drawn where it is meant and not there yet.
        with_review: whether the photos are measured and reviewed as well.
        memory_bytes: that the reader may take.
        most_files: that are read without a question.
        examined: photos known from earlier readings; filled in by `Reading`.
    """

    settings: Settings
    sample_folder: Path
    with_review: bool = False
    memory_bytes: int = MEMORY_BYTES
    most_files: int = ASKED_ABOVE
    examined: bytes = b""


# What is known of the photos of the data sets read last, as their readers wrote it: nobody here looks into it.
_examined: OrderedDict[str, bytes] = OrderedDict()
_lock = threading.Lock()
MOST_SETS = 4


class Reading:
    """One reading at work, or over.

    Attributes:
        progress: what the reader said last.
    """

    def __init__(self, job: ReadingJob) -> None:
        """Start the reader; it is ended by `cancel`, or with this process."""
        self.progress = ReadingProgress("Reading the photos")
        self._path = job.settings.data.path
        self._answer: tuple[str, Any] = ("", None)
        self._over = threading.Event()
        self._child = _start()
        threading.Thread(target=self._follow, args=(job,), daemon=True).start()

    def cancel(self) -> None:
        """End the reading at once; one that is over stays as it is."""
        if not self._over.is_set():
            self._answer = CANCELLED, None
            self._over.set()
            self._child.terminate()

    def wait(self, seconds: float) -> bool:
        """Whether it is over, after so many seconds at most."""
        return self._over.wait(seconds)

    def steps(self) -> Iterator[ReadingProgress]:
        """What the reader does, as it changes, until the reading is over. Left before its end, the reading ends too."""
        try:
            shown = None
            while not self.wait(SHOWN_EVERY_S if shown else 0.0):
                if shown != self.progress:
                    shown = self.progress
                    yield shown
        finally:
            self.cancel()

    def result(self) -> tuple[Dataset, Review | None]:
        """The data set, with its review where one was wanted; waits until the reading is over.

        Raises:
            UserError: what the reader found wrong; or it was cancelled, needed too much memory, or died.
        """
        self._over.wait()
        kind, found = self._answer
        if kind == READ:
            result: tuple[Dataset, Review | None] = found
            return result
        if kind == REFUSED:
            raise UserError.of(found)
        if kind == CANCELLED:
            raise UserError("the reading was cancelled", "", "Read the photos again when you like.", CANCELLED)
        if kind == FAILED:
            what = f"reading failed unexpectedly ({found})"
            raise UserError(what, self._path, "Please report it, with the lines that damgui printed.", FAILED)
        status = self._child.poll()
        what = f"the process that read the photos was ended from outside (status {status})"
        raise UserError(what, self._path, "Read again; if it happens again, close what takes much memory.", FAILED)

    def _follow(self, job: ReadingJob) -> None:
        """Hand over the job and take the answers; runs in a thread, since a pipe can block."""
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(OSError, EOFError, pickle.UnpicklingError):
            with _lock:
                known = _examined.get(self._path, b"")
            pickle.dump(replace(job, examined=known), child.stdin)
            child.stdin.flush()
            kind, found = pickle.load(child.stdout)
            while kind == PROGRESS:
                self.progress = found
                kind, found = pickle.load(child.stdout)
            if not self._over.is_set():
                self._answer = kind, found
                self._keep(child.stdout.read())
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(TIDY_S)
        self._over.set()
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):  # what was never read cannot be written any more
                pipe.close()

    def _keep(self, examined: bytes) -> None:
        with _lock:
            _examined[self._path] = examined
            _examined.move_to_end(self._path)
            while len(_examined) > MOST_SETS:
                _examined.popitem(last=False)


def _start() -> subprocess.Popen[bytes]:
    """Not multiprocessing: spawning would run the caller's script again, and forking is unsafe beside threads."""
    path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    alone: dict[str, Any] = {"start_new_session": True}  # Ctrl+C is for whoever waits
    if sys.platform == "win32":
        alone = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    # Numbers are few here: threads for them would only reserve memory.
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(READER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, **alone)
