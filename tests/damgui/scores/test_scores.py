"""One results file on the page: every number that it holds, and no part that it does not."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from core.metrics.reference_points import BY_KEY, PRIOR, label_of, references_of
from core.taxonomy import load
from damgui.scores import scores, sentences
from damgui.scores.results import ShownResults

DAMS = load()

PER_CLASS = {
    "drain normal": {
        "correct": 3,
        "total": 4,
        "predicted": 4,
        "accuracy": 0.75,
        "precision": 0.75,
        "recall": 0.75,
        "f1": 0.75,
        "recall_interval": [0.30, 0.95],
    },
    "drain blocked": {
        "correct": 0,
        "total": 0,
        "predicted": 1,
        "accuracy": None,
        "precision": 0.0,
        "recall": None,
        "f1": None,
        "recall_interval": None,
    },
}
OLD = {
    "overall_accuracy": 0.5,
    "correct": 1,
    "total": 2,
    "macro_f1": 0.51,
    "accuracy_interval": [0.25, 0.75],
    "macro_f1_interval": [0.4, 0.6],
    "per_class": {},
    "data": {"photos": 1},
    "model": {"path": "demo"},
}
BINS = [
    {"low": 0.0, "high": 0.5, "count": 0, "confidence": None, "accuracy": None},
    {"low": 0.5, "high": 1.0, "count": 8, "confidence": 0.9, "accuracy": 0.75},
]
MEASURED = {"log_loss": 0.61234, "brier": 0.3, "ece": 0.15, "total": 8, "reliability": BINS}
NEW = OLD | {
    "balanced_accuracy": 0.579,
    "balanced_accuracy_interval": [0.529, 0.629],
    "prior": {"accuracy": 0.4, "macro_f1": 0.2},
    "references": {
        "prior": {
            "label": "Most frequent",
            "accuracy": 0.4,
            "accuracy_interval": [0.3, 0.5],
            "macro_f1": 0.2,
            "macro_f1_interval": [0.1, 0.3],
            "note": "Looks at nothing.",
        },
        "texture_forest": {
            "label": "Texture",
            "accuracy": 0.6,
            "accuracy_interval": [0.5, 0.7],
            "macro_f1": 0.55,
            "macro_f1_interval": None,
            "note": "217 photos.",
        },
    },
    "reference_warnings": ["The model does not beat <texture>."],
    "alarms": {
        "blocked": {
            "false_alarm_rate": 0.1,
            "recall": 0.62,
            "recall_interval": [0.4, 0.8],
            "positives": 27,
            "negatives": 141,
        },
        "damaged": {"false_alarm_rate": 0.1, "recall": None, "positives": 0, "negatives": 168},
    },
    "probabilistic": MEASURED,
}


def shown(found: dict[str, Any]) -> ShownResults:
    return ShownResults(found, (), Path("."), DAMS)


def drawn(figure: str | None) -> dict[str, Any]:
    assert figure is not None
    found: dict[str, Any] = json.loads(figure)
    return found


def test_the_headline_shows_the_numbers_of_the_file_each_with_its_interval() -> None:
    markup = scores.headline(shown(NEW))
    for words in (
        "50.0<small>%",
        'data-accuracy="0.500000"',
        "95 % interval 25.0 – 75.0 %",
        "57.9 %",
        "95 % interval 52.9 – 62.9 %",
        "0.51",
        "95 % interval 0.40 – 0.60",
        "The model does not beat &lt;texture&gt;.",
    ):
        assert words in markup


def test_answers_that_another_run_gave_are_named_and_their_time_is_not_this_runs() -> None:
    own: Any = {**NEW, "seconds": 75.0}
    assert "took 1 min" in scores.headline(shown(own))
    markup = scores.headline(shown({**own, "answers_from": {"run": "r1-train-a", "kind": "train", "created": 1.0}}))
    assert "Judged already by run r1-train-a" in markup and "took" not in markup


def test_a_file_of_an_earlier_version_shows_what_it_has_and_nothing_else() -> None:
    assert sentences.BALANCED not in scores.headline(shown(OLD))
    assert "dg-note" not in scores.headline(shown(OLD))
    assert scores.reference_chart(OLD) is scores.reliability_chart(OLD) is None
    assert scores.alarms(OLD, DAMS) == scores.sureness(OLD) == ""
    assert scores.reference_words(OLD) == scores.type_table(OLD) == ""
    assert scores.class_table({}, DAMS) and references_of(OLD) == {}


def test_guessing_alone_is_the_reference_of_files_that_know_no_other() -> None:
    figure = drawn(scores.reference_chart(OLD | {"prior": {"accuracy": 0.4, "macro_f1": 0.2}}))
    assert [trace["y"][0] for trace in figure["data"]] == [sentences.THIS_MODEL, label_of(PRIOR)] * 2


def test_the_model_stands_among_its_references_on_both_axes() -> None:
    figure = drawn(scores.reference_chart(NEW))
    assert [(trace["y"][0], trace["x"][0]) for trace in figure["data"]] == [
        (sentences.THIS_MODEL, 50.0),
        ("Most frequent", 40.0),
        ("Texture", 60.0),
        (sentences.THIS_MODEL, 51.0),
        ("Most frequent", 20.0),
        ("Texture", pytest.approx(55.0)),
    ]
    assert len(figure["layout"]["shapes"]) == 2, "the model's own interval is a band on each axis"


def test_every_reference_is_explained_with_its_own_note() -> None:
    markup = unescape(scores.reference_words(NEW))
    assert "Looks at nothing." in markup and "217 photos." in markup
    old = unescape(scores.reference_words(OLD | {"prior": {"accuracy": 0.4, "macro_f1": 0.2}}))
    assert "most frequent training condition" in old


def test_guessing_has_a_short_word_below_its_number_and_a_long_one_where_it_is_explained() -> None:
    markup = unescape(scores.headline(shown(NEW)))
    assert BY_KEY[PRIOR].named in markup and "Looks at nothing" not in markup


def test_under_four_flights_no_interval_is_shown_and_it_is_said_why() -> None:
    none = {key: None for key in NEW if key.endswith("_interval")}
    ends = {"flight": "d01", "correct": 2, "total": 4, "accuracy": 0.5}
    few = NEW | none | {"flights": 3, "lowest_flight": ends, "highest_flight": ends}
    markup = unescape(scores.headline(shown(few)))
    assert "95 % interval" not in markup and markup.count("no interval: too few flights") == 3
    assert "Only 3 flights: from 50.0 % (d01, 4 objects)" in markup
    classes = {"drain normal": PER_CLASS["drain normal"] | {"recall_interval": None}}
    assert "75 %<small>too few flights</small>" in scores.class_table(classes, DAMS)
    alarm = {"blocked": NEW["alarms"]["blocked"] | {"recall_interval": None}}
    assert "no interval: too few flights" in scores.alarms(NEW | {"alarms": alarm}, DAMS)
    assert scores.reference_chart(few) is not None


def test_alarms_tell_the_share_found_with_its_interval_or_why_not() -> None:
    markup = scores.alarms(NEW, DAMS)
    assert "62 %" in markup and "95 % interval 40.0 – 80.0 %" in markup
    assert "No object here is damaged" in markup


def test_a_class_that_was_only_answered_has_dashes_where_nothing_can_be_told() -> None:
    markup = scores.class_table(PER_CLASS, DAMS, ["drain blocked", "drain normal"])
    blocked, normal = markup.split("drain normal")
    assert "<td>0</td><td>–</td><td>0 %</td><td>–</td>" in blocked
    assert "75 %<small>30.0 – 95.0 %</small>" in normal and "<td>0.75</td>" in normal


def test_types_without_a_macro_f1_of_their_own_show_a_dash() -> None:
    found = {"per_object_type": {"drain": {"correct": 1, "total": 2, "accuracy": 0.5}}}
    assert "<td>2</td><td>1</td><td>50 %</td><td>–</td>" in scores.type_table(found)


@pytest.mark.parametrize(("more", "columns"), [({}, 1), ({"probabilistic_calibrated": MEASURED | {"ece": 0.05}}, 2)])
def test_calibrated_stands_beside_raw_where_there_is_one(more: dict[str, Any], columns: int) -> None:
    markup = scores.sureness(NEW | more)
    assert markup.count("<td>0.612</td>") == columns
    assert ("0.050" in markup) is (columns == 2)
    lines = [trace for trace in drawn(scores.reliability_chart(NEW | more))["data"] if trace.get("customdata")]
    assert [(line["x"], line["y"], line["customdata"]) for line in lines] == [([90.0], [75.0], [8])] * columns


@pytest.mark.parametrize(
    "holes",
    [
        {"alarms": {"blocked": None}},
        {"references": {"prior": None, "blank": {"label": "Blank", "accuracy": None, "macro_f1": None}}},
        {"unsure": {"threshold": None, "count": 0, "total": 4}},
        {"probabilistic": {"log_loss": None, "brier": None, "ece": None, "total": 0, "reliability": []}},
        {"with_choice": {"correct": 0, "total": 0, "accuracy": None}, "single_answer": {"total": 2}},
        {"per_object_type": {"drain": {"correct": 0, "total": 0, "accuracy": None, "macro_f1": None}}},
    ],
)
def test_what_could_not_be_measured_breaks_nothing(holes: dict[str, Any]) -> None:
    found = NEW | holes
    assert "50.0<small>%" in scores.headline(shown(found))
    assert isinstance(scores.alarms(found, DAMS), str)
    for part in (scores.reference_words, scores.sureness, scores.type_table):
        assert isinstance(part(found), str)
    for chart in (scores.reference_chart, scores.reliability_chart):
        assert json.loads(chart(found) or "{}") is not None


def test_unsure_answers_are_counted() -> None:
    unsure = {"threshold": 0.7, "count": 3, "total": 10, "accuracy_of_sure": 0.96}
    assert "3 of 10 answers are unsure (less than 70 %)" in scores.sureness(NEW | {"unsure": unsure})
    none = {"threshold": None, "count": 10, "total": 10, "accuracy_of_sure": None}
    assert f"All 10 answers are unsure. {sentences.NO_THRESHOLD}" in scores.sureness(NEW | {"unsure": none})


def test_names_from_files_are_shown_and_never_executed() -> None:
    bad = {"<script>x": PER_CLASS["drain normal"]}
    assert "<script>" not in scores.class_table(bad, DAMS)
    assert "<script>" not in scores.type_table({"per_object_type": bad})
    reference = {"<script>": NEW["references"]["prior"] | {"label": "<script>", "note": "<script>"}}
    assert "<script>" not in scores.reference_words({"references": reference})
