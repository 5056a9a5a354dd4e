"""A box as somebody typed or drew it is fractions of the photo, or one sentence that says what to write."""

from __future__ import annotations

from typing import Any

import pytest

from core.boxes import box_fractions
from core.errors import UserError


@pytest.mark.parametrize(
    ("box", "fractions"),
    [
        (None, (0, 0, 1, 1)),
        ([10, 20, 30, 40], (0.1, 0.4, 0.3, 0.8)),
        ([30, 40, 10, 20], (0.1, 0.4, 0.3, 0.8)),
        ([-1, -0.5, 50, 25], (0, 0, 0.5, 0.5)),
        ([50, 25, 101, 50.5], (0.5, 0.5, 1, 1)),
        (["10", "20", "30", "40"], (0.1, 0.4, 0.3, 0.8)),
        ([0, 0, 1, 2], (0, 0, 0.01, 0.04)),
    ],
)
def test_a_box_is_cut_at_the_photos_edge_and_its_corners_may_come_in_any_order(
    box: Any, fractions: tuple[float, ...]
) -> None:
    assert box_fractions(box, (100, 50)) == fractions


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ([200, 200, 300, 300], "box-outside"),
        ([-30, -30, -10, -10], "box-outside"),
        ([10, 10, 102, 30], "box-outside"),
        ([10, 10, 30, 51], "box-outside"),
        ([-2, 10, 30, 40], "box-outside"),
        ([10, 10, 10, 30], "box-outside"),
        ([0, 0, 0, 0], "box-outside"),
        ([0, 0, 1, 1], "box"),
        ([0.1, 0.2, 0.5, 0.9], "box"),
        ([float("nan"), 0, 10, 10], "box"),
        ([0, 0, float("inf"), 10], "box"),
        ([10**400, 0, 10, 10], "box"),
        ([1, 2, 3], "box"),
        ([1, 2, 3, 4, 5], "box"),
        (["a", 1, 2, 3], "box"),
        ([], "box"),
        ("1,2", "box"),
        (7, "box"),
    ],
)
def test_an_impossible_box_is_refused(box: Any, kind: str) -> None:
    with pytest.raises(UserError) as caught:
        box_fractions(box, (100, 50))
    assert caught.value.problems[0].kind == kind
    assert caught.value.problems[0].fix


def test_fractions_are_told_in_pixels() -> None:
    with pytest.raises(UserError, match=r"0\.1,0\.2,0\.5,0\.9: these are fractions .* Write 10,10,50,45\."):
        box_fractions([0.1, 0.2, 0.5, 0.9], (100, 50))
