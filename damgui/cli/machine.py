"""What computes here: one line about the installed torch and the GPU, found without importing torch."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

ASK_GPU = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
# Without its daemon the driver wakes every GPU first.
ANSWER_WITHIN_S = 10.0
OTHER_BUILD = "give TORCH_INDEX (README, Your own GPU)"


def torch_version() -> str:
    """The installed torch's version with its build, such as `2.13.0+cpu` or `2.13.0+cu130`; "" when there is none.

    torch states the build in `torch/version.py`: what the package index serves as the default leaves it out of the
    package's own version.
    """
    try:
        installed = metadata.distribution("torch")
    except metadata.PackageNotFoundError:
        return ""
    try:
        source = Path(str(installed.locate_file("torch/version.py"))).read_text(encoding="utf-8")
    except OSError:
        source = ""
    stated = re.search(r"^__version__ = ['\"]([^'\"]+)", source, re.M)
    return stated[1] if stated else installed.version


def nvidia_gpus() -> tuple[str, ...]:
    """The names of the NVIDIA GPUs that the driver's own tool answers with; none when it is absent or silent."""
    tool = shutil.which(ASK_GPU[0])
    if tool is None:
        return ()
    try:
        answer = subprocess.run(
            [tool, *ASK_GPU[1:]], capture_output=True, text=True, timeout=ANSWER_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(filter(None, map(str.strip, answer.stdout.splitlines()))) if answer.returncode == 0 else ()


def described(version: str, gpus: tuple[str, ...], system: str, processor: str) -> str:
    """The line itself: which torch, for what it was built, and whether it can use a GPU of this machine.

    Args:
        version: what `torch_version` found.
        gpus: what `nvidia_gpus` found.
        system: `platform.system()`, such as `Linux`, `Darwin` or `Windows`.
        processor: `platform.machine()`, such as `x86_64` or `arm64`.
    """
    if not version:
        return "torch is not installed: the page opens, but nothing can be computed."
    number, _, build = version.partition("+")
    named = gpus[0] + (f" and {len(gpus) - 1} more" if len(gpus) > 1 else "") if gpus else ""
    cuda = re.fullmatch(r"cu(\d+)(\d)", build)
    if cuda:
        torch = f"torch {number} for CUDA {cuda[1]}.{cuda[2]}"
        return f"{torch}, sees {named}." if named else f"{torch}, sees no NVIDIA GPU: it computes on the processor."
    if system == "Darwin" and processor == "arm64":
        return f"torch {number}, on Apple's GPU where it can."
    if build not in ("", "cpu"):
        return f"torch {number}, the build for {build}: whether it sees a GPU shows when it computes."
    torch = f"torch {number}, the CPU build"
    return f"{torch}, cannot use {named}: {OTHER_BUILD}." if named else f"{torch}: it computes on the processor."


def torch_line() -> str:
    """One line for the terminal: which torch is installed, and whether it sees a GPU."""
    return described(torch_version(), nvidia_gpus(), platform.system(), platform.machine())
