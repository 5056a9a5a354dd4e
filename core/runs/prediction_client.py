"""The client of the prediction service: finds or starts it, hands in questions, fetches answers. It needs no torch."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence

from core.errors import UserError
from core.records import Prediction, PredictionRefused, PredictionRequest
from core.runs import launcher, locks, store
from core.runs.files import read_json, remove, write_json
from core.runs.journal import exclusive
from core.runs.prediction_server import FOR_A_QUESTION, answers_folder, requests_folder, stop_reason
from core.runs.store import Run
from core.runs.workspace import Workspace
from core.settings import Settings

# Services that ended are of no interest to anybody; this many are kept for their logs.
KEPT = 3
# A service looks for a request to end between two answers; loading a large model takes longer than one waits for.
RELEASE_S = 20.0
# Held while a service is started. Earlier versions hold the same file, so two versions never start one each.
START_LOCK = "desk.lock"
# The field of an answer that only says under which number the question was asked again.
ASKED_AGAIN = "asked_again"


def _same_model(settings: Settings, other: Settings) -> bool:
    """Whether one service can answer for both: all that prediction reads is equal."""
    return (
        settings.model,
        settings.view,
        settings.question,
        settings.enhance,
        settings.data.taxonomy,
        settings.judging,
    ) == (
        other.model,
        other.view,
        other.question,
        other.enhance,
        other.data.taxonomy,
        other.judging,
    )


def _find(workspace: Workspace, settings: Settings) -> Run | None:
    """The service at work for these settings. Others are asked to end: two models may not fit into memory."""
    found = None
    for run in store.list_runs(workspace, "predict"):
        if store.status(run) not in store.ACTIVE or run.stop_file.exists():
            continue
        if found is None and _same_model(run.settings(), settings):
            found = run
        else:
            with contextlib.suppress(UserError):  # it may end by itself meanwhile
                launcher.stop(run, FOR_A_QUESTION)
    return found


def release(workspace: Workspace, why: str, stopping: Callable[[], bool]) -> bool:
    """Ask the services of a workspace to end, so that their memory is free for a heavy run, and wait for it.

    Args:
        workspace: Whose services end.
        why: The heavy run, as those read it whose questions are not answered.
        stopping: Called while waiting; the wait ends when it says that the heavy run itself shall stop.

    Returns:
        Whether all have ended: one that is answering or loading may need longer than RELEASE_S seconds.
    """
    warm = [run for run in store.list_runs(workspace, "predict") if store.status(run) in store.ACTIVE]
    for run in warm:
        with contextlib.suppress(UserError):  # it may end by itself meanwhile
            launcher.stop(run, why)
    deadline = time.monotonic() + RELEASE_S
    while warm := [run for run in warm if store.status(run) in store.ACTIVE]:
        if stopping() or time.monotonic() > deadline:
            return False
        time.sleep(launcher.POLL_S)
    return True


def _tidy(workspace: Workspace) -> None:
    over = [run for run in store.list_runs(workspace, "predict") if store.status(run) in ("finished", "stopped")]
    for run in over[KEPT:]:
        with contextlib.suppress(OSError):
            remove(run.folder)


@contextlib.contextmanager
def _starting(workspace: Workspace) -> Iterator[None]:
    """Within the block no other process looks for a service or starts one. Raises UserError (kind `busy`) in vain."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locks.hold(workspace.experiments / START_LOCK, patience_s=launcher.START_WAIT_S))
        except locks.Held as error:
            raise UserError("the prediction service is being started", "", "Ask again in a moment.", "busy") from error
        yield


def _open_service(workspace: Workspace, settings: Settings) -> Run:
    """The prediction service for these settings, started when there is none; to be called within `_starting`.

    That is cheap: the model is loaded at the first question.

    Raises:
        UserError: The service cannot start.
    """
    run = _find(workspace, settings)
    if run is None:
        _tidy(workspace)
        run = launcher.begin(workspace, settings, "predict")
    return run


def ask(workspace: Workspace, settings: Settings, request: PredictionRequest) -> str:
    """Hand in one question; see `ask_all`."""
    (number,) = ask_all(workspace, settings, [request])
    return number


