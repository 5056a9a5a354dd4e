"""Models small enough for laws in double precision, drawn photos, and a workspace in which real trainings run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from core.data.types import Photo
from core.demo.base_model import build_tokenizer, draw_photo, save
from core.engine import evaluation
from core.engine.models import Loaded
from core.engine.questions import PromptBuilder
from core.engine.training.run import train
from core.runs.events import event
from core.runs.workspace import Workspace
from core.settings import Settings, merge
from core.settings import load as load_settings
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "max_position_embeddings": 4096,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
}
TOWER = {"depth": 2, "num_heads": 2, "spatial_merge_size": 2, "temporal_patch_size": 2}
# The window of Qwen2.5's tower is made so small that its windowed and its full attention both matter.
TOWERS: Mapping[str, Mapping[str, Any]] = {
    "qwen2_vl": {"embed_dim": 64, "hidden_size": 64, "mlp_ratio": 2, "patch_size": 14},
    "qwen2_5_vl": {
        "hidden_size": 64,
        "intermediate_size": 96,
        "out_hidden_size": 64,
        "patch_size": 14,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    },
    "qwen3_vl": {
        "hidden_size": 64,
        "intermediate_size": 96,
        "out_hidden_size": 64,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    },
}
FAMILIES: Mapping[str, tuple[Any, Any]] = {
    "qwen2_vl": (Qwen2VLConfig, Qwen2VLForConditionalGeneration),
    "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration),
    "qwen3_vl": (Qwen3VLConfig, Qwen3VLForConditionalGeneration),
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Matrices this small gain nothing from a second core, and sums keep their order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return load_taxonomy()


@pytest.fixture(scope="session")
def tokenizer(taxonomy: Taxonomy) -> Qwen2Tokenizer:
    return build_tokenizer(taxonomy)


@pytest.fixture(scope="session")
def settings() -> Settings:
    return merge(load_settings("demo"), {"view.photo_px": 112, "view.crop_px": 84})


def tiny(family: str, tokenizer: Qwen2Tokenizer, seed: int = 0) -> Loaded:
    """A random model of `family`, large enough in its weights that answers differ and wrong positions show."""
    make_config, make_model = FAMILIES[family]
    ids = {token: tokenizer.convert_tokens_to_ids(f"<|{token}|>") for token in ("image_pad", "video_pad")}
    special = {"bos_token_id": 0, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = make_config(
        text_config={**TEXT, **special, "vocab_size": len(tokenizer)},
        vision_config={**TOWER, **TOWERS[family]},
        image_token_id=ids["image_pad"],
        video_token_id=ids["video_pad"],
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        tie_word_embeddings=True,
    )
    torch.manual_seed(seed)
    model = make_model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    model.config.use_cache = False
    processor = Qwen2VLImageProcessorPil(patch_size=TOWERS[family]["patch_size"])
    return Loaded(model, tokenizer, processor, "tiny", family, "", torch.device("cpu"))


@pytest.fixture
def family() -> str:
    """Overridden by `@pytest.mark.parametrize("family", …)`."""
    return "qwen2_vl"


@pytest.fixture
def loaded(family: str, tokenizer: Qwen2Tokenizer) -> Loaded:
    found = tiny(family, tokenizer)
    found.model.double()
    return found


@pytest.fixture
def prompt_builder(loaded: Loaded, settings: Settings, taxonomy: Taxonomy) -> PromptBuilder:
    return PromptBuilder(loaded, settings, taxonomy)


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory, tokenizer: Qwen2Tokenizer) -> Callable[..., Path]:
    """saved(family, seed): the folder of a random model, written once."""
    root = tmp_path_factory.mktemp("models")

    def folder(family: str = "qwen2_vl", seed: int = 0) -> Path:
        path = root / f"{family}-{seed}"
        if not path.is_dir():
            save(tiny(family, tokenizer, seed), path)
        return path

    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Photo]:
    """Five drawn photos of two sizes, 3 to 8 objects each."""
    folder = tmp_path_factory.mktemp("photos")
    return [draw_photo(folder, index, 3, 128 if index % 2 else 192) for index in range(5)]


def write_yolo(root: Path, parts: Mapping[str, Sequence[Photo]], taxonomy: Taxonomy) -> Path:
    """Photos as a YOLO folder."""
    names = list(taxonomy.class_names)
    for part, photos in parts.items():
        (root / part / "images").mkdir(parents=True)
        (root / part / "labels").mkdir()
        for photo in photos:
            (root / part / "images" / photo.path.name).write_bytes(photo.path.read_bytes())
            lines = []
            for obj in photo.objects:
                x1, y1, x2, y2 = obj.box_xyxy
                number = names.index(taxonomy.class_name(obj.object_type, obj.condition))
                lines.append(f"{number} {(x1 + x2) / 2} {(y1 + y2) / 2} {x2 - x1} {y2 - y1}\n")
            (root / part / "labels" / f"{photo.path.stem}.txt").write_text("".join(lines))
    paths = "".join(f"{'val' if part == 'valid' else part}: {part}/images\n" for part in parts)
    (root / "data.yaml").write_text(f"{paths}nc: {len(names)}\nnames: {names}\n")
    return root


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Path:
    """Six training photos (31 objects) and three for validation, as a YOLO folder."""
    drawn = tmp_path_factory.mktemp("drawn")
    train = [draw_photo(drawn, index, 3, 96) for index in range(6)]
    valid = [draw_photo(drawn, index, 3, 96) for index in range(6, 9)]
    return write_yolo(tmp_path_factory.mktemp("data") / "set", {"train": train, "valid": valid}, taxonomy)


@dataclass
class Recorder:
    """A reporter that remembers, and asks to stop at the `stop_after`-th question whether it does (0: never).

    Questions count from the first event of the kind `since` on ("": all of them).
    """

    stop_after: int = 0
    since: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    times_asked: int = 0

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append(event(kind, **fields))

    def stop_requested(self) -> bool:
        self.times_asked += not self.since or bool(self.of(self.since))
        return bool(self.stop_after) and self.times_asked >= self.stop_after

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


@dataclass(frozen=True)
class Trained:
    """A training run's outcome, and where it left things."""

    info: dict[str, Any]
    reported: Recorder
    checkpoints: Path
    final: Path

    @property
    def losses(self) -> list[float]:
        return [event["loss"] for event in self.reported.of("step")]

    def weights(self, folder: Path | None = None) -> dict[str, torch.Tensor]:
        return load_file((folder or self.final) / "adapter_model.safetensors")


