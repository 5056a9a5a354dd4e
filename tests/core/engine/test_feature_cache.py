"""Kept vision features are what the tower would give now, whoever wrote them and whatever happened to the files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from core.data.types import Photo
from core.engine import adapters, feature_cache, models
from core.engine.feature_cache import FeatureCache, image_views
from core.engine.packing import answer_log_probs
from core.engine.questions import PromptBuilder
from core.engine.samples import PackedSample
from core.engine.scoring import queries_about
from core.engine.vision import LIGHTS, ImageView, Patches, in_light
from core.families import FAMILIES
from core.runs import cache
from core.runs.workspace import Workspace
from core.settings import LoraSettings, Settings, merge

Trainings = Any  # of conftest.py
VERSIONS = ((False, 0), (True, 0))


@pytest.fixture
def kept(loaded: models.Loaded, prompt_builder: PromptBuilder, tmp_path: Path) -> FeatureCache:
    return FeatureCache(loaded, prompt_builder.image_encoder, tmp_path / "features")


def fill(kept: FeatureCache, photos: list[Photo], versions: tuple[tuple[bool, int], ...] = VERSIONS) -> int:
    """Compute what is missing; returns how many sights that were."""
    missing = kept.plan(photos, versions).missing
    for _ in kept.fill(missing, lambda: False):
        pass
    return len(missing)


def samples(prompt_builder: PromptBuilder, photos: list[Photo], mirrored: bool = False) -> list[PackedSample]:
    return [
        prompt_builder.sample(photo.path, prompt_builder.boxes(photo), queries_about(photo, "class")[:3], mirrored)
        for photo in photos
    ]


def files(kept: FeatureCache) -> list[Path]:
    assert kept.folder is not None
    return sorted(kept.folder.rglob("*.safetensors"))


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("view", ["full", "full+crop", "crop"])
def test_answers_by_kept_features_equal_those_by_pixels(
    loaded: models.Loaded, prompt_builder: PromptBuilder, kept: FeatureCache, photos: list[Photo], view: str
) -> None:
    prompt_builder.settings = replace(prompt_builder.settings, view=replace(prompt_builder.settings.view, mode=view))
    prompt_builder.image_encoder.view = prompt_builder.settings.view
    with torch.no_grad(), models.closed_head(loaded.model, prompt_builder.candidates):
        for mirrored in (False, True):
            by_pixels = answer_log_probs(
                loaded.model, prompt_builder.batch(samples(prompt_builder, photos[:3], mirrored))
            )
            prompt_builder.image_encoder.features = kept.features
            computed = prompt_builder.batch(samples(prompt_builder, photos[:3], mirrored))
            prompt_builder.image_encoder._known.clear()
            read = prompt_builder.batch(samples(prompt_builder, photos[:3], mirrored))
            prompt_builder.image_encoder.features = None
            assert "pixel_values" not in read
            assert torch.equal(computed["image_features"], read["image_features"])
            for batch in (computed, read):
                torch.testing.assert_close(answer_log_probs(loaded.model, batch), by_pixels, rtol=1e-9, atol=1e-12)


def test_lora_gradients_by_kept_features_equal_those_by_pixels(
    loaded: models.Loaded, prompt_builder: PromptBuilder, kept: FeatureCache, photos: list[Photo]
) -> None:
    model = adapters.attach_lora(loaded.model, LoraSettings(rank=4, targets="language")).double()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    found = []
    with models.closed_head(model, prompt_builder.candidates):
        for features in (None, kept.features):
            prompt_builder.image_encoder.features = features
            model.zero_grad()
            answer_log_probs(model, prompt_builder.batch(samples(prompt_builder, photos))).sum().backward()
            found.append(
                {
                    name: parameter.grad.clone()
                    for name, parameter in model.named_parameters()
                    if parameter.requires_grad
                }
            )
    assert found[0]
    for name, grad in found[0].items():
        assert ((found[1][name] - grad).norm() / grad.norm()).item() < 1e-9, name


def test_what_is_cached_is_not_computed_again(
    kept: FeatureCache, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = {(photo.path, obj.box_xyxy) for photo in photos for obj in photo.objects}
    assert fill(kept, photos) == 2 * (len(photos) + len(boxes)) == len(files(kept))
    assert fill(kept, photos) == 0
    monkeypatch.setattr(kept, "compute", None)
    for photo in photos:
        for image_view in image_views(photo, kept.image_encoder, VERSIONS):
            copied = kept.features(image_view).features
            with monkeypatch.context() as small:
                small.setattr(feature_cache, "MAPPED_BYTES", 0)
                mapped = kept.features(image_view).features
            assert copied is not None and mapped is not None and torch.equal(copied, mapped)


def test_the_size_is_told_before_anything_is_opened(
    kept: FeatureCache, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as closed:
        closed.setattr(Image, "open", None)
        plan = kept.plan(photos, VERSIONS)
    fill(kept, photos)
    stored = sum(
        found.features.nbytes
        for photo in photos
        for image_view in image_views(photo, kept.image_encoder, VERSIONS)
        if (found := kept.features(image_view)).features is not None
    )
    assert plan.missing_bytes == plan.all_bytes == stored
    again = kept.plan(photos, VERSIONS)
    assert (again.missing, again.missing_bytes, again.all_bytes) == ((), 0, stored)


def other_model(kept: FeatureCache, photo: Photo) -> ImageView:
    assert kept.folder is not None
    kept.folder = kept.folder.with_name("another")
    return ImageView(photo.path)


def other_bytes(kept: FeatureCache, photo: Photo) -> ImageView:
    with Image.open(photo.path) as image:
        image.convert("RGB").point(lambda value: 255 - value).save(photo.path)
    return ImageView(photo.path)


def other_size(kept: FeatureCache, photo: Photo) -> ImageView:
    kept.image_encoder.view = replace(kept.image_encoder.view, photo_px=84)
    return ImageView(photo.path)


OTHERS: Mapping[str, Callable[[FeatureCache, Photo], ImageView]] = {
    "model": other_model,
    "bytes": other_bytes,
    "resolution": other_size,
    "side": lambda _, photo: ImageView(photo.path, None, True),
    "light": lambda _, photo: ImageView(photo.path, None, False, 1),
    "box": lambda _, photo: ImageView(photo.path, (0.1, 0.1, 0.5, 0.5)),
}


@pytest.mark.parametrize("what", list(OTHERS))
def test_whatever_features_follow_from_is_in_their_name(
    kept: FeatureCache, photos: list[Photo], tmp_path: Path, what: str
) -> None:
    path = Path(shutil.copy(photos[0].path, tmp_path / "photo.jpg"))
    mine = replace(photos[0], path=path)
    before = kept.file(ImageView(path))
    after = kept.file(OTHERS[what](kept, mine))
    assert before is not None and after is not None and before != after


def test_the_same_photo_elsewhere_has_the_same_features(
    kept: FeatureCache, photos: list[Photo], tmp_path: Path
) -> None:
    copy = Path(shutil.copy(photos[0].path, tmp_path / "renamed.jpg"))
    assert kept.file(ImageView(copy)) == kept.file(ImageView(photos[0].path))


@pytest.mark.parametrize("damage", ["cut", "empty", "nonsense"])
def test_a_damaged_file_is_computed_and_written_again(kept: FeatureCache, photos: list[Photo], damage: str) -> None:
    fill(kept, photos[:1], ((False, 0),))
    image_view = ImageView(photos[0].path)
    good, file = kept.features(image_view).features, kept.file(image_view)
    assert file is not None and good is not None
    good = good.clone()  # not a map of the file that is about to be cut short
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "nonsense": b"\x00" * len(whole)}[damage])
    again = kept.features(image_view).features
    assert again is not None and torch.allclose(again, good, rtol=1e-12)
    assert len(file.read_bytes()) == len(whole)
    assert not list(kept.folder.rglob("*.part"))  # type: ignore[union-attr]


def test_two_caches_over_one_folder_agree(
    loaded: models.Loaded, prompt_builder: PromptBuilder, kept: FeatureCache, photos: list[Photo]
) -> None:
    """As two processes do: both planned before either wrote."""
    assert kept.folder is not None
    other = FeatureCache(loaded, prompt_builder.image_encoder, kept.folder.parent)
    plans = [each_cache.plan(photos, VERSIONS).missing for each_cache in (kept, other)]
    for each_cache, missing in zip((kept, other), plans, strict=True):
        for _ in each_cache.fill(missing, lambda: False):
            pass
    assert len(files(kept)) == len(plans[0])
    for image_view in plans[0]:
        mine, its = kept.features(image_view).features, other.features(image_view).features
        assert mine is not None and its is not None and torch.equal(mine, its)


def test_a_full_disk_stops_no_computation(
    kept: FeatureCache, photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_cache, "save_file", full)
    assert kept.features(ImageView(photos[0].path)).features is not None


def test_room_is_made_by_what_was_used_longest_ago(kept: FeatureCache, photos: list[Photo], tmp_path: Path) -> None:
    fill(kept, photos[:2], ((False, 0),))
    every = files(kept)
    for age, file in enumerate(every):
        os.utime(file, (1_000_000 - age, 1_000_000 - age))
    sizes = [file.stat().st_size for file in every]
    kept.plan(photos[1:2], ((False, 0),))  # asked for again, so no longer old
    used = {kept.file(image_view) for image_view in image_views(photos[1], kept.image_encoder, ((False, 0),))}
    oldest = next(file for file in reversed(every) if file not in used)
    cache.evict(kept.folder.parent, sum(sizes), oldest.stat().st_size)  # type: ignore[union-attr]
    assert set(every) - set(files(kept)) == {oldest}
    cache.evict(kept.folder.parent, sum(sizes), 10)  # type: ignore[union-attr]
    assert set(every) - set(files(kept)) == {oldest}
    cache.evict(kept.folder.parent, 0, 0)  # type: ignore[union-attr]
    assert files(kept) == []


@pytest.mark.parametrize(
    ("targets", "kept_there"),
    [("attention", True), ("language", True), ("everything", False), ("language+merger", False)],
)
def test_features_are_kept_only_while_what_sees_is_frozen(trainings: Trainings, targets: str, kept_there: bool) -> None:
    trainings.train({"training.max_steps": 1, "lora.targets": targets, "training.flip": True})
    assert (cache.size(trainings.workspace)[0] > 0) == kept_there
    trainings.evaluate({"model.path": str(trainings.workspace.final("a"))})
    assert (cache.size(trainings.workspace)[0] > 0) == kept_there


@pytest.mark.usefixtures("double")
def test_training_with_kept_features_learns_the_same(trainings: Trainings) -> None:
    common = {"training.epochs": 2, "lora.targets": "language", "training.flip": True, "training.lights": 2}
    fresh = trainings.train({**common, "model.cache_features": False}, "fresh")
    assert cache.size(trainings.workspace) == (0, 0)
    kept = trainings.train(common, "kept")
    assert cache.size(trainings.workspace)[0] > 0
    assert kept.losses == pytest.approx(fresh.losses, rel=1e-6)
    assert kept.info["final"] == pytest.approx(fresh.info["final"], rel=1e-6)


def test_a_cache_beyond_its_cap_is_not_begun_and_says_so(trainings: Trainings, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = feature_cache._trouble
    monkeypatch.setattr(feature_cache, "_trouble", lambda plan, cap, workspace: trouble(plan, 10, workspace))
    found = trainings.train({"training.max_steps": 1, "lora.targets": "language"})
    (warning,) = found.reported.of("warning")
    assert "more than model.cache_gb allows" in warning["text"]
    assert cache.size(trainings.workspace) == (0, 0)
    assert found.losses


def test_clearing_removes_all_and_tells_what_there_was(trainings: Trainings) -> None:
    trainings.evaluate()
    had = cache.size(trainings.workspace)
    assert had[0] > 0 and had[1] > 0
    assert cache.clear(trainings.workspace) == had
    assert cache.size(trainings.workspace) == (0, 0)
    assert cache.clear(Workspace(trainings.workspace.root)) == (0, 0)


def test_versions_in_other_light_differ_and_the_first_is_the_photo(photos: list[Photo]) -> None:
    with Image.open(photos[0].path) as image:
        seen = [in_light(image.convert("RGB"), light).tobytes() for light in range(len(LIGHTS))]
        assert seen[0] == image.convert("RGB").tobytes()
    assert len(set(seen)) == len(LIGHTS)


def test_tokens_are_told_from_the_size_alone(
    prompt_builder: PromptBuilder, photos: list[Photo], settings: Settings
) -> None:
    for px in (56, 112, 200):
        prompt_builder.image_encoder.view = merge(settings, {"view.photo_px": px, "view.crop_px": px}).view
        for photo in photos:
            for image_view in image_views(photo, prompt_builder.image_encoder, VERSIONS):
                seen: Patches = prompt_builder.image_encoder.fresh(image_view)
                assert prompt_builder.image_encoder.tokens(image_view, photo.size_wh) == seen.tokens(
                    prompt_builder.image_encoder.merge
                )


def test_another_vision_tower_has_another_folder(
    loaded: models.Loaded, prompt_builder: PromptBuilder, tmp_path: Path
) -> None:
    """A tower that was trained in place, its files' ends untouched; the language model may be what it likes."""
    before = FeatureCache(loaded, prompt_builder.image_encoder, tmp_path).folder
    with torch.no_grad():
        loaded.model.lm_head.weight.add_(1)
    assert FeatureCache(loaded, prompt_builder.image_encoder, tmp_path).folder == before
    with torch.no_grad():
        loaded.model.model.visual.blocks[1].attn.proj.weight.mul_(1.001)
    assert FeatureCache(loaded, prompt_builder.image_encoder, tmp_path).folder != before


def test_what_a_killed_process_left_half_written_goes_once_it_is_old(tmp_path: Path) -> None:
    fresh, old = tmp_path / "model" / "ab" / "new.part", tmp_path / "model" / "ab" / "old.part"
    fresh.parent.mkdir(parents=True)
    for file in (fresh, old):
        file.write_bytes(b"half")
    os.utime(old, (1_000_000, 1_000_000))
    cache.evict(tmp_path, 1000, 0)
    assert fresh.exists() and not old.exists()
