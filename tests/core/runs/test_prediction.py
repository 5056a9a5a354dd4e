from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from core.runs import launcher, locks, prediction_client, prediction_server, store, worker
from core.runs.events import append, event, read_events
from core.runs.files import write_json
from core.runs.workspace import Workspace
from core.settings import Settings, merge

pytestmark = pytest.mark.usefixtures("fake_engine")
SETTINGS = Settings()


def ask(workspace: Workspace, image: str, settings: Settings = SETTINGS) -> dict[str, Any]:
    return wait(workspace, prediction_client.ask(workspace, settings, {"image": image}))


def wait(workspace: Workspace, number: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = prediction_client.answer(workspace, number)
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("no answer came")


def test_service_stays_warm_between_questions(workspace: Workspace) -> None:
    first = ask(workspace, "a.jpg")
    second = ask(workspace, "b.jpg")
    assert (first["image"], second["image"]) == ("a.jpg", "b.jpg")
    assert first["pid"] == second["pid"]
    assert len(store.list_runs(workspace, "predict")) == 1


def test_question_is_answered_while_a_training_holds_the_engine(workspace: Workspace) -> None:
    with locks.hold(workspace.engine_lock):
        assert ask(workspace, "a.jpg")["image"] == "a.jpg"


def test_what_the_user_can_cure_is_an_answer_and_the_service_goes_on(workspace: Workspace) -> None:
    refused = ask(workspace, "refuse.jpg")
    assert refused["error"] == "refuse.jpg: this photo cannot be read. Give another one."
    assert refused["problems"][0]["kind"] == "photo"
    assert ask(workspace, "a.jpg")["image"] == "a.jpg"


def test_unexpected_failure_reaches_whoever_waits_and_the_next_question_finds_a_new_service(
    workspace: Workspace,
) -> None:
    assert "tensors quarrelled" in ask(workspace, "explode.jpg")["error"]
    assert ask(workspace, "a.jpg")["image"] == "a.jpg"


def test_another_model_gets_a_service_of_its_own_and_the_old_one_ends(workspace: Workspace) -> None:
    ask(workspace, "a.jpg")
    (old,) = store.list_runs(workspace, "predict")
    other = ask(workspace, "a.jpg", merge(SETTINGS, {"model.path": "demo-photos"}))
    assert other["asked_of"] == "demo-photos"
    assert launcher.wait(old, 10) == "stopped"


def test_questions_of_one_photo_are_handed_in_together_and_those_taken_back_are_not_answered(
    workspace: Workspace,
) -> None:
    requests: list[Any] = [{"image": image} for image in ("slow.jpg", "a.jpg", "b.jpg")]
    slow, taken_back, kept = prediction_client.ask_all(workspace, SETTINGS, requests)
    prediction_client.withdraw(workspace, [taken_back, "gone/0"])
    assert [wait(workspace, number)["image"] for number in (slow, kept)] == ["slow.jpg", "b.jpg"]
    assert prediction_client.answer(workspace, taken_back) is None
    assert len(store.list_runs(workspace, "predict")) == 1


def test_many_questions_at_once_share_one_service(workspace: Workspace) -> None:
    numbers: list[str] = []

    def hand_in(index: int) -> None:
        numbers.append(prediction_client.ask(workspace, SETTINGS, {"image": f"{index}.jpg"}))

    threads = [threading.Thread(target=hand_in, args=(index,)) for index in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len({wait(workspace, number)["pid"] for number in numbers}) == 1
    assert {wait(workspace, number)["image"] for number in numbers} == {f"{index}.jpg" for index in range(5)}


def test_idle_service_ends_by_itself_and_its_answers_stay(workspace: Workspace) -> None:
    impatient = merge(SETTINGS, {"data.limit": 1})  # the fake engine's service: 0.2 s
    number = prediction_client.ask(workspace, impatient, {"image": "a.jpg"})
    (run,) = store.list_runs(workspace, "predict")
    assert launcher.wait(run, 10) == "finished"
    assert wait(workspace, number)["image"] == "a.jpg"


class Asked:
    """The reporter of a service that is asked to end once `over` holds."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self.stop_requested = over

    def emit(self, kind: str, **fields: Any) -> None:
        pass


def test_a_question_whose_file_cannot_be_removed_is_answered_once_and_the_next_one_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process, such as a virus scanner, may hold the file open."""

    def held(path: Path) -> None:
        raise PermissionError(f"{path} is in use")

    run = store.create(workspace, SETTINGS, "predict")
    questions, answers = prediction_server.requests_folder(run), prediction_server.answers_folder(run)
    for name in "ab":
        write_json(questions / f"{name}.json", {"image": name})
    predicted: list[str] = []
    looks: list[None] = []

    def predict(request: dict[str, Any]) -> dict[str, Any]:
        predicted.append(request["image"])
        return request

    monkeypatch.setattr(prediction_server, "remove", held)
    over = Asked(lambda: looks.append(None) or len(looks) > 9)  # type: ignore[func-returns-value]
    found = prediction_server.serve(run, SETTINGS, over, lambda _: predict)
    assert found == {"answered": 2, "stopped": True}
    assert predicted == ["a", "b"]
    assert sorted(path.name for path in answers.iterdir()) == ["a.json", "b.json"]


def two_questions(workspace: Workspace) -> tuple[store.Run, str, str]:
    """A service at work on a question, and another one that waits."""
    numbers = [prediction_client.ask(workspace, SETTINGS, {"image": image}) for image in ("slow.jpg", "a.jpg")]
    (service,) = store.list_runs(workspace, "predict")
    while not any(past["kind"] == "stage" for past in read_events(service.events)):
        time.sleep(0.02)
    return service, numbers[0], numbers[1]


def test_what_waits_when_a_run_takes_the_memory_is_told_so_and_asked_again_after_it(workspace: Workspace) -> None:
    service, slow, waiting = two_questions(workspace)
    with locks.hold(workspace.engine_lock):
        assert prediction_client.release(workspace, "train 2026-pilot", lambda: False)
        assert wait(workspace, slow)["image"] == "slow.jpg"
        told = {"error": "The model left memory for train 2026-pilot before it answered: ask again."}
        assert wait(workspace, waiting) == told
    assert wait(workspace, waiting)["image"] == "a.jpg"
    assert store.status(service) == "stopped"


def test_a_question_with_other_settings_waits_for_those_that_were_asked_before(workspace: Workspace) -> None:
    """Two pages ask different models: each gets its answers, and one model is in memory at a time."""
    service, slow, waiting = two_questions(workspace)
    assert ask(workspace, "b.jpg", merge(SETTINGS, {"model.path": "demo-photos"}))["asked_of"] == "demo-photos"
    assert store.status(service) == "stopped"
    assert [wait(workspace, number)["image"] for number in (slow, waiting)] == ["slow.jpg", "a.jpg"]
    assert len(store.list_runs(workspace, "predict")) == 2


def test_who_stops_the_service_does_not_get_a_new_one_by_what_still_waits(workspace: Workspace) -> None:
    service, _, waiting = two_questions(workspace)
    launcher.stop(service)
    assert wait(workspace, waiting)["error"].endswith("left memory before it answered: ask again.")
    assert store.list_runs(workspace, "predict") == [service]


def test_a_question_that_came_too_late_for_a_service_is_asked_again_once(workspace: Workspace) -> None:
    impatient = merge(SETTINGS, {"data.limit": 1})  # the fake engine's service: 0.2 s
    prediction_client.ask(workspace, impatient, {"image": "a.jpg"})
    (run,) = store.list_runs(workspace, "predict")
    assert launcher.wait(run, 10) == "finished"
    write_json(prediction_server.requests_folder(run) / "late.json", {"image": "late.jpg"})
    with ThreadPoolExecutor(4) as page:
        found = list(page.map(lambda _: wait(workspace, f"{run.id}/late"), range(4)))
    assert {answer["image"] for answer in found} == {"late.jpg"}
    assert len({answer["pid"] for answer in found}) == 1


def test_question_to_a_service_that_is_gone_gets_a_sentence(workspace: Workspace) -> None:
    found = prediction_client.answer(workspace, "20200101-000000-predict/abc")
    assert found is not None
    assert "ask again" in found["error"]


def test_relative_model_is_found_in_the_workspace(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(store.PROJECT / "models" / "demo", workspace.final("x"))
    monkeypatch.chdir(Path(__file__).parent)
    settings = merge(SETTINGS, {"model.path": "models/x_final"})
    assert ask(workspace, "a.jpg", settings)["asked_of"] == str(workspace.final("x"))
    ask(workspace, "b.jpg", settings)
    assert len(store.list_runs(workspace, "predict")) == 1


@pytest.mark.parametrize("kind", ["train", "evaluate", "baseline", "rehearse"])
def test_a_heavy_run_finds_the_memory_of_the_service_free_without_asking(
    workspace: Workspace, steps: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    ask(workspace, "a.jpg")
    (service,) = store.list_runs(workspace, "predict")
    at_work = []
    real = worker.JOBS[kind]

    def job(work: worker.Work) -> dict[str, Any]:
        at_work.append(store.status(service))
        return real(work)

    monkeypatch.setitem(worker.JOBS, kind, job)
    assert worker.work(store.create(workspace, steps(1), kind, "pilot" if kind == "train" else "").folder) == 0
    assert at_work == ["stopped"]
    assert ask(workspace, "a.jpg")["image"] == "a.jpg"  # whoever asks again gets a new one


def test_a_resumed_run_that_waits_for_the_memory_is_at_work_and_can_be_stopped(
    workspace: Workspace, training: store.Run
) -> None:
    append(training.events, event("started", run=training.id, pid=1, job="train", parent=1))
    append(training.events, event("ended", how="stopped", error="", problems=[], seconds=1.0))
    prediction_client.ask(workspace, SETTINGS, {"image": "slow.jpg"})
    (service,) = store.list_runs(workspace, "predict")
    while not any(event["kind"] == "stage" for event in read_events(service.events)):
        time.sleep(0.02)
    resumed = threading.Thread(target=lambda: worker.work(training.folder))
    resumed.start()
    while not service.stop_file.exists():
        time.sleep(0.02)
    assert store.status(training) == "running"
    launcher.stop(training)
    resumed.join(10)
    kinds = [event["kind"] for event in read_events(training.events)]
    assert kinds == ["started", "ended", "started", "plan", "step", "checkpoint", "result", "ended"]
    assert store.status(training) == "stopped"


def test_a_service_that_does_not_end_in_time_is_told_and_holds_nothing_up(
    workspace: Workspace, training: store.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = prediction_client.ask(workspace, SETTINGS, {"image": "slow.jpg"})
    (service,) = store.list_runs(workspace, "predict")
    while not any(event["kind"] == "stage" for event in read_events(service.events)):
        time.sleep(0.02)
    monkeypatch.setattr(prediction_client, "RELEASE_S", 0.1)
    reported: list[dict[str, Any]] = []
    assert worker.work(training.folder, reported.append) == 0
    assert [event["kind"] for event in reported][:2] == ["started", "warning"]
    assert wait(workspace, number)["image"] == "slow.jpg"