@dataclass(frozen=True)
class Trainings:
    """A workspace with a model and photos, to train and evaluate for real."""

    workspace: Workspace
    base: Settings

    def settings(self, changes: Mapping[str, Any] | None = None) -> Settings:
        return merge(self.base, changes or {})

    def folder(self, run: str) -> Path:
        path = self.workspace.runs / run
        path.mkdir(parents=True, exist_ok=True)
        return path

    def train(
        self,
        changes: Mapping[str, Any] | None = None,
        name: str = "a",
        stop_after: int = 0,
        resume: bool = False,
        since: str = "plan",
    ) -> Trained:
        """`stop_after` counts steps: what is asked before the first one (see `since`) does not count."""
        reported = Recorder(stop_after, since)
        info = train(self.settings(changes), name, self.folder(name), self.workspace, reported, resume)
        return Trained(info, reported, self.workspace.checkpoints(name), self.workspace.final(name))

    def evaluate(
        self, changes: Mapping[str, Any] | None = None, run: str = "judged", stop_after: int = 0
    ) -> tuple[dict[str, Any], Path, Recorder]:
        reported = Recorder(stop_after)
        return (
            evaluation.run(self.settings(changes), self.folder(run), self.workspace, reported),
            self.folder(run),
            reported,
        )


def training_settings(model: Path, data: Path) -> Settings:
    """Small steps of two photos on the CPU, every weight trained that can be, no test before the end."""
    return merge(
        load_settings("demo"),
        {
            "model.path": str(model),
            "model.device": "cpu",
            "data.path": str(data),
            "view.photo_px": 84,
            "view.crop_px": 56,
            "lora.rank": 4,
            "lora.alpha": 8,
            "lora.targets": "everything",
            "training.epochs": 1,
            "training.batch_size": 2,
            "training.accumulation": 1,
            "training.flip": False,
            "training.learning_rate": 5e-3,
            "training.save_steps": 1000,
            "training.eval_steps": 1000,
            "judging.references": False,
            "data.calibration_share": 0.0,
        },
    )


@pytest.fixture(scope="session")
def base(saved: Callable[..., Path], data_folder: Path) -> Settings:
    return training_settings(saved(), data_folder)


@pytest.fixture
def trainings(tmp_path: Path, base: Settings) -> Trainings:
    return Trainings(Workspace(tmp_path), base)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models load in double precision, where equal means equal."""
    monkeypatch.setattr("core.engine.models.choose_dtype", lambda wanted, device: torch.float64)


@pytest.fixture(scope="session")
def tested_folder(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy) -> Path:
    """Four training photos, two for validation and two for the test, as a YOLO folder."""
    drawn = tmp_path_factory.mktemp("drawn")
    photos = [draw_photo(drawn, index, 3, 96) for index in range(8)]
    parts = {"train": photos[:4], "valid": photos[4:6], "test": photos[6:]}
    return write_yolo(tmp_path_factory.mktemp("data") / "tested", parts, taxonomy)


# Of these the two steps tried first are the subject.
ABOUT_DRY_RUNS = ("test_dry_run", "test_throughput")


@pytest.fixture(autouse=True)
def _no_dry_run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere nothing is tried first: it changes nothing (a law of test_dry_run.py) and takes longer than these small
    trainings do.
    """
    if request.path.stem not in ABOUT_DRY_RUNS:
        monkeypatch.setattr("core.engine.training.run.dry_run_first", lambda *_: None)
