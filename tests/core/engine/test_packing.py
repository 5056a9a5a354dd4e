"""Packed questions are exactly separate questions: in logits, loss and gradients."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.data.types import Photo
from core.engine import adapters, models
from core.engine.packing import _image_inputs, answer_log_probs
from core.engine.questions import ObjectQuery, PromptBuilder
from core.engine.samples import Answer, PackedSample, Question, choices, fill_rows, split_sample
from core.engine.training.data import TrainingDataset
from core.engine.training.trainer import weighted_loss
from core.engine.vision import Patches
from core.families import FAMILIES
from core.settings import LoraSettings, Settings, merge

# Relative, in float64: what is left is the order of summation.
EXACT = 1e-9


def mixed_samples(prompt_builder: PromptBuilder, photos: list[Photo], seed: int = 0) -> list[PackedSample]:
    """Photos of two sizes with both kinds of question, weights that differ, and 1 to 8 questions each."""
    rng = random.Random(seed)
    training_data = TrainingDataset(photos, prompt_builder, prompt_builder.settings)
    samples = []
    for photo in photos:
        queries = [training_data.question(obj, rng.random()) for obj in photo.objects]
        samples.append(
            prompt_builder.sample(
                photo.path, prompt_builder.boxes(photo), [replace(a, weight=rng.random() + 0.5) for a in queries]
            )
        )
    return samples


def separate(samples: list[PackedSample]) -> list[PackedSample]:
    return [replace(sample, questions=(question,)) for sample in samples for question in sample.questions]


@pytest.fixture(params=["closed", "free"], autouse=True)
def answers_are(request: pytest.FixtureRequest) -> str:
    """Every law of this file holds for both ways of answering."""
    return str(request.param)


@pytest.fixture
def settings(settings: Settings, answers_are: str) -> Settings:
    return merge(settings, {"question.answers": answers_are})


def log_probs(
    model: torch.nn.Module, prompt_builder: PromptBuilder, samples: list[PackedSample], multiple: int = 1
) -> torch.Tensor:
    """What the engine computes: rows shared, questions packed, candidates' logits only where answers are closed."""
    with models.closed_head(model, prompt_builder.candidates):
        return answer_log_probs(model, prompt_builder.packer.batch(samples, multiple))


def plain_log_prob(model: torch.nn.Module, sample: PackedSample, prompt_builder: PromptBuilder) -> torch.Tensor:
    """The slow twin: one question, one answer, transformers' own positions, causal mask and full-vocabulary logits;
    closed answers are renormalised afterwards over the tokens with which an allowed answer goes on.
    """
    (question,), merge, pad = sample.questions, prompt_builder.image_encoder.merge, prompt_builder.packer.image_pad_id
    (answer,) = question.answers
    images = [image for image in (sample.photo, question.crop) if image is not None]
    grids = iter(images)
    ids: list[int] = []
    for token in (*sample.head_ids, *question.token_ids):
        ids += [token] * next(grids).tokens(merge) if token == pad else [token]
    start = len(ids)
    ids += answer.token_ids
    tokens = torch.tensor([ids])
    grid = torch.tensor([image.grid_thw for image in images])
    positions, _ = model.model.get_rope_index(tokens, (tokens == pad).int(), image_grid_thw=grid)
    logits = model(
        input_ids=tokens,
        position_ids=positions,
        pixel_values=torch.from_numpy(np.concatenate([image.values for image in images])).double(),
        image_grid_thw=grid,
    ).logits
    logs = torch.log_softmax(logits, -1)[0, start - 1 : -1]
    if question.allowed is not None:
        for place in range(len(answer.token_ids)):
            follow = {other[place] for other in question.allowed if other[:place] == answer.token_ids[:place]}
            logs[place] -= logs[place, sorted(follow)].logsumexp(0)
    return logs.gather(1, torch.tensor(answer.token_ids)[:, None]).sum()


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }


