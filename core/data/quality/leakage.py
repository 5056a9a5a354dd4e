"""Photos that are learned from and judged too, or nearly so: duplicates, and frames of one flight on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from core.data.checks import SAME_FILE
from core.data.duplicates import same_photos
from core.data.flights import NEAR_FRAMES, linked, neighbours
from core.data.quality.findings import AMBER, NOTE, RED, Finding, words
from core.data.types import SPLITS, Photo
from core.errors import Problem
from core.units import counted

DROP = {"data.drop_duplicates": True}
REGROUP = {"data.regroup": True}


def same_files(problems: Sequence[Problem], use_good: bool) -> list[Finding]:
    """The same file twice, which reading has told already and left out."""
    twins = [
        (problem.where, problem.what.removeprefix(SAME_FILE))
        for problem in problems
        if problem.what.startswith(SAME_FILE)
    ]
    if not twins:
        return []
    title = f"{counted(len(twins), 'photo file is', 'photo files are')} there twice"
    return [
        Finding(
            "same-file",
            NOTE if use_good else RED,
            title,
            "The same file under two names teaches nothing new, and on two sides of a split it gives answers away. "
            + ("The first is used." if use_good else "A run does not start before it is known which to use."),
            photos=tuple(dict.fromkeys(name for pair in twins for name in pair)),
            groups=tuple(twins),
            cure_setting=DROP,
            cure_words="Leave out duplicates: of a picture in training and in validation the one in validation stays.",
        )
    ]


def same_pictures(photos: Sequence[Photo]) -> list[Finding]:
    """Near duplicates (see `core.data.duplicates`): across splits, and within one."""
    groups = same_photos(photos)
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
    """Flights by the flight rule, or neighbouring frames by their numbers, on two sides of a split."""
    sides: dict[str, set[str]] = {}
    for photo in photos:
        sides.setdefault(photo.group, set()).add(photo.split)
    torn = sorted(group for group, splits in sides.items() if len(splits) > 1)
    near = [pair for pair in neighbours(photos) if pair[0].split != pair[1].split]
    if not torn and not near:
        return []
    concerned = {photo.name for photo in photos if photo.group in torn} | {
        photo.name for pair in near for photo in pair
    }
    said = "Frames of one flight show the same places in the same light: judging them after learning their neighbours "
    said += "flatters the score."
    if torn:
        where = [name for name in SPLITS if any(name in sides[group] for group in torn)]
        said += f" Both in {words(where)}: {words(torn)}."
    if near:
        first, second = (f"{PurePosixPath(photo.name).name} ({photo.split})" for photo in near[0])
        said += (
            f" {counted(len(near), 'pair')} of frames on different sides are at most {NEAR_FRAMES} numbers apart, the "
            f"nearest {first} and {second}."
        )
    # Where all hangs together, or one flight has no neighbours to keep together, other splits would be no better.
    curable = len({photo.group for photo in linked(photos)}) > 1 and (len(sides) > 1 or bool(near))
    return [
        Finding(
            "flight-across",
            AMBER,
            f"{counted(len(torn), 'flight')} on both sides of a split"
            if torn
            else f"{counted(len(near), 'pair')} of neighbouring frames on both sides of a split",
            said,
            tuple(sorted(concerned)),
            groups=_sets(near),
            cure_words="Make the splits anew by flight."
            if curable
            else "Set data.group_rule so that it tells flights apart, or add photos of another flight.",
            cure_setting=REGROUP if curable else {},
        )
    ]


def names_of(groups: Sequence[Sequence[Photo]]) -> tuple[str, ...]:
    return tuple(photo.name for group in groups for photo in group)


def _sets(groups: Sequence[Sequence[Photo]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(photo.name for photo in group) for group in groups)
