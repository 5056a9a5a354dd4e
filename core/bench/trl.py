"""The same questions on TRL's SFTTrainer, handed to it as its manual describes: prompt, completion and pictures."""

from __future__ import annotations

from typing import Any

import torch
from transformers.processing_utils import ProcessorMixin

from core.bench.measure import Job
from core.bench.plain import limits_px, pictures
from core.bench.step_meter import StepMeter
from core.bench.subjects import Subject, Unavailable, lora_on, plain_arguments, train_measured

MISSING = "not installed: pip install .[bench]"


class ImageOnly(ProcessorMixin):
    """Qwen2-VL's processor without its part for videos, which needs a library that has no build for CPUs."""

    return_mm_token_type_ids = True

    def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None) -> None:
        self.image_token = "<|image_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def replace_image_token(self, image_inputs: dict[str, Any], image_idx: int, **_: Any) -> str:
        """The placeholder tokens of one image: one for each merged patch. Called by the processor."""
        patches = int(image_inputs["image_grid_thw"][image_idx].prod())
        return self.image_token * (patches // int(self.image_processor.merge_size) ** 2)


def rows(subject: Subject) -> Any:
    """A datasets.Dataset that opens the pictures when a row is read."""
    from datasets import Dataset

    def opened(numbers: dict[str, list[int]]) -> dict[str, list[Any]]:
        questions = [subject.questions[number] for number in numbers["number"]]
        return {
            "images": [pictures(question) for question in questions],
            "prompt": [[{"role": "user", "content": question.text}] for question in questions],
            "completion": [[{"role": "assistant", "content": question.answer}] for question in questions],
        }

    return Dataset.from_dict({"number": list(range(len(subject.questions)))}).with_transform(opened)


def processor_of(subject: Subject) -> ImageOnly:
    """The processor with this view's limits.

    It has one pair of them for photo and crop; a crop's least area serves for both, since a photo is larger than that.

    Raises:
        Unavailable: photo and crop are shown in two sizes.
    """
    view, images = subject.settings.view, subject.loaded.processor
    if view.mode == "full+crop" and view.photo_px != view.crop_px:
        raise Unavailable("not comparable: TRL shows photo and crop in one size")
    unit = int(images.patch_size * images.merge_size)
    images.size = {**limits_px(view, view.mode == "full+crop", unit)}
    return ImageOnly(images, subject.loaded.tokenizer, subject.loaded.tokenizer.chat_template)


def train(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Train until the meter ends it.

    Raises:
        Unavailable: TRL is not installed.
    """
    try:
        from trl import SFTConfig, SFTTrainer
    except ImportError as error:
        raise Unavailable(MISSING) from error
    given = plain_arguments(subject, job)
    if subject.loaded.model.dtype != torch.bfloat16:
        given["bf16"] = False
    trainer = SFTTrainer(
        model=lora_on(subject),
        args=SFTConfig(**given, max_length=None),
        train_dataset=rows(subject),
        processing_class=processor_of(subject),
    )
    train_measured(trainer, given, job.batch, meter)
