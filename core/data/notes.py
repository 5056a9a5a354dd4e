"""What a reader did not use, and what it inferred: counted, and told once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from core.errors import Problem
from core.units import counted

IGNORED, INFERRED = "ignored-input", "inferred"  # the kinds of their hints
REFUSED = "refused-inference"  # the kind of the fault that an inference is where none is wanted
REFUSED_CURE = "Write it as the format wants it, or go on without --strict (data.strict)."


def refuse_inferences(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The problems with every hint of an inference made a fault."""
    return tuple(
        replace(problem, kind=REFUSED, fix=problem.fix or REFUSED_CURE) if problem.kind == INFERRED else problem
        for problem in problems
    )


class Notes:
    """Collects notes while label files are read.

    Example:
        `notes.ignored("polyline", "no box", "a.xml line 3")`, twice, becomes the hint
        "2 polylines are not used: no box".
    """

    def __init__(self) -> None:
        """Start with none."""
        self._places: dict[tuple[str, str, str], list[str]] = {}

    def ignored(self, noun: str, why: str, where: str) -> None:
        """Note input that is not used.

        Args:
            noun: what it is, in the singular.
            why: the reason, as it ends the sentence.
            where: file and place in it.
        """
        self._places.setdefault((IGNORED, noun, why), []).append(where)

    def inferred(self, noun: str, how: str, where: str) -> None:
        """Note input that was understood though it is not as the format wants it.

        Args:
            noun: what it is, in the singular.
            how: what was made of it, as the sentence goes on after the count.
            where: file and place in it.
        """
        self._places.setdefault((INFERRED, noun, how), []).append(where)

    def problems(self) -> Iterator[Problem]:
        """One hint for each kind of note, with the first place."""
        for (kind, noun, said), places in self._places.items():
            many = counted(len(places), noun)
            verb = "is" if len(places) == 1 else "are"
            what = f"{many} {said}" if kind == INFERRED else f"{many} {verb} not used: {said}"
            yield Problem(what, places[0], "", kind)
