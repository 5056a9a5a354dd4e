"""Charts hold what they are given: places follow from numbers, every word is escaped, every picture is well formed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from core.report import svg
from core.report.svg import Dot
from core.taxonomy import load

DAMS = load()


def circles(text: str) -> list[dict[str, str]]:
    return [element.attrib for element in ET.fromstring(text).iter("circle")]


def test_dots_lie_where_their_scores_are() -> None:
    text = svg.interval_dots([Dot("a", 0.0), Dot("b", 0.5, [0.25, 0.75], True), Dot("c", 1.0)], "scores")
    x = [float(circle["cx"]) for circle in circles(text)]
    assert x[1] == pytest.approx((x[0] + x[2]) / 2)
    band = next(element.attrib for element in ET.fromstring(text).iter("rect"))
    assert float(band["x"]) == pytest.approx(x[0] + (x[2] - x[0]) / 4, abs=0.1)
    assert float(band["width"]) == pytest.approx((x[2] - x[0]) / 2, abs=0.1)


def test_bars_carry_colour_mark_and_count_of_their_condition() -> None:
    found = {
        "drain blocked": {"recall": 0.5, "correct": 2, "total": 4, "recall_interval": [0.1, 0.9]},
        "drain normal": {"recall": 1.0, "correct": 3, "total": 3},
    }
    text = svg.class_bars(found, list(found), DAMS)
    bars = [(element.attrib["fill"], float(element.attrib["width"])) for element in ET.fromstring(text).iter("rect")]
    assert [fill for fill, _ in bars] == ["#e0a11b", "#14918a"]
    assert bars[0][1] == pytest.approx(bars[1][1] / 2)
    assert "▲ drain blocked" in text and "50 %, 2 of 4" in text and "● drain normal" in text


def test_confusion_shows_every_count_but_no_zeros() -> None:
    text = svg.confusion(["a", "b"], [[3, 1], [0, 7]])
    words = [element.text for element in ET.fromstring(text).iter("text")]
    assert [word for word in words if word and word.isdecimal()] == ["3", "1", "7"]


def test_reliability_leaves_empty_bins_out() -> None:
    bins = [
        {"count": 4, "confidence": 0.5, "accuracy": 0.5},
        {"count": 16, "confidence": 0.9, "accuracy": 0.25},
        {"count": 0, "confidence": None, "accuracy": None},
    ]
    found = circles(svg.reliability(bins, "how sure"))
    assert len(found) == 2
    assert float(found[0]["r"]) < float(found[1]["r"])
    assert float(found[1]["cy"]) > float(found[0]["cy"])


@pytest.mark.parametrize(
    "text",
    [
        svg.interval_dots([], "none"),
        svg.interval_dots([Dot("<b>&", 0.5)], '"<'),
        svg.confusion([], []),
        svg.confusion(["<i>"], [[1]]),
        svg.reliability([], "<"),
        svg.class_bars({}, [], DAMS),
        svg.class_bars({"<x>": {"recall": None, "correct": 0, "total": 0}}, ["<x>"], DAMS),
    ],
)
def test_charts_of_nothing_and_of_odd_words_are_well_formed(text: str) -> None:
    root = ET.fromstring(text)
    assert root.tag == "svg"
    assert {element.tag for element in root.iter()} <= {"svg", "title", "text", "line", "rect", "circle"}
