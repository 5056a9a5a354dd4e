"""Which questions are learned from: every object once an epoch, in an order that follows from seed and epoch alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.data.types import Photo
from core.engine.questions import PromptBuilder
from core.engine.samples import PackedSample
from core.engine.training.class_balance import class_weights
from core.engine.training.data import EpochSampler, SampleKey, TrainingDataset
from core.errors import UserError
from core.settings import Settings, merge
from core.taxonomy import Taxonomy


def dataset_of(
    photos: Sequence[Photo], prompt_builder: PromptBuilder, settings: Settings, **changes: object
) -> TrainingDataset:
    return TrainingDataset(
        photos, prompt_builder, merge(settings, {key.replace("__", "."): value for key, value in changes.items()})
    )


def answers_of(prompt_builder: PromptBuilder, sample: PackedSample) -> list[str]:
    return [prompt_builder.tokenizer.decode(question.answers[0].token_ids[:-1]) for question in sample.questions]


@pytest.mark.parametrize(
    ("size", "sequences"), [(0, [1] * 5), (1, [3, 8, 3, 7, 6]), (3, [1, 3, 1, 3, 2]), (99, [1] * 5)]
)
def test_an_epoch_asks_about_every_object_once_however_it_is_cut(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings, size: int, sequences: list[int]
) -> None:
    training_data = dataset_of(
        photos, prompt_builder, settings, training__questions_per_sequence=size, question__class_share=1
    )
    order = training_data.order(0)
    assert len(training_data) == len(order) == len(set(order)) == sum(sequences)
    assert Counter(key.photo for key in order) == dict(enumerate(sequences))
    reported = Counter(answer for key in order for answer in answers_of(prompt_builder, training_data.sample(key)))
    there = Counter(
        prompt_builder.taxonomy.class_name(obj.object_type, obj.condition) for p in photos for obj in p.objects
    )
    assert reported == there


def test_the_order_follows_from_seed_and_epoch_alone(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos, prompt_builder, settings)
    again = dataset_of(photos, prompt_builder, settings)
    places = [[(key.photo, key.start) for key in training_data.order(epoch)] for epoch in range(6)]
    again.order(5)
    assert training_data.order(3) == again.order(3)
    assert len({tuple(order) for order in places}) > 1
    assert all(sorted(order) == sorted(places[0]) for order in places)
    other = dataset_of(photos, prompt_builder, settings, training__seed=1)
    assert [other.order(epoch) for epoch in range(6)] != [training_data.order(epoch) for epoch in range(6)]
    sampler = EpochSampler(training_data)
    assert list(sampler) == training_data.order(0)
    sampler.set_epoch(4)
    assert list(sampler) == training_data.order(4)
    assert len(sampler) == len(training_data)


def test_a_sample_follows_from_its_key_alone(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos, prompt_builder, settings, question__class_share=0.5, training__flip=True)
    keys = training_data.order(2)
    before = [[question.token_ids for question in training_data.sample(key).questions] for key in keys]
    after = [[question.token_ids for question in training_data.sample(key).questions] for key in reversed(keys)]
    assert before == after[::-1]
    elsewhere = [
        [question.token_ids for question in training_data.sample(replace(key, epoch=3)).questions] for key in keys
    ]
    assert before != elsewhere


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.25, 0.15, 0.35)])
def test_the_share_of_class_questions_is_as_asked(
    prompt_builder: PromptBuilder,
    photos: list[Photo],
    settings: Settings,
    taxonomy: Taxonomy,
    share: float,
    low: float,
    high: float,
) -> None:
    # Free answers: every object is asked about, one with a single allowed condition too.
    prompt_builder.closed = False
    training_data = dataset_of(photos, prompt_builder, settings, question__class_share=share)
    samples = [training_data.sample(key) for epoch in range(12) for key in training_data.order(epoch)]
    reported = [answer for sample in samples for answer in answers_of(prompt_builder, sample)]
    assert len(reported) == 12 * 27
    assert low <= sum(answer in taxonomy.class_names for answer in reported) / len(reported) <= high


def test_every_leaf_carries_its_classs_weight(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos, prompt_builder, settings)
    weights = class_weights(photos, settings.enhance, prompt_builder.taxonomy)
    prompt_builder.closed = False
    assert len(set(weights.values())) > 1
    for index, photo in enumerate(photos):
        sample = training_data.sample(SampleKey(0, index, 0, 0))
        assert [question.answers[0].weight for question in sample.questions] == [
            weights[(obj.object_type, obj.condition)] for obj in photo.objects
        ]
        assert all(len(question.answers) == 1 for question in sample.questions)


def test_flip_mirrors_half_of_the_samples_and_only_when_asked(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    straight = {
        index: prompt_builder.image_encoder.photo(photo.path).values.tobytes() for index, photo in enumerate(photos)
    }
    mirrored = {
        index: prompt_builder.image_encoder.photo(photo.path, True).values.tobytes()
        for index, photo in enumerate(photos)
    }
    for flip in (False, True):
        training_data = dataset_of(photos, prompt_builder, settings, training__flip=flip)
        seen = Counter()
        for epoch in range(12):
            for key in training_data.order(epoch):
                sample = training_data.sample(key)
                assert sample.photo is not None
                pixels = sample.photo.values.tobytes()
                assert pixels in (straight[key.photo], mirrored[key.photo])
                seen["mirrored" if pixels == mirrored[key.photo] else "straight"] += 1
        assert seen["straight"] + seen["mirrored"] == 60
        assert (seen["mirrored"] == 0) != flip
        assert not flip or 18 <= seen["mirrored"] <= 42


def test_oversampled_photos_come_more_often_and_differently(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos, prompt_builder, settings, enhance__oversampling=True, question__class_share=0.5)
    seen = Counter(key.photo for key in training_data.order(0))
    assert len(training_data) > len(photos)
    assert set(seen) == set(range(5))
    often = seen.most_common(1)[0][0]
    question_sets = {
        tuple(question.token_ids for question in training_data.sample(key).questions)
        for epoch in range(4)
        for key in training_data.order(epoch)
        if key.photo == often
    }
    assert len(question_sets) > 4


def test_photos_without_objects_teach_nothing(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    empty = replace(photos[0], objects=())
    assert len(dataset_of([empty, *photos], prompt_builder, settings)) == len(photos)


def test_what_teaches_nothing_is_not_asked_unless_nothing_else_is(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings, taxonomy: Taxonomy
) -> None:
    """Vegetation has one condition: as a choice among one, its question has no loss."""
    lonely = replace(photos[0], objects=(replace(photos[0].objects[0], object_type="vegetation", condition="normal"),))
    training_data = dataset_of([*photos, lonely], prompt_builder, settings, question__class_share=0)
    for key in training_data.order(0):
        open_ones = [
            obj for obj in training_data.photos[key.photo].objects if len(taxonomy.allowed[obj.object_type]) > 1
        ]
        assert len(training_data.sample(key).questions) == len(open_ones)
    (only,) = [key for key in training_data.order(0) if key.photo == len(photos)]
    (batch,) = training_data.pending([only]).batches()
    assert len(batch["answer_counts"]) == 1
    assert int(batch["allowed"].sum(1)[0]) > 1
    prompt_builder.closed = False
    assert len(training_data.sample(only).questions) == 1


def test_batches_made_ahead_are_those_made_on_demand(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(
        photos, prompt_builder, settings, question__class_share=0.5, training__flip=True, training__lights=3
    )
    keys = training_data.order(1)
    pending = [training_data.pending(keys[start : start + 2]) for start in (0, 2, 4)]
    assert [batch.photos for batch in pending] == [2, 2, 1]
    for start, batch in zip((0, 2, 4), pending, strict=True):
        now = prompt_builder.batches([training_data.sample(key) for key in keys[start : start + 2]])
        for mine, its in zip(batch.batches(), now, strict=True):
            assert {name: value.numpy().tobytes() for name, value in mine.items()} == {
                name: value.numpy().tobytes() for name, value in its.items()
            }


def test_what_goes_wrong_while_a_batch_is_made_is_told_where_it_is_used(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(
        [replace(photos[0], path=photos[0].path.with_name("gone.jpg"))], prompt_builder, settings
    )
    pending = training_data.pending(training_data.order(0))
    with pytest.raises(UserError, match="no such photo"):
        pending.batches()


def test_every_version_of_a_photo_is_seen_and_no_other(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos[:1], prompt_builder, settings, training__flip=True, training__lights=3)
    assert training_data.versions == [(False, 0), (True, 0), (False, 1), (True, 1), (False, 2), (True, 2)]
    assert training_data.upcoming_versions(60) == [(photos[:1], sorted(training_data.versions))]
    versions = {
        prompt_builder.image_encoder.photo(photos[0].path, *version).values.tobytes()
        for version in training_data.versions
    }
    assert len(versions) == 6
    seen = {
        training_data.sample(key).photo.values.tobytes() for epoch in range(60) for key in training_data.order(epoch)
    }  # type: ignore[union-attr]
    assert seen == versions


def test_the_versions_to_come_are_those_that_the_samples_show(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    training_data = dataset_of(photos, prompt_builder, settings, training__flip=True, training__lights=4)
    shown: dict[int, set[bytes]] = {}
    for epoch in range(2):
        for key in training_data.order(epoch):
            shown.setdefault(key.photo, set()).add(training_data.sample(key).photo.values.tobytes())  # type: ignore[union-attr]
    reported = training_data.upcoming_versions(2)
    assert [photo_path for (photo_path,), _ in reported] == photos
    for index, ((photo,), versions) in enumerate(reported):
        assert 1 <= len(versions) <= 2
        assert {
            prompt_builder.image_encoder.photo(photo.path, *version).values.tobytes() for version in versions
        } == shown[index]
