"""Work done one item ahead, in a thread: decoding and laying out overlap with what the model computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def prefetch(work: Iterable[T]) -> Iterator[T]:
    """The items of `work` in order, the next being made while the present one is used; its errors are raised here."""
    items = iter(work)
    end = object()
    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(next, items, end)
        while (found := pending.result()) is not end:
            pending = thread.submit(next, items, end)
            yield found  # type: ignore[misc]
