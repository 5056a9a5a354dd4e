"""Questions about a photo as samples of tokens: what they hold, how long they are, and which of them share a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.engine.vision import Patches

# Rows are at least this long where there is enough to fill them: shorter ones waste calls, longer ones the square.
MIN_ROW_TOKENS = 256


@dataclass(frozen=True)
class Answer:
    """One answer of a question.

    Attributes:
        token_ids: Its tokens with the end token.
        weight: Its weight in the loss; with 0 it is scored but not trained.
    """

    token_ids: tuple[int, ...]
    weight: float = 0.0


@dataclass(frozen=True)
class Question:
    """One question with its answers.

    Attributes:
        token_ids: Its tokens, with one image pad where the crop stands (if any).
        answers: The answers that are scored.
        crop: The crop of the object, or None.
        allowed: The tokens of every allowed answer; None leaves the answer open.
    """

    token_ids: tuple[int, ...]
    answers: tuple[Answer, ...]
    crop: Patches | None = None
    allowed: tuple[tuple[int, ...], ...] | None = None


@dataclass(frozen=True)
class PackedSample:
    """A photo with its questions.

    Attributes:
        head_ids: The tokens that all questions share, with one image pad for the photo.
        questions: The questions about it.
        photo: The photo, or None in the crop-only view.
    """

    head_ids: tuple[int, ...]
    questions: tuple[Question, ...]
    photo: Patches | None = None

    def head_tokens(self, merge: int) -> int:
        """How many tokens the shared beginning takes in a row.

        Args:
            merge: The side of the square of patches that one token is.
        """
        return len(self.head_ids) + (self.photo.tokens(merge) - 1 if self.photo else 0)


def choices(answer: Answer, allowed: tuple[tuple[int, ...], ...] | None) -> list[tuple[int, tuple[int, ...]]]:
    """Find the places where an answer could have gone on differently.

    Args:
        answer: The answer whose tokens are followed.
        allowed: The tokens of every allowed answer; None for an open one, which could go on differently everywhere.

    Returns:
        For each such place how many of the answer's tokens come before it, and the tokens that may follow, in ascending
        order; () stands for any token.
    """
    if allowed is None:
        return [(place, ()) for place in range(len(answer.token_ids))]
    found = []
    for place in range(len(answer.token_ids)):
        before = answer.token_ids[:place]
        follow = tuple(sorted({other[place] for other in allowed if other[:place] == before}))
        if len(follow) > 1:
            found.append((place, follow))
    return found


def question_tokens(question: Question, merge: int) -> int:
    """How many tokens a question takes in a row, its answers included (`merge` as in `PackedSample.head_tokens`)."""
    prefixes = {
        answer.token_ids[:length]
        for answer in question.answers
        for place, _ in choices(answer, question.allowed)[-1:]
        for length in range(1, place + 1)
    }
    return len(question.token_ids) + len(prefixes) + (question.crop.tokens(merge) - 1 if question.crop else 0)


def split_sample(sample: PackedSample, merge: int, least: int = MIN_ROW_TOKENS) -> list[PackedSample]:
    """Spread a sample's questions over samples of bounded length, because attention costs the square of a row.

    A sample carries questions of at most twice the head's tokens (or `least`), beyond which repeating the head is
    cheaper than a longer row. Loss, gradients and probabilities do not depend on the cut.

    Args:
        sample: The photo with all its questions.
        merge: The side of the square of patches that one token is.
        least: The tokens of questions that a sample may always carry.
    """
    capacity = max(least, 2 * sample.head_tokens(merge))
    groups: list[list[Question]] = []
    used = capacity + 1
    for question in sample.questions:
        size = question_tokens(question, merge)
        if used + size > capacity:
            groups.append([])
            used = 0
        groups[-1].append(question)
        used += size
    return [replace(sample, questions=tuple(group)) for group in groups]


def sample_tokens(sample: PackedSample, merge: int) -> int:
    """How many tokens a sample takes in a row: its shared beginning and all its questions."""
    return sample.head_tokens(merge) + sum(question_tokens(question, merge) for question in sample.questions)


def fill_rows(lengths: Sequence[int], least: int = MIN_ROW_TOKENS) -> list[list[int]]:
    """Choose which samples share a row: first fit, longest first.

    Args:
        lengths: The tokens of each sample.
        least: Rows are as long as the longest sample, or so many tokens if that is more.

    Returns:
        For each row the numbers of its samples.
    """
    capacity = max([least, *lengths])
    rows: list[list[int]] = []
    left: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        place = next((row for row, free in enumerate(left) if free >= lengths[index]), None)
        if place is None:
            rows.append([index])
            left.append(capacity - lengths[index])
        else:
            rows[place].append(index)
            left[place] -= lengths[index]
    return rows
