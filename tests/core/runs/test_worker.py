from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import UserError
from core.runs import events, files, journal, locks, store, worker
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings, merge

pytestmark = pytest.mark.usefixtures("fake_engine")


SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def event_kinds(run: Run) -> list[str]:
    return [event["kind"] for event in events.read_events(run.events)]


def ended(run: Run) -> dict[str, Any]:
    last = events.last_event(run.events)
    assert last is not None
    assert last["kind"] == "ended"
    return last


def test_training_begins_with_started_and_has_the_last_word(workspace: Workspace, training: Run) -> None:
    heard: list[dict[str, Any]] = []
    assert worker.work(training.folder, heard.append) == 0
    assert event_kinds(training) == ["started", "plan", "step", "step", "step", "result", "ended"]
    assert [event["kind"] for event in heard] == event_kinds(training)
    assert ended(training)["how"] == "finished"
    assert store.status(training) == "finished"
    info = json.loads(workspace.training_info("pilot").read_text())
    assert info["steps"] == 3
    assert info["offline"] == "1"
    log = events.read_events(workspace.training_log("pilot"))
    assert [event["kind"] for event in log] == ["plan", "step", "step", "step"]


@pytest.mark.parametrize(
    ("name", "code", "sentence", "kind"),
    [
        ("refuse", 2, "models/x: the model folder is empty. Give another one.", "model"),
        ("overflow", 2, "the disk is full. Make room", "disk"),
        ("explode", 1, "tensors quarrelled", "failed"),
    ],
)
def test_failure_becomes_one_sentence_and_an_exit_code(
    workspace: Workspace, name: str, code: int, sentence: str, kind: str
) -> None:
    run = store.create(workspace, Settings(), "train", name)
    assert worker.work(run.folder) == code
    assert store.status(run) == "failed"
    assert sentence in ended(run)["error"]
    assert "\n" not in ended(run)["error"]
    assert [problem["kind"] for problem in ended(run)["problems"]] == [kind]
    assert not locks.is_held(workspace.engine_lock)


def test_unexpected_failure_keeps_its_traceback_in_the_file_it_names(workspace: Workspace) -> None:
    run = store.create(workspace, Settings(), "train", "explode")
    worker.work(run.folder)
    assert str(run.process_log) in ended(run)["error"]
    assert "Traceback" in run.process_log.read_text()
    assert "tensors quarrelled" in run.process_log.read_text()


def test_bad_config_is_the_users_and_is_said(training: Run) -> None:
    training.config.write_text("lora: {rank: 0}\n")
    assert worker.work(training.folder) == 2
    assert "lora.rank" in ended(training)["error"]


def test_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run in this folder"):
        worker.work(tmp_path)


def test_a_run_waits_for_a_change_that_is_under_way_and_begins_with_its_outcome(
    workspace: Workspace, training: Run
) -> None:
    change = locks.hold(workspace.history_lock)
    change.__enter__()
    beginning = threading.Thread(target=worker.work, args=[training.folder])
    beginning.start()
    beginning.join(0.1)
    assert beginning.is_alive() and not locks.is_held(training.lock)
    facts = training.folder / "run.json"
    facts.write_text(facts.read_text().replace('"pilot"', '"renamed"'))
    change.__exit__(None, None, None)
    beginning.join(10)
    assert workspace.training_info("renamed").exists() and not workspace.training_info("pilot").exists()


