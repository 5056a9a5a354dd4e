"""How much memory reading may take: a label file can swell to any size, and a machine that swaps hangs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.errors import UserError

MEMORY_BYTES = 1_500_000_000


@contextmanager
def memory_limit(path: str, most: int = MEMORY_BYTES) -> Iterator[None]:
    """Let this process take so many bytes of data more within the block, where the system can hold it to that.

    Not RLIMIT_AS: address space that threads and libraries only reserve would count, a gigabyte on a large machine.

    Args:
        path: what is read, for the sentence.
        most: in bytes, beside what the process has already.

    Raises:
        UserError: the block needed more.
    """
    if sys.platform == "win32":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (_taken() + most, before[1]))
    try:
        yield
    except MemoryError as error:
        raise too_large(path, most) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def too_large(path: str, most: int) -> UserError:
    """The error that says that reading needed more than so many bytes."""
    what = f"reading this took more than {most / 1e9:.1f} GB of memory and was ended"
    return UserError(what, path, "Give the folder of one data set, with smaller label files.", "memory")


def _taken() -> int:
    """The bytes of data that this process has; 0 where the system does not tell."""
    try:
        import resource

        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except (OSError, IndexError, ValueError):
        return 0
