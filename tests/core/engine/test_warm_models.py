"""A model in memory is what its files hold now, and leaves when memory gets short, the one used longest ago first."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.engine import adapters, models
from core.engine.prediction import Predictor
from core.engine.warm_models import WarmModels
from core.errors import UserError
from core.metrics import calibration
from core.settings import merge

Trainings = Any  # of conftest.py


@pytest.fixture
def photo(data_folder: Path) -> str:
    return str(sorted((data_folder / "valid" / "images").iterdir())[0])


@pytest.fixture
def two(trainings: Trainings) -> tuple[Path, Path]:
    """Two adapters of one base that answer differently, each with a calibration of its own."""
    made = []
    for number, name in enumerate(("first", "second")):
        final = trainings.train({"training.max_steps": 2 + number, "training.seed": number}, name).final
        made.append(final)
        cooled = calibration.Calibration({"condition": 1.5 + number}, {}, 3, 31)
        (final / "calibration.json").write_text(json.dumps(cooled.to_dict()))
    return made[0], made[1]


def answer(predictor: Predictor, photo: str, model: Path | str) -> dict[str, Any]:
    request = {"image": photo, "box_xyxy_px": [10, 12, 50, 60], "object_type": "toe drain", "models": [str(model)]}
    (found,) = predictor.predict(request)["answers"]
    return {key: found.get(key) for key in ("probabilities", "calibrated")}


def exchange(target: Path, source: Path) -> None:
    """Another model under the same name, as a training under it puts it there."""
    shutil.rmtree(target)
    shutil.copytree(source, target)


def test_a_model_trained_again_under_its_name_answers_as_the_new_one(
    trainings: Trainings, two: tuple[Path, Path], photo: str, tmp_path: Path
) -> None:
    first, second = two
    warm = Predictor(trainings.base)
    other = answer(warm, photo, second)
    base = answer(warm, photo, trainings.base.model.path)
    assert answer(warm, photo, first) != other
    exchange(first, second)
    assert answer(warm, photo, first) == other
    assert answer(warm, photo, trainings.base.model.path) == base


def test_a_calibration_made_anew_is_read_anew(trainings: Trainings, two: tuple[Path, Path], photo: str) -> None:
    first, second = two
    warm = Predictor(trainings.base)
    before = answer(warm, photo, first)
    shutil.copyfile(second / "calibration.json", first / "calibration.json")
    after = answer(warm, photo, first)
    assert after["probabilities"] == before["probabilities"]
    assert after["calibrated"] != before["calibrated"]


def test_weights_and_calibration_are_of_one_reading(
    trainings: Trainings, two: tuple[Path, Path], photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that ends while a model is read puts another in its place between weights and calibration."""
    first, second = two
    wanted, load, left = answer(Predictor(trainings.base), photo, second), adapters.load_adapter, [1]

    def slow(*args: Any, **kwargs: Any) -> Any:
        found = load(*args, **kwargs)
        if left:
            left.pop()
            exchange(first, second)
        return found

    monkeypatch.setattr(adapters, "load_adapter", slow)
    assert answer(Predictor(trainings.base), photo, first) == wanted


def test_a_model_that_is_never_at_rest_is_refused_with_a_sentence(
    trainings: Trainings, two: tuple[Path, Path], photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = adapters.load_adapter

    def slow(loaded: Any, folder: Path, *args: Any) -> Any:
        found = load(loaded, folder, *args)
        (folder / "README.md").write_text((folder / "README.md").read_text() + "again\n")
        return found

    monkeypatch.setattr(adapters, "load_adapter", slow)
    with pytest.raises(UserError, match="is being written") as caught:
        answer(Predictor(trainings.base), photo, two[0])
    assert caught.value.problems[0].kind == "busy"


def test_what_is_unchanged_is_loaded_once(
    trainings: Trainings, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    warm = WarmModels(trainings.base, free=lambda device: 1 << 40)
    found = [warm.get(str(path)) for path in two]
    monkeypatch.setattr(models, "load", lambda wanted: pytest.fail("a base was loaded again"))
    monkeypatch.setattr(adapters, "load_adapter", lambda *args: pytest.fail("an adapter was loaded again"))
    assert [warm.get(str(path)) for path in two] == found


def test_short_memory_drops_the_base_used_longest_ago(trainings: Trainings, saved: Callable[..., Path]) -> None:
    paths = [str(saved(seed=seed)) for seed in range(3)]
    free_bytes = [1 << 40]
    warm = WarmModels(trainings.base, free=lambda device: free_bytes[0])
    kept = [weakref.ref(warm.get(path).loaded) for path in paths[:2]]
    warm.get(paths[0])
    free_bytes[0] = 0
    assert warm.get(paths[0]).loaded is kept[0]()  # what is there needs no room
    newest = weakref.ref(warm.get(paths[2]).loaded)
    gc.collect()
    assert [reference() is None for reference in (*kept, newest)] == [True, True, False]


def test_short_memory_drops_adapters_and_the_base_answers_as_before(
    trainings: Trainings, two: tuple[Path, Path], photo: str
) -> None:
    base = trainings.base.model.path
    wanted = [answer(Predictor(trainings.base), photo, path) for path in (base, *two)]
    predictor = Predictor(trainings.base)
    predictor._models = WarmModels(trainings.base, free=lambda device: 0)
    loaded = predictor._models.get(base).loaded
    for _ in range(2):
        for model, its in zip((base, *two), wanted, strict=True):
            assert answer(predictor, photo, model) == its
            assert len(getattr(loaded.model, "peft_config", {})) <= 1
    assert predictor._models.get(base).loaded is loaded


def test_a_base_made_again_takes_its_adapters_with_it(
    trainings: Trainings, photo: str, saved: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(saved(), folder)
    predictor = Predictor(merge(trainings.base, {"model.path": str(folder)}))
    before = answer(predictor, photo, folder)
    exchange(folder, saved(seed=1))
    assert answer(predictor, photo, folder) != before
