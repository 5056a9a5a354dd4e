"""YAML within limits: what repeats or nests without end is a sentence at once, everything else is read as ever."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from core.errors import UserError
from core.settings import read_yaml
from core.settings.yaml_text import MOST_CHARACTERS, YamlLimitError, load_yaml

LAUGHS = "a0: &a0 [ha, ha]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "repeats itself without end"),
        ("a: &a [*a]", "repeats itself without end"),
        ("names: " + "[" * 5_000 + "]" * 5_000, "nested too deep"),
        ("names: " + "{a: " * 5_000 + "}" * 5_000, "nested too deep"),
        ("- a\n" * MOST_CHARACTERS, "more than"),
    ],
    ids=["billion laughs", "itself", "5,000 lists", "5,000 mappings", "large"],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_yaml_beyond_a_limit_is_a_sentence(tmp_path: Path, text: str, said: str, as_text: bool) -> None:
    with pytest.raises(YamlLimitError, match=said):
        load_yaml(text, as_text)
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match=said):
        read_yaml(tmp_path / "a.yaml", as_text)


@pytest.mark.parametrize(
    "text",
    ["", "a: no", "a: [1.10, null, x]", "a: &n [x, y]\nb: *n\nc: *n", "a: &n {x: 1}\nb: {<<: *n, y: 2}", "- a\n- b"],
)
def test_other_yaml_is_read_as_pyyaml_reads_it(text: str) -> None:
    assert load_yaml(text) == yaml.safe_load(text)
    assert load_yaml(text, as_text=True) == yaml.load(text, Loader=yaml.BaseLoader)


@pytest.mark.parametrize("text", ["a: [", "a: 2026-13-40", "{a: b}: c", "--- a\n--- b"])
def test_what_is_no_yaml_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load_yaml(text)