def farthest(gradients: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Largest relative distance between the gradients of any weight."""
    assert set(gradients) == set(other)
    assert gradients
    return max(
        ((gradients[name] - other[name]).norm() / other[name].norm().clamp_min(1e-12)).item() for name in gradients
    )


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("view", ["full", "full+crop", "crop"])
def test_packed_questions_equal_separate_ones_and_transformers_own_forward(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo], view: str
) -> None:
    prompt_builder.settings = replace(prompt_builder.settings, view=replace(prompt_builder.settings.view, mode=view))
    model = loaded.model
    samples = mixed_samples(prompt_builder, photos[:3])
    with torch.no_grad():
        packed = log_probs(model, prompt_builder, samples)
        alone = torch.cat([log_probs(model, prompt_builder, [sample]) for sample in separate(samples)])
        plain = torch.stack([plain_log_prob(model, sample, prompt_builder) for sample in separate(samples)])
    assert packed.dtype == torch.float64
    torch.testing.assert_close(packed, alone, rtol=EXACT, atol=1e-14)
    torch.testing.assert_close(packed, plain, rtol=EXACT, atol=1e-14)


def test_packed_gradients_of_every_lora_weight_equal_separate_ones(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    torch.manual_seed(1)
    model = adapters.attach_lora(loaded.model, LoraSettings(rank=4, targets="everything")).double()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at birth, which would hide every gradient of lora_A
            torch.nn.init.normal_(parameter, std=0.05)
    samples = mixed_samples(prompt_builder, photos)
    count = sum(len(sample.questions) for sample in samples)

    def step(groups: list[list[PackedSample]], most: int = 0) -> tuple[float, dict[str, torch.Tensor]]:
        model.zero_grad()
        total = 0.0
        for group in groups:
            for batch in prompt_builder.packer.batches(group, 1, most):
                with models.closed_head(model, prompt_builder.candidates):
                    loss = weighted_loss(answer_log_probs(model, batch), batch["answer_weights"], count)
                loss.backward()
                total += loss.item()
        return total, gradients(model)

    packed_loss, packed = step([samples])
    for groups in (
        [[sample] for sample in separate(samples)],
        [samples[:1], samples[1:3], samples[3:]],
        [list(reversed(samples))],
    ):
        loss, found = step(groups)
        assert loss == pytest.approx(packed_loss, rel=EXACT)
        assert farthest(found, packed) < 1e-7
    assert len(prompt_builder.packer.batches(samples, 1, 600)) > 2
    loss, found = step([samples], most=600)
    assert loss == pytest.approx(packed_loss, rel=EXACT)
    assert farthest(found, packed) < 1e-7


def test_wrong_positions_would_be_noticed(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    """The equalities above can fail: without the restart of positions the numbers differ."""
    samples = mixed_samples(prompt_builder, photos[:2])
    batch = prompt_builder.batch(samples)
    with torch.no_grad(), models.closed_head(loaded.model, prompt_builder.candidates):
        right = answer_log_probs(loaded.model, batch)
        batch["position_ids"] = torch.arange(batch["input_ids"].shape[1]).expand_as(batch["position_ids"])
        wrong = answer_log_probs(loaded.model, batch)
    assert (right - wrong).abs().max() > 1e-4


def test_another_branch_leaves_a_questions_answer_bit_identical(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    sample = mixed_samples(prompt_builder, photos[:1])[0]
    first, second = sample.questions[0], sample.questions[1]
    with torch.no_grad():
        before = log_probs(loaded.model, prompt_builder, [replace(sample, questions=(first, second))])
        other = replace(second, token_ids=(*second.token_ids[:-1], 5))
        after = log_probs(loaded.model, prompt_builder, [replace(sample, questions=(first, other))])
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


def test_packed_answers_equal_one_forward_per_answer(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    photo = photos[0]
    queries = [ObjectQuery(obj.box_xyxy, None) for obj in photo.objects[:2]]
    sample = prompt_builder.sample(photo.path, prompt_builder.boxes(photo), queries)
    alone = [
        replace(sample, questions=(replace(question, answers=(answer,)),))
        for question in sample.questions
        for answer in question.answers
    ]
    with torch.no_grad():
        scored = log_probs(loaded.model, prompt_builder, [sample])
        one_by_one = torch.stack([plain_log_prob(loaded.model, sample, prompt_builder) for sample in alone])
    assert len(scored) == 18
    torch.testing.assert_close(scored, one_by_one, rtol=EXACT, atol=1e-14)
    if prompt_builder.closed:
        torch.testing.assert_close(scored.exp().view(2, 9).sum(1), torch.ones(2).double(), rtol=EXACT, atol=0)


def test_candidate_rows_are_the_vocabularys_rows(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    """The small output layer gives the very logits that the whole one gives, and is taken off again."""
    samples = mixed_samples(prompt_builder, photos[:2])
    batch = prompt_builder.packer.batch(samples)
    seen = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids")}
    seen |= _image_inputs(loaded.model, batch)
    with torch.no_grad():
        whole = loaded.model(**seen, logits_to_keep=batch["reads"]).logits
        with models.closed_head(loaded.model, prompt_builder.candidates):
            rows = loaded.model(**seen, logits_to_keep=batch["reads"]).logits
        again = loaded.model(**seen, logits_to_keep=batch["reads"]).logits
    assert torch.equal(whole, again)
    if prompt_builder.closed:
        assert rows.shape[-1] == len(prompt_builder.candidates) < whole.shape[-1]
        torch.testing.assert_close(rows, whole[..., list(prompt_builder.candidates)], rtol=1e-12, atol=1e-13)
    else:
        assert torch.equal(rows, whole)


def test_cutting_a_tree_into_rows_keeps_every_question_in_order() -> None:
    patches = Patches(torch.zeros(16, 4).numpy(), (1, 4, 4))
    questions = tuple(Question(tuple(range(size)), (Answer((1, 2)),)) for size in (100, 100, 100, 300, 10))
    parts = split_sample(PackedSample((1, 2, 3), questions, patches), merge=2, least=256)
    assert [len(part.questions) for part in parts] == [2, 1, 1, 1]
    assert [question for part in parts for question in part.questions] == list(questions)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((1, 9), [(0, (1, 2, 3))]),  # its first token tells it
        ((2, 5, 9), [(0, (1, 2, 3)), (1, (5, 6))]),
        ((2, 6, 7, 9), [(0, (1, 2, 3)), (1, (5, 6))]),  # after 2 6 only 7 can follow
        ((3, 4, 9), [(0, (1, 2, 3)), (2, (8, 9))]),  # it begins another answer: ending is a choice
        ((3, 4, 8, 9), [(0, (1, 2, 3)), (2, (8, 9))]),
    ],
)
def test_an_answer_is_chosen_where_it_could_have_gone_on_differently(
    answer: tuple[int, ...], expected: list[tuple[int, tuple[int, ...]]]
) -> None:
    allowed = ((1, 9), (2, 5, 9), (2, 6, 7, 9), (3, 4, 9), (3, 4, 8, 9))
    assert choices(Answer(answer), allowed) == expected
    assert choices(Answer(answer), None) == [(place, ()) for place in range(len(answer))]
    assert choices(Answer(answer), (answer,)) == []


def test_rows_hold_every_tree_once_and_waste_little() -> None:
    rng = random.Random(3)
    for count in (1, 7, 60):
        lengths = [rng.randrange(20, 500) for _ in range(count)]
        rows = fill_rows(lengths)
        assert sorted(index for row in rows for index in row) == list(range(count))
        capacity = max([256, *lengths])
        assert all(sum(lengths[index] for index in row) <= capacity for row in rows)
        if count == 60:
            assert sum(lengths) > 0.85 * len(rows) * capacity


def test_photos_that_share_a_row_do_not_see_each_other(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    samples = [replace(sample, questions=sample.questions[:1]) for sample in mixed_samples(prompt_builder, photos[:4])]
    changed = [*samples[:-1], replace(samples[-1], photo=mixed_samples(prompt_builder, photos[4:])[0].photo)]
    batch = prompt_builder.packer.batch(samples)
    assert batch["input_ids"].shape[0] < len(samples)
    with torch.no_grad():
        first, second = (
            log_probs(loaded.model, prompt_builder, samples),
            log_probs(loaded.model, prompt_builder, changed),
        )
    assert torch.allclose(first[:-1], second[:-1], rtol=EXACT, atol=0)
    assert first[-1] != second[-1]


def test_a_photo_in_several_rows_is_seen_once_and_answers_stay(
    prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]
) -> None:
    """And where a wrapper hides the model, as on several devices, it is seen once a row: the same answers."""
    samples = mixed_samples(prompt_builder, photos)
    batch = prompt_builder.batch(samples)
    assert len(batch["image_grid_thw"]) < len(batch["image_index"])

    class Wrapped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = loaded.model

        def forward(self, **inputs: object) -> object:
            return self.module(**inputs)

    with torch.no_grad(), models.closed_head(loaded.model, prompt_builder.candidates):
        once, each = answer_log_probs(loaded.model, batch), answer_log_probs(Wrapped(), batch)
    torch.testing.assert_close(once, each, rtol=EXACT, atol=1e-14)


def test_padding_changes_nothing(prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]) -> None:
    samples = mixed_samples(prompt_builder, photos[:2])
    with torch.no_grad():
        tight = log_probs(loaded.model, prompt_builder, samples)
        padded = log_probs(loaded.model, prompt_builder, samples, 128)
    torch.testing.assert_close(tight, padded, rtol=EXACT, atol=1e-14)


def test_float32_agrees_with_float64(prompt_builder: PromptBuilder, loaded: models.Loaded, photos: list[Photo]) -> None:
    samples = mixed_samples(prompt_builder, photos[:2])
    with torch.no_grad():
        exact = log_probs(loaded.model, prompt_builder, samples)
        rough = log_probs(loaded.model.float(), prompt_builder, samples)
    torch.testing.assert_close(rough.double(), exact, rtol=1e-4, atol=1e-6)


def test_changed_settings_reach_the_question(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    photo = photos[0]
    queries = [ObjectQuery(photo.objects[0].box_xyxy, photo.objects[0].object_type)]
    texts = set()
    for spatial in (False, True):
        for position in (False, True):
            enhance = replace(settings.enhance, spatial_reasoning=spatial, position_encoding=position)
            prompt_builder.settings = replace(settings, enhance=enhance)
            texts.add(prompt_builder.sample(photo.path, prompt_builder.boxes(photo), queries).questions[0].token_ids)
    assert len(texts) == 4
