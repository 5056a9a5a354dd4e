"""Vision features kept on disk: while the vision tower is frozen, every view of a photo is computed once.

A file's name is a hash of all that its content follows from: the photo's bytes, box, mirroring, light, resize limits.
The folder's name holds the vision tower's weights, number format and kind of device. A file is complete or not there
at all, so two processes may share a cache; it is read through a memory map. Legend for shapes as in `vision.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list, wait_for_everyone
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from core import units
from core.data.types import Photo
from core.engine.adapters import adapts_vision
from core.engine.models import Loaded, base_of
from core.engine.prefetch import prefetch
from core.engine.questions import PromptBuilder, mirrored_box
from core.engine.vision import LIGHTS, ImageEncoder, ImageView, Patches
from core.runs import cache
from core.runs.events import Reporter
from core.runs.files import file_stamp, remove, replace, writing
from core.runs.workspace import Workspace

# Changes when features would be computed otherwise than by earlier versions of damgui.
FORMAT = 1
# Images go through the tower together until they have this many tokens: enough to fill a device, little memory.
TOKENS_AT_ONCE = 2048
# Smaller files are copied from their memory map: a process may hold 65,530 maps (Linux), and crops are many.
MAPPED_BYTES = 1 << 20
# Never fill a disk to its last byte.
SPARE_BYTES = 1 << 30
# Photos with the versions (mirrored, light) that will be encoded.
Wanted = Sequence[tuple[Sequence[Photo], Sequence[tuple[bool, int]]]]


def tower_fingerprint(base: Any) -> str:
    """Fingerprint the vision tower of a base model.

    Some thousand weights of each tensor are hashed: no training leaves them alone.

    Args:
        base: The transformers model without peft's wrapping.

    Returns:
        The first 16 hex digits of a SHA-256.
    """
    digest = hashlib.sha256()
    for name, parameter in base.model.visual.named_parameters():
        some = parameter.detach().flatten()[:: max(1, parameter.numel() // 4096)].float().cpu().numpy()
        digest.update(f"{name} {tuple(parameter.shape)}".encode() + some.tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class CachePlan:
    """What it takes to keep a set of views.

    Attributes:
        missing: Views that are not kept yet.
        missing_bytes: What these will take on disk.
        all_bytes: What all of the set take, the kept ones included.
    """

    missing: tuple[ImageView, ...]
    missing_bytes: int
    all_bytes: int


class FeatureCache:
    """The vision features of one model under one set of view settings.

    Args:
        loaded: The model; its vision tower computes what is missing.
        image_encoder: Cuts the views into patches.
        folder: The workspace's feature cache; None keeps nothing on disk.
    """

    def __init__(self, loaded: Loaded, image_encoder: ImageEncoder, folder: Path | None) -> None:
        self.base = base_of(loaded.model)
        self.image_encoder, self.device = image_encoder, loaded.device
        self.dtype: torch.dtype = self.base.dtype
        config = self.base.config
        self.layers = 1 + len(getattr(config.vision_config, "deepstack_visual_indexes", None) or ())
        self.width = int(config.text_config.hidden_size)
        kind = str(self.dtype).removeprefix("torch.")
        self.folder = folder / f"{FORMAT}-{tower_fingerprint(self.base)}-{kind}-{self.device.type}" if folder else None
        self._digests: dict[Path, tuple[tuple[int, ...], str]] = {}

    def add_digests(self, photos: Iterable[Photo]) -> None:
        """Take over the digests of photos that were read before, so that their files are not read again."""
        for photo in photos:
            if photo.digest:
                self._digests[photo.path] = (file_stamp(photo.path), photo.digest)

    def _digest(self, path: Path) -> str:
        now = file_stamp(path)
        known = self._digests.get(path)
        if known is None or known[0] != now:
            known = self._digests[path] = (now, hashlib.sha256(path.read_bytes()).hexdigest())
        return known[1]

    def file(self, image_view: ImageView) -> Path | None:
        """Where a view's features are or would be kept; None where nothing is kept or the photo is missing."""
        if self.folder is None or not file_stamp(image_view.path):
            return None
        processor = self.image_encoder.processor
        facts: dict[str, object] = {
            "photo": self._digest(image_view.path),
            "box": image_view.box_xyxy,
            "mirrored": image_view.mirrored,
            "light": LIGHTS[image_view.light],
            "px": self.image_encoder.limits_px(image_view),
            "margin": self.image_encoder.view.crop_margin if image_view.box_xyxy else 0,
            "zoom": self.image_encoder.view.crop_zoom if image_view.box_xyxy else 0,
            "processor": [
                processor.patch_size,
                processor.merge_size,
                processor.image_mean,
                processor.image_std,
                int(processor.resample),
            ],
        }
        if self.image_encoder.grey_range:
            facts["grey"] = self.image_encoder.grey_range
        name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]
        return self.folder / name[:2] / f"{name}.safetensors"

    def bytes_of(self, tokens: int) -> int:
        """Bytes that the features of so many tokens take."""
        return tokens * self.width * self.layers * self.dtype.itemsize

    def plan(self, photos: Sequence[Photo], versions: Sequence[tuple[bool, int]]) -> CachePlan:
        """Compute what it takes to keep these photos; no photo is opened.

        Args:
            photos: The photos with the boxes that are asked about.
            versions: In which versions (mirrored, number of the light) each is seen.
        """
        self.add_digests(photos)
        missing, lacking, total = [], 0, 0
        for photo in photos:
            for image_view in image_views(photo, self.image_encoder, versions):
                size = self.bytes_of(self.image_encoder.tokens(image_view, photo.size_wh))
                total += size
                if not self._in_use(image_view):
                    missing.append(image_view)
                    lacking += size
        return CachePlan(tuple(missing), lacking, total)

    def _in_use(self, image_view: ImageView) -> bool:
        """Whether a view is kept; if so its file counts as used just now, so that it is not the next to go."""
        file = self.file(image_view)
        if file is None:
            return False
        try:
            os.utime(file)
        except OSError:
            return False
        return True

    def fill(self, missing: Sequence[ImageView], stop: Callable[[], bool]) -> Iterator[int]:
        """Compute and keep what is missing.

        Args:
            missing: The views to compute.
            stop: Asked after every group of views; True ends the work early.

        Yields:
            How many views are done.

        Raises:
            UserError: The disk is full.
        """
        done = 0
        for seen in prefetch(self._groups(missing)):
            for image_view, patches in zip((view for view, _ in seen), self.compute([p for _, p in seen]), strict=True):
                self._store(image_view, patches)
            done += len(seen)
            yield done
            if stop():
                return

    def _groups(self, wanted: Sequence[ImageView]) -> Iterator[list[tuple[ImageView, Patches]]]:
        group: list[tuple[ImageView, Patches]] = []
        budget = TOKENS_AT_ONCE
        for image_view in wanted:
            patches = self.image_encoder.fresh(image_view)
            if group and patches.tokens(self.image_encoder.merge) > budget:
                yield group
                group, budget = [], TOKENS_AT_ONCE
            group.append((image_view, patches))
            budget -= patches.tokens(self.image_encoder.merge)
        if group:
            yield group

    @torch.no_grad()
    def compute(self, images: Sequence[Patches]) -> list[Patches]:
        """Put images through the vision tower and its merger, together.

        Args:
            images: Patches with `values` (N, C).

        Returns:
            For each image its `features` (D, T, H) in the model's number format, on the CPU; `values` is empty.
        """
        values = torch.cat([torch.from_numpy(image.values) for image in images]).to(self.device)
        grid = torch.tensor([image.grid_thw for image in images], device=self.device)
        seen = self.base.get_image_features(values, grid)
        layers = [torch.cat(list(seen.pooler_output))]
        layers += [torch.cat(list(layer)) for layer in getattr(seen, "deepstack_features", None) or ()]
        sizes = [image.tokens(self.image_encoder.merge) for image in images]
        parts = torch.stack(layers).to(self.dtype).cpu().split(sizes, dim=1)
        return [
            Patches(image.values[:0], image.grid_thw, part.contiguous())
            for image, part in zip(images, parts, strict=True)
        ]

    def features(self, image_view: ImageView) -> Patches:
        """A view's features (D, T, H), read from disk or else computed now and kept."""
        found = self._load(image_view)
        if found is None:
            (found,) = self.compute([self.image_encoder.fresh(image_view)])
            with contextlib.suppress(Exception):  # without a place on disk the work still goes on
                self._store(image_view, found)
        return found

    def _load(self, image_view: ImageView) -> Patches | None:
        file = self.file(image_view)
        if file is None or not file.is_file():
            return None
        try:
            with safe_open(file, "pt") as stored:
                frames, rows, columns = (int(part) for part in stored.metadata()["grid_thw"].split())
                features = stored.get_tensor("features")
        except (SafetensorError, OSError, KeyError, ValueError, TypeError):
            return None  # damaged: it is computed and written again
        if features.nbytes < MAPPED_BYTES:
            features = features.clone()
        empty = torch.empty((0, 1), dtype=torch.float32).numpy()
        return Patches(empty, (frames, rows, columns), features)

    def _store(self, image_view: ImageView, seen: Patches) -> None:
        file = self.file(image_view)
        if file is None or seen.features is None:
            return
        beside = file.with_name(f"{uuid.uuid4().hex}.part")
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                save_file({"features": seen.features}, beside, {"grid_thw": " ".join(map(str, seen.grid_thw))})
                replace(beside, file)
            finally:
                remove(beside)


