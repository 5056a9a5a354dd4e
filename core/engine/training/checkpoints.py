"""Adapters on disk while a model learns: the best one kept apart, the last one found again, the final one published."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from transformers import Trainer

from core.errors import UserError
from core.runs.files import write_json


def keep_best(trainer: Trainer, folder: Path, about: dict[str, Any]) -> None:
    """Save the adapter beside, then swap: a crash leaves the old best or the new one, never half of either."""
    beside = folder.with_name("best.part")
    if trainer.is_world_process_zero():
        shutil.rmtree(beside, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(beside))
    if trainer.is_world_process_zero():
        write_json(beside / "damgui.json", about)
        (beside / "README.md").write_text(card(about), encoding="utf-8")
        # A pickle of the trainer's arguments: damgui.json says the same and can be read.
        (beside / "training_args.bin").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        beside.replace(folder)


def card(about: dict[str, Any]) -> str:
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
    beside = final.with_name(f"{final.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(best, beside)
    beside.replace(final)
