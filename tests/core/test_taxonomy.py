"""Classes and how people spell them; another domain is another file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.taxonomy import from_dict, load

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
    ("change", "said"),
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
    ],
)
def test_a_fault_in_a_taxonomy_is_told(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        from_dict(GOOD | change, "t.yaml")
    assert said in str(caught.value)
    assert all(problem.where == "t.yaml" for problem in caught.value.problems)


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
