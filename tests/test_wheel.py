"""Installed as a wheel and started from an empty folder, the product does its whole job."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("core", "damgui", "configs", "models")
# For readers of the repository: nothing opens them.
NOT_SHIPPED = {".png", ".pyc"}
SHORT = {"training.max_steps": 2, "training.eval_steps": 2, "data.calibration_share": 0, "judging.references": False}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline from a copy in which a user has trained a model."""
    source, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in SHIPPED:
        own = shutil.ignore_patterns("__pycache__", "*_final", "*_checkpoints")
        shutil.copytree(ROOT / name, source / name, ignore=own)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "models" / "demo", source / "models" / "mine_final")
    (source / "tests").mkdir()
    (source / "tests" / "test_nothing.py").touch()
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source))
    (built,) = out.glob("damgui-*.whl")
    return built


def pip(*words: str) -> None:
    line = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, "--no-index", "--quiet"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_holds_everything_that_the_product_opens_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        found = {name for name in opened.namelist() if ".dist-info/" not in name}
    here = [path.relative_to(ROOT) for name in SHIPPED for path in (ROOT / name).rglob("*") if path.is_file()]
    own = re.compile(r"models/[^/]+_(final|checkpoints)/")
    wanted = {path.as_posix() for path in here if path.suffix not in NOT_SHIPPED and not own.match(path.as_posix())}
    assert found == wanted
    assert {"configs/taxonomy.yaml", "models/demo/model.safetensors", "damgui/assets/page.css"} <= found


class Installed:
    """The wheel in an environment of its own, and an empty folder to work in.

    The libraries are lent by the environment of these tests: its folder stands in a .pth file, whose own .pth files
    Python does not read, so the editable damgui of the tests is not among them.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
        self.python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
        pip("--python", str(self.python), "install", "--no-deps", str(wheel))
        self.packages = Path(self.printed("import sysconfig; print(sysconfig.get_path('purelib'))", folder))
        (self.packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        self.work = folder / "empty"
        self.work.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def printed(self, code: str, folder: Path | None = None) -> str:
        """What a program of the installed Python prints."""
        line = [self.python, "-c", code]
        done = subprocess.run(
            line, cwd=folder or self.work, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def damgui(self, *words: str) -> Any:
        """The document of a command of the installed program."""
        line = [self.python.with_name("damgui"), *words, "--json"]
        done = subprocess.run(line, cwd=self.work, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def page(installed: Installed) -> Iterator[str]:
    """The address of the installed page, served while a test lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    line = [installed.python.with_name("damgui"), "app", "--no-browser", "--port", port]
    server = subprocess.Popen(line, cwd=installed.work, env=installed.environment, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def answer(address: str, within_s: float) -> tuple[int, str]:
    """Status and text of an address that may still be starting."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=30) as found:
                return found.status, found.read().decode()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(1500)  # drawing the sample set takes 20 s alone, and minutes on cores that other tests share
class TestInstalled:
    """One environment and one folder; each test finds what those before it made."""

    def test_it_is_the_installed_one_that_runs(self, installed: Installed) -> None:
        places = installed.printed("import core, damgui; print(core.__file__); print(damgui.__file__)").splitlines()
        assert len(places) == 2 and all(Path(place).is_relative_to(installed.packages) for place in places)

    def test_presets_and_taxonomy_come_along(self, installed: Installed) -> None:
        code = "from core import settings, taxonomy; print(*settings.presets()); print(*taxonomy.load('').conditions)"
        presets, conditions = installed.printed(code).splitlines()
        assert presets.split() == [
            *sorted((path.stem for path in (ROOT / "configs").glob("*.yaml") if path.stem != "taxonomy"), key=first)
        ]
        assert conditions.split() == ["normal", "blocked", "damaged"]

    def test_the_sample_set_is_drawn(self, installed: Installed) -> None:
        assert installed.damgui("check", "--data", "demo")["photos"] == {"train": 218, "valid": 47, "test": 25}

    def test_the_demo_model_judges(self, installed: Installed) -> None:
        found = installed.damgui("baseline", "--data", "demo", "--limit", "3", "--set", "judging.references=false")
        assert found["total"] > 5

    def test_the_report_is_written(self, installed: Installed) -> None:
        assert Path(installed.damgui("report", "baseline")["path"]).stat().st_size > 50_000

    def test_a_training_starts_in_a_process_of_its_own_as_the_page_starts_it(self, installed: Installed) -> None:
        code = (
            "from core.runs import launcher, store; from core.settings import load, merge\n"
            f"settings = merge(load('demo'), {SHORT}, 'test')\n"
            "run = launcher.begin(store.open_workspace('.'), settings, 'train', 'first')\n"
            "print(launcher.wait(run, 900), launcher.error_of(run))"
        )
        assert installed.printed(code) == "finished"
        assert (installed.work / "models" / "first_final" / "adapter_config.json").is_file()

    def test_the_page_opens(self, page: str) -> None:
        status, text = answer(page, within_s=120)
        assert status == 200
        assert re.search(r'"title":\s*"damgui"', text) and "--dg-" in text  # its name, and its style sheet

    def test_everything_it_wrote_is_in_the_folder_it_was_started_in(self, installed: Installed) -> None:
        made = {path.name for path in installed.work.iterdir()} - {"cache", "sample-data.lock"}
        assert made == {"experiments", "models", "sample-data"}
        assert not (installed.packages / "experiments").exists()


def first(name: str) -> tuple[bool, str]:
    """The demo's preset is offered first."""
    return name != "demo", name
