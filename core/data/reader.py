"""The reader: a process that reads one data set for another process, and ends. `python -m core.data.reader`.

A path can be a dead network drive, and a label file can hold anything: what hangs or swells here is ended from outside
and takes nobody along. The job comes on stdin as `core.data.reader_client` writes it, and stdin stays open while
somebody waits; the answers go to stdout, one pickle each.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import BinaryIO, NoReturn

from core import taxonomy as taxonomies
from core.data import progress
from core.data.dataset import read_dataset
from core.data.examined import examined
from core.data.memory import memory_limit
from core.data.progress import OnProgress, ReadingProgress
from core.data.quality.review import review
from core.data.reader_client import FAILED, PROGRESS, READ, REFUSED, ReadingJob
from core.errors import UserError

REPORTED_EVERY_S = 0.2


def main() -> None:
    """Read one job and answer it."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answers
    signal.signal(signal.SIGTERM, _end)
    job: ReadingJob = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for answer in (_answer(job, answers), pickle.dumps(examined)):
        answers.write(answer)
    answers.flush()


def _answer(job: ReadingJob, answers: BinaryIO) -> bytes:
    """The last answer, whole before a byte of it is sent: memory may run out while it is made."""
    try:
        examined.update(pickle.loads(job.examined) if job.examined else {})
        report = _reporting(answers)
        data, seed = job.settings.data, job.settings.training.seed
        with memory_limit(data.path, job.memory_bytes):
            sample = _sample(job, report)
            dataset = read_dataset(data, sample, seed, job.with_review, job.most_files, report)
            found = None
            if job.with_review:
                report(progress.reviewing())
                found = review(dataset, job.settings, taxonomies.load(data.taxonomy))
            return pickle.dumps((READ, (dataset, found)))
    except UserError as error:
        return pickle.dumps((REFUSED, error.problems))
    except Exception as error:
        traceback.print_exc()
        return pickle.dumps((FAILED, f"{type(error).__name__}: {error}"))


def _sample(job: ReadingJob, report: OnProgress) -> Path:
    """The folder of the sample set, drawn where it is meant and not there yet."""
    from core.demo import sample_set  # a maker, which itself reads data sets

    return sample_set.ready(job.settings.data, job.sample_folder, lambda *done: report(progress.drawing(*done)))


def _reporting(answers: BinaryIO) -> OnProgress:
    """Sends progress, each new kind of work at once and then a few times a second."""
    last = ReadingProgress("")
    due = 0.0

    def report(now: ReadingProgress) -> None:
        nonlocal last, due
        if now.doing != last.doing or time.monotonic() > due or now.done == now.total > 0:
            pickle.dump((PROGRESS, now), answers)
            answers.flush()
            last, due = now, time.monotonic() + REPORTED_EVERY_S

    return report


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Cancelled: what an archive was being unpacked to is removed on the way out."""
    raise SystemExit(128 + number)


def _end_with_parent() -> None:
    """Whoever waits has died, or has its answer. Not by `sys.stdin`: a thread waiting in it would stop the exit."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    main()
