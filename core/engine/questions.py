"""Questions about a photo and its boxes, as the samples of tokens and images that a model is asked with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.boxes import BoxXyxy
from core.data.grey import range_of
from core.data.types import Photo
from core.engine.models import Loaded
from core.engine.packing import Batch, Packer
from core.engine.samples import Answer, PackedSample, Question
from core.engine.vision import ImageEncoder, ImageView
from core.errors import UserError
from core.families import FAMILIES
from core.prompts import PhotoContext, answers, question_text
from core.settings import Settings
from core.taxonomy import Taxonomy

# Texts whose tokens are remembered: a few kilobytes each, and each box has its own.
MOST_TEXTS = 10_000


@dataclass(frozen=True)
class ObjectQuery:
    """One question about a box.

    Attributes:
        box_xyxy: The box in fractions of the photo.
        object_type: With a type the condition is asked, with None the class.
        truth: In training, the only answer that is scored; without it every allowed answer is.
        weight: The weight of `truth` in the loss.
    """

    box_xyxy: BoxXyxy
    object_type: str | None
    truth: str | None = None
    weight: float = 1.0


def truth_of(object_type: str, condition: str, kind: str, taxonomy: Taxonomy) -> str:
    """Name the right answer to a question of `kind` (`condition` or `class`).

    Args:
        object_type: The object's true type.
        condition: Its true condition.
        kind: What is asked: `condition`, its type being given, or `class`, type and condition together.
        taxonomy: Names the classes.

    Returns:
        The answer as the model has to write it, such as "blocked" or "toe drain blocked".
    """
    return condition if kind == "condition" else taxonomy.class_name(object_type, condition)


def mirrored_box(box_xyxy: BoxXyxy) -> BoxXyxy:
    """The box (in fractions of the photo) on the photo mirrored left to right."""
    x1, y1, x2, y2 = box_xyxy
    return 1 - x2, y1, 1 - x1, y2


class PromptBuilder:
    """Writes questions for one model under one set of settings.

    Where answers are closed (see `packing`) the model is run within `models.closed_head(model, candidates)`.

    Args:
        loaded: The model, whose tokenizer and image processor are used.
        settings: What is shown and how it is asked.
        taxonomy: The answers that are allowed.

    Raises:
        UserError: The tokenizer lacks a special token of the model's family.
    """

    def __init__(self, loaded: Loaded, settings: Settings, taxonomy: Taxonomy) -> None:
        self.tokenizer, self.settings, self.taxonomy = loaded.tokenizer, settings, taxonomy
        self.closed = settings.question.answers == "closed"
        self.device = loaded.device
        family = FAMILIES[loaded.family]
        self.box_unit, self.conversation = family.box_unit, family.conversation
        self.image_encoder = ImageEncoder(
            loaded.processor, settings.view, grey_range=range_of(settings.data.grey_range)
        )
        self.end = self._token(self.conversation.answer_end)
        pad = loaded.tokenizer.pad_token_id
        self._texts: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self._answers: dict[str, tuple[int, ...]] = {}
        # Tokenizers are not made for two threads at once.
        self._lock = threading.RLock()
        words = {*taxonomy.class_names, *taxonomy.conditions} if self.closed else set()
        self.candidates = tuple(sorted({token for word in words for token in self.answer_ids(word)}))
        image_pad, pad = self._token(self.conversation.image_pad), self.end if pad is None else pad
        self.packer = Packer(image_pad, pad, self.image_encoder.merge, self.candidates)

    def _token(self, text: str) -> int:
        found = self.tokenizer.convert_tokens_to_ids(text)
        if not isinstance(found, int) or found == self.tokenizer.unk_token_id:
            raise UserError(f"the tokenizer lacks {text}", "model.path", "Use a Qwen-VL model.", "model")
        return found

    def sample(
        self,
        path: Path,
        boxes: Sequence[BoxXyxy],
        queries: Sequence[ObjectQuery],
        mirrored: bool = False,
        light: int = 0,
    ) -> PackedSample:
        """Write questions about one photo as one sample.

        Args:
            path: The photo.
            boxes: All its boxes in fractions of the photo, those asked about among them.
            queries: The questions.
            mirrored: Whether the photo and its boxes are mirrored left to right.
            light: In which of `vision.LIGHTS` it is shown.

        Raises:
            UserError: The photo cannot be read.
        """
        view = self.settings.view.mode
        photo = None if view == "crop" else self.image_encoder.photo(path, mirrored, light)
        context = PhotoContext(view, self.image_encoder.resized_wh(photo) if photo else (0, 0), self.box_unit)
        head: tuple[int, ...] = ()
        questions = []
        for query in queries:
            others = _without(boxes, query.box_xyxy)
            box = query.box_xyxy
            if mirrored:
                box, others = mirrored_box(box), [mirrored_box(other) for other in others]
            text = self._text(query.object_type, box, others, context)
            head, ids = self._tokens(text)
            crop = None if view == "full" else self.image_encoder.crop(path, box, mirrored, light)
            listed = tuple(self.answer_ids(answer) for answer in answers(query.object_type, self.taxonomy))
            if query.truth is not None:
                scored: tuple[Answer, ...] = (Answer(self.answer_ids(query.truth), query.weight),)
            else:
                scored = tuple(Answer(ids) for ids in listed)
            questions.append(Question(ids, scored, crop, listed if self.closed else None))
        return PackedSample(head, tuple(questions), photo)

    def text(self, photo: Photo, index: int, kind: str) -> str:
        """Write the question about one object in words, exactly as `sample` does; no photo is opened.

        Args:
            photo: The photo with its boxes and its size.
            index: The object's number on it, from 0.
            kind: `condition` or `class`.
        """
        obj, view = photo.objects[index], self.settings.view.mode
        resized_wh = (0, 0) if view == "crop" else self.image_encoder.resized(ImageView(photo.path), photo.size_wh)
        context = PhotoContext(view, resized_wh, self.box_unit)
        others = _without(self.boxes(photo), obj.box_xyxy)
        return self._text(obj.object_type if kind == "condition" else None, obj.box_xyxy, others, context)

    def _text(self, object_type: str | None, box: BoxXyxy, others: Sequence[BoxXyxy], context: PhotoContext) -> str:
        return question_text(object_type, box, others, context, self.settings.enhance, self.taxonomy)

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """An answer's tokens with the end token."""
        with self._lock:
            if answer not in self._answers:
                ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
                self._answers[answer] = (*ids, self.end)
            return self._answers[answer]

    def _tokens(self, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """A question in the model's own chat template, cut in two: what all questions share, and its own part."""
        with self._lock:
            return self._tokenised(text)

    def _tokenised(self, text: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if text not in self._texts:
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            pictures = 2 if self.settings.view.mode == "full+crop" else 1
            content = [{"type": "image"}] * pictures + [{"type": "text", "text": text}]
            chat = [{"role": "user", "content": content}]
            written = self.tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True, **self.conversation.template_arguments
            )
            # Cutting at a special token is exact: the tokenizer never merges across one.
            start, end = self.conversation.image_start, self.conversation.image_end
            cut = written.index(start) if self.settings.view.mode == "crop" else written.index(end) + len(end)
            head, own = (
                tuple(self.tokenizer(part, add_special_tokens=False)["input_ids"])
                for part in (written[:cut], written[cut:])
            )
            self._texts[text] = (head, own)
        return self._texts[text]

    def batch(self, samples: Sequence[PackedSample]) -> Batch:
        """Make one batch of tensors on the CPU (see `Packer.batch`)."""
        return self.packer.batch(samples, self._multiple)

    def batches(self, samples: Sequence[PackedSample]) -> list[Batch]:
        """Make batches of at most `training.tokens_per_pass` tokens, or a single row, on the CPU."""
        return self.packer.batches(samples, self._multiple, self.settings.training.tokens_per_pass)

    @property
    def _multiple(self) -> int:
        # cuDNN's and SDPA's fast paths like multiples of 128.
        return 128 if self.device.type == "cuda" else 1

    def boxes(self, photo: Photo) -> list[BoxXyxy]:
        """The boxes of all objects of a photo, in fractions of it."""
        return [obj.box_xyxy for obj in photo.objects]


def _without(boxes: Sequence[BoxXyxy], mine: BoxXyxy) -> list[BoxXyxy]:
    """The other boxes: one copy of `mine` left out."""
    others = list(boxes)
    if mine in others:
        others.remove(mine)
    return others
