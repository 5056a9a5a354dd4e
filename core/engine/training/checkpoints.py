"""Adapters on disk while a model learns: the best one kept apart, the last one found again, the final one published."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from transformers import Trainer

from core.errors import UserError
from core.records import AdapterFacts
from core.runs import swap
from core.runs.files import write_json, write_text, writing

BEST = "best"


def keep_best(trainer: Trainer, folder: Path, about: AdapterFacts) -> None:
    """Save the adapter beside `folder`, then swap them: see `core.runs.swap`. All processes of a training call it."""
    if trainer.is_world_process_zero():
        swap.begin(folder)
    trainer.accelerator.wait_for_everyone()
    part = folder.with_name(f"{folder.name}.part")
    trainer.save_model(str(part))
    if trainer.is_world_process_zero():
        write_json(part / "damgui.json", about)
        write_text(part / "README.md", card(about))
        # A pickle of the trainer's arguments: damgui.json says the same and can be read.
        (part / "training_args.bin").unlink(missing_ok=True)
        swap.finish(folder)


def card(about: AdapterFacts) -> str:
    """What stands beside an adapter for the one who finds it."""
    scores = about["scores"]
    return (
        f"# {about['name']}\n\nA LoRA adapter for {about['base_model']}, made by damgui at step {scores['step']}: "
        f"accuracy {scores['accuracy']:.3f} and macro-F1 {scores['macro_f1']:.3f} on the validation photos that chose "
        "it.\nsettings, taxonomy and fingerprints: damgui.json\n"
    )


def latest_checkpoint(checkpoints: Path) -> Path | None:
    """The last checkpoint that was saved whole (the trainer's state is written last), or None."""
    found = [
        (int(match.group(1)), path)
        for path in checkpoints.glob("checkpoint-*")
        if (match := re.fullmatch(r"checkpoint-(\d+)", path.name)) and (path / "trainer_state.json").is_file()
    ]
    return max(found)[1] if found else None


def require_free(final: Path) -> None:
    """Raises UserError when a model stands where the new one shall: before hours of work, not after."""
    if final.exists():
        raise UserError("there is a model of this name already", str(final), "Train under another --name.", "name")


def publish(best: Path, final: Path) -> None:
    """Copy the best adapter to its final place in one move. Raises UserError when something stands there."""
    require_free(final)
    part = swap.begin(final)
    with writing(final):
        shutil.copytree(best, part, dirs_exist_ok=True)
    swap.finish(final)
