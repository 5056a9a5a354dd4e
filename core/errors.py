"""The one exception whose text a user reads: what is wrong, where, and how to cure it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave.

    `kind` is a stable word for tests and for grouping (`unknown-class`, `box-outside`, …); `where` is a file,
    `file line 3`, or a setting's path; `fix` is an imperative sentence.
    """

    what: str
    where: str = ""
    fix: str = ""
    kind: str = "input"

    def __str__(self) -> str:
        said = f"{self.where}: {self.what}" if self.where else self.what
        return f"{said}. {self.fix}".rstrip() if self.fix else said


class UserError(Exception):
    """Something the user can cure. `str(error)` is the sentence shown on the page and on the command line."""

    def __init__(self, what: str, where: str = "", fix: str = "", kind: str = "input") -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, where, fix, kind),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UserError:
        """One error for many problems, a line each. Raises ValueError when there are none."""
        listed = tuple(problems)
        if not listed:
            raise ValueError("an error needs at least one problem")
        error = cls(listed[0].what, listed[0].where, listed[0].fix, listed[0].kind)
        error.problems = listed
        error.args = ("\n".join(map(str, listed)),)
        return error
