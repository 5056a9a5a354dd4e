"""The one exception whose text is shown to users: what is wrong, where, and how to cure it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave.

    Attributes:
        what: What is wrong, without a full stop.
        where: A file, `file line 3`, a setting's path or a flag; "" when there is no such place.
        fix: How to cure it, as an imperative sentence; "" when nothing can be advised.
        kind: A stable word for tests and for grouping (`unknown-class`, `box-outside`, …).
    """

    what: str
    where: str = ""
    fix: str = ""
    kind: str = "input"

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.fix}".rstrip() if self.fix else text


class UserError(Exception):
    """A fault that the user can cure. `str(error)` is the text shown on the page and on the command line."""

    def __init__(self, what: str, where: str = "", fix: str = "", kind: str = "input") -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, where, fix, kind),)
        super().__init__(str(self.problems[0]))

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> UserError:
        """One error for many problems, whose text has a line for each.

        Raises:
            ValueError: There are no problems.
        """
        listed = tuple(problems)
        if not listed:
            raise ValueError("an error needs at least one problem")
        error = cls(listed[0].what, listed[0].where, listed[0].fix, listed[0].kind)
        error.problems = listed
        error.args = ("\n".join(map(str, listed)),)
        return error
