"""Numbers and times as people read them."""

from __future__ import annotations

import pytest

from core import units
from damgui import text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_durations_carry_units(seconds: float | None, words: str) -> None:
    assert units.duration(seconds) == words


@pytest.mark.parametrize(("difference", "words"), [(0.274, "+27.4"), (-0.031, "−3.1"), (0.0, "±0.0"), (0.0001, "±0.0")])
def test_points_always_carry_their_sign(difference: float, words: str) -> None:
    assert units.points(difference) == words


@pytest.mark.parametrize(("rate", "words"), [(4.24, "4.2 photos/s"), (0.5, "2.0 s/photo"), (0, "–")])
def test_slow_rates_are_said_the_other_way_round(rate: float, words: str) -> None:
    assert units.rate(rate, "photo") == words


@pytest.mark.parametrize(("part", "words"), [(0, "0 %"), (130, "65 %"), (199, "99 %"), (200, "100 %")])
def test_what_is_not_over_is_never_said_to_be(part: int, words: str) -> None:
    assert units.done(part, 200) == words


@pytest.mark.parametrize(("size", "words"), [(None, "–"), (812.3, "812 MB"), (2048, "2.0 GB"), (20000, "20.0 GB")])
def test_memory_carries_units(size: float | None, words: str) -> None:
    assert units.megabytes(size) == words


@pytest.mark.parametrize("word", ["Zero-shot", "LoRA", "Epoch", "Loss", "Checkpoint", "Macro-F1", "Validation photos"])
def test_terms_of_art_are_in_the_glossary(word: str) -> None:
    assert text.GLOSSARY[word].endswith(".")
