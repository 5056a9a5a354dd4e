"""An adapter is kept, replaced and published whole, whenever the process that does it is killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.engine.training.checkpoints import forget_outcome, keep_outcome, kept_outcome, publish, save_best
from core.runs import swap
from core.runs.files import write_json
from core.settings import Settings, merge, to_dict

KilledAfter = Callable[[int, Callable[[], object]], bool]


def trainer(weights: str) -> Any:
    """All that keeping an adapter needs of one."""

    def save_model(folder: str) -> None:
        Path(folder, "adapter_model.safetensors").write_text(weights)
        Path(folder, "training_args.bin").write_text("pickle")

    everyone = SimpleNamespace(wait_for_everyone=lambda: None)
    return SimpleNamespace(is_world_process_zero=lambda: True, accelerator=everyone, save_model=save_model)


def about(step: int, macro_f1: float) -> dict[str, Any]:
    return {"name": "a", "base_model": "demo", "scores": {"step": step, "accuracy": 0.5, "macro_f1": macro_f1}}


def best_of(folder: Path) -> tuple[str, float] | None:
    """The adapter that stands there, with the score that a resume will hold others against."""
    if not folder.exists():
        return None
    scores = json.loads((folder / "damgui.json").read_text())["scores"]
    return (folder / "adapter_model.safetensors").read_text(), scores["macro_f1"]


def test_a_kill_while_the_best_is_replaced_leaves_the_old_or_the_new_with_its_own_score(
    tmp_path: Path, killed_after: KilledAfter
) -> None:
    found = []
    for count in range(1000):
        folder = tmp_path / str(count) / "best"
        save_best(trainer("good"), folder, about(1, 0.5))
        killed = killed_after(count, lambda folder=folder: save_best(trainer("better"), folder, about(2, 0.6)))  # type: ignore[misc]
        swap.recover(folder)
        found.append(best_of(folder))
        # What the next one does never depends on where the last one was killed.
        save_best(trainer("best"), folder, about(3, 0.7))
        assert best_of(folder) == ("best", 0.7)
        assert sorted(path.name for path in folder.parent.iterdir()) == ["best"]
        if not killed:
            break
    assert set(found) == {("good", 0.5), ("better", 0.6)}
    assert found == sorted(found, key=lambda event: event == ("better", 0.6))
    assert len(found) > 10


def test_a_kill_while_a_model_is_published_leaves_it_out_or_whole(tmp_path: Path, killed_after: KilledAfter) -> None:
    best, found = tmp_path / "best", []
    save_best(trainer("best"), best, about(3, 0.7))
    for count in range(1000):
        final = tmp_path / str(count) / "a_final"
        killed = killed_after(count, lambda final=final: publish(best, final))  # type: ignore[misc]
        found.append(best_of(final))
        if killed and found[-1] is None:
            publish(best, final)
        assert best_of(final) == best_of(best) == ("best", 0.7)
        if not killed:
            break
    assert set(found) == {None, ("best", 0.7)}
    assert len(found) > 5


def test_a_kill_anywhere_between_the_last_step_and_the_record_strands_no_model(
    tmp_path: Path, killed_after: KilledAfter
) -> None:
    settings, found = Settings(), []
    info: Any = {"name": "a", "settings": to_dict(settings)}
    for count in range(1000):
        run, best, final = (tmp_path / str(count) / name for name in ("run", "a_checkpoints/best", "a_final"))
        save_best(trainer("best"), best, about(3, 0.7))

        def end(run: Path = run, best: Path = best, final: Path = final) -> None:
            keep_outcome(run, info)
            publish(best, final)
            write_json(run / "record.json", info)

        killed = killed_after(count, end)
        found.append((kept_outcome(run, settings, best, final), best_of(final)))
        if found[-1][0] is not None and not final.exists():
            publish(best, final)
        assert best_of(final) in (None, ("best", 0.7))
        if not killed:
            break
    # It learns again until its outcome is kept; from then on it goes on, whether its model is there or not.
    kinds = [(info is not None, model is not None) for info, model in found]
    assert kinds == sorted(kinds) and set(kinds) == {(False, False), (True, False), (True, True)}
    assert kinds.count((True, True)) > 3, "a kill between the model and the record"


def test_a_model_of_another_run_or_of_other_settings_is_not_taken_for_its_own(tmp_path: Path) -> None:
    best, other, final = tmp_path / "best", tmp_path / "other", tmp_path / "a_final"
    save_best(trainer("best"), best, about(3, 0.7))
    save_best(trainer("other"), other, about(3, 0.6))
    keep_outcome(tmp_path, {"settings": to_dict(Settings())})
    assert kept_outcome(tmp_path, Settings(), best, final) is not None
    assert kept_outcome(tmp_path, merge(Settings(), {"lora.rank": 4}), best, final) is None
    publish(other, final)
    assert kept_outcome(tmp_path, Settings(), best, final) is None
    forget_outcome(tmp_path)
    assert kept_outcome(tmp_path, Settings(), best, tmp_path / "b_final") is None


@pytest.mark.parametrize("weights", ["good", "better"])
def test_what_is_kept_holds_no_pickle_and_says_what_it_is(tmp_path: Path, weights: str) -> None:
    (tmp_path / "split.json").write_text("{}")
    save_best(trainer(weights), tmp_path / "best", about(3, 0.7), tmp_path / "split.json")
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "README.md",
        "adapter_model.safetensors",
        "damgui.json",
        "split.json",
    ]
