"""The names of the reference points stand once."""

from __future__ import annotations

from pathlib import Path

from core.metrics.reference_points import BY_KEY, POINTS, label_of, references_of, simpler_is_better

ROOT = Path(__file__).parents[3]


def test_their_names_stand_in_one_file() -> None:
    """A label that somebody typed elsewhere would go its own way."""
    files = [path for package in ("core", "damgui") for path in (ROOT / package).rglob("*.py")]
    for point in POINTS:
        having = [path.name for path in files if point.label in path.read_text(encoding="utf-8")]
        assert having == ["reference_points.py"], point.key
        assert point.note.endswith(".") and point.named


def test_one_that_is_not_known_is_called_what_its_results_call_it() -> None:
    assert label_of("prior") == BY_KEY["prior"].label
    assert label_of("prior", {"label": "Most frequent"}) == BY_KEY["prior"].label
    assert label_of("my_probe", {"label": "Mine"}) == "Mine"
    assert label_of("my_probe") == "my probe"


def test_guessing_is_found_wherever_a_version_wrote_it() -> None:
    guess, probe = {"accuracy": 0.4, "macro_f1": 0.2}, {"label": "Mine", "accuracy": 0.6}
    old = references_of({"prior": guess})
    assert list(old) == ["prior"] and old["prior"]["accuracy"] == 0.4 and old["prior"]["note"] == BY_KEY["prior"].note
    assert references_of({"prior": guess, "references": {"mine": probe}}) == {**old, "mine": probe}
    assert references_of({"prior": guess, "references": {"prior": probe}}) == {"prior": probe}
    assert references_of({"references": {"blank": None}}) == references_of({"prior": None}) == references_of({}) == {}


def test_simpler_methods_are_named_with_what_they_reach() -> None:
    sentence = simpler_is_better(0.5, {"texture_forest": 0.9, "linear_probe": 0.6}, "objects with a choice")
    assert sentence is not None and "right for 50 % of the objects with a choice" in sentence
    assert "a random forest on colour and texture (90 %), a linear probe on untaught vision features (60 %)" in sentence
    assert simpler_is_better(0.5, {}) is None
