"""Photos read for a command: counted on stderr, within a limit of memory, and after a question where there are many."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TextIO

from core.data import progress
from core.data.dataset import read_dataset
from core.data.files import ASKED_ABOVE, MANY_FILES, MOST_FILES
from core.data.memory import memory_limit
from core.data.progress import ReadingProgress
from core.data.types import Dataset
from core.demo.sample_set import ready
from core.errors import UserError
from core.runs.workspace import Workspace
from core.settings import Settings


@dataclass
class ProgressLine:
    """How far a reading is, on one line of a terminal; what is no terminal (a log file, a pipe) gets nothing."""

    out: TextIO = field(default_factory=lambda: sys.stderr)

    def __call__(self, now: ReadingProgress) -> None:
        self._write(f"{now} …")

    def close(self) -> None:
        self._write("")

    def _write(self, words: str) -> None:
        if self.out.isatty():
            self.out.write(f"\r\x1b[K{words}")
            self.out.flush()


def read(settings: Settings, workspace: Workspace, many_files: bool, with_stats: bool = False) -> Dataset:
    """The data set of the settings; the sample set is drawn where it is not there yet.

    Raises:
        UserError: there is nothing to go on with, it takes too much memory, or it has very many files and `many_files`
            does not say that they are meant.
    """
    line = ProgressLine()
    data, most = settings.data, MOST_FILES if many_files else ASKED_ABOVE
    try:
        sample = ready(data, workspace.sample_data, lambda *done: line(progress.drawing(*done)))
        with memory_limit(data.path):
            return read_dataset(data, sample, settings.training.seed, with_stats, most, line)
    except UserError as error:
        if error.problems[0].kind != MANY_FILES:
            raise
        problem = error.problems[0]
        fix = "Is this the folder? Give another, or add --yes to read it all the same."
        raise UserError(problem.what, problem.where, fix, MANY_FILES) from error
    finally:
        line.close()