def image_views(photo: Photo, image_encoder: ImageEncoder, versions: Sequence[tuple[bool, int]]) -> Iterator[ImageView]:
    """Enumerate all that is encoded when every object of a photo is asked about.

    Args:
        photo: The photo with its boxes.
        image_encoder: Knows whether photos, crops or both are shown.
        versions: The versions (mirrored, number of the light) of the photo.
    """
    for mirrored, light in versions:
        if image_encoder.view.mode != "crop":
            yield ImageView(photo.path, None, mirrored, light)
        if image_encoder.view.mode != "full":
            for box in dict.fromkeys(obj.box_xyxy for obj in photo.objects):
                yield ImageView(photo.path, mirrored_box(box) if mirrored else box, mirrored, light)


def prepare(
    prompt_builder: PromptBuilder, loaded: Loaded, model: Any, wanted: Wanted, workspace: Workspace, reporter: Reporter
) -> FeatureCache | None:
    """Let `prompt_builder` use kept features, and compute those of `wanted` that are missing.

    Several processes of one training share the work.

    Args:
        prompt_builder: From now on its image encoder hands out features in place of patches.
        loaded: The base model.
        model: The same model, perhaps with an adapter.
        wanted: The photos that will be seen, with their versions.
        workspace: Where the features are kept.
        reporter: Takes progress, and a warning where disk or cap is too small.

    Returns:
        The cache; None where nothing is kept, because the settings forbid it, the tower or merger of `model` learns or
        has learned, or the disk or `model.cache_gb` is too small.
    """
    found = _planned(prompt_builder, loaded, model, wanted, workspace)
    if found is None:
        return None
    kept, plan, trouble = found
    # Another process may be ahead and have written some: all must share out the same list.
    plan, trouble = _from_main_process([plan, trouble])
    if trouble:
        reporter.emit("warning", text=trouble)
        return None
    prompt_builder.image_encoder.features = kept.features
    if plan.missing:
        _fill(kept, plan, int(prompt_builder.settings.model.cache_gb * 1e9), workspace, reporter)
    if torch.distributed.is_initialized():
        wait_for_everyone()
    return kept


