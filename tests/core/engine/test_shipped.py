"""The shipped models: each is there, has a preset, and learns from real photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.engine import adapters, models
from core.engine.training.run import train
from core.runs.events import SilentReporter
from core.runs.model_files import DEMO_MODEL, resolve
from core.runs.model_folder import MAKE_SHIPPED
from core.runs.store import absolute_path, settings_for_model
from core.runs.workspace import Workspace
from core.settings import SHIPPED_MODELS, load, merge, preset_for


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_a_shipped_model_goes_by_its_name_wherever_one_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert preset_for(name) == name
    assert load(name).model.path == name == settings_for_model(name).model.path
    assert absolute_path(name, tmp_path) == name
    assert Path(resolve(name)) == DEMO_MODEL.with_name(name)
    assert name in MAKE_SHIPPED


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_a_shipped_model_loads_and_is_small(name: str) -> None:
    loaded = models.load(merge(load(name), {"model.device": "cpu"}).model)
    assert loaded.family == "qwen2_vl"
    assert 3e6 < loaded.parameters < 6e6
    size = sum(file.stat().st_size for file in Path(resolve(name)).iterdir())
    assert size < 10e6


@pytest.mark.parametrize("name", SHIPPED_MODELS)
def test_a_few_steps_on_real_photos_lower_the_loss(name: str, real_photos: Path, tmp_path: Path) -> None:
    changes = {
        "data.path": str(real_photos),
        "data.limit": 4,
        "training.max_steps": 12,
        "training.eval_steps": 12,
        "training.lights": 1,
        "model.device": "cpu",
    }
    settings = merge(load(name), changes)
    workspace = Workspace(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    info = train(settings, "few", run, workspace, SilentReporter(), resume=False)
    losses = [loss for _step, loss in info["history"]["train"]]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    adapted = adapters.load_adapter(models.load(settings.model), workspace.final("few"))
    assert adapted.peft_config["default"].r == settings.lora.rank