def ask_all(workspace: Workspace, settings: Settings, requests: Sequence[PredictionRequest]) -> list[str]:
    """Hand in questions to the prediction service, which is started when there is none; it answers one by one.

    Args:
        workspace: Whose service answers.
        settings: Those that the service predicts with.
        requests: Requests of `core.engine.prediction.Predictor.predict`.

    Returns:
        Each question's number for `answer`.

    Raises:
        UserError: The service cannot start, another process has been starting it for too long, or a question cannot
            be written.
    """
    settings = store.with_absolute_paths(settings, workspace.root)
    with _starting(workspace):
        run = _open_service(workspace, settings)
    numbers = []
    with exclusive(workspace):  # whoever renames or deletes a model finds the question, or was first
        for request in requests:
            name = uuid.uuid4().hex[:12]
            write_json(requests_folder(run) / f"{name}.json", request)
            numbers.append(f"{run.id}/{name}")
    return numbers


def withdraw(workspace: Workspace, numbers: Iterable[str]) -> None:
    """Take questions back: nobody waits for their answers. One that is being answered, or was, is left as it is."""
    for number in numbers:
        identity, name = number.split("/", 1)
        with contextlib.suppress(UserError, OSError):  # what is gone needs no taking back
            run = store.open_run(workspace.runs / identity)
            remove(requests_folder(run) / f"{name}.json")
            forwarded = read_json(answers_folder(run) / f"{name}.json") or {}
            if ASKED_AGAIN in forwarded:
                withdraw(workspace, [forwarded[ASKED_AGAIN]])


def answer(workspace: Workspace, number: str) -> Prediction | PredictionRefused | None:
    """The answer to a question, {"error": text} when there will be none, None while it is being worked on.

    When a service ended before it came to the question, the question is handed to another service, unless a run that
    needs the memory is at work or a user stopped the service.
    """
    identity, name = number.split("/", 1)
    folder = workspace.runs / identity
    try:
        run = store.open_run(folder)
    except UserError:
        return {"error": "The prediction service is gone; ask again."}
    how = store.status(run)
    found = read_json(answers_folder(run) / f"{name}.json")
    if found is not None and ASKED_AGAIN in found:
        return answer(workspace, found[ASKED_AGAIN])
    if found is not None or how in store.ACTIVE:
        known: Prediction | PredictionRefused | None = found
        return known
    if how in ("stopped", "finished"):
        return _not_answered(run, how, name)
    return _ended_first(run)


def _ended_first(run: Run) -> PredictionRefused:
    why = launcher.error_of(run) or f"see {run.process_log}"
    return {"error": f"The prediction service ended before it answered: {why}"}


def _not_answered(run: Run, how: str, name: str) -> PredictionRefused | None:
    """What `answer` returns for a question that an orderly ended service left; it is asked again where it may be."""
    why = stop_reason(run)
    if how == "stopped" and not why:
        return {"error": "The prediction service was stopped and the model left memory before it answered: ask again."}
    if why and why != FOR_A_QUESTION and launcher.busy(run.workspace) is not None:
        return {"error": f"The model left memory for {why} before it answered: ask again."}
    try:
        return None if _asked_again(run, name) else _ended_first(run)
    except UserError as error:
        busy = any(problem.kind == "busy" for problem in error.problems)  # somebody else is starting it
        return None if busy else {"error": str(error)}


def _asked_again(run: Run, name: str) -> bool:
    """Hand a question to another service and leave its new number with the old one; False when it is not there."""
    question, forwarded = requests_folder(run) / f"{name}.json", answers_folder(run) / f"{name}.json"
    with _starting(run.workspace):
        request = read_json(question)
        if request is None:
            return forwarded.exists()  # another thread of the page was first
        other = _open_service(run.workspace, run.settings())
        write_json(requests_folder(other) / f"{name}.json", request)
        write_json(forwarded, {ASKED_AGAIN: f"{other.id}/{name}"})
        with contextlib.suppress(OSError):
            remove(question)
    return True