def test_a_run_that_goes_as_it_begins_leaves_no_folder(
    workspace: Workspace, training: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = journal.exclusive

    @contextlib.contextmanager
    def after_a_deletion(opened: Workspace) -> Iterator[None]:
        files.remove(training.folder)
        with real(opened):
            yield

    monkeypatch.setattr(journal, "exclusive", after_a_deletion)
    with pytest.raises(UserError, match="there is no run in this folder"):
        worker.work(training.folder)
    assert not training.folder.exists()


def test_second_worker_on_a_run_is_refused_and_leaves_its_log_alone(training: Run) -> None:
    with locks.hold(training.lock), pytest.raises(UserError, match="already at work"):
        worker.work(training.folder)
    assert event_kinds(training) == []


@pytest.mark.parametrize("kind", ["baseline", "train", "rehearse", "evaluate"])
def test_heavy_run_is_refused_while_another_holds_the_engine(workspace: Workspace, kind: str) -> None:
    run = store.create(workspace, Settings(), kind, "second")
    with locks.hold(workspace.engine_lock, {"run": "first-run", "kind": "train"}):
        assert worker.work(run.folder) == 2
    assert event_kinds(run) == ["ended"]
    for part in ("train first-run", "since", "damgui runs stop first-run"):
        assert part in ended(run)["error"]


def test_light_run_does_not_wait_for_the_engine(workspace: Workspace) -> None:
    run = store.create(workspace, merge(Settings(), {"data.limit": 1}), "predict")
    with locks.hold(workspace.engine_lock):
        assert worker.work(run.folder) == 0


def test_stop_saves_and_resume_goes_on_from_there(workspace: Workspace, steps: Callable[..., Settings]) -> None:
    run = store.create(workspace, steps(6, 0.001), "train", "pilot")

    def stop_at_two(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 2:
            run.stop_file.touch()

    assert worker.work(run.folder, stop_at_two) == 0
    assert store.status(run) == "stopped"
    assert not workspace.final("pilot").exists()
    run.stop_file.unlink()
    assert worker.work(run.folder) == 0
    assert store.status(run) == "finished"
    assert [event["step"] for event in events.read_events(run.events) if event["kind"] == "step"] == [1, 2, 3, 4, 5, 6]
    log = events.read_events(workspace.training_log("pilot"))
    assert [event["step"] for event in log if event["kind"] == "step"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send these signals to a process")
@pytest.mark.parametrize("number", SIGNALS)
def test_signal_saves_and_ends(workspace: Workspace, steps: Callable[..., Settings], number: signal.Signals) -> None:
    run = store.create(workspace, steps(50, 0.001), "train", "pilot")

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 2:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    assert worker.work(run.folder, interrupt) == worker.INTERRUPTED
    assert store.status(run) == "stopped"
    assert event_kinds(run)[-3:] == ["checkpoint", "result", "ended"]
    assert signal.getsignal(number) == before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send this signal to a process")
def test_second_interrupt_quits_at_once(workspace: Workspace, steps: Callable[..., Settings]) -> None:
    run = store.create(workspace, steps(50, 0.001), "train", "pilot")

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "plan":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    assert worker.work(run.folder, interrupt) == worker.INTERRUPTED
    assert event_kinds(run) == ["started", "plan", "ended"]
    assert "resume" in ended(run)["error"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send this signal to a process")
def test_signal_that_the_caller_ignores_stays_ignored(workspace: Workspace, steps: Callable[..., Settings]) -> None:
    run = store.create(workspace, steps(3), "train", "pilot")
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert worker.work(run.folder, lambda _: os.kill(os.getpid(), signal.SIGTERM)) == 0
    finally:
        signal.signal(signal.SIGTERM, before)


def test_closed_terminal_does_not_end_a_run(training: Run) -> None:
    def gone(_: dict[str, Any]) -> None:
        raise BrokenPipeError

    assert worker.work(training.folder, gone) == 0
    assert store.status(training) == "finished"


def test_worker_works_in_a_thread_too(training: Run) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(worker.work(training.folder)))
    thread.start()
    thread.join(10)
    assert codes == [0]


def test_zeroshot_results_are_a_copy_of_the_latest_baseline_and_each_run_keeps_its_own(workspace: Workspace) -> None:
    runs = [store.create(workspace, merge(Settings(), {"training.learning_rate": 1e-4}), "baseline") for _ in range(2)]
    for run in runs:
        assert worker.work(run.folder) == 0
        assert json.loads(workspace.zeroshot_results.read_text())["run"] == run.id
        assert workspace.zeroshot_predictions.read_text() == run.predictions.read_text()
    assert [json.loads(run.results.read_text())["run"] for run in runs] == [run.id for run in runs]


def test_evaluation_is_named_after_model_and_split(workspace: Workspace) -> None:
    settings = merge(Settings(), {"model.path": "models/pilot_final", "data.split": "test"})
    assert worker.work(store.create(workspace, settings, "evaluate").folder) == 0
    names = {path.name for path in workspace.experiments.glob("evaluation*")}
    assert names == {"evaluation_pilot_test.json", "evaluation_pilot_test_predictions.jsonl"}
    assert not workspace.zeroshot_results.exists()


def test_a_dry_run_leaves_its_figures_in_its_folder_and_nothing_elsewhere(
    workspace: Workspace, steps: Callable[..., Settings]
) -> None:
    before = {path for path in workspace.root.rglob("*") if path.is_file()}
    run = store.create(workspace, steps(6), "rehearse")
    assert worker.work(run.folder) == 0
    assert event_kinds(run) == ["started", "stage", "rehearsal", "ended"]
    assert json.loads(run.results.read_text())["steps"] == 6
    left = {path for path in workspace.root.rglob("*") if path.is_file() and run.folder not in path.parents} - before
    assert {path.name.split(".")[0] for path in left} == {"engine", "history"}, "locks alone"
    with pytest.raises(UserError, match="cannot go on"):
        store.resumable(run)


def test_a_dry_run_stops_when_it_is_asked_to(workspace: Workspace, steps: Callable[..., Settings]) -> None:
    run = store.create(workspace, steps(6), "rehearse")
    assert worker.work(run.folder, lambda event: run.stop_file.touch()) == 0
    assert store.status(run) == "stopped"
    assert "rehearsal" not in event_kinds(run)


def test_half_a_baseline_is_no_result(workspace: Workspace, steps: Callable[..., Settings]) -> None:
    run = store.create(workspace, steps(50, 0.001), "baseline")
    worker.work(run.folder, lambda event: run.stop_file.touch() if event["kind"] == "progress" else None)
    assert store.status(run) == "stopped"
    assert not workspace.zeroshot_results.exists()


def test_full_disk_ends_with_its_sentence(
    training: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = events.append

    def full(path: Path, event: dict[str, Any]) -> None:
        if event["kind"] in ("step", "ended"):
            with worker.files.writing(path):
                raise OSError(errno.ENOSPC, "No space left on device")
        write(path, event)

    monkeypatch.setattr(worker, "append", full)
    assert worker.work(training.folder) == 2
    assert store.status(training) == "crashed"
    assert "the disk is full" in capsys.readouterr().err


@pytest.mark.parametrize(("offline", "expected"), [(True, "1"), (False, None)])
def test_network_is_asked_only_when_the_user_allows_it(
    monkeypatch: pytest.MonkeyPatch, offline: bool, expected: str | None
) -> None:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM"):
        monkeypatch.setenv(name, "0")
    worker.prepare_environment(merge(Settings(), {"model.offline": offline}))
    assert os.environ.get("HF_HUB_OFFLINE") == expected
    assert os.environ.get("TRANSFORMERS_OFFLINE") == expected
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_other_processes_of_a_launch_work_without_a_word(training: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with locks.hold(training.lock), locks.hold(training.workspace.engine_lock):
        assert worker.work(training.folder) == 0
    assert event_kinds(training) == []
    assert (training.folder / "rank1").read_text() == "False\n"


def test_worker_says_started_before_it_imports_torch(training: Run) -> None:
    code = (
        "import sys; from core.runs import worker\n"
        "jobs = {'train': lambda work: {'torch': 'torch' in sys.modules or 'transformers' in sys.modules}}\n"
        f"worker.work(__import__('pathlib').Path({str(training.folder)!r}), None, jobs)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=store.PROJECT)
    assert json.loads(training.workspace.training_info("pilot").read_text()) == {"torch": False}
