"""What all tests share. Nothing here reaches the network, and the machine's settings do not leak in."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="train for as long as the README says, and hold its scores")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first: begun last, it would keep one core waiting for the other."""
    long = ("test_main_job", "test_readme", "browser", "test_real_photos", "engine")
    items.sort(key=lambda item: next((place for place, part in enumerate(long) if part in str(item.path)), len(long)))


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
