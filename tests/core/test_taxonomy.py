"""Classes and how people spell them; another domain is another file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.conditions import MARKS
from core.errors import UserError
from core.prompts import answers
from core.taxonomy import from_dict, load, of_results, restore

DAMS = load()


def test_the_dam_taxonomy_has_nine_classes_in_order() -> None:
    assert DAMS.class_names == (
        "toe drain normal",
        "toe drain blocked",
        "toe drain damaged",
        "slope drain normal",
        "slope drain blocked",
        "slope drain damaged",
        "rock toe normal",
        "rock toe damaged",
        "vegetation normal",
    )
    assert DAMS.question_scene == "dam slope"
    assert DAMS.conditions == ("normal", "blocked", "damaged")
    assert DAMS.allowed["vegetation"] == ("normal",)


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Toe drain", ("toe drain", "normal")),
        ("Toe drain- Blocked", ("toe drain", "blocked")),
        ("Toe drain- Damaged", ("toe drain", "damaged")),
        ("rock toe", ("rock toe", "normal")),
        ("rock toe damaged", ("rock toe", "damaged")),
        ("rock_toe-damaged", ("rock toe", "damaged")),
        ("SLOPE DRAIN (blocked)", ("slope drain", "blocked")),
        ("slopeDrainBlocked", ("slope drain", "blocked")),
        ("  slope   drain:normal ", ("slope drain", "normal")),
        ("blocked toe drain", ("toe drain", "blocked")),
        ("clogged slope drains", ("slope drain", "blocked")),
        ("Vegetation", ("vegetation", "normal")),
    ],
)
def test_messy_spellings_are_read(text: str, pair: tuple[str, str]) -> None:
    assert DAMS.read_class(text) == pair


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "-",
        "drain",
        "toe",
        "toe drain maybe",
        "not toe drain",
        "rock toe blocked",
        "vegetation damaged",
        "blocked",
        "toe drain blocked damaged",
        "crack",
        "0",
    ],
)
def test_what_is_no_class_is_not_guessed(text: str) -> None:
    assert DAMS.read_class(text) is None


@pytest.mark.parametrize("pair", DAMS.classes)
def test_every_class_name_reads_as_itself(pair: tuple[str, str]) -> None:
    assert DAMS.read_class(DAMS.class_name(*pair)) == pair


def test_another_domain_is_another_file(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "name: bridges\nscene: bridge deck\nconditions: [sound, cracked]\n"
        "object_types:\n  joint: {}\n  bearing: {conditions: [sound], spellings: [Lager]}\n"
        "class_spellings: {joint cracked: [Fugenriss]}\n"
    )
    bridges = load(str(tmp_path / "t.yaml"))
    assert bridges.class_names == ("joint sound", "joint cracked", "bearing sound")
    assert bridges.read_class("LAGER") == ("bearing", "sound")
    assert bridges.read_class("fugenriss") == ("joint", "cracked")
    assert bridges.read_class("Joint") == ("joint", "sound")


GOOD: dict[str, Any] = {"conditions": ["fine", "broken"], "object_types": ["a", "b"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": None}, "conditions: a list of conditions expected"),
        ({"conditions": 3}, "conditions: a list of conditions expected"),
        ({"object_types": []}, "object_types: a list of object types expected"),
        ({"object_types": {"a": {"conditions": ["lost"]}}}, "a: lost is not among the conditions"),
        ({"object_types": {"a": {"conditions": []}}}, "a: no condition at all"),
        ({"object_types": {"a": {"spellings": ["b"]}, "b": {}}}, "means both 'a fine' and 'b fine'"),
        ({"object_types": ["a", "A"]}, "means both"),
        ({"class_spellings": {"a lost": ["x"]}}, "'a lost' is not a class"),
        ({"class_spellings": ["x"]}, "class_spellings"),
        ({"colours": {}}, "colours: no such part of a taxonomy"),
        ({"conditions": {"fine": {"colour": "teal"}}}, "fine: 'teal' is no colour"),
        ({"conditions": {"fine": {"colour": None}}}, "fine: None is no colour"),
        ({"conditions": {"fine": {"colour": "#12345"}}}, "fine: '#12345' is no colour"),
        ({"conditions": {"fine": {"mark": "●"}}}, "fine: '●' is no mark"),
        ({"conditions": {"fine": {"mark": ["disc"]}}}, "fine: ['disc'] is no mark"),
        ({"conditions": {"fine": {}, "broken": {"alarm": "loud"}}}, "broken: alarm is 'loud'"),
        ({"conditions": {"fine": {"weight": 0}}}, "fine: the weight 0 is no number from 0.1 to 100"),
        ({"conditions": {"fine": {"weight": "two"}}}, "fine: the weight 'two'"),
        ({"conditions": {"fine": {"weight": True}}}, "fine: the weight True"),
        ({"conditions": {"fine": {"color": "#123456"}}}, "fine: nothing is known of 'color'"),
        ({"conditions": {"fine": ["ok"]}}, "conditions: fine holds ['ok']"),
        ({"conditions": {"a": {"mark": "disc"}, "b": {"mark": "disc"}}}, "a and b have the same mark"),
        ({"conditions": {"a": {"colour": "#ABCDEF"}, "b": {"colour": "#abcdef"}}}, "a and b have the same colour"),
        ({"object_types": {"a": {"observed": True}}}, "a is only observed and has 2 conditions"),
        ({"object_types": {"a": {"conditions": ["fine"], "observed": 1}}}, "a: observed is 1"),
        ({"object_types": {"a": {"alarm": True}}}, "a: nothing is known of alarm"),
    ],
)
def test_a_fault_in_a_taxonomy_is_told(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(GOOD | change, "t.yaml")
    assert message in str(caught.value)
    assert all(problem.where == "t.yaml" and problem.fix for problem in caught.value.problems)


def test_the_dams_colours_marks_and_weights_stand_in_the_file_and_nowhere_else() -> None:
    found = [(detail.name, detail.alarm, detail.colour, detail.sign, detail.weight) for detail in DAMS.details.values()]
    assert found == [
        ("normal", False, "#14918a", "●", 1.0),
        ("blocked", True, "#e0a11b", "▲", 2.0),
        ("damaged", True, "#c9374a", "✕", 1.5),
    ]
    assert DAMS.alarming == ("blocked", "damaged")


def test_a_file_that_says_nothing_of_looks_and_alarms_is_read_as_ever() -> None:
    """The first condition is the good one; names that the dam has look like the dam's, others are told apart."""
    found = from_dict({"conditions": ["sound", "mossy", "damaged"], "object_types": ["tile"]})
    assert found.alarming == ("mossy", "damaged")
    assert found.details["damaged"] == DAMS.details["damaged"]
    assert (
        len({detail.colour for detail in found.details.values()})
        == len({detail.mark for detail in found.details.values()})
        == 3
    )
    assert found.details["mossy"].weight == 1.0


