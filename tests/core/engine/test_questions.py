"""Questions as tokens: exactly the chat template's, blind to every condition, with answers that cannot be confused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from transformers import Qwen2Tokenizer

from core.data.types import BoxedObject, Photo
from core.engine.questions import ObjectQuery, PromptBuilder, mirrored_box
from core.engine.scoring import queries_about
from core.engine.training.data import TrainingDataset
from core.engine.vision import Patches
from core.errors import UserError
from core.prompts import answers
from core.settings import Settings, merge
from core.taxonomy import Taxonomy

VIEWS = ("full", "full+crop", "crop")


def with_conditions(photo: Photo, taxonomy: Taxonomy, shift: int) -> Photo:
    """The photo with the `shift`-th next allowed condition in every object."""

    def turned(obj: BoxedObject) -> BoxedObject:
        allowed = taxonomy.allowed[obj.object_type]
        return replace(obj, condition=allowed[(allowed.index(obj.condition) + shift) % len(allowed)])

    return replace(photo, objects=tuple(turned(obj) for obj in photo.objects))


def equal_pixels(patches: Patches | None, other: Patches | None) -> bool:
    if patches is None or other is None:
        return patches is other
    return patches.grid_thw == other.grid_thw and patches.values.tobytes() == other.values.tobytes()


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("kind", ["condition", "class"])
def test_a_question_does_not_change_with_any_true_condition(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings, taxonomy: Taxonomy, view: str, kind: str
) -> None:
    prompt_builder.settings = replace(settings, view=replace(settings.view, mode=view))
    photo = photos[1]
    seen = []
    for shift in range(3):
        other = with_conditions(photo, taxonomy, shift)
        sample = prompt_builder.sample(other.path, prompt_builder.boxes(other), queries_about(other, kind))
        seen.append((sample, prompt_builder.batch([sample])))
    assert with_conditions(photo, taxonomy, 1).objects != photo.objects
    first_sample, first_batch = seen[0]
    for sample, batch in seen[1:]:
        assert sample.head_ids == first_sample.head_ids
        assert equal_pixels(sample.photo, first_sample.photo)
        for mine, its in zip(sample.questions, first_sample.questions, strict=True):
            assert (mine.token_ids, mine.answers) == (its.token_ids, its.answers)
            assert equal_pixels(mine.crop, its.crop)
        assert {key: value.numpy().tobytes() for key, value in batch.items()} == {
            key: value.numpy().tobytes() for key, value in first_batch.items()
        }


def test_in_training_only_the_answer_leaf_knows_the_condition(
    prompt_builder: PromptBuilder, photos: list[Photo], taxonomy: Taxonomy, settings: Settings
) -> None:
    """Everything that the model sees before it answers stays the same to the byte."""
    photo = next(candidate for candidate in photos if len({thing.condition for thing in candidate.objects}) > 1)
    changed = with_conditions(photo, taxonomy, 1)
    samples = []
    for shown in (photo, changed):
        training_data = TrainingDataset([shown], prompt_builder, settings)
        samples.append(training_data.sample(training_data.order(0)[0]))
    assert [question.token_ids for question in samples[0].questions] == [
        question.token_ids for question in samples[1].questions
    ]
    assert [question.answers for question in samples[0].questions] != [
        question.answers for question in samples[1].questions
    ]
    rows = [prompt_builder.packer.row([sample]) for sample in samples]
    # Segments whose parent is the head are questions; those below them are answers.
    reported = [
        [token for token, segment in zip(row.ids, row.segments, strict=True) if row.parents[segment] <= 0]
        for row in rows
    ]
    assert reported[0] == reported[1]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_the_cut_question_equals_the_whole_template_tokenised_at_once(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings, tokenizer: Qwen2Tokenizer, view: str
) -> None:
    prompt_builder.settings = replace(settings, view=replace(settings.view, mode=view))
    photo = photos[1]
    pictures = 2 if view == "full+crop" else 1
    for query in queries_about(photo, "condition") + queries_about(photo, "class"):
        sample = prompt_builder.sample(photo.path, prompt_builder.boxes(photo), [query])
        cut = [*sample.head_ids, *sample.questions[0].token_ids]
        text = tokenizer.decode(sample.questions[0].token_ids).split("<|vision_end|>")[-1].split("<|im_end|>")[0]
        chat = [{"role": "user", "content": [{"type": "image"}] * pictures + [{"type": "text", "text": text}]}]
        whole = tokenizer.apply_chat_template(chat, tokenize=True, add_generation_prompt=True, return_dict=True)
        assert cut == list(whole["input_ids"])
        assert cut.count(prompt_builder.packer.image_pad_id) == pictures


def test_every_question_about_a_photo_shares_its_head(prompt_builder: PromptBuilder, photos: list[Photo]) -> None:
    photo = photos[1]
    heads = {
        prompt_builder.sample(photo.path, prompt_builder.boxes(photo), [query]).head_ids
        for query in queries_about(photo, "condition")
    }
    assert len(heads) == 1


def test_no_answer_begins_another_so_none_can_be_confused(prompt_builder: PromptBuilder, taxonomy: Taxonomy) -> None:
    for object_type in (None, *taxonomy.object_types):
        listed = [prompt_builder.answer_ids(answer) for answer in answers(object_type, taxonomy)]
        assert len(set(listed)) == len(listed)
        for query in listed:
            assert query[-1] == prompt_builder.end
            assert prompt_builder.end not in query[:-1]
            assert not any(other[: len(query)] == query for other in listed if other is not query)


def test_an_answers_tokens_spell_the_answer(
    prompt_builder: PromptBuilder, taxonomy: Taxonomy, tokenizer: Qwen2Tokenizer
) -> None:
    for answer in (*taxonomy.class_names, *taxonomy.conditions):
        assert tokenizer.decode(prompt_builder.answer_ids(answer)) == f"{answer}<|im_end|>"


def test_the_other_boxes_are_all_but_one_copy_of_the_asked_one(
    prompt_builder: PromptBuilder, photos: list[Photo]
) -> None:
    box, path = (0.1, 0.1, 0.3, 0.3), photos[0].path

    def words(boxes: Sequence[tuple[float, float, float, float]]) -> str:
        return str(
            prompt_builder.tokenizer.decode(
                prompt_builder.sample(path, boxes, [ObjectQuery(box, "rock toe")]).questions[0].token_ids
            )
        )

    assert "No other boxes." in words([box])
    assert "No other boxes." in words([])
    assert "Of 1 other boxes 0 lie above it, 1 overlap it." in words([box, box])


def test_a_mirrored_box_lies_on_the_other_side_and_mirrors_back() -> None:
    box = (0.125, 0.25, 0.375, 0.5)
    assert mirrored_box(box) == (0.625, 0.25, 0.875, 0.5)
    assert mirrored_box(mirrored_box(box)) == box


@pytest.mark.parametrize("view", VIEWS)
def test_a_mirrored_question_is_the_question_about_the_mirrored_photo(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings, tmp_path: Path, view: str
) -> None:
    """Boxes, neighbours and pixels turn together: mirroring the file and its boxes by hand gives the same question."""
    prompt_builder.settings = replace(settings, view=replace(settings.view, mode=view, crop_margin=0.25))
    prompt_builder.image_encoder.view = prompt_builder.settings.view
    path = tmp_path / "mirrored.png"
    straight = tmp_path / "straight.png"
    with Image.open(photos[0].path) as image:
        image.convert("RGB").save(straight)
        ImageOps.mirror(image.convert("RGB")).save(path)
    # Eighths of a photo of 192 pixels, so that a mirrored crop's edges fall on the same pixels.
    boxes = [(0.125, 0.25, 0.375, 0.5), (0.5, 0.25, 0.75, 0.625)]
    queries = [ObjectQuery(box, "rock toe") for box in boxes]
    turned = prompt_builder.sample(straight, boxes, queries, mirrored=True)
    by_hand = prompt_builder.sample(
        path, [mirrored_box(box) for box in boxes], [ObjectQuery(mirrored_box(box), "rock toe") for box in boxes]
    )
    assert [question.token_ids for question in turned.questions] == [
        question.token_ids for question in by_hand.questions
    ]
    assert equal_pixels(turned.photo, by_hand.photo)
    for mine, its in zip(turned.questions, by_hand.questions, strict=True):
        assert equal_pixels(mine.crop, its.crop)
    plain = prompt_builder.sample(straight, boxes, queries)
    assert plain.questions[0].token_ids != turned.questions[0].token_ids or view == "crop"
    assert not equal_pixels(plain.photo or plain.questions[0].crop, turned.photo or turned.questions[0].crop)


def test_a_tokenizer_without_qwens_special_tokens_is_refused(
    prompt_builder: PromptBuilder, settings: Settings, taxonomy: Taxonomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Foreign:
        pad_token_id = unk_token_id = 0

        def convert_tokens_to_ids(self, text: str) -> int:
            return 0

    loaded = type(
        "Foreign",
        (),
        {
            "tokenizer": Foreign(),
            "processor": prompt_builder.image_encoder.processor,
            "family": "qwen2_vl",
            "device": torch.device("cpu"),
        },
    )()
    with pytest.raises(UserError, match="the tokenizer lacks"):
        PromptBuilder(loaded, settings, taxonomy)


def test_the_box_in_the_question_is_that_of_the_resized_photo(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    prompt_builder.settings = merge(settings, {"view.mode": "full"})
    prompt_builder.box_unit = "resized pixels"
    sample = prompt_builder.sample(photos[0].path, [], [ObjectQuery((0.0, 0.0, 1.0, 1.0), "rock toe")])
    assert sample.photo is not None
    wide, high = sample.photo.grid_thw[2] * 14, sample.photo.grid_thw[1] * 14
    assert f"[0, 0, {wide}, {high}]" in prompt_builder.tokenizer.decode(sample.questions[0].token_ids)
    assert np.prod(sample.photo.grid_thw) == len(sample.photo.values)
