"""Tables as people read them."""

from __future__ import annotations

import pytest

from core.bench import report
from core.bench.measure import Spread
from core.bench.run import whole_depth, with_share

RATE = {"median": 30.0, "low": 28.0, "high": 33.3}
ROW = {"questions_per_s": RATE, "turns": [30.0], "peak_mb": 700.0, "above_mb": 120.0}


@pytest.mark.parametrize(
    ("value", "wanted"), [(1234.5, "1,234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123")]
)
def test_numbers_have_three_digits(value: float, wanted: str) -> None:
    assert report.short(value) == wanted


def test_columns_are_aligned() -> None:
    assert report.table([["", "a"], ["long", "12"], ["x", "3"]]) == ["       a", "long  12", "x      3"]


def test_a_comparison_shows_ratio_spread_memory_and_the_check() -> None:
    group = {
        "section": "training",
        "title": "demo model",
        "base": "plain",
        "check": {"questions": 5, "answers": "closed", "difference": 3e-6},
        "variants": {
            "plain": {**ROW, "batch": 4},
            "trl": {"unavailable": "not installed: pip install .[bench]"},
            "cached": {**ROW, "fill_s": 2.5},
        },
        "ratios": {"cached": {"median": 2.0, "low": 1.9, "high": 2.25}},
    }
    text = "\n".join(report.lines_of({"groups": [group], "notes": ["so be it"]}))
    for wanted in (
        "differ by at most 3e-06 nats",
        "plain Trainer, 4 a batch",
        "30.0 (28.0–33.3)",
        "2 (1.9–2.25)",
        "700",
        "120",
        "not installed: pip install .[bench]",
        "took 2.5 s, once",
        "Note: so be it",
    ):
        assert wanted in text


def test_growth_is_one_table_in_which_the_size_leads() -> None:
    group = {"section": "growth", "title": "photos", "base": "", "variants": {"200 cached": ROW, "20000 cached": ROW}}
    lines = report.lines_of({"groups": [group], "notes": []})
    assert lines[0] == "growth with photos" and lines[3].split()[0] == "20,000"


def test_the_share_of_the_peak_counts_language_and_unkept_vision() -> None:
    row = {
        "questions_per_s": RATE,
        "photos_per_s": {"median": 6.0},
        "tokens_per_s": {"median": 1000.0},
        "photo_tokens": 100,
        "weights": {"language": 1_000_000, "vision": 500_000},
        "best_flops": 1e12,
        "peak_mb": 1.0,
        "device": "cpu",
        "parameters": 2_000_000,
        "dtype": "float32",
    }
    group = {"section": "shape", "title": "a shape", "variants": {"shape": dict(row), "shape cached": dict(row)}}
    rows = with_share(group)["variants"]
    # 4 x 1e6 weights x 1000 tokens, and 2 x 5e5 weights x 6 photos x 400 patches.
    assert rows["shape"]["share_of_peak"] == pytest.approx((4e9 + 2.4e9) / 1e12)
    assert rows["shape cached"]["share_of_peak"] == pytest.approx(4e9 / 1e12)
    assert "0.6 %" in "\n".join(report.shape_table(group))


def test_full_depth_is_a_straight_line_through_two_depths() -> None:
    def group(number: int, **seconds: float) -> dict[str, object]:
        rows = {name: {"questions_per_s": {"median": 1 / value}} for name, value in seconds.items()}
        return {"section": "training", "title": f"2B-shaped ({number} language …)", "variants": rows}

    few, more = group(2, plain=3.0, packed=1.0, cached=0.5), group(6, plain=7.0, packed=2.0, cached=1.5)
    wanted = {"packed": (3 + 26) / (1 + 26 / 4), "cached": (3 + 26) / (0.5 + 26 / 4)}
    assert whole_depth([few, more]) == pytest.approx(wanted)
    assert whole_depth([few]) == {}
    # Deeper and faster: something else kept the machine busy, and a line through that says nothing.
    assert whole_depth([few, group(6, plain=2.0, packed=2.0, cached=1.5)]) == {}


def test_a_spread_without_values_is_an_error() -> None:
    with pytest.raises(ValueError):
        Spread.of([])
