"""Do the variants compute the same? Answers' log-probabilities of the plain forward against damgui's, before timing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from core.bench.measure import Job
from core.bench.ours import prompt_builder_of
from core.bench.plain import Encoder
from core.bench.step_meter import StepMeter
from core.bench.subjects import BenchQuestion, Subject
from core.engine.scoring import PhotoQueries, judge, queries_about
from core.errors import UserError

TOLERANCE = 1e-4


def closed_log_probs(whole: torch.Tensor, ids: Sequence[Sequence[int]]) -> torch.Tensor:
    """Log-probability of each answer as a chain of choices among the allowed ones.

    At every place of an answer its token competes with the tokens with which other answers that began alike go on.

    Args:
        whole: (answers, answers, places) log-probabilities over the whole vocabulary: along the path of one answer,
            those of another's token.
        ids: the tokens of each answer, its end token included.

    Returns:
        (answers,) of the same dtype.
    """
    found = torch.zeros(len(ids), dtype=whole.dtype)
    for own, path in enumerate(ids):
        for place in range(len(path)):
            rivals = {other[place]: k for k, other in enumerate(ids) if other[:place] == path[:place]}
            logs = torch.stack([whole[own, k, place] for k in rivals.values()])
            found[own] += whole[own, own, place] - logs.logsumexp(0)
    return found


@torch.no_grad()
def plain_log_probs(subject: Subject, encoder: Encoder, question: BenchQuestion) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the allowed answers by the plain forward over full logits.

    Args:
        subject: holds the model.
        encoder: of the same model.
        question: with its allowed answers.

    Returns:
        (open, closed), (answers,) float64 each: among all texts, and among the allowed answers.
    """
    model = subject.loaded.model
    ids = [
        [*encoder.tokenizer(answer + "<|im_end|>", add_special_tokens=False)["input_ids"]]
        for answer in question.allowed
    ]
    batch = encoder.collate([encoder.example(question, answer) for answer in question.allowed])
    labels = batch.pop("labels")
    start = int((labels[0] != -100).nonzero()[0]) - 1
    logits = model(**{key: value.to(model.device) for key, value in batch.items()}, use_cache=False).logits
    logs = torch.log_softmax(logits[:, start:].double().cpu(), -1)
    longest = max(map(len, ids))
    whole = torch.full((len(ids), len(ids), longest), -torch.inf, dtype=torch.float64)
    for own in range(len(ids)):
        for other, path in enumerate(ids):
            whole[own, other, : len(path)] = logs[own, torch.arange(len(path)), torch.tensor(path)]
    free = torch.stack([whole[own, own, : len(path)].sum() for own, path in enumerate(ids)])
    return free, closed_log_probs(whole, ids)


def compare(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Compare the answers' log-probabilities about one photo, both ways, and report the greatest difference.

    Args:
        job: names the settings and the photos.
        subject: model, photos and questions; the first photo with objects is asked about.
        meter: takes the difference.

    Raises:
        UserError: they differ by more than TOLERANCE.
    """
    encoder = Encoder(subject.loaded, subject.settings.view)
    photo = next(photo for photo in subject.photos if photo.objects)
    prompt_builder, _ = prompt_builder_of(job, subject, subject.loaded.model, [(False, 0)])
    queries = PhotoQueries(photo.path, prompt_builder.boxes(photo), queries_about(photo, "condition"))
    predictions = judge(subject.loaded.model, prompt_builder, queries)
    worst = 0.0
    for question, prediction in zip(subject.questions, predictions, strict=False):
        free, closed = plain_log_probs(subject, encoder, question)
        ours = torch.tensor([prediction.log_probs[answer] for answer in question.allowed], dtype=torch.float64)
        worst = max(worst, float(((closed if prompt_builder.closed else free) - ours).abs().max()))
    if not worst <= TOLERANCE:
        raise UserError(
            f"the plain forward and damgui's differ by {worst:.2g} nats in an answer's log-probability",
            job.model,
            "Nothing was timed: a comparison of different work says nothing. Please report it.",
            "bench",
        )
    meter.begin(difference=worst, questions=len(predictions), answers="closed" if prompt_builder.closed else "free")
    meter(questions=len(predictions))
