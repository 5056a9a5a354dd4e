"""Packed questions are exactly separate questions: in logits, loss and gradients."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.data.sample import Photo
from core.engine import models
from core.engine.batches import Lessons
from core.engine.questions import Asked, Asker
from core.engine.sequences import Branch, Leaf, Tree, leaf_log_probs, split_tree
from core.engine.training import weighted_loss
from core.engine.vision import Patches
from core.prompts import BOX_UNITS
from core.settings import Lora, Settings

# Relative, in float64: what is left is the order of summation.
EXACT = 1e-9


def mixed_trees(asker: Asker, photos: list[Photo], seed: int = 0) -> list[Tree]:
    """Photos of two sizes with both kinds of question, weights that differ, and 1 to 8 questions each."""
    dice = random.Random(seed)
    lessons = Lessons(photos, asker, asker.settings)
    trees = []
    for photo in photos:
        asked = [lessons.question(one, dice.random()) for one in photo.objects]
        trees.append(
            asker.tree(photo.path, asker.boxes(photo), [replace(a, weight=dice.random() + 0.5) for a in asked])
        )
    return trees


def separate(trees: list[Tree]) -> list[Tree]:
    return [replace(tree, branches=(branch,)) for tree in trees for branch in tree.branches]


def plain_log_prob(model: torch.nn.Module, tree: Tree, asker: Asker) -> torch.Tensor:
    """The slow twin: one question, one answer, transformers' own positions, causal mask and full-vocabulary logits."""
    (branch,), merge, pad = tree.branches, asker.eyes.merge, asker.layout.image_pad_id
    (leaf,) = branch.leaves
    images = [image for image in (tree.photo, branch.crop) if image is not None]
    grids = iter(images)
    ids: list[int] = []
    for token in (*tree.head_ids, *branch.token_ids):
        ids += [token] * next(grids).tokens(merge) if token == pad else [token]
    question = len(ids)
    ids += leaf.token_ids
    tokens = torch.tensor([ids])
    grid = torch.tensor([image.grid_thw for image in images])
    positions, _ = model.model.get_rope_index(tokens, (tokens == pad).int(), image_grid_thw=grid)
    logits = model(
        input_ids=tokens,
        position_ids=positions,
        pixel_values=torch.from_numpy(np.concatenate([image.values for image in images])).double(),
        image_grid_thw=grid,
    ).logits
    logs = torch.log_softmax(logits, -1)[0, question - 1 : -1]
    return logs.gather(1, torch.tensor(leaf.token_ids)[:, None]).sum()


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: one.grad.clone() for name, one in model.named_parameters() if one.requires_grad and one.grad is not None
    }


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest relative distance between the gradients of any weight."""
    assert set(one) == set(other)
    assert one
    return max(((one[name] - other[name]).norm() / other[name].norm().clamp_min(1e-12)).item() for name in one)


@pytest.mark.parametrize("family", list(BOX_UNITS))
@pytest.mark.parametrize("view", ["full", "full+crop", "crop"])
def test_packed_questions_equal_separate_ones_and_transformers_own_forward(
    asker: Asker, loaded: models.Loaded, photos: list[Photo], view: str
) -> None:
    asker.settings = replace(asker.settings, view=replace(asker.settings.view, mode=view))
    model = loaded.model
    trees = mixed_trees(asker, photos[:3])
    with torch.no_grad():
        packed = leaf_log_probs(model, asker.batch(trees))
        alone = torch.cat([leaf_log_probs(model, asker.batch([tree])) for tree in separate(trees)])
        plain = torch.stack([plain_log_prob(model, tree, asker) for tree in separate(trees)])
    assert packed.dtype == torch.float64
    torch.testing.assert_close(packed, alone, rtol=EXACT, atol=0)
    torch.testing.assert_close(packed, plain, rtol=EXACT, atol=0)


def test_packed_gradients_of_every_lora_weight_equal_separate_ones(
    asker: Asker, loaded: models.Loaded, photos: list[Photo]
) -> None:
    torch.manual_seed(1)
    model = models.attach_lora(loaded.model, Lora(rank=4, targets="everything")).double()
    for name, one in model.named_parameters():
        if "lora_B" in name:  # zero at birth, which would hide every gradient of lora_A
            torch.nn.init.normal_(one, std=0.05)
    trees = mixed_trees(asker, photos)
    count = sum(len(tree.branches) for tree in trees)

    def step(groups: list[list[Tree]]) -> tuple[float, dict[str, torch.Tensor]]:
        model.zero_grad()
        total = 0.0
        for group in groups:
            batch = asker.batch(group)
            loss = weighted_loss(leaf_log_probs(model, batch), batch["leaf_weights"], count)
            loss.backward()
            total += loss.item()
        return total, gradients(model)

    packed_loss, packed = step([trees])
    for groups in ([[one] for one in separate(trees)], [trees[:1], trees[1:3], trees[3:]], [list(reversed(trees))]):
        loss, found = step(groups)
        assert loss == pytest.approx(packed_loss, rel=EXACT)
        assert farthest(found, packed) < 1e-7


def test_wrong_positions_would_be_noticed(asker: Asker, loaded: models.Loaded, photos: list[Photo]) -> None:
    """The equalities above can fail: without the restart of positions the numbers differ."""
    trees = mixed_trees(asker, photos[:2])
    batch = asker.batch(trees)
    with torch.no_grad():
        right = leaf_log_probs(loaded.model, batch)
        batch["position_ids"] = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["position_ids"])
        wrong = leaf_log_probs(loaded.model, batch)
    assert (right - wrong).abs().max() > 1e-4


def test_another_branch_leaves_a_questions_answer_bit_identical(
    asker: Asker, loaded: models.Loaded, photos: list[Photo]
) -> None:
    tree = mixed_trees(asker, photos[:1])[0]
    first, second = tree.branches[0], tree.branches[1]
    changed = replace(second, token_ids=tuple(reversed(second.token_ids[-4:])) + second.token_ids[4:])
    if changed.crop is not None and asker.layout.image_pad_id not in changed.token_ids:
        changed = replace(changed, crop=None)
    with torch.no_grad():
        before = leaf_log_probs(loaded.model, asker.batch([replace(tree, branches=(first, second))]))
        other = Branch(second.token_ids[:-1] + (5,), second.leaves, second.crop)
        after = leaf_log_probs(loaded.model, asker.batch([replace(tree, branches=(first, other))]))
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_tree_scored_answers_equal_one_forward_per_answer(
    asker: Asker, loaded: models.Loaded, photos: list[Photo]
) -> None:
    photo = photos[0]
    asked = [Asked(one.box_xyxy, None) for one in photo.objects[:2]]
    tree = asker.tree(photo.path, asker.boxes(photo), asked)
    alone = [
        replace(tree, branches=(replace(branch, leaves=(leaf,)),)) for branch in tree.branches for leaf in branch.leaves
    ]
    with torch.no_grad():
        scored = leaf_log_probs(loaded.model, asker.batch([tree]))
        one_by_one = torch.stack([plain_log_prob(loaded.model, one, asker) for one in alone])
    assert len(scored) == 18
    torch.testing.assert_close(scored, one_by_one, rtol=EXACT, atol=0)


def test_cutting_a_tree_into_rows_keeps_every_question_in_order() -> None:
    patches = Patches(torch.zeros(16, 4).numpy(), (1, 4, 4))
    branches = tuple(Branch(tuple(range(size)), (Leaf((1, 2)),)) for size in (100, 100, 100, 300, 10))
    parts = split_tree(Tree((1, 2, 3), branches, patches), merge=2, least=256)
    assert [len(part.branches) for part in parts] == [2, 1, 1, 1]
    assert [branch for part in parts for branch in part.branches] == list(branches)


def test_padding_changes_nothing(asker: Asker, loaded: models.Loaded, photos: list[Photo]) -> None:
    trees = mixed_trees(asker, photos[:2])
    with torch.no_grad():
        tight = leaf_log_probs(loaded.model, asker.layout.batch(trees, 1))
        padded = leaf_log_probs(loaded.model, asker.layout.batch(trees, 128))
    torch.testing.assert_close(tight, padded, rtol=EXACT, atol=0)


def test_float32_agrees_with_float64(asker: Asker, loaded: models.Loaded, photos: list[Photo]) -> None:
    trees = mixed_trees(asker, photos[:2])
    with torch.no_grad():
        exact = leaf_log_probs(loaded.model, asker.batch(trees))
        rough = leaf_log_probs(loaded.model.float(), asker.batch(trees))
    torch.testing.assert_close(rough.double(), exact, rtol=1e-4, atol=0)


def test_changed_settings_reach_the_question(asker: Asker, photos: list[Photo], settings: Settings) -> None:
    photo = photos[0]
    asked = [Asked(photo.objects[0].box_xyxy, photo.objects[0].object_type)]
    texts = set()
    for spatial in (False, True):
        for position in (False, True):
            enhance = replace(settings.enhance, spatial_reasoning=spatial, position_encoding=position)
            asker.settings = replace(settings, enhance=enhance)
            texts.add(asker.tree(photo.path, asker.boxes(photo), asked).branches[0].token_ids)
    assert len(texts) == 4
