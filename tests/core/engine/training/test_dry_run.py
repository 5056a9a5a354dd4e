"""Two steps are tried and nothing is changed; what will not fit is refused before the work, with its cure."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.engine.training import dry_run, memory
from core.engine.training.checkpoints import checkpoint_bytes
from core.engine.training.dry_run import DryRunState, measure_dry_run
from core.engine.training.memory import MachineMemory, PeakMemory
from core.engine.training.run import dry_run_only
from core.engine.training.setup import set_up
from core.engine.training.sizes import SequenceSize, largest, sequence_sizes, usual, views
from core.engine.training.trainer import PackedTrainer
from core.errors import UserError

Trainings = Any  # of conftest.py
PLENTY = 1 << 50


def machine(memory_bytes: int = PLENTY, disk_free_bytes: int = PLENTY) -> MachineMemory:
    """A computer with so much left."""
    return MachineMemory(lambda folder: disk_free_bytes, lambda device: memory_bytes)


class Recorder:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def emit(self, kind: str, **fields: Any) -> None:
        self.events.append({"kind": kind, **fields})

    def stop_requested(self) -> bool:
        return False

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind]


@pytest.fixture
def reported() -> Recorder:
    return Recorder()


@pytest.fixture
def trainer(trainings: Trainings, reported: Recorder) -> PackedTrainer:
    return trainer_of(trainings, reported)


def trainer_of(trainings: Trainings, reported: Recorder, changes: dict[str, Any] | None = None) -> PackedTrainer:
    folder = trainings.folder("stage")
    settings = trainings.settings(changes)
    return set_up(settings, "", folder / "checkpoints", folder, trainings.workspace, reported).trainer


@pytest.mark.parametrize("targets", ["everything", "attention"])
def test_a_training_with_a_dry_run_equals_one_without(
    trainings: Trainings, targets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, with dropout and mirroring on, and with features that are kept on disk or not."""
    changes = {"lora.targets": targets, "lora.dropout": 0.1, "training.flip": True, "training.epochs": 2}
    with_it = trainings.train(changes, "with")
    monkeypatch.setattr("core.engine.training.run.measure_dry_run", lambda *_, **__: None)
    without = trainings.train(changes, "without")
    assert with_it.losses == without.losses
    assert len(with_it.reported.of("rehearsal")) == 1
    assert without.reported.of("rehearsal") == []
    mine, its = with_it.weights(), without.weights()
    assert all(torch.equal(mine[key], its[key]) for key in its)
    for field in ("photos_per_s", "questions_per_s"):  # the counters began at nothing
        assert all(event[field] > 0 for event in with_it.reported.of("step"))


def state_of(trainer: PackedTrainer) -> list[Any]:
    model = trainer.model
    counters = {name: value for name, value in vars(trainer).items() if isinstance(value, int | float)}
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    gradients = [
        parameter.grad if parameter.grad is None else parameter.grad.clone() for parameter in model.parameters()
    ]
    modes = [module.training for module in model.modules()]
    rng = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    order = trainer.training_data.order(0), trainer.training_data.order(1)
    return [
        weights,
        gradients,
        modes,
        counters,
        rng,
        order,
        trainer.prompt_builder.image_encoder,
        trainer.state.global_step,
    ]


def test_nothing_of_the_trainer_is_changed(trainer: PackedTrainer, reported: Recorder) -> None:
    learning = [parameter for parameter in trainer.model.parameters() if parameter.requires_grad]
    learning[0].grad = torch.ones_like(learning[0])
    before = state_of(trainer)
    measure_dry_run(trainer, reported, 10, machine=machine())
    after = state_of(trainer)
    assert set(before[0]) == set(after[0])
    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    for before_value, after_value in zip(before[1], after[1], strict=True):
        assert (before_value is None and after_value is None) or torch.equal(before_value, after_value)
    assert before[2:] == after[2:]


def test_the_largest_step_is_that_with_the_most_tokens(trainer: PackedTrainer) -> None:
    found = sequence_sizes(trainer.training_data)
    assert sorted(size.key.photo for size in found) == list(range(len(trainer.training_data)))
    real = {
        size.key: int(trainer.prompt_builder.batch([trainer.training_data.sample(size.key)])["tokens"])
        for size in found
    }
    most = largest(trainer, found, 2)
    assert [real[size.key] for size in most] == sorted(real.values(), reverse=True)[:2]


