"""Numbers as text for people: shares, durations, rates, sizes. The same on page, terminal and report."""

from __future__ import annotations

from collections.abc import Sequence


def percent(share: float, digits: int = 1) -> str:
    """A share from 0 to 1 as a percentage: 71.2 %."""
    return f"{100 * share:.{digits}f} %"


def share(value: float | None, digits: int = 1) -> str:
    """A share from 0 to 1 as a percentage; a dash when it is not known."""
    return "–" if value is None else percent(float(value), digits)


def decimal(value: float | None, digits: int = 2) -> str:
    """A score that is no percentage: 0.64; a dash when it is not known."""
    return "–" if value is None else f"{float(value):.{digits}f}"


def interval(ends: Sequence[float] | None, dash: str = " – ") -> str:
    """Both ends of an interval of shares: 58.1 – 71.4 %; "" when there is none."""
    return f"{100 * ends[0]:.1f}{dash}{100 * ends[1]:.1f} %" if ends and None not in ends else ""


def score_interval(ends: Sequence[float] | None) -> str:
    """Both ends of an interval of scores: 0.40 – 0.60; "" when there is none."""
    return f"{ends[0]:.2f} – {ends[1]:.2f}" if ends else ""


def done(part: int, whole: int) -> str:
    """How far a task is, as whole percent; below 100 % until it is over."""
    return f"{100 * part // whole} %"


def probability(value: float) -> str:
    """A probability from 0 to 1, never rounded to certainty: < 1 %, 64 %, > 99 %."""
    return "< 1 %" if value < 0.005 else "> 99 %" if value > 0.995 else percent(value, 0)


def count(number: int) -> str:
    """A whole number with separators for thousands: 1,465."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 photo, 1,465 photos, 2 boxes; `many` is the plural where the ending does not tell."""
    ending = "es" if one.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{number:,} {one if number == 1 else many or one + ending}"


def signed(difference: float, digits: int = 3) -> str:
    """A difference of scores, always with a sign: +0.031, −0.004, ±0.000."""
    rounded = round(difference, digits)
    sign = "+" if rounded > 0 else "−" if rounded < 0 else "±"
    return f"{sign}{abs(rounded):.{digits}f}"


def points(difference: float) -> str:
    """A difference of shares from 0 to 1 in percentage points, always with a sign: +3.1."""
    return signed(100 * difference, 1)


def duration(seconds: float | None) -> str:
    """A duration in seconds as text: 12 s, 3 min 20 s, 2 h 5 min; a dash when it is not known."""
    if seconds is None:
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def estimate(seconds: float) -> str:
    """An estimated duration in seconds as text with few digits: 45 s, 4 min, 6.4 h, 3.1 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def about(seconds: float) -> str:
    """An `estimate` marked as approximate: ≈ 45 s, ≈ 4 min, ≈ 6.4 h."""
    return f"≈ {estimate(seconds)}"


def seconds(value: float) -> str:
    """A short duration, with more digits the shorter it is: 0.35 s, 2.4 s, 14 s."""
    return f"{value:.2f} s" if value < 1 else f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def rate(per_s: float, unit: str) -> str:
    """A rate per second, 4.2 photos/s; below about one, the time for one, 3.2 s/photo; a dash when it is 0."""
    if per_s <= 0:
        return "–"
    return f"{per_s:.1f} {unit}s/s" if per_s >= 0.95 else f"{1 / per_s:.1f} s/{unit}"


def operations(per_s: float) -> str:
    """Floating-point operations per second: 42 GFLOP/s, 310 TFLOP/s."""
    giga = per_s / 1e9
    if giga >= 1000:
        return f"{giga / 1000:.0f} TFLOP/s"
    return f"{giga:.0f} GFLOP/s" if giga >= 10 else f"{giga:.1f} GFLOP/s"


def megabytes(size: float | None) -> str:
    """A size in MB: 49 MB, 1.4 GB; a dash when it is not known."""
    if not size:
        return "–"
    return f"{size / 1000:.1f} GB" if size >= 1000 else f"{size:.0f} MB"


def file_size(size: int) -> str:
    """A size on disk, given in bytes: 640 bytes, 12 kB, 1.4 MB, 120 MB, 3.2 GB."""
    if size < 1000:
        return counted(size, "byte")
    unit, of = next(((unit, of) for unit, of in (("kB", 1e3), ("MB", 1e6)) if size < 999.5 * of), ("GB", 1e9))
    value = size / of
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "kB" else f"{value:.0f} {unit}"
