"""What all tests share. Nothing here reaches the network, and the machine's settings do not leak in."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.shared import once

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Before torch is imported: spinning threads would starve the tests that run beside these.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
if "PYTEST_XDIST_WORKER" in os.environ:
    # One thread for each of two tests at once does a quarter more than two threads each on two cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# A suite started in the background, or under nohup, inherits ignored signals, as do the processes it starts: the tests
# of Ctrl-C and of a closed terminal need them as a terminal has them.
for name, usual in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    number = getattr(signal, name, None)
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

ROOT = Path(__file__).resolve().parents[1]


DESELECTED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="the slow tests too",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests are left to --full. What takes long comes first: begun last, it would keep one core waiting."""
    long = ("test_main_job", "test_readme", "browser", "test_real_photos", "test_old_workspace", "engine")
    items.sort(key=lambda item: next((place for place, part in enumerate(long) if part in str(item.path)), len(long)))
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow and not config.getoption("--full"):
        items[:] = [item for item in items if item not in slow]
        config.stash[DESELECTED] = len(slow)
        config.hook.pytest_deselected(items=slow)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["slow"] = session.config.stash.get(DESELECTED, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Every worker of xdist leaves out the same tests, and its controller, which reports, hears of them here alone."""
    node.config.stash[DESELECTED] = getattr(node, "workeroutput", {}).get("slow", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if slow := config.stash.get(DESELECTED, 0):
        terminalreporter.write_line(f"{slow} slow tests deselected; with them: make test ARGS=--full")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def real_photos() -> Path:
    """The folder of real dam photos, which lies beside the project and is never copied into it."""
    folder = Path(os.environ.get("DAMGUI_PHOTOS", ROOT.parent / "shared" / "data" / "dam-photos"))
    if not (folder / "data.yaml").is_file():
        pytest.skip(f"the real dam photos are not on this machine ({folder}); set DAMGUI_PHOTOS to their folder")
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session have in common."""
    mine = tmp_path_factory.getbasetemp()
    folder = (mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def few_photos(shared: Path) -> Path:
    """Every sixth photo of the sample set: what is clicked and waited for is the same, and takes a sixth."""
    from core.demo.sample_set import plan_photos, write_photos

    def draw(folder: Path) -> None:
        folder.rmdir()
        write_photos(folder, plan_photos()[2::6])

    return once(shared / "few-photos", draw)
