"""Real training of a tiny model: the loss is the plain one, and nothing that should not matter does."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from core.data.dataset import read_dataset
from core.engine import adapters, models
from core.engine.questions import PromptBuilder
from core.engine.training.class_balance import class_weights
from core.engine.training.data import TrainingDataset
from core.errors import UserError
from core.runs.model_files import fingerprint
from core.settings import Settings
from core.taxonomy import load as load_taxonomy

Trainings = Any  # of conftest.py
Weights = dict[str, torch.Tensor]


def farthest(weights: Weights, other: Weights) -> float:
    """Largest relative distance of any learned matrix."""
    assert set(weights) == set(other)
    assert all(value.any() for value in weights.values())
    return max(((weights[key] - other[key]).norm() / other[key].norm()).item() for key in weights)


def plain_loss(trainings: Trainings, settings: Settings) -> float:
    """The slow twin of the first step: one forward per question, labels -100 on all but the answer's tokens, and
    transformers' own positions, mask and shift. Weighted mean over the questions of the step.
    """
    data = read_dataset(settings.data, trainings.workspace.sample_data)
    loaded = models.load(settings.model)
    prompt_builder = PromptBuilder(loaded, settings, load_taxonomy())
    training_data = TrainingDataset(data.split("train"), prompt_builder, settings)
    weights = class_weights(data.split("train"), settings.enhance, prompt_builder.taxonomy)
    losses = []
    for key in training_data.order(0)[: settings.training.batch_size * settings.training.accumulation]:
        photo = training_data.photos[key.photo]
        sample = training_data.sample(key)
        for obj, question in zip(photo.objects, sample.questions, strict=True):
            images = [image for image in (sample.photo, question.crop) if image is not None]
            pads = iter(images)
            ids: list[int] = []
            for token in (*sample.head_ids, *question.token_ids):
                ids += [token] * (next(pads).tokens(2) if token == prompt_builder.packer.image_pad_id else 1)
            answer = list(question.answers[0].token_ids)
            tokens = torch.tensor([ids + answer])
            labels = torch.tensor([[-100] * len(ids) + answer])
            with torch.no_grad():
                logits = loaded.model(
                    input_ids=tokens,
                    mm_token_type_ids=(tokens == prompt_builder.packer.image_pad_id).int(),
                    pixel_values=torch.from_numpy(np.concatenate([image.values for image in images])).double(),
                    image_grid_thw=torch.tensor([image.grid_thw for image in images]),
                ).logits
            lost = cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=-100, reduction="sum").item()
            losses.append(weights[(obj.object_type, obj.condition)] * lost)
    return sum(losses) / len(losses)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("changes", [{}, {"training.accumulation": 2, "enhance.class_weighting": False}])
def test_the_first_loss_is_that_of_a_plain_forward_per_question(trainings: Trainings, changes: dict[str, Any]) -> None:
    changes = {"view.mode": "full", "question.answers": "free", **changes}
    found = trainings.train({"training.max_steps": 1, **changes})
    assert found.losses[0] == pytest.approx(plain_loss(trainings, trainings.settings(changes)), 1e-6)


# Gradients agree to 1e-7 (test_packing.py); Adam divides by their size, which magnifies rounding near zero.
ADAM = 1e-5


@pytest.mark.usefixtures("double")
def test_updates_do_not_depend_on_how_a_step_is_cut(trainings: Trainings) -> None:
    """Six photos of three to eight questions a step: in one pass, two, or row by row, and with one question a row."""
    whole = None
    for batch, accumulation, tokens in ((6, 1, 100_000), (2, 3, 1024), (1, 6, 256)):
        changes = {
            "training.max_steps": 2,
            "training.batch_size": batch,
            "training.accumulation": accumulation,
            "training.tokens_per_pass": tokens,
        }
        found = trainings.train(changes, name=f"cut{batch}")
        whole = whole or found
        assert found.losses == pytest.approx(whole.losses, rel=1e-6)  # the Trainer keeps its sum in float32
        assert farthest(found.weights(), whole.weights()) < ADAM
    objects = found.reported.of("plan")[0]["objects"]
    single = {
        "training.questions_per_sequence": 1,
        "training.batch_size": objects,
        "training.max_steps": 2,
        "question.class_share": 0,
    }
    packed = {"training.batch_size": 6, "training.max_steps": 2, "question.class_share": 0}
    single_run, all_at_once = trainings.train(single, "single"), trainings.train(packed, "packed")
    assert single_run.losses == pytest.approx(all_at_once.losses, rel=1e-6)
    assert farthest(single_run.weights(), all_at_once.weights()) < ADAM


def test_the_frozen_base_does_not_change_and_every_learned_matrix_does(
    trainings: Trainings, saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = {}
    attach = adapters.attach_lora

    def remember(model: Any, lora: Any) -> Any:
        held["model"] = attach(model, lora)
        held["before"] = {name: parameter.detach().clone() for name, parameter in held["model"].named_parameters()}
        return held["model"]

    monkeypatch.setattr(adapters, "attach_lora", remember)
    trainings.train({"training.max_steps": 3})
    for name, parameter in held["model"].named_parameters():
        if "lm_head" not in name:  # replaced by its candidate rows, which are frozen
            assert torch.equal(parameter, held["before"][name]) != ("lora_" in name), name


def test_a_training_tells_its_plan_its_steps_its_tests_and_its_checkpoints(trainings: Trainings) -> None:
    found = trainings.train({"training.epochs": 2, "training.save_steps": 2, "training.eval_steps": 3})
    (plan,) = found.reported.of("plan")
    assert (plan["total_steps"], plan["photos"]) == (6, 6)
    assert plan["trainable_parameters"] == sum(weight.numel() for weight in found.weights().values())
    steps = found.reported.of("step")
    assert [step["step"] for step in steps] == [1, 2, 3, 4, 5, 6]
    assert all(step["total_steps"] == 6 for step in steps)
    assert [step["epoch"] for step in steps] == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2], abs=1e-3)
    assert all(step["loss"] > 0 and step["grad_norm"] > 0 and step["memory_mb"] > 0 for step in steps)
    assert all(step["photos_per_s"] < step["questions_per_s"] for step in steps)
    assert [event["step"] for event in found.reported.of("evaluation")] == [3, 6]
    assert [event["step"] for event in found.reported.of("checkpoint") if not event["best"]] == [2, 4, 6]
    assert found.info["steps"] == 6
    assert found.info["final"]["step"] == 6
    assert found.info["history"]["train"] == [[step["step"], pytest.approx(step["loss"], abs=1e-4)] for step in steps]


def test_learning_lowers_the_loss(trainings: Trainings) -> None:
    losses = trainings.train({"training.epochs": 8, "training.batch_size": 6, "question.class_share": 0}).losses
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"training.batch_size": 2}, 3),
        ({"training.batch_size": 4}, 2),
        ({"training.batch_size": 2, "training.accumulation": 2}, 2),
        ({"training.batch_size": 4, "training.epochs": 2.5}, 5),
        ({"training.max_steps": 5}, 5),
        ({"training.questions_per_sequence": 1, "training.batch_size": 4}, 8),
        ({"training.questions_per_sequence": 1, "training.batch_size": 3, "training.accumulation": 2}, 6),
    ],
)
def test_the_number_of_steps_is_the_ceiling_of_sequences_by_step_size(
    trainings: Trainings, changes: dict[str, Any], steps: int
) -> None:
    found = trainings.train(changes)
    assert found.reported.of("plan")[0]["objects"] == 31
    assert found.reported.of("plan")[0]["total_steps"] == found.info["steps"] == len(found.losses) == steps


def test_a_loss_that_is_not_finite_ends_the_run_with_its_step(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = models.load

    def poisoned(wanted: Any) -> Any:
        loaded = load(wanted)
        with torch.no_grad():
            loaded.model.model.language_model.layers[1].mlp.up_proj.weight[0, 0] = math.nan
        return loaded

    monkeypatch.setattr(models, "load", poisoned)
    with pytest.raises(UserError, match="the loss is not a finite number at step 1") as caught:
        trainings.train({"training.max_steps": 2})
    assert caught.value.problems[0].kind == "non-finite"


def test_a_gradient_that_is_not_finite_ends_the_run(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    attach = adapters.attach_lora

    def poisoned(model: Any, lora: Any) -> Any:
        made = attach(model, lora)
        learning = [parameter for parameter in made.parameters() if parameter.requires_grad]
        learning[0].register_hook(lambda gradient: gradient * math.inf)
        return made

    monkeypatch.setattr(adapters, "attach_lora", poisoned)
    with pytest.raises(UserError, match="not a finite number at step 1") as caught:
        trainings.train({"training.max_steps": 2})
    assert caught.value.problems[0].kind == "non-finite"


def test_a_model_that_is_there_is_never_written_over_and_that_is_said_before_the_work(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = trainings.train({"training.max_steps": 1})
    before = {path.name: path.read_bytes() for path in first.final.iterdir()}
    monkeypatch.setattr(models, "load", lambda wanted: pytest.fail("the work began"))
    for resume in (False, True):
        with pytest.raises(UserError, match="there is a model of this name already"):
            trainings.train({"training.max_steps": 2}, resume=resume)
    assert {path.name: path.read_bytes() for path in first.final.iterdir()} == before


@pytest.mark.parametrize(("empty", "other"), [("train", "valid"), ("valid", "train")])
def test_a_split_without_objects_is_refused_and_named(trainings: Trainings, empty: str, other: str) -> None:
    folder = trainings.folder("a")
    data = read_dataset(trainings.base.data, trainings.workspace.sample_data)
    (folder / "split.json").write_text(json.dumps({empty: [], other: [photo.name for photo in data.split(other)]}))
    with pytest.raises(UserError, match=f"the split {empty} holds no boxed objects") as caught:
        trainings.train()
    assert caught.value.problems[0].kind == "empty-split"


def test_the_same_seed_gives_the_same_adapter_and_another_seed_another(trainings: Trainings) -> None:
    short = {"training.max_steps": 2}
    first, again = trainings.train(short, "one").weights(), trainings.train(short, "two").weights()
    other = trainings.train({**short, "training.seed": 1}, "three").weights()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_gradient_checkpointing_changes_no_number(trainings: Trainings) -> None:
    short = {"training.max_steps": 2}
    plain = trainings.train(short, "plain")
    thrifty = trainings.train({**short, "training.gradient_checkpointing": True}, "thrifty")
    assert thrifty.losses == pytest.approx(plain.losses, rel=1e-5)
    assert farthest(thrifty.weights(), plain.weights()) < 1e-3


def test_weights_steer_the_update(trainings: Trainings) -> None:
    short = {"training.max_steps": 2}  # the first one warms up and learns nothing
    with_weights = trainings.train(short, "weighted")
    without = trainings.train({**short, "enhance.class_weighting": False}, "even")
    assert with_weights.losses[0] != pytest.approx(without.losses[0], rel=1e-3)
    assert farthest(with_weights.weights(), without.weights()) > 1e-3
    assert set(without.info["class_weights"].values()) == {1.0}


def test_the_info_says_what_was_trained_on_what(trainings: Trainings, saved: Callable[..., Path]) -> None:
    found = trainings.train({"training.max_steps": 2})
    assert found.info["base_model"] == str(saved())
    assert found.info["adapter"] == str(found.final)
    assert found.info["data"]["train_photos"] == 6
    assert found.info["data"]["valid_photos"] == 3
    assert 0 <= found.info["prior"]["accuracy"] <= 1
    assert found.info["settings"]["training"]["max_steps"] == 2
    about = json.loads((found.final / "damgui.json").read_text())
    assert about["settings"] == found.info["settings"]
    assert json.loads(json.dumps(found.info)) == found.info


def test_an_adapters_file_holds_only_its_own_matrices(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 1, "lora.targets": "attention"})
    by_kind: dict[str, int] = defaultdict(int)
    for key in found.weights():
        by_kind[key.split(".")[-2]] += 1
    assert by_kind == {"lora_A": 8, "lora_B": 8}


def test_learning_rates_follow_the_schedule(trainings: Trainings) -> None:
    changes = {"training.max_steps": 4, "training.warmup_share": 0.5, "training.schedule": "linear"}
    rates = [event["learning_rate"] for event in trainings.train(changes).reported.of("step")]
    assert rates == pytest.approx([0.0, 2.5e-3, 5e-3, 2.5e-3])


def test_a_bfloat16_model_learns_in_float32_matrices(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 1, "model.dtype": "bfloat16"})
    assert {value.dtype for value in found.weights().values()} == {torch.float32}


def test_weights_on_disk_stay_as_they_were(trainings: Trainings, saved: Callable[..., Path]) -> None:
    before = fingerprint(saved())
    found = trainings.train({"training.max_steps": 1})
    assert fingerprint(saved()) == before == found.info["base_fingerprint"]
