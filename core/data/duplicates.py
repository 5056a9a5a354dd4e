"""Photos that are the same picture: saved again, resized, brightened. Found without comparing every pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from core.data.image_stats import ImageStats
from core.data.types import Photo
from core.errors import Problem

# Measured on 217 real drone photos (23,436 pairs) and 290 drawn ones (41,905): different photos differ in 12 bits of 64
# or more and correlate by 0.88 at most; a photo saved at quality 60, resized or made 1.3 times brighter differs from
# itself in 10 at most and correlates by 0.98 or more. Another framing (3 % cut off) is another photo.
NEAR_BITS = 10
MIN_CORRELATION = 0.95
BANDS, BAND_BITS = 4, 16
CHUNK_PAIRS = 1 << 20  # pairs compared at once: what bounds the memory


def duplicate_groups(photos: Sequence[Photo]) -> list[tuple[Photo, ...]]:
    """Groups of two or more photos that are one picture, in the order of their first.

    Args:
        photos: those that have no `stats` are compared by their file's digest only.
    """
    known = [(place, photo.stats) for place, photo in enumerate(photos) if photo.stats is not None]
    pairs = near_pairs([stats for _, stats in known])
    links = [(known[first][0], known[second][0]) for first, second in pairs]
    first: dict[str, int] = {}
    links += [(first.setdefault(photo.digest, place), place) for place, photo in enumerate(photos) if photo.digest]
    return [tuple(photos[place] for place in group) for group in connected(len(photos), links) if len(group) > 1]


def drop_duplicates(photos: Sequence[Photo]) -> tuple[tuple[Photo, ...], tuple[Problem, ...]]:
    """The photos without duplicates, and a hint of how many were left out.

    Of a picture the one in the test split stays, else the one in validation, else the first by name: photos for
    training give way to those that a model is evaluated on.
    """
    rank = {"test": 0, "valid": 1}
    dropped = set()
    for group in duplicate_groups(photos):
        kept = min(group, key=lambda photo: (rank.get(photo.split, 2), photo.name))
        dropped |= {photo.name for photo in group} - {kept.name}
    if not dropped:
        return tuple(photos), ()
    many = len(dropped) > 1
    what = f"{len(dropped)} photo{'s that are duplicates are' if many else ' that is a duplicate is'} left out"
    fix = "Set data.drop_duplicates=false to use all photos."
    hint = Problem(what, "data.drop_duplicates", fix, "duplicates-left-out")
    return tuple(photo for photo in photos if photo.name not in dropped), (hint,)


def near_pairs(stats: Sequence[ImageStats]) -> list[tuple[int, int]]:
    """Pairs of photos that are one picture.

    Their hashes differ in NEAR_BITS bits at most, and their thumbnails correlate by MIN_CORRELATION or more. Of several
    photos with the same hash each is compared with the first of them only, so that the pairs stay few.

    Args:
        stats: one for each photo.

    Returns:
        Pairs of indices into `stats`, the smaller first, in ascending order.
    """
    if not stats:
        return []
    hashes = np.array([photo.hash for photo in stats], dtype=np.uint64)
    thumbs = np.frombuffer(b"".join(photo.thumb for photo in stats), dtype=np.uint8).reshape(len(stats), -1)
    distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    same_hash = np.stack([first[which], np.arange(len(stats))], axis=1)
    found = [_correlated(same_hash[same_hash[:, 0] != same_hash[:, 1]], thumbs)]
    found += [_correlated(first[pairs], thumbs) for pairs in close_hashes(distinct, NEAR_BITS)]
    return [(int(first), int(second)) for first, second in np.unique(np.sort(np.concatenate(found), axis=1), axis=0)]


def close_hashes(hashes: np.ndarray, most_bits: int) -> Iterator[np.ndarray]:
    """Pairs of hashes that differ in few bits, found without comparing every pair; a pair may come more than once.

    Hashes that differ in 10 bits differ in 2 bits or fewer in at least one of 4 bands, so only those with nearly the
    same band are compared.

    Args:
        hashes: (n,) uint64.
        most_bits: the largest Hamming distance.

    Yields:
        (pairs, 2) int64: indices into `hashes`, the smaller first.

    Source: multi-index hashing, Norouzi, Punjani and Fleet 2012.
    """
    places = np.arange(len(hashes))
    for band in range(BANDS):
        part = ((hashes >> np.uint64(BAND_BITS * band)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        starts = np.searchsorted(part[order], np.arange((1 << BAND_BITS) + 1))
        for mask in _masks(most_bits // BANDS):
            wanted = part ^ mask
            low, many = starts[wanted], starts[wanted + 1] - starts[wanted]
            for some in np.array_split(places, 1 + int(many.sum()) // CHUNK_PAIRS):
                count = many[some]
                within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
                left, right = np.repeat(some, count), order[np.repeat(low[some], count) + within]
                near = (left < right) & (np.bitwise_count(hashes[left] ^ hashes[right]) <= most_bits)
                if near.any():
                    yield np.stack([left[near], right[near]], axis=1)


def _masks(most_bits: int) -> list[int]:
    """Every way to turn at most so many bits of a band."""
    turned = (bits for count in range(most_bits + 1) for bits in combinations(range(BAND_BITS), count))
    return [sum(1 << bit for bit in bits) for bits in turned]


def _correlated(pairs: np.ndarray, thumbs: np.ndarray) -> np.ndarray:
    """Those of the pairs (n, 2) whose thumbnails correlate; a photo of one grey throughout is like none."""
    kept = [np.zeros((0, 2), dtype=np.int64)]
    for some in np.array_split(pairs, 1 + len(pairs) // 4096):
        left, right = (thumbs[some[:, side]].astype(np.float32) for side in (0, 1))
        left, right = (side - side.mean(axis=1, keepdims=True) for side in (left, right))
        scale = np.sqrt((left**2).sum(axis=1) * (right**2).sum(axis=1))
        kept.append(some[(left * right).sum(axis=1) >= MIN_CORRELATION * np.maximum(scale, 1.0)])
    return np.concatenate(kept)


def connected(count: int, links: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """The connected components of a graph with the nodes 0 … count - 1, single nodes included.

    Args:
        count: of the nodes.
        links: edges, as pairs of nodes.

    Returns:
        The nodes of each component in ascending order; components in the order of their first node.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(count, count))
    groups: dict[int, list[int]] = {}
    for place, label in enumerate(connected_components(graph, directed=False)[1] if count else ()):
        groups.setdefault(int(label), []).append(place)
    return [tuple(group) for group in groups.values()]
