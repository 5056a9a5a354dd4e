"""When, where and by which camera a photo was taken, as its EXIF data say; and which photos are of one burst."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise, product
from typing import Any

from PIL import Image

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
MAKE, MODEL, SERIAL = 0x010F, 0x0110, 0xA431
TAKEN, DIGITISED, FRACTION = 0x9003, 0x9004, 0x9291  # never the date of the last change, which is that of an export
LATITUDE, LONGITUDE = 2, 4  # each with its hemisphere one before
METRES_PER_DEGREE = 111_320.0  # of latitude
NEAR_S, NEAR_M, FAR_M = 5.0, 5.0, 100.0
RESET_CLOCKS = ("1970:01:01", "1980:01:01", "2000:01:01")  # a clock that begins anew tells no time
MOST_ALIKE = 20  # photos of one second or place: a clock or receiver that stands still tells nothing


@dataclass(frozen=True)
class Moment:
    """When, where and by which camera a photo was taken.

    Attributes:
        camera: make, model and serial number, so far as they are stated.
        time_s: seconds by the camera's own clock; None where it is not stated.
        place_m: metres to the north and to the east of latitude and longitude 0; None where it is not stated.
    """

    camera: str
    time_s: float | None
    place_m: tuple[float, float] | None


def moment_of(exif: Image.Exif) -> Moment | None:
    """What EXIF data say of the moment; None where they state neither time nor place, or are damaged."""
    if not exif:
        return None
    try:
        details, gps = exif.get_ifd(EXIF_IFD), exif.get_ifd(GPS_IFD)
        time_s, place_m = _time(details), _place(gps)
        words = (str(value).strip("\x00 ") for value in (exif.get(MAKE), exif.get(MODEL), details.get(SERIAL)) if value)
        camera = " ".join(words)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, AttributeError, ArithmeticError, struct.error):
        return None
    return Moment(camera, time_s, place_m) if time_s is not None or place_m else None


def _time(details: Mapping[int, Any]) -> float | None:
    written = str(details.get(TAKEN) or details.get(DIGITISED) or "").strip("\x00 ")
    if written.startswith(RESET_CLOCKS):
        return None
    try:
        taken = datetime.strptime(written, "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    after = str(details.get(FRACTION) or "").strip("\x00 ")
    return (taken - datetime(1970, 1, 1)).total_seconds() + (float(f"0.{after}") if after.isdecimal() else 0.0)


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    if LATITUDE not in gps or LONGITUDE not in gps:
        return None
    north, east = (_degrees(gps[tag], gps.get(tag - 1)) for tag in (LATITUDE, LONGITUDE))
    if not (abs(north) <= 90 and abs(east) <= 180) or (north, east) == (0.0, 0.0):
        return None  # no receiver, or one that has found nothing yet
    return north * METRES_PER_DEGREE, east * METRES_PER_DEGREE * math.cos(math.radians(north))


def _degrees(parts: Sequence[Any], hemisphere: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    sign = -1 if str(hemisphere).strip("\x00 ").upper() in ("S", "W") else 1
    return sign * (degrees + minutes / 60 + seconds / 3600)


def bursts(moments: Iterable[Moment | None]) -> list[tuple[int, int]]:
    """Pairs of photos that one camera took within NEAR_S seconds; without a clock, within NEAR_M metres.

    Places known to be more than FAR_M metres apart are of two cameras, whatever these are called: drones of one model
    may state no serial number. A place alone links no photos that have a time, as one take-off point and crossing
    tracks would join all flights of a day. Not every such pair, but enough to connect the photos of a burst; linear in
    their number, but for sorting.

    Args:
        moments: of the photos, in any order.

    Returns:
        Pairs of places in `moments`.
    """
    known = [(place, moment) for place, moment in enumerate(moments) if moment is not None and moment.camera]
    clocks = Counter((moment.camera, moment.time_s) for _, moment in known)
    spots = Counter((moment.camera, moment.place_m) for _, moment in known)
    timed = sorted(
        (moment.camera, moment.time_s, place, moment.place_m)
        for place, moment in known
        if moment.time_s is not None and clocks[moment.camera, moment.time_s] <= MOST_ALIKE
    )
    links = [
        (before[2], after[2])
        for before, after in pairwise(timed)
        if before[0] == after[0] and after[1] - before[1] <= NEAR_S and _apart_m(before[3], after[3]) <= FAR_M
    ]
    first: dict[Hashable, tuple[int, tuple[float, float]]] = {}
    # Two places that are nearer than half a cell share a cell of at least one of four grids, shifted by half a cell.
    for place, moment in known:
        at = moment.place_m
        if at is None or moment.time_s is not None or spots[moment.camera, at] > MOST_ALIKE:
            continue
        for shift in product((0.0, NEAR_M), repeat=2):
            cell = tuple(int((end + by) // (2 * NEAR_M)) for end, by in zip(at, shift, strict=True))
            other, there = first.setdefault((moment.camera, shift, cell), (place, at))
            if other != place and _apart_m(there, at) <= NEAR_M:
                links.append((other, place))
    return links


def _apart_m(one: tuple[float, float] | None, other: tuple[float, float] | None) -> float:
    """How far two places are apart; 0 where one is not known."""
    return math.dist(one, other) if one and other else 0.0