def test_equal_tokens_are_told_apart_by_pixels(trainer: PackedTrainer) -> None:
    found = sequence_sizes(trainer.training_data)
    assert [(size.tokens, size.pixels) for size in found] == sorted([(size.tokens, size.pixels) for size in found])[
        ::-1
    ]


@pytest.mark.parametrize(("there", "count", "taken"), [(10, 2, [2, 7]), (5, 1, [2]), (4, 4, [0, 1, 2, 3]), (1, 1, [0])])
def test_a_usual_step_has_large_and_small_photos(there: int, count: int, taken: list[int]) -> None:
    assert usual(list(range(there)), count) == taken  # type: ignore[arg-type, comparison-overlap]


def test_the_figures_are_what_a_training_will_take(trainer: PackedTrainer, reported: Recorder) -> None:
    found = measure_dry_run(trainer, reported, 100, machine=machine(disk_free_bytes=5_000_000_000))
    assert found is not None
    assert 0 < found.usual_step_s <= found.total_s / 100 + 0.001
    assert 0 < found.step_s < 60
    assert 50 < found.peak_memory_mb < 20_000
    assert found.disk_free_mb == 5000
    assert found.gradient_checkpointing is False
    assert found.flops_per_s > 0
    assert 0 < found.peak_share < 1
    (event,) = reported.of("rehearsal")
    assert {key: value for key, value in event.items() if key != "kind"} == dry_run.asdict(found)


