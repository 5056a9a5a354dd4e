"""One question per sequence on transformers' Trainer: what a careful script does, written the way scripts are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from core.bench.measure import Job
from core.bench.step_meter import StepMeter
from core.bench.subjects import BenchQuestion, Subject, lora_on, plain_arguments, train_measured
from core.data.photos import open_photo
from core.engine.models import Loaded
from core.settings import ViewSettings

IGNORED = -100
Example = dict[str, torch.Tensor]


def pictures(question: BenchQuestion) -> list[Image.Image]:
    """The photo, and the crop if the question has one; the file is opened every time."""
    photo = open_photo(question.path)
    return [photo] if question.crop_px is None else [photo, photo.crop(question.crop_px)]


def limits_px(view: ViewSettings, is_crop: bool, unit: int) -> dict[str, int]:
    """The image processor's least and greatest area, in square pixels.

    Crops are enlarged to more than half of the greatest.

    Args:
        view: the settings of the view.
        is_crop: whether the picture is a crop, not the whole photo.
        unit: the side of a token, in pixels.
    """
    most = view.crop_px**2 if is_crop else view.photo_px**2
    least = int(most * 0.6) if is_crop else min(most, 4 * unit**2)
    return {"shortest_edge": max(least, unit**2), "longest_edge": max(most, unit**2)}


class Encoder:
    """Questions as the model's inputs."""

    def __init__(self, loaded: Loaded, view: ViewSettings) -> None:
        self.tokenizer, self.processor, self.view = loaded.tokenizer, loaded.processor, view
        self.unit = int(loaded.processor.patch_size * loaded.processor.merge_size)
        self.image_pad = int(loaded.tokenizer.convert_tokens_to_ids("<|image_pad|>"))

    def images(self, question: BenchQuestion) -> Example:
        """The question's pictures as the processor returns them.

        Returns:
            `pixel_values` (patches, channels) float32 and `image_grid_thw` (images, 3) int64.
        """
        processed = [
            self.processor(images=[picture], size=limits_px(self.view, place > 0, self.unit), return_tensors="pt")
            for place, picture in enumerate(pictures(question))
        ]
        return {key: torch.cat([view[key] for view in processed]) for key in ("pixel_values", "image_grid_thw")}

    def chat_text(self, question: BenchQuestion, images: int) -> str:
        """The chat as text, with a place for each image, up to where the answer begins."""
        content = [{"type": "image"}] * images + [{"type": "text", "text": question.text}]
        chat = [{"role": "user", "content": content}]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def prompt(self, question: BenchQuestion) -> Example:
        """A question without its answer.

        Returns:
            `input_ids` (tokens,), `pixel_values` (patches, channels) and `image_grid_thw` (images, 3).
        """
        found = self.images(question)
        parts = self.chat_text(question, len(found["image_grid_thw"])).split("<|image_pad|>")
        text = parts[0]
        for grid, part in zip(found["image_grid_thw"], parts[1:], strict=True):
            text += "<|image_pad|>" * (int(grid.prod()) // int(self.processor.merge_size) ** 2) + part
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found | {"input_ids": torch.tensor(ids)}

    def example(self, question: BenchQuestion, answer: str) -> Example:
        """A question with its answer and the end token.

        Returns:
            What `prompt` returns, and `labels` (tokens,): IGNORED outside the answer.
        """
        found = self.prompt(question)
        answer_ids = torch.tensor(self.tokenizer(answer + "<|im_end|>", add_special_tokens=False)["input_ids"])
        labels = torch.cat([torch.full_like(found["input_ids"], IGNORED), answer_ids])
        return found | {"input_ids": torch.cat([found["input_ids"], answer_ids]), "labels": labels}

    def collate(self, examples: Sequence[Example]) -> Example:
        """A batch of examples, padded on the right.

        Returns:
            `input_ids`, `attention_mask`, `mm_token_type_ids` and, where the examples have them, `labels`, (batch,
            tokens) int64 each; `pixel_values` and `image_grid_thw` of all images, one after another.
        """
        pad = self.tokenizer.pad_token_id
        fills = {"input_ids": pad, "labels": IGNORED}
        batch = {
            key: torch.nn.utils.rnn.pad_sequence([example[key] for example in examples], True, fill)
            for key, fill in fills.items()
            if key in examples[0]
        }
        lengths = torch.tensor([len(example["input_ids"]) for example in examples])
        batch["attention_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        batch["mm_token_type_ids"] = (batch["input_ids"] == self.image_pad).long()
        for key in ("pixel_values", "image_grid_thw"):
            batch[key] = torch.cat([example[key] for example in examples])
        return batch


class Questions(Dataset[Example]):
    """Every question with its true answer, opened and encoded on access."""

    def __init__(self, questions: Sequence[BenchQuestion], encoder: Encoder) -> None:
        self.questions, self.encoder = questions, encoder

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        question = self.questions[index]
        return self.encoder.example(question, question.answer)


def train(job: Job, subject: Subject, meter: StepMeter) -> None:
    """Train until the meter ends it."""
    encoder = Encoder(subject.loaded, subject.settings.view)
    given = plain_arguments(subject, job)
    trainer = Trainer(
        model=lora_on(subject),
        args=TrainingArguments(**given),
        data_collator=encoder.collate,
        train_dataset=Questions(subject.questions, encoder),
    )
    train_measured(trainer, given, job.batch, meter)