def _from_main_process(values: list[Any]) -> list[Any]:
    """What the first process of a training holds; what it is given where there is one process only."""
    return broadcast_object_list(values) if torch.distributed.is_initialized() else values


def planned(
    prompt_builder: PromptBuilder, loaded: Loaded, model: Any, wanted: Wanted, workspace: Workspace
) -> CachePlan | None:
    """Foresee what `prepare` will compute and keep; None where it will keep nothing.

    Args:
        prompt_builder: Whose settings say whether and how much may be kept; it stays as it is.
        loaded: The base model.
        model: The same model, perhaps with an adapter.
        wanted: The photos that will be seen, with their versions.
        workspace: Where the features are kept.

    Returns:
        The views that are not kept yet, and what they will take on disk. Nothing is computed or written.
    """
    found = _planned(prompt_builder, loaded, model, wanted, workspace)
    return None if found is None or found[2] else found[1]


def _planned(
    prompt_builder: PromptBuilder, loaded: Loaded, model: Any, wanted: Wanted, workspace: Workspace
) -> tuple[FeatureCache, CachePlan, str] | None:
    """The cache, what it lacks, and why it cannot be filled (or ""); None where features cannot be kept at all."""
    settings = prompt_builder.settings.model
    if not settings.cache_features or adapts_vision(model):
        return None
    kept = FeatureCache(loaded, prompt_builder.image_encoder, workspace.feature_cache)
    plans = [kept.plan(photos, versions) for photos, versions in wanted]
    missing = tuple(image_view for plan in plans for image_view in plan.missing)
    plan = CachePlan(missing, sum(part.missing_bytes for part in plans), sum(part.all_bytes for part in plans))
    return kept, plan, _trouble(plan, int(settings.cache_gb * 1e9), workspace)


def _trouble(plan: CachePlan, cap: int, workspace: Workspace) -> str:
    """Why the features cannot be kept; "" when they can."""
    whole, needed = plan.all_bytes, plan.missing_bytes
    free = shutil.disk_usage(workspace.root).free - SPARE_BYTES
    why = ""
    if whole > cap:
        why = f"more than model.cache_gb allows ({cap / 1e9:g} GB)"
    elif needed > free:
        why = f"more than the disk has to spare ({max(free, 0) / 1e9:.1f} GB)"
    if not why:
        return ""
    return (
        f"Vision features would take {whole / 1e9:.1f} GB, {why}: they are computed anew each time, more slowly. "
        "To keep them, make room (damgui cache clear) or raise model.cache_gb."
    )


def _fill(kept: FeatureCache, plan: CachePlan, cap: int, workspace: Workspace, reporter: Reporter) -> None:
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    mine = plan.missing[rank::world]
    text = f"Looking at the photos once: {len(plan.missing)} views, {plan.missing_bytes / 1e6:.0f} MB to keep"
    reporter.emit("stage", text=text)
    if rank == 0:
        cache.evict(workspace.feature_cache, cap, plan.missing_bytes)
    began, reported = time.monotonic(), 0.0
    for done in kept.fill(mine, reporter.stop_requested):
        now = time.monotonic()
        if now - reported > 1:
            reported = now
            left = (now - began) / done * (len(mine) - done)
            reporter.emit("stage", text=f"{text}, {units.done(done, len(mine))} done, {units.estimate(left)} left")