def test_more_conditions_than_marks_are_read_too() -> None:
    many = from_dict({"conditions": [f"c{n}" for n in range(20)], "object_types": ["tile"]})
    assert len({detail.mark for detail in many.details.values()}) == len(MARKS)


def test_a_condition_that_needs_nobody_is_no_alarm_wherever_it_stands() -> None:
    conditions = {"fine": {}, "cannot be judged": {"alarm": False}, "broken": {}}
    found = from_dict({"conditions": conditions, "object_types": ["tile"]})
    assert found.alarming == ("broken",)
    assert found.read_class("tile: cannot be judged") == ("tile", "cannot be judged")
    assert found.split_class("tile cannot be judged") == ("tile", "cannot be judged")


def test_what_is_only_observed_is_present_and_is_asked_and_stored_as_ever() -> None:
    assert DAMS.observed == ("vegetation",)
    assert DAMS.shown("vegetation", "normal").name == "present"
    assert DAMS.shown_class("vegetation normal") == "vegetation present"
    assert DAMS.shown("toe drain", "normal") == DAMS.details["normal"]
    assert "vegetation normal" in DAMS.class_names and answers("vegetation", DAMS) == ("normal",)
    counts = DAMS.shown_counts({"normal": 5, "blocked": 1, "damaged": 0}, {"vegetation normal": 3})
    assert {condition.name: count for condition, count in counts.items()} == {
        "normal": 2,
        "blocked": 1,
        "damaged": 0,
        "present": 3,
    }


def test_a_type_named_as_an_observed_one_may_have_states_of_its_own() -> None:
    tree = {"conditions": ["normal", "sick"], "object_types": {"vegetation": {}}}
    assert from_dict(tree).observed == ()
    tree["object_types"] = {"vegetation": {"conditions": ["normal"], "observed": False}}
    assert from_dict(tree).observed == ()


def test_a_longer_condition_is_not_taken_for_the_shorter_one_that_ends_it() -> None:
    found = from_dict({"conditions": ["fine", "damaged", "badly damaged"], "object_types": ["tile"]})
    assert found.split_class("ridge badly damaged") == ("ridge", "badly damaged")
    assert found.split_class("tile damaged") == ("tile", "damaged")
    assert found.split_class("never heard of") == ("never heard", "of")


def test_a_taxonomy_that_an_adapter_holds_comes_back_whole() -> None:
    assert restore(json.loads(json.dumps(asdict(DAMS)))) == DAMS


def test_a_taxonomy_that_an_older_adapter_holds_looks_like_todays() -> None:
    stored = json.loads(json.dumps(asdict(DAMS)))
    del stored["details"], stored["observed"]
    assert restore(stored) == DAMS


def test_results_show_what_alarmed_when_they_were_scored(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("conditions: [fine, loose, broken]\nobject_types: [tile]\n")
    found = of_results(str(tmp_path / "t.yaml"), {"alarms": {"broken": {}}})
    assert found.alarming == ("broken",) and found.class_names[0] == "tile fine"


def test_results_whose_taxonomy_was_moved_are_shown_by_their_names() -> None:
    results = {
        "per_condition": {"blocked": {}, "damaged": {}, "normal": {}},
        "per_class": {"rock toe damaged": {}, "rock toe normal": {}},
        "alarms": {"blocked": {}, "damaged": {}},
    }
    found = of_results("/gone.yaml", results)
    assert found.conditions == DAMS.conditions and found.details == DAMS.details
    assert found.class_names == ("rock toe normal", "rock toe damaged")


def test_all_faults_of_a_taxonomy_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        from_dict({"conditions": [], "object_types": []})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("content", [None, "a: [", "- a", b"\xff\xfea"])
def test_a_file_that_is_no_taxonomy_is_told(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "t.yaml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=r"t\.yaml"):
        load(str(path))


def test_what_yaml_takes_for_a_switch_or_a_number_is_a_name_all_the_same(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "conditions:\n  no: {alarm: yes, spellings: [off]}\n  1.10: {weight: 3}\nobject_types: [null, on]\n"
    )
    found = load(str(file))
    assert (found.conditions, found.object_types) == (("no", "1.10"), ("null", "on"))
    assert (found.details["no"].alarm, found.details["1.10"].weight) == (True, 3.0)
    assert found.read_class("on-off") == ("on", "no")
