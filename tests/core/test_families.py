"""A family of models is one entry, and whole."""

from __future__ import annotations

import re

import pytest

from core.families import FAMILIES, RESIZED_PIXELS, THOUSANDTHS, Family
from core.settings import FIELDS


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_every_family_says_all_that_is_asked_of_one(family: Family) -> None:
    assert family.box_unit in (THOUSANDTHS, RESIZED_PIXELS)
    assert family.token_px % 4 == 0
    assert tuple(family.lora_targets) == FIELDS["lora.targets"].choices
    assert all(re.compile(pattern) for pattern in family.lora_targets.values())
    marks = family.conversation
    assert len({marks.image_pad, marks.image_start, marks.image_end, marks.answer_end}) == 4
