"""How far a reading is: counted from the first second, and one sentence for page, console and run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadingProgress:
    """What a reading is doing.

    Attributes:
        doing: in words.
        done: files or photos so far.
        total: of how many; 0 where nobody knows yet.
    """

    doing: str
    done: int = 0
    total: int = 0

    def __str__(self) -> str:
        if self.total:
            return f"{self.doing}: {self.done:,} of {self.total:,}"
        return f"{self.doing}: {self.done:,} files" if self.done else self.doing


OnProgress = Callable[[ReadingProgress], None]


def listing(files: int) -> ReadingProgress:
    """So many files were found so far."""
    return ReadingProgress("Looking through the folder", files)


def labels() -> ReadingProgress:
    """The label files are being read."""
    return ReadingProgress("Reading the labels")


def photos(done: int, total: int) -> ReadingProgress:
    """So many photos were decoded."""
    return ReadingProgress("Reading the photos", done, total)


def drawing(done: int, total: int) -> ReadingProgress:
    """So many photos of the sample set were drawn."""
    return ReadingProgress("Drawing the sample set", done, total)


def reviewing() -> ReadingProgress:
    """All photos are read and are being compared."""
    return ReadingProgress("Reviewing the photos")


def silent(_: ReadingProgress) -> None:
    """Report nothing."""
