"""How damgui is installed and started. `make` is asked what it would do; start.bat can only be read: nobody has run it
on Windows yet, so its tests hold that the steps stand there in their order, not that they work.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
START = (ROOT / "start.bat").read_text(encoding="utf-8")
LINES = [line.strip() for line in START.splitlines() if line.strip() and not line.strip().startswith("rem")]
FROM_INDEX = "install --quiet -c requirements.lock --no-deps"


def place(part: str) -> int:
    """The line of start.bat in which `part` stands."""
    return next(number for number, line in enumerate(LINES) if part in line)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder in which something is installed already, as far as make can tell."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".run-ready").touch()
    return tmp_path


def would_do(folder: Path, *words: str) -> str:
    """What `make run` would do, without doing it."""
    if shutil.which("make") is None:
        pytest.skip("there is no make on this machine")
    env = {name: value for name, value in os.environ.items() if name not in ("TORCH_INDEX", "MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "-n", "run", *words], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_second_start_installs_nothing(folder: Path) -> None:
    assert "install" not in would_do(folder)


def test_a_first_start_takes_everything_from_one_index(folder: Path) -> None:
    (folder / ".venv" / ".run-ready").unlink()
    commands = would_do(folder)
    assert "install --quiet -c requirements.lock -e ." in commands and "--index-url" not in commands


def test_another_build_of_torch_is_installed_alone_and_before_the_rest(folder: Path) -> None:
    commands = would_do(folder, "TORCH_INDEX=ADDRESS")
    assert f'{FROM_INDEX} --force-reinstall --index-url "ADDRESS" torch' in commands
    assert commands.index("--index-url") < commands.index("-e .")


def test_the_chosen_build_of_torch_is_remembered(folder: Path) -> None:
    (folder / ".venv" / ".torch-index").write_text("ADDRESS\n", encoding="utf-8")
    assert "install" not in would_do(folder)
    assert "install" not in would_do(folder, "TORCH_INDEX=ADDRESS")
    assert '--force-reinstall --index-url "OTHER"' in would_do(folder, "TORCH_INDEX=OTHER")
    (folder / ".venv" / ".run-ready").unlink()
    assert '--index-url "ADDRESS" torch' in would_do(folder)


def test_start_bat_names_the_steps_of_make_run_in_their_order() -> None:
    steps = (
        'pushd "%~dp0"',
        "-m venv .venv",
        "if defined TORCH_INDEX goto chosen",
        "nvidia-smi",
        "--no-deps --force-reinstall --index-url",
        "fc /b requirements.lock",
        "-c requirements.lock -e .",
        '"%PY%" app.py %*',
    )
    found = [place(step) for step in steps]
    assert found == sorted(found)


def test_start_bat_warns_in_words_only_where_no_build_was_chosen() -> None:
    chosen, queried, warned = place("goto chosen"), place("nvidia-smi"), place("Warning: an NVIDIA card answers")
    assert chosen < queried < warned < LINES.index(":chosen")
    assert "set TORCH_INDEX=address" in START


def test_start_bat_stops_where_a_step_fails() -> None:
    steps = [line for line in LINES if "-m pip" in line or "-m venv" in line]
    assert len(steps) == 4 and all(line.endswith("|| goto failed") for line in steps)


def test_start_bat_jumps_only_to_labels_that_are_there() -> None:
    labels = {line[1:] for line in LINES if line.startswith(":")}
    assert set(re.findall(r"goto (\w+)", START)) == labels


def test_start_bat_is_plain_text_that_cmd_can_read() -> None:
    raw = (ROOT / "start.bat").read_bytes()
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") > 20
    assert "*.bat text eol=crlf" in (ROOT / ".gitattributes").read_text(encoding="utf-8")


def test_start_bat_needs_no_administrator() -> None:
    assert not re.search(r"runas|setx|reg add|program ?files|powershell", START, re.I)


def test_the_readme_says_that_nobody_tried_it_on_windows() -> None:
    assert re.search(r"not\s+tried\s+on\s+Windows", (ROOT / "README.md").read_text(encoding="utf-8"))


def test_no_address_but_our_own_stands_where_one_installs() -> None:
    for name in ("Makefile", "start.bat", "README.md", "CONTRIBUTING.md", "pyproject.toml"):
        assert not re.search(r"https?://(?!127\.0\.0\.1)", (ROOT / name).read_text(encoding="utf-8")), name


def test_the_hooks_are_local_and_run_what_the_environment_brings() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = {hook["id"]: hook for hook in repositories[0]["hooks"]}
    assert list(hooks) == ["ruff", "ruff-format", "mypy", "architecture"]
    for hook in hooks.values():
        assert hook["language"] == "system" and hook["entry"].startswith(".venv/bin/")
    assert "tests/test_architecture.py" in hooks["architecture"]["entry"]
