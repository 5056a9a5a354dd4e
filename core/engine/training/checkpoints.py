"""Adapters on disk while a model learns: the best one kept apart, the last one found again, the final one published."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from typing import Any

from transformers import Trainer

from core.data.splits import SPLIT_FILE
from core.engine.training.memory import OPTIMIZER_BYTES, learning_weights
from core.errors import UserError
from core.records import AdapterFacts, TrainingInfo
from core.runs import swap
from core.runs.files import copy, plain, read_json, read_record, remove, system_path, write_json, write_text, writing
from core.runs.workspace import OUTCOME
from core.settings import Settings, to_dict

BEST = "best"
WEIGHT_BYTES = 4  # float32


def save_best(trainer: Trainer, folder: Path, about: AdapterFacts, split: Path | None = None) -> None:
    """Save the adapter as the best one, in place of the one before.

    It is saved beside `folder`, then the two are swapped (see `core.runs.swap`), so that a whole adapter is there at
    any time. All processes of a training call it.

    Args:
        trainer: Holds the model.
        folder: Where the best adapter lies.
        about: What damgui.json shall hold, the scores included.
        split: The run's split.json, which is kept beside the adapter: the run may be deleted, the adapter moved.
    """
    if trainer.is_world_process_zero():
        swap.begin(folder)
    trainer.accelerator.wait_for_everyone()
    part = folder.with_name(f"{folder.name}.part")
    trainer.save_model(str(part))
    if trainer.is_world_process_zero():
        write_json(part / "damgui.json", about)
        write_text(part / "README.md", card(about))
        if split is not None:
            copy(split, part / SPLIT_FILE)
        # A pickle of the trainer's arguments: damgui.json says the same and can be read.
        remove(part / "training_args.bin")
        swap.finish(folder)


def card(about: AdapterFacts) -> str:
    """Write the README.md that stands beside an adapter, for whoever finds it."""
    scores = about["scores"]
    return (
        f"# {about['name']}\n\nA LoRA adapter for {about['base_model']}, made by damgui at step {scores['step']}: "
        f"accuracy {scores['accuracy']:.3f} and macro-F1 {scores['macro_f1']:.3f} on the validation photos that chose "
        "it.\nsettings, taxonomy and fingerprints: damgui.json\n"
    )


def latest_checkpoint(checkpoints: Path) -> Path | None:
    """Find the last checkpoint that was saved whole (the trainer's state is written last), or None."""
    found = [
        (int(match.group(1)), path)
        for path in checkpoints.glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", path.name)) and (path / "trainer_state.json").is_file()
    ]
    return max(found)[1] if found else None


def require_free(final: Path) -> None:
    """Refuse a name that is taken: before hours of work, not after.

    Raises:
        UserError: There is a model at `final` already.
    """
    if final.exists():
        raise UserError("there is a model of this name already", str(final), "Train under another --name.", "name")


def publish(best: Path, final: Path) -> None:
    """Copy the best adapter to its final place, where it appears whole or not at all.

    Raises:
        UserError: There is a model at `final` already.
    """
    require_free(final)
    part = swap.begin(final)
    with writing(final):
        shutil.copytree(system_path(best), system_path(part), dirs_exist_ok=True)
    swap.finish(final)


def keep_outcome(run_folder: Path, info: TrainingInfo) -> None:
    """Keep what is to be said of a training that took all its steps, before its adapter is published.

    Raises:
        UserError: It cannot be written.
    """
    write_json(run_folder / OUTCOME, info)


def forget_outcome(run_folder: Path) -> None:
    """Forget what an earlier start of this run kept, as it begins to learn.

    Raises:
        UserError: It cannot be removed.
    """
    with writing(run_folder / OUTCOME):
        remove(run_folder / OUTCOME)


def kept_outcome(run_folder: Path, settings: Settings, best: Path, final: Path) -> TrainingInfo | None:
    """Find what a run kept that was killed when it had learned all, and before its end was written down.

    Args:
        run_folder: The run's folder.
        settings: The run's settings.
        best: Where its best adapter lies.
        final: Where it is published, or was already.

    Returns:
        What is to be said of the training; None where it has to learn, or `final` is another run's model.

    Raises:
        UserError: A file is damaged.
    """
    info = read_record(run_folder / OUTCOME, TrainingInfo)
    about = read_json(best / "damgui.json")
    if info is None or about is None or info.get("settings") != plain(to_dict(settings)):
        return None
    return info if not final.exists() or read_json(final / "damgui.json") == about else None


def checkpoint_bytes(trainer: Any, steps: int) -> int:
    """Compute what checkpoints will take on disk at most.

    Those that are kept and the one that is written before the oldest goes, each with the optimizer's state; and the
    adapter alone as the best, as the best while it is replaced, and as the final one.

    Args:
        trainer: Holds the model, and how often and how many checkpoints are saved.
        steps: The steps to be taken.
    """
    adapter = WEIGHT_BYTES * learning_weights(trainer)
    written = math.ceil(steps / trainer.args.save_steps)
    kept = min(trainer.args.save_total_limit + 1 if trainer.args.save_total_limit else written, written)
    return int(kept * (adapter + OPTIMIZER_BYTES * learning_weights(trainer)) + 3 * adapter)


def require_disk(needed_bytes: int, cache_bytes: int, free_bytes: int, folder: Path) -> None:
    """Check that the disk will take what a training writes.

    Args:
        needed_bytes: Bytes of the checkpoints.
        cache_bytes: Bytes of the vision features to be kept.
        free_bytes: Bytes that are free.
        folder: The folder of the checkpoints, named in the error.

    Raises:
        UserError: It will not; the error says how to make it fit.
    """
    if needed_bytes + cache_bytes <= free_bytes:
        return
    lacking = (needed_bytes + cache_bytes - free_bytes) / 1e9
    ways = [f"Free {max(lacking, 0.1):.1f} GB", "lower training.keep_checkpoints"]
    ways += ["switch model.cache_features off"] if cache_bytes else []
    raise UserError(
        f"{(needed_bytes + cache_bytes) / 1e9:.1f} GB are needed for checkpoints and kept features, "
        f"{free_bytes / 1e9:.1f} GB are free",
        str(folder),
        f"{', '.join(ways[:-1])} or {ways[-1]}.",
        "does-not-fit",
    )