def test_four_times_the_steps_take_four_times_the_time(
    trainer: PackedTrainer, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that says the same every time: another process may take the cores in between."""
    take, judge = dry_run.take_step, dry_run.judging_s
    monkeypatch.setattr(dry_run, "take_step", lambda *given: take(*given) * 0 + 0.5)
    monkeypatch.setattr(dry_run, "judging_s", lambda *given: judge(*given) * 0 + 0.01)
    measured = measure_dry_run(trainer, reported, 1000, machine=machine())
    other = measure_dry_run(trainer, reported, 4000, machine=machine())
    assert measured is not None
    assert other is not None
    assert other.total_s == pytest.approx(4 * measured.total_s, rel=0.02)
    assert measured.total_s >= 500


@pytest.mark.parametrize(
    ("steps", "every", "keep", "checkpoints"), [(10, 100, 3, 1), (100, 10, 3, 4), (100, 50, 3, 2), (1000, 1, 1, 2)]
)
def test_checkpoints_take_what_their_files_take(
    trainings: Trainings, reported: Recorder, steps: int, every: int, keep: int, checkpoints: int
) -> None:
    """The one that is written before the oldest goes counts; fewer are written than may be kept where steps are few."""
    trainer = trainer_of(trainings, reported, {"training.save_steps": every, "training.keep_checkpoints": keep})
    weights = memory.learning_weights(trainer)
    assert checkpoint_bytes(trainer, steps) == checkpoints * 12 * weights + 3 * 4 * weights


def test_the_disk_that_was_announced_is_not_exceeded(trainings: Trainings) -> None:
    found = trainings.train({"training.max_steps": 6, "training.save_steps": 1, "training.keep_checkpoints": 2})
    (event,) = found.reported.of("rehearsal")
    written = [path for folder in (found.checkpoints, found.final) for path in folder.rglob("*.*") if path.is_file()]
    weights = sum(path.stat().st_size for path in written if path.suffix in (".safetensors", ".pt"))
    assert 0.4 * event["checkpoint_mb"] < weights / 1e6 < 1.1 * event["checkpoint_mb"]


def test_too_little_disk_is_refused_before_a_step_is_tried(
    trainer: PackedTrainer, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "take_step", lambda *_: pytest.fail("a step was tried"))
    with pytest.raises(UserError, match=r"Free 0\.1 GB or lower training\.keep_checkpoints") as caught:
        measure_dry_run(trainer, reported, 1000, machine=machine(disk_free_bytes=1000))
    assert caught.value.problems[0].kind == "does-not-fit"
    assert "cache_features" not in str(caught.value)


def test_a_cache_that_does_not_fit_says_how_to_do_without(trainer: PackedTrainer, reported: Recorder) -> None:
    cache = dry_run.PlannedCache(missing_bytes=7_000_000_000, views=1000)
    with pytest.raises(UserError, match=r"switch model\.cache_features off") as caught:
        measure_dry_run(trainer, reported, 10, cache, machine(disk_free_bytes=2_000_000_000))
    assert "Free 5.0 GB" in str(caught.value)


def test_one_photo_that_shows_that_a_step_will_not_fit_is_all_that_is_tried(
    trainings: Trainings, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    take = dry_run.take_step
    monkeypatch.setattr(
        dry_run, "take_step", lambda trainer, chosen: taken.append(len(chosen)) or take(trainer, chosen)
    )
    trainer = trainer_of(trainings, reported, {"training.gradient_checkpointing": True})
    with pytest.raises(UserError, match=r"more memory than there is \(0\.0 GB\)") as caught:
        measure_dry_run(trainer, reported, 10, machine=machine(memory_bytes=1000))
    assert taken == [1]
    assert caught.value.problems[0].kind == "does-not-fit"
    assert caught.value.problems[0].fix == "Lower training.tokens_per_pass, view.photo_px or lora.rank."


def test_memory_of_one_photo_is_taken_as_often_as_a_pass_holds_it(
    trainings: Trainings, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One photo takes 100 MB here; a step of six takes as much as its tokens, unless passes cut it."""
    photo, before = 100_000_000, 1_000_000_000

    def count(state: DryRunState, chosen: list[Any]) -> np.ndarray:
        state.peak.used = before + photo
        return np.array([500.0, 0, 0, 0])

    monkeypatch.setattr(DryRunState, "count", count)
    monkeypatch.setattr(dry_run, "resident_bytes", lambda: before)
    for most, photos in ((100_000, 6), (1000, 2)):
        changes = {"training.batch_size": 6, "training.tokens_per_pass": most}
        trainer = trainer_of(trainings, reported, changes)
        found = sequence_sizes(trainer.training_data)
        alike = [SequenceSize(500, 1, 1, size.key) for size in found]
        weights = memory.OPTIMIZER_BYTES * memory.learning_weights(trainer)
        for spare, fitting in ((1, True), (-1, False)):
            resources = machine(memory_bytes=before + photos * photo + weights + spare)
            state = DryRunState(trainer, resources, alike, PeakMemory(trainer.args.device), alike)
            assert state.single_photo_fits() is fitting


def short_once(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A GPU whose memory is too small without gradient checkpointing; returns what each step was taken with."""
    step = PackedTrainer.training_step
    taken: list[bool] = []

    def training_step(trainer: PackedTrainer, model: Any, *given: Any) -> torch.Tensor:
        base = model.get_base_model()
        taken.append(base.is_activation_checkpointing)
        if not taken[-1]:
            raise torch.OutOfMemoryError("planted")
        return step(trainer, model, *given)

    monkeypatch.setattr(PackedTrainer, "training_step", training_step)
    return taken


def test_gradient_checkpointing_is_switched_on_only_by_need_and_told(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trainings.train({"training.max_steps": 2}, "plain")
    assert plain.reported.of("rehearsal")[0]["gradient_checkpointing"] is False
    assert plain.reported.of("warning") == []
    taken = short_once(monkeypatch)
    short = trainings.train({"training.max_steps": 2}, "short")
    assert taken[0] is False
    assert all(taken[1:])
    assert "gradient checkpointing" in short.reported.of("warning")[0]["text"]
    assert short.reported.of("rehearsal")[0]["gradient_checkpointing"] is True
    assert short.losses == pytest.approx(plain.losses, rel=1e-5)


def test_a_setting_that_wants_gradient_checkpointing_has_it_from_the_first_step(
    trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = short_once(monkeypatch)
    found = trainings.train({"training.max_steps": 1, "training.gradient_checkpointing": True})
    assert all(taken)
    assert found.reported.of("warning") == []


def test_what_fits_in_no_way_is_refused_and_the_model_is_left_without_checkpointing(
    trainer: PackedTrainer, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any) -> float:
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr(dry_run, "take_step", never)
    with pytest.raises(UserError, match="more memory than there is"):
        measure_dry_run(trainer, reported, 10, machine=machine())
    assert not trainer.model.get_base_model().is_activation_checkpointing
    assert len(reported.of("warning")) == 1


def test_photos_that_will_be_remembered_count_as_memory(
    trainer: PackedTrainer, reported: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As much for each view of a photo or box as for those that were opened, up to what is remembered at all."""
    found = sequence_sizes(trainer.training_data)
    whole = views(trainer, found)
    assert whole == sum(1 + len(photo.objects) for photo in [*trainer.training_data.photos, *trainer.eval_dataset])
    trainer.training_data.sample(found[0].key)
    known, size = trainer.prompt_builder.image_encoder.remembered
    assert 1 < known <= found[0].views, "what allows one answer only is not looked at"
    assert dry_run.remembered_bytes(trainer, whole) == pytest.approx(size * (whole / known - 1), abs=1)
    assert dry_run.remembered_bytes(trainer, 10**9) == dry_run.CACHE_BYTES - size
    monkeypatch.setattr(dry_run, "remembered_bytes", lambda *_: 1 << 51)
    with pytest.raises(UserError, match="more memory than there is"):
        measure_dry_run(trainer, reported, 10, machine=machine())


def test_what_the_optimizer_will_need_is_counted(trainer: PackedTrainer) -> None:
    weights = memory.learning_weights(trainer)
    state = DryRunState(trainer, machine(memory_bytes=1000 + 8 * weights), [], PeakMemory(trainer.args.device))
    assert state.fits(1000)
    assert not state.fits(1001)


def test_a_peak_of_memory_is_seen_though_it_is_gone_when_it_is_asked_for() -> None:
    before = memory.resident_bytes()
    peak = PeakMemory(torch.device("cpu"))
    with peak.watched():
        held = torch.ones(40_000_000)
        held += 1
        torch.mm(torch.ones(700, 700), torch.ones(700, 700))
        dry_run.time.sleep(0.05)
        del held
    assert peak.used > before + 100_000_000


def test_free_disk_is_asked_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert memory.disk_free_bytes(tmp_path / "models" / "not" / "yet") == pytest.approx(
        memory.disk_free_bytes(tmp_path), rel=0.01
    )


@pytest.mark.parametrize(("limit", "free"), [("1000\n", 700), ("500\n", 200), ("max\n", 1 << 62), ("100\n", 0)])
def test_a_container_has_what_its_limit_leaves(tmp_path: Path, limit: str, free: int) -> None:
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.current").write_text("400\n")
    (tmp_path / "memory.stat").write_text("anon 300\ninactive_file 100\n")
    assert memory.container_free_bytes(tmp_path) == free
    assert memory.container_free_bytes(tmp_path / "none") == 1 << 62


def test_a_stop_ends_it_between_two_steps(trainer: PackedTrainer, reported: Recorder) -> None:
    before = state_of(trainer)
    answers = iter([False, True])
    with pytest.raises(dry_run.Stopped):
        measure_dry_run(trainer, reported, 10, machine=machine(), stop=lambda: next(answers))
    assert reported.of("rehearsal") == []
    assert state_of(trainer)[2:] == before[2:]


@pytest.mark.parametrize("targets", ["attention", "everything"])
def test_trying_two_steps_writes_into_its_run_folder_only(
    trainings: Trainings, reported: Recorder, targets: str
) -> None:
    folder = trainings.folder("tried")
    before = {path for path in trainings.workspace.root.rglob("*") if folder not in path.parents}
    found = dry_run_only(trainings.settings({"lora.targets": targets}), folder, trainings.workspace, reported)
    assert {path for path in trainings.workspace.root.rglob("*") if folder not in path.parents} == before
    assert found["stopped"] is False
    assert found["steps"] == 3
    assert (found["cache_mb"] > 0) == (targets == "attention")
    assert (folder / "results.json").is_file()


def test_a_resumed_run_is_tried_for_the_steps_that_are_left(trainings: Trainings) -> None:
    trainings.train({"training.epochs": 2, "training.save_steps": 1}, stop_after=2)
    found = trainings.train({"training.epochs": 2, "training.save_steps": 1}, resume=True)
    assert found.reported.of("rehearsal")[0]["steps"] == 4


def test_a_refused_training_leaves_no_checkpoint_and_no_cache(
    trainings: Trainings, saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda device: 1000)
    monkeypatch.setattr(dry_run, "MachineMemory", lambda: machine(memory_bytes=1000))
    with pytest.raises(UserError, match="more memory"):
        trainings.train({"lora.targets": "attention"})
    assert not list(trainings.workspace.root.rglob("*.safetensors"))


def test_a_stop_while_steps_are_tried_stops_before_the_first_one(trainings: Trainings) -> None:
    found = trainings.train(stop_after=1, since="")
    assert found.info["stopped"] is True
    assert (found.info["steps"], found.losses) == (0, [])
    assert not found.final.exists()
    again = trainings.train({"training.max_steps": 1}, resume=True)
    assert again.info["steps"] == 1
