"""Where things lie: heights in the photo, who lies above whom, what occurs together. Information, not faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from core.data.types import Photo

BINS = 10


def where_things_lie(photos: Sequence[Photo]) -> dict[str, Any]:
    """Heights in the photo, which type lies above which, and what occurs together; plain values for JSON.

    Args:
        photos: all of the data set.

    Returns:
        Under `heights`, {class: {"bins", "mean", "objects"}}: objects in each tenth of the photo's height from the top,
        and the mean height of the boxes' middles (0 top to 1 bottom). Under `above`, {"upper", "lower", "share",
        "pairs"} for each two object types: of the pairs of such objects in one photo, the share in which the middle of
        `upper` lies higher. Under `together`, {"classes", "photos"} for each two classes in one photo, the most
        frequent first.
    """
    heights: dict[str, list[float]] = {}
    above: Counter[tuple[str, str]] = Counter()
    together: Counter[tuple[str, str]] = Counter()
    for photo in photos:
        middles = [(obj.object_type, (obj.box_xyxy[1] + obj.box_xyxy[3]) / 2) for obj in photo.objects]
        classes = [f"{obj.object_type} {obj.condition}" for obj in photo.objects]
        for name, (_, middle) in zip(classes, middles, strict=True):
            heights.setdefault(name, []).append(middle)
        for (first, high), (second, low) in combinations(middles, 2):
            if first != second and high != low:
                above[(first, second) if high < low else (second, first)] += 1
        together.update(combinations(sorted(set(classes)), 2))
    return {
        "heights": {name: _spread(heights[name]) for name in sorted(heights)},
        "above": _above(above),
        "together": [{"classes": list(pair), "photos": count} for pair, count in together.most_common()],
    }


def _spread(middles: Sequence[float]) -> dict[str, Any]:
    bins = Counter(min(BINS - 1, int(BINS * middle)) for middle in middles)
    mean = sum(middles) / len(middles)
    return {"bins": [bins[place] for place in range(BINS)], "mean": round(mean, 4), "objects": len(middles)}


def _above(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Each two types once, the one that is mostly higher first; the clearest order first."""
    rows = []
    for first, second in {(min(pair), max(pair)) for pair in counts}:
        pairs = counts[first, second] + counts[second, first]
        upper, lower = (first, second) if counts[first, second] >= counts[second, first] else (second, first)
        rows.append({"upper": upper, "lower": lower, "share": round(counts[upper, lower] / pairs, 4), "pairs": pairs})
    return sorted(rows, key=lambda row: (-row["share"], row["upper"], row["lower"]))
