"""A process that is killed, played in this one: what its files are like after each of its operations."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

OPERATIONS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync", "open")


class Killed(BaseException):
    """Nothing catches it, and no cleaning up succeeds after it: every later operation raises it too."""


class Killer:
    """Lets the first `left` file operations happen."""

    def __init__(self, left: int) -> None:
        self.left = left

    def guarding(self, real: Callable[..., object]) -> Callable[..., object]:
        def guarded(*args: object, **kwargs: object) -> object:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return real(*args, **kwargs)

        return guarded


def run_killed(count: int, work: Callable[[], object]) -> bool:
    killer = Killer(count)
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(os, name, killer.guarding(getattr(os, name)))
        try:
            work()
        except Killed:
            return True
    return False


@pytest.fixture
def killed_after() -> Callable[[int, Callable[[], object]], bool]:
    """killed_after(count, work): whether `work` was killed after so many file operations, or ended by itself."""
    return run_killed
