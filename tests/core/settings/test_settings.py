"""Settings: declared once, checked all at once, with a cure for every fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core import settings as s
from core.errors import UserError


@pytest.mark.parametrize("field", s.FIELDS.values(), ids=lambda field: field.path)
def test_every_knob_has_a_sentence_of_help_and_a_default_it_accepts(field: s.SettingField) -> None:
    assert field.help.endswith(".") and field.help[0].isupper()
    assert field.label
    assert s.merge(s.Settings(), {field.path: field.default}) == s.Settings()
    if field.type in (int, float):
        assert field.low is not None and field.high is not None and field.low <= field.default <= field.high


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"lora.rank": 8}, 8),
        ({"lora": {"rank": "8"}}, 8),
        ({"lora.rank": 8.0}, 8),
        ({"training.learning_rate": "1e-4"}, 1e-4),
        ({"training.learning_rate": 1}, 1.0),
        ({"enhance.oversampling": "yes"}, True),
        ({"enhance.oversampling": "off"}, False),
        ({"view.mode": "crop"}, "crop"),
        ({"enhance.condition_weights": {"loose": 2}}, {"loose": 2.0}),
        (
            {"enhance": {"condition_weights": {"loose": "2", "cannot be judged": 0.5}}},
            {"loose": 2.0, "cannot be judged": 0.5},
        ),
        ({"enhance.condition_weights": "loose: 2, lost: 4"}, {"loose": 2.0, "lost": 4.0}),
        ({"enhance.condition_weights": "{loose: 2}"}, {"loose": 2.0}),
        ({"enhance.condition_weights": ""}, {}),
    ],
)
def test_values_arrive_in_their_declared_type(given: dict, value: object) -> None:
    merged = s.merge(s.Settings(), given)
    path = next(iter(s.flatten(given)[0]))
    found = s.to_flat(merged)[path]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lora.rank": 0}, "lora.rank: 0 is outside 1 to 256"),
        ({"lora.rank": 257}, "outside 1 to 256"),
        ({"lora.rank": 2.5}, "not a whole number"),
        ({"lora.rank": "many"}, "is not a number"),
        ({"lora.rank": True}, "not a finite number"),
        ({"lora.rank": None}, "lora.rank: no number is given"),
        ({"lora.rank": ""}, "lora.rank: no number is given"),
        ({"training.epochs": 1e99}, "1e+99 is outside 0.01 to 1000"),
        ({"training.learning_rate": float("nan")}, "not a finite number"),
        ({"training.learning_rate": "inf"}, "not a finite number"),
        ({"view.mode": "half"}, "'half' is not one of full, full+crop, crop"),
        ({"enhance.oversampling": "perhaps"}, "neither true nor false"),
        ({"learning_rat": 1}, "did you mean training.learning_rate?"),
        ({"lora.rnk": 1}, "did you mean lora.rank?"),
        ({"lora": 3}, "not a group of settings"),
        ({"nonsense.deep": 3}, "no such setting"),
        ({"enhance.condition_weights": {"loose": 0}}, "enhance.condition_weights: loose: 0 is outside 0.1 to 100"),
        ({"enhance.condition_weights": {"loose": "much"}}, "loose: 'much' is not a number"),
        ({"enhance.condition_weights": "loose"}, "loose: None is not a number"),
        ({"enhance.condition_weights": "loose: ["}, "is no list of names with numbers"),
        ({"enhance.condition_weights": 3}, "3 is no list of names with numbers"),
        ({"enhance.condition_weights.loose": 0}, "enhance.condition_weights.loose: 0 is outside 0.1 to 100"),
        ({"enhance.blocked_weight": 0}, "enhance.blocked_weight: 0 is outside 0.1 to 100"),
        ({"enhance.condition_weigths": {}}, "did you mean enhance.condition_weights?"),
    ],
)
def test_a_bad_value_is_told_with_its_path_and_a_cure(given: dict, message: str) -> None:
    with pytest.raises(UserError) as caught:
        s.merge(s.Settings(), given, "mine.yaml")
    assert message.lower() in str(caught.value).lower()
    assert all(problem.fix and problem.where == "mine.yaml" for problem in caught.value.problems)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        s.merge(s.Settings(), {"lora": {"rank": 0, "rnk": 1}, "view.mode": "x", "data": 1})
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("name", s.presets())
def test_every_shipped_config_loads_and_survives_saving(name: str, tmp_path: Path) -> None:
    loaded = s.load(name)
    s.save(loaded, tmp_path / "c.yaml")
    assert s.load(tmp_path / "c.yaml") == loaded


def test_the_seed_config_reproduces_the_old_recipe() -> None:
    seed = s.load("seed-enhanced")
    assert (seed.lora.rank, seed.lora.alpha, seed.lora.targets) == (16, 32.0, "attention")
    training = seed.training
    assert (training.learning_rate, training.epochs, training.save_steps) == (2e-4, 3.0, 100)
    assert training.batch_size * training.accumulation * training.questions_per_sequence == 4
    enhance = seed.enhance
    assert all((enhance.class_weighting, enhance.spatial_reasoning, enhance.oversampling, enhance.position_encoding))
    assert enhance.condition_weighting and enhance.condition_weights == {"blocked": 4.0, "damaged": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lora: {rank: 8", "not valid YAML"),
        ("- 1\n- 2\n", "settings expected"),
        ("lora:\n  rank: 8\n rank: 9\n", "line 3"),
    ],
)
def test_a_broken_config_file_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        s.load(tmp_path / "bad.yaml")


def test_a_config_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UserError, match="demo"):
        s.load("nowhere.yaml")


def test_an_empty_config_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("", encoding="utf-8")
    assert s.load(tmp_path / "empty.yaml") == s.Settings()


@pytest.mark.parametrize(
    ("config", "preset"),
    [
        ({"model_type": "qwen2_vl", "hidden_size": 1536}, "qwen2vl-2b-lora"),  # Qwen2-VL-2B, as it comes
        ({"model_type": "qwen2_vl", "hidden_size": 3584}, "qwen2vl-7b-lora"),
        ({"model_type": "qwen3_vl", "text_config": {"hidden_size": 2560}}, "qwen2vl-2b-lora"),  # 4B
        ({"model_type": "qwen3_vl", "text_config": {"hidden_size": 4096}}, "qwen2vl-7b-lora"),  # 8B
        ({"model_type": "qwen2_5_vl", "text_config": {"hidden_size": 8192}}, "qwen2vl-7b-lora"),  # 72B
        ({"model_type": "qwen2_vl"}, "qwen2vl-7b-lora"),  # it does not tell: the name does
        ([], "qwen2vl-7b-lora"),
    ],
)
def test_the_preset_of_a_folder_follows_from_its_config_whatever_it_is_called(
    tmp_path: Path, config: object, preset: str
) -> None:
    folder = tmp_path / "my-7b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    assert s.preset_for(str(folder)) == preset


ROOFS = {"data.taxonomy": "roofs.yaml"}


@pytest.mark.parametrize(
    ("base", "given", "weights"),
    [
        ({}, {"enhance.condition_weights.blocked": 4}, {"blocked": 4.0}),
        ({}, {"enhance.blocked_weight": 4}, {"blocked": 4.0}),
        ({}, {"enhance": {"blocked_weight": 4, "condition_weights": {"damaged": 3}}}, {"blocked": 4.0, "damaged": 3.0}),
        ({"enhance.blocked_weight": 4}, {"enhance.condition_weights.damaged": 3}, {"blocked": 4.0, "damaged": 3.0}),
        ({"enhance.blocked_weight": 4}, {"enhance.condition_weights": {"damaged": 3}}, {"damaged": 3.0}),
        # What the shipped taxonomy says anyway is no change, however it is written.
        ({}, {"enhance.blocked_weight": 2.0, "enhance.damaged_weight": 1.5}, {}),
        ({}, {"enhance.condition_weights": {"blocked": 2}}, {}),
        ({"enhance.blocked_weight": 4}, {"enhance.blocked_weight": 2}, {}),
        ({"enhance.blocked_weight": 4}, {"enhance.condition_weights.blocked": 2}, {}),
        # Another domain's older files hold the dam's defaults, which never had an effect there.
        (ROOFS, {"enhance.blocked_weight": 2.0, "enhance.damaged_weight": 1.5}, {}),
        (ROOFS, {"enhance.condition_weights.blocked": 2}, {"blocked": 2.0}),
    ],
)
def test_weights_of_conditions_are_given_at_once_one_by_one_or_by_their_former_keys(
    base: dict, given: dict, weights: dict
) -> None:
    found = s.merge(s.merge(s.Settings(), base), given)
    assert found.enhance.condition_weights == weights
    stored = s.to_dict(found)
    assert s.from_dict(stored) == found
    assert s.stored_flat(stored) == s.to_flat(found)


def test_the_former_weights_are_those_of_the_shipped_taxonomy() -> None:
    from core.taxonomy import load

    assert {
        detail.name: detail.weight for detail in load().details.values() if detail.weight != 1.0
    } == s.weights.DEFAULTS


def test_files_keep_the_former_keys_for_the_dam_and_hold_none_of_the_dams_words_for_others() -> None:
    enhance = list(s.to_dict(s.Settings())["enhance"])
    assert enhance[5:9] == ["class_weight_power", "blocked_weight", "damaged_weight", "weight_cap"]
    assert "condition_weights" not in enhance
    stored = s.to_dict(s.merge(s.Settings(), ROOFS | {"enhance.condition_weights": {"loose": 3}}))["enhance"]
    assert stored["condition_weights"] == {"loose": 3.0} and not {"blocked_weight", "damaged_weight"} & set(stored)


def test_changing_one_settings_weights_changes_no_others() -> None:
    first = s.merge(s.Settings(), {"enhance.condition_weights": {"loose": 3}})
    assert s.Settings().enhance.condition_weights == {} == s.FIELDS["enhance.condition_weights"].default
    assert first.enhance.condition_weights is not s.merge(first, {"lora.rank": 3}).enhance.condition_weights
