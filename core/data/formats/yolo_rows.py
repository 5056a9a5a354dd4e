"""What the rows of YOLO's label files hold, decided over all of them: boxes, polygons, and what follows a box."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from core.boxes import BoxXyxy
from core.data.formats.base import CENTRED, CORNERS, SHARE, RawObject, numbers
from core.data.formats.gather import Gathering
from core.errors import Problem

LINE = "Write: class x_center y_center width height, or class and at least 3 points."
BOX = 5  # values of a row that is a box alone
SURE = 3  # rows that show the same are no chance
SPREAD = 0.3  # of a box's side that keypoints in it take up at least
TOLERANCE = 0.011  # a box may reach so far beyond its photo by rounding


@dataclass(frozen=True)
class RowLayout:
    """What the rows hold.

    Attributes:
        boxes: lengths of rows of which the first five values are a box.
        tail: values at the end of a polygon that belong to no point.
        extra: what follows, as a sentence names it.
    """

    boxes: frozenset[int] = frozenset((BOX,))
    tail: int = 0
    extra: str = ""


PLAIN = RowLayout()
CONFIDENCE, TRACK = "a confidence", "a confidence and a track number"


def parse_line(
    words: list[str], names: Mapping[int, str], source: str, columns: RowLayout = PLAIN
) -> RawObject | Problem:
    """The object of one row, or what is wrong with it.

    Args:
        words: of the row.
        names: of the classes, by number.
        source: file and line.
        columns: what the rows of the folder hold.
    """
    as_box = len(words) in columns.boxes
    points = len(words) - 1 - (0 if as_box else columns.tail)
    if not as_box and (points < 6 or points % 2):
        expected = "5 numbers (or a class and at least 3 points)"
        return Problem(f"{expected} expected, {len(words)} found", source, LINE, "wrong-count")
    values = numbers(words[:BOX] if as_box else words[: 1 + points], source)
    if isinstance(values, Problem):
        return _explained(values, words, names)
    if not math.isfinite(values[0]) or values[0] != int(values[0]):
        return Problem(f"the class must be a whole number, not {words[0]}", source, LINE, "bad-number")
    name = names.get(int(values[0]))
    if name is None:
        fix = f"Use {min(names)} to {max(names)}, or name the class." if names else "Name the classes."
        return Problem(f"class {int(values[0])} has no name in data.yaml", source, fix, "unknown-class")
    if not as_box and not all(map(math.isfinite, values)):
        return Problem("a number is not finite", source, "Write numbers from 0 to 1.", "bad-number")
    box, shape = (_box(values), CENTRED) if as_box else (_around(values), CORNERS)
    return RawObject(name, box, SHARE, source, shape=shape)


def _explained(problem: Problem, words: Sequence[str], names: Mapping[int, str]) -> Problem:
    """The problem of a row whose words are no numbers, with the cure for what people write in their place."""
    first = words[0].rstrip(",;")
    if any(word.endswith((",", ";")) for word in words):
        return replace(problem, fix="Write blanks between the numbers, without commas.")
    if problem.what.startswith(repr(words[0])) and first[:1].isalpha():
        fix = f"Write the number of the class, {min(names)} to {max(names)}." if names else "Write the class's number."
        return replace(problem, what=f"{words[0]!r} stands where the number of the class belongs", fix=fix)
    return problem


def layout_of_rows(texts: Mapping[str, str], keypoints: int, found: Gathering) -> RowLayout | None:
    """What the rows of all label files hold; None where two readings are possible, which is then reported.

    Args:
        texts: of the label files, by name.
        keypoints: how many values follow a box by the data set's own word; 0 for none.
        found: takes notes and faults.
    """
    if keypoints:
        return _layout_of_keypoints(texts, keypoints, found)
    odd = [(source, row) for source, row in _rows(texts) if len(row) != BOX]
    rows = [row for _, row in odd]
    lengths = {len(row) for row in rows}
    if not rows:
        return PLAIN
    where = odd[0][0]
    readings: list[tuple[str, RowLayout]] = []
    if lengths == {6} and _all(rows, lambda row: _fits(row) and 0 <= row[5] <= 1):
        readings.append((f"a box with {CONFIDENCE}", RowLayout(frozenset((BOX, 6)), 0, CONFIDENCE)))
    seen = _keypoints_seen(rows)
    if seen:
        readings.append(seen)
    if lengths == {7}:
        readings += _readings_of_seven(rows)
    elif seen and sum(len(row) - BOX for row in rows) >= 3 * SURE:
        pass  # so many marks in their places are no chance
    elif _keypoints_inside(rows):
        readings += [("a box with keypoints", _with_keypoints(rows[0])), ("a polygon", PLAIN)]
    elif _all(rows, lambda row: len(row) >= 9 and len(row) % 2 == 1 and _is_track(row)):
        readings.append((f"a polygon with {TRACK}", RowLayout(tail=2, extra=TRACK)))
        readings += [] if _certain_track(rows) else [("a polygon", PLAIN)]
    elif _all(rows, lambda row: len(row) >= 8 and len(row) % 2 == 0 and 0 <= row[-1] <= 1 and len(row) != 56):
        readings.append((f"a polygon with {CONFIDENCE}", RowLayout(tail=1, extra=CONFIDENCE)))
    if len(readings) > 1:
        listed = ", or ".join(f"{name}: {_shown(rows[0], columns)}" for name, columns in readings)
        what = f"rows of {min(lengths)} values ({len(rows)} of them) may be {listed}"
        fix = "Write kpt_shape into data.yaml for keypoints, or leave out what follows the box."
        found.problems.append(Problem(what, where, fix, "two-readings"))
        return None
    if not readings:
        return PLAIN
    columns = readings[0][1]
    if columns.extra:
        for source, _ in odd:
            found.notes.ignored("row end", f"each is {columns.extra}", source)
    return columns


def _layout_of_keypoints(texts: Mapping[str, str], keypoints: int, found: Gathering) -> RowLayout | None:
    """Boxes with as many values behind them as kpt_shape states; None where rows hold another number."""
    wanted = (BOX, BOX + keypoints)
    odd = [(source, row) for source, row in _rows(texts) if len(row) not in wanted]
    if odd:
        what = f"a row of {len(odd[0][1])} values, and kpt_shape in data.yaml states {wanted[1]}"
        what += f" (as {len(odd) - 1:,} rows more)" if len(odd) > 1 else ""
        found.problems.append(Problem(what, odd[0][0], "Correct kpt_shape, or export the labels again.", "wrong-count"))
        return None
    for source, row in _rows(texts):
        if len(row) != BOX:
            found.notes.ignored("keypoint list", "kpt_shape states that it follows the box", source)
    return RowLayout(frozenset(wanted), 0, "keypoints")


def _with_keypoints(row: Sequence[float]) -> RowLayout:
    return RowLayout(frozenset((BOX, len(row))), 0, "a keypoint list")


def _keypoints_seen(rows: Sequence[Sequence[float]]) -> tuple[str, RowLayout] | None:
    """A box with keypoints of x, y and whether each is seen: 0, 1 or 2 in every third place, as in no polygon."""

    def shows(row: Sequence[float]) -> bool:
        marks, ends = row[BOX + 2 :: 3], (*row[BOX::3], *row[BOX + 1 :: 3])
        return all(mark in (0, 1, 2) for mark in marks) and all(0 <= end <= 1 for end in ends) and _fits(row)

    extra = len(rows[0]) - BOX
    if extra < 3 or extra % 3 or not _all(rows, lambda row: len(row) == len(rows[0]) and shows(row)):
        return None
    return "a box with keypoints", _with_keypoints(rows[0])


def _keypoints_inside(rows: Sequence[Sequence[float]]) -> bool:
    """Whether each row is a box with points of x and y in it, spread over it, as polygons are together by chance."""

    def shows(row: Sequence[float]) -> bool:
        points = [pair for pair in zip(row[BOX::2], row[BOX + 1 :: 2], strict=True) if pair != (0, 0)]
        return _fits(row) and bool(points) and all(_holds(row, *pair) for pair in points) and _spread(row, points)

    alike = all(len(row) == len(rows[0]) for row in rows)
    return alike and len(rows) >= SURE and len(rows[0]) >= 9 and len(rows[0]) % 2 == 1 and _all(rows, shows)


def _spread(row: Sequence[float], points: Sequence[tuple[float, float]]) -> bool:
    across, down = [x for x, _ in points], [y for _, y in points]
    return max(across) - min(across) >= SPREAD * row[3] or max(down) - min(down) >= SPREAD * row[4]


def _readings_of_seven(rows: Sequence[Sequence[float]]) -> list[tuple[str, RowLayout]]:
    """A box and two values, or a triangle: all that no row makes impossible, or the one that all rows show."""
    as_box = RowLayout(frozenset((BOX, 7)))
    if _all(rows, lambda row: _fits(row) and _is_track(row)):
        track = (f"a box with {TRACK}", RowLayout(as_box.boxes, 0, TRACK))
        return [track] if _certain_track(rows) else [track, ("a polygon of 3 points", PLAIN)]
    readings = []
    if _all(rows, lambda row: _fits(row) and _holds(row, row[5], row[6])):
        readings.append(("a box with a keypoint", RowLayout(as_box.boxes, 0, "a keypoint")))
    if _all(rows, lambda row: all(-TOLERANCE <= value <= 1 + TOLERANCE for value in row[1:])):
        readings.append(("a polygon of 3 points", PLAIN))
    return readings


def _rows(texts: Mapping[str, str]) -> Iterator[tuple[str, list[float]]]:
    """(file and line, values) of all rows that hold numbers alone."""
    for name, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if words := line.split():
                try:
                    yield f"{name} line {number}", [float(word) for word in words]
                except ValueError:
                    continue


def _all(rows: Sequence[Sequence[float]], holds: Callable[[Sequence[float]], bool]) -> bool:
    return all(holds(row) for row in rows)


def _is_track(row: Sequence[float]) -> bool:
    """Whether a row ends with a share and a whole number, which a point on a photo's edge does only by chance."""
    return 0 <= row[-2] <= 1 and row[-1] >= 1 and row[-1] == int(min(row[-1], 1e9))


def _certain_track(rows: Sequence[Sequence[float]]) -> bool:
    """Whether the numbers cannot be points: one is beyond the photo, or so many rows end on its edge."""
    return len(rows) >= SURE or any(row[-1] > 1 for row in rows)


def _fits(row: Sequence[float]) -> bool:
    box = _box(row)
    return min(box) >= -TOLERANCE and max(box) <= 1 + TOLERANCE and row[3] > 0 and row[4] > 0


def _holds(row: Sequence[float], x: float, y: float) -> bool:
    box = _box(row)
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _box(row: Sequence[float]) -> BoxXyxy:
    _, x, y, wide, high = row[:BOX]
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _around(row: Sequence[float]) -> BoxXyxy:
    return min(row[1::2]), min(row[2::2]), max(row[1::2]), max(row[2::2])


def _shown(row: Sequence[float], columns: RowLayout) -> str:
    box = _box(row) if len(row) in columns.boxes else _around(row[: len(row) - columns.tail])
    return " ".join(f"{end:.2f}" for end in box)
