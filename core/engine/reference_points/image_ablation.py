"""What a model answers when it is shown something else than the photo it is asked about: a blank, or another photo.

A model that answers as well without the photo as with it does not use it. Whatever is shown here goes through another
image encoder than the questions' own, so nothing of it is remembered in memory or kept on disk as the photo's features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import Qwen2VLImageProcessorPil

from core.data.grey import GreyRange
from core.data.types import Photo
from core.engine.feature_cache import FeatureCache
from core.engine.models import Loaded
from core.engine.questions import PromptBuilder
from core.engine.vision import ImageEncoder, ImageView, Patches, open_photo
from core.settings import ViewSettings

GREY = (128, 128, 128)

# From the photo's path to what is shown in its place, of the photo's size.
Source = Callable[[Path], Image.Image]


class SubstituteImageEncoder(ImageEncoder):
    """Encodes what `source` shows instead of the file; it remembers nothing but the photo at hand.

    Args:
        processor: The model's own image processor.
        view: What is shown, and how large.
        source: Called with a photo's path, returns what is shown in its place, of the photo's size.
    """

    def __init__(self, processor: Qwen2VLImageProcessorPil, view: ViewSettings, source: Source) -> None:
        super().__init__(processor, view, cache_bytes=0)
        self._source = source
        self._shown: tuple[Path, Image.Image] | None = None

    def _open(self, image_view: ImageView) -> Image.Image:
        assert not image_view.mirrored and not image_view.light  # only whole splits are judged with it
        if self._shown is None or self._shown[0] != image_view.path:
            self._shown = (image_view.path, self._source(image_view.path))
        return self._shown[1]


@contextmanager
def substituted(prompt_builder: PromptBuilder, source: Source) -> Iterator[SubstituteImageEncoder]:
    """Ask questions about what `source` shows, for as long as the context lasts."""
    own, other = (
        prompt_builder.image_encoder,
        SubstituteImageEncoder(prompt_builder.image_encoder.processor, prompt_builder.image_encoder.view, source),
    )
    prompt_builder.image_encoder = other
    try:
        yield other
    finally:
        prompt_builder.image_encoder = own


@contextmanager
def with_blank_photos(
    prompt_builder: PromptBuilder, loaded: Loaded, photos: Sequence[Photo]
) -> Iterator[SubstituteImageEncoder]:
    """Make every photo and crop uniformly grey, in the sizes it has, for as long as the context lasts.

    Blanks of one shape are the same to the vision tower, which therefore sees each shape once.

    Args:
        prompt_builder: Its image encoder is exchanged.
        loaded: The model, whose vision tower computes the features of the blanks.
        photos: The photos that will be asked about; their sizes are needed.
    """
    sizes = {photo.path: photo.size_wh for photo in photos}
    shapes: dict[tuple[int, int, int], Patches] = {}
    with substituted(prompt_builder, lambda path: Image.new("RGB", sizes[path], GREY)) as image_encoder:
        tower = FeatureCache(loaded, image_encoder, None)

        def features(image_view: ImageView) -> Patches:
            fresh = image_encoder.fresh(image_view)
            if fresh.grid_thw not in shapes:
                (shapes[fresh.grid_thw],) = tower.compute([fresh])
            return shapes[fresh.grid_thw]

        image_encoder.features = features
        yield image_encoder


def derangement(count: int, seed: int) -> list[int]:
    """Choose for each of `count` (at least 2) another one, none twice: each points to the next of a shuffled circle."""
    order = np.random.default_rng([seed, 0x5417]).permutation(count)
    partner = np.empty(count, dtype=int)
    partner[order] = np.roll(order, -1)
    return [int(index) for index in partner]


def shuffled_source(photos: Sequence[Photo], seed: int, grey_range: GreyRange | None = None) -> Source:
    """Show in place of each photo another of them, at its size so that the question stays the same word for word."""
    shown = {
        photo.path: (photos[other].path, photo.size_wh)
        for photo, other in zip(photos, derangement(len(photos), seed), strict=True)
    }

    def show(path: Path) -> Image.Image:
        other, size_wh = shown[path]
        image = open_photo(other, grey_range)
        return image if image.size == size_wh else image.resize(size_wh, reducing_gap=3.0)

    return show
