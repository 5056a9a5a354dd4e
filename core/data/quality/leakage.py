"""Leakage between splits: duplicates, and frames of one flight on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from core.data.checks import SAME_FILE
from core.data.duplicates import duplicate_groups
from core.data.flights import NEAR_FRAMES, linked, neighbours, same_moments
from core.data.moments import NEAR_M, NEAR_S
from core.data.quality.findings import AMBER, NOTE, RED, Finding, words
from core.data.types import SPLITS, Photo
from core.errors import Problem
from core.units import counted

DROP = {"data.drop_duplicates": True}
REGROUP = {"data.regroup": True}


def same_files(problems: Sequence[Problem], use_good: bool) -> list[Finding]:
    """Findings about files that are there twice, of which reading has reported and left out the second."""
    pairs = [
        (problem.where, problem.what.removeprefix(SAME_FILE))
        for problem in problems
        if problem.what.startswith(SAME_FILE)
    ]
    if not pairs:
        return []
    title = f"{counted(len(pairs), 'photo file is', 'photo files are')} there twice"
    return [
        Finding(
            "same-file",
            NOTE if use_good else RED,
            title,
            "The same file under two names teaches nothing new, and on two sides of a split it gives answers away. "
            + ("The first is used." if use_good else "A run does not start before it is known which to use."),
            photos=tuple(dict.fromkeys(name for pair in pairs for name in pair)),
            groups=tuple(pairs),
            cure_setting=DROP,
            cure_words="Leave out duplicates: of a picture in training and in validation the one in validation stays.",
        )
    ]


def same_pictures(photos: Sequence[Photo]) -> list[Finding]:
    """Findings about near duplicates (see `core.data.duplicates`): across splits, and within one."""
    groups = duplicate_groups(photos)
    across = [group for group in groups if len({photo.split for photo in group}) > 1]
    within = [group for group in groups if len({photo.split for photo in group}) == 1]
    found = []
    if across:
        found.append(
            Finding(
                "duplicate-across",
                AMBER,
                f"{counted(len(across), 'picture')} on both sides of a split",
                "Saved again, resized or brightened it is still the same picture: what was learned by heart is judged "
                "as if it were new, and the score is too good.",
                names_of(across),
                groups=_sets(across),
                cure_words="Leave out duplicates: the judged one stays, the learned one goes.",
                cure_setting=DROP,
            )
        )
    if within:
        found.append(
            Finding(
                "duplicate",
                NOTE,
                f"{counted(len(within), 'picture')} more than once in a split",
                "Saved again, resized or brightened it is still the same picture, and counts more than the others.",
                names_of(within),
                groups=_sets(within),
                cure_words="Leave out duplicates.",
                cure_setting=DROP,
            )
        )
    return found


def shared_flights(photos: Sequence[Photo]) -> list[Finding]:
    """Findings about flights (by `data.group_rule`) or neighbouring frames (by number) on two sides of a split."""
    sides: dict[str, set[str]] = {}
    for photo in photos:
        sides.setdefault(photo.group, set()).add(photo.split)
    divided = sorted(group for group, splits in sides.items() if len(splits) > 1)
    near = [pair for pair in neighbours(photos) if pair[0].split != pair[1].split]
    moments = [pair for pair in same_moments(photos) if pair[0].split != pair[1].split]
    if not divided and not near and not moments:
        return []
    concerned = {photo.name for photo in photos if photo.group in divided} | {
        photo.name for pair in (*near, *moments) for photo in pair
    }
    detail = (
        "Frames of one flight show the same places in the same light: judging them after learning their neighbours "
        "flatters the score."
    )
    if divided:
        where = [name for name in SPLITS if any(name in sides[group] for group in divided)]
        detail += f" Both in {words(where)}: {words(divided)}."
    if near:
        first, second = (f"{PurePosixPath(photo.name).name} ({photo.split})" for photo in near[0])
        detail += (
            f" {counted(len(near), 'pair')} of frames on different sides are at most {NEAR_FRAMES} numbers apart, the "
            f"nearest {first} and {second}."
        )
    if moments:
        first, second = (f"{PurePosixPath(photo.name).name} ({photo.split})" for photo in moments[0])
        detail += (
            f" {counted(len(moments), 'pair')} of photos on different sides are by one camera and at most {NEAR_S:g} "
            f"seconds or {NEAR_M:g} metres apart, such as {first} and {second}."
        )
    # Where all hangs together, or one flight has no neighbours to keep together, other splits would be no better.
    curable = len({photo.group for photo in linked(photos)}) > 1 and (len(sides) > 1 or bool(near or moments))
    return [
        Finding(
            "flight-across",
            AMBER,
            f"{counted(len(divided), 'flight')} on both sides of a split"
            if divided
            else f"{counted(len(near or moments), 'pair')} of neighbouring frames on both sides of a split",
            detail,
            tuple(sorted(concerned)),
            groups=tuple(dict.fromkeys(_sets((*near, *moments)))),
            cure_words="Make the splits anew by flight."
            if curable
            else "Set data.group_rule so that it tells flights apart, or add photos of another flight.",
            cure_setting=REGROUP if curable else {},
        )
    ]


def names_of(groups: Sequence[Sequence[Photo]]) -> tuple[str, ...]:
    """The names of the photos of all groups, one after another."""
    return tuple(photo.name for group in groups for photo in group)


def _sets(groups: Sequence[Sequence[Photo]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(photo.name for photo in group) for group in groups)
