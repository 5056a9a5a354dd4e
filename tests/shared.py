"""What several test files need and takes long to make: made once a session, by whichever worker comes first."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [line[2:] for block in re.findall(r"```console\n(.*?)```", README, re.S) for line in block.splitlines()]
# Without --full: a quarter of the photos, on which training stops early, which is enough to see that it teaches. The
# tuned model's reference points, which are those of the baseline on other photos, are left out.
SHORT = {
    "train": ["--set", "training.max_steps=42", "--set", "training.eval_steps=42"],
    "evaluate": ["--set", "judging.references=false"],
}


@dataclass(frozen=True)
class Newcomer:
    """A workspace in which the README's commands were run, in its order: documents and seconds by command."""

    workspace: Path
    outputs: dict[str, Any]
    seconds: dict[str, float]


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, filled by the first who asks, in this process or another, while the others wait."""
    done = folder.with_name(f"{folder.name}.done")
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a worker left that failed
            folder.mkdir(parents=True)
            make(folder)
            done.touch()
    return folder


def run_readme(folder: Path, full: bool) -> None:
    """Every command of the README, as written but for SHORT; what each printed is kept beside them."""
    outputs, seconds = {}, {}
    for command in COMMANDS:
        verb = command.split()[1]
        began = time.monotonic()
        outputs[verb] = damgui(command, folder, () if full else SHORT.get(verb, ()))
        seconds[verb] = time.monotonic() - began
    (folder / "outputs.json").write_text(json.dumps([outputs, seconds]), encoding="utf-8")


def damgui(command: str, folder: Path, also: Sequence[str] = ()) -> Any:
    """What a `damgui …` line, run in `folder` in a process of its own, prints with --json."""
    program, *words = shlex.split(command)
    assert program == "damgui"
    line = [sys.executable, "-m", "damgui", *words, *also, "--json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return json.loads(done.stdout)
