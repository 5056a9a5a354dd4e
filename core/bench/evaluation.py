"""Evaluation: one generated answer per object and call, as scripts do it, or all questions of a photo in one pass."""

from __future__ import annotations

import torch

from core.bench.measure import Job
from core.bench.ours import prompt_builder_of
from core.bench.plain import Encoder
from core.bench.step_meter import StepMeter
from core.bench.subjects import Subject
from core.engine.scoring import TOGETHER, judge_photos


def longest_answer(encoder: Encoder, subject: Subject) -> int:
    """Tokens of the longest allowed answer, its end token included."""
    allowed = {answer for question in subject.questions for answer in question.allowed}
    return 1 + max(len(encoder.tokenizer(answer, add_special_tokens=False)["input_ids"]) for answer in allowed)


@torch.no_grad()
def generate(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Open the photo, process it, let the model write, compare the answer with what it wrote; object by object."""
    model, encoder = subject.loaded.model, Encoder(subject.loaded, subject.settings.view)
    most = longest_answer(encoder, subject)
    end, pad = encoder.tokenizer.eos_token_id, encoder.tokenizer.pad_token_id
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = end, pad
    questions = right = written = 0
    meter.begin(most_tokens=most)
    while True:
        for question in subject.questions:
            batch = encoder.collate([encoder.prompt(question)])
            batch = {key: value.to(model.device) for key, value in batch.items()}
            found = model.generate(**batch, max_new_tokens=most, do_sample=False, use_cache=True)
            new = found[0, batch["input_ids"].shape[1] :]
            text = encoder.tokenizer.decode(new, skip_special_tokens=True).strip()
            questions, right, written = questions + 1, right + (text == question.answer), written + len(new)
            if not meter(questions=questions, right=right, written=written):
                return


def judge(job: Job, subject: Subject, meter: StepMeter) -> None:
    """The evaluation of damgui, photo after photo."""
    model = subject.loaded.model
    prompt_builder, fill_s = prompt_builder_of(job, subject, model, [(False, 0)])
    questions = right = done = 0
    meter.begin(fill_s=round(fill_s, 3))
    while True:
        for _photo, rows, _loss in judge_photos(model, prompt_builder, subject.photos, "condition"):
            questions, right = questions + len(rows), right + sum(row["predicted"] == row["truth"] for row in rows)
            # Photos are judged some at a time, then reported one by one: a reading holds whole portions.
            done = (done + 1) % len(subject.photos)
            if (done % TOGETHER == 0 or done == 0) and not meter(questions=questions, right=right):
                return
