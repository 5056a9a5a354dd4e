"""What reads too much is ended with a sentence, and only that."""

from __future__ import annotations

import sys

import pytest

from core.data.memory import memory_limit
from core.errors import UserError

posix = pytest.mark.skipif(sys.platform == "win32", reason="limits as Unix has them")


@posix
def test_what_swells_beyond_the_limit_is_one_sentence_and_the_limit_ends_with_it() -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with (
        pytest.raises(UserError, match=r"photos: reading this took more than 0\.1 GB of memory"),
        memory_limit("photos", 100_000_000),
    ):
        bytearray(400_000_000)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@posix
@pytest.mark.parametrize("fault", [None, ValueError("odd"), UserError("no such folder")])
def test_within_the_limit_nothing_changes(fault: Exception | None) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(type(fault)) if fault else memory_limit("photos"), memory_limit("photos"):
        assert len(bytearray(10_000_000)) == 10_000_000
        if fault:
            raise fault
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
