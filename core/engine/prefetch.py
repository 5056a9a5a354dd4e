"""Work done one item ahead, in a thread: decoding and laying out overlap with what the model computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch(work: Iterable[T]) -> Iterator[T]:
    """Hand out the items of `work` in order while a thread makes the next one.

    An error that `work` raises is raised here, in the place of its item.
    """
    items = iter(work)
    end = object()
    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(next, items, end)
        while (found := pending.result()) is not end:
            pending = thread.submit(next, items, end)
            yield found  # type: ignore[misc]
