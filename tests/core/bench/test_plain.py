"""A bench that compares different work is worthless: the plain variants and ours ask, and compute, the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from core.bench import check, ours, plain
from core.bench.measure import Job
from core.bench.plain import Encoder
from core.bench.subjects import Subject, lora_on
from core.engine.packing import answer_log_probs
from core.engine.questions import PromptBuilder
from core.engine.training.data import SampleKey, TrainingDataset
from core.errors import UserError

VIEWS = [
    {"view.mode": "full+crop"},
    {"view.mode": "full", "view.photo_px": 140},
    {"view.mode": "full+crop", "question.answers": "free"},
]


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_the_plain_forward_gives_our_log_probabilities(
    view: dict[str, object], make_subject: Callable[..., Subject], make_job: Callable[..., Job], counter: object
) -> None:
    subject = make_subject(view)
    check.compare(make_job("check", subject), subject, counter)  # type: ignore[arg-type]
    assert counter.ready["difference"] < 1e-8  # type: ignore[attr-defined]
    assert counter.ready["questions"] == len(subject.photos[0].objects)  # type: ignore[attr-defined]


def test_a_difference_stops_the_bench(
    make_subject: Callable[..., Subject], make_job: Callable[..., Job], counter: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = make_subject()
    subject.questions[0] = subject.questions[1]
    with pytest.raises(UserError, match="differ by"):
        check.compare(make_job("check", subject), subject, counter)  # type: ignore[arg-type]


def test_closed_log_probabilities_are_choices_among_the_tokens_that_may_follow() -> None:
    # Two answers "a c" and "a d" and a third "b": first a or b, then c or d; the vocabulary holds other tokens too.
    ids = [[0, 2], [0, 3], [1]]
    first, second = torch.tensor([0.5, 0.125]).log(), torch.tensor([0.2, 0.6]).log()
    whole = torch.full((3, 3, 2), -torch.inf, dtype=torch.float64)
    whole[:, :, 0] = torch.stack([first[0], first[0], first[1]])
    whole[0, :2, 1] = whole[1, :2, 1] = second
    wanted = [0.8 * 0.25, 0.8 * 0.75, 0.2]
    assert check.closed_log_probs(whole, ids).exp().tolist() == pytest.approx(wanted)


def test_a_plain_step_and_ours_have_the_same_loss_and_gradient(make_subject: Callable[..., Subject]) -> None:
    subject = make_subject({"question.answers": "free"})
    model = lora_on(subject).double()
    with torch.no_grad():
        for name, gradient in model.named_parameters():
            if "lora_B" in name:
                gradient.normal_(0, 0.1)
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    prompt_builder = PromptBuilder(subject.loaded, subject.settings, subject.taxonomy)
    training_data = TrainingDataset(subject.photos[:1], prompt_builder, subject.settings)
    (batch,) = prompt_builder.batches([training_data.sample(SampleKey(0, 0, 0, 0))])
    mine = -answer_log_probs(model, batch).sum()
    questions = subject.questions[: len(subject.photos[0].objects)]
    encoder = Encoder(subject.loaded, subject.settings.view)
    plain_batch = encoder.collate([encoder.example(question, question.answer) for question in questions])
    answer_tokens = int((plain_batch["labels"] != plain.IGNORED).sum())
    theirs = model(**plain_batch).loss * answer_tokens
    assert mine.item() == pytest.approx(theirs.item(), rel=1e-6)
    # Hand-made: transformers computes its loss in float32 whatever the model, so gradients agree to that.
    for gradient, expected in zip(
        torch.autograd.grad(mine, learned), torch.autograd.grad(theirs, learned), strict=True
    ):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("variant", ["plain", "packed", "cached"])
def test_a_variant_trains_until_it_is_told_to_stop(
    variant: str, make_subject: Callable[..., Subject], make_job: Callable[..., Job], counter: object
) -> None:
    subject = make_subject({"training.batch_size": 1, "training.accumulation": 1})
    subject.loaded.model.float()
    subject.loaded.fingerprint = "tiny"
    train = plain.train if variant == "plain" else ours.train
    train(make_job(variant, subject, batch=2), subject, counter)  # type: ignore[arg-type]
    first, last = counter.calls  # type: ignore[attr-defined]
    assert 0 < first["questions"] < last["questions"]


def test_trl_is_handed_the_same_tokens_labels_and_pictures(make_subject: Callable[..., Subject]) -> None:
    pytest.importorskip("trl", reason="TRL is not installed: pip install .[bench]")
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    from core.bench import trl

    subject = make_subject({"view.photo_px": 112, "view.crop_px": 112})
    collator = DataCollatorForVisionLanguageModeling(trl.processor_of(subject), completion_only_loss=True)
    rows = trl.rows(subject)
    theirs = collator([rows[0], rows[1]])
    encoder = Encoder(subject.loaded, subject.settings.view)
    mine = encoder.collate([encoder.example(question, question.answer) for question in subject.questions[:2]])
    for key in ("image_grid_thw", "pixel_values"):
        torch.testing.assert_close(theirs[key], mine[key])
    for row in range(2):
        kept, wanted = int(mine["attention_mask"][row].sum()), int(theirs["attention_mask"][row].sum())
        assert wanted == kept + 1  # the template writes a line break after the end token, and TRL learns it too
        for key in ("input_ids", "labels", "mm_token_type_ids"):
            assert theirs[key][row, :kept].tolist() == mine[key][row, :kept].tolist()
