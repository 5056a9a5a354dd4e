"""The line that says what computes: true for every build, and found without importing torch."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from damgui.cli import commands, machine

CARD = ("NVIDIA L4",)
LINES = [
    ("2.13.0+cu130", CARD, "Linux", "x86_64", "torch 2.13.0 for CUDA 13.0, sees NVIDIA L4."),
    ("2.13.0+cu130", CARD * 3, "Linux", "x86_64", "torch 2.13.0 for CUDA 13.0, sees NVIDIA L4 and 2 more."),
    ("2.13.0+cu130", (), "Linux", "x86_64", "torch 2.13.0 for CUDA 13.0, sees no NVIDIA GPU: it computes on the "),
    ("2.13.0+cpu", (), "Linux", "x86_64", "torch 2.13.0, the CPU build: it computes on the processor."),
    ("2.13.0+cpu", CARD, "Windows", "AMD64", "torch 2.13.0, the CPU build, cannot use NVIDIA L4: give TORCH_INDEX"),
    ("2.13.0", (), "Darwin", "arm64", "torch 2.13.0, on Apple's GPU where it can."),
    ("2.13.0", (), "Darwin", "x86_64", "torch 2.13.0, the CPU build: it computes on the processor."),
    ("2.13.0+rocm7.0", (), "Linux", "x86_64", "torch 2.13.0, the build for rocm7.0: whether it sees"),
    ("", CARD, "Linux", "x86_64", "torch is not installed"),
]


@pytest.mark.parametrize(("version", "gpus", "system", "processor", "line"), LINES)
def test_the_line_tells_the_build_and_whether_it_sees_a_gpu(
    version: str, gpus: tuple[str, ...], system: str, processor: str, line: str
) -> None:
    assert machine.described(version, gpus, system, processor).startswith(line)


def fake_torch(folder: Path, stated: str) -> None:
    """A distribution named torch 2.13.0 whose own file states `stated`, first where Python looks."""
    about = folder / "torch-2.13.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n", encoding="utf-8")
    if stated:
        (folder / "torch").mkdir()
        (folder / "torch" / "version.py").write_text(f"__version__ = '{stated}'\ncuda = None\n", encoding="utf-8")


@pytest.mark.parametrize(("stated", "version"), [("2.13.0+cu130", "2.13.0+cu130"), ("", "2.13.0")])
def test_the_build_is_what_torch_states_where_the_package_names_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, version: str
) -> None:
    fake_torch(tmp_path, stated)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert machine.torch_version() == version


def test_without_torch_there_is_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(machine.metadata, "distribution", absent)
    assert machine.torch_version() == ""


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for the driver's tool is a shell script")
@pytest.mark.parametrize(
    ("script", "gpus"),
    [
        ("echo 'NVIDIA L4'; echo 'NVIDIA H100 80GB HBM3'", ("NVIDIA L4", "NVIDIA H100 80GB HBM3")),
        ("echo 'has failed because it could not communicate with the driver'; exit 9", ()),
        ("exit 0", ()),
        ("exec sleep 60", ()),
    ],
)
def test_a_gpu_counts_when_the_drivers_tool_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, gpus: tuple[str, ...]
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(machine, "ANSWER_WITHIN_S", 2.0)
    assert machine.nvidia_gpus() == gpus


def test_without_the_drivers_tool_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.nvidia_gpus() == ()


def test_the_line_is_found_without_importing_torch() -> None:
    code = "import sys; from damgui.cli.machine import torch_line; print(torch_line()); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line, imported = done.stdout.splitlines()
    assert line.startswith("torch ") and imported == "False"


def test_the_page_says_it_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from damgui import page

    monkeypatch.setattr(page, "serve", lambda *_: print("served"))
    monkeypatch.setattr(machine, "torch_line", lambda: "torch 2.13.0, the CPU build.")
    assert commands.main(["app", "--no-browser", "--workspace", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["torch 2.13.0, the CPU build.", "served"]
