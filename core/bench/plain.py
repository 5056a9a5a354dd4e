"""One question per sequence on transformers' Trainer: what a careful script does, written the way scripts are."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch.utils.data import Dataset
from transformers import Trainer, TrainingArguments

from core.bench.beat import Beat
from core.bench.measure import Job
from core.bench.subjects import BenchQuestion, Subject, lora_on, measured, plain_arguments
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
    """The image processor's least and greatest area: crops are enlarged to more than half of what they may have."""
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
        seen = [
            self.processor(images=[picture], size=limits_px(self.view, place > 0, self.unit), return_tensors="pt")
            for place, picture in enumerate(pictures(question))
        ]
        return {key: torch.cat([view[key] for view in seen]) for key in ("pixel_values", "image_grid_thw")}

    def written(self, question: BenchQuestion, images: int) -> str:
        content = [{"type": "image"}] * images + [{"type": "text", "text": question.text}]
        chat = [{"role": "user", "content": content}]
        return str(self.tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))

    def prompt(self, question: BenchQuestion) -> Example:
        """`input_ids` (T,), `pixel_values` (N, C) and `image_grid_thw` (images, 3) of a question without its answer."""
        found = self.images(question)
        parts = self.written(question, len(found["image_grid_thw"])).split("<|image_pad|>")
        text = parts[0]
        for grid, part in zip(found["image_grid_thw"], parts[1:], strict=True):
            text += "<|image_pad|>" * (int(grid.prod()) // int(self.processor.merge_size) ** 2) + part
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found | {"input_ids": torch.tensor(ids)}

    def example(self, question: BenchQuestion, answer: str) -> Example:
        """A prompt with its answer and the end token; `labels` (T,) leave out everything else."""
        found = self.prompt(question)
        told = torch.tensor(self.tokenizer(answer + "<|im_end|>", add_special_tokens=False)["input_ids"])
        labels = torch.cat([torch.full_like(found["input_ids"], IGNORED), told])
        return found | {"input_ids": torch.cat([found["input_ids"], told]), "labels": labels}

    def collate(self, examples: Sequence[Example]) -> Example:
        """Examples padded on the right: `input_ids`, `attention_mask`, `labels`, `mm_token_type_ids` (B, T), images."""
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
    """Every question with its true answer, opened and encoded when it is asked for."""

    def __init__(self, questions: Sequence[BenchQuestion], encoder: Encoder) -> None:
        self.questions, self.encoder = questions, encoder

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, index: int) -> Example:
        question = self.questions[index]
        return self.encoder.example(question, question.answer)


def train(job: Job, subject: Subject, beat: Beat) -> None:
    """Training steps until the beat says no."""
    encoder = Encoder(subject.loaded, subject.settings.view)
    given = plain_arguments(subject, job)
    trainer = Trainer(
        model=lora_on(subject),
        args=TrainingArguments(**given),
        data_collator=encoder.collate,
        train_dataset=Questions(subject.questions, encoder),
    )
    measured(trainer, given, job.batch, beat)
