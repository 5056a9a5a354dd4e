"""Studies as runs: begun from the command line, stopped, resumed, and published once they are whole."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import launcher, store
from core.runs.events import event, read_events
from core.runs.files import read_json
from core.runs.store import Run
from core.runs.workspace import Nested, Workspace
from core.settings import Settings
from core.studies import plan as studies
from damgui.cli import commands
from damgui.cli.progress import ProgressBars

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(workspace.root)
    return workspace


def only_run(workspace: Workspace) -> Run:
    (run,) = store.list_runs(workspace)
    return run


QUICK = ["--set", "training.learning_rate=0.001"]


def test_an_ablation_prints_its_table_and_writes_it_where_nothing_else_is(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert commands.main(["ablate", "--only", "all", "--seeds", "2", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert out.count("| all together | 2 |") == 2
    assert "at least 3 times" in out
    assert "4 of 4: all together, seed 1" in err
    written = sorted(here.experiments.glob("ablation_*.json"))
    assert {path.stem.removeprefix("ablation_") for path in written} == {run.id for run in store.list_runs(here)}
    assert [row["variant"] for row in read_json(written[0])["table"]] == ["none", "all"]
    assert not here.models.exists()


def test_json_prints_the_whole_result_and_nothing_else(here: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["ablate", "--only", "all", "--json", *QUICK]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "finished"
    assert document["cells_done"] == 6
    assert document["recommendation"]["use"] == "none"


def stopped_study(here: Workspace) -> Run:
    """An ablation of fourteen trainings that was told to stop after a few."""
    words = ["ablate", "--seeds", "2", "--set", "training.learning_rate=0.05"]

    def ask_once_a_cell_is_done() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for run in store.list_runs(here):
                if any(entry["kind"] == "progress" and entry["done"] for entry in read_events(run.events)):
                    run.stop_file.touch()
                    return
            time.sleep(0.01)

    stopper = threading.Thread(target=ask_once_a_cell_is_done)
    stopper.start()
    assert commands.main(words) == 0
    stopper.join()
    return only_run(here)


def test_a_stopped_study_is_not_finished_and_the_same_command_goes_on(
    here: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stopped_study(here)
    assert store.status(run) == "stopped"
    assert "damgui ablate --resume" in capsys.readouterr().err
    assert not list(here.experiments.glob("ablation_*"))
    before = read_json(run.results)["cells_done"]
    assert 0 < before < 14
    assert commands.main(["ablate", "--resume", "--set", "lora.rank=3"]) == 2
    assert commands.main(["ablate", "--resume", "--seeds", "3"]) == 2
    assert "keeps its trainings" in capsys.readouterr().err
    assert commands.main(["ablate", "--resume"]) == 0
    assert store.status(run) == "finished"
    assert only_run(here).id == run.id
    assert read_json(here.study("ablate", run.id))["cells_done"] == 14
    with pytest.raises(UserError, match="Start another one"):
        store.resumable(run)


def test_a_stopped_study_is_resumed_by_its_id_in_a_process_of_its_own(here: Workspace) -> None:
    run = stopped_study(here)
    launcher.resume(run)
    assert launcher.wait(run, 30) == "finished"


def test_a_study_holds_the_engine_as_a_training_does(here: Workspace) -> None:
    settings = Settings()
    plan = studies.to_dict(studies.plan_ablation([], 3, settings))
    run = launcher.begin(here, settings, "ablate", plan=plan)
    refused = launcher.busy(here)
    launcher.stop(run)
    assert refused is not None
    assert f"busy with ablate {run.id}" in str(refused)
    assert launcher.wait(run, 20) == "stopped"


@pytest.mark.parametrize("verb", ["ablate", "crossval"])
def test_several_processes_do_not_share_a_study(
    verb: str, here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert commands.main([verb]) == 2
    assert "Start one alone" in capsys.readouterr().err
    assert store.list_runs(here) == []


def test_a_nested_workspace_shares_photos_and_features_and_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    inner = Nested(tmp_path / "inside", workspace)
    assert inner.sample_data == workspace.sample_data
    assert inner.feature_cache == workspace.feature_cache
    assert inner.final("x").is_relative_to(tmp_path / "inside")
    assert inner.runs.is_relative_to(tmp_path / "inside")


def test_without_a_terminal_each_finished_training_is_one_line() -> None:
    out = io.StringIO()
    bars = ProgressBars(out)
    for done, part in ((0, 0.2), (0, 0.9), (1, 0.0), (1, 0.5), (2, 0.0)):
        bars(event("progress", done=done, total=2, unit="trainings", elapsed_s=9.0, part=part, left_s=60.0 - 30 * done))
    assert out.getvalue().splitlines() == ["Trainings  1/2 … 30 s left", "Trainings  2/2 … 0 s left"]
